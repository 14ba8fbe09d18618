//! `meow analyze`: what is known of every workflow and step, and what changed.

use super::history::{history, normed};
use super::insights::declared;
use super::page::{self, Format, Since};
use super::{Context, learnt};
use crate::error::{Error, Result};
use crate::learn::insight::slot_uses;
use crate::learn::{self, causes};
use crate::report;
use crate::scan;

/// Show what is known of every workflow and step
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  meow analyze --workflow ci --since 30d")]
pub struct Args {
    /// Only this workflow
    #[arg(short, long, value_name = "NAME")]
    workflow: Option<String>,
    /// Only executions from then on: 30d, 12h, 2w or a date
    #[arg(long, value_name = "WHEN")]
    since: Option<Since>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Prints the page.
///
/// # Errors
/// There is no repository or no such workflow, or git or the output fails.
pub fn run(args: &Args, context: &Context) -> Result<u8> {
    let project = context.project()?;
    let found = normed(history(&[], context)?, &project, context);
    let mut history = match args.since {
        Some(since) => since.cut(found, context),
        None => found,
    };
    let knowledge = if args.since.is_none() {
        learnt::knowledge(&history, true, &project, context)
    } else {
        learn::learn(learn::State::default(), &history).1
    };
    let mut trends = learn::trends(&history);
    if let Some(repository) = project.repository {
        history.changes = scan::changes::changes(&repository, &causes::ranges(&trends));
        causes::explain(&mut trends, &history.changes);
    }
    let slots = slot_uses(&history, &declared(context)?);
    let analysis = report::analysis(knowledge, args.workflow.as_deref())
        .with_slots(slots)
        .with_sizes(learn::by_size(&history))
        .with_changes(trends);
    if let (Some(workflow), true) = (&args.workflow, analysis.workflows.is_empty()) {
        return Err(Error::request(format!("no execution of workflow `{}` is recorded", workflow.escape_debug()))
            .hint("`meow log` shows what is"));
    }
    let format = if args.json { Format::Json } else { Format::Text };
    page::show(&analysis, &analysis.document(), format, context)?;
    Ok(0)
}
