//! Takes back what was done: the `undo` commands of the steps that passed, the last one first.

use std::sync::mpsc::Receiver;

use rustix::process::Signal;

use super::{Drive, Wake};
use crate::execute::event::{Ending, Event};
use crate::execute::process::{Account, Process};
use crate::plan::StepIndex;

impl Drive<'_> {
    /// Runs the undo commands of a failed execution one after the other; one that fails keeps none of the others from
    /// running. A person who stops the execution ends them.
    pub(super) fn undo(&self, wakes: &Receiver<Wake>) {
        let (passed, pulls, failed) = {
            let mut state = self.state();
            (std::mem::take(&mut state.passed), state.pulls, state.dispatcher.failed())
        };
        if failed == 0 || pulls > 0 {
            return;
        }
        let exit = self.exit();
        for step in passed.into_iter().rev() {
            let Some(command) = &self.plan.steps[step.at()].step.undo else { continue };
            if self.stop.pulls() > pulls {
                return;
            }
            let started = self.clock.elapsed();
            let ending = match self.launch(step, "undo", command, &exit) {
                Ok(process) => self.await_undo(process, wakes),
                Err(reason) => Ending::NotStarted { reason },
            };
            if let Some(outlet) = &exit.outlet {
                outlet.finish(&|error| self.lose(error));
            }
            let duration_ms = self.clock.elapsed().saturating_sub(started).as_secs_f64() * 1e3;
            self.undone(step, duration_ms, ending);
        }
    }

    fn await_undo(&self, process: Process, wakes: &Receiver<Wake>) -> Ending {
        std::thread::scope(|scope| {
            let wake = self.wake.clone();
            scope.spawn(move || {
                process.wait();
                // Whoever waits for it is below.
                let _ = wake.send(Wake::Undone);
            });
            while let Ok(Wake::Look) = wakes.recv() {
                match self.stop.pulls() {
                    0 => {}
                    1 => process.signal(Signal::TERM),
                    _ => process.signal(Signal::KILL),
                }
            }
        });
        process.reap(&Account::of(process.id())).0
    }

    fn undone(&self, step: StepIndex, duration_ms: f64, ending: Ending) {
        let step = self.plan.steps[step.at()].id().clone();
        self.state().events.push(Event::StepUndone { step, duration_ms, ending });
        self.tell();
    }
}
