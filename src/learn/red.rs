//! A step that only fails: since when, on how many trees, and how likely that is by chance.

use std::collections::{BTreeMap, BTreeSet};

use super::beta::{above, odds};
use crate::record::Outcome;
use crate::scan::History;

/// Executions in a row that failed, and different trees among them, at least.
const LEAST: (usize, usize) = (5, 2);

/// The executions of a step since it last passed.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Red {
    /// Each with the time that its attempts took, in milliseconds; oldest first.
    pub run: Vec<(usize, f64)>,
    /// Different trees among them.
    pub trees: u64,
    /// Whether it ever passed.
    pub passed_before: bool,
    /// The probability that its failures before the run would have made such a run; where nothing came before, that it
    /// passes more often than it fails, given its trees.
    pub doubt: f64,
}

/// Returns the executions since a step last passed, from the rows of its attempts, oldest first; `None` where these are
/// fewer than five, or on one tree.
///
/// Trees count, not executions: one broken tree fails as often as it is executed.
pub(crate) fn red(history: &History, rows: &[usize]) -> Option<Red> {
    let attempts = &history.attempts;
    let mut tried: BTreeMap<usize, (bool, f64)> = BTreeMap::new();
    for row in rows.iter().copied().filter(|row| attempts.outcome[*row] != Outcome::Cancelled) {
        let (passed, spent_ms) = tried.entry(attempts.execution[row] as usize).or_default();
        *passed |= attempts.outcome[row] == Outcome::Passed;
        *spent_ms += if attempts.duration_ms[row].is_finite() { attempts.duration_ms[row].max(0.0) } else { 0.0 };
    }
    let length = tried.values().rev().take_while(|(passed, _)| !passed).count();
    let run: Vec<(usize, f64)> =
        tried.iter().skip(tried.len() - length).map(|(at, (_, spent_ms))| (*at, *spent_ms)).collect();
    let trees: BTreeSet<_> = run.iter().filter_map(|(at, _)| history.executions.tree[*at]).collect();
    if run.len() < LEAST.0 || trees.len() < LEAST.1 {
        return None;
    }
    let before: Vec<bool> = tried.values().take(tried.len() - length).map(|(passed, _)| *passed).collect();
    let count = trees.len() as u64;
    let doubt = if before.is_empty() {
        1.0 - above(0.5, count, count)
    } else {
        let failed = before.iter().filter(|passed| !**passed).count() as u64;
        odds(failed, before.len() as u64).high.powi(i32::try_from(trees.len()).unwrap_or(i32::MAX))
    };
    Some(Red { run, trees: count, passed_before: !before.is_empty(), doubt })
}
