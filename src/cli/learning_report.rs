//! `meow learning-report`: what the last days taught, what predictions missed, what is noteworthy, and health.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::history::history;
use super::page::{self, Format};
use super::{Context, insights};
use crate::error::Result;
use crate::learn;
use crate::report;

/// Show what the last days taught: time lost, predictions missed, insights, rhythm and health
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  meow learning-report\n  meow learning-report --days 30 --format html -o learning.html"
)]
pub struct Args {
    /// Repositories, or folders to search for them
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// The days before now that it covers
    #[arg(long, value_name = "N", default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=366))]
    days: u32,
    /// The form of the page
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// The same as --format json
    #[arg(long)]
    json: bool,
    /// Write the page to this file instead of printing it
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Prints the page.
///
/// # Errors
/// There is no repository, or git or the output fails.
pub fn run(args: &Args, context: &Context) -> Result<u8> {
    let history = history(&args.paths, context)?;
    let declared = if args.paths.is_empty() { insights::declared(context)? } else { BTreeMap::new() };
    let found = learn::insights(&history, &learn::trends(&history), &declared);
    let (_, knowledge) = learn::learn(learn::State::default(), &history);
    let health = learn::health(&history, &knowledge);
    let page = report::learning_report(history, &found, health, context.settings.clock.now(), args.days);
    let format = if args.json { Format::Json } else { args.format };
    page::deliver(&page::form(&page, &page.document(), format), args.output.as_deref(), context)?;
    Ok(0)
}
