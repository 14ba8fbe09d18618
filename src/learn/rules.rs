//! The plain rules that tools in use today predict durations with: what learning has to beat.

use super::beta::student_quantile;
use crate::plan::Interval;

/// How many of the latest durations the longest window keeps.
const LATEST: usize = 20;

/// The plain rules, by name and by who uses them.
pub const RULES: [(&str, &str); 6] = [
    ("last value", "ninja, pytest-split, Argo"),
    ("mean of 3", "Jenkins"),
    ("median of 10", ""),
    ("median of 20", ""),
    ("EWMA .3", ""),
    ("overall mean", "Nx"),
];

/// Where the median of 10 stands among [`RULES`].
pub(crate) const MEDIAN_OF_10: usize = 2;

/// What the plain rules keep of one series' durations.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rules {
    pub n: u64,
    recent: Vec<f64>,
    mean: f64,
    squares: f64,
    weighted: f64,
    weighted_squares: f64,
    weights: f64,
}

impl Rules {
    /// Learns a duration in milliseconds.
    pub fn add(&mut self, duration: f64) {
        self.n += 1;
        self.recent.push(duration);
        if self.recent.len() > LATEST {
            self.recent.remove(0);
        }
        let off = duration - self.mean;
        self.mean += off / count(self.n);
        self.squares += off * (duration - self.mean);
        self.weighted = 0.7 * self.weighted + 0.3 * duration;
        self.weighted_squares = 0.7 * self.weighted_squares + 0.3 * duration * duration;
        self.weights = 0.7 * self.weights + 0.3;
    }

    /// Returns what each of [`RULES`] says, after at least one duration.
    ///
    /// Bounds: the medians' are empirical quantiles, the last value has none, the others' are 1.28 standard deviations.
    pub fn predict(&self) -> [Interval; RULES.len()] {
        let z = student_quantile(0.9, 1e9);
        let around = |p50: f64, variance: f64| {
            let width = z * variance.max(0.0).sqrt();
            Interval { p10: p50 - width, p50, p90: p50 + width, n: self.n }
        };
        let latest = |many: usize| &self.recent[self.recent.len().saturating_sub(many)..];
        let middle = |many| {
            let mut sorted = latest(many).to_vec();
            sorted.sort_by(f64::total_cmp);
            Interval {
                p10: quantile(&sorted, 0.1),
                p50: quantile(&sorted, 0.5),
                p90: quantile(&sorted, 0.9),
                n: self.n,
            }
        };
        let smooth = self.weighted / self.weights;
        [
            around(latest(1)[0], 0.0),
            around(mean(latest(3)), variance(latest(10))),
            middle(10),
            middle(20),
            around(smooth, self.weighted_squares / self.weights - smooth * smooth),
            around(self.mean, self.squares / count(self.n)),
        ]
    }
}

/// Returns the quantile of a sorted list, linear between order statistics (Hyndman and Fan 1996, definition 7).
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a place within the list")]
fn quantile(sorted: &[f64], p: f64) -> f64 {
    let place = count(sorted.len() as u64 - 1) * p;
    let below = sorted[place as usize];
    below + (sorted[(place as usize + 1).min(sorted.len() - 1)] - below) * place.fract()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / count(values.len() as u64)
}

fn variance(values: &[f64]) -> f64 {
    let mean = mean(values);
    values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / count(values.len() as u64)
}

#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
fn count(n: u64) -> f64 {
    n as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rules_on_a_small_series() {
        let mut rules = Rules::default();
        for duration in 1..=11 {
            rules.add(f64::from(duration));
        }
        let p50: Vec<f64> = rules.predict().iter().map(|interval| interval.p50).collect();
        for (place, expected) in [11.0, 10.0, 6.5, 6.0].into_iter().enumerate() {
            assert!((p50[place] - expected).abs() < 1e-9, "{}: {p50:?}", RULES[place].0);
        }
        assert!((p50[5] - 6.0).abs() < 1e-9 && p50[4] > 8.0 && p50[4] < 9.0, "{p50:?}");
        let ten = rules.predict()[MEDIAN_OF_10];
        assert!((ten.p10 - 2.9).abs() < 1e-9 && (ten.p90 - 10.1).abs() < 1e-9, "{ten:?}");
    }
}
