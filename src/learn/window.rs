//! The latest samples of a series, bounded: two windows make one, whatever the order in which they were filled.

use crate::record::ExecutionId;

/// What orders samples: start in milliseconds since 1970, execution, attempt number.
pub(crate) type Moment = (i64, ExecutionId, u32);

/// How many samples a window keeps.
pub(crate) const KEPT: usize = 200;

/// The latest samples; only finite ones enter.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Window {
    samples: Vec<(Moment, f64)>,
}

impl Window {
    /// Adds a sample unless it is NaN, infinite or negative.
    pub fn add(&mut self, moment: Moment, value: f64) {
        if value.is_finite() && value >= 0.0 {
            self.samples.push((moment, value));
            if self.samples.len() >= 2 * KEPT {
                self.trim();
            }
        }
    }

    /// Returns the window of these samples, which are trimmed when they are merged.
    pub fn of(samples: Vec<(Moment, f64)>) -> Self {
        Self { samples }
    }

    /// Returns the samples, oldest first, of a window that was merged or trimmed before.
    pub fn samples(&self) -> &[(Moment, f64)] {
        &self.samples
    }

    /// Takes over the samples of another window.
    pub fn merge(&mut self, other: Self) {
        if self.samples.is_empty() {
            self.samples = other.samples;
            self.trim();
            // Most of many steps' windows hold a sample or two.
            return self.samples.shrink_to_fit();
        }
        self.samples.extend(other.samples);
        self.trim();
    }

    /// Sorts by time and drops what is too old.
    pub fn trim(&mut self) {
        self.samples.sort_by(|(a, x), (b, y)| a.cmp(b).then(x.total_cmp(y)));
        let excess = self.samples.len().saturating_sub(KEPT);
        self.samples.drain(..excess);
    }

    /// Returns the latest samples, at most `most`, oldest first, of a window that was merged before.
    pub fn latest(&self, most: usize) -> &[(Moment, f64)] {
        &self.samples[self.samples.len().saturating_sub(most)..]
    }

    /// Returns the values, oldest first, of a window that was merged or trimmed before.
    pub fn values(&self) -> Vec<f64> {
        self.samples.iter().map(|(_, value)| *value).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_stay_whatever_the_order() {
        let moment = |time: i64| (time, ExecutionId::from_bytes([0; 12]), 1);
        let (mut up, mut down) = (Window::default(), Window::default());
        for time in 0..1000_i32 {
            up.add(moment(time.into()), f64::from(time));
            down.add(moment((999 - time).into()), f64::from(999 - time));
        }
        up.add(moment(5000), f64::NAN);
        up.add(moment(5000), f64::INFINITY);
        up.trim();
        down.trim();
        assert_eq!(up, down);
        assert_eq!((up.values()[0], up.values().len()), (800.0, KEPT));
    }
}
