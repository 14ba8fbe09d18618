//! `meow learning-report`: what the last days taught, what predictions missed, what is noteworthy, and health.

use std::path::PathBuf;

use super::insights::found;
use super::page::Delivery;
use super::{Context, learnt};
use crate::error::Result;
use crate::learn;
use crate::report;

/// Show what the last days taught: what is newly known, time lost, predictions missed, insights, rhythm and health
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
    #[command(flatten)]
    delivery: Delivery,
}

/// Prints the page.
///
/// # Errors
/// There is no repository, or git or the output fails.
pub fn run(args: &Args, context: &Context) -> Result<u8> {
    let (history, found) = found(&args.paths, context)?;
    let knowledge = if args.paths.is_empty() {
        learnt::knowledge(&history, false, &context.project()?, context)
    } else {
        learn::learn(learn::State::default(), &history).1
    };
    let health = learn::health(&history, &knowledge);
    let now = context.settings.clock.now();
    let before = history.clone().until(report::learning::begins_ms(now, args.days));
    let (_, before) = learn::learn(learn::State::default(), &before);
    let learnt = learn::news::news(&before, &knowledge);
    let page = report::learning_report(history, &found, health, learnt, now, args.days);
    args.delivery.put(&page, &page.document(), context)?;
    Ok(0)
}
