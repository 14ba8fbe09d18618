//! The hook that was there before meow's: run as git would, timed, and recorded as `hook/<event>`.

use std::collections::BTreeMap;

use super::{Args, NOT_STARTED, here};
use crate::cli::machine::Machine;
use crate::cli::{Context, identity, record, stamp};
use crate::error::Result;
use crate::execute::{Around, foreground};
use crate::record::{Attempt, Execution, ExecutionId, Source};
use crate::store::spool::Spool;

/// The shell's words for a program that does not start; the script takes them for meow's own.
const TAKEN: [u8; 2] = [126, NOT_STARTED];

/// Runs the hook that was there before, if there is one; returns its exit code.
pub(super) fn run(args: &Args, context: &Context) -> u8 {
    if args.before.is_empty() {
        return 0;
    }
    let clock = &context.settings.clock;
    let (started_at, before) = (clock.now(), clock.elapsed());
    let ran = foreground(&args.before, &context.settings.directory, Around::default());
    let duration_ms = clock.elapsed().saturating_sub(before).as_secs_f64() * 1e3;
    let (ending, usage) = match ran {
        Ok(ended) => ended,
        Err(error) => {
            context.terminal.warn(&format!("the hook that was there before cannot be started: {error}"));
            return 1;
        }
    };
    if context.settings.enabled && context.settings.record {
        let attempt = Attempt::new(args.event.clone(), 1);
        let attempt = record::finished(attempt, &ending, usage, duration_ms);
        if let Err(error) = remember(args, context, &attempt, started_at) {
            context.terminal.warn(&format!("the time of the {} hook is not remembered: {error}", args.event));
        }
    }
    match record::code(&ending) {
        code if TAKEN.contains(&code) => 1,
        code => code,
    }
}

fn remember(args: &Args, context: &Context, attempt: &Attempt, started_at: jiff::Timestamp) -> Result<()> {
    let Some(repository) = here(context)? else { return Ok(()) };
    let (_, branch) = identity::place(&repository, &context.settings);
    let execution = Execution {
        id: ExecutionId::from_bytes(context.settings.clock.random()?),
        workflow: format!("hook/{}", args.event),
        started_at: stamp::execution(started_at, &repository, &context.settings)?,
        duration_ms: attempt.duration_ms,
        outcome: attempt.outcome,
        trigger: format!("hook:{}", args.event),
        machine: Some(Machine::here().class()),
        slots: None,
        variables: BTreeMap::new(),
        source: Source { branch, ..Source::default() },
        resumes: None,
    };
    let journal = Spool::new(&repository.private_dir()).create(&repository.worktree(), &execution)?;
    journal.append(attempt)?;
    journal.close(&execution)
}
