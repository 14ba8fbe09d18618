//! The gate of a build: which steps got slower or fail more than a threshold allows, and how often it would err.

use serde::Serialize;

use super::compare::{Comparison, DurationVerdict, FailureVerdict};
use super::series::{self, Accepted};
use super::sides::Side;
use crate::error::{Error, Result};
use crate::learn::median;
use crate::redact::inert;
use crate::scan::History;

/// A threshold that noise alone passes more often than this is refused.
const MOST_FALSE_ALARMS: f64 = 0.05;
/// Runs that both sides need before a duration is judged.
const FEW: usize = 5;
/// Pairs of samples drawn from the base to see what noise does.
const DRAWS: usize = 1_000;

/// What the gate says.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Gate {
    /// Whether nothing failed it.
    pub passed: bool,
    /// The series that were judged.
    pub series: Vec<Gated>,
    /// Steps that fail more often than on the base, beyond chance.
    pub failing: Vec<String>,
    /// Series without five runs on either side, which were not judged.
    pub unjudged: usize,
}

/// One judged series.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Gated {
    /// The workflow.
    pub workflow: String,
    /// The step; absent for the workflow as a whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// How many times as long the head takes as the base, by medians.
    pub ratio: f64,
    /// The ratio from which on it fails: the one asked for, else the noise floor.
    pub threshold: f64,
    /// The ratio that noise alone passes in 5 % of comparisons of this size.
    pub noise_floor: f64,
    /// The share of comparisons without any change that would pass the threshold, 0 to 1.
    pub false_alarms: f64,
    /// Whether it fails: slower with the confidence of the page, and beyond the threshold.
    pub failed: bool,
}

/// Returns the verdict on a comparison; `threshold` is a ratio such as 1.1, or absent for each series' noise floor.
///
/// What noise does is seen in pairs of samples of both sides' sizes, drawn with replacement from the base alone (Efron
/// and Tibshirani 1993, chapter 16).
///
/// # Errors
/// The threshold lies below a series' noise floor, so that it would fail without any change too often.
pub fn gate(
    history: &History,
    sides: &[Option<Side>],
    accepted: &Accepted,
    comparison: &Comparison,
    threshold: Option<f64>,
) -> Result<Gate> {
    let mut gate = Gate { passed: true, series: Vec::new(), failing: Vec::new(), unjudged: 0 };
    for (workflow, steps) in series::collect(history, sides, accepted) {
        let Some(change) = comparison.workflows.iter().find(|change| change.workflow == workflow) else { continue };
        for (step, series) in steps {
            let changed = match &step {
                None => Some(&change.whole),
                Some(step) => change.steps.iter().find(|change| change.step == *step).map(|change| &change.change),
            };
            let Some(changed) = changed else { continue };
            if let (Some(step), FailureVerdict::NewFailure | FailureVerdict::MoreFailures) = (&step, changed.failure) {
                gate.failing.push(format!("{workflow}/{step}"));
            }
            let logs: Vec<Pair> = series
                .comparable()
                .iter()
                .map(logarithms)
                .filter(|(base, head)| base.len() >= FEW && head.len() >= FEW)
                .collect();
            if logs.is_empty() {
                gate.unjudged += 1;
                continue;
            }
            let noise = noise(&logs);
            let noise_floor = noise[(noise.len() * 95).div_ceil(100).min(noise.len() - 1)].exp().max(1.0);
            let threshold = threshold.unwrap_or(noise_floor);
            let ratio = difference(&logs).exp();
            let passing = noise.len() - noise.partition_point(|draw| draw.exp() <= threshold);
            let failed = changed.duration == DurationVerdict::Slower && ratio > threshold;
            gate.series.push(Gated {
                workflow: workflow.clone(),
                step,
                ratio,
                threshold,
                noise_floor,
                false_alarms: share(passing, noise.len()),
                failed,
            });
        }
    }
    if let Some(worst) = gate.series.iter().max_by(|a, b| a.false_alarms.total_cmp(&b.false_alarms))
        && worst.false_alarms > MOST_FALSE_ALARMS
    {
        return Err(below_noise(worst));
    }
    gate.passed = gate.failing.is_empty() && !gate.series.iter().any(|series| series.failed);
    Ok(gate)
}

/// Durations of base and head on one machine class, in the logarithm.
type Pair = (Vec<f64>, Vec<f64>);

fn logarithms((base, head): &Pair) -> Pair {
    let logs = |values: &[f64]| values.iter().map(|value| value.ln()).collect();
    (logs(base), logs(head))
}

/// Returns how much more the medians of the heads are than those of the bases, weighed by the runs of the heads.
fn difference(pairs: &[Pair]) -> f64 {
    let (mut sum, mut runs) = (0.0, 0.0);
    for (base, head) in pairs {
        let weight = share(head.len(), 1);
        sum += weight * (median(head).unwrap_or(0.0) - median(base).unwrap_or(0.0));
        runs += weight;
    }
    sum / runs
}

/// Returns the differences of pairs of samples drawn from the bases, sorted.
fn noise(pairs: &[Pair]) -> Vec<f64> {
    let mut bits = 0x9e37_79b9_7f4a_7c15_u64;
    let mut draw = |values: &[f64], count: usize| -> Vec<f64> {
        let one = |_| {
            // Knuth's linear congruential generator (MMIX), of which the upper bits are used.
            bits = bits.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            values[usize::try_from(bits >> 33).unwrap_or(0) % values.len()]
        };
        (0..count).map(one).collect()
    };
    let mut found: Vec<f64> = (0..DRAWS)
        .map(|_| {
            let drawn: Vec<Pair> =
                pairs.iter().map(|(base, head)| (draw(base, base.len()), draw(base, head.len()))).collect();
            difference(&drawn)
        })
        .collect();
    found.sort_by(f64::total_cmp);
    found
}

fn below_noise(worst: &Gated) -> Error {
    let place = worst.step.as_ref().map_or_else(
        || format!("`{}`", inert::terminal(&worst.workflow)),
        |step| format!("`{}` of `{}`", inert::terminal(step), inert::terminal(&worst.workflow)),
    );
    let percent = |ratio: f64| 100.0 * (ratio - 1.0);
    Error::request(format!(
        "a threshold of {:.1} % lies below the noise of {place}: without any change {:.0} % of such comparisons would fail",
        percent(worst.threshold),
        100.0 * worst.false_alarms
    ))
    .hint(format!("its noise floor is {:.1} %; give a larger --threshold, or let it run more often", percent(worst.noise_floor)))
}

#[expect(clippy::cast_precision_loss, reason = "counts of runs")]
fn share(part: usize, whole: usize) -> f64 {
    part as f64 / whole as f64
}
