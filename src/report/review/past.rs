//! How long a workflow's executions took so far, what could have been expected before each, and what changed.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use crate::learn::{Trend, statistics};
use crate::plan::Interval;
use crate::record::{Digest, Outcome};
use crate::report::executions;
use crate::scan::{History, Name};

/// Executions shown of a page about one repository, and of one about several.
const POINTS: [usize; 2] = [150, 60];
/// Earlier passed executions behind an expectation: at least, at most.
const BEFORE: [usize; 2] = [5, 20];
/// Changes listed, the latest first.
const CHANGES: usize = 12;

/// The executions of a workflow on the machine class that ran most of them.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Past {
    /// The machine class; absent where none was recorded.
    pub machine: Option<String>,
    /// The latest executions with a known wall time, oldest first.
    pub points: Vec<Point>,
    /// Older ones that did not fit.
    pub older: u64,
    /// Executions on other machine classes.
    pub elsewhere: u64,
    /// What changed in the workflow's steps, on any machine class, the latest change first.
    pub changes: Vec<Mark>,
    /// Older changes that did not fit.
    pub changes_left_out: u64,
}

/// One execution.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Point {
    /// Its id.
    pub id: String,
    /// When it began.
    pub at: Timestamp,
    /// Its wall time in milliseconds.
    pub duration_ms: f64,
    /// How it ended.
    pub outcome: Outcome,
    /// The commit that was checked out.
    pub commit: Option<Digest>,
    /// The wall times of the 20 passed executions before it, in milliseconds; absent below five.
    pub expected_ms: Option<Interval>,
}

/// A change, and between which of the points it lies.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Mark {
    /// The change.
    #[serde(flatten)]
    pub trend: Trend,
    /// The place of the first point after it, where it is a change of durations among the points.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub point: Option<usize>,
}

/// Returns the past of the executions at `places`; trends that are `own` are of this workflow.
pub(super) fn past(
    history: &History,
    places: &[usize],
    several: bool,
    own: impl Fn(&Trend) -> bool,
    trends: &[Trend],
) -> Past {
    let machine = most_common(history, places);
    let here: Vec<usize> = places
        .iter()
        .copied()
        .filter(|place| {
            history.executions.machine[*place] == machine && history.executions.duration_ms[*place].is_finite()
        })
        .collect();
    let elsewhere = places.iter().filter(|place| history.executions.machine[**place] != machine).count() as u64;
    let first = here.len().saturating_sub(POINTS[usize::from(several)]);
    let mut before: Vec<f64> = Vec::new();
    let mut points = Vec::new();
    for (at, place) in here.iter().enumerate() {
        let duration_ms = history.executions.duration_ms[*place];
        let outcome = history.executions.outcome[*place];
        if at >= first {
            let known = &before[before.len().saturating_sub(BEFORE[1])..];
            points.push(Point {
                id: history.executions.id[*place].to_string(),
                at: super::began(history, *place),
                duration_ms,
                outcome,
                commit: history.executions.commit[*place],
                expected_ms: (known.len() >= BEFORE[0]).then(|| statistics::interval(known)).flatten(),
            });
        }
        if outcome == Outcome::Passed {
            before.push(duration_ms);
        }
    }
    let machine = machine.map(|machine| history.names.text(machine).to_owned());
    let mut changes: Vec<Mark> =
        trends.iter().filter(|trend| own(trend)).map(|trend| mark(trend, machine.as_deref(), &points)).collect();
    changes.sort_by_key(|mark| std::cmp::Reverse(mark.trend.first_after.started_ms));
    let (changes, changes_left_out) = super::cut(changes, CHANGES);
    Past { machine, points, older: first as u64, elsewhere, changes, changes_left_out }
}

fn mark(trend: &Trend, machine: Option<&str>, points: &[Point]) -> Mark {
    let is_here = trend.measure == "duration_ms" && trend.machine.as_deref() == machine;
    // The execution itself may have no known wall time: the next one stands for it.
    let after = |point: &Point| point.at.as_millisecond() >= trend.first_after.started_ms;
    let point = points.iter().position(after).filter(|at| is_here && *at > 0);
    Mark { trend: trend.clone(), point }
}

/// Returns the machine class of most executions; of equals the later named.
fn most_common(history: &History, places: &[usize]) -> Option<Name> {
    let mut counts: BTreeMap<Option<Name>, usize> = BTreeMap::new();
    for place in places {
        *counts.entry(history.executions.machine[*place]).or_default() += 1;
    }
    counts.into_iter().max_by_key(|(machine, count)| (*count, *machine)).and_then(|(machine, _)| machine)
}

/// Returns the latest `most` durations of passed attempts of every step, oldest first, on one machine class.
pub(super) fn latest(
    history: &History,
    places: &[usize],
    machine: Option<&str>,
    most: usize,
) -> BTreeMap<Name, Vec<f64>> {
    let mut found: BTreeMap<Name, Vec<f64>> = BTreeMap::new();
    for place in places.iter().rev() {
        if history.executions.machine[*place].map(|machine| history.names.text(machine)) != machine {
            continue;
        }
        for row in executions::rows(history, *place) {
            let took = history.attempts.duration_ms[row];
            let kept = found.entry(history.attempts.step[row]).or_default();
            if history.attempts.outcome[row] == Outcome::Passed && took.is_finite() && kept.len() < most {
                kept.push(took);
            }
        }
    }
    for values in found.values_mut() {
        values.reverse();
    }
    found
}
