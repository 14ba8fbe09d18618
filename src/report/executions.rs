//! Executions one by one: the log, the last ones of each workflow, and the steps of one of them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use crate::error::{Error, Result};
use crate::learn::insight::{Anomaly, anomalies_of};
use crate::record::{Digest, Outcome};
use crate::scan::History;

/// The page: executions, newest first.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Log {
    /// The version of this form.
    pub schema_version: u32,
    /// The executions shown.
    pub executions: Vec<ExecutionLine>,
    /// How many there are in all.
    pub total: u64,
}

/// One execution in one line.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ExecutionLine {
    /// Its id.
    pub id: String,
    /// The workflow.
    pub workflow: String,
    /// When it began.
    pub started_at: Timestamp,
    /// How it ended.
    pub outcome: Outcome,
    /// Wall time in milliseconds; absent where it is unknown.
    pub duration_ms: Option<f64>,
    /// Its different steps.
    pub steps: u64,
    /// The steps whose last attempt failed.
    pub failed: Vec<String>,
    /// The commit that was checked out.
    pub commit: Option<Digest>,
    /// Whether the work tree differed from it.
    pub dirty: Option<bool>,
}

/// The page: where things stand.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Status {
    /// The version of this form.
    pub schema_version: u32,
    /// The last execution of each workflow, by name.
    pub workflows: Vec<ExecutionLine>,
    /// What of these took a time far outside its prediction.
    pub anomalies: Vec<Far>,
    /// Executions that run now.
    pub running: Vec<Open>,
    /// Executions whose program died before their end.
    pub interrupted: Vec<Open>,
    /// Executions that wait to be committed.
    pub waiting: u64,
}

/// An anomaly with its execution.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Far {
    /// The execution's id.
    pub id: String,
    /// The workflow.
    pub workflow: String,
    /// What took how long.
    #[serde(flatten)]
    pub anomaly: Anomaly,
}

/// An execution without an end.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Open {
    /// Its id.
    pub id: String,
    /// The workflow.
    pub workflow: String,
    /// When it began.
    pub started_at: Timestamp,
    /// Attempts that ended.
    pub attempts: u64,
}

/// The page: one execution.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Single {
    /// The version of this form.
    pub schema_version: u32,
    /// The execution.
    #[serde(flatten)]
    pub line: ExecutionLine,
    /// What started it.
    pub trigger: String,
    /// The machine class.
    pub machine: Option<String>,
    /// Slots; 0 where it is unknown.
    pub slots: u32,
    /// Its attempts in order of time.
    pub attempts: Vec<AttemptLine>,
    /// Where the steps' output lies, if it is still there.
    pub logs: Option<String>,
}

/// One attempt in one line. Times in milliseconds, absent where they are unknown.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AttemptLine {
    /// The step.
    pub step: String,
    /// 1 for the first try.
    pub attempt: u32,
    /// How it ended.
    pub outcome: Outcome,
    /// Whether meow stopped it at its time limit.
    pub timed_out: bool,
    /// When it started, since the execution began.
    pub started_ms: Option<f64>,
    /// How long it ran.
    pub duration_ms: Option<f64>,
    /// The predicted median.
    pub predicted_p50_ms: Option<f64>,
    /// What one attempt in ten was predicted to exceed.
    pub predicted_p90_ms: Option<f64>,
    /// Processor time.
    pub cpu_ms: Option<f64>,
    /// Peak memory in bytes.
    pub peak_memory_bytes: Option<f64>,
}

/// Returns the latest `most` executions, of one workflow or of all.
pub fn log(history: &History, most: usize, workflow: Option<&str>) -> Log {
    let executions = &history.executions;
    let wanted = |place: &usize| workflow.is_none_or(|name| history.names.text(executions.workflow[*place]) == name);
    let places: Vec<usize> = (0..executions.len()).rev().filter(wanted).collect();
    let shown = &places[..most.min(places.len())];
    Log { schema_version: 1, executions: lines(history, shown), total: places.len() as u64 }
}

/// Returns where things stand; the journals of executions without an end, and the number waiting, are handed in.
pub fn status(history: &History, running: Vec<Open>, interrupted: Vec<Open>, waiting: u64) -> Status {
    let executions = &history.executions;
    let last: BTreeMap<&str, usize> =
        (0..executions.len()).map(|place| (history.names.text(executions.workflow[place]), place)).collect();
    let places: Vec<usize> = last.into_values().collect();
    let workflows = lines(history, &places);
    let told = |(line, place): (&ExecutionLine, &usize)| {
        let (id, workflow) = (line.id.clone(), line.workflow.clone());
        let far = move |anomaly| Far { id: id.clone(), workflow: workflow.clone(), anomaly };
        anomalies_of(history, *place).into_iter().map(far)
    };
    let anomalies = workflows.iter().zip(&places).flat_map(told).collect();
    Status { schema_version: 1, workflows, anomalies, running, interrupted, waiting }
}

/// Returns the place of the execution whose id starts with `prefix`.
///
/// # Errors
/// None has, or several have.
pub fn find(history: &History, prefix: &str) -> Result<usize> {
    let wanted = prefix.to_ascii_lowercase();
    let ids = history.executions.id.iter().enumerate();
    let found: Vec<usize> = ids.filter(|(_, id)| id.to_string().starts_with(&wanted)).map(|(place, _)| place).collect();
    match found[..] {
        [place] => Ok(place),
        [] => Err(Error::request(format!("no execution has an id that starts with `{}`", prefix.escape_debug()))
            .hint("`meow log` shows the ids")),
        _ => Err(Error::request(format!("{} executions have ids that start with `{wanted}`", found.len()))
            .hint("give more of its digits")),
    }
}

/// Returns the page of the execution at `place`.
pub fn single(history: &History, place: usize, logs: Option<String>) -> Single {
    let executions = &history.executions;
    Single {
        schema_version: 1,
        line: lines(history, &[place]).remove(0),
        trigger: history.names.text(executions.trigger[place]).to_owned(),
        machine: executions.machine[place].map(|machine| history.names.text(machine).to_owned()),
        slots: executions.slots[place],
        attempts: rows(history, place).map(|index| attempt(history, index)).collect(),
        logs,
    }
}

pub(super) fn attempt(history: &History, index: usize) -> AttemptLine {
    let attempts = &history.attempts;
    AttemptLine {
        step: history.names.text(attempts.step[index]).to_owned(),
        attempt: attempts.attempt[index],
        outcome: attempts.outcome[index],
        timed_out: attempts.timed_out[index],
        started_ms: known(attempts.started_ms[index]),
        duration_ms: known(attempts.duration_ms[index]),
        predicted_p50_ms: known(attempts.predicted_p50_ms[index]),
        predicted_p90_ms: known(attempts.predicted_p90_ms[index]),
        cpu_ms: known(attempts.cpu_ms[index]),
        peak_memory_bytes: known(attempts.peak_memory_bytes[index]),
    }
}

fn lines(history: &History, places: &[usize]) -> Vec<ExecutionLine> {
    places.iter().map(|place| line(history, *place)).collect()
}

pub(super) fn line(history: &History, place: usize) -> ExecutionLine {
    let executions = &history.executions;
    // Later attempts come later, so the last word about a step stays.
    let last: BTreeMap<&str, Outcome> = rows(history, place)
        .map(|index| (history.names.text(history.attempts.step[index]), history.attempts.outcome[index]))
        .collect();
    let failed = last.iter().filter(|(_, outcome)| **outcome == Outcome::Failed).map(|(step, _)| (*step).to_owned());
    ExecutionLine {
        id: executions.id[place].to_string(),
        workflow: history.names.text(executions.workflow[place]).to_owned(),
        started_at: Timestamp::from_millisecond(executions.started_ms[place]).unwrap_or(Timestamp::UNIX_EPOCH),
        outcome: executions.outcome[place],
        duration_ms: known(executions.duration_ms[place]),
        steps: last.len() as u64,
        failed: failed.collect(),
        commit: executions.commit[place],
        dirty: executions.dirty[place],
    }
}

/// Returns the attempts of an execution, which lie together.
pub(super) fn rows(history: &History, place: usize) -> std::ops::Range<usize> {
    let execution = &history.attempts.execution;
    let from = execution.partition_point(|at| (*at as usize) < place);
    from..execution.partition_point(|at| *at as usize <= place)
}

pub(super) fn known(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
}
