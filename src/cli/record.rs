//! `meow record`: one command, or what something else measured, remembered like a step of a workflow.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;

use clap::ValueEnum;
use clap::builder::NonEmptyStringValueParser;
use jiff::{SignedDuration, Timestamp};

use super::machine::Machine;
use super::{Context, identity, stamp};
use crate::error::{Error, Result};
use crate::execute::{Around, Ending, Usage, foreground};
use crate::git::Repository;
use crate::record::{Attempt, Execution, ExecutionId, Outcome, Source};
use crate::store::journal::Journal;
use crate::store::spool::Spool;

/// What was typed behind `meow record`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  meow record -- cargo build\n  meow record --metric bytes=4096 -- ./pack.sh\n  meow record --name deploy --duration 1m12s --outcome passed\n\n\
        The exit code is the command's own, 128 + n when signal n ended it, 127 when it is not found."
)]
pub struct Args {
    /// The workflow it counts to
    #[arg(long, value_name = "NAME", default_value = "record", value_parser = NonEmptyStringValueParser::new())]
    workflow: String,
    /// The step it is [default: the program's name]
    #[arg(long, value_name = "NAME", required_unless_present = "command", value_parser = NonEmptyStringValueParser::new())]
    name: Option<String>,
    /// How long it took, when something else measured it: 12s, 1m30s, 250ms
    #[arg(long, value_parser = duration, conflicts_with = "command", requires = "outcome")]
    duration: Option<f64>,
    /// How it ended, when something else measured it
    #[arg(long, value_enum, conflicts_with = "command", required_unless_present = "command")]
    outcome: Option<Ended>,
    /// A number to keep with it; may be repeated
    #[arg(long = "metric", value_name = "NAME=NUMBER", value_parser = metric)]
    metrics: Vec<(String, f64)>,
    /// The command to run
    #[arg(last = true, value_name = "CMD")]
    command: Vec<OsString>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Ended {
    Passed,
    Failed,
    Cancelled,
}

impl From<Ended> for Outcome {
    fn from(ended: Ended) -> Self {
        match ended {
            Ended::Passed => Self::Passed,
            Ended::Failed => Self::Failed,
            Ended::Cancelled => Self::Cancelled,
        }
    }
}

fn duration(text: &str) -> std::result::Result<f64, String> {
    let duration: SignedDuration = text.parse().map_err(|_| "a time such as 12s, 1m30s or 250ms is expected")?;
    if duration.is_negative() { Err("it is negative".to_owned()) } else { Ok(duration.as_secs_f64() * 1e3) }
}

fn metric(text: &str) -> std::result::Result<(String, f64), String> {
    let (name, value) = text.split_once('=').ok_or("it is not NAME=NUMBER")?;
    let value: f64 = value.parse().map_err(|_| format!("`{}` is no number", value.escape_debug()))?;
    if name.is_empty() || !value.is_finite() {
        return Err("a metric has a name and a finite number".to_owned());
    }
    Ok((name.to_owned(), value))
}

/// Runs and records a command, or records what was measured.
///
/// # Errors
/// The command cannot be started; or nothing was to be run, and the record cannot be written. Trouble with recording a
/// command only warns.
pub fn run(args: &Args, context: &Context) -> Result<u8> {
    if args.command.is_empty() { measured(args, context) } else { Ok(command(args, context)) }
}

fn measured(args: &Args, context: &Context) -> Result<u8> {
    let project = context.project()?;
    let Some(repository) = &project.repository else {
        return Err(Error::request(format!("{} is in no git repository", project.root.display()))
            .hint("records are kept with the code: run `git init` first, or change to a repository"));
    };
    let outcome = args.outcome.map_or(Outcome::Cancelled, Outcome::from);
    let now = context.settings.clock.now();
    let took = args.duration.and_then(|duration| SignedDuration::try_from_secs_f64(duration / 1e3).ok());
    let began = took.and_then(|took| now.checked_sub(took).ok()).unwrap_or(now);
    let mut execution = execution(args, began, repository, context)?;
    (execution.duration_ms, execution.outcome) = (args.duration, outcome);
    let attempt = Attempt { duration_ms: args.duration, outcome, ..attempt(args) };
    let journal = open(repository, &execution)?;
    journal.append(&attempt)?;
    journal.close(&execution)?;
    context.terminal.say(&format!("recorded {} of {} as {}", attempt.step, args.workflow, outcome.word()));
    Ok(0)
}

fn command(args: &Args, context: &Context) -> u8 {
    let begun = begin(args, context).unwrap_or_else(|error| {
        context.terminal.warn(&format!("nothing is remembered: {error}"));
        None
    });
    let before = context.settings.clock.elapsed();
    let ran = foreground(&args.command, &context.settings.directory, Around::default());
    let duration_ms = context.settings.clock.elapsed().saturating_sub(before).as_secs_f64() * 1e3;
    let (ending, usage) = match &ran {
        Ok(ended) => ended.clone(),
        Err(error) => (Ending::NotStarted { reason: error.to_string() }, Usage::default()),
    };
    if let Some((execution, journal)) = begun {
        let attempt = ended(args, &ending, usage, duration_ms);
        let execution = Execution { duration_ms: Some(duration_ms), outcome: attempt.outcome, ..execution };
        if let Err(error) = journal.append(&attempt).and_then(|()| journal.close(&execution)) {
            context.terminal.warn(&format!("this execution is not remembered: {error}"));
        }
    }
    if let Err(error) = ran {
        let program = args.command[0].to_string_lossy().escape_debug().to_string();
        let is_absent = error.kind() == std::io::ErrorKind::NotFound;
        context.terminal.fail(&Error::request(format!("{program} cannot be started")).cause(error));
        return if is_absent { 127 } else { 126 };
    }
    code(&ending)
}

/// Returns the exit code that a shell would give.
pub(super) fn code(ending: &Ending) -> u8 {
    let code = match ending {
        Ending::Exited { code } => *code,
        Ending::Signaled { signal } => 128 + signal,
        Ending::TimedOut { .. } | Ending::OverLimit { .. } | Ending::Cancelled | Ending::NotStarted { .. } => 126,
    };
    u8::try_from(code).unwrap_or(1)
}

fn begin(args: &Args, context: &Context) -> Result<Option<(Execution, Journal)>> {
    let project = context.project()?;
    let Some(repository) = &project.repository else {
        context.terminal.warn("nothing is remembered: this is no git repository; `git init` makes it one");
        return Ok(None);
    };
    let execution = execution(args, context.settings.clock.now(), repository, context)?;
    let journal = open(repository, &execution)?;
    journal.started(&attempt(args))?;
    Ok(Some((execution, journal)))
}

fn open(repository: &Repository, execution: &Execution) -> Result<Journal> {
    Spool::new(&repository.private_dir()).create(&repository.worktree(), execution)
}

fn execution(args: &Args, began: Timestamp, repository: &Repository, context: &Context) -> Result<Execution> {
    let is_bare = repository.work_dir().is_none();
    Ok(Execution {
        id: ExecutionId::from_bytes(context.settings.clock.random()?),
        workflow: args.workflow.clone(),
        started_at: stamp::execution(began, repository, &context.settings)?,
        duration_ms: None,
        outcome: Outcome::Cancelled,
        trigger: "record".to_owned(),
        machine: Some(Machine::here().class()),
        slots: None,
        variables: BTreeMap::new(),
        source: if is_bare { Source::default() } else { identity::source(repository, context) },
        resumes: None,
    })
}

/// Returns the attempt as far as it is known at its start.
fn attempt(args: &Args) -> Attempt {
    let program = args.command.first().map(|program| Path::new(program).file_name().unwrap_or(program.as_os_str()));
    let name = program.map(|program| program.to_string_lossy().into_owned());
    Attempt {
        metrics: args.metrics.iter().cloned().collect(),
        ..Attempt::new(args.name.clone().or(name).unwrap_or_default(), 1)
    }
}

fn ended(args: &Args, ending: &Ending, usage: Usage, duration_ms: f64) -> Attempt {
    finished(attempt(args), ending, usage, duration_ms)
}

/// Returns an attempt with how it ended and what it used.
pub(super) fn finished(attempt: Attempt, ending: &Ending, usage: Usage, duration_ms: f64) -> Attempt {
    Attempt {
        duration_ms: Some(duration_ms),
        outcome: if ending.passed() { Outcome::Passed } else { Outcome::Failed },
        exit_code: if let Ending::Exited { code } = ending { Some(*code) } else { None },
        signal: if let Ending::Signaled { signal } = ending { Some(*signal) } else { None },
        user_ms: usage.user_ms,
        system_ms: usage.system_ms,
        peak_memory_bytes: usage.peak_memory_bytes,
        read_bytes: usage.read_bytes,
        written_bytes: usage.written_bytes,
        ..attempt
    }
}
