//! Errors that went away by themselves: which of them pay to be tried again, by what became of the next attempt on
//! unchanged inputs.

use std::collections::BTreeMap;

use serde::Serialize;

use super::beta::posterior_quantile;
use super::replay::{Moment, Trace};
use super::state::{attempt_moment, inputs};
use super::window;
use crate::plan::Transient;
use crate::record::{Digest, Outcome};
use crate::redact::cause::Fingerprint;
use crate::scan::{History, Name};

/// The most retries in a row, whatever history says.
const MOST: u32 = 3;

/// How much doubt may be left that a retry passes more often than not. Many errors of many steps are looked at: with 5 % some
/// would seem to pay by chance alone (of 35 such retries in a real history 14 passed).
const DOUBT: f64 = 0.01;

/// An attempt that follows so much later, in milliseconds, says nothing of a retry: something else may have changed.
const SOON_MS: i64 = 3_600_000;

/// What became of attempts that were tried again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Again {
    seen: u64,
    passed: u64,
}

impl Again {
    fn see(&mut self, passed: bool) {
        self.seen += 1;
        self.passed += u64::from(passed);
    }

    /// Returns how many retries in a row pay: as long as it is 99 % sure that the next one passes more often than not, where
    /// each that failed counts at once as one more that did.
    fn retries(self) -> u32 {
        let pays = |failed: &u32| posterior_quantile(DOUBT, self.passed, self.seen + u64::from(*failed)) >= 0.5;
        u32::try_from((0..MOST).take_while(pays).count()).unwrap_or(0)
    }
}

/// Returns the errors of each step of `workflow` that pay to be tried again. A step has to have failed with an error and to
/// have been tried again within the hour, by a person or by its own `retry`, on the same tree with the same command, values
/// and declared inputs on the same machine class.
pub fn transient(history: &History, workflow: &str) -> BTreeMap<String, Vec<Transient>> {
    let Some(workflow) = history.names.find(workflow) else { return BTreeMap::new() };
    let attempts = &history.attempts;
    let is_own = |row: &usize| history.executions.workflow[attempts.execution[*row] as usize] == workflow;
    // Without any error there is nothing to look for.
    if attempts.error.iter().all(Option::is_none) {
        return BTreeMap::new();
    }
    let mut tries: BTreeMap<(Name, Digest), Vec<(window::Moment, usize)>> = BTreeMap::new();
    for row in (0..attempts.len()).filter(is_own).filter(|row| attempts.outcome[*row] != Outcome::Cancelled) {
        tries.entry((attempts.step[row], inputs(history, row))).or_default().push((attempt_moment(history, row), row));
    }
    let mut found: BTreeMap<(Name, Digest), Again> = BTreeMap::new();
    for ((step, _), mut tries) in tries {
        tries.sort_unstable();
        for pair in tries.windows(2) {
            let [(before, one), (after, next)] = pair else { continue };
            let is_soon =
                after.0.saturating_sub(before.0.saturating_add(took_ms(attempts.duration_ms[*one]))) <= SOON_MS;
            if let Some(error) = attempts.error[*one].filter(|_| is_soon && attempts.outcome[*one] == Outcome::Failed) {
                found.entry((step, error)).or_default().see(attempts.outcome[*next] == Outcome::Passed);
            }
        }
    }
    let mut steps: BTreeMap<String, Vec<Transient>> = BTreeMap::new();
    for ((step, error), again) in found {
        let retries = again.retries();
        if retries > 0 {
            let error = Fingerprint::from_bytes(*error.bytes());
            let Again { seen, passed } = again;
            let known = Transient { error, seen, passed, retries };
            steps.entry(history.names.text(step).to_owned()).or_default().push(known);
        }
    }
    steps
}

#[expect(clippy::cast_possible_truncation, reason = "a cast of a float saturates; NaN is 0")]
fn took_ms(duration_ms: f64) -> i64 {
    duration_ms as i64
}

/// What learnt retries would have done with failures that were in fact tried again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct RetryScores {
    /// Failed attempts that another one of the same execution followed.
    pub followed: usize,
    /// How many of these followers passed.
    pub passed: usize,
    /// Failures after which the learnt policy would have tried again.
    pub retried: usize,
    /// How many of these did pass on the next try.
    pub retried_passed: usize,
}

/// Returns the back-test of learnt retries on a trace; `None` where nothing was ever tried again.
///
/// Interchange rows hold no errors: all failures of a step count as one error. Each decision knows only what had ended
/// before the failure.
pub fn retries(trace: &Trace) -> Option<RetryScores> {
    let mut known: BTreeMap<(u32, Name, Name), Again> = BTreeMap::new();
    // By execution and step: the attempt that failed last, and what was decided then.
    let mut failed: BTreeMap<(u32, u32, Name, Name), bool> = BTreeMap::new();
    let mut scores = RetryScores::default();
    for moment in trace.moments() {
        let Moment::Finish(place) = moment else { continue };
        let (about, came) = &trace.attempts[place];
        if came.outcome == Outcome::Cancelled {
            continue;
        }
        let passed = came.outcome == Outcome::Passed;
        let series = (about.repository, about.workflow, about.step);
        let tried = (about.repository, about.execution, about.workflow, about.step);
        if let Some(retries) = failed.remove(&tried) {
            scores.followed += 1;
            scores.passed += usize::from(passed);
            scores.retried += usize::from(retries);
            scores.retried_passed += usize::from(retries && passed);
            known.entry(series).or_default().see(passed);
        }
        if !passed {
            failed.insert(tried, known.get(&series).is_some_and(|again| again.retries() > 0));
        }
    }
    (scores.followed > 0).then_some(scores)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_retry_pays_once_five_passed_and_as_long_as_most_do() {
        for (passed, seen, expected) in
            [(0, 0, 0), (4, 4, 0), (5, 5, 1), (9, 9, 2), (14, 14, 3), (90, 90, 3), (7, 8, 0), (8, 9, 1), (50, 100, 0)]
        {
            assert_eq!(Again { seen, passed }.retries(), expected, "{passed} of {seen}");
        }
    }
}
