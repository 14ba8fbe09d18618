//! Takes back what was done: the `undo` commands of the steps that passed, the last one first.

use rustix::process::Signal;

use super::Drive;
use crate::execute::event::{Ending, Event};
use crate::execute::process::{Message, Process};
use crate::plan::StepIndex;

impl Drive<'_> {
    /// Runs the undo commands one after the other; one that fails keeps none of the others from running. A person
    /// who stops the execution meanwhile ends them.
    pub(super) fn undo(&mut self) {
        let plan = self.plan;
        for step in std::mem::take(&mut self.passed).into_iter().rev() {
            let Some(command) = &plan.steps[step.at()].step.undo else { continue };
            if self.stop.pulls() > self.pulls {
                return;
            }
            let started = self.clock.elapsed();
            let ending = match self.spawn(step, "undo", 0, command) {
                Ok(process) => self.await_undo(process),
                Err(reason) => Ending::NotStarted { reason },
            };
            let duration_ms = self.clock.elapsed().saturating_sub(started).as_secs_f64() * 1e3;
            self.undone(step, duration_ms, ending);
        }
    }

    fn await_undo(&self, process: Process) -> Ending {
        while let Ok(message) = self.messages.recv() {
            match message {
                Message::Ended(_) => break,
                Message::Stop if self.stop.pulls() > self.pulls + 1 => process.signal(Signal::KILL),
                Message::Stop => process.signal(Signal::TERM),
                Message::Answered(..) => {}
            }
        }
        process.reap().0
    }

    fn undone(&mut self, step: StepIndex, duration_ms: f64, ending: Ending) {
        (self.listen)(&Event::StepUndone { step: self.plan.steps[step.at()].id().clone(), duration_ms, ending });
    }
}
