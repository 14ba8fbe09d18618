//! The plan of an execution that goes on with an earlier one: what had passed there is not run again.

use std::collections::BTreeMap;

use super::graph::{Plan, Skip};
use crate::workflow::StepId;

/// How far an earlier execution came.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Resumed {
    /// Its id for people.
    pub execution: String,
    /// Steps that passed and need not run again, in the order of their ends.
    pub passed: Vec<StepId>,
    /// By step: the number of its last attempt.
    pub tried: BTreeMap<StepId, u32>,
}

impl Plan {
    /// Returns the plan of what is left to do.
    #[must_use]
    pub fn resume(mut self, resumed: &Resumed) -> Self {
        for step in &resumed.passed {
            let Ok(index) = self.find(step.as_str()) else { continue };
            let planned = &mut self.steps[index.at()];
            if planned.skip.is_none() {
                planned.skip = Some(Skip::Passed(resumed.execution.clone()));
                self.passed.push(index);
            }
        }
        for planned in &mut self.steps {
            planned.tried = resumed.tried.get(planned.id()).copied().unwrap_or(0);
        }
        self.measure();
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::graph::tests::{limits, workflow};
    use crate::plan::{Dispatcher, Hints, Verdict, plan};
    use crate::workflow::Retry;

    #[test]
    fn what_passed_is_left_out_and_attempts_count_on() {
        let mut workflow = workflow(&["a", "b:a", "c:b"]);
        workflow.steps[1].retry =
            Some(Box::new(Retry { attempts: 2, backoff: std::time::Duration::ZERO, on: Vec::new() }));
        let id = |text: &str| StepId(text.to_owned());
        let resumed = Resumed {
            execution: "3fa9".to_owned(),
            passed: vec![id("a"), id("gone")],
            tried: BTreeMap::from([(id("a"), 1), (id("b"), 3)]),
        };
        let plan = plan(&workflow, &Hints::default(), &limits(1)).expect("a plan").resume(&resumed);
        assert_eq!(plan.steps[0].skip, Some(Skip::Passed("3fa9".to_owned())));
        assert_eq!((plan.passed.len(), plan.prediction.steps), (1, 2));
        let mut dispatcher = Dispatcher::new(&plan, 1, false);
        let start = dispatcher.next(0).expect("b");
        assert_eq!((plan.steps[start.step.at()].id().as_str(), start.attempt), ("b", 4));
        let retry =
            dispatcher.finish(start.step, Verdict::Signaled, 0, 0.5).expect("its own policy still holds in full");
        assert_eq!(retry.attempt, 5);
        let again = dispatcher.next(0).expect("b again");
        assert_eq!((dispatcher.finish(again.step, Verdict::Signaled, 0, 0.5), dispatcher.failed()), (None, 1));
    }
}
