//! Rule `dominant-step`: one step of several holds up most of the wall time of nearly every execution.

use std::collections::BTreeMap;

use super::Risk;
use super::case::{Case, Finding};
use super::gain::{estimate, means};
use super::words::{duration, percent};
use crate::learn::beta::{above, odds};
use crate::learn::median;
use crate::learn::timeline::{Role, Timeline};
use crate::scan::Name;

/// Latest passed executions that are looked at, at most and at least.
const EXECUTIONS: (usize, usize) = (100, 5);

/// A step dominates an execution in which it alone holds up this share of the wall time.
const SHARE: f64 = 0.6;

/// What splitting a step takes, in minutes.
const EFFORT: f64 = 120.0;

/// One passed execution.
struct Past {
    execution: usize,
    timeline: Timeline,
    roles: BTreeMap<Name, Role>,
}

/// Returns a finding where a step dominates most executions and splitting it in two pays within a year.
pub(super) fn findings(case: &Case) -> Vec<Finding> {
    let passed = case.passed();
    let recent = &passed[passed.len().saturating_sub(EXECUTIONS.0)..];
    if recent.len() < EXECUTIONS.1 {
        return Vec::new();
    }
    let timelines: Vec<Past> = recent
        .iter()
        .map(|at| {
            let timeline = Timeline::of(case.history, case.rows[*at].clone());
            Past { execution: *at, roles: timeline.roles(), timeline }
        })
        .collect();
    let mut steps: Vec<Name> =
        recent.iter().flat_map(|at| case.history.attempts.step[case.rows[*at].clone()].to_vec()).collect();
    steps.sort_by_key(|step| case.text(*step));
    steps.dedup();
    if steps.len() < 2 {
        return Vec::new();
    }
    steps.into_iter().filter_map(|step| finding(case, step, &timelines)).collect()
}

fn finding(case: &Case, step: Name, timelines: &[Past]) -> Option<Finding> {
    let shares: Vec<f64> = timelines
        .iter()
        .map(|past| past.roles.get(&step).map_or(0.0, |role| role.held_ms / past.timeline.wall_ms.max(1.0)))
        .collect();
    let most = |share: &f64| *share >= SHARE;
    let dominated = shares.iter().filter(|share| most(share)).count() as u64;
    let n = timelines.len() as u64;
    if odds(dominated, n).low <= 0.5 {
        return None;
    }
    let saved: Vec<f64> =
        timelines.iter().map(|past| (past.timeline.wall_ms - past.timeline.wall_if(step, 0.5)) / 60_000.0).collect();
    let weekly = case.pattern.executions_per_week;
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
            percent(SHARE),
            percent(median(&shares)?),
            duration(median(&saved)? * 60_000.0),
        ),
        evidence: timelines
            .iter()
            .zip(&shares)
            .filter(|(_, share)| most(share))
            .map(|(past, _)| past.execution)
            .collect(),
        n,
        estimate,
        effort_minutes: EFFORT,
        risk: Risk::High,
        change: None,
    })
}
