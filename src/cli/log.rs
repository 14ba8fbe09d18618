//! `meow log`: executions, newest first.

use super::Context;
use super::history::history;
use super::page::{self, Format};
use crate::error::Result;
use crate::report;

/// Show executions, newest first
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  meow log -n 5 --workflow ci")]
pub struct Args {
    /// How many at most
    #[arg(short, long, value_name = "N", default_value_t = 20)]
    number: usize,
    /// Only of this workflow
    #[arg(short, long, value_name = "NAME")]
    workflow: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Prints the page.
///
/// # Errors
/// There is no repository, or git or the output fails.
pub fn run(args: &Args, context: &Context) -> Result<u8> {
    let history = history(&[], context)?;
    let log = report::log(&history, args.number, args.workflow.as_deref());
    let format = if args.json { Format::Json } else { Format::Text };
    page::show(&log, &log.document(), format, context)?;
    Ok(0)
}
