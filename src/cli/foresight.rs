//! What is known beforehand about a workflow's steps: learnt patterns and this repository's own history, whichever says
//! more about a step.

use std::collections::BTreeMap;

use super::project::Project;
use super::terminal::Terminal;
use crate::learn::{self, WorkflowPattern};
use crate::plan::{Hints, StepHint};
use crate::scan;
use crate::store;

/// Returns what is known about the steps of `workflow` on a machine class. What cannot be read is said, and missing.
pub fn hints(project: &Project, workflow: &str, machine: &str, terminal: &Terminal) -> Hints {
    let written = store::toml::get::<WorkflowPattern>(&project.meow(), "patterns", workflow).unwrap_or_else(|error| {
        terminal.warn(&error.to_string());
        None
    });
    let lived = project.repository.as_ref().and_then(|repository| {
        let history = scan::repository(repository);
        for warning in history.repositories.iter().flat_map(|facts| &facts.warnings) {
            terminal.detail(warning);
        }
        learn::learn(learn::State::default(), &history).1.workflows.remove(workflow)
    });
    let speak = |pattern: Option<WorkflowPattern>| pattern.map(|pattern| learn::hints(&pattern, machine));
    merge(speak(written).unwrap_or_default(), speak(lived).unwrap_or_default())
}

/// Takes for each step the hint that rests on more samples.
fn merge(one: Hints, other: Hints) -> Hints {
    let mut steps: BTreeMap<_, StepHint> = one.steps;
    for (step, hint) in other.steps {
        let held = steps.entry(step).or_default();
        if samples(&hint) > samples(held) {
            *held = hint;
        }
    }
    Hints { steps }
}

fn samples(hint: &StepHint) -> (u64, u64) {
    (hint.duration_ms.map_or(0, |duration| duration.n), hint.failure.map_or(0, |odds| odds.n))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Interval;
    use crate::workflow::StepId;

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
        };
        let found =
            merge(hints(&[("a", 1.0, 9), ("b", 1.0, 2)]), hints(&[("a", 2.0, 3), ("b", 2.0, 3), ("c", 2.0, 1)]));
        assert_eq!(found, hints(&[("a", 1.0, 9), ("b", 2.0, 3), ("c", 2.0, 1)]));
    }
}
