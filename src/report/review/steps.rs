//! The steps of a workflow: how long, how sure, and how they went of late.

use serde::Serialize;

use super::past;
use crate::learn::{Pattern, WorkflowPattern};
use crate::plan::{Interval, Odds};
use crate::scan::History;

/// Latest durations shown.
const LATEST: usize = 40;

/// One step.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StepReview {
    /// Its id.
    pub step: String,
    /// Attempts that passed or failed.
    pub attempts: u64,
    /// Durations of passed attempts over all machine classes, in milliseconds.
    pub duration_ms: Option<Interval>,
    /// The odds that a first attempt fails.
    pub failure: Option<Odds>,
    /// The share of executions in which it was on the critical path, 0 to 1.
    pub critical_share: Option<f64>,
    /// Durations of its latest passed attempts on the machine class of the past, in milliseconds, oldest first.
    pub latest_ms: Vec<f64>,
}

/// Returns the steps, the longest first.
pub(super) fn steps(
    history: &History,
    pattern: &WorkflowPattern,
    places: &[usize],
    machine: Option<&str>,
) -> Vec<StepReview> {
    let mut latest = past::latest(history, places, machine, LATEST);
    let mut take = |step: &str| history.names.find(step).and_then(|step| latest.remove(&step)).unwrap_or_default();
    let of = |pattern: &Pattern| StepReview {
        step: pattern.step.clone(),
        attempts: pattern.attempts,
        duration_ms: pattern.duration_ms,
        failure: pattern.failure,
        critical_share: pattern.critical_share,
        latest_ms: take(&pattern.step),
    };
    let mut steps: Vec<StepReview> = pattern.steps.iter().filter(|step| step.machine.is_none()).map(of).collect();
    let long = |step: &StepReview| step.duration_ms.map_or(0.0, |known| known.p50);
    steps.sort_by(|a, b| long(b).total_cmp(&long(a)).then_with(|| a.step.cmp(&b.step)));
    steps
}
