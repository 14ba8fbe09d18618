//! What is known beforehand about a workflow's steps: learnt patterns and this repository's own history, whichever says
//! more about a step.

pub mod kept;

use std::collections::BTreeMap;

use super::history::normed;
use super::project::Project;
use super::{Context, identity};
use crate::learn::{self, Coming, Foreseen, Foresight, WorkflowPattern};
use crate::plan::{Hints, StepHint};
use crate::scan;
use crate::store;
use crate::workflow::{Step, StepId, Workflow};

/// Returns what is known about the steps of `workflow` on a machine class. What cannot be read is said, and missing.
pub fn hints(project: &Project, workflow: &Workflow, machine: &str, context: &Context) -> Hints {
    let terminal = &context.terminal;
    let written = store::toml::get::<WorkflowPattern>(&project.meow(), "patterns", &workflow.name);
    let written = written.unwrap_or_else(|error| {
        terminal.warn(&error.to_string());
        None
    });
    let speak = |pattern: &WorkflowPattern| learn::hints(pattern, machine);
    let lived = project.repository.as_ref().map(|repository| {
        let history = scan::repository(repository);
        for warning in history.repositories.iter().flat_map(|facts| &facts.warnings) {
            terminal.detail(warning);
        }
        let mut history = normed(history, project, context);
        scan::touched::touched(repository, &mut history);
        let hints = learn::outlook(&history, &workflow.name, machine);
        let transient = learn::transient::transient(&history, &workflow.name);
        let (commit, branch) = identity::place(repository, &context.settings);
        let sizes = sizes(project, workflow, context);
        let size = |step: &Step| sizes.get(&step.id).copied().or(step.inputs_bytes).map_or(f64::NAN, whole);
        let own = workflow.steps.iter().map(|step| (step.id.as_str(), size(step)));
        let series = workflow.steps.iter().filter_map(|step| Some((step.series.as_deref()?, size(step))));
        let coming = Coming {
            workflow: &workflow.name,
            machine: Some(machine),
            commit,
            // Where nothing is known of earlier changes, this one tells nothing.
            touched: if history.changes.is_empty() { None } else { repository.touched_paths().ok().flatten() },
            branch: branch.as_deref(),
            now_ms: context.settings.clock.now().as_millisecond(),
            steps: own.chain(series).collect(),
        };
        // Gone before the replay needs as much again.
        let hints = foreseen(hints, workflow, &learn::foresee(history, &coming));
        (hints, sizes, transient)
    });
    let (lived, sizes, transient) = lived.unwrap_or_default();
    let mut hints = merge(written.as_ref().map(speak).unwrap_or_default(), lived);
    for (step, bytes) in sizes {
        hints.steps.entry(step).or_default().inputs_bytes = Some(bytes);
    }
    for (step, known) in transient {
        hints.steps.entry(StepId(step)).or_default().transient = known;
    }
    hints
}

/// Returns the bytes of the inputs of the steps that declare some and will run; what cannot be measured is said.
fn sizes(project: &Project, workflow: &Workflow, context: &Context) -> BTreeMap<StepId, u64> {
    let declared = workflow.steps.iter().filter(|step| !step.inputs.is_empty() && step.skip.is_none());
    let measured = declared.filter_map(|step| {
        let unknown = |why: &str| {
            context.terminal.warn(&format!("the size of the inputs of step `{}` is unknown: {why}", step.id.as_str()));
            None
        };
        match scan::inputs::bytes(&project.root, &step.inputs) {
            Ok(Some(bytes)) => Some((step.id.clone(), bytes)),
            Ok(None) => unknown("they are too many files"),
            Err(error) => unknown(&error.to_string()),
        }
    });
    measured.collect()
}

#[expect(clippy::cast_precision_loss, reason = "bytes stay far below 2^53")]
fn whole(bytes: u64) -> f64 {
    bytes as f64
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a cast of a float saturates")]
fn rounded_up(bytes: f64) -> u64 {
    bytes.ceil() as u64
}

/// Returns the hints with what the replay says of the coming attempts in place of what holds for attempts in general; of a
/// step that never ran, what it says of the step's series.
fn foreseen(mut hints: Hints, workflow: &Workflow, foresight: &Foresight) -> Hints {
    let (own, series) = foresight.steps.split_at(workflow.steps.len().min(foresight.steps.len()));
    let mut series = series.iter();
    for (step, own) in workflow.steps.iter().zip(own) {
        let series = step.series.as_ref().and_then(|_| series.next());
        let said = series.filter(|series| own.n == 0 && series.n > 0).unwrap_or(own);
        let Foreseen { duration_ms, failure, cpus, memory_bytes, .. } = *said;
        if duration_ms.is_some() || failure.is_some() || cpus.is_some() {
            let hint = hints.steps.entry(step.id.clone()).or_default();
            hint.duration_ms = duration_ms.or(hint.duration_ms);
            hint.failure = failure.or(hint.failure);
            hint.cpus = cpus;
            hint.peak_memory_bytes = memory_bytes.map(rounded_up).or(hint.peak_memory_bytes);
        }
    }
    Hints { order: foresight.order, ..hints }
}

/// Takes for each step the hint that rests on more samples; of equal ones that of what was lived, which knows where and
/// when the step will run.
fn merge(written: Hints, lived: Hints) -> Hints {
    let mut steps: BTreeMap<_, StepHint> = written.steps;
    for (step, hint) in lived.steps {
        let held = steps.entry(step).or_default();
        if samples(&hint) >= samples(held) {
            *held = hint;
        }
    }
    Hints { steps, order: lived.order.or(written.order) }
}

fn samples(hint: &StepHint) -> (u64, u64) {
    (hint.duration_ms.map_or(0, |duration| duration.n), hint.failure.map_or(0, |odds| odds.n))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Interval;

    #[test]
    fn the_one_with_more_samples_speaks() {
        let hints = |known: &[(&str, f64, u64)]| Hints {
            steps: known
                .iter()
                .map(|&(id, p50, n)| {
                    let duration_ms = Some(Interval { p10: p50, p50, p90: p50, n });
                    (StepId(id.to_owned()), StepHint { duration_ms, ..StepHint::default() })
                })
                .collect(),
            order: None,
        };
        let found = merge(
            hints(&[("a", 1.0, 9), ("b", 1.0, 2), ("d", 1.0, 4)]),
            hints(&[("a", 2.0, 3), ("b", 2.0, 3), ("c", 2.0, 1), ("d", 2.0, 4)]),
        );
        assert_eq!(found, hints(&[("a", 1.0, 9), ("b", 2.0, 3), ("c", 2.0, 1), ("d", 2.0, 4)]));
    }
}
