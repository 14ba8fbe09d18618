//! `meow hook EVENT`, which an installed hook calls: the hook that was there before, the records, the event's workflow.

mod before;
mod workflow;

use std::ffi::OsString;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use super::settings::hooks;
use super::{Context, seal};
use crate::error::Result;
use crate::git::{IndexTaker, Repository};
use crate::store::spool::Spool;

/// The exit code by which the script knows that meow did nothing, as of a program that is not there.
pub const NOT_STARTED: u8 = 127;

/// What the hook script says.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The event of git
    event: String,
    /// Run the workflow that the repository names for this event, where it is trusted
    #[arg(long)]
    workflow: bool,
    /// The hook that was there before, and its arguments
    #[arg(last = true)]
    before: Vec<OsString>,
}

/// Does what belongs to the event. Returns the exit code of the hook that was there before where it failed, 1 where a
/// workflow ran and failed; whatever else goes wrong is one warning and 0.
///
/// # Errors
/// Never; the signature is that of every command.
pub fn run(args: &Args, context: &Context) -> Result<u8> {
    let code = before::run(args, context);
    if code != 0 || !context.settings.enabled {
        return Ok(code);
    }
    // What is wrong in meow itself is no reason to stop git.
    Ok(catch_unwind(AssertUnwindSafe(|| after(args, context))).unwrap_or(0))
}

/// Runs the workflow of the event, and seals where a commit is being made.
fn after(args: &Args, context: &Context) -> u8 {
    let code = match hooks::known(&args.event) {
        Ok(event) if args.workflow => workflow::run(event, context),
        _ => 0,
    };
    if code == 0 && args.event == "pre-commit" {
        match pre_commit(context) {
            Ok(None) => {}
            Ok(Some(trouble)) => context.terminal.warn(&trouble),
            Err(error) => context.terminal.warn(&format!("the records wait for another commit: {error}")),
        }
    }
    code
}

/// Seals into the commit being made; returns what a person should know.
fn pre_commit(context: &Context) -> Result<Option<String>> {
    let settings = &context.settings;
    let Some(repository) = here(context)? else { return Ok(None) };
    // git takes the locks of references once its hook is over.
    repository.clear_moves();
    // `git commit <path>` works on an index of its own, which must hold what was named and nothing else.
    if settings.git_index.as_deref().is_some_and(is_partial) {
        return Ok(None);
    }
    if Spool::new(&repository.private_dir()).list()?.is_empty() {
        return Ok(None);
    }
    // git reads the index while the segment is made.
    let index = IndexTaker::start(&repository, settings.git_index.as_deref())?;
    let waiting = seal::seal_for_hook(&repository, settings)?;
    index.put(&waiting.files)?;
    Ok(waiting.troubles.first().map(|first| {
        let more = waiting.troubles.len() - 1;
        let more = if more == 0 { String::new() } else { format!(" (and {more} more)") };
        format!("a journal stays in the spool: {first}{more}")
    }))
}

/// Returns the repository around the folder, where it is the one whose hook runs.
fn here(context: &Context) -> Result<Option<Repository>> {
    let settings = &context.settings;
    let Some(repository) = Repository::discover(&settings.directory)? else { return Ok(None) };
    let other = settings.git_dir.as_deref().is_some_and(|folder| !same(folder, repository.git_dir()));
    Ok((!other).then_some(repository))
}

fn is_partial(index: &Path) -> bool {
    index.file_name().is_some_and(|name| name.to_string_lossy().starts_with("next-index-"))
}

fn same(one: &Path, other: &Path) -> bool {
    matches!((one.canonicalize(), other.canonicalize()), (Ok(one), Ok(other)) if one == other)
}
