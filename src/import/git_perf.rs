//! git-perf's notes (format 3): one measurement a line, its fields parted by a file separator (0x1c).

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::Options;
use super::batch::{About, Batch, Try};
use crate::error::Result;
use crate::git::Repository;
use crate::record::{Digest, Outcome};

/// Where git-perf keeps what was pushed; what was not is in `refs/notes/perf-v3-write-…`.
const NOTES: [&str; 2] = ["refs/notes/perf-v3", "refs/notes/perf-v3-write-"];
/// A longer note is left out.
const MAX_NOTE_BYTES: u64 = 16 << 20;

/// Reads all notes of a repository: one execution a measurement, its step the measurement's name, its number as the
/// metric `value`, since notes do not name its unit. Key-value pairs are not kept.
///
/// # Errors
/// The notes cannot be read. Lines that git-perf would not read either are counted.
pub(super) fn read(repository: &Repository, options: &Options<'_>, batch: &mut Batch<'_>) -> Result<()> {
    for note in repository.notes(&NOTES)? {
        if repository.blob_size(note.blob)? > MAX_NOTE_BYTES {
            batch.skip("a note that is too long");
            continue;
        }
        let text = String::from_utf8_lossy(&repository.blob(note.blob)?).into_owned();
        let mut seen = BTreeMap::<&str, u32>::new();
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            let Some((name, at, value)) = measurement(line) else {
                batch.skip("a line that is no measurement");
                continue;
            };
            let number = seen.entry(line).and_modify(|number| *number += 1).or_insert(1);
            let commit = Digest::truncated(note.commit.bytes());
            let about = About { workflow: options.workflow.unwrap_or("git-perf"), commit, ..About::default() };
            let place = batch.execution(&format!("{} {number} {line}", note.commit), about);
            let metrics = [("value", value)];
            batch.attempt(place, &Try { metrics: &metrics, ..Try::new(name, at, None, Outcome::Passed) });
        }
    }
    Ok(())
}

/// Reads epoch, name, seconds since 1970, value, and then pairs.
fn measurement(line: &str) -> Option<(&str, Timestamp, f64)> {
    let mut fields = line.split('\u{1c}').filter(|field| !field.is_empty());
    let _epoch: u32 = fields.next()?.parse().ok()?;
    let name = fields.next()?;
    let since = SignedDuration::try_from_secs_f64(fields.next()?.parse().ok()?).ok()?;
    let value: f64 = fields.next()?.parse().ok().filter(|value: &f64| value.is_finite())?;
    fields.all(|pair| pair.contains('=')).then_some(())?;
    Some((name, Timestamp::UNIX_EPOCH.checked_add(since).ok()?, value))
}
