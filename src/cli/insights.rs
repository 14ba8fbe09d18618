//! `meow insights`: what is noteworthy, dated, with its proof and how sure it is.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::builder::PossibleValuesParser;

use super::history::history;
use super::page::{Delivery, Since};
use super::{Context, workflows};
use crate::error::Result;
use crate::learn::insight::NAMES;
use crate::learn::{self, Insight};
use crate::report::{self, Extent};
use crate::scan::History;
use crate::workflow::Workflow;

/// Show what is noteworthy: anomalies, changes, habits that cost and habits that pay
///
/// Patterns and anomalies are told only where they survive a test; over all tests of a page at most one in fifty of what
/// is told is wrong. Changes are told where a history without any would show one in at most one of twenty cases. What costs
/// or saves most time a week stands first; JSON holds everything.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  meow insights\n  meow insights --since 7d --type anomaly\n  \
    meow insights ~/src --format html -o insights.html")]
pub struct Args {
    /// Repositories, or folders to search for them
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Only insights dated from then on: 30d, 12h, 2w or a date
    #[arg(long, value_name = "WHEN")]
    since: Option<Since>,
    /// Only insights of this kind or name
    #[arg(long = "type", value_name = "TYPE", value_parser = PossibleValuesParser::new(NAMES))]
    only: Option<String>,
    /// Show all of them, not only those worth most
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    delivery: Delivery,
}

/// Prints the page.
///
/// # Errors
/// There is no repository, or git or the output fails.
pub fn run(args: &Args, context: &Context) -> Result<u8> {
    let (history, found) = found(&args.paths, context)?;
    let since = args.since.map(|since| since.start_ms(context));
    let page = report::insights(&found, history.executions.len(), args.only.as_deref(), since);
    let extent = if args.all { Extent::All } else { Extent::Top };
    args.delivery.put(&page, &page.document(extent), context)?;
    Ok(0)
}

/// Returns the history of the repositories at or below `paths`, or of this project, and what is noteworthy about it.
///
/// # Errors
/// There is no repository, or git fails.
pub(super) fn found(paths: &[PathBuf], context: &Context) -> Result<(History, Vec<Insight>)> {
    let history = history(paths, context)?;
    let declared = if paths.is_empty() { declared(context)? } else { BTreeMap::new() };
    let found = learn::insights(&history, &learn::trends(&history), &declared);
    Ok((history, found))
}

/// Returns what this project's workflow files declare, by the name under which executions are recorded. Files that are
/// wrong, or whose variables have no values, declare nothing.
pub(super) fn declared(context: &Context) -> Result<BTreeMap<String, Workflow>> {
    let project = context.project()?;
    let files = workflows::list(&project)?;
    let known = files.iter().filter_map(|found| workflows::load(&project, &found.name, &BTreeMap::new()).ok());
    Ok(known.map(|workflow| (workflow.name.clone(), workflow)).collect())
}
