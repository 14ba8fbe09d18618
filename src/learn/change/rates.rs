//! Where a series of yes and no changes its rate.

use super::partition::{Places, partition};
use super::{CHANGE, count, p_value};

/// Trials a segment has at least.
const SHORTEST: usize = 10;

/// A change of a rate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct RateChange {
    /// The 0-based place of the first trial after it.
    pub at: usize,
    /// What happened of how many trials in the segment before.
    pub before: (u64, u64),
    /// The same of the segment after.
    pub after: (u64, u64),
    /// The probability of as large a gain at any place of a series with one rate, at most.
    pub p_value: f64,
}

/// Returns where the rate changes, by the partition that a binomial likelihood makes the best at the price of changes of
/// [`super::changes`].
pub(crate) fn rate_changes(trials: &[bool]) -> Vec<RateChange> {
    if trials.len() < 2 * SHORTEST {
        return Vec::new();
    }
    let mut happened = vec![0];
    happened.extend(trials.iter().scan(0, |sum, trial| {
        *sum += u64::from(*trial);
        Some(*sum)
    }));
    let of = |from: usize, to: usize| (happened[to] - happened[from], (to - from) as u64);
    let cost = |from: usize, to: usize| {
        let (yes, all) = of(from, to);
        surprise(yes, all) + surprise(all - yes, all)
    };
    let places = Places { n: trials.len(), shortest: SHORTEST };
    let cuts = partition(places, CHANGE * count(trials.len()).ln(), cost);
    let edges: Vec<usize> = [0].into_iter().chain(cuts).chain([trials.len()]).collect();
    edges
        .windows(3)
        .map(|edge| {
            let gain = cost(edge[0], edge[2]) - cost(edge[0], edge[1]) - cost(edge[1], edge[2]);
            let (before, after) = (of(edge[0], edge[1]), of(edge[1], edge[2]));
            RateChange { at: edge[1], before, after, p_value: p_value(gain, trials.len()) }
        })
        .collect()
}

/// Returns -2 ln of the likelihood of the `part` of `whole` at its own rate.
#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
fn surprise(part: u64, whole: u64) -> f64 {
    if part == 0 { 0.0 } else { -2.0 * part as f64 * (part as f64 / whole as f64).ln() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_that_jumps_is_found_and_one_that_stays_is_not() {
        let every = |n: usize, k: usize| (0..n).map(move |at| at % k == k - 1);
        let steady: Vec<bool> = every(200, 5).collect();
        let jump: Vec<bool> = every(100, 50).chain(every(100, 2)).collect();
        assert_eq!(rate_changes(&steady), []);
        let found = rate_changes(&jump);
        assert_eq!(found.len(), 1);
        assert!(found[0].at.abs_diff(100) <= 2 && found[0].p_value < 1e-6, "{found:?}");
        assert_eq!(rate_changes(&[true; 100]), []);
        assert_eq!(rate_changes(&[]), []);
    }
}
