//! Events to facts: what happens during an execution becomes its records. Knows no disk, and cannot fail.

use std::collections::BTreeMap;

use super::digest::Digest;
use super::outcome::Outcome;
use super::{Attempt, Execution, Predicted, grain};
use crate::execute::{Ending, Event, ExecutionOutcome, Usage};
use crate::plan::{Plan, PlannedStep};
use crate::workflow::{Step, StepId};

/// Turns the events of one execution into its facts.
#[derive(Debug)]
pub struct Recorder {
    execution: Execution,
    steps: BTreeMap<StepId, Facts>,
    /// By step that ran: the number of its last attempt.
    ran: BTreeMap<StepId, u32>,
}

/// What an event says about an attempt.
#[derive(Debug, Clone, PartialEq)]
pub enum Fact {
    /// It started; what is known by then.
    Started(Attempt),
    /// It ended.
    Finished(Attempt),
    /// What it did was taken back.
    Undone {
        /// The step.
        step: String,
        /// Its attempt that had passed.
        attempt: u32,
        /// How its `undo` command ended.
        outcome: Outcome,
    },
}

/// What is known of a step before it starts.
#[derive(Debug, Clone, Default)]
struct Facts {
    needs: Vec<String>,
    command: Option<Digest>,
    inputs_bytes: Option<u64>,
    filled: Option<Digest>,
    predicted: Option<Predicted>,
    /// Attempts of the execution that this one goes on with.
    tried: u32,
}

impl Recorder {
    /// Returns a recorder for `execution`, which follows `plan`; `filled` gives the keyed hash of [`Attempt::filled`].
    pub fn new(execution: Execution, plan: &Plan, filled: &dyn Fn(&Step) -> Option<Digest>) -> Self {
        let facts = |step: &PlannedStep| Facts {
            needs: step.needs.iter().map(|need| plan.steps[need.at()].id().to_string()).collect(),
            inputs_bytes: step.hint.inputs_bytes,
            command: command_of(&step.step),
            filled: filled(&step.step),
            predicted: predicted(step),
            tried: step.tried,
        };
        let steps = plan.steps.iter().map(|step| (step.id().clone(), facts(step))).collect();
        Self { execution, steps, ran: BTreeMap::new() }
    }

    /// Takes an event; returns what it says about an attempt, if it says something.
    pub fn take(&mut self, event: &Event) -> Option<Fact> {
        match event {
            Event::AttemptStarted { step, attempt, slot, ready_ms, started_ms } => {
                Some(Fact::Started(self.attempt(step, *attempt, *slot, *ready_ms, *started_ms)))
            }
            Event::AttemptFinished {
                step,
                attempt,
                slot,
                ready_ms,
                started_ms,
                duration_ms,
                ending,
                usage,
                error,
                metrics,
                inputs,
            } => {
                let begun = self.attempt(step, *attempt, *slot, *ready_ms, *started_ms);
                self.ran.insert(step.clone(), *attempt);
                let ended = ended(begun, *duration_ms, ending, usage);
                let error = error.map(|error| Digest::from_bytes(*error.bytes()));
                let inputs = inputs.map(Digest::from_bytes);
                Some(Fact::Finished(Attempt { error, metrics: metrics.clone(), inputs, ..ended }))
            }
            Event::StepUndone { step, ending, .. } => Some(self.undone(step, outcome(ending))),
            Event::Finished { outcome, duration_ms } => {
                self.execution.duration_ms = Some(grain::measured_ms(*duration_ms));
                self.execution.outcome = match outcome {
                    ExecutionOutcome::Passed => Outcome::Passed,
                    ExecutionOutcome::Failed => Outcome::Failed,
                    ExecutionOutcome::Cancelled => Outcome::Cancelled,
                };
                None
            }
            Event::Started { .. }
            | Event::LimitNear { .. }
            | Event::RetryScheduled { .. }
            | Event::StepSkipped { .. }
            | Event::Warned { .. } => None,
        }
    }

    /// Returns the execution as far as it is known.
    pub fn execution(&self) -> &Execution {
        &self.execution
    }

    /// Returns what is known of an attempt when it starts; should nothing more become known, it counts as cancelled.
    fn attempt(&self, step: &StepId, attempt: u32, slot: u32, ready_ms: u64, started_ms: u64) -> Attempt {
        let facts = self.steps.get(step).cloned().unwrap_or_default();
        Attempt {
            ready_ms: Some(ready_ms),
            started_ms,
            slot: Some(slot),
            needs: facts.needs,
            command: facts.command,
            inputs_bytes: facts.inputs_bytes,
            filled: facts.filled,
            predicted: facts.predicted,
            ..Attempt::new(step.to_string(), attempt)
        }
    }

    /// A step that passed in an execution before this one has no attempt here that could say that it was taken back: it
    /// gets one that never came to its end.
    fn undone(&self, step: &StepId, outcome: Outcome) -> Fact {
        if let Some(&attempt) = self.ran.get(step) {
            return Fact::Undone { step: step.to_string(), attempt, outcome };
        }
        let tried = self.steps.get(step).map_or(1, |facts| facts.tried.max(1));
        Fact::Finished(Attempt { undone: Some(outcome), ..Attempt::new(step.to_string(), tried) })
    }
}

/// Returns the hash of a step's command text before variables are filled in.
pub fn command_of(step: &Step) -> Option<Digest> {
    step.template.as_ref().or(step.run.as_ref()).map(|text| Digest::of(text.as_bytes()))
}

/// Returns whether a step's command or environment holds more than the command's text in the file.
pub fn has_values(step: &Step) -> bool {
    !step.env.is_empty() || step.template.is_some()
}

/// Returns what was predicted; a prediction is recorded where the duration was known.
fn predicted(step: &PlannedStep) -> Option<Predicted> {
    let duration = step.hint.duration_ms?;
    let failure = step.hint.failure.map_or(0.0, |odds| odds.mean);
    Some(Predicted {
        p10_ms: grain::predicted(duration.p10),
        p50_ms: grain::predicted(duration.p50),
        p90_ms: grain::predicted(duration.p90),
        failure: grain::predicted(failure),
    })
}

fn ended(begun: Attempt, duration_ms: f64, ending: &Ending, usage: &Usage) -> Attempt {
    Attempt {
        duration_ms: Some(grain::measured_ms(duration_ms)),
        outcome: outcome(ending),
        exit_code: if let Ending::Exited { code } = ending { Some(*code) } else { None },
        signal: if let Ending::Signaled { signal } = ending { Some(*signal) } else { None },
        timed_out: matches!(ending, Ending::TimedOut { .. }),
        user_ms: usage.user_ms,
        system_ms: usage.system_ms,
        peak_memory_bytes: usage.peak_memory_bytes,
        read_bytes: usage.read_bytes,
        written_bytes: usage.written_bytes,
        ..begun
    }
}

fn outcome(ending: &Ending) -> Outcome {
    match ending {
        Ending::Exited { code: 0 } => Outcome::Passed,
        Ending::Cancelled => Outcome::Cancelled,
        Ending::Exited { .. }
        | Ending::Signaled { .. }
        | Ending::TimedOut { .. }
        | Ending::OverLimit { .. }
        | Ending::NotStarted { .. } => Outcome::Failed,
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::plan::{Hints, Interval, Limits, Odds, StepHint, plan};
    use crate::record::{ExecutionId, Source};
    use crate::redact::cause::Fingerprint;
    use crate::workflow::Workflow;

    fn step(id: &str, needs: &[&str]) -> Step {
        let mut step = Step::new(id, &format!("make {id} secret"), needs.iter().copied());
        step.template = Some(format!("make {id} {{{{token}}}}"));
        step
    }

    fn recorder() -> Recorder {
        let workflow = Workflow {
            name: "ci".to_owned(),
            steps: vec![step("build", &[]), step("test", &["build"])],
            ..Workflow::default()
        };
        let hint = StepHint {
            duration_ms: Some(Interval { p10: 1.0, p50: 2.0, p90: 3.0, n: 4 }),
            failure: Some(Odds { mean: 0.25, low: 0.1, high: 0.4, n: 4 }),
            ..StepHint::default()
        };
        let hints = Hints { steps: BTreeMap::from([(StepId("test".to_owned()), hint)]), order: None };
        let plan = plan(&workflow, &hints, &Limits::default()).expect("a plan");
        let execution = Execution {
            id: ExecutionId::from_bytes([1; 12]),
            workflow: "ci".to_owned(),
            started_at: Timestamp::UNIX_EPOCH,
            duration_ms: None,
            outcome: Outcome::Cancelled,
            trigger: "person".to_owned(),
            machine: None,
            slots: Some(1),
            variables: BTreeMap::new(),
            source: Source::default(),
            resumes: None,
        };
        Recorder::new(execution, &plan, &|step| (step.id.as_str() == "test").then(|| Digest::of(b"filled")))
    }

    fn finished(step: &str, ending: Ending) -> Event {
        Event::AttemptFinished {
            step: StepId(step.to_owned()),
            attempt: 2,
            slot: 3,
            ready_ms: 4,
            started_ms: 5,
            duration_ms: 6.5,
            ending,
            usage: Usage { user_ms: Some(7), read_bytes: Some(8), ..Usage::default() },
            error: Some(Fingerprint::from_bytes([9; 12])),
            metrics: BTreeMap::from([("coverage".to_owned(), 0.5)]),
            inputs: Some([10; 12]),
        }
    }

    fn take(event: &Event) -> Attempt {
        match recorder().take(event) {
            Some(Fact::Finished(attempt)) => attempt,
            other => panic!("no end of an attempt: {other:?}"),
        }
    }

    #[test]
    fn an_attempt_that_starts_counts_as_cancelled_until_it_ends() {
        let step = StepId("test".to_owned());
        let event = Event::AttemptStarted { step, attempt: 2, slot: 3, ready_ms: 4, started_ms: 5 };
        let Some(Fact::Started(begun)) = recorder().take(&event) else { panic!("no start") };
        let end = take(&finished("test", Ending::Cancelled));
        let metrics = BTreeMap::new();
        let known = Attempt { duration_ms: None, user_ms: None, read_bytes: None, error: None, ..end };
        let unknown = Attempt { metrics, inputs: None, ..known };
        assert_eq!(begun, unknown);
    }

    #[test]
    fn an_attempt_carries_the_plan_and_the_numbers() {
        let found = take(&finished("test", Ending::Exited { code: 0 }));
        assert_eq!((found.step.as_str(), found.attempt, found.slot), ("test", 2, Some(3)));
        assert_eq!((found.ready_ms, found.started_ms, found.duration_ms), (Some(4), 5, Some(6.5)));
        assert_eq!((found.user_ms, found.read_bytes, found.written_bytes), (Some(7), Some(8), None));
        assert_eq!(found.needs, ["build"]);
        assert_eq!(found.metrics.get("coverage"), Some(&0.5));
        assert_eq!(found.error, Some(Digest::from_bytes([9; 12])));
        assert_eq!(found.inputs, Some(Digest::from_bytes([10; 12])));
        assert_eq!(found.predicted, Some(Predicted { p10_ms: 1.0, p50_ms: 2.0, p90_ms: 3.0, failure: 0.25 }));
        assert_eq!(found.filled, Some(Digest::of(b"filled")));
        assert_eq!(found.command, Some(Digest::of(b"make test {{token}}")), "the template, never the values");
        let unknown = take(&finished("build", Ending::Exited { code: 0 }));
        assert_eq!(unknown.predicted, None);
    }

    #[test]
    fn what_is_taken_back_says_so_on_the_attempt_that_passed() {
        let mut recorder = recorder();
        let undo = |step: &str| Event::StepUndone {
            step: StepId(step.to_owned()),
            duration_ms: 1.0,
            ending: Ending::Exited { code: 3 },
        };
        recorder.take(&finished("build", Ending::Exited { code: 0 }));
        let outcome = Outcome::Failed;
        assert_eq!(recorder.take(&undo("build")), Some(Fact::Undone { step: "build".to_owned(), attempt: 2, outcome }));
        let before = Attempt { undone: Some(outcome), ..Attempt::new("test", 1) };
        assert_eq!(recorder.take(&undo("test")), Some(Fact::Finished(before)), "it passed in an earlier execution");
    }

    #[test]
    fn endings() {
        let check = |ending: Ending, outcome, exit_code, signal, timed_out| {
            let found = take(&finished("build", ending));
            assert_eq!(
                (found.outcome, found.exit_code, found.signal, found.timed_out),
                (outcome, exit_code, signal, timed_out)
            );
        };
        check(Ending::Exited { code: 0 }, Outcome::Passed, Some(0), None, false);
        check(Ending::Exited { code: 75 }, Outcome::Failed, Some(75), None, false);
        check(Ending::Signaled { signal: 9 }, Outcome::Failed, None, Some(9), false);
        check(Ending::TimedOut { limit_ms: 1 }, Outcome::Failed, None, None, true);
        check(Ending::NotStarted { reason: String::new() }, Outcome::Failed, None, None, false);
        check(Ending::Cancelled, Outcome::Cancelled, None, None, false);
    }

    #[test]
    fn the_end_completes_the_execution() {
        let mut recorder = recorder();
        assert_eq!(recorder.take(&Event::Finished { outcome: ExecutionOutcome::Failed, duration_ms: 9.5 }), None);
        assert_eq!((recorder.execution().outcome, recorder.execution().duration_ms), (Outcome::Failed, Some(9.5)));
    }
}
