//! `meow list`: the workflows of the project, also those that cannot be executed, with the reason.

use serde::Serialize;

use super::Context;
use super::workflows::{self, Found};
use crate::error::{Error, Kind, Result};

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
    /// Why it cannot be executed.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// Runs the command.
///
/// # Errors
/// A folder of workflows cannot be read.
pub fn run(args: &Args, context: &Context) -> Result<u8> {
    let project = context.project()?;
    let found = workflows::list(&project)?;
    let rows = found.into_iter().map(|found| {
        let definition = workflows::parse(&project, &found);
        row(found, definition)
    });
    let page = Page { schema_version: 1, workflows: rows.collect() };
    if args.json {
        let json = serde_json::to_string_pretty(&page)
            .map_err(|error| Error::new(Kind::Bug, "the page cannot be written as JSON").cause(error))?;
        context.terminal.result(&json)?;
    } else if page.workflows.is_empty() {
        context.terminal.say("no workflows yet; `meow init` writes a first one");
    } else {
        context.terminal.result(&text(&page.workflows))?;
    }
    Ok(0)
}

fn row(found: Found, definition: Result<crate::workflow::Definition>) -> Row {
    let row = Row {
        name: found.name,
        workflow: None,
        file: found.file,
        description: String::new(),
        steps: None,
        commands: None,
        required: Vec::new(),
        error: None,
    };
    match definition {
        Ok(definition) => Row {
            steps: Some(definition.steps()),
            commands: Some(definition.commands()),
            required: definition
                .variables
                .iter()
                .filter(|(_, variable)| variable.required)
                .map(|(name, _)| name.clone())
                .collect(),
            workflow: Some(definition.name),
            description: definition.description,
            ..row
        },
        Err(error) => Row { error: Some(error.to_string()), ..row },
    }
}

fn text(rows: &[Row]) -> String {
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::NOTHING).set_header(["workflow", "steps", "file", "description"]);
    for row in rows {
        let steps = row.steps.map_or_else(|| "–".to_owned(), |steps| steps.to_string());
        let about =
            row.error.as_ref().map_or_else(|| row.description.clone(), |error| format!("not executable: {error}"));
        table.add_row([inert(&row.name, 60), steps, inert(&row.file, 100), inert(&about, 90)]);
    }
    table.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}

/// Returns the first line of a stranger's text, cut, with control characters escaped.
fn inert(text: &str, most: usize) -> String {
    let first = text.lines().next().unwrap_or_default();
    let cut = first.chars().count() > most;
    let kept: String = first.chars().take(if cut { most - 1 } else { most }).collect();
    let shown: String = kept
        .chars()
        .flat_map(|char| if char.is_control() { char.escape_debug().collect() } else { vec![char] })
        .collect();
    if cut { shown + "…" } else { shown }
}
