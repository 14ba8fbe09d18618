//! `meow trust`: what a repository may run without being asked for, bound to its path and the hash of every such file.

mod content;
mod gate;
mod kept;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use super::Context;
use super::project::Project;
use super::settings::Settings;
use crate::error::{Error, Result};
use crate::redact::inert;
use crate::report;
use crate::report::diff::diff;
use crate::report::document::{Block, Document, Table, name, words};
use crate::workflow::content::{Content, Difference};
use content::content;
pub use gate::{Standing, gate};

/// Trust this repository's workflows to run at git hooks, on a schedule or by an agent, as they are now
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  meow trust --show      # which files can cause execution, and what has changed
  meow trust             # trust them as they are now
  meow trust --revoke

What you ask for yourself (`meow execute ci`) always runs, as with make. What starts unasked (a workflow that `[hooks]` in \
.meow/config.toml names, a program that sets MEOW_TRIGGER, to agent for instance) runs only while every workflow file \
and the settings that decide what runs are as you trusted them. Files that the commands themselves run, such as a Makefile \
or the code under test, are not bound. Trust is kept in your own folder for state, never in a repository.")]
pub struct Args {
    /// Show what can cause execution and how it differs from what was trusted; change nothing
    #[arg(long)]
    show: bool,
    /// Trust nothing of this repository any more
    #[arg(long, conflicts_with = "show")]
    revoke: bool,
    /// Show the repositories that you trust
    #[arg(long, conflicts_with_all = ["show", "revoke"])]
    list: bool,
    /// Print JSON
    #[arg(long, conflicts_with_all = ["revoke", "list"])]
    json: bool,
}

/// The page: how a repository stands.
#[derive(Debug, Serialize)]
struct Page {
    schema_version: u32,
    repository: String,
    state: State,
    /// When the latest content was trusted.
    trusted_at: Option<Timestamp>,
    /// Which workflow runs at which git event.
    hooks: BTreeMap<&'static str, String>,
    files: Vec<Row>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Trusted,
    Changed,
    Untrusted,
}

#[derive(Debug, Serialize)]
struct Row {
    path: String,
    hash: String,
    state: Difference,
    /// The lines that differ; absent where none do, or where the text was not kept.
    diff: Option<String>,
}

/// Does what was asked.
///
/// # Errors
/// What is there cannot be trusted, nobody is there to trust it, or the user's folder for state cannot be read or written.
pub fn run(args: &Args, context: &Context) -> Result<u8> {
    let settings = &context.settings;
    if args.list {
        return list(context).map(|()| 0);
    }
    let project = context.project()?;
    if args.revoke {
        let place = gate::place(&project)?;
        let words = if kept::revoke(settings, &place)? == 0 { "was not trusted" } else { "is not trusted any more" };
        context.terminal.result(&format!("{}: {words}", inert::terminal(&place.display().to_string())))?;
        return Ok(0);
    }
    let mut standing = Standing::of(&project, settings)?;
    if !args.show {
        if settings.unasked() {
            return Err(Error::request(format!(
                "MEOW_TRIGGER is `{}`: trust is for a person to give",
                settings.trigger
            ))
            .hint("ask the person to read `meow trust --show` and to type `meow trust`"));
        }
        kept::keep(settings, &standing.place, &standing.content)?;
        standing = Standing::of(&project, settings)?;
    }
    let page = page(&standing, context);
    context.terminal.result(&if args.json { report::json(&page) } else { text(&page, context.terminal.width) })?;
    Ok(0)
}

/// Forgets all trust in a project; a user without a folder for state trusts nothing.
///
/// # Errors
/// A file cannot be removed.
pub fn forget(project: &Project, settings: &Settings) -> Result<()> {
    if settings.state.is_none() {
        return Ok(());
    }
    kept::revoke(settings, &gate::place(project)?).map(drop)
}

fn page(standing: &Standing, context: &Context) -> Page {
    let before = standing.trusted.as_ref().map(kept::Trusted::content);
    let state = match before {
        _ if standing.is_trusted() => State::Trusted,
        Some(_) => State::Changed,
        None => State::Untrusted,
    };
    let before = before.unwrap_or_default();
    let row = |(how, path, hash): (Difference, &str, &str)| Row {
        path: path.to_owned(),
        hash: hash.to_owned(),
        state: how,
        diff: difference(&before, &standing.content, how, path),
    };
    let files = standing.content.since(&before);
    Page {
        schema_version: 1,
        repository: standing.place.display().to_string(),
        state,
        trusted_at: standing.trusted.as_ref().map(|trusted| trusted.since),
        hooks: context.settings.hooks.iter().map(|(event, (workflow, _))| (*event, workflow.clone())).collect(),
        files: files.into_iter().map(|(how, bound)| row((how, &bound.path, &bound.hash))).collect(),
    }
}

/// Returns the lines that differ, where both texts are known.
fn difference(before: &Content, now: &Content, how: Difference, path: &str) -> Option<String> {
    let old = if how == Difference::Added { Some("") } else { before.text(path) };
    let new = if how == Difference::Removed { Some("") } else { now.text(path) };
    let lines = diff(path, old?, new?);
    (!lines.is_empty()).then_some(lines)
}

fn text(page: &Page, width: usize) -> String {
    let since = page.trusted_at.map_or_else(String::new, |at| format!(" since {}", report::moment(at)));
    let state = match page.state {
        State::Trusted => format!("trusted{since}"),
        State::Changed => format!("changed; the latest content is trusted{since}"),
        State::Untrusted => "not trusted: nothing of it runs unasked".to_owned(),
    };
    let mut table = Table::new(&["file", "state", "hash"]);
    for row in &page.files {
        let state = if page.state == State::Untrusted { "new" } else { row.state.word() };
        table.row([name(&row.path), words(state), words(&row.hash[..12])]);
    }
    let mut document =
        Document::default().with(Block::Lead(vec![vec![name(&page.repository), words(format!(": {state}"))]]));
    for (event, workflow) in &page.hooks {
        document = document.with(Block::Paragraph(vec![words(format!("at {event} runs ")), name(workflow)]));
    }
    if page.files.is_empty() {
        document = document.with(Block::Note(vec![words("there is no workflow file")]));
    } else {
        document = document.with(Block::Table(table));
    }
    let mut text = report::text(&document, width);
    for row in &page.files {
        text.extend(row.diff.as_deref().map(|diff| inert::lines(diff) + "\n"));
        if row.diff.is_none() && matches!(row.state, Difference::Changed) {
            text.push_str(&format!("{}: the text that was trusted is not kept\n", inert::terminal(&row.path)));
        }
    }
    text
}

fn list(context: &Context) -> Result<()> {
    let trusted = kept::all(&context.settings)?;
    if trusted.is_empty() {
        context.terminal.say("no repository is trusted to run anything unasked");
        return Ok(());
    }
    let mut table = Table::new(&["repository", "trusted", ">files"]);
    for one in &trusted {
        let files = one.content().files().count();
        table.row([
            name(one.repository.display().to_string()),
            words(report::moment(one.since)),
            words(files.to_string()),
        ]);
    }
    context.terminal.result(&report::text(&Document::default().with(Block::Table(table)), context.terminal.width))
}
