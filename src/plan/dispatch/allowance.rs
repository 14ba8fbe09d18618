//! What others on the machine leave to an execution: bounds that move while it runs.

use super::Dispatcher;

/// What an execution may use now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Allowance {
    pub running: usize,
    pub others_memory_bytes: u64,
}

impl Allowance {
    pub const ALL: Self = Self { running: usize::MAX, others_memory_bytes: 0 };
}

impl Dispatcher<'_> {
    /// Sets how many attempts may run at once from now on, besides the slots, and how much of the memory others use. What
    /// runs goes on.
    pub fn allow(&mut self, running: u32, others_memory_bytes: u64) {
        let allowance = Allowance { running: running.max(1) as usize, others_memory_bytes };
        if allowance != self.allowance {
            self.allowance = allowance;
            self.wake_starved();
        }
    }

    /// Returns whether something waits for what others use: it could start if they used less.
    pub fn is_held_back(&self) -> bool {
        let waits = !self.ready.is_empty() && !self.free.is_empty() && self.running >= self.allowance.running;
        !self.halted && (waits || (!self.starved.is_empty() && self.allowance.others_memory_bytes > 0))
    }

    /// Returns the memory that running attempts are expected to use, in bytes.
    pub fn memory_bytes(&self) -> u64 {
        self.memory_bytes
    }
}

#[cfg(test)]
mod tests {
    use crate::plan::graph::tests::{limits, workflow};
    use crate::plan::{Dispatcher, Hints, Limits, Verdict, plan};

    #[test]
    fn what_others_use_is_kept_free_and_given_back() {
        let plan = plan(&workflow(&["a", "b", "c"]), &Hints::default(), &limits(3)).expect("a plan");
        let mut dispatcher = Dispatcher::new(&plan, 3, false);
        dispatcher.allow(0, 0);
        let first = dispatcher.next(0).expect("one always gets on");
        assert_eq!((dispatcher.next(0), dispatcher.is_held_back()), (None, true));
        dispatcher.allow(2, 0);
        assert!(dispatcher.next(0).is_some() && dispatcher.next(0).is_none() && dispatcher.is_held_back());
        dispatcher.finish(first.step, Verdict::Passed, 1, 0.5);
        assert!(dispatcher.next(1).is_some() && !dispatcher.is_held_back(), "nothing is left to wait");
    }

    #[test]
    fn memory_that_others_use_is_waited_for() {
        let mut workflow = workflow(&["a", "b"]);
        for step in &mut workflow.steps {
            step.resources.memory_bytes = Some(40);
        }
        let limits = Limits { slots: 2, cpus: None, memory_bytes: Some(100) };
        let plan = plan(&workflow, &Hints::default(), &limits).expect("a plan");
        let mut dispatcher = Dispatcher::new(&plan, 2, false);
        dispatcher.allow(2, 50);
        assert!(dispatcher.next(0).is_some(), "the first runs whatever others use");
        assert_eq!((dispatcher.next(0), dispatcher.is_held_back(), dispatcher.memory_bytes()), (None, true, 40));
        dispatcher.allow(2, 20);
        assert!(dispatcher.next(0).is_some() && !dispatcher.is_held_back());
    }
}
