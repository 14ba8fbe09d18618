//! From what is kept to what is known: patterns, rounded to the digits that mean something.

use std::collections::{BTreeMap, HashSet};

use rayon::prelude::*;

use super::beta::odds;
use super::memory::allocation;
use super::next::Next;
use super::spread::{median, predict, spread};
use super::state::{Series, State, WorkflowState};
use super::window::Window;
use super::{Flakiness, Knowledge, Pattern, WorkflowPattern};
use crate::plan::{Interval, Odds};
use crate::record::Outcome;
use crate::scan::History;

const WEEK_MS: f64 = 7.0 * 24.0 * 3_600_000.0;

/// Returns the patterns of every workflow; `next` in the order of the state's workflows.
pub(crate) fn knowledge(state: &State, next: &[Next]) -> Knowledge {
    let mut workflows = BTreeMap::new();
    let typical = typical_peaks(state);
    let kept: Vec<_> = state.workflows.iter().zip(next).collect();
    let patterns: Vec<WorkflowPattern> = kept
        .into_par_iter()
        .map(|(((project, _), kept), next)| of_workflow(kept, next, typical[project.as_str()]))
        .collect();
    let called = names(state.workflows.iter().map(|(key, kept)| (key, kept.repository.as_str())));
    for (((project, workflow), name), mut pattern) in state.workflows.keys().zip(called).zip(patterns) {
        pattern.workflow.clone_from(workflow);
        pattern.project.clone_from(project);
        workflows.insert(name, pattern);
    }
    Knowledge { workflows }
}

/// Returns what each workflow of each project is called, in their order: by its own name where only one project has it.
pub(super) fn names<'a>(workflows: impl Iterator<Item = (&'a (String, String), &'a str)> + Clone) -> Vec<String> {
    let mut projects: BTreeMap<&str, u32> = BTreeMap::new();
    for ((_, workflow), _) in workflows.clone() {
        *projects.entry(workflow).or_default() += 1;
    }
    let mut seen = HashSet::new();
    let called = workflows.map(|((project, workflow), repository)| {
        let name = if projects[workflow.as_str()] == 1 { workflow.clone() } else { format!("{repository}/{workflow}") };
        // Two projects whose folders have one name: the project's own id tells them apart.
        let name = if seen.contains(&name) { format!("{name}@{project}") } else { name };
        seen.insert(name.clone());
        name
    });
    called.collect()
}

/// Returns the mean of all peaks of each project, in bytes; 0 where none is known.
fn typical_peaks(state: &State) -> BTreeMap<&str, f64> {
    let mut sums: BTreeMap<&str, (f64, u64)> = BTreeMap::new();
    for ((project, _), kept) in &state.workflows {
        let (sum, n) = sums.entry(project).or_default();
        for series in kept.steps.iter().filter(|((_, machine), _)| machine.is_none()).map(|(_, series)| series) {
            let peaks = series.memory.values();
            *sum += peaks.iter().sum::<f64>();
            *n += peaks.len() as u64;
        }
    }
    sums.into_iter().map(|(project, (sum, n))| (project, sum / ratio(n.max(1), 1))).collect()
}

fn of_workflow(kept: &WorkflowState, next: &Next, typical: f64) -> WorkflowPattern {
    let executions = kept.passed + kept.failed;
    WorkflowPattern {
        executions,
        executions_per_week: rounded(kept.seen.map_or(0.0, |seen| per_week(executions, seen))),
        duration_ms: predict(&kept.wall.values()).map(rounded_interval),
        failure: (executions > 0).then(|| rounded_odds(odds(kept.failed, executions))),
        steps: kept
            .steps
            .iter()
            .filter(|(_, series)| series.passed + series.failed > 0)
            .map(|(key, series)| of_step(key, series, next.get(key).copied(), typical))
            .collect(),
        ..WorkflowPattern::default()
    }
}

pub(super) fn of_step(
    key: &(String, Option<String>),
    series: &Series,
    next: Option<Interval>,
    typical: f64,
) -> Pattern {
    let lasting = of_durations(series);
    Pattern {
        step: key.0.clone(),
        machine: key.1.clone(),
        attempts: series.passed + series.failed,
        failed: series.failed,
        retries_passed: series.retries_passed,
        retries: series.retries,
        next_ms: next.zip(lasting.duration_ms).map(|(next, known)| rounded_interval(Interval { n: known.n, ..next })),
        failed_ms: predict(&series.failing.values()).map(rounded_interval),
        failure: (series.first_attempts > 0).then(|| rounded_odds(odds(series.first_failed, series.first_attempts))),
        flakiness: series
            .trials
            .flakiness()
            .map(|flakiness| Flakiness { failure: flakiness.failure.map(rounded_odds), ..flakiness }),
        peak_memory_bytes: spread(&series.memory.values()).map(rounded_interval),
        memory_bytes: allocation(&series.memory.values(), typical).map(rounded),
        cpu_ms: spread(&series.cpu.values()).map(rounded_interval),
        queue_ms: spread(&series.queue.values()).map(rounded_interval),
        critical_share: (series.timelines > 0).then(|| rounded(ratio(series.critical, series.timelines))),
        wall_share: middle(&series.wall_share),
        slack_ms: middle(&series.slack),
        ..lasting
    }
}

/// Returns what a merged series says of durations of passed attempts alone, which is all that time limits go by.
pub(super) fn of_durations(series: &Series) -> Pattern {
    Pattern {
        duration_ms: predict(&series.duration.values()).map(rounded_interval),
        longest_ms: series.longest.map(rounded),
        attempts: series.passed,
        ..Pattern::default()
    }
}

/// Returns how many of these executions of one workflow there are a week, as its pattern says it.
pub(super) fn weekly(history: &History, places: &[usize]) -> f64 {
    let executions = &history.executions;
    let counts = |place: &usize| executions.outcome[*place] != Outcome::Cancelled && !history.is_partial(*place);
    let mut started = places.iter().copied().filter(counts).map(|place| executions.started_ms[place]);
    let Some(first) = started.next() else { return rounded(0.0) };
    let (mut seen, mut count) = ((first, first), 1);
    for at in started {
        seen = (seen.0.min(at), seen.1.max(at));
        count += 1;
    }
    rounded(per_week(count, seen))
}

/// Returns how many of `executions` fall into a week of the time `seen`, which counts as one week at least.
fn per_week(executions: u64, (first, last): (i64, i64)) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970 stay far below 2^53")]
    let weeks = (last.saturating_sub(first) as f64 / WEEK_MS).max(1.0);
    ratio(executions, 1) / weeks
}

#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
fn ratio(part: u64, whole: u64) -> f64 {
    part as f64 / whole as f64
}

fn middle(window: &Window) -> Option<f64> {
    median(&window.values()).map(rounded)
}

fn rounded_interval(interval: Interval) -> Interval {
    let Interval { p10, p50, p90, n } = interval;
    Interval { p10: rounded(p10), p50: rounded(p50), p90: rounded(p90), n }
}

fn rounded_odds(odds: Odds) -> Odds {
    let Odds { mean, low, high, n } = odds;
    Odds { mean: rounded(mean), low: rounded(low), high: rounded(high), n }
}

/// Returns the number with four significant digits, by way of its text, so that files show no binary dust.
fn rounded(value: f64) -> f64 {
    if value >= 1000.0 {
        let unit = 10_f64.powf((value.log10() - 3.0).floor());
        return (value / unit).round() * unit;
    }
    format!("{value:.3e}").parse().unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::float_cmp, reason = "rounded numbers are exact")]
    fn four_digits() {
        for (value, expected) in [
            (0.0, 0.0),
            (0.123_456, 0.1235),
            (12.345_6, 12.35),
            (999.96, 1000.0),
            (1234.56, 1235.0),
            (987_654.0, 987_700.0),
        ] {
            assert_eq!(rounded(value), expected);
        }
    }
}
