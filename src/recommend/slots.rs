//! Rule `slots`: more slots, where simulating recent executions with them is faster than simulating them as they were.

use std::collections::BTreeMap;

use super::case::{Case, Finding};
use super::gain::{estimate, means};
use super::words::duration;
use super::{Change, Risk};
use crate::learn::{hints, median};
use crate::plan::{self, Limits, Plan};
use crate::workflow::{Resources, Step, StepId, Workflow};

/// Latest passed executions that are simulated, at most and at least.
const EXECUTIONS: (usize, usize) = (50, 5);

/// A simulation is believed where it comes this close to the time that was taken.
const BELIEVED: f64 = 0.15;

/// The share of the wall time that more slots have to save.
const WORTH: f64 = 0.05;

/// One execution of the workflow's present shape.
struct Past {
    execution: usize,
    durations_ms: Vec<f64>,
    /// Processor time of all steps; their duration where it is unknown.
    busy_ms: f64,
}

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
    let plan = plan_of(case, latest, slots, machine)?;
    let alike = |execution: &usize| {
        executions.slots[*execution] == slots && executions.machine[*execution] == executions.machine[latest]
    };
    let recent = passed.iter().rev().copied().filter(alike).filter_map(|execution| past(case, &plan, execution));
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
    let weekly = case.pattern.executions_per_week;
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

/// Returns the processors of a machine class such as `linux-x86_64-8c-16g`.
fn cores(machine: &str) -> Option<u32> {
    machine.split('-').find_map(|part| part.strip_suffix('c')?.parse().ok()).filter(|cores| *cores > 0)
}

/// Returns the plan of the graph that an execution had.
fn plan_of(case: &Case, execution: usize, slots: u32, machine: &str) -> Option<Plan> {
    let attempts = &case.history.attempts;
    let mut steps: BTreeMap<&str, Step> = BTreeMap::new();
    for row in case.rows[execution].clone() {
        let id = case.text(attempts.step[row]);
        let needs = &attempts.needs_lists[attempts.needs[row] as usize];
        steps.entry(id).or_insert_with(|| step(id, needs.iter().map(|need| case.text(*need)).collect()));
    }
    // Steps that were skipped left no attempt, and nobody waited for them.
    let known: Vec<StepId> = steps.values().map(|step| step.id.clone()).collect();
    for step in steps.values_mut() {
        step.needs.retain(|need| known.contains(need));
    }
    let workflow = Workflow {
        name: case.workflow.to_owned(),
        description: String::new(),
        recorded_variables: BTreeMap::new(),
        steps: steps.into_values().collect(),
        warnings: Vec::new(),
    };
    plan::plan(&workflow, &hints(case.pattern, machine), &Limits { slots, ..Limits::default() }).ok()
}

fn step(id: &str, needs: Vec<&str>) -> Step {
    Step {
        id: StepId(id.to_owned()),
        title: id.to_owned(),
        description: String::new(),
        run: Some(String::new()),
        template: None,
        needs: needs.into_iter().map(|need| StepId(need.to_owned())).collect(),
        skip: None,
        timeout: None,
        retry: None,
        resources: Resources::default(),
        locks: Vec::new(),
        env: BTreeMap::new(),
        undo: None,
    }
}

/// Returns an execution's durations in the order of the plan; `None` where it had other steps, or several attempts.
fn past(case: &Case, plan: &Plan, execution: usize) -> Option<Past> {
    let attempts = &case.history.attempts;
    let mut rows: BTreeMap<&str, usize> = BTreeMap::new();
    for row in case.rows[execution].clone() {
        if rows.insert(case.text(attempts.step[row]), row).is_some() || !attempts.duration_ms[row].is_finite() {
            return None;
        }
    }
    if rows.len() != plan.steps.len() || !case.history.executions.duration_ms[execution].is_finite() {
        return None;
    }
    let rows: Vec<usize> =
        plan.steps.iter().map(|step| rows.get(step.id().as_str()).copied()).collect::<Option<_>>()?;
    let busy =
        |row: usize| if attempts.cpu_ms[row].is_finite() { attempts.cpu_ms[row] } else { attempts.duration_ms[row] };
    Some(Past {
        execution,
        busy_ms: rows.iter().map(|row| busy(*row)).sum(),
        durations_ms: rows.iter().map(|row| attempts.duration_ms[*row]).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processors_of_a_machine_class() {
        for (machine, expected) in
            [("linux-x86_64-8c-16g", Some(8)), ("macos-aarch64-10c-32g", Some(10)), ("ci", None), ("linux-0c", None)]
        {
            assert_eq!(cores(machine), expected, "{machine}");
        }
    }
}
