//! What the memory costs: bytes, reading, and what a commit waits for, each row beside a peer measured in the same run.
//!
//! `cargo bench --bench memory` prints the one table, in some three minutes. `-- full` measures 1,000 repositories, 5 million
//! rows and 50,000 segments, `-- hooks [ROUNDS]` every way to hook a commit, `-- encodings [EXECUTIONS]` bytes by encoding of
//! the pages, `-- one`, `-- many [REPOSITORIES]` and `-- peak [ROWS]` some rows of the table alone, `-- stages FOLDER` where the
//! time of a report over many repositories goes, `-- make FOLDER [SEGMENTS [REPOSITORIES]]` repositories to look at. Executions
//! are replayed from `../shared/data` where that is there. DuckDB is that of `python3`; its rows are left out where that is missing.
#![expect(clippy::disallowed_methods, clippy::print_stdout, reason = "a measurement writes files, runs git and prints")]
#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "made-up numbers need not be exact"
)]

mod bytes;
mod encodings;
mod hooks;
mod measure;
mod place;
mod read;
mod replay;
mod stages;

use std::error::Error;
use std::path::Path;

use measure::Runs;
use replay::Replay;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// One line of the table.
pub struct Row {
    what: String,
    ours: String,
    peer: String,
    theirs: String,
    ratio: f64,
    /// The ratio of the processor times.
    processor: Option<f64>,
    /// NaN where nothing was promised.
    wanted: f64,
}

impl Row {
    /// Returns a row of two medians of wall times.
    fn walls(what: &str, ours: f64, peer: &str, theirs: f64, wanted: f64) -> Self {
        let ms = |ms: f64| if ms.is_nan() { "not installed".to_owned() } else { format!("{ms:.0} ms") };
        Self {
            what: what.to_owned(),
            ours: ms(ours),
            peer: peer.to_owned(),
            theirs: ms(theirs),
            ratio: ours / theirs,
            processor: None,
            wanted,
        }
    }

    /// Returns a row of two programs.
    fn runs(what: &str, ours: &Runs, peer: &str, theirs: &Runs, wanted: f64) -> Self {
        let processor = Some(ours.processor() / theirs.processor());
        Self { processor, ..Self::walls(what, ours.wall(), peer, theirs.wall(), wanted) }
    }

    fn bytes(what: &str, ours: f64, peer: &str, theirs: f64, wanted: f64) -> Self {
        let bytes = |bytes: f64| format!("{bytes:.0} B");
        Self { ours: bytes(ours), theirs: bytes(theirs), ..Self::walls(what, ours, peer, theirs, wanted) }
    }

    fn print(&self) {
        let processor = self.processor.map_or(String::new(), |ratio| format!("{ratio:.2}"));
        let wanted = if self.wanted.is_nan() { "-".to_owned() } else { format!("{:.2}", self.wanted) };
        println!(
            "{:58} {:>10} {:34} {:>13} {:>7.3} {processor:>9} {wanted:>7}",
            self.what, self.ours, self.peer, self.theirs, self.ratio
        );
    }
}

fn main() -> Outcome<()> {
    // `cargo bench` adds `--bench`.
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let number = |at: usize, other: usize| words.get(at).map_or(Ok(other), |word| word.parse());
    let folder = tempfile::tempdir()?;
    match words[..] {
        ["read", top] => read::child(Path::new(top)),
        ["stages", top] => stages::print(Path::new(top)),
        ["one"] => print(read::one(folder.path(), &mut Replay::new()?, 2_000, 5)),
        ["many", ..] => print(read::many(folder.path(), &mut Replay::new()?, number(1, 100)?, 2)),
        ["peak", ..] => {
            print(read::peak(folder.path(), &mut Replay::new()?, number(1, 5_000_000)?).map(|row| vec![row]))
        }
        ["make", top, ..] => {
            let replay = &mut Replay::new()?;
            for at in 0..number(3, 1)? {
                println!(
                    "{}",
                    read::make(&Path::new(top).join(format!("{at:04}")), replay, number(2, 2_000)?)?.display()
                );
            }
            Ok(())
        }
        ["hooks", ..] => {
            let rounds = number(1, 60)?;
            hooks::print(&hooks::times(folder.path(), rounds)?, rounds);
            Ok(())
        }
        ["encodings", ..] => encodings::print(&mut Replay::new()?, number(1, 2_000)?),
        [] => table(folder.path(), false),
        ["full"] => table(folder.path(), true),
        _ => Err("see the first lines of benches/memory/main.rs".into()),
    }
}

fn head() {
    println!("{:58} {:>10} {:34} {:>13} {:>7} {:>9} {:>7}", "", "meow", "peer", "", "ratio", "processor", "wanted");
}

fn print(rows: Outcome<Vec<Row>>) -> Outcome<()> {
    let rows = rows?;
    head();
    rows.iter().for_each(Row::print);
    Ok(())
}

fn table(folder: &Path, full: bool) -> Outcome<()> {
    let replay = &mut Replay::new()?;
    println!("executions replayed from {}\n", replay::origin());
    head();
    let bytes = bytes::bytes(folder, replay, 2_000)?;
    let what = "pack bytes an execution of 10 steps, 10 a segment";
    Row::bytes(what, bytes.segment_10, "a JSON git note an execution", bytes.note, 0.36).print();
    Row::bytes("the same, 100 a segment", bytes.segment_100, "JSONL in the same batches", bytes.lines_100, 0.65)
        .print();
    for row in read::one(folder, replay, 2_000, 5)? {
        row.print();
    }
    for row in read::many(folder, replay, if full { 1_000 } else { 100 }, 2)? {
        row.print();
    }
    let hooks = hooks::times(folder, if full { 60 } else { 15 })?;
    let plain = hooks[0].median();
    for one in &hooks[1..] {
        let wanted = if one.name.contains("10 executions") { 1.5 } else { 1.05 };
        let what = format!("git commit with {}", one.name);
        Row::walls(&what, one.median(), "git commit without hooks", plain, wanted).print();
    }
    read::peak(folder, replay, if full { 5_000_000 } else { 500_000 })?.print();
    let counts: &[usize] = if full { &[1_000, 10_000, 50_000] } else { &[1_000, 5_000] };
    read::growth(folder, replay, counts)
}
