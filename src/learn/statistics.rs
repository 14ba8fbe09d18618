//! The few tests that decide whether something may be claimed; logarithms of durations in, intervals out.

use super::beta::{ln_gamma, student_quantile, student_tail};
use crate::plan::Interval;

/// A shift between two samples with a confidence interval; on logarithms the exponents are ratios.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Shift {
    /// Lower end.
    pub low: f64,
    /// The Hodges–Lehmann estimate.
    pub median: f64,
    /// Upper end.
    pub high: f64,
}

/// Returns p10, median, p90 (linear between order statistics) and n, or `None` for an empty sample.
pub(crate) fn interval(values: &[f64]) -> Option<Interval> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = |p| quantile(&sorted, p);
    (!sorted.is_empty()).then(|| Interval { p10: at(0.1), p50: at(0.5), p90: at(0.9), n: values.len() as u64 })
}

/// Returns the quantile of a sorted, non-empty sample.
pub(crate) fn quantile(sorted: &[f64], p: f64) -> f64 {
    let place = p * float(sorted.len() - 1);
    let below = (0..sorted.len()).rev().find(|index| float(*index) <= place).unwrap_or(0);
    let above = (below + 1).min(sorted.len() - 1);
    sorted[below] + (sorted[above] - sorted[below]) * (place - float(below))
}

/// Returns how far the second samples lie above the first, over strata that are only compared within themselves.
///
/// The estimate is the median of all pairwise differences (Hodges & Lehmann 1963); the interval with error `alpha` on
/// both sides together inverts the stratified Wilcoxon–Mann–Whitney test, exact up to 10,000 pairs (Gaussian binomial
/// coefficients), by the normal limit above. `None` where so few values cannot reach `alpha`.
pub(crate) fn shift(strata: &[(Vec<f64>, Vec<f64>)], alpha: f64) -> Option<Shift> {
    let mut differences: Vec<f64> = strata
        .iter()
        .flat_map(|(first, second)| second.iter().flat_map(move |b| first.iter().map(move |a| b - a)))
        .collect();
    differences.sort_by(f64::total_cmp);
    let sizes: Vec<(usize, usize)> = strata.iter().map(|(first, second)| (first.len(), second.len())).collect();
    let rank = critical_rank(&sizes, alpha / 2.0);
    (rank > 0).then(|| Shift {
        low: differences[rank - 1],
        median: quantile(&differences, 0.5),
        high: differences[differences.len() - rank],
    })
}

/// Returns the largest k with P(U ≤ k − 1) ≤ `tail`, where U is the sum of the strata's Mann–Whitney statistics.
fn critical_rank(sizes: &[(usize, usize)], tail: f64) -> usize {
    let pairs: usize = sizes.iter().map(|(n, m)| n * m).sum();
    if pairs <= 10_000 {
        let counts = sizes.iter().fold(vec![1.0], |counts, (n, m)| product(&counts, &arrangements(*n, *m)));
        let all: f64 = counts.iter().sum();
        let mut below = 0.0;
        return counts
            .iter()
            .take_while(|count| {
                below += **count / all;
                below <= tail
            })
            .count();
    }
    let mean = float(pairs) / 2.0;
    let variance: f64 = sizes.iter().map(|(n, m)| float(n * m * (n + m + 1)) / 12.0).sum();
    floor(mean - 0.5 - student_quantile(1.0 - tail, 1e5) * variance.sqrt())
}

/// Returns how many of the arrangements of `n` and `m` values have U = 0, 1, …, nm.
fn arrangements(n: usize, m: usize) -> Vec<f64> {
    let mut counts = vec![0.0; n * m + 1];
    counts[0] = 1.0;
    for factor in 1..=n {
        for at in (m + factor..counts.len()).rev() {
            counts[at] -= counts[at - m - factor];
        }
        for at in factor..counts.len() {
            counts[at] += counts[at - factor];
        }
    }
    counts
}

fn product(left: &[f64], right: &[f64]) -> Vec<f64> {
    let mut counts = vec![0.0; left.len() + right.len() - 1];
    for (at, count) in left.iter().enumerate() {
        for (to, other) in counts[at..].iter_mut().zip(right) {
            *to += count * other;
        }
    }
    counts
}

/// Returns the interval in which one more value lies with probability 1 − `alpha`, were the values normal.
pub(crate) fn prediction(values: &[f64], alpha: f64) -> (f64, f64) {
    let n = float(values.len());
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (n - 1.0);
    let reach = student_quantile(1.0 - alpha / 2.0, n - 1.0) * (variance * (1.0 + 1.0 / n)).sqrt();
    (mean - reach, mean + reach)
}

/// Returns the probability of seconds that lie so far above the firsts by chance, over strata that are only compared
/// within themselves: the sum of Wilcoxon's rank sums by its normal limit, corrected for ties (Lehmann 1975,
/// Nonparametrics, sections 1.4 and 3.3). 1 without any pair.
pub(crate) fn rank_sum(strata: &[(Vec<f64>, Vec<f64>)]) -> f64 {
    let (mut excess, mut variance) = (0.0, 0.0);
    for (first, second) in strata.iter().filter(|(first, second)| !first.is_empty() && !second.is_empty()) {
        let mut all: Vec<(f64, bool)> = first.iter().map(|value| (*value, false)).collect();
        all.extend(second.iter().map(|value| (*value, true)));
        all.sort_by(|a, b| a.0.total_cmp(&b.0));
        let (n, m) = (float(first.len()), float(second.len()));
        let (mut below, mut ties) = (0.0, 0.0);
        for equal in all.chunk_by(|a, b| a.0.total_cmp(&b.0).is_eq()) {
            let (size, above) = (float(equal.len()), float(equal.iter().filter(|(_, second)| *second).count()));
            excess += above * (below + f64::midpoint(size, 1.0));
            below += size;
            ties += size * (size * size - 1.0);
        }
        let all = n + m;
        excess -= m * (all + 1.0) / 2.0;
        variance += n * m / 12.0 * ((all + 1.0) - ties / (all * (all - 1.0)));
    }
    let z = (excess - 0.5) / variance.sqrt();
    if z > 0.0 && variance > 0.0 { student_tail(z, 1e5) } else { 1.0 }
}

/// Returns the probability of at least `failed` failures in `runs` where both samples fail alike: Fisher's exact test,
/// one-sided.
pub(crate) fn fisher(failed: u64, runs: u64, base_failed: u64, base_runs: u64) -> f64 {
    let (all, bad) = (runs + base_runs, failed + base_failed);
    let term = |k: u64| (choose(bad, k) + choose(all - bad, runs - k) - choose(all, runs)).exp();
    (failed..=bad.min(runs)).filter(|k| runs - k <= all - bad).map(term).sum::<f64>().min(1.0)
}

/// Returns the logarithm of a binomial coefficient.
fn choose(n: u64, k: u64) -> f64 {
    let (n, k) = (float64(n), float64(k));
    ln_gamma(n + 1.0) - ln_gamma(k + 1.0) - ln_gamma(n - k + 1.0)
}

#[expect(clippy::cast_precision_loss, reason = "sample sizes stay far below 2^53")]
fn float(value: usize) -> f64 {
    value as f64
}

#[expect(clippy::cast_precision_loss, reason = "sample sizes stay far below 2^53")]
fn float64(value: u64) -> f64 {
    value as f64
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rank among pairs; negative becomes 0")]
fn floor(value: f64) -> usize {
    value as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(value: f64, expected: f64) {
        assert!((value - expected).abs() <= 1e-4 * expected.abs().max(1e-9), "{value} is not {expected}");
    }

    #[test]
    fn tables_of_the_books() {
        // Student's t at 97.5 % with 9 and at 99.95 % with 29 degrees of freedom; the normal at 99.9 %.
        for (freedom, tail, t) in [(9.0, 0.025, 2.262_157), (29.0, 0.0005, 3.659_405), (1e5, 0.001, 3.090_306)] {
            near(student_quantile(1.0 - tail, freedom), t);
            near(student_tail(t, freedom), tail);
        }
        // By hand: 1 / C(42, 2), 1, and (C(4, 3) C(6, 2) + C(4, 4) C(6, 1)) / C(10, 5).
        near(fisher(2, 2, 0, 40), 1.0 / 861.0);
        near(fisher(0, 2, 3, 40), 1.0);
        near(fisher(3, 5, 1, 5), 0.261_904_76);
        // Mann & Whitney's table: U at most 2 and 23; for many pairs 10,000 − 0.5 − 1.96 · 708.3.
        assert_eq!(critical_rank(&[(5, 5)], 0.025), 3);
        assert_eq!(critical_rank(&[(10, 10)], 0.025), 24);
        assert_eq!(critical_rank(&[(5, 5)], 0.001), 0);
        assert_eq!(critical_rank(&[(200, 100)], 0.025), 8_611);
    }

    #[test]
    fn ranks_of_the_books() {
        // No ties: U = 24 of 25, z = (24 - 12.5 - 0.5) / sqrt(25 * 11 / 12) = 2.2978.
        near(rank_sum(&[(vec![1.0, 2.0, 3.0, 4.0, 6.0], vec![5.0, 7.0, 8.0, 9.0, 10.0])]), 0.010_787);
        near(rank_sum(&[(vec![1.0; 9], vec![1.0; 9])]), 1.0);
        near(rank_sum(&[(vec![], vec![1.0])]), 1.0);
    }

    #[test]
    fn a_shift_is_found_within_strata_only() {
        let base: Vec<f64> = (0..8).map(|at| float(at) / 10.0).collect();
        let moved = |by: f64| base.iter().map(|value| value + by).collect::<Vec<_>>();
        let found = shift(&[(base.clone(), moved(2.0)), (moved(50.0), moved(52.0))], 0.01).expect("enough values");
        near(found.median, 2.0);
        assert!(found.low > 1.5 && found.high < 2.5, "{found:?}");
        assert_eq!(shift(&[(base[..3].to_vec(), moved(9.0)[..3].to_vec())], 0.01), None);
    }

    #[test]
    fn quantiles_are_linear_between_order_statistics() {
        let known = interval(&[5.0, 1.0, 3.0, 2.0, 4.0]).expect("values");
        near(known.p10, 1.4);
        near(known.p50, 3.0);
        near(known.p90, 4.6);
        assert_eq!((known.n, interval(&[])), (5, None));
    }
}
