//! The plain rule, "like the latest ones", with an interval from the mistakes it would have made.

use std::sync::LazyLock;

use super::beta::student_quantile;
use crate::plan::Interval;

/// How many of the latest samples the plain rule takes the median of.
const LATEST: usize = 30;

/// From this many mistakes on, their own order statistics give the interval.
const ENOUGH: usize = 39;

/// What is assumed of the spread before there are mistakes to learn from: a factor of e^0.5 = 1.65, worth one mistake.
const PRIOR: (f64, f64) = (0.5, 1.0);

/// Shortest time or smallest size that is told apart from nothing, so that logarithms exist.
const SMALLEST: f64 = 0.01;

/// Student's t at 90 % by the number of mistakes, below [`ENOUGH`] of them.
static STUDENT: LazyLock<[f64; ENOUGH]> =
    LazyLock::new(|| std::array::from_fn(|mistakes| student_quantile(0.9, PRIOR.1 + count(mistakes))));

/// Returns what the next sample is likely to be: the median of the latest, and where 80 % of samples fall.
///
/// The interval comes from one-step-ahead mistakes in the logarithm: each sample against the median of those before it,
/// so that drift widens it. Few mistakes: Student's t under a scaled inverse-χ² prior on the variance (Gelman et al.,
/// Bayesian Data Analysis, 3rd edition, section 2.6), each mistake first divided by √(1 + π/2k), the standard error of
/// a prediction from a median of k normal samples. Many: the order statistics at p(n + 1), which hold for
/// exchangeable mistakes of any shape (Vovk, Gammerman and Shafer 2005, chapter 2).
///
/// `samples`: positive numbers, oldest first. `None` without any.
pub(crate) fn predict(samples: &[f64]) -> Option<Interval> {
    let latest = &samples[samples.len().saturating_sub(LATEST)..];
    let p50 = median(latest)?;
    let mistakes = mistakes(samples);
    let (low, high) = if mistakes.len() >= ENOUGH {
        let mut sorted = mistakes;
        sorted.sort_by(f64::total_cmp);
        (order_statistic(&sorted, 0.1).min(0.0), order_statistic(&sorted, 0.9).max(0.0))
    } else {
        let (scale, worth) = PRIOR;
        let freedom = worth + count(mistakes.len());
        let squares: f64 = mistakes.iter().map(|mistake| mistake * mistake).sum();
        let deviation = ((worth * scale * scale + squares) / freedom).sqrt();
        let width = STUDENT[mistakes.len()] * deviation;
        (-width, width)
    };
    let widened = standard_error(latest.len());
    let n = samples.len() as u64;
    Some(Interval { p10: p50 * (low * widened).exp(), p50, p90: p50 * (high * widened).exp(), n })
}

/// Returns the plain order statistics of samples that may be zero, such as waiting times.
pub(crate) fn spread(samples: &[f64]) -> Option<Interval> {
    let p50 = median(samples)?;
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    let n = samples.len() as u64;
    Some(Interval { p10: order_statistic(&sorted, 0.1), p50, p90: order_statistic(&sorted, 0.9), n })
}

/// Returns the standardised one-step-ahead mistakes of the plain rule, in the logarithm.
fn mistakes(samples: &[f64]) -> Vec<f64> {
    let mut before: Vec<f64> = Vec::with_capacity(LATEST + 1);
    let mut mistakes = Vec::with_capacity(samples.len());
    for (now, sample) in samples.iter().enumerate() {
        if let Some(predicted) = middle(&before) {
            let mistake = (sample.max(SMALLEST) / predicted.max(SMALLEST)).ln();
            mistakes.push(mistake / standard_error(before.len()));
        }
        before.insert(before.partition_point(|known| known < sample), *sample);
        if before.len() > LATEST {
            before.remove(before.partition_point(|known| *known < samples[now - LATEST]));
        }
    }
    mistakes
}

/// Returns the middle of the samples; `None` without any.
pub fn median(samples: &[f64]) -> Option<f64> {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    middle(&sorted)
}

fn middle(sorted: &[f64]) -> Option<f64> {
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => None,
        len if len % 2 == 1 => Some(sorted[middle]),
        _ => Some(f64::midpoint(sorted[middle - 1], sorted[middle])),
    }
}

/// Returns the quantile `p` at place p(n + 1) of sorted samples, between neighbours by proportion
/// (Hyndman and Fan 1996, definition 6); the ends where that place lies outside.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a place within the samples")]
pub(crate) fn order_statistic(sorted: &[f64], p: f64) -> f64 {
    let place = (p * (count(sorted.len()) + 1.0) - 1.0).clamp(0.0, count(sorted.len() - 1));
    let below = place.floor();
    let (low, high) = (sorted[below as usize], sorted[place.ceil() as usize]);
    low + (high - low) * (place - below)
}

fn standard_error(samples: usize) -> f64 {
    (1.0 + std::f64::consts::FRAC_PI_2 / count(samples)).sqrt()
}

#[expect(clippy::cast_precision_loss, reason = "a window is small")]
fn count(samples: usize) -> f64 {
    samples as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_and_order_statistics() {
        for (samples, p50, p10, p90) in [
            (vec![3.0], 3.0, 3.0, 3.0),
            (vec![4.0, 1.0], 2.5, 1.0, 4.0),
            ((1..=9).map(f64::from).collect(), 5.0, 1.0, 9.0),
            ((1..=19).rev().map(f64::from).collect(), 10.0, 2.0, 18.0),
        ] {
            assert_eq!(spread(&samples), Some(Interval { p10, p50, p90, n: samples.len() as u64 }), "{samples:?}");
        }
        assert_eq!(spread(&[]), None);
        assert_eq!(predict(&[]), None);
    }

    #[test]
    fn few_samples_widen() {
        let width = |n: usize| {
            let samples: Vec<f64> = (0..n).map(|place| if place % 2 == 0 { 90.0 } else { 110.0 }).collect();
            let interval = predict(&samples).expect("samples");
            interval.p90 / interval.p10
        };
        assert!(width(1) > width(2) && width(2) > width(5) && width(5) > width(20), "{} {}", width(1), width(20));
        assert!(width(60) < 1.6, "{}", width(60));
    }

    #[test]
    fn zero_durations_stay_finite() {
        let interval = predict(&[0.0, 0.0, 5.0, 0.0]).expect("samples");
        assert!(interval.p10.is_finite() && interval.p90.is_finite());
    }

    #[test]
    fn eight_in_ten_fall_inside() {
        // Quantiles of a lognormal law in a scrambled order (a step of 377 through 1009 places), not drawn ones.
        let sample = |place: u32| {
            let unit = (f64::from(place * 377 % 1009) + 0.5) / 1009.0;
            let t = if unit > 0.5 { student_quantile(unit, 1e6) } else { -student_quantile(1.0 - unit, 1e6) };
            1000.0 * (0.4 * t).exp()
        };
        let samples: Vec<f64> = (0..600).map(sample).collect();
        for n in [2, 5, 10, 30, 60, 150] {
            let trials = 600 - n;
            let inside = (n..600)
                .filter(|next| {
                    let interval = predict(&samples[next - n..*next]).expect("samples");
                    interval.p10 <= samples[*next] && samples[*next] <= interval.p90
                })
                .count();
            let share = count(inside) / count(trials);
            // Before there are mistakes to learn from, the assumed spread may cover more, never less.
            let most = if n < 10 { 1.0 } else { 0.9 };
            assert!((0.72..most).contains(&share), "n = {n}: {share}");
        }
    }
}
