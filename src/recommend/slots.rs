//! Rule `slots`: more slots, where simulating recent executions with them is faster than simulating them as they were.

use super::case::{Case, Finding};
use super::gain::{estimate, means};
use super::words::duration;
use super::{Change, Risk};
use crate::learn::again::{Past, cores, past, plan_of};
use crate::learn::median;
use crate::plan;

/// Latest passed executions that are simulated, at most and at least.
const EXECUTIONS: (usize, usize) = (50, 5);

/// A simulation is believed where it comes this close to the time that was taken.
const BELIEVED: f64 = 0.15;

/// The share of the wall time that more slots have to save.
const WORTH: f64 = 0.05;

/// Returns a finding where twice the slots save time in simulation.
pub(super) fn findings(case: &Case) -> Vec<Finding> {
    finding(case).into_iter().collect()
}

fn finding(case: &Case) -> Option<Finding> {
    let executions = &case.history.executions;
    let passed = case.passed();
    let latest = *passed.last()?;
    let machine = case.text(executions.machine[latest]?);
    let (slots, cores) = (executions.slots[latest], f64::from(cores(machine)?));
    let steps = case.rows[latest].len();
    if slots == 0 || slots as usize >= steps {
        return None;
    }
    let alike = |execution: &usize| {
        executions.slots[*execution] == slots && executions.machine[*execution] == executions.machine[latest]
    };
    if passed.iter().filter(|execution| alike(execution)).count() < EXECUTIONS.1 {
        return None;
    }
    let plan = plan_of(case.history, case.rows[latest].clone(), Some((case.pattern(), machine)), slots, None)?;
    let recent =
        passed.iter().rev().copied().filter(alike).filter_map(|at| past(case.history, case.rows[at].clone(), &plan));
    let mut recent: Vec<Past> = recent.take(EXECUTIONS.0).collect();
    recent.reverse();
    if recent.len() < EXECUTIONS.1 {
        return None;
    }
    let more = slots.saturating_mul(2);
    let before: Vec<f64> =
        recent.iter().map(|past| plan::simulate(&plan, &past.durations_ms, slots).duration_ms()).collect();
    // However many slots there are, the machine has only so many processors.
    let wall_with_more =
        |past: &Past| plan::simulate(&plan, &past.durations_ms, more).duration_ms().max(past.busy_ms / cores);
    let saved: Vec<f64> = recent.iter().zip(&before).map(|(past, before)| before - wall_with_more(past)).collect();
    let missed: Vec<f64> = recent
        .iter()
        .zip(&before)
        .map(|(past, before)| (before / executions.duration_ms[past.execution] - 1.0).abs())
        .collect();
    let (usual, gained) = (median(&before)?, median(&saved)?);
    if median(&missed)? > BELIEVED || gained < WORTH * usual {
        return None;
    }
    let weekly = case.weekly();
    Some(Finding {
        rule: "slots",
        step: None,
        title: format!("give `{}` {more} slots instead of {slots}", case.workflow),
        rationale: format!(
            "the latest {} passed executions, simulated with {more} slots, end {} earlier than with {slots} (median, of {}; \
             simulation and reality differ by {:.0} %); never faster than {cores} processors allow",
            recent.len(),
            duration(gained),
            duration(usual),
            median(&missed)? * 100.0,
        ),
        evidence: recent.iter().map(|past| past.execution).collect(),
        n: recent.len() as u64,
        estimate: estimate(&means(&saved), &[weekly / 60_000.0], |saved, weekly| saved * weekly),
        effort_minutes: 5.0,
        risk: Risk::Low,
        change: Some(Change { key: "--slots".to_owned(), value: more.to_string() }),
    })
}
