//! `meow hook pre-commit`, which the installed hook calls: seals records into the commit being made, and never fails it.

use std::path::Path;

use clap::Subcommand;

use super::{Context, seal};
use crate::error::Result;
use crate::git::Repository;

/// What the hook script asked for.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    event: Event,
}

#[derive(Debug, Subcommand)]
enum Event {
    /// A commit is being made
    PreCommit,
}

/// Does what belongs to the event; trouble is one warning, never an exit code.
///
/// # Errors
/// Never; the signature is that of every command.
pub fn run(args: &Args, context: &Context) -> Result<u8> {
    if context.settings.enabled {
        let Event::PreCommit = args.event;
        match pre_commit(context) {
            Ok(None) => {}
            Ok(Some(trouble)) => context.terminal.warn(&trouble),
            Err(error) => context.terminal.warn(&format!("the records wait for another commit: {error}")),
        }
    }
    Ok(0)
}

/// Seals into the commit being made; returns what a person should know.
fn pre_commit(context: &Context) -> Result<Option<String>> {
    let settings = &context.settings;
    // `git commit <path>` works on an index of its own, which must hold what was named and nothing else.
    if settings.git_index.as_deref().is_some_and(is_partial) {
        return Ok(None);
    }
    let Some(repository) = Repository::discover(&settings.directory)? else { return Ok(None) };
    if settings.git_dir.as_deref().is_some_and(|folder| !same(folder, repository.git_dir())) {
        return Ok(None);
    }
    let waiting = seal::seal(&repository, settings)?;
    let index = settings.git_index.as_deref();
    let mut missing = Vec::new();
    for (path, blob) in waiting.files {
        if repository.blob_in_index(&path, index)? != blob {
            missing.push((path, blob));
        }
    }
    repository.put_in_index(&missing, index)?;
    Ok(waiting.troubles.first().map(|first| {
        let more = waiting.troubles.len() - 1;
        let more = if more == 0 { String::new() } else { format!(" (and {more} more)") };
        format!("a journal stays in the spool: {first}{more}")
    }))
}

fn is_partial(index: &Path) -> bool {
    index.file_name().is_some_and(|name| name.to_string_lossy().starts_with("next-index-"))
}

fn same(one: &Path, other: &Path) -> bool {
    matches!((one.canonicalize(), other.canonicalize()), (Ok(one), Ok(other)) if one == other)
}
