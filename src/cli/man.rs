//! `meow man`: a manual page for every command, from the same declarations as the help.

use std::path::PathBuf;

use super::Context;
use crate::error::{Error, Result};

/// Write manual pages into a folder
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  meow man ~/.local/share/man/man1    # then: man meow-execute, git meow --help
  meow man target/man")]
pub struct Args {
    /// The folder; it is made where it is absent
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

/// What `git meow --help` opens.
const GIT_MEOW: &str = ".so man1/meow.1\n";

/// Writes the pages.
///
/// # Errors
/// The folder cannot be written.
pub fn run(args: &Args, context: &Context) -> Result<u8> {
    let folder = context.settings.directory.join(&args.folder);
    let wrong = |error: std::io::Error| Error::store(format!("{} cannot be written", folder.display())).cause(error);
    std::fs::create_dir_all(&folder).map_err(wrong)?;
    clap_mangen::generate_to(super::command(), &folder).map_err(wrong)?;
    std::fs::write(folder.join("git-meow.1"), GIT_MEOW).map_err(wrong)?;
    context.terminal.say(&format!("wrote the pages to {}", folder.display()));
    Ok(0)
}
