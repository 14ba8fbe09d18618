//! `meow store prune --before DATE`: old segments leave the branch as one commit; history keeps them.

use std::fs;

use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::cli::{Context, commit, purge, push, seal, stamp};
use crate::error::{Error, Result};
use crate::git::{DATA_FOLDERS, FileChange};
use crate::report::format::count;
use crate::store::removal::{ACTIONS, Left, Removal, Removals};
use crate::store::spool::Spool;
use crate::store::{self, segment};

/// Take old segments out of this branch, as one commit
///
/// A segment goes when all its executions began before the date. Commits that hold it already keep it; a fold does not
/// bring it back.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  meow store prune --before 2026-01-01 --dry-run")]
pub(super) struct Args {
    /// The first day that stays, in universal time
    #[arg(long, value_name = "DATE", value_parser = day)]
    before: Date,
    /// Say what would go, change nothing
    #[arg(long)]
    dry_run: bool,
}

fn day(text: &str) -> std::result::Result<Date, &'static str> {
    text.parse().map_err(|_| "a date such as 2026-01-01 is expected")
}

pub(super) fn run(args: &Args, context: &Context) -> Result<u8> {
    let repository = push::repository(context)?;
    let top = repository.work_dir().ok_or_else(|| {
        Error::request(format!("{} is a bare repository", repository.common_dir().display()))
            .hint("prune in a clone of it")
    })?;
    repository.nothing_in_progress()?;
    let meow = top.join(".meow");
    seal::leads_nowhere_else(&meow)?;
    let uncommitted =
        commit::changed(&repository, top)?.into_iter().filter(|(path, _)| path.starts_with(DATA_FOLDERS[0]));
    if let Some((path, _)) = uncommitted.into_iter().next() {
        return Err(Error::request(format!("{path} is not committed")).hint("`meow commit` first"));
    }
    let spool = Spool::new(&repository.private_dir());
    seal::settle(&repository, &spool)?;
    let wrong = || Error::request(format!("{} is out of range", args.before));
    let before = args.before.to_zoned(TimeZone::UTC).map_err(|error| wrong().cause(error))?.timestamp();
    let removal = Removal::Pruned { at: stamp::now(Some(&repository), &context.settings)?, before };
    let removals: Removals = [&removal].into_iter().collect();
    let Some(head) = repository.head()? else { return Ok(nothing(context)) };
    let (mut gone, mut records) = (Vec::<FileChange>::new(), 0);
    for (path, blob) in repository.blobs_under(head, DATA_FOLDERS[0])? {
        let Some(bytes) = repository.blob_within(blob, segment::MAX_BYTES)? else {
            context.terminal.warn(&format!("stays: segment {} is too large", path.escape_debug()));
            continue;
        };
        match removals.leave(push::place(&path), &bytes) {
            Ok(Left::Nothing) => {
                records += segment::open(&path, &bytes)?.len();
                gone.push((path, None));
            }
            Ok(Left::Newer) => context.terminal.warn(&format!("stays: {}", purge::newer(&path))),
            Ok(_) => {}
            Err(error) => context.terminal.warn(&format!("stays: {error}")),
        }
    }
    if gone.is_empty() {
        return Ok(nothing(context));
    }
    let words = format!("{} with {} pruned", count(gone.len() as u64, "segment"), count(records as u64, "record"));
    if args.dry_run {
        context.terminal.result(&format!("would be: {words}, before {}", args.before))?;
        return Ok(0);
    }
    let id = removal.id()?;
    let file = store::put(&meow, ACTIONS, &id, &removal)?;
    let bytes =
        fs::read(&file).map_err(|error| Error::store(format!("{} cannot be read", file.display())).cause(error))?;
    let mut changes = gone.clone();
    changes.push((format!("{}/{id}.toml", DATA_FOLDERS[3]), Some(repository.write_blob(&bytes)?)));
    let message = format!("{words}, before {}", args.before);
    let commit = repository.commit_paths(&message, &changes).inspect_err(|_| drop(fs::remove_file(&file)))?;
    for (path, _) in &gone {
        // A file that is not checked out is gone already.
        let _ = fs::remove_file(top.join(path));
    }
    context.terminal.result(&format!("{commit} {words}"))?;
    context.terminal.say("history keeps them: `git log -- .meow/records` shows the commits");
    Ok(0)
}

fn nothing(context: &Context) -> u8 {
    context.terminal.say("nothing to prune: no segment is older");
    0
}
