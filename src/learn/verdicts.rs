//! How good probabilities of failure were, beside the plain rules on the same attempts.

use std::collections::{BTreeMap, HashMap, VecDeque};

use serde::Serialize;

use super::replay::{Moment, Predicted, Trace};
use crate::record::Outcome;
use crate::scan::Name;

/// The plain rules: the workflow's rate so far, 0.95 after a failure and 0.05 after a pass, the rate of the latest 20,
/// and a moving average that takes a fifth of each outcome.
const RULES: [&str; 4] = ["base rate", "same as last", "rate of last 20", "EWMA .2"];

/// Outcomes of which the longest rule takes the rate.
const LATEST: usize = 20;

/// Scored attempts from which on a workflow has an area of its own.
const ENOUGH: usize = 30;

/// How good probabilities of failure were.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FailureScores {
    /// Attempts scored.
    pub rows: usize,
    /// The share of them that failed, 0 to 1.
    pub failed: f64,
    /// Workflows with at least 30 scored attempts and both outcomes.
    pub workflows: usize,
    /// From when on attempts count, microseconds since 1970.
    pub since_us: i64,
    /// The plain rules, then meow.
    pub methods: Vec<FailureMethod>,
}

/// The errors of one way to tell failures beforehand.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FailureMethod {
    /// The rule, or `meow`.
    pub name: &'static str,
    /// Mean over workflows of the probability that a failed attempt had been given more than a passed one.
    pub auc: Option<f64>,
    /// Mean squared error.
    pub brier: f64,
    /// One less that error over the base rate's; below 0 is worse than knowing only the rate.
    pub skill: Option<f64>,
    /// Expected calibration error over ten bins of equal width.
    pub calibration_error: f64,
}

/// A probability, and whether it came true.
type Told = (f64, bool);

/// What the plain rules keep of a step.
#[derive(Default)]
struct Series {
    latest: VecDeque<bool>,
    smooth: f64,
}

/// Returns the scores of the probabilities `said` of a trace's attempts, from `since_us` on or over the later half.
///
/// Cancelled attempts count for nothing. `None` where the scored ones do not both pass and fail.
pub fn failures(trace: &Trace, said: &[Predicted], since_us: Option<i64>) -> Option<FailureScores> {
    let ended = |place: usize| trace.attempts[place].1.outcome != Outcome::Cancelled;
    let starts: Vec<i64> = (0..trace.attempts.len())
        .filter(|place| ended(*place))
        .map(|place| trace.attempts[place].0.started_us)
        .collect();
    let since_us = since_us.or_else(|| starts.get(starts.len() / 2).copied())?;
    let mut rates: HashMap<(u32, Name), (f64, f64)> = HashMap::new();
    let mut series: HashMap<(u32, Name, Name), Series> = HashMap::new();
    let mut told: BTreeMap<(u32, Name), [Vec<Told>; RULES.len() + 1]> = BTreeMap::new();
    for moment in trace.moments() {
        let (Moment::Start(place) | Moment::Finish(place)) = moment;
        if !ended(place) {
            continue;
        }
        let (known, came) = &trace.attempts[place];
        let failed = came.outcome == Outcome::Failed;
        let workflow = (known.repository, known.workflow);
        let (bad, all) = rates.entry(workflow).or_default();
        let base = (*bad + 1.0) / (*all + 2.0);
        let key = (known.repository, known.workflow, known.step);
        if moment == Moment::Finish(place) {
            series.entry(key).or_insert_with(|| Series { smooth: base, ..Series::default() }).see(failed);
            *bad += f64::from(failed);
            *all += 1.0;
        } else if known.started_us >= since_us {
            let [last, rate, smooth] = series.get(&key).map_or([base; 3], Series::tell);
            let meow = said[place].failure.unwrap_or(base).clamp(0.0, 1.0);
            for (list, probability) in
                told.entry(workflow).or_default().iter_mut().zip([base, last, rate, smooth, meow])
            {
                list.push((probability, failed));
            }
        }
    }
    scores(&told, since_us)
}

impl Series {
    fn see(&mut self, failed: bool) {
        self.latest.push_back(failed);
        if self.latest.len() > LATEST {
            self.latest.pop_front();
        }
        self.smooth += 0.2 * (f64::from(failed) - self.smooth);
    }

    fn tell(&self) -> [f64; 3] {
        let failed = self.latest.iter().filter(|failed| **failed).count();
        let last = if self.latest.back() == Some(&true) { 0.95 } else { 0.05 };
        [last, count(failed) / count(self.latest.len()), self.smooth]
    }
}

fn scores(told: &BTreeMap<(u32, Name), [Vec<Told>; RULES.len() + 1]>, since_us: i64) -> Option<FailureScores> {
    let all = |method: usize| -> Vec<Told> { told.values().flat_map(|lists| lists[method].iter().copied()).collect() };
    let base = all(0);
    let failed = base.iter().filter(|(_, failed)| *failed).count();
    if failed == 0 || failed == base.len() {
        return None;
    }
    let own: Vec<&[Vec<Told>; RULES.len() + 1]> = told.values().filter(|lists| lists[0].len() >= ENOUGH).collect();
    let reference = squares(&base);
    let method = |(method, name): (usize, &'static str)| {
        let said = all(method);
        let areas: Vec<f64> = own.iter().filter_map(|lists| area(&lists[method])).collect();
        let brier = squares(&said);
        FailureMethod {
            name,
            auc: if areas.is_empty() { area(&said) } else { Some(areas.iter().sum::<f64>() / count(areas.len())) },
            brier,
            skill: (reference > 0.0).then(|| 1.0 - brier / reference),
            calibration_error: calibration_error(&said),
        }
    };
    Some(FailureScores {
        rows: base.len(),
        failed: count(failed) / count(base.len()),
        workflows: own.iter().filter(|lists| area(&lists[0]).is_some()).count(),
        since_us,
        methods: RULES.into_iter().chain(["meow"]).enumerate().map(method).collect(),
    })
}

fn squares(told: &[Told]) -> f64 {
    told.iter().map(|(probability, failed)| (probability - f64::from(*failed)).powi(2)).sum::<f64>() / count(told.len())
}

/// Returns the area under the curve of hits against false alarms, ties counted half (Mann and Whitney 1947); `None` where
/// all ended alike.
fn area(told: &[Told]) -> Option<f64> {
    let mut sorted = told.to_vec();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut passed_before, mut hits) = (0.0, 0.0);
    for equal in sorted.chunk_by(|a, b| a.0.total_cmp(&b.0).is_eq()) {
        let failed = count(equal.iter().filter(|(_, failed)| *failed).count());
        let passed = count(equal.len()) - failed;
        hits += failed * (passed_before + passed / 2.0);
        passed_before += passed;
    }
    let pairs = passed_before * (count(told.len()) - passed_before);
    (pairs > 0.0).then(|| hits / pairs)
}

fn calibration_error(told: &[Told]) -> f64 {
    let mut bins = [0.0; 10];
    for (probability, failed) in told {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "one of ten places")]
        let bin = ((probability * 10.0) as usize).min(9);
        bins[bin] += probability - f64::from(*failed);
    }
    bins.iter().map(|off| off.abs()).sum::<f64>() / count(told.len())
}

#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
fn count(n: usize) -> f64 {
    n as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn areas_and_calibration_of_small_lists() {
        let check = |told: &[Told], auc: Option<f64>, error: f64| {
            let found = (area(told), calibration_error(told));
            assert_eq!(found.0, auc, "{told:?}");
            assert!((found.1 - error).abs() < 1e-9, "{told:?}: {found:?}");
        };
        check(&[(0.1, false), (0.9, true)], Some(1.0), 0.1);
        check(&[(0.9, false), (0.1, true)], Some(0.0), 0.9);
        check(&[(0.5, false), (0.5, true)], Some(0.5), 0.0);
        check(&[(0.2, false), (0.2, true), (0.6, true), (0.6, false), (0.6, false)], Some(5.0 / 12.0), 0.28);
        check(&[(1.0, true)], None, 0.0);
    }
}
