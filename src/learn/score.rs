//! How far predictions were from what came out, beside the plain rules on the same attempts.

use std::collections::BTreeMap;

use serde::Serialize;

use super::replay::{Moment, Predicted, Trace};
use super::rules::{MEDIAN_OF_10, RULES, Rules};
use super::spread::median;
use crate::plan::Interval;
use crate::record::Outcome;
use crate::scan::Name;

/// Finished passed attempts that a series needs before an attempt of it is scored.
const HISTORY: u64 = 5;

/// How good predictions of durations were.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Scores {
    /// Attempts scored.
    pub rows: usize,
    /// Their series.
    pub series: usize,
    /// From when on attempts count, microseconds since 1970.
    pub since_us: i64,
    /// Attempts for which nothing was predicted; the median of 10 stands in.
    pub unpredicted: usize,
    /// The plain rules, then meow.
    pub methods: Vec<Method>,
}

/// The errors of one way to predict.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Method {
    /// The rule, or `meow`.
    pub name: &'static str,
    /// Geometric mean over series of the mean absolute error, over that of the last value.
    pub geo_mase: Option<f64>,
    /// Sum of absolute errors over that of the last value.
    pub pooled_mase: Option<f64>,
    /// Median absolute error in percent.
    pub mdape_percent: f64,
    /// Share of attempts that took at most p90.
    pub coverage_p90: f64,
    /// Share of attempts within p10 and p90.
    pub coverage_p10_p90: f64,
    /// Pinball loss at p90, each series divided by its median, over that of the last value.
    pub pinball_p90: Option<f64>,
}

type Series = (u32, Name, Name);

/// An attempt's duration, and what each method said.
type Row = (f64, [Interval; RULES.len() + 1]);

/// Returns the scores of what was `said` of a trace's attempts, from `since_us` on or over the later half.
///
/// Only passed attempts with a duration above 0 count, of series with 5 finished ones before. `None` without any.
pub fn durations(trace: &Trace, said: &[Predicted], since_us: Option<i64>) -> Option<Scores> {
    let counts: Vec<bool> =
        trace.attempts.iter().map(|(_, came)| came.outcome == Outcome::Passed && came.duration_ms > 0.0).collect();
    let starts: Vec<i64> = trace
        .attempts
        .iter()
        .zip(&counts)
        .filter(|(_, counts)| **counts)
        .map(|((known, _), _)| known.started_us)
        .collect();
    let since_us = since_us.or_else(|| starts.get(starts.len() / 2).copied())?;
    let mut rules: BTreeMap<Series, Rules> = BTreeMap::new();
    let mut rows: BTreeMap<Series, Vec<Row>> = BTreeMap::new();
    let mut unpredicted = 0;
    for moment in trace.moments() {
        let (Moment::Start(place) | Moment::Finish(place)) = moment;
        let (known, came) = &trace.attempts[place];
        if !counts[place] {
            continue;
        }
        let series = (known.repository, known.workflow, known.step);
        let rule = rules.entry(series).or_default();
        if moment == Moment::Finish(place) {
            rule.add(came.duration_ms);
        } else if known.started_us >= since_us && rule.n >= HISTORY {
            let plain = rule.predict();
            unpredicted += usize::from(said[place].duration_ms.is_none());
            let meow = said[place].duration_ms.unwrap_or(plain[MEDIAN_OF_10]);
            let all = std::array::from_fn(|method| plain.get(method).copied().unwrap_or(meow));
            rows.entry(series).or_default().push((came.duration_ms, all));
        }
    }
    let scored = rows.values().map(Vec::len).sum();
    (scored > 0).then(|| Scores { rows: scored, series: rows.len(), since_us, unpredicted, methods: methods(&rows) })
}

/// Sums over the scored attempts of one method.
#[derive(Default)]
struct Sums {
    absolute: f64,
    pinball: f64,
    percent: Vec<f64>,
    below: usize,
    inside: usize,
    /// Sums of absolute errors by series.
    by_series: Vec<f64>,
}

fn methods(rows: &BTreeMap<Series, Vec<Row>>) -> Vec<Method> {
    let sums: Vec<Sums> = (0..=RULES.len()).map(|method| sums(rows, method)).collect();
    let last = &sums[0];
    let enough: Vec<bool> = rows.values().map(|rows| rows.len() >= 5).collect();
    let names = RULES.iter().map(|(name, _)| *name).chain(["meow"]);
    let method = |(name, sums): (&'static str, &Sums)| {
        let ratios = sums.by_series.iter().zip(&last.by_series).zip(&enough);
        let logs: Vec<f64> = ratios
            .filter(|((own, last), enough)| **enough && **own > 0.0 && **last > 0.0)
            .map(|((own, last), _)| (own / last).ln())
            .collect();
        Method {
            name,
            geo_mase: (!logs.is_empty()).then(|| (logs.iter().sum::<f64>() / count(logs.len())).exp()),
            pooled_mase: (last.absolute > 0.0).then(|| sums.absolute / last.absolute),
            mdape_percent: 100.0 * median(&sums.percent).unwrap_or(f64::NAN),
            coverage_p90: count(sums.below) / count(sums.percent.len()),
            coverage_p10_p90: count(sums.inside) / count(sums.percent.len()),
            pinball_p90: (last.pinball > 0.0).then(|| sums.pinball / last.pinball),
        }
    };
    names.zip(&sums).map(method).collect()
}

fn sums(rows: &BTreeMap<Series, Vec<Row>>, method: usize) -> Sums {
    let mut sums = Sums::default();
    for rows in rows.values() {
        let durations: Vec<f64> = rows.iter().map(|(duration, _)| *duration).collect();
        let scale = median(&durations).unwrap_or(1.0);
        let mut errors = 0.0;
        for (duration, said) in rows {
            let said = said[method];
            let error = (duration - said.p50).abs();
            errors += error;
            sums.percent.push(error / duration);
            sums.below += usize::from(*duration <= said.p90);
            sums.inside += usize::from(said.p10 <= *duration && *duration <= said.p90);
            let over = duration - said.p90;
            sums.pinball += if over >= 0.0 { 0.9 * over } else { -0.1 * over } / scale;
        }
        sums.absolute += errors;
        sums.by_series.push(errors);
    }
    sums
}

#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
fn count(n: usize) -> f64 {
    n as f64
}
