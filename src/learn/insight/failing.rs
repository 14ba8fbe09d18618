//! Rules about failures: a step that only fails, failures that come late, and failures that come soon.

use std::collections::BTreeSet;

use super::Finding;
use super::view::{Candidate, View};
use crate::learn::beta::{above, odds};
use crate::learn::median;
use crate::record::Outcome;

/// Executions in a row that failed, and different trees among them, at least.
const RED: (usize, usize) = (5, 2);

/// A step that fails more often than this should fail early.
const OFTEN: f64 = 0.1;

/// A failure comes late after this share of the usual wall time, and soon before that one.
const LATE: f64 = 0.5;
const SOON: f64 = 0.25;

/// A workflow fails fast where more than this share of its failures comes soon.
const MOSTLY: f64 = 0.8;

pub(super) fn search(view: &View, candidates: &mut Vec<Candidate>) {
    candidates.extend(view.steps.iter().map(|(step, rows)| red(view, step, rows)));
}

/// Trees count, not executions: one broken tree fails as often as it is executed.
fn red(view: &View, step: &str, rows: &[usize]) -> Candidate {
    let executions = view.by_execution(rows);
    let passed = |rows: &[usize]| rows.iter().any(|row| view.passed(*row));
    let length = executions.iter().rev().take_while(|(_, rows)| !passed(rows)).count();
    let (before, run) = executions.split_at(executions.len() - length);
    let trees: BTreeSet<_> = run.iter().filter_map(|(at, _)| view.history.executions.tree[*at]).collect();
    let told = length >= RED.0 && trees.len() >= RED.1;
    let finding = Finding::AlwaysRed {
        executions: length as u64,
        trees: trees.len() as u64,
        passed_before: before.iter().any(|(_, rows)| passed(rows)),
    };
    let proof = run.iter().map(|(at, _)| *at).collect();
    let (n, found) = (length as u64, told.then_some((finding, proof)));
    if before.is_empty() {
        // Nothing to hold it against: that it fails more often than not, given its trees.
        let trees = trees.len() as u64;
        let probability = if found.is_some() { above(0.5, trees, trees) } else { 0.0 };
        return Candidate::posterior(Some(step), probability, n, found);
    }
    let failed = before.iter().filter(|(_, rows)| !passed(rows)).count() as u64;
    let usual = odds(failed, before.len() as u64).high;
    let p_value = usual.powi(i32::try_from(trees.len()).unwrap_or(i32::MAX));
    Candidate::tested(Some(step), if found.is_some() { p_value } else { 1.0 }, n, found)
}

/// Searches for failures that come late, and for workflows in which they come soon.
pub(super) fn search_order(view: &View, candidates: &mut Vec<Candidate>) {
    let attempts = &view.history.attempts;
    let walls: Vec<f64> =
        view.whole().map(|at| view.history.executions.duration_ms[at]).filter(|ms| *ms > 0.0).collect();
    let Some(usual) = median(&walls) else { return };
    if view.steps.len() < 3 {
        return;
    }
    for (step, rows) in &view.steps {
        let ended = view.by_execution(rows);
        let red: Vec<usize> = ended
            .iter()
            .filter(|(_, rows)| !rows.iter().any(|row| view.passed(*row)))
            .map(|(_, rows)| rows[0])
            .collect();
        let late: Vec<usize> = red.iter().copied().filter(|row| attempts.started_ms[*row] >= LATE * usual).collect();
        let before: Vec<f64> = late.iter().map(|row| attempts.started_ms[*row]).collect();
        let own = median(&view.durations(rows)).unwrap_or(f64::INFINITY);
        let n = ended.len() as u64;
        // Only a short step can go ahead of long ones.
        let movable = own <= LATE / 2.0 * usual;
        let found = median(&before).filter(|_| movable).map(|before_ms| {
            let proof = late.iter().map(|row| view.execution(*row)).collect();
            (Finding::FailsLate { failed: late.len() as u64, executions: n, before_ms }, proof)
        });
        candidates.push(Candidate::posterior(Some(step), above(OFTEN, late.len() as u64, n), n, found));
    }
    let failed: Vec<usize> = view
        .executions
        .iter()
        .copied()
        .filter(|at| view.history.executions.outcome[*at] == Outcome::Failed && !view.history.is_partial(*at))
        .collect();
    let soon: Vec<usize> =
        failed.iter().copied().filter(|at| view.history.executions.duration_ms[*at] <= SOON * usual).collect();
    let (fast, n) = (soon.len() as u64, failed.len() as u64);
    let finding = Finding::FailsFast { fast, failed: n, share: SOON };
    candidates.push(Candidate::posterior(None, above(MOSTLY, fast, n), n, Some((finding, soon))));
}
