//! `meow import`: what other tools recorded becomes segments of this repository.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::redaction::redactor;
use super::{Context, identity};
use crate::error::{Error, Result};
use crate::git::{Repository, State};
use crate::import::{self, Format, Found, Input, Options};
use crate::record::{Record, RecordId};
use crate::report::format::count as plural;
use crate::store::spool::Spool;
use crate::store::{add, segments};

/// Rows of one segment; an execution is never divided.
const SEGMENT_ROWS: usize = 50_000;

/// What was typed behind `meow import`.
#[derive(Debug, clap::Args)]
#[command(after_help = examples())]
pub struct Args {
    /// What the files are
    #[arg(value_parser = formats())]
    format: Format,
    /// The files; git-perf takes none
    files: Vec<PathBuf>,
    /// Read every version of the file in this branch's history, from git's objects; its path counts from the top
    #[arg(long, value_name = "BRANCH")]
    from_history: Option<String>,
    /// Say what would be taken, write nothing
    #[arg(long)]
    dry_run: bool,
    /// The workflow that the records belong to [default: the one the file names, else one named after the format]
    #[arg(long, value_name = "NAME")]
    workflow: Option<String>,
}

fn formats() -> impl TypedValueParser<Value = Format> {
    let values = Format::ALL.map(|(_, name, about, _)| PossibleValue::new(name).help(about));
    let refused = import::REFUSED.map(|(name, _)| PossibleValue::new(name).hide(true));
    PossibleValuesParser::new(values.into_iter().chain(refused)).try_map(|name| {
        let why = import::REFUSED.iter().find(|(refused, _)| *refused == name).map(|(_, why)| *why);
        Format::from_name(&name).ok_or(why.unwrap_or("not known"))
    })
}

fn examples() -> String {
    let lines = Format::ALL.map(|(_, name, _, example)| format!("\n  meow import {name} {example}"));
    format!("Examples:{}\n\nThe same file twice adds nothing. `meow commit` commits what was taken.", lines.concat())
}

/// Imports files.
///
/// # Errors
/// There is no repository; a file cannot be read or is wrong (nothing is imported then); the store cannot be written.
pub fn run(args: &Args, context: &Context) -> Result<u8> {
    let project = context.project()?;
    let Some(repository) = &project.repository else {
        return Err(Error::request(format!("{} is in no git repository", project.root.display()))
            .hint("records are kept with the code: run `git init` first, or change to a repository"));
    };
    if repository.work_dir().is_none() {
        return Err(Error::request("a bare repository has no work tree to import into").hint("import in a clone of it"));
    }
    let found = find(args, repository, context)?.cleaned(&redactor(&context.settings, []));
    let spool = Spool::new(&repository.private_dir());
    let known = known(&project.meow(), &spool, context)?;
    let mut sink =
        Sink { meow: &project.meow(), spool: &spool, context, written: 0, now: context.settings.clock.now() };
    let taken = if args.dry_run { count(&found, &known) } else { sink.take(&found, &known)? };
    let (name, executions, rows) = (name(args), found.executions().len(), found.len());
    let (records, of) = (plural(rows as u64, "record"), plural(executions as u64, "execution"));
    let counted = format!("{name}: {records} of {of}; {} known already", rows - taken);
    let end = if args.dry_run {
        format!("; {taken} would be taken")
    } else {
        format!("; {taken} taken into {}", plural(sink.written as u64, "segment"))
    };
    context.terminal.result(&format!("{counted}{end}"))?;
    for (why, count) in found.skipped() {
        context.terminal.result(&format!("skipped {count}: {why}"))?;
    }
    if taken > 0 && !args.dry_run {
        context.terminal.say("`meow commit` commits them");
    }
    Ok(0)
}

/// Reads everything that was asked for, before anything is written.
fn find(args: &Args, repository: &Repository, context: &Context) -> Result<Found> {
    let state = repository.state()?;
    let branch = |branch: &str| {
        let state = State { branch: Some(branch.to_owned()), ..state.clone() };
        identity::branch(&state, &context.settings).ok().flatten()
    };
    let options = Options { workflow: args.workflow.as_deref(), branch: &branch };
    match (args.format, args.files.is_empty()) {
        (Format::GitPerf, true) => return import::read_notes(repository, &options),
        (Format::GitPerf, false) => {
            return Err(Error::request("git-perf takes no file").hint("its notes are read from this repository"));
        }
        (_, true) => return Err(Error::request("no file is named").hint("`meow import --help` shows an example")),
        (_, false) => {}
    }
    if let Some(branch) = &args.from_history {
        let [file] = args.files.as_slice() else {
            return Err(Error::request("--from-history reads one file").hint("import one history after the other"));
        };
        return import::read_history(args.format, repository, branch, &file.to_string_lossy(), &options);
    }
    let input =
        |file: &PathBuf| Input { name: file.display().to_string(), path: context.settings.directory.join(file) };
    let inputs: Vec<Input> = args.files.iter().map(input).collect();
    import::read(args.format, &inputs, &options)
}

fn name(args: &Args) -> String {
    match args.files.as_slice() {
        [] => "notes".to_owned(),
        [file] => file.display().to_string(),
        files => format!("{} files", files.len()),
    }
}

/// Returns the ids of the records that the work tree and the spool hold.
fn known(meow: &Path, spool: &Spool, context: &Context) -> Result<HashSet<RecordId>> {
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

fn count(found: &Found, known: &HashSet<RecordId>) -> usize {
    found.executions().flatten().filter(|record| !known.contains(&record.id())).count()
}

/// Where records go: segments of one month, at most [`SEGMENT_ROWS`] long.
struct Sink<'a> {
    meow: &'a Path,
    spool: &'a Spool,
    context: &'a Context,
    now: Timestamp,
    written: usize,
}

impl Sink<'_> {
    /// Writes what is not known yet; returns how many records that were.
    ///
    /// Only one segment's records are held at a time: a million would need a gigabyte.
    fn take(&mut self, found: &Found, known: &HashSet<RecordId>) -> Result<usize> {
        let (mut part, mut month, mut taken) = (Vec::new(), None, 0);
        for mut records in found.executions() {
            records.retain(|record| !known.contains(&record.id()));
            let Some(first) = records.first() else { continue };
            let began = first.execution.started_at.to_zoned(TimeZone::UTC);
            let own = Some((began.year(), began.month()));
            if own != month || part.len() + records.len() > SEGMENT_ROWS {
                self.write(&mut part)?;
            }
            month = own;
            taken += records.len();
            part.append(&mut records);
        }
        self.write(&mut part)?;
        Ok(taken)
    }

    fn write(&mut self, part: &mut Vec<Record>) -> Result<()> {
        if part.is_empty() {
            return Ok(());
        }
        let writer = self.spool.writer(&self.context.settings.clock)?;
        let place = add(self.meow, part, &writer, self.now)?;
        self.context.terminal.detail(&format!("wrote .meow/{place}"));
        part.clear();
        self.written += 1;
        Ok(())
    }
}
