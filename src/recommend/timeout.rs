//! Rule `timeout`: attempts that hung far beyond anything that ever passed, and what a learnt limit would have saved.

use super::case::{Case, Finding};
use super::gain::{estimate, rates};
use super::words::duration;
use super::{Change, Risk};
use crate::learn::hints::SLOW_FLOOR_MS;
use crate::learn::slow_ms;
use crate::record::Outcome;

/// Executions in which the step hung, at least.
const HUNG: usize = 2;

/// An attempt hung where it ran this many times the learnt limit and did not pass.
const BEYOND: f64 = 1.5;

/// Returns a finding for each step that hung and whose time limit can be learnt.
pub(super) fn findings(case: &Case) -> Vec<Finding> {
    case.steps().iter().filter_map(|(step, rows)| finding(case, step, rows)).collect()
}

fn finding(case: &Case, step: &str, rows: &[usize]) -> Option<Finding> {
    let attempts = &case.history.attempts;
    let is_hung = |row: &usize, limit_ms: f64| {
        attempts.outcome[*row] != Outcome::Passed
            && attempts.duration_ms[*row].is_finite()
            && attempts.duration_ms[*row] > BEYOND * limit_ms
    };
    // No limit is below that floor, and most steps never take so long.
    if rows.iter().filter(|row| is_hung(row, SLOW_FLOOR_MS)).count() < HUNG {
        return None;
    }
    let pattern = case.pattern().steps.iter().find(|pattern| pattern.step == step && pattern.machine.is_none())?;
    let seconds = (slow_ms(pattern)? / 1000.0).ceil();
    let limit_ms = seconds * 1000.0;
    let hung: Vec<usize> = rows.iter().copied().filter(|row| is_hung(row, limit_ms)).collect();
    let mut evidence: Vec<usize> = hung.iter().map(|row| case.execution(*row)).collect();
    evidence.dedup();
    if evidence.len() < HUNG {
        return None;
    }
    let saved: Vec<f64> = hung.iter().map(|row| (attempts.duration_ms[*row] - limit_ms) / 60_000.0).collect();
    let longest = hung.iter().map(|row| attempts.duration_ms[*row]).fold(0.0, f64::max);
    let weekly = case.weekly();
    let share = rates(hung.len() as u64, rows.len() as u64);
    Some(Finding {
        rule: "timeout",
        step: Some(step.to_owned()),
        title: format!("stop `{step}` of `{}` after {}", case.workflow, duration(limit_ms)),
        rationale: format!(
            "{} of {} attempts ran up to {} and did not pass; the longest of {} that passed took {}",
            hung.len(),
            rows.len(),
            duration(longest),
            pattern.attempts - pattern.failed,
            duration(pattern.longest_ms?),
        ),
        evidence,
        n: rows.len() as u64,
        estimate: estimate(&share, &saved, |share, saved| weekly * share * saved),
        effort_minutes: 5.0,
        risk: Risk::Low,
        change: Some(Change { key: format!("steps.{step}.timeout"), value: format!("\"{seconds}s\"") }),
    })
}
