//! What has changed over a history: durations, memory, failure rates and metrics of each step on each machine class.

use std::collections::BTreeMap;
use std::f64::consts::FRAC_PI_2;

use serde::Serialize;

use super::beta::{student_quantile, student_tail};
use super::change::rates::rate_changes;
use super::change::{Change, changes};
use crate::record::Outcome;
use crate::scan::{History, Name};

/// The probability at most that a history without any change shows one.
const CLAIM: f64 = 0.05;

/// Ratios nearer to one than this are no news: five per cent.
const LEAST_RATIO: f64 = 1.05;

/// The latest samples of a series that are searched.
const LATEST: usize = 1_000;

/// Numbers a series has at least.
const SHORTEST: usize = 10;

/// Degrees of freedom from which on Student's law is the normal one.
const NORMAL: f64 = 1e6;

/// Nothing is measured more finely than this, so that logarithms exist.
const SMALLEST: f64 = 0.01;

/// A change of one measure of one step.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Trend {
    /// The repository's name.
    pub repository: String,
    /// The workflow.
    pub workflow: String,
    /// The step.
    pub step: String,
    /// The machine class; absent where none was recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub machine: Option<String>,
    /// `duration_ms`, `peak_memory_bytes`, `failed` (share of first attempts), or the name of a metric.
    pub measure: String,
    /// Samples of the series that was searched.
    pub n: usize,
    /// The level before, in the measure's unit: a median, or the share that failed.
    pub before: f64,
    /// The level after.
    pub after: f64,
    /// `after / before` with its interval; absent for shares and for measures that are not all positive.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ratio: Option<Ratio>,
    /// The probability of such a difference of levels anywhere in a history without any, at most. The ratio's interval is
    /// the same test the other way round: it leaves out 1 exactly where this is at most 5 %.
    pub p_value: f64,
    /// The last execution before it.
    pub last_before: Edge,
    /// The first execution after it.
    pub first_after: Edge,
    /// The commits between the two, the newest first, as far as they are known.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub commits: Vec<String>,
    /// The files that most of these commits touch, at most five.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<Touched>,
}

/// A file and how many commits touch it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Touched {
    /// The path.
    pub path: String,
    /// How many commits of the range touch it.
    pub commits: usize,
}

/// A ratio with its 95 % interval, all places of all series counted: the chance that any interval of a history is wrong
/// is at most 5 %.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Ratio {
    /// Lower end.
    pub low: f64,
    /// The ratio of the medians.
    pub mid: f64,
    /// Upper end.
    pub high: f64,
}

/// An execution at the edge of a change.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Edge {
    /// Its id.
    pub execution: String,
    /// The commit it ran on, where one was recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// Its start, in milliseconds since 1970.
    pub started_ms: i64,
}

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Measure {
    Duration,
    Memory,
    Failed,
    Metric(Name),
}

/// Repository, workflow, step, machine class and measure of a series.
type Key = (u32, Name, Name, Option<Name>, Measure);

/// A sample: the place of its execution, and its value.
type Sample = (usize, f64);

/// Returns the changes of a history, by workflow and step, in order of time within each.
///
/// Only passed attempts tell of durations, memory and metrics, in the logarithm where all are positive; only first
/// attempts on another tree than the one before tell of failures. p-values are Bonferroni's over all series that were
/// long enough to be searched and over the places of each, so that a history without any change shows one with a
/// probability of at most 5 %. A bend that leaves both levels within each other's noise is no change of level, and not told.
pub fn trends(history: &History) -> Vec<Trend> {
    let series = series(history);
    let long: Vec<(&Key, &[Sample])> = series
        .iter()
        .filter(|(_, samples)| samples.len() >= SHORTEST)
        .map(|(key, samples)| (key, &samples[samples.len().saturating_sub(LATEST)..]))
        .collect();
    let searched = count(long.len());
    let mut found = Vec::new();
    for (key, samples) in long {
        let steps = if key.4 == Measure::Failed { of_rates(samples, searched) } else { of_levels(samples, searched) };
        for (at, step) in steps.into_iter().filter(|(_, step)| step.p_value <= CLAIM) {
            found.push((key, samples[at].0, trend(history, key, samples, at, &step)));
        }
    }
    found.sort_by(|a, b| (&a.2.workflow, &a.2.step, a.1, a.0).cmp(&(&b.2.workflow, &b.2.step, b.1, b.0)));
    found.into_iter().map(|(_, _, trend)| trend).collect()
}

/// Returns the samples of every series, oldest first.
fn series(history: &History) -> BTreeMap<Key, Vec<Sample>> {
    let attempts = &history.attempts;
    let mut series: BTreeMap<Key, Vec<Sample>> = BTreeMap::new();
    for row in 0..attempts.len() {
        let execution = attempts.execution[row] as usize;
        let executions = &history.executions;
        let mut add = |measure: Measure, value: f64| {
            let step = attempts.step[row];
            let place = (executions.repository[execution], executions.workflow[execution], step);
            let key = (place.0, place.1, place.2, executions.machine[execution], measure);
            let samples = series.entry(key).or_default();
            let tree = |place: usize| executions.tree[place];
            let again = |last: &Sample| tree(last.0).is_some() && tree(last.0) == tree(execution);
            if value.is_finite() && (measure != Measure::Failed || !samples.last().is_some_and(again)) {
                samples.push((execution, value));
            }
        };
        let outcome = attempts.outcome[row];
        if outcome != Outcome::Cancelled && attempts.attempt[row] == 1 {
            add(Measure::Failed, f64::from(u8::from(outcome == Outcome::Failed)));
        }
        if outcome == Outcome::Passed {
            add(Measure::Duration, at_least(attempts.duration_ms[row]));
            add(Measure::Memory, at_least(attempts.peak_memory_bytes[row]));
            for (metric, value) in &attempts.metrics[row] {
                add(Measure::Metric(*metric), *value);
            }
        }
    }
    series
}

/// Returns the value, raised to what can be measured; NaN stays NaN, which `max` would hide.
fn at_least(value: f64) -> f64 {
    if value < SMALLEST { SMALLEST } else { value }
}

/// A change before it is told whose it is.
struct Step {
    before: f64,
    after: f64,
    ratio: Option<Ratio>,
    p_value: f64,
}

/// Returns the changes of level of one of `searched` series.
fn of_levels(samples: &[Sample], searched: f64) -> Vec<(usize, Step)> {
    let positive = samples.iter().all(|(_, value)| *value > 0.0);
    let values: Vec<f64> = samples.iter().map(|(_, value)| if positive { value.ln() } else { *value }).collect();
    let tests = searched * count(samples.len());
    changes(&values)
        .into_iter()
        .filter(|change| change.p_value * searched <= CLAIM)
        .map(|change| {
            let told = |level: f64| if positive { level.exp() } else { level };
            let (shift, p_value, reach) = difference(&change, tests);
            let ratio =
                positive.then(|| Ratio { low: (shift - reach).exp(), mid: shift.exp(), high: (shift + reach).exp() });
            (change.at, Step { before: told(change.before), after: told(change.after), ratio, p_value })
        })
        .filter(|(_, step)| step.ratio.is_none_or(|ratio| ratio.mid.max(1.0 / ratio.mid) >= LEAST_RATIO))
        .collect()
}

/// Returns the difference of levels, its p-value as one of `tests` (Bonferroni's), and how far the interval reaches whose
/// error is [`CLAIM`] over all of them: it leaves out 0 exactly where the p-value is at most that.
///
/// Levels are medians, whose standard error is √(π/2) times that of means.
fn difference(change: &Change, tests: f64) -> (f64, f64, f64) {
    let shift = change.after - change.before;
    let error = change.error * FRAC_PI_2.sqrt();
    let p_value = (2.0 * student_tail(shift.abs() / error, NORMAL) * tests).min(1.0);
    (shift, p_value, student_quantile(1.0 - CLAIM / (2.0 * tests), NORMAL) * error)
}

/// Returns the changes of the share that fails of one of `searched` series.
fn of_rates(samples: &[Sample], searched: f64) -> Vec<(usize, Step)> {
    let trials: Vec<bool> = samples.iter().map(|(_, value)| *value > 0.5).collect();
    rate_changes(&trials)
        .into_iter()
        .map(|change| {
            let share = |(part, whole): (u64, u64)| count_u64(part) / count_u64(whole);
            let (before, after) = (share(change.before), share(change.after));
            (change.at, Step { before, after, ratio: None, p_value: (change.p_value * searched).min(1.0) })
        })
        .collect()
}

fn trend(history: &History, key: &Key, samples: &[Sample], at: usize, step: &Step) -> Trend {
    let text = |name: Name| history.names.text(name).to_owned();
    let (repository, workflow, step_name, machine, measure) = *key;
    Trend {
        repository: history.repositories[repository as usize].name.clone(),
        workflow: text(workflow),
        step: text(step_name),
        machine: machine.map(text),
        measure: match measure {
            Measure::Duration => "duration_ms".to_owned(),
            Measure::Memory => "peak_memory_bytes".to_owned(),
            Measure::Failed => "failed".to_owned(),
            Measure::Metric(name) => text(name),
        },
        n: samples.len(),
        before: step.before,
        after: step.after,
        ratio: step.ratio,
        p_value: step.p_value,
        last_before: edge(history, samples[at - 1].0),
        first_after: edge(history, samples[at].0),
        commits: Vec::new(),
        files: Vec::new(),
    }
}

fn edge(history: &History, execution: usize) -> Edge {
    let executions = &history.executions;
    Edge {
        execution: executions.id[execution].to_string(),
        commit: executions.commit[execution].map(|commit| commit.to_string()),
        started_ms: executions.started_ms[execution],
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
fn count(n: usize) -> f64 {
    n as f64
}

#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
fn count_u64(n: u64) -> f64 {
    n as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_leaves_out_no_change_exactly_where_its_p_value_says_so() {
        let (mut told, mut silent) = (0, 0);
        for tests in [1.0, 60.0, 1e4, 1e6] {
            for tenths in 1..=80 {
                let shift = f64::from(tenths) / 10.0;
                for shift in [shift, -shift] {
                    let change = Change {
                        at: 5,
                        before: 3.0,
                        after: 3.0 + shift,
                        low: 0.0,
                        high: 0.0,
                        p_value: 0.0,
                        error: 1.0,
                    };
                    let (_, p_value, reach) = difference(&change, tests);
                    assert_eq!(p_value <= CLAIM, reach < shift.abs(), "{shift} {tests}: {p_value} {reach}");
                    told += usize::from(p_value <= CLAIM);
                    silent += usize::from(p_value > CLAIM);
                }
            }
        }
        assert!(told > 100 && silent > 100, "{told} {silent}");
    }
}
