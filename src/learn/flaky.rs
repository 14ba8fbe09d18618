//! Flaky or broken: steps that passed and failed on the same inputs, and failures that only a rerun could explain.

use std::collections::BTreeMap;

use super::beta::odds;
use super::knowledge::{Flakiness, Verdict};
use super::window::{KEPT, Moment};
use crate::record::Digest;

/// The most reruns that are ever worth asking for.
pub const MOST_RERUNS: u32 = 10;

/// A rerun that passes with a smaller probability than this is not worth its time.
const WORTH: f64 = 0.02;

/// A step stays flaky until so long a row of passes would have had no more than this probability.
const CLEARED: f64 = 0.05;

/// The latest attempts of a step, each with what it ran on; bounded, so that older contradictions are forgotten.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Trials {
    samples: Vec<(Moment, Digest, bool)>,
}

impl Trials {
    /// Adds an attempt on `inputs`: the same digest for the same tree, command and machine.
    pub fn add(&mut self, moment: Moment, inputs: Digest, failed: bool) {
        self.samples.push((moment, inputs, failed));
        if self.samples.len() >= 2 * KEPT {
            self.trim();
        }
    }

    /// Returns the window of these attempts, which are trimmed when they are merged.
    pub fn of(samples: Vec<(Moment, Digest, bool)>) -> Self {
        Self { samples }
    }

    /// Returns the attempts, oldest first, of a window that was merged before.
    pub fn samples(&self) -> &[(Moment, Digest, bool)] {
        &self.samples
    }

    /// Takes over the attempts of another window.
    pub fn merge(&mut self, other: Self) {
        self.samples.extend(other.samples);
        self.trim();
    }

    fn trim(&mut self) {
        self.samples.sort_unstable();
        let excess = self.samples.len().saturating_sub(KEPT);
        self.samples.drain(..excess);
    }

    /// Returns what the attempts say about the step; `None` where nothing is in doubt, also where it always fails.
    ///
    /// Of a window that was merged before.
    pub fn flakiness(&self) -> Option<Flakiness> {
        let mut by_inputs: BTreeMap<Digest, (u64, u64)> = BTreeMap::new();
        for (_, inputs, failed) in &self.samples {
            let (failures, trials) = by_inputs.entry(*inputs).or_default();
            *failures += u64::from(*failed);
            *trials += 1;
        }
        let contradicted = by_inputs.values().filter(|(failures, trials)| 0 < *failures && failures < trials).count();
        let passes_since = self.samples.iter().rev().take_while(|(_, _, failed)| !failed).count();
        let until_failure = &self.samples[..self.samples.len() - passes_since];
        let last = until_failure.last()?.1;
        let passes_since = passes_since as u64;
        // Inputs on which it never passed may be broken; they say nothing about chance.
        let by_chance = |samples: &[(Moment, Digest, bool)]| {
            let can_pass = |inputs: &Digest| by_inputs.get(inputs).is_some_and(|(failures, trials)| failures < trials);
            let of: Vec<bool> =
                samples.iter().filter(|(_, inputs, _)| can_pass(inputs)).map(|(_, _, failed)| *failed).collect();
            odds(of.iter().filter(|failed| **failed).count() as u64, of.len() as u64)
        };
        if contradicted > 0 {
            // The rate before the passes in question, which else would argue for themselves.
            let cleared = is_cleared(by_chance(until_failure).mean, passes_since);
            return (!cleared).then(|| Flakiness {
                verdict: Verdict::Flaky,
                contradicted: contradicted as u64,
                failure: Some(by_chance(&self.samples)),
                reruns: 0,
            });
        }
        let failed: u64 = by_inputs.values().map(|(failures, _)| failures).sum();
        let repeated = by_inputs[&last].0 - 1;
        // Failed reruns on the same inputs are evidence for being broken, not for a higher rate.
        let (failed, tried) = (failed - repeated, self.samples.len() as u64 - repeated);
        if failed == tried || is_cleared(odds(failed, tried - passes_since).mean, passes_since) {
            return None;
        }
        let reruns = reruns_to_settle(failed, tried, u32::try_from(repeated).unwrap_or(u32::MAX));
        (reruns > 0).then_some(Flakiness { verdict: Verdict::Suspect, contradicted: 0, failure: None, reruns })
    }
}

/// Returns whether a step that fails at this rate would hardly have passed so often in a row.
fn is_cleared(rate: f64, passes: u64) -> bool {
    #[expect(clippy::cast_precision_loss, reason = "a window is small")]
    let passes = passes as f64;
    (passes * (-rate).ln_1p()).exp() < CLEARED
}

/// Returns whether one more rerun on the inputs of the last failure is worth it.
///
/// Two explanations start as equals: broken on these inputs, so that every rerun fails, and flaky, so that each fails
/// with a rate of which `failed` of `tried` attempts tell (beta-binomial, Jeffreys' prior). After `repeated` failed
/// reruns the next one is worth its time while it passes with a probability of at least 2 %: a sequential test (Wald
/// 1945, Annals of Mathematical Statistics 16(2)) that stops when the next observation would hardly teach.
pub fn is_rerun_worth_it(failed: u64, tried: u64, repeated: u32) -> bool {
    repeated < MOST_RERUNS && teaches(failed, tried, repeated) >= WORTH
}

/// Returns the probability that the next rerun passes, and so settles that the step is flaky; see [`is_rerun_worth_it`].
pub fn teaches(failed: u64, tried: u64, repeated: u32) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
    let (a, n) = (failed.min(tried) as f64 + 0.5, tried as f64 + 1.0);
    let rate = |place: u32| (a + f64::from(place)) / (n + f64::from(place));
    let all_failed: f64 = (0..repeated).map(rate).product();
    all_failed / (1.0 + all_failed) * (1.0 - rate(repeated))
}

/// Returns how many more failed reruns would settle that a step is broken and not flaky; one that passes settles the
/// opposite at once. 0 where it is settled, or where reruns would not settle it.
pub fn reruns_to_settle(failed: u64, tried: u64, repeated: u32) -> u32 {
    let first_useless = (repeated..MOST_RERUNS).find(|place| !is_rerun_worth_it(failed, tried, *place));
    first_useless.unwrap_or(MOST_RERUNS).saturating_sub(repeated)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::ExecutionId;

    /// Each attempt: the tree, and `.` for a pass or `x` for a failure, in order of time.
    fn check(attempts: &[(&str, char)], expected: Option<(Verdict, u64)>) {
        let mut trials = Trials::default();
        for (time, (tree, outcome)) in (0..).zip(attempts) {
            let moment = (time, ExecutionId::from_bytes([0; 12]), 1);
            trials.add(moment, Digest::of(tree.as_bytes()), *outcome == 'x');
        }
        trials.merge(Trials::default());
        let told = trials.flakiness();
        assert_eq!(told.as_ref().map(|told| (told.verdict, told.contradicted)), expected, "{attempts:?}: {told:?}");
    }

    #[test]
    fn only_a_contradiction_makes_flaky() {
        check(&[], None);
        check(&[("a", '.'), ("b", '.')], None);
        check(&[("a", 'x'), ("b", 'x'), ("b", 'x')], None);
        check(&[("a", '.'), ("b", 'x'), ("b", '.')], Some((Verdict::Flaky, 1)));
        check(&[("a", '.'), ("b", 'x'), ("c", '.'), ("d", '.')], Some((Verdict::Suspect, 0)));
        let mut broken = vec![("a", '.'); 12];
        broken.extend([("b", 'x')]);
        check(&broken, Some((Verdict::Suspect, 0)));
        broken.extend([("b", 'x'), ("b", 'x'), ("b", 'x')]);
        check(&broken, None);
    }

    #[test]
    fn a_long_row_of_passes_clears_and_one_failure_brings_it_back() {
        let mut attempts = vec![("a", 'x'), ("a", '.'), ("b", 'x'), ("b", '.')];
        let passes = (0..2).map(|_| ("c", '.'));
        attempts.extend(passes.clone().take(2));
        check(&attempts, Some((Verdict::Flaky, 2)));
        attempts.extend(passes.take(1));
        check(&attempts, None);
        attempts.push(("d", 'x'));
        check(&attempts, Some((Verdict::Flaky, 2)));
    }

    #[test]
    fn reruns_end_early() {
        for (failed, tried, expected) in [(1, 100, 1), (30, 100, 3), (50, 100, 5), (100, 100, 0), (0, 0, 5)] {
            assert_eq!(reruns_to_settle(failed, tried, 0), expected, "{failed} of {tried}");
        }
        assert_eq!(reruns_to_settle(30, 100, 2), 1);
        assert_eq!(reruns_to_settle(30, 100, 100), 0);
    }

    #[test]
    fn flaky_steps_are_found_and_broken_ones_are_not() {
        // 100 attempts on trees of their own, then reruns of what failed; rates from 1 to 50 %, and always-failing ones.
        let mut bits = 7_u64;
        let mut fails = |rate: f64| {
            bits = bits.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            f64::from(u32::try_from(bits >> 32).expect("32 bits")) / 4_294_967_296.0 < rate
        };
        let (mut failed, mut found, mut wrong, mut reruns) = (0, 0, 0, 0);
        for place in 0..1000_u32 {
            let rate = if place % 4 == 0 { 1.0 } else { f64::from(place % 50 + 1) / 100.0 };
            let failures = (0..100).filter(|_| fails(rate)).count() as u64;
            if failures == 0 {
                continue;
            }
            let (mut repeated, mut passed) = (0, false);
            while !passed && is_rerun_worth_it(failures, 100, repeated) {
                reruns += 1;
                passed = !fails(rate);
                repeated += u32::from(!passed);
            }
            failed += u32::from(rate < 1.0);
            found += u32::from(passed && rate < 1.0);
            wrong += u32::from(passed && rate >= 1.0);
        }
        assert!(f64::from(found) / f64::from(failed) >= 0.95, "{found} of {failed}");
        assert_eq!(wrong, 0);
        assert!(reruns < 2 * 1000, "{reruns}");
    }
}
