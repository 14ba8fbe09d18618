//! Whether a failed attempt is tried again, and after which wait: as its step declares, else where history knows the error.

use std::time::Duration;

use serde::Serialize;

use super::{Dispatcher, Verdict};
use crate::plan::StepIndex;
use crate::redact::cause::Fingerprint;
use crate::workflow::RetryOn;

/// The longest wait before a retry, in milliseconds.
const LONGEST_WAIT_MS: f64 = 600_000.0;

/// The wait before the first retry of an error that history knows.
const KNOWN_BACKOFF: Duration = Duration::from_secs(1);

/// A further attempt that will start later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryAt {
    /// The number of the coming attempt.
    pub attempt: u32,
    /// The wait before it in milliseconds.
    pub wait_ms: u64,
    /// What history knows of the error, where that is why; else the step declares it.
    pub known: Option<Known>,
}

/// How often an error was followed by another attempt on unchanged inputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Known {
    /// Attempts that failed with it and were tried again.
    pub seen: u64,
    /// How many of these passed on the next try.
    pub passed: u64,
}

impl Dispatcher<'_> {
    /// Takes that a running attempt has failed and is about to be looked into: nothing more starts meanwhile where no retry
    /// can save it.
    pub fn failing(&mut self, step: StepIndex) {
        let planned = &self.plan.steps[step.at()];
        self.halted |= !self.keep_going && planned.step.retry.is_none() && planned.hint.transient.is_empty();
    }

    pub(super) fn retry(
        &self,
        step: StepIndex,
        verdict: Verdict,
        error: Option<Fingerprint>,
        jitter: f64,
    ) -> Option<RetryAt> {
        let attempt = self.steps[step.at()].attempt;
        // What an execution tried that this one goes on with is not held against the step.
        let tried = attempt - self.plan.steps[step.at()].tried;
        if verdict == Verdict::Cancelled {
            return None;
        }
        let Some(policy) = &self.plan.steps[step.at()].step.retry else {
            return self.known(step, error?, tried).map(|known| RetryAt {
                attempt: attempt + 1,
                wait_ms: wait_ms(KNOWN_BACKOFF, tried, jitter),
                known: Some(known),
            });
        };
        let covered = policy.on.is_empty()
            || policy.on.iter().any(|on| match (on, verdict) {
                (RetryOn::Signal, Verdict::Signaled) | (RetryOn::Timeout, Verdict::TimedOut) => true,
                (RetryOn::Exit(code), Verdict::Exited(exited)) => *code == exited,
                _ => false,
            });
        let wait_ms = wait_ms(policy.backoff, tried, jitter);
        (covered && tried < policy.attempts).then(|| RetryAt { attempt: attempt + 1, wait_ms, known: None })
    }

    /// Returns what history knows of an error where one more retry of it pays. A step that says how it is taken back has
    /// effects: it is never tried again unasked.
    fn known(&self, step: StepIndex, error: Fingerprint, tried: u32) -> Option<Known> {
        let planned = &self.plan.steps[step.at()];
        let transient = planned.hint.transient.iter().find(|known| known.error == error)?;
        (planned.step.undo.is_none() && tried <= transient.retries)
            .then_some(Known { seen: transient.seen, passed: transient.passed })
    }
}

/// Returns the wait after `tried` attempts: it doubles each time, and varies by a quarter either way so that steps that
/// failed together do not come back together.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0 and ten minutes")]
fn wait_ms(backoff: Duration, tried: u32, jitter: f64) -> u64 {
    let doubled = backoff.as_secs_f64() * 1e3 * 2_f64.powi(i32::try_from(tried).unwrap_or(64) - 1);
    (doubled * (0.75 + 0.5 * jitter)).clamp(0.0, LONGEST_WAIT_MS) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::graph::tests::{limits, workflow};
    use crate::plan::{Hints, StepHint, Transient, plan};
    use crate::workflow::{Retry, StepId};

    /// Returns the waits before the retries of a step that fails for ever, `undo` and `retry` as it declares them.
    fn waits(error: u8, undo: bool, retry: Option<Retry>) -> Vec<u64> {
        let mut workflow = workflow(&["a"]);
        workflow.steps[0].undo = undo.then(|| "rm x".to_owned());
        workflow.steps[0].retry = retry.map(Box::new);
        let known = Transient { error: Fingerprint::from_bytes([1; 12]), seen: 7, passed: 6, retries: 2 };
        let hint = StepHint { transient: vec![known], ..StepHint::default() };
        let hints = Hints { steps: [(StepId("a".to_owned()), hint)].into(), order: None };
        let plan = plan(&workflow, &hints, &limits(1)).expect("a plan");
        let mut dispatcher = Dispatcher::new(&plan, 1, false);
        let (mut now, mut waits) = (0, Vec::new());
        while let Some(start) = dispatcher.next(now) {
            dispatcher.recognised(start.step, Fingerprint::from_bytes([error; 12]));
            let Some(retry) = dispatcher.finish(start.step, Verdict::Exited(1), now, 0.5) else { break };
            assert!(retry.known.is_none_or(|known| (known.seen, known.passed) == (7, 6)));
            waits.push(retry.wait_ms);
            now += retry.wait_ms;
        }
        waits
    }

    #[test]
    fn waits_have_a_spread_and_an_end() {
        assert_eq!((wait_ms(KNOWN_BACKOFF, 1, 0.0), wait_ms(KNOWN_BACKOFF, 1, 1.0)), (750, 1_250));
        assert_eq!(wait_ms(KNOWN_BACKOFF, u32::MAX, 1.0), 600_000);
    }

    #[test]
    fn a_known_error_is_tried_again_unless_the_step_says_otherwise() {
        assert_eq!(waits(1, false, None), [1_000, 2_000]);
        assert!(waits(2, false, None).is_empty(), "an unknown one fails at once");
        assert!(waits(1, true, None).is_empty(), "it has effects");
        let declared = |attempts| Some(Retry { attempts, backoff: Duration::from_millis(10), on: Vec::new() });
        assert!(waits(1, false, declared(1)).is_empty(), "what is declared holds");
        assert_eq!(waits(2, true, declared(2)), [10]);
    }
}
