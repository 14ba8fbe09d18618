//! Single attempts and executions far outside what they were likely to take.

use std::collections::BTreeMap;

use super::Finding;
use super::view::{Candidate, View};
use crate::learn::beta::{student_quantile, student_tail};
use crate::learn::spread::predict;
use crate::plan::Interval;
use crate::scan::Name;

/// Samples from which on an interval can be left, and the latest ones that count.
pub(super) const SAMPLES: (usize, usize) = (10, 100);

/// The latest attempts of a step on a machine class that are looked at.
const LATEST: usize = 20;

/// What is far lies beyond p10 or p90 by this factor, and this many milliseconds from the median.
const FACTOR: f64 = 1.5;
const LEAST_MS: f64 = 100.0;

/// The probability that one of the numbers looked at together is called far by chance.
const CHANCE: f64 = 0.01;

/// Returns whether `took_ms` lies far outside its interval, where one of `tests` numbers looked at together is called so by
/// chance with a probability of at most 1 %. False where the interval rests on fewer than 10 samples.
pub fn is_far(interval: &Interval, took_ms: f64, tests: u64) -> bool {
    #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
    let tests = tests.max(1) as f64;
    interval.n >= SAMPLES.0 as u64 && outside(interval, took_ms).is_some_and(|p_value| p_value * tests <= CHANCE)
}

/// Returns the probability of a number so far outside its interval; `None` where it is not far enough to be looked at.
///
/// The distance from the median in the logarithm, in units of the interval's half, by Student's t.
fn outside(interval: &Interval, took_ms: f64) -> Option<f64> {
    let Interval { p10, p50, p90, n } = *interval;
    let is_far = took_ms > FACTOR * p90 || FACTOR * took_ms < p10;
    if !(p10 > 0.0 && took_ms > 0.0 && took_ms.is_finite() && is_far && (took_ms - p50).abs() >= LEAST_MS) {
        return None;
    }
    #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
    let freedom = (n as f64 - 1.0).max(1.0);
    let half = if took_ms > p50 { (p90 / p50).ln() } else { (p50 / p10).ln() };
    // Nothing is steadier than one per cent.
    let unit = half.max(0.01) / student_quantile(0.9, freedom);
    Some(2.0 * student_tail((took_ms / p50).ln().abs() / unit, freedom))
}

/// Searches for passed attempts far outside the interval that the attempts before them, on the same machine class, gave.
pub(super) fn search(view: &View, candidates: &mut Vec<Candidate>) {
    let attempts = &view.history.attempts;
    let machine = |at: usize| view.history.executions.machine[at];
    for (step, rows) in &view.steps {
        let mut series: BTreeMap<Option<Name>, Vec<(usize, f64)>> = BTreeMap::new();
        for row in rows.iter().copied().filter(|row| view.passed(*row) && attempts.duration_ms[*row] > 0.0) {
            let at = view.execution(row);
            series.entry(machine(at)).or_default().push((at, attempts.duration_ms[row]));
        }
        for series in series.values() {
            single(Some(step), series, candidates);
        }
    }
    let mut wholes: BTreeMap<Option<Name>, Vec<(usize, f64)>> = BTreeMap::new();
    for at in view.whole().filter(|at| view.history.executions.duration_ms[*at] > 0.0) {
        wholes.entry(machine(at)).or_default().push((at, view.history.executions.duration_ms[at]));
    }
    if view.steps.len() > 1 {
        for series in wholes.values() {
            single(None, series, candidates);
        }
    }
}

/// Tests the latest of a series one by one; neighbours that are both far are a change, not anomalies.
fn single(step: Option<&str>, series: &[(usize, f64)], candidates: &mut Vec<Candidate>) {
    let from = SAMPLES.0.max(series.len().saturating_sub(LATEST));
    let values: Vec<f64> = series.iter().map(|(_, value)| *value).collect();
    let told: Vec<(Interval, Option<f64>)> = (from..series.len())
        .filter_map(|place| Some((predict(&values[place.saturating_sub(SAMPLES.1)..place])?, values[place])))
        .map(|(known, value)| (known, outside(&known, value)))
        .collect();
    for (place, (known, far)) in told.iter().enumerate() {
        let (at, took_ms) = series[from + place];
        let lonely =
            |other: Option<usize>| other.and_then(|other| told.get(other)).is_none_or(|(_, far)| far.is_none());
        let is_single = lonely(place.checked_sub(1)) && lonely(Some(place + 1));
        let finding = Finding::FarOutside { took_ms, p10_ms: known.p10, p50_ms: known.p50, p90_ms: known.p90 };
        let found = is_single.then(|| (finding, vec![at]));
        candidates.push(Candidate::tested(step, far.unwrap_or(1.0), known.n, found));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_far_and_known_well_is_called_far() {
        let known = |n| Interval { p10: 9_000.0, p50: 10_000.0, p90: 11_000.0, n };
        for (n, took_ms, tests, expected) in [
            (30, 20_000.0, 1, true),
            (30, 12_000.0, 1, false),
            (30, 4_000.0, 1, true),
            (9, 90_000.0, 1, false),
            (11, 17_000.0, 10_000, false),
            (30, f64::NAN, 1, false),
            (30, f64::INFINITY, 1, false),
            (30, 0.0, 1, false),
        ] {
            assert_eq!(is_far(&known(n), took_ms, tests), expected, "{n} {took_ms} {tests}");
        }
        let quick = Interval { p10: 9.0, p50: 10.0, p90: 11.0, n: 100 };
        assert!(!is_far(&quick, 60.0, 1), "a few milliseconds are no news");
    }
}
