//! hyperfine's `--export-json`: every timed run of every command.

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use super::batch::{About, Batch, Detail, Try};
use super::{Options, Whole};
use crate::error::Result;
use crate::record::{Digest, Outcome};

#[derive(Deserialize)]
struct Export {
    results: Vec<Timed>,
}

#[derive(Deserialize)]
struct Timed {
    /// The command line, or the name that `--command-name` gave it.
    command: String,
    times: Option<Vec<f64>>,
    exit_codes: Option<Vec<Option<i32>>>,
    #[serde(default)]
    memory_usage_byte: Vec<u64>,
}

/// Reads an export: one execution a run, its step called as the command is.
///
/// hyperfine writes no clock: runs are laid end to end so that the last ends when the file was written.
///
/// # Errors
/// It is no such export.
pub(super) fn read(file: &Whole<'_>, options: &Options<'_>, batch: &mut Batch<'_>) -> Result<()> {
    let export: Export = serde_json::from_str(&file.text).map_err(|error| file.wrong(error))?;
    let times = export.results.iter().flat_map(|timed| timed.times.iter().flatten());
    let total: f64 = times.filter(|seconds| seconds.is_finite() && **seconds >= 0.0).sum();
    let mut at = before(file.written_at, total);
    let workflow = options.workflow.unwrap_or("benchmarks");
    let digest = Digest::of(file.text.as_bytes());
    for (number, timed) in export.results.iter().enumerate() {
        let Some(times) = &timed.times else {
            batch.skip("a command without its single times");
            continue;
        };
        for (run, seconds) in times.iter().enumerate() {
            let key = format!("{digest} {number} {run}");
            let place = batch.execution(&key, About { workflow, ..About::default() });
            let code = timed.exit_codes.as_ref().and_then(|codes| codes.get(run)).copied();
            let outcome = if matches!(code, None | Some(Some(0))) { Outcome::Passed } else { Outcome::Failed };
            let peak_memory_bytes = timed.memory_usage_byte.get(run).copied();
            let detail = Detail { exit_code: code.flatten(), peak_memory_bytes, ..Detail::default() };
            batch.attempt(place, &Try { detail, ..Try::new(&timed.command, at, Some(seconds * 1000.0), outcome) });
            at = before(at, -seconds);
        }
    }
    Ok(())
}

fn before(at: Timestamp, seconds: f64) -> Timestamp {
    SignedDuration::try_from_secs_f64(seconds).ok().and_then(|time| at.checked_sub(time).ok()).unwrap_or(at)
}
