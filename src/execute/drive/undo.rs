//! Takes back what was done: the `undo` commands of the steps that passed, the last one first.

use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use rustix::process::Signal;

use super::{Drive, Wake};
use crate::execute::event::{Ending, Event};
use crate::execute::process::{Account, Process};
use crate::plan::StepIndex;

/// How long an undo command may take at most where its step declares no time limit.
const LONGEST: Duration = Duration::from_mins(10);

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
            let ending = match self.launch(step, "undo", command, (&exit, None)) {
                Ok(process) => self.await_undo(process, self.limit_of(step), wakes),
                Err(reason) => Ending::NotStarted { reason },
            };
            if let Some(outlet) = &exit.outlet {
                outlet.finish(&|error| self.lose(error));
            }
            let duration_ms = self.clock.elapsed().saturating_sub(started).as_secs_f64() * 1e3;
            self.undone(step, duration_ms, ending);
        }
    }

    /// Returns how long the undo command of a step may take: as long as the step declares for itself, else ten minutes.
    fn limit_of(&self, step: StepIndex) -> Duration {
        self.plan.steps[step.at()].step.timeout.unwrap_or(LONGEST)
    }

    fn await_undo(&self, process: Process, limit: Duration, wakes: &Receiver<Wake>) -> Ending {
        let began = self.clock.elapsed();
        let mut due = began.saturating_add(limit);
        let (mut asked, mut timed_out) = (false, false);
        std::thread::scope(|scope| {
            let wake = self.wake.clone();
            scope.spawn(move || {
                // Nobody can answer what it asks on the terminal.
                process.wait(&|_| process.signal(Signal::KILL));
                // Whoever waits for it is below.
                let _ = wake.send(Wake::Undone);
            });
            loop {
                match wakes.recv_timeout(due.saturating_sub(self.clock.elapsed())) {
                    Ok(Wake::Look) => match self.stop.pulls() {
                        1 if !asked => {
                            process.signal(Signal::TERM);
                            asked = true;
                            due = self.clock.elapsed().saturating_add(self.options.grace);
                        }
                        0 | 1 => {}
                        _ => process.signal(Signal::KILL),
                    },
                    // The channel stays open as long as `self`.
                    Ok(Wake::Undone) | Err(RecvTimeoutError::Disconnected) => return,
                    Err(RecvTimeoutError::Timeout) => {
                        process.signal(if asked { Signal::KILL } else { Signal::TERM });
                        timed_out |= !asked;
                        asked = true;
                        due = self.clock.elapsed().saturating_add(self.options.grace);
                    }
                }
            }
        });
        let ending = process.reap(&Account::of(process.id())).0;
        if timed_out {
            return Ending::TimedOut { limit_ms: u64::try_from(limit.as_millis()).unwrap_or(u64::MAX) };
        }
        ending
    }

    fn undone(&self, step: StepIndex, duration_ms: f64, ending: Ending) {
        let step = self.plan.steps[step.at()].id().clone();
        self.state().events.push(Event::StepUndone { step, duration_ms, ending });
        self.tell();
    }
}
