//! `meow simulate`: how long a workflow would take with more or fewer slots, by the dispatcher of the real run.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::ValueEnum;
use serde::Serialize;

use super::machine::Machine;
use super::{Context, execute, foresight, page, workflows};
use crate::error::{Error, Result};
use crate::plan::capacity::{self, Load, Work};
use crate::plan::{Limits, Plan, Policy, plan};
use crate::report::document::{Block, Document, Table, name, words};
use crate::report::format;
use crate::workflow::{self, did_you_mean};

/// Most slots that are simulated.
const MOST: u32 = 4096;

/// Show how long a workflow would take with more or fewer slots; runs nothing
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  meow simulate ci --slots 1..16\n  meow simulate ci --target 10m\n  \
    meow simulate ci --slots 4,8 --policy fifo --durations measured.csv --json\n\n\
    The dispatcher of the real run decides, under a virtual clock. Without --durations they are sampled from what was \
    learnt, and makespans are medians with the p90 beside. A machine with at least as many processors as slots is \
    assumed. No order could be faster than the bound: the longer of critical path and work divided by slots.")]
pub struct Args {
    /// The workflow: a name below .meow/workflows, or a file [default: the setting `workflow`, or ci]
    workflow: Option<String>,
    /// Set a variable of the workflow
    #[arg(long = "var", value_name = "NAME=VALUE", value_parser = execute::variable)]
    variables: Vec<(String, String)>,
    /// Numbers of slots: `4`, `2,4,8` or `1..64`, both ends included
    #[arg(short = 'j', long, visible_alias = "jobs", value_name = "SLOTS", default_value = "1..16")]
    slots: Slots,
    /// A CSV file of durations, `step,duration_ms`, to take instead of what was learnt
    #[arg(long, value_name = "FILE")]
    durations: Option<PathBuf>,
    /// Which of several ready steps starts first
    #[arg(long, value_enum, default_value = "learned")]
    policy: Order,
    /// Also say how many slots nine of ten executions need to take at most this long, such as 10m
    #[arg(long, value_name = "TIME", value_parser = time, conflicts_with = "durations")]
    target: Option<f64>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Which of several ready steps starts first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
enum Order {
    /// The longest path to the end by learnt durations, as `meow execute` does
    Learned,
    /// First come, first served
    Fifo,
    /// The longest path to the end counted in steps
    Unit,
    /// The longest path to the end by the durations of --durations
    True,
}

/// Numbers of slots, ascending, each once.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Slots(Vec<u32>);

impl FromStr for Slots {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || format!("slots are `4`, `2,4,8` or `1..64`, from 1 to {MOST}");
        let number = |text: &str| text.trim().parse().ok().filter(|slots| (1..=MOST).contains(slots)).ok_or_else(wrong);
        let mut all = Vec::new();
        for part in text.split(',') {
            match part.split_once("..") {
                Some((first, last)) => all.extend(number(first)?..=number(last.trim_start_matches('='))?),
                None => all.push(number(part)?),
            }
        }
        all.sort_unstable();
        all.dedup();
        if all.is_empty() { Err(wrong()) } else { Ok(Self(all)) }
    }
}

fn time(text: &str) -> Result<f64, String> {
    let time = workflow::duration(text).ok_or("a time such as 90s, 20m or 1h 30m is expected")?;
    Ok(time.as_secs_f64() * 1e3)
}

/// What was simulated, as JSON.
#[derive(Serialize)]
struct Page {
    schema_version: u32,
    workflow: String,
    policy: Order,
    steps: usize,
    /// Steps whose duration is given or learnt; the others are assumed typical.
    steps_known: usize,
    /// Samples of the step of which least is known; absent where durations are given or nothing is known.
    n: Option<u64>,
    work_ms: f64,
    critical_path_ms: f64,
    /// The fewest slots within 5 % of the shortest makespan.
    knee: Option<u32>,
    target: Option<Target>,
    slots: Vec<Row>,
}

#[derive(Serialize)]
struct Target {
    p90_ms: f64,
    /// Absent where no number of slots is enough.
    slots: Option<u32>,
}

#[derive(Serialize)]
struct Row {
    slots: u32,
    makespan_ms: f64,
    p90_ms: Option<f64>,
    lower_bound_ms: f64,
    utilisation: f64,
}

/// Simulates the workflow on each number of slots.
///
/// # Errors
/// The workflow or the file of durations is wrong, or the output fails.
pub fn run(args: &Args, context: &Context) -> Result<u8> {
    let project = context.project()?;
    let variables: BTreeMap<String, String> = args.variables.iter().cloned().collect();
    let name = args.workflow.as_deref().unwrap_or(&context.settings.workflow);
    let workflow = workflows::load(&project, name, &variables)?;
    for warning in &workflow.warnings {
        context.terminal.warn(&warning.to_string());
    }
    let machine = Machine::here();
    let hints = foresight::hints(&project, &workflow, &machine.class(), context);
    let most = args.slots.0.last().copied().unwrap_or(1);
    let cpus = f64::from(machine.cores.max(most));
    let limits = Limits { slots: most, cpus: Some(cpus), memory_bytes: machine.memory_bytes };
    let plan = plan(&workflow, &hints, &limits)?;
    let given = args.durations.as_ref().map(|file| durations(&plan, file, context)).transpose()?;
    let page = page(args, plan, given.as_deref())?;
    page::print(&page, &page.document(), args.json, context)?;
    Ok(0)
}

fn page(args: &Args, plan: Plan, given: Option<&[f64]>) -> Result<Page> {
    let policy = match args.policy {
        Order::Learned => Policy::Learned,
        Order::Fifo => Policy::Fifo,
        Order::Unit => Policy::Unit,
        Order::True => Policy::True,
    };
    if policy == Policy::True && given.is_none() {
        return Err(Error::request("--policy true has no durations to go by").hint("name them with --durations FILE"));
    }
    let known = plan.prediction.clone();
    let assumed: Vec<f64> = plan.steps.iter().map(|step| step.assumed_ms).collect();
    // Without a policy of its own, the order stays as the real run would have it.
    let plan = if policy == Policy::Learned { plan } else { plan.ordered(policy, given.unwrap_or_default()) };
    let (loads, target) = match given {
        Some(given) => (capacity::loads(&plan, given, &args.slots.0), None),
        None => (
            capacity::likely_loads(&plan, &args.slots.0),
            args.target.map(|p90_ms| Target { p90_ms, slots: capacity::slots_for(&plan, p90_ms) }),
        ),
    };
    let Work { total_ms, critical_path_ms } = capacity::work(&plan, given.unwrap_or(&assumed));
    let row = |load: &Load| Row {
        slots: load.slots,
        makespan_ms: load.makespan_ms,
        p90_ms: load.p90_ms,
        lower_bound_ms: load.lower_bound_ms,
        utilisation: load.utilisation,
    };
    Ok(Page {
        schema_version: 1,
        workflow: plan.workflow.clone(),
        policy: args.policy,
        steps: known.steps,
        steps_known: if given.is_some() { known.steps } else { known.known },
        n: known.duration_ms.filter(|_| given.is_none()).map(|duration| duration.n),
        work_ms: total_ms,
        critical_path_ms,
        knee: capacity::knee(&loads),
        target,
        slots: loads.iter().map(row).collect(),
    })
}

/// Returns the durations of a CSV file by index of the step; a step that it leaves out is assumed typical.
fn durations(plan: &Plan, file: &Path, context: &Context) -> Result<Vec<f64>> {
    let shown = file.display();
    let text = fs::read_to_string(context.settings.directory.join(file))
        .map_err(|error| Error::request(format!("{shown} cannot be read")).cause(error))?;
    let places: BTreeMap<&str, usize> = plan.steps.iter().map(|step| step.id().as_str()).zip(0..).collect();
    let mut durations: Vec<f64> = plan.steps.iter().map(|step| step.assumed_ms).collect();
    for (line, text) in (1..).zip(text.lines()).filter(|(_, text)| !text.trim().is_empty()) {
        let wrong = |what: &str| {
            Error::request(format!("{shown}, line {line}: {what}"))
                .hint("a line is `step,duration_ms`, such as `build,1200`")
        };
        let (step, duration) = text.rsplit_once(',').ok_or_else(|| wrong("no comma"))?;
        let step = step.trim().trim_matches('"');
        if line == 1 && step == "step" {
            continue;
        }
        let duration: f64 = duration.trim().parse().map_err(|_| wrong("the duration is no number"))?;
        if !(duration.is_finite() && duration >= 0.0) {
            return Err(wrong("a duration is a number of milliseconds from 0 on"));
        }
        let place = places.get(step).ok_or_else(|| {
            let unknown = Error::request(format!("{shown}, line {line}: no step `{}`", step.escape_debug()));
            did_you_mean(unknown, step, places.keys().copied())
        })?;
        durations[*place] = duration;
    }
    Ok(durations)
}

impl Page {
    fn document(&self) -> Document {
        let known = match self.n {
            Some(n) => format!("durations as learnt (n = {n})"),
            None if self.steps_known > 0 => "durations as given".to_owned(),
            None => "no history: every step is assumed to take a second".to_owned(),
        };
        let lead = format!(
            ": {}, {}, {} of work, critical path {}",
            format::count(self.steps as u64, "step"),
            known,
            format::duration(self.work_ms),
            format::duration(self.critical_path_ms)
        );
        let mut page = Document::default().with(Block::Lead(vec![vec![name(&self.workflow), words(lead)]]));
        let sampled = self.slots.iter().any(|row| row.p90_ms.is_some());
        let mut titles = vec![">slots", ">makespan", ">bound", ">above", ">utilisation"];
        if sampled {
            titles.insert(2, ">p90");
        }
        let mut table = Table::new(&titles);
        for row in self.shown() {
            let above = if row.lower_bound_ms > 0.0 { row.makespan_ms / row.lower_bound_ms - 1.0 } else { 0.0 };
            let mut cells = vec![
                words(row.slots.to_string()),
                words(format::duration(row.makespan_ms)),
                words(format::duration(row.lower_bound_ms)),
                words(format::percent(above.max(0.0))),
                words(format::percent(row.utilisation)),
            ];
            if let Some(p90) = row.p90_ms {
                cells.insert(2, words(format::duration(p90)));
            }
            table.row(cells);
        }
        page = page.with(Block::Table(table));
        let mut notes = Vec::new();
        if let Some(more) = self.slots.len().checked_sub(self.shown().len()).filter(|more| *more > 0) {
            notes.push(vec![words(format!("The {more} larger numbers of slots bring the same."))]);
        }
        if let Some(knee) = self.knee {
            let come = if knee == 1 { "1 slot comes".to_owned() } else { format!("{knee} slots come") };
            notes.push(vec![words(format!("{come} within 5 % of the shortest makespan; more hardly pay."))]);
        }
        if let Some(target) = &self.target {
            let time = format::duration(target.p90_ms);
            notes.push(vec![words(match target.slots {
                Some(slots) => {
                    format!("{} for nine of ten executions within {time}.", format::count(u64::from(slots), "slot"))
                }
                None => format!("No number of slots brings nine of ten executions within {time}."),
            })]);
        }
        page.with(Block::Lead(notes))
    }

    /// Returns the rows up to the one after which nothing changes any more.
    fn shown(&self) -> &[Row] {
        let last = self.slots.last().map_or(0.0, |row| row.makespan_ms);
        let differ = self.slots.iter().rposition(|row| (row.makespan_ms - last).abs() > 1e-6 * last);
        let end = differ.map_or(1, |place| place + 2).min(self.slots.len());
        &self.slots[..end]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_numbers_lists_and_ranges() {
        for (text, expected) in [
            ("4", Some(vec![4])),
            ("1..4", Some(vec![1, 2, 3, 4])),
            ("1..=2", Some(vec![1, 2])),
            ("8,2, 2..3", Some(vec![2, 3, 8])),
            ("0", None),
            ("4097", None),
            ("4..2", None),
            ("", None),
            ("a..b", None),
            ("1..99999999999", None),
        ] {
            assert_eq!(text.parse::<Slots>().ok().map(|slots| slots.0), expected, "{text}");
        }
    }
}
