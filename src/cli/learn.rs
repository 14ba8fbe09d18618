//! `meow learn`: patterns and recommendations from what is recorded, shown and written for the next execution.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::history::{history, normed};
use super::recommendations::{Decided, decided, decisions_table};
use super::{Context, decisions, learnt};
use crate::error::{Error, Result};
use crate::learn::{self, Knowledge, State, WorkflowPattern};
use crate::recommend::{ActionKind, Advice, recommend};
use crate::report::document::{Block, words};
use crate::report::{self, Document};
use crate::store;

/// Learn from what is recorded: show patterns, and write them for the next execution
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  meow learn\n  meow learn ~/src ~/mirrors/tool.git\n\n\
    Patterns are written to .meow/patterns, recommendations to .meow/recommendations; only executions of this project \
    shape them, in whichever clone they were recorded.")]
pub struct Args {
    /// Repositories to learn from besides this one, or folders to search for them
    #[arg(value_name = "PATHS")]
    paths: Vec<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// A document that says where it comes from.
#[derive(Serialize)]
struct Derived<'a, T> {
    derived_by: &'static str,
    #[serde(flatten)]
    value: &'a T,
}

/// What was learnt, and where it was written.
#[derive(Serialize)]
struct Learnt<'a> {
    schema_version: u32,
    #[serde(flatten)]
    knowledge: &'a Knowledge,
    /// Recommendations of this project that were applied, and what came of them.
    decisions: &'a [Decided<'a>],
    written: Vec<String>,
}

/// Learns, writes what belongs to this project, and prints everything.
///
/// # Errors
/// No repository is here and no path is named, or git, the store or the output fails.
pub fn run(args: &Args, context: &Context) -> Result<u8> {
    let project = context.project()?;
    let taken = decisions::decisions(&project, context);
    let mut applied = Vec::new();
    let (knowledge, written) = if let Some(repository) = &project.repository {
        let own = normed(history(&[], context)?, &project, context);
        let known = learnt::knowledge(&own, true, &project, context);
        let projects: BTreeSet<String> = known.workflows.values().map(|pattern| pattern.project.clone()).collect();
        let advice = recommend(&known, &own);
        applied = decided(&taken, &known, &own);
        applied.retain(|one| one.is(ActionKind::Applied));
        let knowledge = if args.paths.is_empty() {
            known
        } else {
            let places: Vec<PathBuf> = std::iter::once(project.root.clone()).chain(args.paths.clone()).collect();
            learn::learn(State::default(), &history(&places, context)?).1
        };
        let patterns = knowledge.workflows.values().filter(|pattern| projects.contains(&pattern.project));
        let written = write(&project.meow(), patterns, &advice)?;
        // Of what was purged or pruned nothing stays.
        store::keep_only(&project.meow(), "recommendations", advice.iter().map(|advice| advice.id.as_str()))?;
        // A shallow or partial clone knows too little to say that a workflow is gone.
        if repository.limits().is_empty() {
            let known = knowledge.workflows.values().map(|pattern| pattern.workflow.as_str());
            store::keep_only(&project.meow(), "patterns", known)?;
        }
        (knowledge, written)
    } else if args.paths.is_empty() {
        return Err(Error::request(format!("{} is in no git repository", context.settings.directory.display()))
            .hint("change into a repository, or name those to learn from"));
    } else {
        (learn::learn(State::default(), &history(&args.paths, context)?).1, Vec::new())
    };
    if args.json {
        context.terminal.result(&report::json(&Learnt {
            schema_version: 1,
            knowledge: &knowledge,
            decisions: &applied,
            written,
        }))?;
    } else {
        let page = report::analysis(knowledge, None).document();
        context.terminal.result(&report::text(&with_decisions(page, &applied), context.terminal.width))?;
        if let [first, rest @ ..] = written.as_slice() {
            let more = if rest.is_empty() { String::new() } else { format!(" and {} more", rest.len()) };
            context.terminal.say(&format!("wrote .meow/{first}{more}; `meow recommendations` says what to change"));
        }
    }
    Ok(0)
}

/// Returns the page with what applied recommendations came to, where there are any.
fn with_decisions(page: Document, applied: &[Decided]) -> Document {
    if applied.is_empty() {
        return page;
    }
    let note = "expected and realised gain of applied recommendations: median and 90 % interval.";
    page.with(Block::Title(vec![words("Decisions")]))
        .with(Block::Table(decisions_table(applied)))
        .with(Block::Note(vec![words(note)]))
}

/// Writes patterns and recommendations; returns the paths below `.meow`.
fn write<'a>(
    meow: &Path,
    patterns: impl Iterator<Item = &'a WorkflowPattern>,
    advice: &[Advice],
) -> Result<Vec<String>> {
    let mut written = Vec::new();
    let mut put = |kind: &str, id: &str, path: PathBuf| {
        let path =
            path.strip_prefix(meow).map_or_else(|_| format!("{kind}/{id}.toml"), |path| path.display().to_string());
        written.push(path);
    };
    for pattern in patterns {
        let document = Derived { derived_by: "meow learn", value: pattern };
        put("patterns", &pattern.workflow, store::put(meow, "patterns", &pattern.workflow, &document)?);
    }
    for advice in advice {
        let document = Derived { derived_by: "meow learn", value: advice };
        put("recommendations", &advice.id, store::put(meow, "recommendations", &advice.id, &document)?);
    }
    Ok(written)
}
