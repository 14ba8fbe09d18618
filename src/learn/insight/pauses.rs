//! Rule about pauses: a step that takes longer in the first execution after hours without one, as caches are cold then.

use std::collections::BTreeMap;

use super::Finding;
use super::view::{Candidate, View};
use crate::learn::statistics::{rank_sum, shift};
use crate::scan::Name;

/// Time without an execution on a machine class after which caches may be cold: six hours.
const PAUSE_MS: f64 = 6.0 * 3_600_000.0;

/// Attempts after a pause, and others, at least.
const FEW: usize = 5;

/// A step is slower after pauses by this factor at least.
const LEAST: f64 = 1.1;

/// Attempts after a pause and others, of one machine class, in the logarithm.
type Stratum = (Vec<f64>, Vec<f64>);

pub(super) fn search(view: &View, candidates: &mut Vec<Candidate>) {
    let executions = &view.history.executions;
    let mut last: BTreeMap<Option<Name>, f64> = BTreeMap::new();
    let mut cold: BTreeMap<usize, bool> = BTreeMap::new();
    for at in view.executions.iter().copied() {
        #[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970 stay far below 2^53")]
        let start = executions.started_ms[at] as f64;
        let took = executions.duration_ms[at];
        let end = start + if took.is_finite() { took.max(0.0) } else { 0.0 };
        if let Some(before) = last.insert(executions.machine[at], end) {
            cold.insert(at, start - before >= PAUSE_MS);
        }
    }
    for (step, rows) in &view.steps {
        let mut strata: BTreeMap<Option<Name>, Stratum> = BTreeMap::new();
        let mut proof = Vec::new();
        for row in rows.iter().copied().filter(|row| view.passed(*row) && view.history.attempts.duration_ms[*row] > 0.0)
        {
            let at = view.execution(row);
            let Some(is_cold) = cold.get(&at).copied() else { continue };
            let stratum = strata.entry(executions.machine[at]).or_default();
            let log = view.history.attempts.duration_ms[row].ln();
            if is_cold {
                stratum.1.push(log);
                proof.push(at);
            } else {
                stratum.0.push(log);
            }
        }
        let strata: Vec<Stratum> =
            strata.into_values().filter(|(warm, cold)| !warm.is_empty() && !cold.is_empty()).collect();
        let (warm, cold): (usize, usize) =
            strata.iter().fold((0, 0), |sums, (warm, cold)| (sums.0 + warm.len(), sums.1 + cold.len()));
        if warm < FEW || cold < FEW {
            continue;
        }
        let found = shift(&latest(&strata), 0.1).filter(|shift| shift.median >= LEAST.ln()).map(|shift| {
            let finding = Finding::ColdCacheMornings {
                ratio: shift.median.exp(),
                low: shift.low.exp(),
                high: shift.high.exp(),
                cold: cold as u64,
                warm: warm as u64,
            };
            (finding, proof)
        });
        let n = (warm + cold) as u64;
        candidates.push(Candidate::tested(Some(step), rank_sum(&strata), n, found));
    }
}

/// Returns the latest 300 of each side, so that all pairs of them can be compared.
fn latest(strata: &[Stratum]) -> Vec<Stratum> {
    let cut = |values: &[f64]| values[values.len().saturating_sub(300)..].to_vec();
    strata.iter().map(|(warm, cold)| (cut(warm), cut(cold))).collect()
}
