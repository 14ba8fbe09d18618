//! What a span of days taught: executions, what was newly learnt, time lost, what predictions missed, insights, the rhythm, and health.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::Serialize;

use super::insights::{Insights, insights};
use super::losses::{self, CAUSES};
use crate::learn::news::Learnt;
use crate::learn::{Health, Insight, median};
use crate::record::Outcome;
use crate::scan::History;

const DAY_MS: i64 = 24 * 3_600_000;
const WEEK_DAYS: f64 = 7.0;
/// Resampled spans behind the intervals.
const REPLICATES: usize = 1_000;
/// Misses that are shown.
const WORST: usize = 5;

/// The page.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LearningReport {
    /// The version of this form.
    pub schema_version: u32,
    /// The span, and its days.
    pub from: Timestamp,
    /// Its end.
    pub to: Timestamp,
    /// Its days.
    pub days: u32,
    /// Executions in it.
    pub executions: u64,
    /// How many of them failed.
    pub failed: u64,
    /// Time lost a week by cause, and in all; milliseconds.
    pub lost: Vec<Cause>,
    /// What is known now and was not when the span began, or otherwise.
    pub learnt: Learnt,
    /// What predictions missed.
    pub predictions: Predictions,
    /// Insights dated in it.
    pub insights: Insights,
    /// Executions by weekday, from Monday, and by hour of the day; universal time.
    pub by_weekday: [u64; 7],
    /// By hour.
    pub by_hour: [u64; 24],
    /// Health over all that is recorded: all together, each repository, each workflow.
    pub health: Vec<Health>,
}

/// Time lost a week for one cause: ends of the causes add up to the ends of the whole.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Cause {
    /// One of [`CAUSES`], or `all`.
    pub cause: &'static str,
    /// Its share of the 5 % quantile of the whole.
    pub low_ms: f64,
    /// What was lost.
    pub mean_ms: f64,
    /// Its share of the 95 % quantile of the whole.
    pub high_ms: f64,
}

/// What came out of attempts for which something was predicted at their start.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Predictions {
    /// Passed attempts with a prediction.
    pub n: u64,
    /// Share that took at most the predicted p90; 0.90 is right.
    pub below_p90: Option<f64>,
    /// Median error relative to what came, 0 to 1.
    pub median_error: Option<f64>,
    /// The largest misses above p90 by factor, worst first.
    pub worst: Vec<Miss>,
}

/// An attempt that took longer than predicted.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Miss {
    /// The execution.
    pub execution: String,
    /// The workflow.
    pub workflow: String,
    /// The step.
    pub step: String,
    /// Predicted, in milliseconds.
    pub p50_ms: f64,
    /// Predicted.
    pub p90_ms: f64,
    /// What it took.
    pub took_ms: f64,
}

/// Returns when the page about the `days` days before `now` begins, in milliseconds since 1970.
pub fn begins_ms(now: Timestamp, days: u32) -> i64 {
    now.as_millisecond().saturating_sub(i64::from(days) * DAY_MS)
}

/// Returns the page about the `days` days before `now`; insights and health are of everything that is recorded, `learnt` is
/// what came to be known in these days.
pub fn learning_report(
    history: History,
    found: &[Insight],
    health: Vec<Health>,
    learnt: Learnt,
    now: Timestamp,
    days: u32,
) -> LearningReport {
    let from_ms = begins_ms(now, days);
    // What a clock that ran ahead dated after now is of a later page.
    let recent = history.since(from_ms).until(now.as_millisecond().saturating_add(1));
    let executions = &recent.executions;
    let (mut by_weekday, mut by_hour) = ([0; 7], [0; 24]);
    for started in &executions.started_ms {
        let hour = started.div_euclid(3_600_000);
        // The first of January 1970 was a Thursday.
        by_weekday[usize::try_from((hour.div_euclid(24) + 3).rem_euclid(7)).unwrap_or(0)] += 1;
        by_hour[usize::try_from(hour.rem_euclid(24)).unwrap_or(0)] += 1;
    }
    LearningReport {
        schema_version: 1,
        from: Timestamp::from_millisecond(from_ms).unwrap_or(Timestamp::UNIX_EPOCH),
        to: now,
        days,
        executions: executions.len() as u64,
        failed: executions.outcome.iter().filter(|outcome| **outcome == Outcome::Failed).count() as u64,
        lost: lost(&recent, from_ms, days),
        learnt,
        predictions: predictions(&recent),
        insights: insights(found, executions.len(), None, Some(from_ms)),
        by_weekday,
        by_hour,
        health,
    }
}

/// Returns what was lost a week by cause, with 90 % intervals from resampled days (Efron 1979, in blocks of a day, since
/// failures of one day belong together).
///
/// Ends of the causes are their mean shares of the resampled spans around the quantile of the whole (Euler's allocation;
/// Tasche 1999), so that they add up.
fn lost(history: &History, from_ms: i64, days: u32) -> Vec<Cause> {
    let started = &history.executions.started_ms;
    let days_of: Vec<i64> = started.iter().map(|started| (started - from_ms).div_euclid(DAY_MS)).collect();
    let found: BTreeSet<i64> = days_of.iter().copied().collect();
    let of_day = |wanted: &i64| {
        // Executions stand in the order of their start.
        let first = days_of.partition_point(|day| day < wanted);
        let last = days_of.partition_point(|day| day <= wanted);
        losses::tally_between(history, first..last).values().fold([0.0; 6], |sum, tally| {
            let parts = tally.lost.parts();
            std::array::from_fn(|place| sum[place] + parts[place])
        })
    };
    let count = usize::try_from(days.max(1)).unwrap_or(1);
    let mut spans: Vec<[f64; 6]> = found.iter().map(of_day).take(count).collect();
    spans.resize(count, [0.0; 6]);
    let weekly = WEEK_DAYS / f64::from(days.max(1));
    let sum = |spans: &mut dyn Iterator<Item = [f64; 6]>| {
        spans.fold([0.0; 6], |sum, day| std::array::from_fn(|place| sum[place] + day[place] * weekly))
    };
    let mean = sum(&mut spans.iter().copied());
    let mut bits = 0x6d65_6f77_u64;
    let mut draw = || {
        bits = bits.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        spans[usize::try_from(bits >> 33).unwrap_or(0) % count]
    };
    let mut replicates: Vec<[f64; 6]> =
        (0..REPLICATES).map(|_| sum(&mut (0..count).map(|_| draw()).collect::<Vec<_>>().into_iter())).collect();
    replicates.sort_by(|a, b| a.iter().sum::<f64>().total_cmp(&b.iter().sum()));
    let end = |percent: usize| {
        let near = &replicates[REPLICATES * (percent - 2) / 100..REPLICATES * (percent + 2) / 100];
        #[expect(clippy::cast_precision_loss, reason = "forty of them")]
        let share = 1.0 / near.len() as f64;
        near.iter().fold([0.0; 6], |sum, one| std::array::from_fn(|place| sum[place] + one[place] * share))
    };
    let (low, high) = (end(5), end(95));
    let causes = CAUSES.into_iter().enumerate();
    let mut told: Vec<Cause> = causes
        .map(|(place, cause)| Cause { cause, low_ms: low[place], mean_ms: mean[place], high_ms: high[place] })
        .collect();
    let whole = |of: [f64; 6]| of.iter().sum();
    told.push(Cause { cause: "all", low_ms: whole(low), mean_ms: whole(mean), high_ms: whole(high) });
    told
}

fn predictions(history: &History) -> Predictions {
    let attempts = &history.attempts;
    let known = |row: &usize| {
        let numbers = [attempts.duration_ms[*row], attempts.predicted_p50_ms[*row], attempts.predicted_p90_ms[*row]];
        attempts.outcome[*row] == Outcome::Passed && numbers.iter().all(|number| number.is_finite() && *number > 0.0)
    };
    let rows: Vec<usize> = (0..attempts.len()).filter(known).collect();
    let factor = |row: &usize| attempts.duration_ms[*row] / attempts.predicted_p90_ms[*row];
    let mut missed: Vec<usize> = rows.iter().copied().filter(|row| factor(row) > 1.0).collect();
    let errors: Vec<f64> =
        rows.iter().map(|row| (1.0 - attempts.predicted_p50_ms[*row] / attempts.duration_ms[*row]).abs()).collect();
    #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
    let below_p90 = (!rows.is_empty()).then(|| 1.0 - missed.len() as f64 / rows.len() as f64);
    missed.sort_by(|a, b| factor(b).total_cmp(&factor(a)));
    let miss = |row: usize| {
        let at = attempts.execution[row] as usize;
        Miss {
            execution: history.executions.id[at].to_string(),
            workflow: history.names.text(history.executions.workflow[at]).to_owned(),
            step: history.names.text(attempts.step[row]).to_owned(),
            p50_ms: attempts.predicted_p50_ms[row],
            p90_ms: attempts.predicted_p90_ms[row],
            took_ms: attempts.duration_ms[row],
        }
    };
    let worst = missed.into_iter().take(WORST).map(miss).collect();
    Predictions { n: rows.len() as u64, below_p90, median_error: median(&errors), worst }
}
