//! What other repositories' histories are worth to one that is new: its first executions, predicted with and without.

use std::collections::{BTreeSet, HashMap};

use serde::Serialize;

use super::predictor::Forecaster;
use super::replay::{Predicted, Trace};
use super::spread::median;
use crate::record::Outcome;

/// Executions for which a repository counts as new.
pub const NEW: usize = 20;

/// How the first 20 executions of each repository were predicted.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Newcomers {
    /// Repositories with any attempt.
    pub repositories: usize,
    /// Passed attempts of their first 20 executions.
    pub attempts: usize,
    /// With what the others know.
    pub with: Cold,
    /// By each repository's own history alone.
    pub without: Cold,
}

/// How good predictions of first executions were.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Cold {
    /// The share of attempts of which anything was said, 0 to 1.
    pub predicted: f64,
    /// Median absolute error in percent, of those of which something was said.
    pub mdape_percent: Option<f64>,
    /// The share of these that took at most p90.
    pub coverage_p90: Option<f64>,
    /// Mean squared error of the probability of failure, over passed and failed attempts.
    pub brier: Option<f64>,
}

/// Returns what the histories of a trace's repositories are worth to each other; `None` below two repositories.
///
/// Steps are joined by the names of workflow and step, which is why hashed names join within one key.
pub fn newcomers(trace: &Trace, said: &[Predicted]) -> Option<Newcomers> {
    let repositories: BTreeSet<u32> = trace.attempts.iter().map(|(known, _)| known.repository).collect();
    if repositories.len() < 2 {
        return None;
    }
    let mut alone = vec![Predicted::default(); trace.attempts.len()];
    for repository in &repositories {
        let places: Vec<usize> =
            (0..trace.attempts.len()).filter(|place| trace.attempts[*place].0.repository == *repository).collect();
        let attempts = places.iter().map(|place| trace.attempts[*place].clone()).collect();
        let own = Trace { names: trace.names.clone(), executions: trace.executions.clone(), attempts };
        for (place, said) in places.iter().zip(own.replay(&mut Forecaster::default())) {
            alone[*place] = said;
        }
    }
    let mut first: HashMap<u32, BTreeSet<u32>> = HashMap::new();
    let mut places = Vec::new();
    for (place, (known, _)) in trace.attempts.iter().enumerate() {
        let executions = first.entry(known.repository).or_default();
        if executions.len() < NEW || executions.contains(&known.execution) {
            executions.insert(known.execution);
            places.push(place);
        }
    }
    let attempts = places.iter().filter(|place| passed(trace, **place)).count();
    let (with, without) = (cold(trace, &places, said), cold(trace, &places, &alone));
    (attempts > 0).then_some(Newcomers { repositories: repositories.len(), attempts, with, without })
}

fn passed(trace: &Trace, place: usize) -> bool {
    let (_, came) = &trace.attempts[place];
    came.outcome == Outcome::Passed && came.duration_ms > 0.0
}

fn cold(trace: &Trace, places: &[usize], said: &[Predicted]) -> Cold {
    let of = |place: &usize| Some((trace.attempts[*place].1.duration_ms, said[*place].duration_ms?));
    let passed: Vec<&usize> = places.iter().filter(|place| passed(trace, **place)).collect();
    let told: Vec<_> = passed.iter().filter_map(|place| of(place)).collect();
    let errors: Vec<f64> = told.iter().map(|(took, said)| 100.0 * (took - said.p50).abs() / took).collect();
    let squares: Vec<f64> = places
        .iter()
        .filter(|place| trace.attempts[**place].1.outcome != Outcome::Cancelled)
        .filter_map(|place| {
            let failed = f64::from(trace.attempts[*place].1.outcome == Outcome::Failed);
            Some((said[*place].failure? - failed).powi(2))
        })
        .collect();
    let below = told.iter().filter(|(took, said)| *took <= said.p90).count();
    Cold {
        predicted: count(told.len()) / count(passed.len().max(1)),
        mdape_percent: median(&errors),
        coverage_p90: (!told.is_empty()).then(|| count(below) / count(told.len())),
        brier: (!squares.is_empty()).then(|| squares.iter().sum::<f64>() / count(squares.len())),
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
fn count(n: usize) -> f64 {
    n as f64
}
