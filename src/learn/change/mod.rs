//! Where a series of numbers changes: the places, how much, and how sure that is.

mod noise;
mod partition;
pub(crate) mod rates;
pub mod watch;

use serde::Serialize;

use noise::Noise;
use partition::{Places, Sums, partition};

/// Points a segment has at least.
const SHORTEST: usize = 5;

/// Cost of a change in units of ln n: twice the two parameters (place and level) of Schwarz's criterion, so that a
/// change is claimed only where its p-value, by the bound below, is at most 1/n.
const CHANGE: f64 = 4.0;

/// Cost of a slope within a segment in units of ln n.
const SLOPE: f64 = 2.0;

/// The least noise assumed, as a share of the series' own deviation: bends smaller than this are shape, not change.
const FLOOR: f64 = 0.2;

/// Autocorrelation above this is not told apart from slopes and steps.
const MOST_CORRELATION: f64 = 0.5;

/// The 95 % quantile of the normal law, for intervals of 90 %.
const NORMAL_95: f64 = 1.645;

/// The constants of the offline detector that its bench varies, to score each series with those chosen on the others.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Constants {
    /// Cost of a change in units of ln n; a slope within a segment costs half of it.
    pub change: f64,
    /// The least noise assumed, as a share of the series' deviation.
    pub floor: f64,
    /// The largest autocorrelation of the noise that is believed.
    pub most_correlation: f64,
}

impl Default for Constants {
    fn default() -> Self {
        Self { change: CHANGE, floor: FLOOR, most_correlation: MOST_CORRELATION }
    }
}

/// One change of a series.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Change {
    /// The 0-based place of the first point after it.
    pub at: usize,
    /// The level before: the median of the segment that ends there.
    pub before: f64,
    /// The level after: the median of the segment that begins there.
    pub after: f64,
    /// Lower end of the 90 % interval of `after - before`.
    pub low: f64,
    /// Upper end of the 90 % interval of `after - before`.
    pub high: f64,
    /// The probability of as large a gain, of level or of slope, at any place of a series without a change, at most.
    pub p_value: f64,
    /// The standard error of `after - before`.
    #[serde(skip)]
    pub error: f64,
}

/// Returns the changes of a series, in order; none where it has fewer than ten points or any is not finite.
///
/// Optimal partitioning (Jackson et al. 2005, IEEE Signal Processing Letters 12(2)) into segments that are each a level
/// or a line. Outliers are first brought to the running median ± 3 deviations (Hampel 1974). The noise comes from
/// differences, corrected for autocorrelation of the first order by the estimator of Chakar et al. 2017 (Bernoulli
/// 23(2)), which changes do not disturb. The p-value is Bonferroni's over the places: n · P(χ² with two degrees of
/// freedom > gain) = n · exp(-gain / 2).
///
/// A series with more changes than the root of its length wanders rather than changes; its autocorrelation is then
/// believed as it is, which leaves only changes that stand out from the wandering.
pub fn changes(series: &[f64]) -> Vec<Change> {
    changes_by(series, Constants::default())
}

/// Returns the changes of a series by other constants; see [`changes`].
pub fn changes_by(series: &[f64], constants: Constants) -> Vec<Change> {
    let found = segment(series, constants);
    if found.len() * found.len() <= series.len() {
        return found;
    }
    segment(series, Constants { most_correlation: 0.9999, ..constants })
}

fn segment(series: &[f64], constants: Constants) -> Vec<Change> {
    if series.len() < 2 * SHORTEST || series.iter().any(|value| !value.is_finite()) {
        return Vec::new();
    }
    // Scaled to at most one, so that no square overflows.
    let largest = series.iter().fold(0.0_f64, |largest, value| largest.max(value.abs()));
    let scaled: Vec<f64> = series.iter().map(|value| value / largest.max(f64::MIN_POSITIVE)).collect();
    let Some(noise) = Noise::of(&scaled, constants.most_correlation) else { return Vec::new() };
    let calm = noise.calm(&scaled);
    let floor = constants.floor * noise::deviation(&calm);
    let variance = Noise::of(&calm, constants.most_correlation).map_or(0.0, |noise| noise.variance).max(floor * floor);
    if variance <= 0.0 {
        return Vec::new();
    }
    let sums = Sums::of(&calm);
    let unit = count(series.len()).ln();
    let slope = constants.change * (SLOPE / CHANGE) * unit;
    let cost = |from: usize, to: usize| {
        let (level, line) = sums.squares(from, to);
        (level / variance).min(line / variance + slope)
    };
    let places = Places { n: series.len(), shortest: SHORTEST };
    let cuts = partition(places, constants.change * unit, cost);
    let edges: Vec<usize> = [0].into_iter().chain(cuts).chain([series.len()]).collect();
    edges
        .windows(3)
        .map(|edge| {
            let (from, at, to) = (edge[0], edge[1], edge[2]);
            let (before, after) = (noise::median(&series[from..at]), noise::median(&series[at..to]));
            let error = (variance * (1.0 / count(at - from) + 1.0 / count(to - at))).sqrt() * largest;
            let gain = cost(from, to) - cost(from, at) - cost(at, to);
            Change {
                at,
                before,
                after,
                low: after - before - NORMAL_95 * error,
                high: after - before + NORMAL_95 * error,
                p_value: p_value(gain, series.len()),
                error,
            }
        })
        .collect()
}

/// Returns Bonferroni's bound on the probability of such a gain at any of `n` places.
fn p_value(gain: f64, n: usize) -> f64 {
    (count(n) * (-gain / 2.0).exp()).min(1.0)
}

#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
fn count(n: usize) -> f64 {
    n as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns near-normal numbers of deviation one, the same each time.
    fn wobble(n: usize) -> Vec<f64> {
        let mut seed = 7_u64;
        let mut unit = || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            f64::from((seed >> 33) as u32) / f64::from(1_u32 << 31)
        };
        (0..n).map(|_| (0..12).map(|_| unit()).sum::<f64>() - 6.0).collect()
    }

    fn check(name: &str, series: &[f64], expected: &[usize]) {
        let found: Vec<usize> = changes(series).iter().map(|change| change.at).collect();
        assert_eq!(found, expected, "{name}");
    }

    #[test]
    fn steps_bends_and_nothing() {
        let calm = wobble(60);
        let step: Vec<f64> = calm.iter().enumerate().map(|(at, x)| x + if at < 30 { 100.0 } else { 110.0 }).collect();
        let ramp: Vec<f64> = calm.iter().enumerate().map(|(at, x)| x + 3.0 * count(at)).collect();
        let mut spiky = calm.clone();
        (spiky[20], spiky[40]) = (1e6, -1e6);
        let spiky_step: Vec<f64> =
            spiky.iter().enumerate().map(|(at, x)| x + if at < 30 { 0.0 } else { 10.0 }).collect();
        let bare_step = [[1.0; 30], [2.0; 30]].concat();
        check("calm", &calm, &[]);
        check("step", &step, &[30]);
        check("a straight line does not change", &ramp, &[]);
        check("outliers are no changes", &spiky, &[]);
        check("outliers hide no step", &spiky_step, &[30]);
        check("a step without noise", &bare_step, &[30]);
        check("constant", &[3.0; 50], &[]);
        check("short", &[1.0, 9.0], &[]);
        check("nothing", &[], &[]);
    }

    #[test]
    fn numbers_at_the_edge_do_not_break_it() {
        let times = |factor: f64| [vec![factor; 30], vec![2.0 * factor; 30]].concat();
        check("tiny", &times(1e-300), &[30]);
        check("huge", &times(8e307), &[30]);
        check("opposite", &[vec![-1.7e308; 30], vec![1.7e308; 30]].concat(), &[30]);
        check("not a number", &[vec![f64::NAN; 30], vec![1.0; 30]].concat(), &[]);
        check("infinite", &[vec![f64::INFINITY; 30], vec![1.0; 30]].concat(), &[]);
    }

    #[test]
    fn a_change_says_how_much_and_how_sure() {
        let step: Vec<f64> =
            wobble(80).iter().enumerate().map(|(at, x)| x + if at < 40 { 100.0 } else { 110.0 }).collect();
        let change = changes(&step)[0];
        assert!(change.low < 10.0 && 10.0 < change.high && change.high - change.low < 4.0, "{change:?}");
        assert!(change.p_value < 1e-6, "{change:?}");
    }

    #[test]
    fn long_series_are_searched_on_a_grid_and_refined() {
        let series: Vec<f64> =
            wobble(20_000).iter().enumerate().map(|(at, x)| x + if at < 12_345 { 0.0 } else { 8.0 }).collect();
        let found = changes(&series);
        assert_eq!(found.len(), 1);
        assert!(found[0].at.abs_diff(12_345) <= 2, "{found:?}");
    }
}
