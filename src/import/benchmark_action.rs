//! github-action-benchmark's `data.js`: every benchmark of every commit it keeps.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;

use super::batch::{About, Batch, Try};
use super::jsonl::digest;
use super::{Options, Whole};
use crate::error::Result;
use crate::record::Outcome;

/// What stands before the JSON.
const ASSIGNMENT: &str = "window.BENCHMARK_DATA";

#[derive(Deserialize)]
struct Data {
    entries: BTreeMap<String, Vec<Entry>>,
}

#[derive(Deserialize)]
struct Entry {
    commit: Commit,
    /// Milliseconds since 1970.
    date: i64,
    benches: Vec<Bench>,
}

#[derive(Deserialize)]
struct Commit {
    id: String,
}

#[derive(Deserialize)]
struct Bench {
    name: String,
    value: f64,
    #[serde(default)]
    unit: String,
}

/// Reads the data: one execution a suite and commit, one step a benchmark, its number as the metric `value`.
///
/// Where the unit is a time, the number is the duration too.
///
/// # Errors
/// It is no such file.
pub(super) fn read(file: &Whole<'_>, options: &Options<'_>, batch: &mut Batch<'_>) -> Result<()> {
    let text = file.text.trim();
    let json = text.strip_prefix(ASSIGNMENT).map_or(text, |rest| rest.trim_start().trim_start_matches('='));
    let json = json.trim().trim_end_matches(';');
    let data: Data = serde_json::from_str(json).map_err(|error| file.wrong(error))?;
    for (suite, entries) in &data.entries {
        for entry in entries {
            let at = Timestamp::from_millisecond(entry.date).map_err(|error| file.wrong(error))?;
            let commit = digest(&entry.commit.id).map_err(|cause| file.wrong(cause))?;
            let about = About { workflow: options.workflow.unwrap_or(suite), commit: Some(commit), ..About::default() };
            let key = format!("{suite}\n{}@{}", entry.commit.id, entry.date);
            let place = batch.execution(&key, about);
            let mut tries = BTreeMap::<&str, u32>::new();
            for bench in &entry.benches {
                let attempt = tries.entry(&bench.name).and_modify(|number| *number += 1).or_insert(1);
                if *attempt > 1 {
                    batch.skip("a second benchmark of that name");
                    continue;
                }
                let duration_ms = milliseconds(&bench.unit).map(|each| bench.value * each);
                let metrics = [("value", bench.value)];
                batch.attempt(
                    place,
                    &Try { metrics: &metrics, ..Try::new(&bench.name, at, duration_ms, Outcome::Passed) },
                );
            }
        }
    }
    Ok(())
}

/// Returns how many milliseconds one of `unit` is, also per iteration (`ns/iter`); nothing where it is no time.
pub(super) fn milliseconds(unit: &str) -> Option<f64> {
    let unit = unit.trim().to_ascii_lowercase();
    let unit = unit.split(['/', ' ']).next().unwrap_or_default();
    match unit {
        "ns" | "nanosecond" | "nanoseconds" => Some(1e-6),
        "us" | "µs" | "μs" | "usec" | "microsecond" | "microseconds" => Some(1e-3),
        "ms" | "msec" | "millisecond" | "milliseconds" => Some(1.0),
        "s" | "sec" | "second" | "seconds" => Some(1e3),
        _ => None,
    }
}
