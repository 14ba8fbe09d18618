//! `meow recommendations`: what to change, what it would gain, how sure that is, and from which executions.

use clap::Subcommand;
use serde::Serialize;

use super::Context;
use super::history::history;
use crate::error::{Error, Result};
use crate::learn::{State, learn};
use crate::recommend::{Advice, recommend};
use crate::report::document::{Block, Document, Line, Table, name, strong, words};
use crate::report::{self, format};

/// Say what to change, what it would gain a week, and how sure that is
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  meow recommendations\n  meow recommendations show 3f2a --json",
    args_conflicts_with_subcommands = true
)]
pub struct Args {
    #[command(subcommand)]
    action: Option<Action>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List all, the one that pays most for its effort first
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Show one with its reasons and the executions that prove it
    Show {
        /// Its id, or the start of it
        id: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

/// What is recommended, as JSON.
#[derive(Serialize)]
struct Page<'a> {
    schema_version: u32,
    recommendations: Vec<&'a Advice>,
}

/// Prints the list or one recommendation.
///
/// # Errors
/// No such recommendation, no repository, or git or the output fails.
pub fn run(args: &Args, context: &Context) -> Result<u8> {
    let history = history(&[], context)?;
    let (_, knowledge) = learn(State::default(), &history);
    let advice = recommend(&knowledge, &history);
    let (chosen, json, document) = match &args.action {
        Some(Action::Show { id, json }) => {
            let one = find(&advice, id)?;
            (vec![one], *json, page(one))
        }
        None => (advice.iter().collect(), args.json, list(&advice)),
        Some(Action::List { json }) => (advice.iter().collect(), *json, list(&advice)),
    };
    context.terminal.result(&if json {
        report::json(&Page { schema_version: 1, recommendations: chosen })
    } else {
        report::text(&document)
    })?;
    Ok(0)
}

fn find<'a>(advice: &'a [Advice], id: &str) -> Result<&'a Advice> {
    let mut found = advice.iter().filter(|advice| !id.is_empty() && advice.id.starts_with(id));
    match (found.next(), found.next()) {
        (Some(one), None) => Ok(one),
        (Some(_), Some(_)) => {
            Err(Error::request(format!("`{}` begins several ids", id.escape_debug())).hint("type more of the id"))
        }
        (None, _) => Err(Error::request(format!("no recommendation `{}`", id.escape_debug()))
            .hint("`meow recommendations` lists what holds now")),
    }
}

fn list(advice: &[Advice]) -> Document {
    if advice.is_empty() {
        let lead = vec![strong("Nothing is recommended: no change is shown to gain time by what is recorded.")];
        return Document::default().with(Block::Lead(vec![lead]));
    }
    let mut table = Table::new(&["id", "what", ">gain a week", ">90 % interval", ">sure", ">effort", "risk"]);
    for advice in advice {
        table.row([
            name(&advice.id[..8]),
            words(&advice.title),
            words(minutes(advice.gain.median)),
            words(format!("{} – {}", minutes(advice.gain.low), minutes(advice.gain.high))),
            words(format::percent(advice.confidence)),
            words(minutes(advice.effort_minutes)),
            words(advice.risk.word()),
        ]);
    }
    let note = "sure: probability that it gains. `meow recommendations show ID` says why.";
    Document::default().with(Block::Table(table)).with(Block::Note(vec![words(note)]))
}

fn page(advice: &Advice) -> Document {
    let mut facts: Vec<Line> = vec![
        vec![words(format!(
            "gain: {} a week ({} – {}, 90 % interval), {} sure",
            minutes(advice.gain.median),
            minutes(advice.gain.low),
            minutes(advice.gain.high),
            format::percent(advice.confidence)
        ))],
        vec![words(format!("effort: {}, risk: {}", minutes(advice.effort_minutes), advice.risk.word()))],
    ];
    if let Some(change) = &advice.change {
        facts.push(vec![words("change: "), name(&change.key), words(" to "), name(&change.value)]);
    }
    let proof = format!("from {}, the latest: {}", advice.n, advice.evidence.join(" "));
    let page = Document::default()
        .with(Block::Title(vec![words(&advice.title)]))
        .with(Block::Paragraph(vec![words(&advice.rationale)]));
    let page = facts.into_iter().fold(page, |page, fact| page.with(Block::Paragraph(fact)));
    page.with(Block::Note(vec![words(proof)])).with(Block::Note(vec![words("id "), name(&advice.id)]))
}

fn minutes(minutes: f64) -> String {
    format::duration(minutes * 60_000.0)
}
