//! `meow store size`: bytes by kind, bytes per execution, and what a year at the present rate would add.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde::Serialize;

use crate::cli::history::history;
use crate::cli::{Context, page, push};
use crate::error::Result;
use crate::git::{DATA_FOLDERS, Oid, Repository};
use crate::report::document::{Block, Document, Table, words};
use crate::report::format;
use crate::scan::History;

const DAY_MS: i64 = 24 * 3_600 * 1_000;
/// The days whose executions are the present rate.
const RATE_DAYS: i64 = 30;

/// Show what the memory costs: bytes by kind, per execution, and a year ahead
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  git gc --quiet; meow store size")]
pub(super) struct Args {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What the memory costs.
#[derive(Debug, Serialize)]
struct Size {
    schema_version: u32,
    /// What git keeps: on branches and writers' refs, as they are now.
    committed: Vec<Kind>,
    /// What lies in the git directory only.
    private: Vec<Kind>,
    executions: u64,
    /// Bytes of segments in git's object database, per execution; absent without executions.
    bytes_per_execution: Option<f64>,
    /// Executions of a day, over the last 30 days or since the first one.
    executions_per_day: f64,
    /// Bytes that segments would add to git in a year.
    bytes_per_year: Option<f64>,
    /// How long output of steps is kept, in days, and how much of it.
    logs_days: u32,
    logs_bytes: u64,
    /// What could not be counted, and why.
    skipped: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Kind {
    name: String,
    files: u64,
    /// As files.
    bytes: u64,
    /// In git's object database.
    stored_bytes: Option<u64>,
}

pub(super) fn run(args: &Args, context: &Context) -> Result<u8> {
    let repository = push::repository(context)?;
    let history = history(&[], context)?;
    let mut skipped = Vec::new();
    let committed: Vec<Kind> =
        DATA_FOLDERS.into_iter().map(|folder| committed(&repository, folder, &mut skipped)).collect::<Result<_>>()?;
    let private = repository.private_dir();
    let private = ["spool", "sealed", "logs", "cache"].map(|name| on_disk(name, &private.join(name)));
    let executions = history.executions.len() as u64;
    let segments = committed.first().and_then(|kind| kind.stored_bytes).unwrap_or_default();
    let bytes_per_execution = (executions > 0 && segments > 0).then(|| whole(segments) / whole(executions));
    let executions_per_day = rate(&history, context.settings.clock.now().as_millisecond());
    let size = Size {
        schema_version: 1,
        committed,
        private: private.into_iter().filter(|kind| kind.files > 0).collect(),
        executions,
        bytes_per_execution,
        executions_per_day,
        bytes_per_year: bytes_per_execution.map(|bytes| bytes * executions_per_day * 365.0),
        logs_days: context.settings.logs_kept.days,
        logs_bytes: context.settings.logs_kept.bytes,
        skipped,
    };
    page::print(&size, &size.document(), args.json, context)?;
    Ok(0)
}

/// Returns what all tips hold below a folder, each blob once; what cannot be counted is named in `skipped`.
fn committed(repository: &Repository, folder: &str, skipped: &mut Vec<String>) -> Result<Kind> {
    let name = folder.trim_start_matches(".meow/").to_owned();
    let mut blobs = BTreeSet::<Oid>::new();
    for tip in repository.tips()? {
        match repository.blobs_under(tip.commit, folder) {
            Ok(found) => blobs.extend(found.into_iter().map(|(_, blob)| blob)),
            Err(error) => skipped.push(format!("{name} of {}: {error}", tip.name)),
        }
    }
    let (mut bytes, mut absent) = (0, 0);
    for blob in &blobs {
        match repository.blob_size(*blob) {
            Ok(size) => bytes += size,
            Err(_) => absent += 1,
        }
    }
    if absent > 0 {
        skipped.push(format!("{} of {name}: not in this clone, or damaged", format::count(absent, "file")));
    }
    let files = blobs.len() as u64;
    Ok(Kind { name, files, bytes, stored_bytes: Some(repository.stored_bytes(blobs)?) })
}

/// Returns what a folder of the git directory holds.
fn on_disk(name: &str, folder: &Path) -> Kind {
    let (mut files, mut bytes, mut open) = (0, 0, vec![folder.to_path_buf()]);
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            match entry.metadata() {
                Ok(metadata) if metadata.is_dir() => open.push(entry.path()),
                Ok(metadata) => {
                    files += 1;
                    bytes += metadata.len();
                }
                Err(_) => {}
            }
        }
    }
    Kind { name: name.to_owned(), files, bytes, stored_bytes: None }
}

/// Returns executions a day.
fn rate(history: &History, now_ms: i64) -> f64 {
    let started = &history.executions.started_ms;
    let Some(first) = started.first() else { return 0.0 };
    let days = ((now_ms - first) / DAY_MS + 1).clamp(1, RATE_DAYS);
    let recent = started.iter().filter(|started| now_ms - **started < days * DAY_MS).count();
    #[expect(clippy::cast_precision_loss, reason = "at most 30 days")]
    let days = days as f64;
    whole(recent as u64) / days
}

#[expect(clippy::cast_precision_loss, reason = "bytes stay far below 2^53")]
fn whole(value: u64) -> f64 {
    value as f64
}

impl Size {
    fn document(&self) -> Document {
        let mut table = Table::new(&["kind", ">files", ">bytes", ">in git"]);
        for kind in self.committed.iter().chain(&self.private) {
            let stored =
                kind.stored_bytes.map_or_else(|| "not committed".to_owned(), |bytes| format::bytes(whole(bytes)));
            let row = [kind.name.clone(), kind.files.to_string(), format::bytes(whole(kind.bytes)), stored];
            table.row(row.map(words));
        }
        let per = self.bytes_per_execution.map_or_else(
            || "No segment is in git yet.".to_owned(),
            |bytes| {
                format!(
                    "{} take {} of segments each in git. At {:.1} a day a year adds {}.",
                    format::count(self.executions, "execution"),
                    format::bytes(bytes),
                    self.executions_per_day,
                    format::bytes(self.bytes_per_year.unwrap_or_default()),
                )
            },
        );
        let logs = format!(
            "Logs hold the output of steps: {} days of it are kept, at most {} (`logs` in `meow config`).",
            self.logs_days,
            format::bytes(whole(self.logs_bytes)),
        );
        let skipped = self.skipped.iter().map(|what| Block::Note(vec![words(format!("Not counted: {what}"))]));
        skipped
            .fold(Document::default().with(Block::Table(table)), Document::with)
            .with(Block::Paragraph(vec![words(per)]))
            .with(Block::Note(vec![words(
                "In git: as packed or loose objects, without commits and trees; `git gc` makes it smaller.",
            )]))
            .with(Block::Note(vec![words(logs)]))
    }
}
