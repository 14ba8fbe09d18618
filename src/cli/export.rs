//! `meow export`: what is recorded, in the formats of other tools.

use std::fs;
use std::path::PathBuf;

use clap::Subcommand;

use super::history::history;
use super::{Context, output};
use crate::error::{Error, Result};
use crate::report::{self, format::count};

/// What was typed behind `meow export`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  meow export trace -o trace.json     # the last execution, for ui.perfetto.dev\n  meow export trace 3fa9 | gzip > trace.json.gz"
)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// One execution as a timeline for Perfetto or about:tracing: slots, waits, retries, the critical path
    Trace(TraceArgs),
}

#[derive(Debug, clap::Args)]
struct TraceArgs {
    /// The start of the execution's id [default: the last one that ended]
    #[arg(value_name = "EXECUTION")]
    execution: Option<String>,
    /// Write to this file instead of stdout
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Exports what was asked for.
///
/// # Errors
/// There is no repository or no such execution, or the file cannot be written.
pub fn run(args: &Args, context: &Context) -> Result<u8> {
    let What::Trace(args) = &args.what;
    let history = history(&[], context)?;
    let place = match &args.execution {
        Some(prefix) => report::find(&history, prefix)?,
        None => history.executions.len().checked_sub(1).ok_or_else(|| {
            Error::request("no execution is recorded here").hint("`meow execute` runs a workflow and remembers it")
        })?,
    };
    let trace = report::trace(&history, place);
    let text = report::json(&trace);
    let Some(file) = &args.output else { return context.terminal.result(&text).map(|()| 0) };
    let path = output::place(file, &context.settings)?;
    fs::write(&path, text).map_err(|error| {
        Error::request(format!("{} cannot be written", path.display())).cause(error).hint("name another file with -o")
    })?;
    let slices = trace.events.iter().filter(|event| event.ph == "X").count();
    let told = format!("{}: {}; ui.perfetto.dev opens it", path.display(), count(slices as u64, "attempt"));
    context.terminal.say(&told);
    Ok(0)
}
