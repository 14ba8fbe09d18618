//! The plain experts on one series: what its latest values, in the logarithm, say of the next.

/// How many of the latest values they look at.
pub(crate) const WINDOW: usize = 30;

/// How many there are.
pub(crate) const EXPERTS: usize = 10;

/// The latest 10, 20 and 30 values, sorted, with their medians on the way.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Windows {
    sorted: [[f64; WINDOW]; 3],
    lengths: [usize; 3],
    /// Medians of the latest 3, 5, 10, 20, 30.
    medians: [f64; 5],
}

impl Windows {
    /// Returns the windows of values, oldest first; at least one.
    pub fn of(values: &[f64]) -> Self {
        let mut list = [0.0; WINDOW];
        let mut windows = Self { sorted: [list; 3], lengths: [0; 3], medians: [0.0; 5] };
        let mut length = 0;
        for value in values.iter().rev().take(WINDOW) {
            let place = list[..length].partition_point(|known| known < value);
            list.copy_within(place..length, place + 1);
            list[place] = *value;
            length += 1;
            for (size, median) in [3, 5, 10, 20, 30].into_iter().zip(&mut windows.medians) {
                if length <= size {
                    *median = f64::midpoint(list[(length - 1) / 2], list[length / 2]);
                }
            }
            for (size, window) in [10, 20, 30].into_iter().zip(0..3) {
                if length == size {
                    windows.sorted[window] = list;
                    windows.lengths[window] = length;
                }
            }
        }
        for window in 0..3 {
            if windows.lengths[window] == 0 {
                windows.sorted[window] = list;
                windows.lengths[window] = length;
            }
        }
        windows
    }

    /// Returns the latest 10, 20 and 30 values, each sorted.
    pub fn sorted(&self) -> [&[f64]; 3] {
        std::array::from_fn(|window| &self.sorted[window][..self.lengths[window]])
    }

    /// Returns the median of the latest 20.
    pub fn middle(&self) -> f64 {
        self.medians[3]
    }
}

/// Returns what each expert says: the last value, medians of 3, 5, 10, 20 and 30, the mean of 3, and exponentially
/// weighted means that take .1, .3 and .5 of each new value.
pub(crate) fn experts(values: &[f64], windows: &Windows) -> [f64; EXPERTS] {
    let last = values[values.len() - 1];
    let three = &values[values.len().saturating_sub(3)..];
    let mean = three.iter().sum::<f64>() / [1.0, 2.0, 3.0][three.len() - 1];
    let [median3, median5, median10, median20, median30] = windows.medians;
    let smooth = |share| exponential(values, share);
    [last, median3, median5, median10, median20, median30, mean, smooth(0.1), smooth(0.3), smooth(0.5)]
}

fn exponential(values: &[f64], share: f64) -> f64 {
    let (mut sum, mut weight) = (0.0, 0.0);
    for value in values {
        sum += share * (value - sum);
        weight += share * (1.0 - weight);
    }
    sum / weight
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn experts_on_a_small_series() {
        let values = [5.0, 1.0, 2.0, 9.0, 4.0];
        let windows = Windows::of(&values);
        let said = experts(&values, &windows);
        for (place, expected) in [(0, 4.0), (1, 4.0), (2, 4.0), (3, 4.0), (6, 5.0)] {
            assert!((said[place] - expected).abs() < 1e-9, "{place}: {said:?}");
        }
        assert_eq!(windows.sorted()[0], [1.0, 2.0, 4.0, 5.0, 9.0]);
        let rising: Vec<f64> = (0..40).map(f64::from).collect();
        let windows = Windows::of(&rising);
        assert_eq!(windows.sorted().map(<[f64]>::len), [10, 20, 30]);
        assert!((windows.middle() - 29.5).abs() < 1e-9);
        let said = experts(&rising, &windows);
        assert!(said[9] > said[8] && said[8] > said[7] && said[0] > said[9], "{said:?}");
    }
}
