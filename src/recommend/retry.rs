//! Rule `retry`: failures that went away when the same command ran again on the same tree.

use std::collections::{BTreeMap, BTreeSet};

use super::case::{Case, Finding};
use super::gain::{Estimate, estimate, rates};
use super::words::{duration, percent};
use super::{Change, Risk};
use crate::learn::beta::{above, odds};
use crate::learn::state::inputs;
use crate::record::{Digest, Outcome};

/// Trees on which a failure was repeated, at least.
const TRIALS: u64 = 3;

/// Different trees on which a repetition passed, at least: one tree may have met one bad hour.
const TREES: usize = 2;

/// A retry has to pass with more than this probability.
const PAYS: f64 = 0.25;

/// What repetitions of one step's failures on the same inputs came to.
#[derive(Default)]
struct Repeats {
    /// Trees on which the first failure was followed by another attempt, and those on which that one passed.
    trials: u64,
    passed: u64,
    trees: BTreeSet<Digest>,
    /// Rows of failures that ended the step in their execution and would have passed.
    contradicted: Vec<usize>,
    /// Failures that ended the step in their execution and failed again when repeated.
    confirmed: u64,
    /// Executions in which the step ran.
    ran: u64,
}

/// Returns a finding for each step whose failures a retry would turn, with a gain that stays above zero.
pub(super) fn findings(case: &Case) -> Vec<Finding> {
    let steps = case.steps();
    steps.iter().filter_map(|(step, rows)| finding(case, step, &repeats(case, rows))).collect()
}

fn repeats(case: &Case, rows: &[usize]) -> Repeats {
    let attempts = &case.history.attempts;
    let executions = &case.history.executions;
    let counted = |row: &&usize| attempts.outcome[**row] != Outcome::Cancelled;
    let mut repeats = Repeats::default();
    let mut same: BTreeMap<(Digest, Digest), Vec<usize>> = BTreeMap::new();
    let mut last: BTreeMap<usize, usize> = BTreeMap::new();
    for row in rows.iter().filter(counted).copied() {
        let execution = case.execution(row);
        last.insert(execution, row);
        if let (Some(tree), Some(_)) = (executions.tree[execution], attempts.command[row]) {
            same.entry((tree, inputs(case.history, row))).or_default().push(row);
        }
    }
    let failed = |row: usize| attempts.outcome[row] == Outcome::Failed;
    repeats.ran = last.len() as u64;
    for ((tree, _), rows) in same {
        let repeated: Vec<_> = rows.windows(2).filter(|pair| failed(pair[0])).collect();
        // One trial a tree, its first: a tree that is broken fails as often as somebody tries.
        repeats.trials += u64::from(!repeated.is_empty());
        repeats.passed += u64::from(repeated.first().is_some_and(|pair| !failed(pair[1])));
        for pair in repeated {
            let ended = last[&case.execution(pair[0])] == pair[0];
            if failed(pair[1]) {
                repeats.confirmed += u64::from(ended);
                continue;
            }
            repeats.trees.insert(tree);
            if ended {
                repeats.contradicted.push(pair[0]);
            }
        }
    }
    repeats.contradicted.sort_unstable();
    repeats
}

fn finding(case: &Case, step: &str, repeats: &Repeats) -> Option<Finding> {
    let pays = odds(repeats.passed, repeats.trials);
    if repeats.trials < TRIALS || repeats.trees.len() < TREES || pays.low <= PAYS || repeats.contradicted.is_empty() {
        return None;
    }
    let pattern = case.pattern().steps.iter().find(|pattern| pattern.step == step && pattern.machine.is_none())?;
    let once_ms = pattern.duration_ms?.p50;
    let whole_ms = case.pattern().duration_ms?.p50;
    let turned = repeats.contradicted.len() as u64;
    let weekly = case.weekly() / 60_000.0;
    // A turned failure saves a whole new execution, a confirmed one costs one more attempt; of others nothing is known.
    let Estimate { gain, confidence } =
        estimate(&rates(turned, repeats.ran), &rates(repeats.confirmed, repeats.ran), |saved, wasted| {
            weekly * (saved * whole_ms - wasted * once_ms)
        });
    let confidence = confidence.min(above(PAYS, repeats.passed, repeats.trials));
    Some(Finding {
        rule: "retry",
        step: Some(step.to_owned()),
        title: format!("retry `{step}` of `{}` once when it fails", case.workflow),
        rationale: format!(
            "on {} of {} trees a failure passed when the same command ran again ({} to {}, 90 % interval); \
             {turned} of {} executions failed that a retry of {} would have turned, each costing a new run of {}",
            repeats.passed,
            repeats.trials,
            percent(pays.low),
            percent(pays.high),
            repeats.ran,
            duration(once_ms),
            duration(whole_ms),
        ),
        evidence: repeats.contradicted.iter().map(|row| case.execution(*row)).collect(),
        n: repeats.trials,
        estimate: Estimate { gain, confidence },
        effort_minutes: 5.0,
        risk: Risk::Medium,
        change: Some(Change {
            key: format!("steps.{step}.retry"),
            value: "{ attempts = 2, backoff = \"2s\" }".to_owned(),
        }),
    })
}
