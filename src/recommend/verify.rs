//! What an applied recommendation came to: the executions since, counted with the same scales as the expected gain.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Gain;
use super::action::Action;
use super::case::{Case, cases};
use super::gain::{Estimate, estimate, rates};
use crate::learn::Knowledge;
use crate::record::Outcome;
use crate::scan::History;
use crate::workflow;

/// Executions with the step that have to follow before a gain is stated.
pub const EXECUTIONS: u64 = 10;

/// An attempt hung where it ran this many times the limit and did not pass; as in the rule `timeout`.
const BEYOND: f64 = 1.5;

/// How far the verification of an applied recommendation is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Verification {
    /// Executions with the step since.
    pub executions: u64,
    /// What they gained, in minutes a week: `median` as it was counted, `low` and `high` as a 90 % interval around the
    /// rates behind it. Absent before [`EXECUTIONS`], and where the kind of change leaves nothing to count.
    pub realised: Option<Gain>,
}

/// Returns what the executions after an applied action show.
pub fn verify(action: &Action, knowledge: &Knowledge, history: &History) -> Verification {
    let mut found = Verification::default();
    let (Some(step), Some(edit)) = (&action.step, &action.edit) else { return found };
    cases(knowledge, history, |case| {
        let steps = case.steps();
        if case.workflow != action.workflow || !steps.contains_key(step.as_str()) {
            return;
        }
        let is_after = |row: &usize| {
            history.executions.started_ms[case.execution(*row)] > action.at.as_millisecond()
                && history.attempts.outcome[*row] != Outcome::Cancelled
        };
        let (after, before): (Vec<usize>, Vec<usize>) = steps[step.as_str()].iter().partition(|row| is_after(row));
        let mut tries: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for row in after {
            tries.entry(case.execution(row)).or_default().push(row);
        }
        found.executions = tries.len() as u64;
        if found.executions >= EXECUTIONS {
            found.realised = match edit.key.rsplit('.').next() {
                Some("retry") => retried(case, step, &tries),
                Some("timeout") => stopped(case, &before, &tries, &edit.value),
                _ => None,
            };
        }
    });
    found
}

/// A retry that passed saved a new execution; one that failed cost another attempt.
fn retried(case: &Case, step: &str, tries: &BTreeMap<usize, Vec<usize>>) -> Option<Gain> {
    let outcomes = &case.history.attempts.outcome;
    let pattern = case.pattern().steps.iter().find(|pattern| pattern.step == step && pattern.machine.is_none())?;
    let (once, whole) = (pattern.duration_ms?.p50 / 60_000.0, case.pattern().duration_ms?.p50 / 60_000.0);
    let repeated = || tries.values().filter(|rows| rows.len() > 1);
    let has_passed = |rows: &&Vec<usize>| rows.iter().any(|row| outcomes[*row] == Outcome::Passed);
    let turned = repeated().filter(has_passed).count() as u64;
    let wasted = repeated().count() as u64 - turned;
    let n = tries.len() as u64;
    let weekly = case.weekly();
    let worth = |saved: f64, wasted: f64| weekly * (saved * whole - wasted * once);
    let counted = worth(share(turned, n), share(wasted, n));
    Some(around(counted, estimate(&rates(turned, n), &rates(wasted, n), worth)))
}

/// An attempt that was stopped saved what such attempts took beyond the limit before there was one.
fn stopped(case: &Case, before: &[usize], tries: &BTreeMap<usize, Vec<usize>>, limit: &str) -> Option<Gain> {
    let attempts = &case.history.attempts;
    let limit_ms = workflow::duration(limit.trim_matches('"'))?.as_secs_f64() * 1000.0;
    let is_hung = |row: &&usize| {
        attempts.outcome[**row] != Outcome::Passed
            && attempts.duration_ms[**row].is_finite()
            && attempts.duration_ms[**row] > BEYOND * limit_ms
    };
    let excess = |row: &usize| (attempts.duration_ms[*row] - limit_ms) / 60_000.0;
    let saved: Vec<f64> = before.iter().filter(is_hung).map(excess).collect();
    if saved.is_empty() {
        return None;
    }
    let rows = || tries.values().flatten();
    let (stops, n) = (rows().filter(|row| attempts.timed_out[**row]).count() as u64, rows().count() as u64);
    let weekly = case.weekly();
    #[expect(clippy::cast_precision_loss, reason = "a few attempts")]
    let counted = weekly * share(stops, n) * saved.iter().sum::<f64>() / saved.len() as f64;
    Some(around(counted, estimate(&rates(stops, n), &saved, |share, saved| weekly * share * saved)))
}

/// Returns what was counted inside the interval of what may lie behind it.
fn around(counted: f64, Estimate { gain, .. }: Estimate) -> Gain {
    Gain { low: gain.low.min(counted), median: counted, high: gain.high.max(counted) }.rounded()
}

#[expect(clippy::cast_precision_loss, reason = "a few executions")]
fn share(part: u64, whole: u64) -> f64 {
    part as f64 / whole.max(1) as f64
}
