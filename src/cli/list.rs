//! `meow list`: the workflows of the project with their last outcome and expected time, also those that cannot be executed.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use super::Context;
use super::history::{history, normed};
use super::learnt;
use super::workflows::{self, Found};
use crate::error::Result;
use crate::plan::Interval;
use crate::record::Outcome;
use crate::report::document::{Block, Document, Table, name, words};
use crate::report::{self, format};
use crate::workflow::Definition;

/// Show the workflows of this project
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  meow list
  meow list --json")]
pub struct Args {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// The page: what is shown of each workflow.
#[derive(Debug, Serialize)]
struct Page {
    schema_version: u32,
    workflows: Vec<Row>,
}

#[derive(Debug, Serialize)]
struct Row {
    /// The name by which it is executed.
    name: String,
    /// The name under which it is recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    workflow: Option<String>,
    file: String,
    description: String,
    steps: Option<usize>,
    /// How many of the steps have a command; the others are manual.
    commands: Option<usize>,
    /// Variables that need a value.
    required: Vec<String>,
    /// What this repository remembers of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    past: Option<Past>,
    /// Why it cannot be executed.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// What is remembered of a workflow.
#[derive(Debug, Clone, Serialize)]
struct Past {
    /// How its latest execution ended.
    outcome: Outcome,
    /// When that one began.
    started_at: Timestamp,
    /// The wall time to expect when it passes, in milliseconds.
    predicted_ms: Option<Interval>,
}

/// Runs the command.
///
/// # Errors
/// A folder of workflows cannot be read, or the repository cannot be opened.
pub fn run(args: &Args, context: &Context) -> Result<u8> {
    let project = context.project()?;
    let past = if project.repository.is_some() { past(context)? } else { BTreeMap::new() };
    let found = workflows::list(&project)?;
    let rows = found.into_iter().map(|found| {
        let definition = workflows::parse(&project, &found);
        row(found, definition, &past)
    });
    let page = Page { schema_version: 1, workflows: rows.collect() };
    if args.json {
        context.terminal.result(&report::json(&page))?;
    } else if page.workflows.is_empty() {
        context.terminal.say("no workflows yet; `meow init` writes a first one");
    } else {
        context.terminal.result(&report::text(&document(&page.workflows), context.terminal.width))?;
    }
    Ok(0)
}

/// Returns what this repository remembers, by workflow.
fn past(context: &Context) -> Result<BTreeMap<String, Past>> {
    let history = history(&[], context)?;
    let project = context.project()?;
    let knowledge = learnt::knowledge(&normed(history.clone(), &project, context), true, &project, context);
    let latest = report::status(&history, Vec::new(), Vec::new(), 0).workflows;
    let past = latest.into_iter().map(|line| {
        let predicted_ms = knowledge.workflows.get(&line.workflow).and_then(|pattern| pattern.duration_ms);
        (line.workflow, Past { outcome: line.outcome, started_at: line.started_at, predicted_ms })
    });
    Ok(past.collect())
}

fn row(found: Found, definition: Result<Definition>, past: &BTreeMap<String, Past>) -> Row {
    let row = Row {
        name: found.name,
        workflow: None,
        file: found.file,
        description: String::new(),
        steps: None,
        commands: None,
        required: Vec::new(),
        past: None,
        error: None,
    };
    match definition {
        Ok(definition) => {
            let required = definition.variables.iter().filter(|(_, variable)| variable.required);
            Row {
                required: required.map(|(name, _)| name.clone()).collect(),
                steps: Some(definition.steps()),
                commands: Some(definition.commands()),
                past: past.get(&definition.name).cloned(),
                workflow: Some(definition.name),
                description: definition.description,
                ..row
            }
        }
        Err(error) => Row { error: Some(error.to_string()), ..row },
    }
}

fn document(rows: &[Row]) -> Document {
    let mut table = Table::new(&["workflow", ">steps", "last", "predicted", "file", "description"]);
    for row in rows {
        let past = row.past.as_ref();
        let about = row.error.as_ref().map_or_else(|| row.description.clone(), |error| refusal(error, &row.file));
        table.row([
            name(&row.name),
            words(row.steps.map_or_else(|| "–".to_owned(), |steps| steps.to_string())),
            words(past.map_or("–", |past| past.outcome.word())),
            words(format::interval(past.and_then(|past| past.predicted_ms.as_ref()))),
            name(&row.file),
            name(first_line(&about)),
        ]);
    }
    Document::default().with(Block::Table(table))
}

/// Returns why a file cannot be executed; the file's name stands beside it already.
fn refusal(error: &str, file: &str) -> String {
    let place = error.strip_prefix(file).and_then(|rest| rest.strip_prefix(':'));
    let reason = place.map_or_else(|| error.to_owned(), |place| format!("line {place}"));
    format!("cannot be executed: {reason}")
}

/// Returns the first line of a text, cut.
fn first_line(text: &str) -> String {
    const MOST: usize = 90;
    let first = text.lines().next().unwrap_or_default();
    if first.chars().count() <= MOST {
        return first.to_owned();
    }
    first.chars().take(MOST - 1).chain(['…']).collect()
}
