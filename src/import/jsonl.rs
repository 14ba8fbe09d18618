//! The interchange rows: one JSON object per attempt and line, gzip or not.

use std::collections::{BTreeMap, HashSet};
use std::io::{BufRead, BufReader, Read};

use flate2::bufread::MultiGzDecoder;
use jiff::Timestamp;
use serde::Deserialize;

use super::batch::{About, Batch, Try};
use super::{Format, Options, hint};
use crate::error::{Error, Result};
use crate::record::{Digest, ExecutionId, Outcome, RecordId};

/// A longer line is refused.
const MAX_LINE_BYTES: u64 = 1 << 20;
/// More rows are refused.
const MAX_ROWS: u32 = 10_000_000;

/// One line: an attempt as another tool tells it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// The source's own id of the execution.
    pub execution: String,
    /// The workflow's name.
    pub workflow: String,
    /// The step's id.
    pub step: String,
    /// 1 for the first try.
    pub attempt: u32,
    /// When it started.
    pub started_at: Timestamp,
    /// How long it ran, in milliseconds.
    pub duration_ms: Option<f64>,
    /// How it ended.
    pub outcome: Outcome,
    /// The commit it ran on, in hexadecimal.
    pub commit: Option<String>,
    /// The branch it ran on.
    pub branch: Option<String>,
    /// The machine it ran on.
    pub machine: Option<String>,
    /// Bytes of its inputs, known at its start.
    pub inputs_bytes: Option<u64>,
    /// Named numbers.
    #[serde(default)]
    pub metrics: BTreeMap<String, f64>,
}

/// Reads interchange rows; `name` names the file in errors.
///
/// Rows of one `execution` and `workflow` are one execution: it starts with its first row and ends with its last. A
/// machine, commit or branch on which its rows disagree is unknown. A commit shorter than 24 digits is filled up with
/// zeros. A row whose duration is negative is left out and counted.
///
/// # Errors
/// A line cannot be read or makes no sense; it is named.
pub(crate) fn read(input: impl Read, name: &str, options: &Options<'_>, batch: &mut Batch<'_>) -> Result<()> {
    each(input, name, &mut |row, line| {
        let commit = row.commit.as_deref().map(digest).transpose()?;
        take(&row, commit, line, options, batch);
        Ok(())
    })?;
    match batch.settle() {
        Some((line, step, attempt)) => {
            Err(Error::request(format!("{name}:{line} is no interchange row")).cause(twice(&step, attempt)))
        }
        None => Ok(()),
    }
}

/// Returns interchange rows as they stand, in the file's order; `name` names the file in errors. A negative duration
/// is none.
///
/// # Errors
/// A line cannot be read or makes no sense, or an attempt stands twice; it is named, and nothing is returned.
pub fn rows(input: impl Read, name: &str) -> Result<Vec<Row>> {
    let (mut rows, mut seen) = (Vec::new(), HashSet::new());
    each(input, name, &mut |mut row: Row, _| {
        row.duration_ms = row.duration_ms.filter(|duration| *duration >= 0.0);
        let id = RecordId::of(ExecutionId::imported("jsonl", &row.execution, &row.workflow), &row.step, row.attempt);
        if !seen.insert(id) {
            return Err(twice(&row.step, row.attempt));
        }
        rows.push(row);
        Ok(())
    })?;
    Ok(rows)
}

/// Hands each row with its line to `take`, which says what is wrong with it.
fn each(input: impl Read, name: &str, take: &mut dyn FnMut(Row, u32) -> Result<(), String>) -> Result<()> {
    let mut input = BufReader::with_capacity(1 << 16, input);
    let unreadable = |line: u32, error| Error::request(format!("{name}:{line} cannot be read")).cause(error);
    let start = input.fill_buf().map_err(|error| unreadable(1, error))?;
    let beginning = start.to_vec();
    let mut lines: Box<dyn BufRead + '_> = if start.starts_with(&[0x1f, 0x8b]) {
        Box::new(BufReader::new(MultiGzDecoder::new(input)))
    } else {
        Box::new(input)
    };
    let (mut text, mut number, mut rows) = (Vec::new(), 0, 0);
    loop {
        text.clear();
        number += 1;
        let read = (&mut lines).take(MAX_LINE_BYTES).read_until(b'\n', &mut text);
        if read.map_err(|error| unreadable(number, error))? == 0 {
            return Ok(());
        }
        if text.trim_ascii().is_empty() {
            continue;
        }
        let wrong = |cause: String| {
            let error = Error::request(format!("{name}:{number} is no interchange row")).cause(cause);
            if rows == 0 { hint(error, Format::Jsonl, name, &beginning) } else { error }
        };
        if text.len() as u64 == MAX_LINE_BYTES {
            return Err(wrong(format!("the line is longer than {MAX_LINE_BYTES} bytes")));
        }
        let row: Row = serde_json::from_slice(&text).map_err(|error| wrong(error.to_string()))?;
        check(&row).map_err(&wrong)?;
        if rows == MAX_ROWS {
            return Err(wrong(format!("a file may hold {MAX_ROWS} rows")));
        }
        take(row, number).map_err(wrong)?;
        rows += 1;
    }
}

fn twice(step: &str, attempt: u32) -> String {
    format!("step `{}`, attempt {attempt} stands twice in its execution", step.escape_debug())
}

fn take(row: &Row, commit: Option<Digest>, line: u32, options: &Options<'_>, batch: &mut Batch<'_>) {
    let about = About {
        workflow: options.workflow.unwrap_or(&row.workflow),
        machine: row.machine.as_deref(),
        commit,
        branch: row.branch.as_deref(),
        duration_ms: None,
    };
    let place = batch.execution(&row.execution, about);
    let metrics: Vec<(&str, f64)> = row.metrics.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    let one = Try {
        attempt: row.attempt,
        inputs_bytes: row.inputs_bytes,
        metrics: &metrics,
        line,
        ..Try::new(&row.step, row.started_at, row.duration_ms, row.outcome)
    };
    batch.attempt(place, &one);
}

fn check(row: &Row) -> Result<(), String> {
    if row.workflow.is_empty() || row.step.is_empty() || row.execution.is_empty() {
        return Err("execution, workflow and step may not be empty".to_owned());
    }
    if row.attempt == 0 {
        return Err("attempts count from 1".to_owned());
    }
    Ok(())
}

/// Reads a commit's hash, shortened or not.
///
/// # Errors
/// It is not hexadecimal.
pub(crate) fn digest(hex: &str) -> Result<Digest, String> {
    let wrong = || format!("commit `{}` is not hexadecimal", hex.escape_debug());
    if hex.is_empty() || hex.len() > 64 || !hex.is_ascii() {
        return Err(wrong());
    }
    format!("{hex:0<24}")[..24].parse().map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Record;

    const ROW: &str = r#"{"execution":"e","workflow":"w","step":"s","attempt":1,"started_at":"2026-01-02T03:04:05.678Z","duration_ms":1.5,"outcome":"failed","commit":"87b0d83745c0","branch":"topic","machine":"m","inputs_bytes":9,"metrics":{"x":2}}"#;

    fn read_text(text: &str) -> Result<Vec<Record>> {
        let branch = |branch: &str| Some(format!("<{branch}>"));
        let found = super::super::read_rows(text.as_bytes(), "f.jsonl", &Options { workflow: None, branch: &branch })?;
        Ok(found.executions().flatten().collect())
    }

    #[test]
    fn rows_become_one_execution() {
        let retry =
            ROW.replace(r#""attempt":1"#, r#""attempt":2"#).replace("failed", "passed").replace("05.678", "07.000");
        let records = read_text(&format!("{ROW}\n\n{retry}\n")).expect("read");
        let execution = &records[0].execution;
        assert_eq!(records.len(), 2);
        assert_eq!(execution.id, ExecutionId::imported("jsonl", "e", "w"));
        assert_eq!(execution.started_at.to_string(), "2026-01-02T03:04:05Z");
        assert_eq!((execution.duration_ms, execution.outcome), (Some(2001.5), Outcome::Passed));
        assert_eq!(execution.source.branch.as_deref(), Some("<topic>"));
        assert_eq!(
            execution.source.commit.map(|commit| commit.to_string()).as_deref(),
            Some("87b0d83745c0000000000000")
        );
        assert_eq!((execution.machine.as_deref(), execution.trigger.as_str()), (Some("m"), "import:jsonl"));
        assert_eq!((records[0].attempt.started_ms, records[1].attempt.started_ms), (678, 2000));
        assert_eq!((records[0].attempt.inputs_bytes, records[0].attempt.metrics["x"]), (Some(9), 2.0));
    }

    #[test]
    fn what_rows_disagree_on_is_unknown() {
        let other = ROW.replace(r#""step":"s""#, r#""step":"t""#).replace(r#""machine":"m""#, r#""machine":"n""#);
        let again = ROW.replace(r#""step":"s""#, r#""step":"u""#);
        let records = read_text(&format!("{ROW}\n{other}\n{again}")).expect("read");
        assert_eq!(
            (records[2].execution.machine.as_deref(), records[2].execution.source.commit.is_some()),
            (None, true)
        );
    }

    #[test]
    fn wrong_rows_are_named() {
        let check = |row: &str, said: &str| {
            let error = read_text(&format!("{ROW}\n{row}")).expect_err("wrong").to_string();
            assert!(error.starts_with("f.jsonl:2 ") && error.contains(said), "{error}");
        };
        check(ROW, "stands twice");
        check(&ROW[..40], "EOF");
        check(&ROW.replace(r#""attempt":1"#, r#""attempt":0"#), "count from 1");
        check(&ROW.replace("1.5", "1e999"), "number");
        check(&ROW.replace("failed", "odd"), "odd");
        check(&ROW.replace("87b0", "no hex"), "hexadecimal");
        check(&ROW.replace("87b0d83745c0", "ß"), "hexadecimal");
        check(&ROW.replace("machine", "machin"), "machin");
        check("\u{1}", "expected");
    }
}
