//! `meow recommendations`: what to change, what it would gain, how sure that is, and from which executions.

pub(super) mod decide;

use clap::Subcommand;
use serde::Serialize;

use super::history::history;
use super::project::Project;
use super::{Context, decisions, learnt, page};
use crate::error::{Error, Result};
use crate::learn::Knowledge;
use crate::recommend::verify::EXECUTIONS;
use crate::recommend::{Action, ActionKind, Advice, Decisions, Gain, Life, Verification, recommend, verify};
use crate::report::document::{Block, Document, Line, Table, name, strong, words};
use crate::report::format;
use crate::scan::History;

/// The metric whose level can be accepted.
pub const DURATION: &str = "duration_ms";

/// Say what to change, what it would gain a week, and how sure that is; decide about it
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  meow recommendations\n  meow recommendations show 3f2a --json\n  meow recommendations apply 3f2a",
    args_conflicts_with_subcommands = true
)]
pub struct Args {
    #[command(subcommand)]
    action: Option<Command>,
    #[command(flatten)]
    list: List,
}

#[derive(Debug, clap::Args)]
struct List {
    /// Also those that are applied or dismissed, and what was decided
    #[arg(long)]
    all: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Accept how long a step takes from now on: reports compare with executions from now on only
    #[command(after_help = "Example:\n  meow recommendations accept-change ci test --reason 'twice the tests'")]
    AcceptChange {
        /// The workflow
        workflow: String,
        /// The step [default: the workflow as a whole]
        step: Option<String>,
        /// Why, for those who read it later
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
    /// Show the change of the workflow file, ask, and make it
    #[command(after_help = "Examples:\n  meow recommendations apply 3f2a\n  meow recommendations apply 3f2a --yes")]
    Apply {
        /// Its id, or the start of it
        id: String,
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
    },
    /// Turn one down: it is shown no more
    #[command(after_help = "Example:\n  meow recommendations dismiss 3f2a --reason 'the step goes next week'")]
    Dismiss {
        /// Its id, or the start of it
        id: String,
        /// Why, for those who read it later
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
    /// List all, the one that pays most for its effort first
    #[command(after_help = "Examples:\n  meow recommendations list\n  meow recommendations list --all --json")]
    List(List),
    /// Show one with its reasons and the executions that prove it
    #[command(after_help = "Example:\n  meow recommendations show 3f2a --json")]
    Show {
        /// Its id, or the start of it
        id: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Take a decision back: the file is restored where it is as the decision left it
    #[command(after_help = "Example:\n  meow recommendations undo 20261122T101500Z-9c1f02ab44d1")]
    Undo {
        /// The action's id, or the start of it or of its recommendation's
        action: String,
    },
}

/// What is recommended, as JSON.
#[derive(Serialize)]
struct Page<'a> {
    schema_version: u32,
    recommendations: Vec<Entry<'a>>,
    /// What was decided, newest first; only with `--all`.
    #[serde(skip_serializing_if = "Option::is_none")]
    decisions: Option<Vec<Decided<'a>>>,
}

/// A recommendation with where it stands.
#[derive(Serialize)]
struct Entry<'a> {
    #[serde(flatten)]
    advice: &'a Advice,
    life: Life,
}

/// A decision with what came of it.
#[derive(Serialize)]
pub struct Decided<'a> {
    id: &'a str,
    undone: bool,
    #[serde(flatten)]
    action: &'a Action,
    #[serde(skip_serializing_if = "Option::is_none")]
    verification: Option<Verification>,
}

impl Decided<'_> {
    /// Returns whether it is a decision of this kind.
    pub fn is(&self, kind: ActionKind) -> bool {
        self.action.kind == kind
    }
}

/// What is known when a person decides.
pub(super) struct Found {
    project: Project,
    history: History,
    knowledge: Knowledge,
    advice: Vec<Advice>,
    decisions: Decisions,
}

/// Prints the list or one recommendation, or carries out a decision.
///
/// # Errors
/// No such recommendation or action, no repository, a file that cannot be changed, or git or the output fails.
pub fn run(args: &Args, context: &Context) -> Result<u8> {
    let find_all = || found(context);
    match &args.action {
        None => show_list(&find_all()?, &args.list, context),
        Some(Command::List(list)) => show_list(&find_all()?, list, context),
        Some(Command::Show { id, json }) => show_one(&find_all()?, id, *json, context),
        Some(Command::Apply { id, yes }) => {
            let found = find_all()?;
            decide::apply(&found, find(&found.advice, id)?, *yes, context)
        }
        Some(Command::Dismiss { id, reason }) => {
            let found = find_all()?;
            decide::dismiss(&found, find(&found.advice, id)?, reason.as_deref(), context)
        }
        Some(Command::Undo { action }) => {
            let project = context.project()?;
            let known = decisions::decisions(&project, context);
            decide::undo(&project, &known, action, context)
        }
        Some(Command::AcceptChange { workflow, step, reason }) => {
            let found = find_all()?;
            let pattern = found.knowledge.workflows.get(workflow).ok_or_else(|| {
                let known = found.knowledge.workflows.keys().map(String::as_str);
                let what = format!("no execution of a workflow `{}` is recorded", workflow.escape_debug());
                crate::workflow::did_you_mean(Error::request(what), workflow, known)
            })?;
            if let Some(step) = step
                && !pattern.steps.iter().any(|pattern| pattern.step == *step)
            {
                let known = pattern.steps.iter().map(|pattern| pattern.step.as_str());
                let what = format!("no step `{}` of `{workflow}` is recorded", step.escape_debug());
                return Err(crate::workflow::did_you_mean(Error::request(what), step, known));
            }
            decide::accept(&found.project, workflow, step.as_deref(), reason.as_deref(), context)
        }
    }
}

fn found(context: &Context) -> Result<Found> {
    let project = context.project()?;
    let history = history(&[], context)?;
    let knowledge = learnt::knowledge(&history, false, &project, context);
    let advice = recommend(&knowledge, &history);
    let decisions = decisions::decisions(&project, context);
    Ok(Found { project, history, knowledge, advice, decisions })
}

fn show_list(found: &Found, list: &List, context: &Context) -> Result<u8> {
    let entries = found.advice.iter().map(|advice| Entry { advice, life: found.decisions.life(&advice.id) });
    let entries: Vec<Entry> = entries.filter(|entry| list.all || entry.life.is_open()).collect();
    let decided = list.all.then(|| decided(&found.decisions, &found.knowledge, &found.history));
    let document = document(&entries, found.advice.len(), decided.as_deref());
    let all = Page { schema_version: 1, recommendations: entries, decisions: decided };
    page::print(&all, &document, list.json, context).map(|()| 0)
}

fn show_one(found: &Found, id: &str, json: bool, context: &Context) -> Result<u8> {
    let advice = find(&found.advice, id)?;
    let entry = Entry { advice, life: found.decisions.life(&advice.id) };
    let document = page(&entry);
    let one = Page { schema_version: 1, recommendations: vec![entry], decisions: None };
    page::print(&one, &document, json, context).map(|()| 0)
}

/// Returns the decisions, newest first, each applied one that stands with what came of it.
pub fn decided<'a>(decisions: &'a Decisions, knowledge: &Knowledge, history: &History) -> Vec<Decided<'a>> {
    let all = decisions.all.iter().rev().map(|(id, action)| {
        let undone = decisions.undone.contains(id);
        let is_verified = action.kind == ActionKind::Applied && !undone;
        let verification = is_verified.then(|| verify(action, knowledge, history));
        Decided { id, undone, action, verification }
    });
    all.collect()
}

/// Returns decisions as a table: what was expected, and what came of it.
pub fn decisions_table(decided: &[Decided]) -> Table {
    let mut table = Table::new(&["action", "what", "decided", ">expected a week", ">realised a week", ">n since"]);
    let minutes_of = |gain: &Gain| format!("{} ({} – {})", minutes(gain.median), minutes(gain.low), minutes(gain.high));
    for one in decided {
        let what = one.action.title.clone().unwrap_or_else(|| {
            let step = one.action.step.as_deref().map_or_else(String::new, |step| format!("`{step}` of "));
            format!("how long {step}`{}` takes", one.action.workflow)
        });
        let kind = one.action.kind.word();
        let expected = one.action.expected.as_ref().filter(|_| one.action.kind == ActionKind::Applied);
        let dash = || "–".to_owned();
        let realised = one.verification.map_or_else(dash, |verification| match verification.realised {
            Some(gain) => minutes_of(&gain),
            None if verification.executions < EXECUTIONS => format!("after {EXECUTIONS} executions"),
            None => dash(),
        });
        table.row([
            name(one.id),
            words(what),
            words(if one.undone { format!("{kind}, taken back") } else { kind.to_owned() }),
            words(expected.map_or_else(dash, minutes_of)),
            words(realised),
            words(one.verification.map_or_else(dash, |verification| verification.executions.to_string())),
        ]);
    }
    table
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

fn document(entries: &[Entry], known: usize, decided: Option<&[Decided]>) -> Document {
    let mut page = Document::default();
    if entries.is_empty() {
        let lead = if known == 0 {
            vec![strong("Nothing is recommended: no change is shown to gain time by what is recorded.")]
        } else {
            vec![
                strong("Everything recommended is decided. "),
                name("meow recommendations list --all"),
                words(" shows it."),
            ]
        };
        page = page.with(Block::Lead(vec![lead]));
    } else {
        page = page.with(Block::Table(entry_table(entries, decided.is_some())));
        let note =
            "sure: probability that it gains. `meow recommendations show ID` says why, `apply ID` makes the change.";
        page = page.with(Block::Note(vec![words(note)]));
    }
    match decided {
        Some(decided) if !decided.is_empty() => {
            let note = format!(
                "expected and realised: median and 90 % interval; realised is counted in the executions since, from the \
                 {EXECUTIONS}th on."
            );
            page.with(Block::Title(vec![words("Decisions")]))
                .with(Block::Table(decisions_table(decided)))
                .with(Block::Note(vec![words(note)]))
        }
        _ => page,
    }
}

fn entry_table(entries: &[Entry], with_life: bool) -> Table {
    let mut titles = vec!["id", "what", ">gain a week", ">90 % interval", ">sure", ">effort", "risk"];
    if with_life {
        titles.push("state");
    }
    let mut table = Table::new(&titles);
    for Entry { advice, life } in entries {
        let mut cells = vec![
            name(&advice.id[..8]),
            words(&advice.title),
            words(minutes(advice.gain.median)),
            words(format!("{} – {}", minutes(advice.gain.low), minutes(advice.gain.high))),
            words(format::percent(advice.confidence)),
            words(minutes(advice.effort_minutes)),
            words(advice.risk.word()),
        ];
        if with_life {
            cells.push(words(life.word()));
        }
        table.row(cells);
    }
    table
}

fn page(entry: &Entry) -> Document {
    let advice = entry.advice;
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
    if entry.life != Life::Open {
        facts.push(vec![words(format!("state: {}", entry.life.word()))]);
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
