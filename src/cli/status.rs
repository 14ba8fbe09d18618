//! `meow status`: where things stand, or one execution step by step.

pub mod watch;

use std::collections::BTreeSet;

use super::Context;
use super::history;
use super::kept::Asked;
use super::page::{self, Format};
use super::seal;
use crate::error::{Error, Result};
use crate::report::{self, executions::Open};
use crate::store::journal::{JournalContent, State};
use crate::store::spool::Spool;

/// Show where things stand, or one execution step by step
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  meow status\n  meow status 3fa9      # the execution whose id starts so\n  meow status --watch   # from another terminal: what runs, and how long still"
)]
pub struct Args {
    /// The start of an execution's id
    #[arg(value_name = "EXECUTION")]
    execution: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Show what runs now, also in other terminals, until it has ended
    #[arg(short, long, conflicts_with = "json")]
    watch: bool,
}

/// Prints the page.
///
/// # Errors
/// There is no repository or no such execution, or git, the spool or the output fails.
pub fn run(args: &Args, context: &Context) -> Result<u8> {
    if args.watch {
        let repository = context.project()?.repository.ok_or_else(|| Error::request("this is no git repository"))?;
        return watch::watch(&repository, args.execution.as_deref(), context);
    }
    let looked = history::look(&[], context)?;
    let format = if args.json { Format::Json } else { Format::Text };
    let repository = context.project()?.repository.ok_or_else(|| Error::git("the repository is gone"))?;
    let private = repository.private_dir();
    if let Some(prefix) = &args.execution {
        let history = history::read(looked, context);
        let place = report::find(&history, prefix)?;
        let logs = private.join("logs").join(history.executions.id[place].to_string());
        let logs = logs.is_dir().then(|| logs.display().to_string());
        let single = report::single(&history, place, logs);
        page::show(&single, &single.document(), format, context)?;
        return Ok(0);
    }
    let (mut running, mut interrupted, mut waiting) = (Vec::new(), Vec::new(), 0);
    let spool = Spool::new(&private);
    let heads = repository.keepers()?;
    let committed =
        spool.sealed_executions(&|place| heads.iter().any(|head| seal::holds(&repository, *head, place)))?;
    let mut resumed = BTreeSet::new();
    for spooled in spool.list()?.into_iter().filter(|spooled| !committed.contains(&spooled.execution)) {
        // A journal that cannot be read was warned about by the history.
        let Ok(journal) = spooled.read() else { continue };
        resumed.extend(journal.execution.resumes.map(|id| id.to_string()));
        match journal.state {
            State::Running => running.push(open(&journal)),
            State::Interrupted => interrupted.push(open(&journal)),
            State::Finished => waiting += 1,
        }
    }
    interrupted.retain(|one| !resumed.contains(&one.id));
    let rest = (args.json, &running, &interrupted, waiting);
    let asked = Asked::new(Some(&private), "status", looked.mark(), &rest, context);
    if let Some(page) = asked.as_ref().and_then(|asked| asked.again(context)) {
        page::deliver(&page, None, context)?;
        return Ok(0);
    }
    let history = history::read(looked, context);
    let status = report::status(&history, running, interrupted, waiting);
    let page = page::form(&status, &status.document(), format, context);
    page::deliver(&page, None, context)?;
    if let Some(asked) = asked.filter(|_| history::is_whole(&history)) {
        asked.keep(&page, i64::MAX, context);
    }
    Ok(0)
}

fn open(journal: &JournalContent) -> Open {
    Open {
        id: journal.execution.id.to_string(),
        workflow: journal.execution.workflow.clone(),
        started_at: journal.execution.started_at,
        attempts: journal.attempts.iter().filter(|attempt| attempt.duration_ms.is_some()).count() as u64,
    }
}
