//! `meow hooks`: the pre-commit hook put in, taken out, shown.

use clap::Subcommand;

use super::Context;
use crate::error::{Error, Result};
use crate::git::{HookState, Repository};

/// What was typed behind `meow hooks`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  meow hooks install      # from now on every commit carries the records of its executions\n  meow hooks status\n  meow hooks uninstall"
)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Put in the hook; one that is there already is called first
    Install,
    /// Take out the hook, and put back what was there before
    Uninstall,
    /// Say whether the hook is in, and where
    Status,
}

/// Does what was asked with the hook.
///
/// # Errors
/// There is no repository, or its folder of hooks cannot be read or written.
pub fn run(args: &Args, context: &Context) -> Result<u8> {
    let repository = repository(context)?;
    match args.action {
        Action::Install => install(&repository, context)?,
        Action::Uninstall => {
            let path = repository.hook_state()?.path;
            let done = repository.uninstall_hook()?;
            let words = if done { "taken out; the folder is as it was before" } else { "there was no hook of meow's" };
            context.terminal.result(&format!("{}: {words}", path.display()))?;
        }
        Action::Status => context.terminal.result(&sentence(&repository.hook_state()?))?,
    }
    Ok(0)
}

/// Puts in the hook and says so.
///
/// # Errors
/// The folder of hooks cannot be written, or its hook cannot be chained.
pub fn install(repository: &Repository, context: &Context) -> Result<()> {
    let state = repository.install_hook()?;
    if state.elsewhere {
        context.terminal.say("core.hooksPath names this folder; other repositories that share it get the hook too");
    }
    context.terminal.result(&sentence(&state))
}

fn repository(context: &Context) -> Result<Repository> {
    context.project()?.repository.ok_or_else(|| {
        Error::request(format!("{} is in no git repository", context.settings.directory.display()))
            .hint("`git init` makes one")
    })
}

fn sentence(state: &HookState) -> String {
    let words = match (state.installed, state.other) {
        (true, true) => "installed; calls the hook that was there before",
        (true, false) => "installed",
        (false, true) => "not installed; another hook is there, which meow would call first",
        (false, false) => "not installed",
    };
    format!("{}: {words}", state.path.display())
}
