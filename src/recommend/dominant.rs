//! Rule `dominant-step`: one step of several holds up most of the wall time of nearly every execution.

use std::collections::BTreeSet;

use super::Risk;
use super::case::{Case, Finding};
use super::gain::{estimate, means};
use super::words::{duration, percent};
use crate::learn::beta::{above, odds};
use crate::learn::held::{DOMINATES, Held, held};
use crate::learn::median;
use crate::scan::Name;

/// Latest passed executions that are looked at, at least.
const FEW: usize = 5;

/// What splitting a step takes, in minutes.
const EFFORT: f64 = 120.0;

/// Returns a finding where a step dominates most executions and splitting it in two pays within a year.
pub(super) fn findings(case: &Case) -> Vec<Finding> {
    let recent = held(case.history, case.rows, case.executions());
    let steps: BTreeSet<Name> = recent.iter().flat_map(|past| past.roles.keys().copied()).collect();
    if recent.len() < FEW || steps.len() < 2 {
        return Vec::new();
    }
    steps.into_iter().filter_map(|step| finding(case, step, &recent)).collect()
}

fn finding(case: &Case, step: Name, recent: &[Held]) -> Option<Finding> {
    let shares: Vec<f64> = recent.iter().map(|past| past.share(step)).collect();
    let most = |share: &f64| *share >= DOMINATES;
    let dominated = shares.iter().filter(|share| most(share)).count() as u64;
    let n = recent.len() as u64;
    if odds(dominated, n).low <= 0.5 {
        return None;
    }
    let saved: Vec<f64> =
        recent.iter().map(|past| (past.timeline.wall_ms - past.timeline.wall_if(step, 0.5)) / 60_000.0).collect();
    let weekly = case.weekly();
    let mut estimate = estimate(&means(&saved), &[weekly], |saved, weekly| saved * weekly);
    if estimate.gain.low * 52.0 < EFFORT {
        return None;
    }
    estimate.confidence = estimate.confidence.min(above(0.5, dominated, n));
    let step = case.text(step);
    Some(Finding {
        rule: "dominant-step",
        step: Some(step.to_owned()),
        title: format!("split `{step}` of `{}`: it decides how long the workflow takes", case.workflow),
        rationale: format!(
            "in {dominated} of the latest {n} passed executions it alone held up {} or more of the wall time (median {}); \
             two halves side by side would have saved {} an execution",
            percent(DOMINATES),
            percent(median(&shares)?),
            duration(median(&saved)? * 60_000.0),
        ),
        evidence: recent.iter().zip(&shares).filter(|(_, share)| most(share)).map(|(past, _)| past.execution).collect(),
        n,
        estimate,
        effort_minutes: EFFORT,
        risk: Risk::High,
        change: None,
    })
}
