//! `meow store verify`: every segment of every branch, writer and work tree against the hash in its name, and decoded.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::cli::{Context, push};
use crate::error::{Error, Result};
use crate::git::{DATA_FOLDERS, Oid, Repository};
use crate::report::{self, format::count};
use crate::store::spool::Spool;
use crate::store::{self, segment};

/// Check every segment and journal; exit code 3 where one is damaged
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  meow store verify --json")]
pub(super) struct Args {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What was checked.
#[derive(Debug, Serialize)]
struct Verified {
    schema_version: u32,
    segments: u64,
    records: u64,
    journals: u64,
    damaged: Vec<Damaged>,
}

/// Something that cannot be trusted; reports leave it out.
#[derive(Debug, Serialize)]
struct Damaged {
    path: String,
    why: String,
}

pub(super) fn run(args: &Args, context: &Context) -> Result<u8> {
    let repository = push::repository(context)?;
    let mut verified = Verified { schema_version: 1, segments: 0, records: 0, journals: 0, damaged: Vec::new() };
    verified.committed(&repository)?;
    verified.work_trees(&repository)?;
    verified.journals(&repository)?;
    if args.json {
        context.terminal.result(&report::json(&verified))?;
    } else {
        for damaged in &verified.damaged {
            context.terminal.result(&format!("damaged: {}: {}", damaged.path.escape_debug(), damaged.why))?;
        }
        context.terminal.result(&format!(
            "{} with {}, {}: {} damaged",
            count(verified.segments, "segment"),
            count(verified.records, "record"),
            count(verified.journals, "journal"),
            verified.damaged.len()
        ))?;
    }
    Ok(if verified.damaged.is_empty() { 0 } else { 3 })
}

impl Verified {
    /// Checks what any tip holds; the same blob under the same path once.
    fn committed(&mut self, repository: &Repository) -> Result<()> {
        let mut seen = BTreeSet::<(String, Oid)>::new();
        for tip in repository.tips()? {
            match repository.blobs_under(tip.commit, DATA_FOLDERS[0]) {
                Ok(found) => seen.extend(found),
                Err(error) => self.damaged.push(Damaged { path: tip.name, why: error.to_string() }),
            }
        }
        for (path, blob) in seen.into_iter().filter(|(path, _)| is_segment(path)) {
            let too_large = || Error::store("it is too large");
            let bytes = repository.blob_within(blob, segment::MAX_BYTES).and_then(|bytes| bytes.ok_or_else(too_large));
            self.segment(path.clone(), bytes.and_then(|bytes| Ok(segment::open(&path, &bytes)?.len())));
        }
        Ok(())
    }

    /// Checks the files that are checked out, which need not be as they were committed.
    fn work_trees(&mut self, repository: &Repository) -> Result<()> {
        for worktree in repository.worktrees()? {
            let Some(meow) = worktree.work_dir().map(|top| top.join(".meow")).filter(|meow| !meow.is_symlink()) else {
                continue;
            };
            for segment in store::segments(&meow)? {
                self.segment(segment.path.display().to_string(), segment.records().map(|records| records.len()));
            }
        }
        Ok(())
    }

    /// Checks the journals that wait in the spool.
    fn journals(&mut self, repository: &Repository) -> Result<()> {
        for spooled in Spool::new(&repository.private_dir()).list()? {
            self.journals += 1;
            let why = match spooled.read() {
                Ok(content) if content.torn > 0 => count(content.torn as u64, "torn line"),
                Ok(_) => continue,
                Err(_) if !spooled.path.exists() => continue,
                Err(error) => error.to_string(),
            };
            self.damaged.push(Damaged { path: spooled.path.display().to_string(), why });
        }
        Ok(())
    }

    fn segment(&mut self, path: String, records: Result<usize>) {
        self.segments += 1;
        match records {
            Ok(records) => self.records += records as u64,
            Err(error) => self.damaged.push(Damaged { path, why: error.to_string() }),
        }
    }
}

fn is_segment(path: &str) -> bool {
    std::path::Path::new(path).extension().is_some_and(|extension| extension == "parquet")
}
