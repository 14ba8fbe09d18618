//! The last execution of a workflow: what ran when, and what held it up.

use serde::Serialize;

use crate::learn::timeline::Timeline;
use crate::report::executions::{self, AttemptLine, ExecutionLine};
use crate::scan::History;

/// Attempts shown: those on the critical path first, then the longest.
const BARS: usize = 30;

/// The last execution.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Last {
    /// The execution.
    #[serde(flatten)]
    pub line: ExecutionLine,
    /// What started it.
    pub trigger: String,
    /// The machine class.
    pub machine: Option<String>,
    /// When its last attempt ended, in milliseconds since it began.
    pub end_ms: f64,
    /// Its attempts, by their start.
    pub attempts: Vec<Bar>,
    /// Attempts that did not fit.
    pub attempts_left_out: u64,
}

/// One attempt on the line of time.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Bar {
    /// The attempt.
    #[serde(flatten)]
    pub attempt: AttemptLine,
    /// When it could have started, in milliseconds since the execution began.
    pub ready_ms: Option<f64>,
    /// Whether its step is on the critical path.
    pub critical: bool,
    /// How much later its step could have ended without moving the end, in milliseconds.
    pub slack_ms: Option<f64>,
}

/// Returns the execution at `place`.
pub(super) fn last(history: &History, place: usize) -> Last {
    let rows = executions::rows(history, place);
    let roles = Timeline::of(history, rows.clone()).roles();
    let bar = |index: usize| {
        let role = roles.get(&history.attempts.step[index]);
        Bar {
            attempt: executions::attempt(history, index),
            ready_ms: executions::known(history.attempts.ready_ms[index]),
            critical: role.is_some_and(|role| role.critical),
            slack_ms: role.map(|role| role.slack_ms),
        }
    };
    let mut attempts: Vec<Bar> = rows.map(bar).collect();
    let took = |bar: &Bar| bar.attempt.duration_ms.unwrap_or(0.0);
    let end_ms =
        attempts.iter().filter_map(|bar| Some(bar.attempt.started_ms? + bar.attempt.duration_ms?)).fold(0.0, f64::max);
    attempts.sort_by(|a, b| b.critical.cmp(&a.critical).then(took(b).total_cmp(&took(a))));
    let (mut attempts, attempts_left_out) = super::cut(attempts, BARS);
    let start = |bar: &Bar| bar.attempt.started_ms.unwrap_or(f64::INFINITY);
    attempts.sort_by(|a, b| {
        start(a)
            .total_cmp(&start(b))
            .then(took(b).total_cmp(&took(a)))
            .then_with(|| a.attempt.step.cmp(&b.attempt.step))
    });
    let machine = history.executions.machine[place].map(|machine| history.names.text(machine).to_owned());
    Last {
        line: executions::line(history, place),
        trigger: history.names.text(history.executions.trigger[place]).to_owned(),
        machine,
        end_ms,
        attempts,
        attempts_left_out,
    }
}
