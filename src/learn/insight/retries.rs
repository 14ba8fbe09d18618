//! Rules about retries: storms of them, those in vain, those that pay, and those that nobody needs.

use super::Finding;
use super::view::{Candidate, View};
use crate::learn::beta::above;

/// A step retried in more of its executions than this is in a storm.
const STORM: f64 = 0.2;

/// Retries that pass less often than this are in vain, those that pass more often than the other pay.
const VAIN: f64 = 0.1;
const PAYS: f64 = 0.5;

/// First attempts that fail less often than this need no retry.
const NEEDED: f64 = 0.01;

pub(super) fn search(view: &View, candidates: &mut Vec<Candidate>) {
    for (step, rows) in &view.steps {
        let executions = view.by_execution(rows);
        let attempt = |row: usize| view.history.attempts.attempt[row];
        let retried: Vec<usize> =
            executions.iter().filter(|(_, rows)| rows.iter().any(|row| attempt(*row) > 1)).map(|(at, _)| *at).collect();
        let (k, n) = (retried.len() as u64, executions.len() as u64);
        // What the failed tries took, and the waits until the last one.
        let lost_ms: f64 = executions.iter().map(|(_, rows)| repeated_ms(view, rows)).sum();
        let storm = Finding::RetryStorm { retried: k, executions: n, lost_ms };
        candidates.push(Candidate::posterior(Some(step), above(STORM, k, n), n, Some((storm, retried.clone()))));
        let again: Vec<usize> = rows.iter().copied().filter(|row| attempt(*row) > 1).collect();
        if again.is_empty() {
            continue;
        }
        let passed = again.iter().filter(|row| view.passed(**row)).count() as u64;
        let n = again.len() as u64;
        let spent: f64 = again.iter().map(|row| view.spent(*row)).sum();
        let vain = Finding::VainRetries { passed, retries: n, lost_ms: spent };
        let pays = Finding::RetriesPay { passed, retries: n };
        candidates.push(Candidate::posterior(
            Some(step),
            1.0 - above(VAIN, passed, n),
            n,
            Some((vain, retried.clone())),
        ));
        candidates.push(Candidate::posterior(Some(step), above(PAYS, passed, n), n, Some((pays, retried))));
    }
}

/// Searches for declared retries that nobody needs.
pub(super) fn search_declared(view: &View, candidates: &mut Vec<Candidate>) {
    for (step, rows) in &view.steps {
        if view.declared(step).and_then(|step| step.retry.as_ref()).is_none_or(|retry| retry.attempts < 2) {
            continue;
        }
        let first: Vec<usize> = rows.iter().copied().filter(|row| view.history.attempts.attempt[*row] == 1).collect();
        let failed = first.iter().filter(|row| !view.passed(**row)).count() as u64;
        let attempts = first.len() as u64;
        let unused = Finding::UnusedRetries { attempts, failed };
        let proof = first.iter().map(|row| view.execution(*row)).collect();
        let needless = 1.0 - above(NEEDED, failed, attempts);
        candidates.push(Candidate::posterior(Some(step), needless, attempts, Some((unused, proof))));
    }
}

/// Returns the time from the start of the first try to the start of the last one.
fn repeated_ms(view: &View, rows: &[usize]) -> f64 {
    let started = &view.history.attempts.started_ms;
    match rows {
        [first, .., last] if started[*last].is_finite() && started[*first].is_finite() => {
            (started[*last] - started[*first]).max(0.0)
        }
        _ => 0.0,
    }
}
