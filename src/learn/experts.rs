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
        let mut ranked = Ranked::of(values);
        let mut windows = Self { sorted: [[0.0; WINDOW]; 3], lengths: [0; 3], medians: [0.0; 5] };
        for (window, most) in [3, 5, 10, 20, 30].into_iter().enumerate() {
            let (sorted, length) = ranked.sorted(most);
            windows.medians[window] = f64::midpoint(sorted[(length - 1) / 2], sorted[length / 2]);
            if let Some(place) = window.checked_sub(2) {
                windows.sorted[place] = sorted;
                windows.lengths[place] = length;
            }
        }
        windows
    }

    /// Returns the latest 10, 20 and 30 values, each sorted.
    pub fn sorted(&self) -> [&[f64]; 3] {
        std::array::from_fn(|window| &self.sorted[window][..self.lengths[window]])
    }
}

/// Returns the median of the latest 20 values; at least one.
pub(crate) fn middle(values: &[f64]) -> f64 {
    let (sorted, length) = Ranked::of(values).sorted(20);
    f64::midpoint(sorted[(length - 1) / 2], sorted[length / 2])
}

/// The latest values, newest first, with the places that the first `length` of them have among themselves.
///
/// Comparing all pairs has no branch to guess, which for so few values is several times as fast as sorting them.
struct Ranked {
    latest: [f64; WINDOW],
    ranks: [u64; WINDOW],
    known: usize,
    length: usize,
}

impl Ranked {
    fn of(values: &[f64]) -> Self {
        let mut latest = [0.0; WINDOW];
        latest.iter_mut().zip(values.iter().rev()).for_each(|(place, value)| *place = *value);
        Self { latest, ranks: [0; WINDOW], known: values.len().min(WINDOW), length: 0 }
    }

    /// Returns the latest values, at most `most`, sorted, and how many they are; `most` never falls.
    fn sorted(&mut self, most: usize) -> ([f64; WINDOW], usize) {
        let most = most.min(self.known);
        for place in self.length..most {
            let value = self.latest[place];
            let mut above = 0;
            for (rank, other) in self.ranks[..place].iter_mut().zip(&self.latest[..place]) {
                let is_above = u64::from(*other > value);
                *rank += is_above;
                above += is_above;
            }
            self.ranks[place] = place as u64 - above;
        }
        self.length = most;
        let mut sorted = [0.0; WINDOW];
        for (rank, value) in self.ranks[..most].iter().zip(&self.latest) {
            #[expect(clippy::cast_possible_truncation, reason = "a place in the window")]
            let place = *rank as usize;
            sorted[place] = *value;
        }
        (sorted, most)
    }
}

/// Returns what each expert says: the last value, medians of 3, 5, 10, 20 and 30, the mean of 3, and exponentially
/// weighted means that take .1, .3 and .5 of each new value.
pub(crate) fn experts(values: &[f64], windows: &Windows) -> [f64; EXPERTS] {
    let last = values[values.len() - 1];
    let three = &values[values.len().saturating_sub(3)..];
    let mean = three.iter().sum::<f64>() / [1.0, 2.0, 3.0][three.len() - 1];
    let [median3, median5, median10, median20, median30] = windows.medians;
    let [slow, medium, fast] = exponential(values, [0.1, 0.3, 0.5]);
    [last, median3, median5, median10, median20, median30, mean, slow, medium, fast]
}

fn exponential(values: &[f64], shares: [f64; 3]) -> [f64; 3] {
    let (mut sums, mut weights) = ([0.0; 3], [0.0; 3]);
    for value in values {
        for ((sum, weight), share) in sums.iter_mut().zip(&mut weights).zip(shares) {
            *sum += share * (value - *sum);
            *weight += share * (1.0 - *weight);
        }
    }
    std::array::from_fn(|place| sums[place] / weights[place])
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
        assert!((middle(&rising) - 29.5).abs() < 1e-9);
        let said = experts(&rising, &windows);
        assert!(said[9] > said[8] && said[8] > said[7] && said[0] > said[9], "{said:?}");
    }
}
