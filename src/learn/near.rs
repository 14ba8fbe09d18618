//! Durations by the size of inputs without a law behind them: what inputs of about this size took before.

/// Sizes that are told apart; past that the two closest become one.
const MOST: usize = 1024;

/// Attempts that are looked at around a size.
const AROUND: f64 = 10.0;

/// Attempts of one size that count at most, so that it follows when that size comes to take another time.
const MEMORY: f64 = 20.0;

/// Attempts below which nothing is said.
const LEAST: f64 = 3.0;

/// The mean duration by size, both in the logarithm, sizes ascending.
///
/// The same size is often the same input, whose duration no line in the size foresees. Bounded as the histogram of
/// Ben-Haim and Tom-Tov (2010, JMLR 11, algorithm 1) is.
#[derive(Debug, Clone, Default)]
pub(crate) struct Near {
    groups: Vec<Group>,
}

/// Attempts of one size, or of sizes close to each other.
#[derive(Debug, Clone, Copy)]
struct Group {
    size: f64,
    duration: f64,
    n: f64,
}

impl Near {
    /// Learns a duration; both finite, in the logarithm.
    pub fn add(&mut self, size: f64, duration: f64) {
        if !(size.is_finite() && duration.is_finite()) {
            return;
        }
        let place = self.groups.partition_point(|group| group.size < size);
        if let Some(group) = self.groups.get_mut(place).filter(|group| group.size <= size) {
            group.n = (group.n + 1.0).min(MEMORY);
            group.duration += (duration - group.duration) / group.n;
            return;
        }
        self.groups.insert(place, Group { size, duration, n: 1.0 });
        if self.groups.len() > MOST {
            self.join();
        }
    }

    /// Makes one of the two groups whose sizes are closest.
    fn join(&mut self) {
        let gap = |place: &usize| self.groups[place + 1].size - self.groups[*place].size;
        let closest = (0..self.groups.len() - 1).min_by(|one, other| gap(one).total_cmp(&gap(other)));
        let Some(place) = closest else { return };
        let other = self.groups.remove(place + 1);
        let one = &mut self.groups[place];
        let share = other.n / (one.n + other.n);
        one.size += share * (other.size - one.size);
        one.duration += share * (other.duration - one.duration);
        one.n = (one.n + other.n).min(MEMORY);
    }

    /// Returns the mean duration of the ten or more attempts with the closest sizes; `None` below three attempts, or
    /// where all had one size.
    pub fn at(&self, size: f64) -> Option<f64> {
        if self.groups.len() < 2 {
            return None;
        }
        let mut above = self.groups.partition_point(|group| group.size < size);
        let mut below = above;
        let (mut sum, mut n) = (0.0, 0.0);
        while n < AROUND {
            let left = below.checked_sub(1).map(|place| self.groups[place]);
            let right = self.groups.get(above).copied();
            let next = match (left, right) {
                (Some(left), Some(right)) if size - left.size < right.size - size => Some(left),
                (left, None) => left,
                (_, right) => right,
            };
            let Some(group) = next else { break };
            if group.size < size {
                below -= 1;
            } else {
                above += 1;
            }
            sum += group.n * group.duration;
            n += group.n;
        }
        (n >= LEAST).then(|| sum / n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closest_sizes_speak() {
        let mut near = Near::default();
        assert_eq!(near.at(1.0), None);
        for _ in 0..12 {
            near.add(1.0, 5.0);
        }
        assert_eq!(near.at(1.0), None, "one size tells nothing of sizes");
        for _ in 0..12 {
            near.add(2.0, 1.0);
        }
        near.add(f64::NAN, 1.0);
        for (size, expected) in [(1.0, 5.0), (0.0, 5.0), (1.4, 5.0), (1.6, 1.0), (2.0, 1.0), (9.0, 1.0)] {
            let found = near.at(size).expect("known");
            assert!((found - expected).abs() < 1e-9, "{size}: {found}");
        }
    }

    #[test]
    fn few_neighbours_are_taken_together_and_many_stay_bounded() {
        let mut near = Near::default();
        for place in 0..4000_i32 {
            near.add(f64::from(place * 377 % 4001) / 100.0, f64::from(place * 377 % 4001) / 100.0);
        }
        assert_eq!(near.groups.len(), MOST);
        assert!(near.groups.is_sorted_by(|one, other| one.size < other.size));
        for size in [1.0, 17.3, 39.0] {
            let found = near.at(size).expect("known");
            assert!((found - size).abs() < 1.0, "{size}: {found}");
        }
        let mut few = Near::default();
        (0..3).for_each(|place| few.add(f64::from(place), f64::from(place)));
        assert!((few.at(0.0).expect("three") - 1.0).abs() < 1e-9);
    }
}
