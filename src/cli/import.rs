//! `meow import`: what other tools recorded becomes segments of this repository.

use std::collections::{BTreeMap, HashSet};
use std::fs::File;
use std::path::PathBuf;

use clap::Subcommand;
use jiff::tz::TimeZone;

use super::{Context, identity};
use crate::error::{Error, Result};
use crate::import::jsonl;
use crate::record::{ExecutionId, Record, RecordId};
use crate::store::spool::Spool;
use crate::store::{add, segments};

/// Rows of one segment; an execution is never divided.
const SEGMENT_ROWS: usize = 50_000;

/// What was typed behind `meow import`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  meow import jsonl timings.jsonl.gz --dry-run\n  meow import jsonl timings.jsonl.gz && meow commit"
)]
pub struct Args {
    #[command(subcommand)]
    format: Format,
}

#[derive(Debug, Subcommand)]
enum Format {
    /// Interchange rows: one JSON object per attempt and line, gzip or not
    #[command(
        after_help = "Each line: execution, workflow, step, attempt, started_at, duration_ms (or null), outcome\n\
        (passed, failed, cancelled); optional commit, branch, machine, inputs_bytes, metrics."
    )]
    Jsonl {
        /// The file
        file: PathBuf,
        /// Say what would be taken, write nothing
        #[arg(long)]
        dry_run: bool,
    },
}

/// Imports a file.
///
/// # Errors
/// There is no repository; the file cannot be read or a line is wrong (nothing is imported then); the store cannot be
/// written.
pub fn run(args: &Args, context: &Context) -> Result<u8> {
    let Format::Jsonl { file, dry_run } = &args.format;
    let project = context.project()?;
    let Some(repository) = &project.repository else {
        return Err(Error::request(format!("{} is in no git repository", project.root.display()))
            .hint("records are kept with the code: run `git init` first, or change to a repository"));
    };
    if repository.work_dir().is_none() {
        return Err(Error::request("a bare repository has no work tree to import into").hint("import in a clone of it"));
    }
    let spool = Spool::new(&repository.private_dir());
    let name = file.display().to_string();
    let path = context.settings.directory.join(file);
    let input = File::open(&path).map_err(|error| Error::request(format!("{name} cannot be read")).cause(error))?;
    let state = repository.state()?;
    let branch = |branch: &str| {
        let state = crate::git::State { branch: Some(branch.to_owned()), ..state.clone() };
        identity::branch(&state, &context.settings).ok().flatten()
    };
    let read = jsonl::read(input, &name, &branch)?;
    let known = known(&project.meow(), &spool, context)?;
    let (rows, executions) = (read.len(), executions(&read));
    let new: Vec<Record> = read.into_iter().filter(|record| !known.contains(&record.id())).collect();
    let count = format!("{name}: {rows} records of {executions} executions; {} known already", rows - new.len());
    if *dry_run {
        context.terminal.result(&format!("{count}; {} would be taken", new.len()))?;
        return Ok(0);
    }
    let taken = new.len();
    let writer = spool.writer(&context.settings.clock)?;
    let parts = parts(new);
    let written = parts.len();
    for part in parts {
        let place = add(&project.meow(), &part, &writer, context.settings.clock.now())?;
        context.terminal.detail(&format!("wrote .meow/{place}"));
    }
    context.terminal.result(&format!("{count}; {taken} taken into {written} segments"))?;
    if taken > 0 {
        context.terminal.say("`meow commit` commits them");
    }
    Ok(0)
}

/// Returns the ids of the records that the work tree and the spool hold.
fn known(meow: &std::path::Path, spool: &Spool, context: &Context) -> Result<HashSet<RecordId>> {
    let mut known = HashSet::new();
    for segment in segments(meow)? {
        match segment.records() {
            Ok(records) => known.extend(records.iter().map(Record::id)),
            Err(error) => context.terminal.warn(&format!("skipped: {error}")),
        }
    }
    let (records, troubles) = spool.records()?;
    for error in troubles {
        context.terminal.warn(&format!("skipped: {error}"));
    }
    known.extend(records.iter().map(Record::id));
    Ok(known)
}

fn executions(records: &[Record]) -> usize {
    records.iter().map(|record| record.execution.id).collect::<HashSet<ExecutionId>>().len()
}

/// Returns the records by month of their execution, at most [`SEGMENT_ROWS`] and one execution together.
fn parts(records: Vec<Record>) -> Vec<Vec<Record>> {
    let mut months = BTreeMap::<(i16, i8), BTreeMap<_, Vec<Record>>>::new();
    for record in records {
        let execution = &record.execution;
        let began = execution.started_at.to_zoned(TimeZone::UTC);
        let key = (execution.started_at, execution.id);
        months.entry((began.year(), began.month())).or_default().entry(key).or_default().push(record);
    }
    let mut parts = Vec::new();
    for executions in months.into_values() {
        let mut part = Vec::new();
        for records in executions.into_values() {
            if !part.is_empty() && part.len() + records.len() > SEGMENT_ROWS {
                parts.push(std::mem::take(&mut part));
            }
            part.extend(records);
        }
        parts.push(part);
    }
    parts
}
