//! The steps of an execution as they were planned, so that another process can tell what is left of it while it runs.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Attempt, Outcome};
use crate::plan::Plan;
use crate::plan::pace::{Pace, Task};

/// What is going to run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Outline {
    /// Attempts that may run at once.
    pub slots: u32,
    /// Whether steps that do not depend on a failed one still start.
    pub keep_going: bool,
    /// The steps, in the order of the workflow.
    pub steps: Vec<Foreseen>,
}

/// A step that is going to run, or was left out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Foreseen {
    /// Its id.
    pub step: String,
    /// Its median duration, known or assumed, in milliseconds.
    pub expected_ms: f64,
    /// Whether that is known.
    pub known: bool,
    /// Whether it is left out.
    pub skipped: bool,
    /// The places of the steps that must pass first.
    pub needs: Vec<usize>,
    /// Its locks by number.
    pub locks: Vec<usize>,
}

impl Outline {
    /// Returns the outline of a plan.
    pub fn of(plan: &Plan, keep_going: bool) -> Self {
        let steps = plan.steps.iter().map(|step| Foreseen {
            step: step.id().to_string(),
            expected_ms: step.assumed_ms,
            known: step.hint.duration_ms.is_some(),
            skipped: step.skip.is_some(),
            needs: step.needs.iter().map(|need| need.at()).collect(),
            locks: step.locks.clone(),
        });
        Self { slots: plan.slots, keep_going, steps: steps.collect() }
    }

    /// Returns how many steps run in all.
    pub fn count(&self) -> usize {
        self.steps.iter().filter(|step| !step.skipped).count()
    }

    /// Returns the progress after these attempts, in order; `None` where nothing is known about how long steps take.
    pub fn pace(&self, attempts: &[Attempt]) -> Option<Pace> {
        if !self.steps.iter().any(|step| step.known) {
            return None;
        }
        let task = |step: &Foreseen| Task {
            expected_ms: step.expected_ms,
            known: step.known,
            needs: step.needs.clone(),
            locks: step.locks.clone(),
        };
        let mut pace = Pace::new(self.steps.iter().map(task).collect(), self.slots, self.keep_going);
        for (at, _) in self.steps.iter().enumerate().filter(|(_, step)| step.skipped) {
            pace.ended(at, 0.0, true);
        }
        let by_step: BTreeMap<&str, usize> =
            self.steps.iter().enumerate().map(|(at, step)| (step.step.as_str(), at)).collect();
        for attempt in attempts {
            let Some(&at) = by_step.get(attempt.step.as_str()) else { continue };
            match attempt.duration_ms {
                Some(took) => pace.ended(at, took, attempt.outcome == Outcome::Passed),
                None => pace.started(at, milliseconds(attempt.started_ms)),
            }
        }
        Some(pace)
    }
}

#[expect(clippy::cast_precision_loss, reason = "exact for 285,000 years")]
fn milliseconds(ms: u64) -> f64 {
    ms as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_told_from_outline_and_attempts() {
        let step = |name: &str, expected_ms, needs: &[usize]| Foreseen {
            step: name.to_owned(),
            expected_ms,
            known: true,
            skipped: name == "left-out",
            needs: needs.to_vec(),
            locks: Vec::new(),
        };
        let steps =
            vec![step("a", 100.0, &[]), step("left-out", 0.0, &[0]), step("b", 50.0, &[1]), step("c", 80.0, &[0])];
        let outline = Outline { slots: 1, keep_going: false, steps };
        assert_eq!(outline.count(), 3);
        let left = |attempts: &[Attempt], now: f64| outline.pace(attempts).expect("known").remaining_ms(now);
        assert!((left(&[], 0.0) - 230.0).abs() < 1e-9);
        let passed = Attempt { duration_ms: Some(100.0), outcome: Outcome::Passed, ..Attempt::new("a", 1) };
        let runs = Attempt { started_ms: 100, ..Attempt::new("c", 1) };
        assert!((left(&[passed.clone(), runs], 120.0) - 110.0).abs() < 1e-9);
        let failed = Attempt { duration_ms: Some(1.0), outcome: Outcome::Failed, ..Attempt::new("c", 1) };
        assert!(left(&[passed, failed], 120.0).abs() < 1e-9, "nothing more starts");
        let unknown = Outline { steps: vec![Foreseen { known: false, ..step("a", 1.0, &[]) }], ..Outline::default() };
        assert!(unknown.pace(&[]).is_none());
    }
}
