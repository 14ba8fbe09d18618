//! Nextflow's trace file: tab-separated, one task a line, in words for people or raw.

use std::collections::{BTreeMap, HashMap};

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::batch::{About, Batch, Detail, Place, Try};
use super::{Options, Whole};
use crate::error::Result;
use crate::record::Outcome;

/// Columns without which a task cannot be told; `hash` makes it unique over runs.
const NEEDED: [&str; 4] = ["hash", "name", "status", "submit"];

/// The last try at a task of this name.
struct Last {
    place: Place,
    attempt: u32,
    failed: bool,
}

/// One line by column; `-` stands for nothing.
struct Task<'a> {
    columns: &'a HashMap<&'a str, usize>,
    fields: Vec<&'a str>,
}

impl<'a> Task<'a> {
    fn get(&self, column: &str) -> Option<&'a str> {
        let field = self.fields.get(*self.columns.get(column)?)?.trim();
        (!field.is_empty() && field != "-").then_some(field)
    }
}

/// Reads a trace: one execution a task, its step the process (the name without the tag), one attempt per retry.
///
/// Times without zone are taken as UTC. Where the trace has no column `start`, a task starts so that it ends with
/// `duration` after `submit` and ran for `realtime`.
///
/// # Errors
/// It is no trace, or a line is torn.
pub(super) fn read(file: &Whole<'_>, options: &Options<'_>, batch: &mut Batch<'_>) -> Result<()> {
    let mut lines = file.text.split_inclusive('\n');
    let header = lines.next().unwrap_or_default().trim_end();
    let columns: HashMap<&str, usize> = header.split('\t').map(str::trim).zip(0..).collect();
    if let Some(missing) = NEEDED.iter().find(|column| !columns.contains_key(*column)) {
        return Err(file.wrong(format!("the first line has no column `{missing}`")));
    }
    let mut last = BTreeMap::<String, Last>::new();
    for (line, number) in lines.zip(2..) {
        let whole = line.strip_suffix('\n').map(|line| line.trim_end_matches('\r'));
        if line.trim().is_empty() {
            continue;
        }
        let fields: Vec<&str> = whole.unwrap_or_default().split('\t').collect();
        if fields.len() != columns.len() {
            return Err(file.wrong(format!("line {number} has {} of {} columns", fields.len(), columns.len())));
        }
        let task = Task { columns: &columns, fields };
        take(&task, number, options, &mut last, batch).map_err(|why| file.wrong(format!("line {number}: {why}")))?;
    }
    Ok(())
}

fn take(
    task: &Task<'_>,
    line: u32,
    options: &Options<'_>,
    last: &mut BTreeMap<String, Last>,
    batch: &mut Batch<'_>,
) -> Result<(), String> {
    let name = task.get("name").ok_or("it has no name")?;
    let outcome = match task.get("status") {
        Some("COMPLETED") => Outcome::Passed,
        Some("FAILED") => Outcome::Failed,
        Some("ABORTED") => Outcome::Cancelled,
        Some("CACHED") => {
            batch.skip("a task that was taken from the cache");
            return Ok(());
        }
        _ => {
            batch.skip("a task that had not ended");
            return Ok(());
        }
    };
    let Some(submitted) = task.get("submit").map(moment).transpose()? else {
        batch.skip("a task that was never submitted");
        return Ok(());
    };
    let realtime = task.get("realtime").map(milliseconds).transpose()?;
    let duration = task.get("duration").map(milliseconds).transpose()?;
    let waited = duration.zip(realtime).map_or(0.0, |(duration, realtime)| (duration - realtime).max(0.0));
    let waited = SignedDuration::try_from_secs_f64(waited / 1000.0).unwrap_or_default();
    let reckoned = submitted.checked_add(waited).unwrap_or(submitted);
    let started_at = task.get("start").map(moment).transpose()?.unwrap_or(reckoned);
    let (place, attempt) = place(task, name, outcome, options, last, batch)?;
    let bytes = |column| task.get(column).map(bytes).transpose();
    let detail = Detail {
        ready_at: Some(submitted).filter(|ready| *ready <= started_at),
        exit_code: task.get("exit").and_then(|code| code.parse().ok()),
        peak_memory_bytes: bytes("peak_rss")?,
        read_bytes: bytes("rchar")?,
        written_bytes: bytes("wchar")?,
        timed_out: false,
    };
    let step = name.split(" (").next().unwrap_or(name);
    batch.attempt(place, &Try { attempt, detail, line, ..Try::new(step, started_at, realtime, outcome) });
    Ok(())
}

/// A task that failed is tried again under its own name, with a new hash.
fn place(
    task: &Task<'_>,
    name: &str,
    outcome: Outcome,
    options: &Options<'_>,
    last: &mut BTreeMap<String, Last>,
    batch: &mut Batch<'_>,
) -> Result<(Place, u32), String> {
    let said = task.get("attempt").map(str::parse::<u32>).transpose().map_err(|_| "its attempt is no number")?;
    let again = last.get(name).filter(|last| said.map_or(last.failed, |said| said > last.attempt));
    let (place, attempt) = if let Some(last) = again {
        (last.place, said.unwrap_or(last.attempt + 1))
    } else {
        let hash = task.get("hash").ok_or("it has no hash")?;
        let key = format!("{hash} {}", task.get("submit").unwrap_or_default());
        let about = About { workflow: options.workflow.unwrap_or("nextflow"), ..About::default() };
        (batch.execution(&key, about), said.unwrap_or(1).max(1))
    };
    last.insert(name.to_owned(), Last { place, attempt, failed: outcome == Outcome::Failed });
    Ok((place, attempt))
}

/// Reads `2026-01-31 10:00:00.123`, or milliseconds since 1970 from a raw trace.
fn moment(text: &str) -> Result<Timestamp, String> {
    let wrong = || format!("`{}` is no time", text.escape_debug());
    if let Ok(raw) = text.parse::<i64>() {
        return Timestamp::from_millisecond(raw).map_err(|_| wrong());
    }
    let plain: DateTime = text.parse().map_err(|_| wrong())?;
    plain.to_zoned(TimeZone::UTC).map(|zoned| zoned.timestamp()).map_err(|_| wrong())
}

/// Reads `1h 2m 3.5s`, `450ms`, or milliseconds from a raw trace.
fn milliseconds(text: &str) -> Result<f64, String> {
    let wrong = || format!("`{}` is no duration", text.escape_debug());
    if let Ok(raw) = text.parse::<f64>() {
        return Ok(raw);
    }
    text.split_whitespace()
        .map(|part| {
            let digits = part.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
            let each = match &part[digits.len()..] {
                "ms" => 1.0,
                "s" => 1e3,
                "m" => 60e3,
                "h" => 3_600e3,
                "d" => 86_400e3,
                _ => return Err(wrong()),
            };
            digits.parse::<f64>().map(|count| count * each).map_err(|_| wrong())
        })
        .sum()
}

/// Reads `29.8 MB` (of 1,024 each), or bytes from a raw trace.
fn bytes(text: &str) -> Result<u64, String> {
    let wrong = || format!("`{}` is no size", text.escape_debug());
    let (count, unit) = text.split_once(' ').unwrap_or((text, "B"));
    let place = ["B", "KB", "MB", "GB", "TB", "PB"].iter().position(|known| *known == unit.trim()).ok_or_else(wrong)?;
    let count = count.parse::<f64>().ok().filter(|count| (0.0..1e15).contains(count)).ok_or_else(wrong)?;
    let bytes = count * 1024_f64.powi(i32::try_from(place).unwrap_or(0));
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "not negative; a cast saturates")]
    Ok(bytes.round() as u64)
}
