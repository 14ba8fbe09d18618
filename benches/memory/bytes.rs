//! What an execution adds to the pack of a project: its segments, or its notes, beside the same commits without them.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use meow::record::Record;
use meow::store::segment;

use super::Outcome;
use super::place::git;
use super::replay::Replay;

/// Steps of one execution.
const STEPS: usize = 10;

/// How executions are kept.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    /// Not at all.
    Nothing,
    /// A segment a commit.
    Segment,
    /// The same as lines of JSON.
    Lines,
    /// A git note of JSON an execution, which is a commit of its own under `refs/notes`.
    Note,
}

/// Bytes per execution in the pack after gc.
pub struct Bytes {
    /// One segment per 10 executions.
    pub segment_10: f64,
    /// One note an execution.
    pub note: f64,
    /// One segment per 100 executions.
    pub segment_100: f64,
    /// One file of lines per 100 executions.
    pub lines_100: f64,
}

/// Measures with so many executions.
pub fn bytes(folder: &Path, replay: &mut Replay, most: usize) -> Outcome<Bytes> {
    let executions: Vec<Vec<Record>> = (0..most).map(|_| replay.next(STEPS)).collect();
    let added = |batch: usize, way: Way| -> Outcome<f64> {
        let (with, without) = (pack(folder, &executions, batch, way)?, pack(folder, &executions, batch, Way::Nothing)?);
        Ok((with as f64 - without as f64) / executions.len() as f64)
    };
    Ok(Bytes {
        segment_10: added(10, Way::Segment)?,
        note: added(1, Way::Note)?,
        segment_100: added(100, Way::Segment)?,
        lines_100: added(100, Way::Lines)?,
    })
}

/// Returns the size of the pack of a project with one commit of code per `batch` of executions.
fn pack(folder: &Path, executions: &[Vec<Record>], batch: usize, way: Way) -> Outcome<u64> {
    let top = tempfile::tempdir_in(folder)?;
    git(top.path(), &["init", "--quiet", "--bare"])?;
    let mut import = Command::new("git")
        .args(["fast-import", "--quiet"])
        .current_dir(top.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()?;
    let mut to = std::io::BufWriter::new(import.stdin.take().ok_or("no pipe")?);
    for (number, group) in executions.chunks(batch).enumerate() {
        let records = group.concat();
        let sealed = records[0].execution.started_at;
        let who = format!("committer a <a@b> {} +0000", sealed.as_second());
        let code = format!("fn main() {{\n    println!(\"{}\");\n}}\n", number * 7919 % 1_000_003);
        write!(to, "commit refs/heads/main\nmark :{}\n{who}\ndata 1\nx\n", number + 1)?;
        write!(to, "M 100644 inline src/main.rs\ndata {}\n{code}\n", code.len())?;
        let bytes = match way {
            Way::Segment => segment::encode(&records)?,
            _ => json_lines(&records).into_bytes(),
        };
        let path = segment::place(&records, "0123456789ab", sealed, &bytes);
        match way {
            Way::Nothing => continue,
            Way::Segment => writeln!(to, "M 100644 inline .meow/{path}")?,
            Way::Lines => writeln!(to, "M 100644 inline .meow/{}", path.replace(".parquet", ".jsonl"))?,
            Way::Note => {
                let said = "Notes added by 'git notes add'\n";
                write!(to, "commit refs/notes/meow\n{who}\ndata {}\n{said}N inline :{}\n", said.len(), number + 1)?;
            }
        }
        writeln!(to, "data {}", bytes.len())?;
        to.write_all(&bytes)?;
        to.write_all(b"\n")?;
    }
    drop(to);
    if !import.wait()?.success() {
        return Err("git fast-import failed".into());
    }
    // `-f`: fast-import's own deltas would stay otherwise, and those of people's commits are made by gc.
    git(top.path(), &["repack", "-adfq"])?;
    git(top.path(), &["gc", "--quiet", "--prune=now"])?;
    let mut size = 0;
    for entry in fs::read_dir(top.path().join("objects/pack"))? {
        let entry = entry?;
        if entry.path().extension().is_some_and(|extension| extension == "pack") {
            size += entry.metadata()?.len();
        }
    }
    Ok(size)
}

/// One line an execution, its facts once, its attempts as a list; what is unknown is left out.
pub fn json_lines(records: &[Record]) -> String {
    let mut text = String::new();
    for own in records.chunk_by(|a, b| a.execution.id == b.execution.id) {
        let mut line = serde_json::to_value(&*own[0].execution).expect("plain");
        line["attempts"] = own.iter().map(|record| serde_json::to_value(&record.attempt).expect("plain")).collect();
        lean(&mut line);
        text += &line.to_string();
        text.push('\n');
    }
    text
}

fn lean(value: &mut serde_json::Value) {
    match value {
        serde_json::Value::Object(map) => {
            map.retain(|_, value| !value.is_null());
            map.values_mut().for_each(lean);
        }
        serde_json::Value::Array(list) => list.iter_mut().for_each(lean),
        _ => {}
    }
}
