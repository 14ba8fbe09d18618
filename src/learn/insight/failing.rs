//! Rules about failures: a step that only fails, failures that come late, and failures that come soon.

use super::Finding;
use super::view::{Candidate, View};
use crate::learn::beta::above;
use crate::learn::current::is_current;
use crate::learn::median;
use crate::learn::red::{self, Red};
use crate::record::Outcome;

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

fn red(view: &View, step: &str, rows: &[usize]) -> Candidate {
    let red = red::red(view.history, rows).filter(|_| is_current(view.history, &view.executions, rows));
    let Some(Red { run, trees, passed_before, doubt }) = red else {
        return Candidate::tested(Some(step), 1.0, 0, None);
    };
    let n = run.len() as u64;
    let finding = Finding::AlwaysRed { executions: n, trees, passed_before };
    let found = Some((finding, run.into_iter().map(|(at, _)| at).collect()));
    if passed_before {
        Candidate::tested(Some(step), doubt, n, found)
    } else {
        Candidate::posterior(Some(step), 1.0 - doubt, n, found)
    }
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
