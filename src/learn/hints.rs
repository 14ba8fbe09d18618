//! From a pattern to what the plan wants to know beforehand.

use std::collections::BTreeMap;

use super::beta::odds;
use super::{Pattern, WorkflowPattern};
use crate::plan::{Hints, Odds, StepHint};
use crate::workflow::StepId;

/// Samples from which on a machine class speaks for itself.
const OWN_CLASS: u64 = 5;

/// Passed attempts below which nothing is said to take far too long.
const SLOW_SAMPLES: u64 = 20;

/// Nothing is said to take far too long before this, in milliseconds.
pub(crate) const SLOW_FLOOR_MS: f64 = 60_000.0;

/// When an attempt is taken to hang.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LimitRule {
    /// Passed attempts on the machine class below which no time limit is learnt.
    pub samples: u64,
    /// No learnt time limit is below this, in milliseconds.
    pub floor_ms: f64,
    /// How many times the longest passed attempt it must take.
    pub growth: f64,
}

/// With a hundred attempts of which none ran into its limit, at most 3 in 100 would (95 %; the rule of three). Before ten
/// minutes nobody who watches would give a step up either, and a hang takes an order of magnitude longer than all that passed.
pub const LIMIT: LimitRule = LimitRule { samples: 100, floor_ms: 600_000.0, growth: 10.0 };

/// Returns what a workflow's pattern says about each of its steps on a machine class.
///
/// The class's own pattern speaks from five passed attempts on, before that the one over all machines. Of the next
/// duration the class speaks from the first on: that prediction knows by itself how far to trust it.
pub fn hints(pattern: &WorkflowPattern, machine: &str) -> Hints {
    let mut chosen: BTreeMap<StepId, &Pattern> = BTreeMap::new();
    for step in &pattern.steps {
        if step.machine.is_none() || (step.machine.as_deref() == Some(machine) && speaks(step)) {
            // The entry over all machines stands before those of single ones.
            chosen.insert(StepId(step.step.clone()), step);
        }
    }
    let mut steps: BTreeMap<StepId, StepHint> =
        chosen.into_iter().map(|(step, pattern)| (step, hint(pattern))).collect();
    let here = pattern.steps.iter().filter(|step| step.machine.as_deref() == Some(machine));
    let here: BTreeMap<&str, &Pattern> = here.map(|step| (step.step.as_str(), step)).collect();
    for step in pattern.steps.iter().filter(|step| step.machine.is_none()) {
        let own = here.get(step.step.as_str());
        if let Some(hint) = steps.get_mut(&StepId(step.step.clone())) {
            // A machine that is new here may be slower than all others.
            hint.timeout_ms = own.and_then(|own| time_limit_ms(own, step, &LIMIT)).map(whole);
        }
    }
    let mut hints = Hints { steps, order: None };
    for step in here.into_values() {
        if let (Some(hint), Some(next)) = (hints.steps.get_mut(&StepId(step.step.clone())), step.next_ms) {
            hint.duration_ms = Some(next);
        }
    }
    hints
}

/// Returns whether the pattern of a machine class is taken instead of the one over all machines.
pub(super) fn speaks(pattern: &Pattern) -> bool {
    pattern.duration_ms.is_some_and(|duration| duration.n >= OWN_CLASS)
}

fn hint(pattern: &Pattern) -> StepHint {
    StepHint {
        duration_ms: pattern.next_ms.or(pattern.duration_ms),
        failure: pattern.failure,
        retry_pays: retry_pays(pattern),
        transient: Vec::new(),
        peak_memory_bytes: pattern.memory_bytes.map(whole),
        cpus: None,
        inputs_bytes: None,
        slow_ms: slow_ms(pattern).map(whole),
        timeout_ms: None,
    }
}

/// Returns the odds that a retry passes where one was made.
fn retry_pays(pattern: &Pattern) -> Option<Odds> {
    (pattern.retries > 0).then(|| odds(pattern.retries_passed, pattern.retries))
}

/// Returns the time in milliseconds after which an attempt takes far longer than any that passed: what a person would set
/// as a time limit, and when it is said aloud. `None` below 20 passed attempts.
///
/// The largest of a minute, three times the longest passed attempt, and the median times (p90 / p50)⁴, which for a
/// lognormal law lies 5.1 standard deviations above the median. Real histories are no lognormal law: back-tested on ten of
/// them, 75 of a million healthy attempts ran longer (`cargo bench --bench learning -- limits`), so that nothing is
/// stopped by it unless a person says so.
pub fn slow_ms(pattern: &Pattern) -> Option<f64> {
    let duration = pattern.duration_ms.filter(|duration| duration.n >= SLOW_SAMPLES)?;
    let tail = duration.p50 * (duration.p90 / duration.p50.max(f64::MIN_POSITIVE)).powi(4);
    let limit = SLOW_FLOOR_MS.max(3.0 * pattern.longest_ms?).max(tail);
    limit.is_finite().then_some(limit)
}

/// Returns the time in milliseconds after which an attempt is taken to hang and is stopped, from what is known of its step
/// on its machine class (`own`) and on all; `None` below the rule's passed attempts on that class.
///
/// Never below the rule's floor, its growth times the longest passed attempt on any class, and [`slow_ms`]. The three round
/// numbers of [`LIMIT`] are not fitted to any history: they are meant to be far from all that is healthy, since a hang that
/// is stopped late costs minutes and a healthy step that is stopped costs trust. Numbers that were chosen on nine histories
/// and held against the tenth are printed beside them (`cargo bench --bench learning -- limits`).
pub fn time_limit_ms(own: &Pattern, all: &Pattern, rule: &LimitRule) -> Option<f64> {
    if own.attempts - own.failed < rule.samples {
        return None;
    }
    let limit = rule.floor_ms.max(rule.growth * all.longest_ms?).max(slow_ms(all)?);
    limit.is_finite().then_some(limit)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a cast of a float saturates")]
fn whole(value: f64) -> u64 {
    value.ceil() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Interval;

    fn pattern(machine: Option<&str>, n: u64, p50: f64) -> Pattern {
        Pattern {
            step: "test".into(),
            machine: machine.map(str::to_owned),
            attempts: n,
            duration_ms: Some(Interval { p10: p50 / 1.2, p50, p90: p50 * 1.2, n }),
            longest_ms: Some(2.0 * p50),
            ..Pattern::default()
        }
    }

    #[test]
    fn the_class_speaks_once_it_knows_enough() {
        for (machine, own, expected) in [("a", 5, 70.0), ("a", 4, 50.0), ("b", 100, 50.0)] {
            let steps = vec![pattern(None, 100, 50.0), pattern(Some("a"), own, 70.0)];
            let hints = hints(&WorkflowPattern { steps, ..WorkflowPattern::default() }, machine);
            let duration = hints.steps[&StepId("test".into())].duration_ms.expect("known");
            assert!((duration.p50 - expected).abs() < 1e-9, "{machine} {own}");
        }
    }

    #[test]
    fn what_is_slow_has_a_floor_and_needs_samples() {
        for (n, p50, expected) in [(19, 1e6, None), (20, 100.0, Some(60_000.0)), (20, 1e6, Some(6e6))] {
            assert_eq!(slow_ms(&pattern(None, n, p50)), expected, "{n} {p50}");
        }
    }

    #[test]
    fn a_time_limit_needs_a_hundred_on_its_machine_and_lies_far_above_all() {
        let limit = |own: u64, p50: f64| {
            let steps = vec![pattern(None, 300, p50), pattern(Some("a"), own, p50 / 4.0)];
            let hints = hints(&WorkflowPattern { steps, ..WorkflowPattern::default() }, "a");
            hints.steps[&StepId("test".into())].timeout_ms
        };
        for (own, p50, expected) in [(99, 1e6, None), (100, 100.0, Some(600_000)), (100, 1e6, Some(20_000_000))] {
            assert_eq!(limit(own, p50), expected, "{own} {p50}");
        }
    }
}
