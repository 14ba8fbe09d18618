//! `meow completions`: what a shell needs to complete commands and flags, from the same declarations as the help.

use clap::ValueEnum;
use clap_complete::{Generator, Shell, generate};
use clap_complete_nushell::Nushell;

use super::Context;
use crate::error::Result;

/// Print completions for a shell
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  meow completions bash > ~/.local/share/bash-completion/completions/meow
  meow completions zsh > ~/.zfunc/_meow
  meow completions fish > ~/.config/fish/completions/meow.fish")]
pub struct Args {
    /// The shell
    #[arg(value_enum)]
    shell: Known,
}

/// The shells that are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Known {
    Bash,
    Elvish,
    Fish,
    Nushell,
    Powershell,
    Zsh,
}

/// Prints the completions.
///
/// # Errors
/// The output fails.
pub fn run(args: &Args, context: &Context) -> Result<u8> {
    let text = match args.shell {
        Known::Bash => completions(Shell::Bash),
        Known::Elvish => completions(Shell::Elvish),
        Known::Fish => completions(Shell::Fish),
        Known::Nushell => completions(Nushell),
        Known::Powershell => completions(Shell::PowerShell),
        Known::Zsh => completions(Shell::Zsh),
    };
    context.terminal.result(&text)?;
    Ok(0)
}

fn completions(shell: impl Generator) -> String {
    let mut bytes = Vec::new();
    generate(shell, &mut super::command(), "meow", &mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}
