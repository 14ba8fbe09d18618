//! The interchange rows: one JSON object per attempt and line, gzip or not.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::{BufRead, BufReader, Read};
use std::sync::Arc;

use flate2::bufread::MultiGzDecoder;
use jiff::Timestamp;
use serde::Deserialize;

use crate::error::{Error, Result};
use crate::record::{Attempt, Digest, Execution, ExecutionId, Outcome, Record, RecordId, Source};

/// A longer line is refused.
const MAX_LINE_BYTES: u64 = 1 << 20;
/// More rows are refused.
const MAX_ROWS: usize = 10_000_000;

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

/// What is known of an execution while its rows come in.
struct Group {
    id: ExecutionId,
    workflow: String,
    machine: Option<String>,
    commit: Option<Digest>,
    branch: Option<String>,
    attempts: Vec<(Timestamp, Attempt)>,
    seen: HashSet<(String, u32)>,
}

/// Returns the records of interchange rows; `name` names the file in errors.
///
/// Rows of one `execution` and `workflow` are one execution: it starts with its first row and ends with its last. A
/// branch is kept as what `branch` makes of it. A machine, commit or branch on which its rows disagree is unknown.
/// A commit shorter than 24 digits is filled up with zeros.
///
/// # Errors
/// A line cannot be read or makes no sense; it is named, and nothing is returned.
pub fn read(input: impl Read, name: &str, branch: &dyn Fn(&str) -> Option<String>) -> Result<Vec<Record>> {
    let (mut groups, mut places) = (Vec::<Group>::new(), HashMap::<(String, String), usize>::new());
    each(input, name, &mut |row: Row| {
        if row.duration_ms.is_some_and(|duration| duration < 0.0) {
            return Err("duration_ms is negative".to_owned());
        }
        let commit = row.commit.as_deref().map(digest).transpose()?;
        let branch = row.branch.as_deref().and_then(branch);
        let place = *places.entry((row.execution.clone(), row.workflow.clone())).or_insert_with(|| {
            groups.push(Group {
                id: ExecutionId::imported("jsonl", &row.execution, &row.workflow),
                workflow: row.workflow.clone(),
                machine: row.machine.clone(),
                commit,
                branch: branch.clone(),
                attempts: Vec::new(),
                seen: HashSet::new(),
            });
            groups.len() - 1
        });
        groups[place].add(row, commit, branch.as_deref())
    })?;
    Ok(groups.into_iter().flat_map(Group::records).collect())
}

/// Returns interchange rows as they stand, in the file's order; `name` names the file in errors. A negative duration
/// is none.
///
/// # Errors
/// A line cannot be read or makes no sense, or an attempt stands twice; it is named, and nothing is returned.
pub fn rows(input: impl Read, name: &str) -> Result<Vec<Row>> {
    let (mut rows, mut seen) = (Vec::new(), HashSet::new());
    each(input, name, &mut |mut row: Row| {
        row.duration_ms = row.duration_ms.filter(|duration| *duration >= 0.0);
        let id = RecordId::of(ExecutionId::imported("jsonl", &row.execution, &row.workflow), &row.step, row.attempt);
        if !seen.insert(id) {
            return Err(twice(&row));
        }
        rows.push(row);
        Ok(())
    })?;
    Ok(rows)
}

/// Hands each row to `take`, which says what is wrong with it.
fn each(input: impl Read, name: &str, take: &mut dyn FnMut(Row) -> Result<(), String>) -> Result<()> {
    let mut input = BufReader::with_capacity(1 << 16, input);
    let unreadable = |line: usize, error| Error::request(format!("{name}:{line} cannot be read")).cause(error);
    let start = input.fill_buf().map_err(|error| unreadable(1, error))?;
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
        let wrong = |cause: String| Error::request(format!("{name}:{number} is no interchange row")).cause(cause);
        if text.len() as u64 == MAX_LINE_BYTES {
            return Err(wrong(format!("the line is longer than {MAX_LINE_BYTES} bytes")));
        }
        let row: Row = serde_json::from_slice(&text).map_err(|error| wrong(error.to_string()))?;
        check(&row).map_err(&wrong)?;
        rows += 1;
        if rows > MAX_ROWS {
            return Err(wrong(format!("a file may hold {MAX_ROWS} rows")));
        }
        take(row).map_err(wrong)?;
    }
}

fn twice(row: &Row) -> String {
    format!("step `{}`, attempt {} stands twice in its execution", row.step.escape_debug(), row.attempt)
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

fn digest(hex: &str) -> Result<Digest, String> {
    let wrong = || format!("commit `{}` is not hexadecimal", hex.escape_debug());
    if hex.is_empty() || hex.len() > 64 || !hex.is_ascii() {
        return Err(wrong());
    }
    format!("{hex:0<24}")[..24].parse().map_err(|_| wrong())
}

impl Group {
    fn add(&mut self, row: Row, commit: Option<Digest>, branch: Option<&str>) -> Result<(), String> {
        if !self.seen.insert((row.step.clone(), row.attempt)) {
            return Err(twice(&row));
        }
        self.machine = self.machine.take().filter(|machine| Some(machine) == row.machine.as_ref());
        self.branch = self.branch.take().filter(|known| Some(known.as_str()) == branch);
        self.commit = self.commit.filter(|known| Some(*known) == commit);
        let attempt = Attempt {
            step: row.step,
            attempt: row.attempt,
            ready_ms: None,
            started_ms: 0,
            duration_ms: row.duration_ms,
            outcome: row.outcome,
            exit_code: None,
            signal: None,
            timed_out: false,
            user_ms: None,
            system_ms: None,
            peak_memory_bytes: None,
            read_bytes: None,
            written_bytes: None,
            slot: None,
            needs: Vec::new(),
            command: None,
            inputs_bytes: row.inputs_bytes,
            predicted: None,
            metrics: row.metrics,
        };
        self.attempts.push((row.started_at, attempt));
        Ok(())
    }

    fn records(mut self) -> Vec<Record> {
        let first = self.attempts.iter().map(|(at, _)| *at).min().unwrap_or(Timestamp::UNIX_EPOCH);
        let began = Timestamp::from_second(first.as_millisecond().div_euclid(1000)).unwrap_or(first);
        for (at, attempt) in &mut self.attempts {
            let offset = at.as_millisecond() - began.as_millisecond();
            attempt.started_ms = u64::try_from(offset).unwrap_or(0);
        }
        let execution = Arc::new(Execution {
            id: self.id,
            workflow: self.workflow,
            started_at: began,
            duration_ms: self.attempts.iter().filter_map(|(_, attempt)| end(attempt)).max_by(f64::total_cmp),
            outcome: outcome(&self.attempts),
            trigger: "import:jsonl".to_owned(),
            machine: self.machine,
            slots: None,
            variables: BTreeMap::new(),
            source: Source { commit: self.commit, branch: self.branch, ..Source::default() },
        });
        let record = |(_, attempt)| Record { execution: Arc::clone(&execution), attempt };
        self.attempts.into_iter().map(record).collect()
    }
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds stay far below 2^53")]
fn end(attempt: &Attempt) -> Option<f64> {
    attempt.duration_ms.map(|duration| attempt.started_ms as f64 + duration)
}

/// Failed where the last attempt at a step failed, else cancelled where one was, else passed.
fn outcome(attempts: &[(Timestamp, Attempt)]) -> Outcome {
    let mut last = BTreeMap::<&str, (u32, Outcome)>::new();
    for (_, attempt) in attempts {
        let known = last.entry(&attempt.step).or_insert((attempt.attempt, attempt.outcome));
        if attempt.attempt > known.0 {
            *known = (attempt.attempt, attempt.outcome);
        }
    }
    let any = |outcome| last.values().any(|(_, last)| *last == outcome);
    [Outcome::Failed, Outcome::Cancelled].into_iter().find(|outcome| any(*outcome)).unwrap_or(Outcome::Passed)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROW: &str = r#"{"execution":"e","workflow":"w","step":"s","attempt":1,"started_at":"2026-01-02T03:04:05.678Z","duration_ms":1.5,"outcome":"failed","commit":"87b0d83745c0","branch":"topic","machine":"m","inputs_bytes":9,"metrics":{"x":2}}"#;

    fn read_text(text: &str) -> Result<Vec<Record>> {
        read(text.as_bytes(), "f.jsonl", &|branch| Some(format!("<{branch}>")))
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
        check(&ROW.replace("1.5", "-1"), "negative");
        check(&ROW.replace("1.5", "1e999"), "number");
        check(&ROW.replace("failed", "odd"), "odd");
        check(&ROW.replace("87b0", "no hex"), "hexadecimal");
        check(&ROW.replace("87b0d83745c0", "ß"), "hexadecimal");
        check(&ROW.replace("machine", "machin"), "machin");
        check("\u{1}", "expected");
    }
}
