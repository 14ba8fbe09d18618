//! An execution run again in simulation: the graph that it had, with the times that its steps took.

use std::collections::BTreeMap;
use std::ops::Range;

use super::{WorkflowPattern, hints};
use crate::plan::{self, Hints, Limits, Plan};
use crate::scan::History;
use crate::workflow::{Step, StepId, Workflow};

/// What one execution's steps took.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Past {
    pub execution: usize,
    /// In the order of the plan's steps.
    pub durations_ms: Vec<f64>,
    /// Processor time of all steps; their duration where it is unknown.
    pub busy_ms: f64,
}

/// Returns the processors of a machine class such as `linux-x86_64-8c-16g`.
pub(crate) fn cores(machine: &str) -> Option<u32> {
    machine.split('-').find_map(|part| part.strip_suffix('c')?.parse().ok()).filter(|cores| *cores > 0)
}

/// Returns the memory of a machine class such as `linux-x86_64-8c-16g`, in bytes.
pub(crate) fn memory_bytes(machine: &str) -> Option<f64> {
    let gib: u32 = machine.split('-').find_map(|part| part.strip_suffix('g')?.parse().ok())?;
    (gib > 0).then(|| f64::from(gib) * f64::from(1 << 30))
}

/// Returns the plan of the graph that an execution with these `rows` had, without one need of a step where that is given;
/// the step then needs what that one needed.
pub(crate) fn plan_of(
    history: &History,
    rows: Range<usize>,
    pattern: Option<(&WorkflowPattern, &str)>,
    slots: u32,
    without: Option<(&str, &str)>,
) -> Option<Plan> {
    let attempts = &history.attempts;
    let text = |name| history.names.text(name);
    let mut steps: BTreeMap<&str, Step> = BTreeMap::new();
    for row in rows {
        let id = text(attempts.step[row]);
        let needs = &attempts.needs_lists[attempts.needs[row] as usize];
        steps.entry(id).or_insert_with(|| Step::new(id, "", needs.iter().map(|need| text(*need))));
    }
    if let Some((step, need)) = without {
        let inherited = steps.get(need).map(|need| need.needs.clone()).unwrap_or_default();
        if let Some(step) = steps.get_mut(step) {
            step.needs.retain(|known| known.as_str() != need);
            step.needs.extend(inherited);
            step.needs.sort_unstable();
            step.needs.dedup();
        }
    }
    // Steps that were skipped left no attempt, and nobody waited for them.
    let known: Vec<StepId> = steps.values().map(|step| step.id.clone()).collect();
    for step in steps.values_mut() {
        step.needs.retain(|need| known.contains(need));
    }
    let workflow = Workflow {
        name: pattern.map_or_else(String::new, |(pattern, _)| pattern.workflow.clone()),
        steps: steps.into_values().collect(),
        ..Workflow::default()
    };
    let known = pattern.map_or_else(Hints::default, |(pattern, machine)| hints(pattern, machine));
    plan::plan(&workflow, &known, &Limits { slots, ..Limits::default() }).ok()
}

/// Returns what an execution's steps took; `None` where it had other steps than the plan, or several attempts.
pub(crate) fn past(history: &History, rows: Range<usize>, plan: &Plan) -> Option<Past> {
    let attempts = &history.attempts;
    let execution = attempts.execution[rows.clone().next()?] as usize;
    let mut by_step: BTreeMap<&str, usize> = BTreeMap::new();
    for row in rows {
        let step = history.names.text(attempts.step[row]);
        if by_step.insert(step, row).is_some() || !attempts.duration_ms[row].is_finite() {
            return None;
        }
    }
    if by_step.len() != plan.steps.len() || !history.executions.duration_ms[execution].is_finite() {
        return None;
    }
    let rows: Vec<usize> =
        plan.steps.iter().map(|step| by_step.get(step.id().as_str()).copied()).collect::<Option<_>>()?;
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
