//! Rule `always-fails`: a step that has failed in every recent execution, on several trees: broken, not flaky.

use std::collections::{BTreeMap, BTreeSet};

use super::Risk;
use super::case::{Case, Finding};
use super::gain::{Estimate, estimate, rates};
use super::words::duration;
use crate::learn::beta::{above, odds};
use crate::record::Outcome;

/// Executions in a row that failed, at least.
const EXECUTIONS: usize = 5;

/// Different trees among them, at least.
const TREES: usize = 2;

/// How likely the step's failures before the run would have made such a run, at most.
const BY_CHANCE: f64 = 0.01;

/// Returns a finding for each step that has only failed since it last passed, if it ever did.
pub(super) fn findings(case: &Case) -> Vec<Finding> {
    case.steps().iter().filter_map(|(step, rows)| finding(case, step, rows)).collect()
}

fn finding(case: &Case, step: &str, rows: &[usize]) -> Option<Finding> {
    let attempts = &case.history.attempts;
    // By execution, oldest first: whether any attempt passed, and the time of the failed ones.
    let mut tried: BTreeMap<usize, (bool, f64)> = BTreeMap::new();
    for row in rows.iter().copied().filter(|row| attempts.outcome[*row] != Outcome::Cancelled) {
        let (passed, lost_ms) = tried.entry(case.execution(row)).or_default();
        *passed |= attempts.outcome[row] == Outcome::Passed;
        *lost_ms += if attempts.duration_ms[row].is_finite() { attempts.duration_ms[row].max(0.0) } else { 0.0 };
    }
    let run: Vec<(usize, f64)> =
        tried.iter().rev().take_while(|(_, (passed, _))| !passed).map(|(at, (_, ms))| (*at, *ms)).collect();
    let trees: BTreeSet<_> = run.iter().filter_map(|(at, _)| case.history.executions.tree[*at]).collect();
    if run.len() < EXECUTIONS || trees.len() < TREES || by_chance(&tried, run.len(), trees.len()) > BY_CHANCE {
        return None;
    }
    let length = run.len() as u64;
    let minutes: Vec<f64> = run.iter().map(|(_, ms)| ms / 60_000.0).collect();
    let weekly = case.pattern.executions_per_week;
    let Estimate { gain, confidence } =
        estimate(&rates(length, length), &minutes, |share, minutes| weekly * share * minutes);
    let total: f64 = run.iter().map(|(_, ms)| ms).sum();
    Some(Finding {
        rule: "always-fails",
        step: Some(step.to_owned()),
        title: format!("mend or remove `{step}` of `{}`: it always fails", case.workflow),
        rationale: format!(
            "its last {length} executions all failed, on {} different trees, and took {} in all; {}",
            trees.len(),
            duration(total),
            if run.len() == tried.len() { "it has never passed".to_owned() } else { "it passed before".to_owned() },
        ),
        evidence: run.iter().rev().map(|(at, _)| *at).collect(),
        n: length,
        estimate: Estimate { gain, confidence: confidence.min(above(0.5, length, length)) },
        effort_minutes: 60.0,
        risk: Risk::High,
        change: None,
    })
}

/// Returns how likely the failures before the run would have made one of so many trees; 0 where nothing came before.
///
/// Trees count, not executions: one broken tree fails as often as it is executed.
fn by_chance(tried: &BTreeMap<usize, (bool, f64)>, run: usize, trees: usize) -> f64 {
    let before = &tried.values().take(tried.len() - run).collect::<Vec<_>>();
    if before.is_empty() {
        return 0.0;
    }
    let failed = before.iter().filter(|(passed, _)| !passed).count() as u64;
    let usual = odds(failed, before.len() as u64).high;
    usual.powi(i32::try_from(trees).unwrap_or(i32::MAX))
}
