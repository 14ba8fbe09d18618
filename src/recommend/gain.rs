//! What a change would gain a week: every combination of what is uncertain, and the quantiles of the outcome.

use super::Gain;
use crate::learn::beta::posterior_quantile;

/// How many quantiles stand for one uncertain quantity.
const GRID: u32 = 40;

/// A gain with the probability that it is above zero.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Estimate {
    pub gain: Gain,
    pub confidence: f64,
}

/// Returns equally likely values of the rate of something that happened in `happened` of `trials`.
pub(super) fn rates(happened: u64, trials: u64) -> Vec<f64> {
    levels().map(|p| posterior_quantile(p, happened, trials)).collect()
}

/// Returns equally likely values of the mean behind samples, by the normal law of means; at least two samples.
pub(super) fn means(samples: &[f64]) -> Vec<f64> {
    #[expect(clippy::cast_precision_loss, reason = "a few samples")]
    let count = samples.len() as f64;
    let mean = samples.iter().sum::<f64>() / count;
    let squares: f64 = samples.iter().map(|sample| (sample - mean).powi(2)).sum();
    let error = (squares / (count - 1.0).max(1.0) / count).sqrt();
    let freedom = (count - 1.0).max(1.0);
    levels().map(|p| mean + error * student(p, freedom)).collect()
}

/// Returns the estimate of `worth` over all pairs of equally likely values; minutes a week.
pub(super) fn estimate(ones: &[f64], others: &[f64], worth: impl Fn(f64, f64) -> f64) -> Estimate {
    let mut outcomes: Vec<f64> = ones
        .iter()
        .flat_map(|one| others.iter().map(|other| worth(*one, *other)))
        .filter(|gain| gain.is_finite())
        .collect();
    outcomes.sort_by(f64::total_cmp);
    let at = |percent: usize| outcomes.get(outcomes.len() * percent / 100).copied().unwrap_or(0.0);
    let gain = Gain { low: at(5), median: at(50), high: at(95) };
    // Half a cell of the grid stays open: that all cells gain is not certainty.
    #[expect(clippy::cast_precision_loss, reason = "a small grid")]
    let (gains, cells) = (outcomes.iter().filter(|gain| **gain > 0.0).count() as f64, outcomes.len().max(1) as f64);
    let confidence = gains.min(cells - 0.5) / cells;
    Estimate { gain, confidence }
}

fn student(p: f64, freedom: f64) -> f64 {
    if p < 0.5 {
        -crate::learn::beta::student_quantile(1.0 - p, freedom)
    } else {
        crate::learn::beta::student_quantile(p, freedom)
    }
}

fn levels() -> impl Iterator<Item = f64> {
    (0..GRID).map(|place| (f64::from(place) + 0.5) / f64::from(GRID))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_value_gives_one_gain_and_no_certainty() {
        let Estimate { gain, confidence } = estimate(&[2.0], &[3.0], |one, other| one * other);
        assert_eq!((gain, confidence), (Gain { low: 6.0, median: 6.0, high: 6.0 }, 0.5));
        assert!(estimate(&[], &[1.0], |one, _| one).confidence < 1e-9);
    }

    #[test]
    fn more_trials_narrow_the_gain() {
        let width = |trials: u64| {
            let gain = estimate(&rates(trials / 4, trials), &[1.0], |rate, _| rate).gain;
            assert!(gain.low < 0.25 && 0.25 < gain.high, "{gain:?}");
            gain.high - gain.low
        };
        assert!(width(400) < width(40) && width(40) < width(8));
    }

    #[test]
    fn means_straddle_zero_where_samples_do() {
        let sure = estimate(&means(&[5.0, 6.0, 5.5, 5.2]), &[1.0], |mean, _| mean);
        let unsure = estimate(&means(&[5.0, -6.0, 5.5, -5.2]), &[1.0], |mean, _| mean);
        assert!(sure.gain.low > 4.0 && unsure.gain.low < 0.0, "{sure:?} {unsure:?}");
    }
}
