//! `.ninja_log` of ninja, versions 5 to 7: what each edge took, build by build.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::batch::{About, Batch, Place, Try};
use super::{Options, Whole};
use crate::error::Result;
use crate::record::Outcome;

/// Which versions have the five columns: start ms, end ms, mtime, output, hash of the command.
const VERSIONS: std::ops::RangeInclusive<u32> = 5..=7;

struct Row<'a> {
    start_ms: u64,
    end_ms: u64,
    modified: i64,
    output: &'a str,
    command: &'a str,
}

/// A build whose edges are being read.
struct Build<'a> {
    place: Place,
    began: Timestamp,
    last_end: u64,
    /// Edges by times and command: an edge with several outputs has a row for each.
    edges: BTreeSet<(u64, u64, &'a str)>,
}

/// Reads a log: one execution a build, one step an edge, called by its first output. ninja logs only what passed.
///
/// Rows stand in the order in which edges ended, so an edge that ends before the one above it begins another build
/// (as ninjatracing reads it). Times count from the build's start; the outputs' times of modification say when that was.
/// Where ninja has recompacted its log (over three times as many rows as outputs), older builds are torn into parts.
///
/// # Errors
/// It is no log of these versions, or a row is torn.
pub(super) fn read(file: &Whole<'_>, options: &Options<'_>, batch: &mut Batch<'_>) -> Result<()> {
    let mut lines = file.text.split_inclusive('\n');
    let first = lines.next().unwrap_or_default().trim_end();
    let version: Option<u32> = first.strip_prefix("# ninja log v").and_then(|version| version.parse().ok());
    let version = match version {
        Some(version) if VERSIONS.contains(&version) => version,
        Some(version) => return Err(file.wrong(format!("version {version} is not read, only 5 to 7"))),
        None => return Err(file.wrong("the first line is not `# ninja log v…`")),
    };
    let workflow = options.workflow.unwrap_or("ninja");
    let mut build: Option<Build<'_>> = None;
    for (line, number) in lines.zip(2..) {
        if line.trim_end().is_empty() || line.starts_with('#') {
            continue;
        }
        let whole = line.strip_suffix('\n').map(|line| line.trim_end_matches('\r'));
        let row = whole.and_then(row).ok_or_else(|| file.wrong(format!("line {number} is no row")))?;
        let again = build.as_ref().is_none_or(|build| row.end_ms < build.last_end);
        if again {
            build = Some(begin(&row, version, file, workflow, batch));
        }
        let Some(build) = &mut build else { continue };
        build.last_end = row.end_ms;
        if !build.edges.insert((row.start_ms, row.end_ms, row.command)) {
            batch.skip("another output of an edge that is taken already");
            continue;
        }
        let start = i64::try_from(row.start_ms).unwrap_or(i64::MAX);
        let started_at = Timestamp::from_millisecond(build.began.as_millisecond().saturating_add(start));
        #[expect(clippy::cast_precision_loss, reason = "milliseconds of a build stay far below 2^53")]
        let duration_ms = row.end_ms.checked_sub(row.start_ms).map_or(-1.0, |duration| duration as f64);
        let started_at = started_at.map_err(|_| file.wrong(format!("line {number} has no possible time")))?;
        batch.attempt(
            build.place,
            &Try { line: number, ..Try::new(row.output, started_at, Some(duration_ms), Outcome::Passed) },
        );
    }
    Ok(())
}

/// A build is called by its first row: the log only grows at its end.
fn begin<'a>(row: &Row<'a>, version: u32, file: &Whole<'_>, workflow: &str, batch: &mut Batch<'_>) -> Build<'a> {
    let key = format!("{}\t{}\t{}\t{}\t{}", row.start_ms, row.end_ms, row.modified, row.output, row.command);
    let place = batch.execution(&key, About { workflow, ..About::default() });
    // Seconds before ninja 1.9, nanoseconds since.
    let unit = if row.modified < 1_000_000_000_000 { 1_000_000_000 } else { 1 };
    let modified = Timestamp::from_nanosecond(i128::from(row.modified) * unit).ok().filter(|_| row.modified > 0);
    // Until version 5 the moment at which the output was written, then the one at which the edge started.
    let since = if version > 5 && modified.is_some() { row.start_ms } else { row.end_ms };
    let since = i64::try_from(since).unwrap_or(i64::MAX);
    let began = modified.unwrap_or(file.written_at).as_millisecond().saturating_sub(since);
    let began = Timestamp::from_millisecond(began).unwrap_or(Timestamp::UNIX_EPOCH);
    Build { place, began, last_end: row.end_ms, edges: BTreeSet::new() }
}

fn row(line: &str) -> Option<Row<'_>> {
    let mut columns = line.split('\t');
    let mut next = || columns.next();
    let row = Row {
        start_ms: next()?.parse().ok()?,
        end_ms: next()?.parse().ok()?,
        modified: next()?.parse().ok()?,
        output: next()?,
        command: next()?,
    };
    let hexadecimal = !row.command.is_empty() && row.command.bytes().all(|byte| byte.is_ascii_hexdigit());
    (columns.next().is_none() && hexadecimal).then_some(row)
}
