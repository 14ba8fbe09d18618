//! `meow fetch`: the refs of other writers from a remote, so that reading and folding see them.

use super::{Context, push};
use crate::error::Result;
use crate::git::Repository;
use crate::git::refs::WRITERS;
use crate::git::writers::reference_of;
use crate::report::format::count;
use crate::store::spool::Spool;

/// Get what other clones have pushed with `meow push`
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  meow fetch && meow report --base main")]
pub struct Args {
    /// The remote, by name or address [default: origin, or the only one]
    #[arg(value_name = "REMOTE")]
    remote: Option<String>,
}

/// Fetches writers' refs.
///
/// # Errors
/// There is no repository or no remote, or the remote cannot be reached.
pub fn run(args: &Args, context: &Context) -> Result<u8> {
    let repository = push::repository(context)?;
    let remote = args.remote.clone().map_or_else(|| repository.default_remote(), Ok)?;
    repository.sweep_remotes();
    let before = repository.writers()?;
    fetch(&repository, &remote, context)?;
    let after = repository.writers()?;
    let new = after.iter().filter(|tip| !before.contains(tip)).count();
    let all = count(after.len() as u64, "writer");
    context.terminal.result(&format!("{all} here, {new} with something new from {remote}"))?;
    Ok(0)
}

/// Fetches the refs of all writers but this clone's own, which may hold more than the remote's.
pub(super) fn fetch(repository: &Repository, remote: &str, context: &Context) -> Result<()> {
    let own = reference_of(&Spool::new(&repository.private_dir()).writer(&context.settings.clock)?)?;
    let refspecs = [format!("+{WRITERS}*:{WRITERS}*"), format!("^{own}")];
    repository.fetch(remote, &refspecs, false, context.settings.watched)
}
