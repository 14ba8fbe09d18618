//! How the whole is likely to go: the real state machine run many times with sampled durations.

use super::capacity::quantile;
use super::graph::{Plan, PlannedStep};
use super::hints::{Interval, Odds};
use super::timeline::simulate;

/// Most simulated executions.
const SAMPLES: usize = 200;
/// Fewest, however short the real one is.
const FEWEST: usize = 20;
/// Simulated steps that are always worth it: a millisecond or two.
const LEAST_STEPS: f64 = 5_000.0;
/// Simulated steps for each millisecond that the execution is likely to take: about a hundredth of its time goes into
/// foretelling it.
const STEPS_PER_MS: f64 = 25.0;
/// The 90 % quantile of the standard normal distribution.
const Z90: f64 = 1.281_551_565_5;
/// The 95 % quantile: what lies beyond is not drawn, because a few samples say nothing of it and sums would follow it.
const Z95: f64 = 1.644_853_627;

/// How an execution is likely to go.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Prediction {
    /// Its wall time in milliseconds if every step passes; `n` is the smallest sample size behind it. Absent while no
    /// step's duration is known.
    pub duration_ms: Option<Interval>,
    /// The odds that every step passes, over the steps whose odds are known; `n` is the smallest sample size behind them.
    pub odds: Option<Odds>,
    /// Steps that will run.
    pub steps: usize,
    /// How many of them have a known duration; the others are assumed to take the median of the known.
    pub known: usize,
}

pub(super) fn predict(plan: &Plan) -> Prediction {
    let run: Vec<&PlannedStep> = plan.steps.iter().filter(|step| step.skip.is_none()).collect();
    let known: Vec<Interval> = run.iter().filter_map(|step| step.hint.duration_ms).collect();
    let odds: Vec<Odds> = run.iter().filter_map(|step| passes(step)).collect();
    let n = known.iter().map(|interval| interval.n).min();
    Prediction { duration_ms: n.map(|n| duration(plan, n)), odds: all_of(&odds), steps: run.len(), known: known.len() }
}

/// Returns the odds that a step passes, its declared retries included where history shows what they bring.
fn passes(step: &PlannedStep) -> Option<Odds> {
    let failure = step.hint.failure?;
    let retries = step.step.retry.as_ref().map_or(0, |retry| retry.attempts.saturating_sub(1));
    let stays =
        step.hint.retry_pays.map_or(1.0, |pays| (1.0 - pays.mean).powi(i32::try_from(retries).unwrap_or(i32::MAX)));
    let passes = |fails: f64| (1.0 - fails * stays).clamp(0.0, 1.0);
    Some(Odds { mean: passes(failure.mean), low: passes(failure.high), high: passes(failure.low), n: failure.n })
}

/// Returns the odds that all of independent things happen: their product, with an interval from the spreads of the
/// logarithms, which add up as variances do.
fn all_of(odds: &[Odds]) -> Option<Odds> {
    let n = odds.iter().map(|odds| odds.n).min()?;
    let mean: f64 = odds.iter().map(|odds| odds.mean).product();
    let spread = |bound: fn(&Odds) -> f64| {
        let logs = odds.iter().map(|odds| (bound(odds).max(1e-9) / odds.mean.max(1e-9)).ln());
        logs.map(|log| log * log).sum::<f64>().sqrt()
    };
    let (below, above) = (spread(|odds| odds.low), spread(|odds| odds.high));
    Some(Odds { mean, low: mean * (-below).exp(), high: (mean * above.exp()).min(1.0), n })
}

fn duration(plan: &Plan, n: u64) -> Interval {
    let draws = Draws::of(plan);
    let totals: Vec<f64> = draws.each().map(|drawn| simulate(plan, drawn, plan.slots).duration_ms()).collect();
    let at = |tenths: usize| quantile(totals.clone(), tenths);
    Interval { p10: at(1), p50: at(5), p90: at(9), n }
}

/// Possible durations of all steps, drawn several times; the same for the same hints.
pub(super) struct Draws {
    durations_ms: Vec<f64>,
    steps: usize,
}

impl Draws {
    /// Returns draws from what is known of each step.
    pub fn of(plan: &Plan) -> Self {
        Self::drawn(plan, samples(plan))
    }

    /// Returns a few of them, at most `most`: a quarter of what there is time for.
    pub fn few(plan: &Plan, most: usize) -> Self {
        Self::drawn(plan, (samples(plan) / 4).min(most))
    }

    fn drawn(plan: &Plan, samples: usize) -> Self {
        let steps = plan.steps.len().max(1);
        let mut dice = Dice(0x6d65_6f77);
        let mut durations_ms = Vec::with_capacity(samples * steps);
        for _ in 0..samples {
            durations_ms.extend(plan.steps.iter().map(|step| sample(step, &mut dice)));
        }
        Self { durations_ms, steps }
    }

    /// Returns the durations of each draw, by index of the step.
    pub fn each(&self) -> impl Iterator<Item = &[f64]> {
        self.durations_ms.chunks(self.steps)
    }
}

/// Returns how many executions are simulated: the longer the real one takes, the more there is time for.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "clamped")]
fn samples(plan: &Plan) -> usize {
    let work_ms: f64 = plan.steps.iter().map(|step| step.assumed_ms).sum();
    let path_ms = plan.steps.iter().map(|step| step.remaining_ms).fold(0.0, f64::max);
    let likely_ms = path_ms.max(work_ms / f64::from(plan.slots.max(1)));
    let steps = plan.steps.len().max(1) as f64;
    ((likely_ms * STEPS_PER_MS).max(LEAST_STEPS) / steps).clamp(FEWEST as f64, SAMPLES as f64) as usize
}

/// Draws a duration from a log-normal distribution whose halves meet the known quantiles.
fn sample(step: &PlannedStep, dice: &mut Dice) -> f64 {
    let z = dice.normal().clamp(-Z95, Z95);
    match step.hint.duration_ms {
        Some(known) if step.skip.is_none() && known.p10 > 0.0 && known.p50 > 0.0 && known.p90 > 0.0 => {
            let spread = if z < 0.0 { known.p50 / known.p10 } else { known.p90 / known.p50 };
            known.p50 * (z * (spread.ln() / Z90).clamp(0.0, 3.0)).exp()
        }
        _ => step.assumed_ms,
    }
}

/// Seeded random numbers (`SplitMix64`: Steele, Lea, Flood 2014, figure 16), so that the same hints give the same plan.
struct Dice(u64);

impl Dice {
    /// Returns a number in 0 (excluded) to 1.
    #[expect(clippy::cast_precision_loss, reason = "the upper 53 bits fit a double exactly")]
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (((mixed ^ (mixed >> 31)) >> 11) + 1) as f64 / (1_u64 << 53) as f64
    }

    /// Returns a draw from the standard normal distribution (Box and Muller 1958).
    fn normal(&mut self) -> f64 {
        let (radius, turn) = ((-2.0 * self.uniform().ln()).sqrt(), self.uniform());
        radius * (std::f64::consts::TAU * turn).cos()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::graph::tests::{limits, medians, workflow};
    use crate::plan::{Hints, plan};
    use crate::workflow::{Retry, StepId};

    #[test]
    fn nothing_known_predicts_nothing() {
        let plan = plan(&workflow(&["a", "b"]), &Hints::default(), &limits(1)).expect("a plan");
        assert_eq!(plan.prediction, Prediction { steps: 2, ..Prediction::default() });
    }

    #[test]
    fn fixed_durations_add_up_along_the_slots() {
        let check = |slots, expected: f64| {
            let hints = medians(&[("a", 10.0), ("b", 20.0), ("c", 30.0)]);
            let plan = plan(&workflow(&["a", "b", "c:a"]), &hints, &limits(slots)).expect("a plan");
            let found = plan.prediction.duration_ms.expect("known");
            assert!((found.p10 - expected).abs() < 1e-9 && (found.p90 - expected).abs() < 1e-9, "{found:?}");
            assert_eq!((found.n, plan.prediction.known), (9, 3));
        };
        check(1, 60.0);
        check(2, 40.0);
    }

    #[test]
    fn quantiles_of_one_step_come_back() {
        let mut hints = Hints::default();
        let known = Interval { p10: 800.0, p50: 1_000.0, p90: 2_000.0, n: 40 };
        hints.steps.entry(StepId("a".to_owned())).or_default().duration_ms = Some(known);
        let found = plan(&workflow(&["a"]), &hints, &limits(1)).expect("a plan").prediction.duration_ms.expect("known");
        for (found, known) in [(found.p10, 800.0), (found.p50, 1_000.0), (found.p90, 2_000.0)] {
            assert!((found / known - 1.0_f64).abs() < 0.15, "{found} against {known}");
        }
    }

    #[test]
    fn odds_multiply_and_retries_help_where_they_are_known_to() {
        let odds = |mean| Some(Odds { mean, low: mean / 2.0, high: mean * 1.5, n: 30 });
        let check = |pays: Option<f64>, expected: f64| {
            let mut workflow = workflow(&["a", "b"]);
            let backoff = std::time::Duration::ZERO;
            workflow.steps[0].retry = Some(Box::new(Retry { attempts: 2, backoff, on: Vec::new() }));
            let mut hints = Hints::default();
            let a = hints.steps.entry(StepId("a".to_owned())).or_default();
            (a.failure, a.retry_pays) = (odds(0.2), pays.and_then(odds));
            hints.steps.entry(StepId("b".to_owned())).or_default().failure = odds(0.1);
            let prediction = plan(&workflow, &hints, &limits(1)).expect("a plan").prediction;
            let found = prediction.odds.expect("known");
            assert!((found.mean - expected).abs() < 1e-9, "{found:?}");
            assert!(found.low < found.mean && found.mean < found.high && found.high <= 1.0, "{found:?}");
            assert_eq!(found.n, 30);
        };
        check(None, 0.8 * 0.9);
        check(Some(0.5), 0.9 * 0.9);
    }
}
