//! `meow store`: what the memory costs, whether it is whole, and how old parts leave the branch.

mod prune;
mod size;
mod verify;

use clap::Subcommand;

use super::Context;
use crate::error::Result;

/// Measure, check or prune what is recorded
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  meow store size\n  meow store verify\n  meow store prune --before 2026-01-01")]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Prune(prune::Args),
    Size(size::Args),
    Verify(verify::Args),
}

/// Does what was asked for.
///
/// # Errors
/// There is no repository, git or the store cannot be read, or the output fails.
pub fn run(args: &Args, context: &Context) -> Result<u8> {
    match &args.action {
        Action::Prune(args) => prune::run(args, context),
        Action::Size(args) => size::run(args, context),
        Action::Verify(args) => verify::run(args, context),
    }
}
