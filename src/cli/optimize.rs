//! `meow optimize`: the whole configuration that history supports, as a change of the workflow file line by line.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use super::history::history;
use super::machine::Machine;
use super::recommendations::decide;
use super::{Context, decisions, execute, foresight, learnt, page, stamp, workflows};
use crate::error::Result;
use crate::learn::WorkflowPattern;
use crate::plan::{Limits, Plan, StepIndex, plan};
use crate::recommend::configuration::{self, Questioned, Supported, makespan};
use crate::recommend::{Action, ActionKind, Advice, Risk, proven_command, recommend};
use crate::record::Digest;
use crate::report::document::{Block, Document, Line, name, strong, words};
use crate::report::{self, format};
use crate::scan::History;
use crate::workflow::edit::{self, StepKey};
use crate::workflow::{Source, Workflow};

/// Show the whole configuration that history supports, as changes of the workflow file with what each gains
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  meow optimize ci\n  meow optimize ci --write\n\n\
    Gains are of one execution: by simulation of the plan with and without the line, and of limits and retries by what \
    past executions lost. Needs that may not be needed are named and left as they are.")]
pub struct Args {
    /// The workflow: a name below .meow/workflows, or a file [default: the setting `workflow`, or ci]
    workflow: Option<String>,
    /// Set a variable of the workflow
    #[arg(long = "var", value_name = "NAME=VALUE", value_parser = execute::variable)]
    variables: Vec<(String, String)>,
    /// Write the lines into the file; `meow recommendations undo` takes each back
    #[arg(long)]
    write: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What is proposed, as JSON.
#[derive(Serialize)]
struct Page {
    schema_version: u32,
    workflow: String,
    file: String,
    /// Executions that it rests on.
    executions: u64,
    slots: u32,
    /// The wall time of an execution by simulation, now and with every line written, in milliseconds.
    makespan_ms: f64,
    makespan_written_ms: f64,
    lines: Vec<Proposed>,
    /// What a person has to do outside the file.
    by_hand: Vec<ByHand>,
    /// Steps that can start together, in order.
    groups: Vec<Vec<String>>,
    needs: Vec<Question>,
    /// Ids of the decisions that were written.
    written: Vec<String>,
}

#[derive(Serialize)]
struct Proposed {
    step: String,
    key: String,
    value: String,
    why: String,
    n: u64,
    risk: Risk,
    /// What it saves in an execution, in milliseconds.
    gain_ms: f64,
    diff: String,
}

#[derive(Serialize)]
struct ByHand {
    what: String,
    why: String,
    gain_ms: f64,
}

#[derive(Serialize)]
struct Question {
    step: String,
    need: String,
    implied: bool,
    gain_ms: f64,
}

/// Works out the lines, shows them, and writes them where that is asked for.
///
/// # Errors
/// The workflow is unknown or wrong, nothing is recorded, or the file changed meanwhile or cannot be written.
pub fn run(args: &Args, context: &Context) -> Result<u8> {
    let project = context.project()?;
    let variables: BTreeMap<String, String> = args.variables.iter().cloned().collect();
    let wanted = args.workflow.as_deref().unwrap_or(&context.settings.workflow);
    let found = workflows::find(&project, wanted)?;
    let source = workflows::read(&found)?;
    let workflow = workflows::parse(&project, &found)?.fill(&variables)?;
    let history = history(&[], context)?;
    let knowledge = learnt::knowledge(&history, false, &project, context);
    let nothing = WorkflowPattern::default();
    let pattern = knowledge.workflows.get(&workflow.name).unwrap_or(&nothing);
    let decided = decisions::decisions(&project, context);
    let mut advice = decided.open(recommend(&knowledge, &history));
    advice.retain(|advice| advice.workflow == workflow.name && holds(advice, &source, &history));
    let machine = Machine::here();
    let slots = context.settings.slots.unwrap_or(machine.cores);
    let limits = Limits { slots, cpus: Some(f64::from(machine.cores)), memory_bytes: machine.memory_bytes };
    let whole = plan(&workflow, &foresight::hints(&project, &workflow, &machine.class(), context), &limits)?;

    let usual = makespan(&whole);
    let per_execution = |gain: f64| gain * 60_000.0 / pattern.executions_per_week.max(1e-9);
    let at = stamp::now(project.repository.as_ref(), &context.settings)?;
    let (mut lines, mut changes, mut taken) = (Vec::new(), Vec::new(), Vec::new());
    let mut now = source.clone();
    let chosen = chosen(&workflow, pattern, &whole, &advice);
    for line in &chosen {
        let key = StepKey { step: &line.step, key: line.key, value: &line.value };
        let after = match edit::add(&now, &key) {
            Ok(after) => after,
            Err(error) => {
                context.terminal.detail(&format!("`{key}` is left out: {error}"));
                continue;
            }
        };
        let before = String::from_utf8_lossy(&now.bytes).into_owned();
        now.bytes = after.clone().into_bytes();
        let behind = behind(&advice, line);
        let simulated = || configuration::makespan_with(&workflow, &whole, &[line]).map_or(0.0, |span| usual - span);
        lines.push(Proposed {
            step: line.step.clone(),
            key: key.to_string(),
            value: line.value.clone(),
            why: line.why.clone(),
            n: line.n,
            risk: line.risk,
            gain_ms: behind.map_or_else(simulated, |advice| per_execution(advice.gain.median)),
            diff: report::diff::diff(&source.file, &before, &after),
        });
        let action = action(&workflow, line, behind, at);
        changes.push(decide::edited(&source.file, &key, before, after, action));
        taken.push(line);
    }
    let mut page = Page {
        schema_version: 1,
        workflow: workflow.name.clone(),
        file: source.file.clone(),
        executions: pattern.executions,
        slots,
        makespan_ms: usual,
        makespan_written_ms: configuration::makespan_with(&workflow, &whole, &taken).unwrap_or(usual),
        lines,
        by_hand: advice
            .iter()
            .filter(|advice| step_key(advice).is_none())
            .map(|advice| ByHand {
                what: advice.title.clone(),
                why: advice.rationale.clone(),
                gain_ms: per_execution(advice.gain.median),
            })
            .collect(),
        groups: groups(&whole),
        needs: configuration::questioned(&workflow, &whole).into_iter().map(need).collect(),
        written: Vec::new(),
    };
    if args.write {
        page.written = decide::write(&project, &found.path, &changes, context)?;
    }
    page::print(&page, &page.document(), args.json, context)?;
    Ok(0)
}

/// Returns whether the step's command is still the one that proves a recommendation.
fn holds(advice: &Advice, source: &Source, history: &History) -> bool {
    let now = advice.step.as_deref().and_then(|step| edit::template(source, step));
    match (proven_command(advice, history), now) {
        (Some(proven), Some(now)) => proven == Digest::of(now.as_bytes()),
        _ => true,
    }
}

/// Returns the lines: what the rules recommend, and what else history supports.
fn chosen(workflow: &Workflow, pattern: &WorkflowPattern, plan: &Plan, advice: &[Advice]) -> Vec<Supported> {
    let recommended = advice.iter().filter_map(|advice| {
        let (step, key, value) = step_key(advice)?;
        let (why, resources) = (advice.rationale.clone(), None);
        Some(Supported { step, key, value, resources, why, n: advice.n, risk: advice.risk })
    });
    let mut lines: Vec<Supported> = recommended.collect();
    for line in configuration::supported(workflow, pattern, plan) {
        if !lines.iter().any(|known| known.step == line.step && known.key == line.key) {
            lines.push(line);
        }
    }
    lines.sort_by_key(|line| workflow.steps.iter().position(|step| step.id.as_str() == line.step));
    lines
}

/// Returns step, key and value of the change that a recommendation makes, where it is one of a step.
fn step_key(advice: &Advice) -> Option<(String, &'static str, String)> {
    let (step, change) = (advice.step.as_ref()?, advice.change.as_ref()?);
    let key = change.key.strip_prefix("steps.")?.strip_prefix(step.as_str())?.strip_prefix('.')?;
    let key = ["timeout", "retry"].into_iter().find(|known| *known == key)?;
    Some((step.clone(), key, change.value.clone()))
}

/// Returns the recommendation that a line comes from.
fn behind<'a>(advice: &'a [Advice], line: &Supported) -> Option<&'a Advice> {
    let is_behind = |advice: &&Advice| {
        step_key(advice)
            .is_some_and(|(step, key, value)| (step, key, value) == (line.step.clone(), line.key, line.value.clone()))
    };
    advice.iter().find(is_behind)
}

fn action(workflow: &Workflow, line: &Supported, behind: Option<&Advice>, at: Timestamp) -> Action {
    behind.map_or_else(
        || Action {
            kind: ActionKind::Applied,
            at,
            workflow: workflow.name.clone(),
            step: Some(line.step.clone()),
            title: Some(format!("`{} = {}` for `{}`", line.key, line.value, line.step)),
            n: Some(line.n),
            ..Action::default()
        },
        |advice| Action::about(ActionKind::Applied, advice, at),
    )
}

fn groups(plan: &Plan) -> Vec<Vec<String>> {
    let runs = |step: &&StepIndex| plan.steps[step.at()].skip.is_none();
    let group =
        |wave: &Vec<StepIndex>| wave.iter().filter(runs).map(|step| plan.steps[step.at()].id().to_string()).collect();
    plan.waves.iter().map(group).filter(|group: &Vec<String>| !group.is_empty()).collect()
}

fn need(Questioned { step, need, implied, saved_ms }: Questioned) -> Question {
    Question { step, need, implied, gain_ms: saved_ms }
}

impl Page {
    fn document(&self) -> Document {
        let lead = match self.lines.len() {
            0 => ": history supports no line that the file does not say".to_owned(),
            lines => format!(
                ": {} that history supports (n = {}); an execution on {} takes {} by simulation, with all of them {}",
                format::count(lines as u64, "line"),
                self.executions,
                format::count(u64::from(self.slots), "slot"),
                format::duration(self.makespan_ms),
                format::duration(self.makespan_written_ms)
            ),
        };
        let mut page = Document::default().with(Block::Lead(vec![vec![name(&self.file), words(lead)]]));
        for line in &self.lines {
            let shown: Vec<Line> = line.diff.lines().map(|line| vec![name(line)]).collect();
            let why = format!(
                "gain {} an execution; {} (n = {}, risk {})",
                gain(line.gain_ms),
                line.why,
                line.n,
                line.risk.word()
            );
            page = page.with(Block::Lead(shown)).with(Block::Paragraph(vec![words(why)]));
        }
        for change in &self.by_hand {
            let why = format!(": gain {} an execution; {}", gain(change.gain_ms), change.why);
            page = page.with(Block::Paragraph(vec![strong(&change.what), words(why)]));
        }
        let question = |need: &Question| {
            let why = if need.implied {
                "another need implies it".to_owned()
            } else {
                format!("without it an execution would end {} earlier", format::duration(need.gain_ms))
            };
            vec![name(&need.step), words(" needs "), name(&need.need), words(format!(": {why}"))]
        };
        if !self.needs.is_empty() {
            let title = vec![words("Is it needed? Only a person can tell; these stay as they are.")];
            page = page.with(Block::Lead([title].into_iter().chain(self.needs.iter().map(question)).collect()));
        }
        let written: Vec<Line> = self.written.iter().map(|id| vec![words("written as "), name(id)]).collect();
        if written.is_empty() { page } else { page.with(Block::Lead(written)) }
    }
}

fn gain(ms: f64) -> String {
    if ms < 0.0 { format!("−{}", format::duration(-ms)) } else { format::duration(ms) }
}
