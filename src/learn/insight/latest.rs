//! What took a time far outside its prediction in single executions: told at once, without a look at the whole history.

use std::collections::BTreeMap;

use serde::Serialize;

use super::anomaly::{SAMPLES, is_far};
use crate::learn::spread::predict;
use crate::plan::Interval;
use crate::record::Outcome;
use crate::scan::{History, Name};

/// A time far outside what was predicted.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Anomaly {
    /// What took it.
    pub what: What,
    /// The step's id, or the workflow's name.
    pub name: String,
    /// How long it took, in milliseconds.
    pub took_ms: f64,
    /// What was predicted before it started.
    pub predicted_ms: Interval,
}

/// What an anomaly is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum What {
    /// One step: its attempt that passed.
    Step,
    /// An execution as a whole.
    Execution,
}

/// Returns which of what passed in one execution took a time far outside its prediction, the farthest first.
///
/// All that is handed in is tested together: an ordinary execution shows an anomaly with a probability of at most 1 %, as
/// far as its predictions hold. The execution as a whole is named only where no step is.
pub fn anomalies(took: Vec<Anomaly>) -> Vec<Anomaly> {
    let tests = took.len() as u64;
    let mut far: Vec<Anomaly> = took.into_iter().filter(|one| is_far(&one.predicted_ms, one.took_ms, tests)).collect();
    let distance = |one: &Anomaly| (one.took_ms / one.predicted_ms.p50).ln().abs();
    far.sort_by(|a, b| a.what.cmp(&b.what).then(distance(b).total_cmp(&distance(a))));
    let has_step = far.first().is_some_and(|one| one.what == What::Step);
    far.retain(|one| !has_step || one.what == What::Step);
    far
}

/// Returns the anomalies of the execution at `place`.
///
/// Steps are held against what was predicted and recorded at their start, which rests at least on the attempts of the step
/// that had passed on the machine class before; the whole against the executions before it.
pub fn anomalies_of(history: &History, place: usize) -> Vec<Anomaly> {
    let (attempts, executions) = (&history.attempts, &history.executions);
    let is_like = |at: usize| {
        executions.repository[at] == executions.repository[place]
            && executions.workflow[at] == executions.workflow[place]
            && executions.machine[at] == executions.machine[place]
    };
    let mut before: BTreeMap<Name, u64> = BTreeMap::new();
    let mut took = Vec::new();
    for row in 0..attempts.len() {
        let (at, step) = (attempts.execution[row] as usize, attempts.step[row]);
        if at > place || attempts.outcome[row] != Outcome::Passed || !is_like(at) {
            continue;
        }
        if at < place {
            *before.entry(step).or_default() += 1;
            continue;
        }
        let [p10, p50, p90] = [&attempts.predicted_p10_ms, &attempts.predicted_p50_ms, &attempts.predicted_p90_ms]
            .map(|column| column[row]);
        if p10.is_finite() && p50.is_finite() && p90.is_finite() {
            took.push(Anomaly {
                what: What::Step,
                name: history.names.text(step).to_owned(),
                took_ms: attempts.duration_ms[row],
                predicted_ms: Interval { p10, p50, p90, n: before.get(&step).copied().unwrap_or(0) },
            });
        }
    }
    let counts = |at: &usize| {
        let duration_ms = executions.duration_ms[*at];
        let is_whole = executions.outcome[*at] == Outcome::Passed && !history.is_partial(*at);
        is_whole && is_like(*at) && duration_ms.is_finite() && duration_ms > 0.0
    };
    let wholes: Vec<f64> = (0..=place).filter(counts).map(|at| executions.duration_ms[at]).collect();
    if let Some((took_ms, before)) = wholes.split_last().filter(|_| counts(&place))
        && let Some(predicted_ms) = predict(&before[before.len().saturating_sub(SAMPLES.1)..])
    {
        let name = history.names.text(executions.workflow[place]).to_owned();
        took.push(Anomaly { what: What::Execution, name, took_ms: *took_ms, predicted_ms });
    }
    anomalies(took)
}
