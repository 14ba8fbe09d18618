//! The back-test of orders: how often predictions told the longer of two attempts.

use super::beta::odds;
use super::replay::{Predicted, Trace};
use crate::plan::Odds;
use crate::record::Outcome;
use crate::scan::Name;

/// The latest attempts that are looked at.
const LATEST: usize = 2_000;

/// How far back the other attempt of a pair is looked for, at most.
const BACK: usize = 50;

/// Durations that differ by less than this share are as good as equal: which comes first matters little.
const EQUAL: f64 = 0.1;

/// Returns the odds that of two attempts of a workflow the one that was predicted to be longer was, from what was `said` of
/// a trace's attempts at their starts. Pairs of equal predictions or durations say nothing; `None` without any.
pub(crate) fn order(trace: &Trace, said: &[Predicted], workflow: Name) -> Option<Odds> {
    let scored: Vec<(f64, f64)> = trace
        .attempts
        .iter()
        .zip(said)
        .filter(|((known, came), _)| {
            known.workflow == workflow && came.outcome == Outcome::Passed && came.duration_ms > 0.0
        })
        .filter_map(|((_, came), said)| Some((said.duration_ms?.p50, came.duration_ms)))
        .collect();
    let latest = &scored[scored.len().saturating_sub(LATEST)..];
    let (mut right, mut pairs) = (0, 0);
    for (place, (said, took)) in latest.iter().enumerate().skip(1) {
        // A different distance for each, so that no rhythm of the steps decides who meets whom.
        let other = place - 1 - place * 31 % place.min(BACK);
        let (said_other, took_other) = latest[other];
        let differ = (took / took_other).ln().abs() > EQUAL && (said - said_other).abs() > 0.0;
        pairs += u64::from(differ);
        right += u64::from(differ && (said > &said_other) == (took > &took_other));
    }
    (pairs > 0).then(|| odds(right, pairs))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::learn::replay::{Came, Known};
    use crate::plan::Interval;

    #[test]
    fn pairs_are_right_wrong_or_silent() {
        let check = |rows: &[(f64, f64)], expected: Option<(u64, f64)>| {
            let mut trace = Trace::default();
            let (workflow, step) = (trace.names.intern("w"), trace.names.intern("s"));
            let mut said = Vec::new();
            for (place, (p50, took)) in (0..).zip(rows) {
                let known = Known {
                    execution: place,
                    repository: 0,
                    workflow,
                    step,
                    attempt: 1,
                    started_us: i64::from(place),
                    commit: None,
                    branch: None,
                    machine: None,
                    inputs_bytes: f64::NAN,
                    metrics: Box::default(),
                    touch: None,
                };
                trace.attempts.push((known, Came { duration_ms: *took, outcome: Outcome::Passed }));
                let interval = Interval { p10: *p50, p50: *p50, p90: *p50, n: 1 };
                said.push(Predicted { duration_ms: Some(interval), failure: None });
            }
            let found = order(&trace, &said, workflow);
            assert_eq!(found.map(|odds| odds.n), expected.map(|(n, _)| n), "{found:?}");
            let mean = found.map_or(0.0, |odds| odds.mean);
            assert!((mean - expected.map_or(0.0, |(_, mean)| mean)).abs() < 0.1, "{found:?}");
        };
        check(&[], None);
        check(&[(1.0, 5.0), (1.0, 9.0)], None);
        check(&[(1.0, 5.0), (2.0, 5.2)], None);
        let right: Vec<(f64, f64)> = (1..30).map(|n| (1.5_f64.powi(n), 1.5_f64.powi(n))).collect();
        check(&right, Some((28, 1.0)));
        let wrong: Vec<(f64, f64)> = (1..30).map(|n| (1.5_f64.powi(-n), 1.5_f64.powi(n))).collect();
        check(&wrong, Some((28, 0.0)));
    }
}
