//! Rule `always-fails`: a step that has failed in every recent execution, on several trees: broken, not flaky.

use super::Risk;
use super::case::{Case, Finding};
use super::gain::{Estimate, estimate, rates};
use super::words::duration;
use crate::learn::red::{Red, red};

/// How likely the step's failures before the run would have made such a run, at most.
const BY_CHANCE: f64 = 0.01;

/// Returns a finding for each step that has only failed since it last passed, if it ever did.
pub(super) fn findings(case: &Case) -> Vec<Finding> {
    case.steps().iter().filter_map(|(step, rows)| finding(case, step, &red(case.history, rows)?)).collect()
}

fn finding(case: &Case, step: &str, red: &Red) -> Option<Finding> {
    if red.passed_before && red.doubt > BY_CHANCE {
        return None;
    }
    let length = red.run.len() as u64;
    let minutes: Vec<f64> = red.run.iter().rev().map(|(_, ms)| ms / 60_000.0).collect();
    let weekly = case.weekly();
    // It need not run in each execution.
    let first = red.run.first().map_or(0, |(at, _)| *at);
    let since = case.executions().iter().filter(|at| **at >= first && !case.history.is_partial(**at)).count() as u64;
    let Estimate { gain, confidence } =
        estimate(&rates(length, since.max(length)), &minutes, |share, minutes| weekly * share * minutes);
    let total: f64 = red.run.iter().map(|(_, ms)| ms).sum();
    Some(Finding {
        rule: "always-fails",
        step: Some(step.to_owned()),
        title: format!("mend or remove `{step}` of `{}`: it always fails", case.workflow),
        rationale: format!(
            "its last {length} executions all failed, on {} different trees, and took {} in all; {}",
            red.trees,
            duration(total),
            if red.passed_before { "it passed before" } else { "it has never passed" },
        ),
        evidence: red.run.iter().map(|(at, _)| *at).collect(),
        n: length,
        estimate: Estimate { gain, confidence: confidence.min(1.0 - red.doubt) },
        effort_minutes: 60.0,
        risk: Risk::High,
        change: None,
    })
}
