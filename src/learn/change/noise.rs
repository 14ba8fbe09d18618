//! How much a series wobbles between its changes: deviation, autocorrelation, and outliers brought in.

use crate::learn::spread;

/// Half the width of the window whose median an outlier is held against.
const REACH: usize = 3;

/// Deviations from which on a point is an outlier.
const OUTLYING: f64 = 3.0;

/// Of the normal law: deviation over median absolute deviation.
const PER_MAD: f64 = 1.4826;

/// The noise of a series, measured on differences, which see a change once only.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Noise {
    /// Deviation of a point if points were independent.
    pub deviation: f64,
    /// Variance of a mean of m points, times m: inflated by autocorrelation.
    pub variance: f64,
}

impl Noise {
    /// Returns the noise of a series; `None` where it is constant or has fewer than three points.
    ///
    /// With first-order correlation ρ, differences over one and over two points have variances 2σ²(1-ρ) and
    /// 2σ²(1-ρ²), whose ratio is 1+ρ (Chakar et al. 2017, Bernoulli 23(2), in a robust form: outlying differences
    /// are brought in); a mean then varies (1+ρ)/(1-ρ) times as much.
    pub fn of(series: &[f64], most_correlation: f64) -> Option<Self> {
        let one: Vec<f64> = series.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let two: Vec<f64> = series.windows(3).map(|three| three[2] - three[0]).collect();
        let (one, two) = (robust_deviation(&one).powi(2), robust_deviation(&two).powi(2));
        if one <= 0.0 || series.len() < 3 {
            return None;
        }
        // Only what exceeds one standard error (Bartlett 1946) counts as correlation.
        let correlation = two / one - 1.0 - 1.0 / super::count(series.len()).sqrt();
        let correlation = correlation.clamp(0.0, most_correlation);
        let square = one / (2.0 * (1.0 - correlation));
        let variance = square * (1.0 + correlation) / (1.0 - correlation);
        Some(Self { deviation: (one / 2.0).sqrt(), variance })
    }

    /// Returns the series with outliers brought to the running median ± 3 deviations.
    pub fn calm(&self, series: &[f64]) -> Vec<f64> {
        let reach = OUTLYING * self.deviation;
        (0..series.len())
            .map(|at| {
                let around = &series[at.saturating_sub(REACH)..(at + REACH + 1).min(series.len())];
                let middle = median(around);
                series[at].clamp(middle - reach, middle + reach)
            })
            .collect()
    }
}

/// Returns the deviation of values with outliers brought to 3 deviations by the median absolute one, or the plain
/// deviation where more than half are equal.
fn robust_deviation(values: &[f64]) -> f64 {
    let middle = median(values);
    let away: Vec<f64> = values.iter().map(|value| (value - middle).abs()).collect();
    let reach = OUTLYING * PER_MAD * median(&away);
    if reach <= 0.0 {
        return deviation(values);
    }
    let squares: f64 = away.iter().map(|away| away.min(reach).powi(2)).sum();
    (squares / super::count(values.len())).sqrt()
}

/// Returns the plain standard deviation; 0 of nothing.
pub(crate) fn deviation(values: &[f64]) -> f64 {
    let n = super::count(values.len().max(1));
    let mean = values.iter().sum::<f64>() / n;
    (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / n).sqrt()
}

/// Returns the middle of the values; 0 of nothing.
pub(crate) fn median(values: &[f64]) -> f64 {
    spread::median(values).unwrap_or(0.0)
}
