//! An execution into its journal, off the path of the steps; trouble is one warning and never changes an outcome.

use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::cli::machine::Machine;
use crate::cli::{Context, identity, stamp};
use crate::clock::Clock;
use crate::error::{Error, Kind, Result};
use crate::execute::Event;
use crate::git::Repository;
use crate::plan::Plan;
use crate::record::{Execution, ExecutionId, Fact, Outcome, Outline, Recorder};
use crate::store::journal::Journal;
use crate::store::spool::Spool;
use crate::workflow::Workflow;

/// The longest time between an attempt's end and the moment its facts are safe from a power cut.
const SYNC: Duration = Duration::from_millis(500);

/// Which execution it is, and why.
pub(super) struct Request<'a> {
    pub id: ExecutionId,
    pub trigger: &'a str,
    pub resumes: Option<ExecutionId>,
    pub keep_going: bool,
}

/// Remembers one execution.
pub(super) struct Recording {
    recorder: Recorder,
    facts: Sender<Fact>,
    writer: JoinHandle<Result<Journal>>,
}

impl Recording {
    /// Opens the journal; where that is impossible, says so once and remembers nothing.
    pub(super) fn start(
        repository: &Repository,
        workflow: &Workflow,
        plan: &Plan,
        request: &Request,
        context: &Context,
    ) -> Option<Self> {
        let now = context.settings.clock.now();
        let started_at = stamp::execution(now, repository, &context.settings).unwrap_or_else(|error| {
            context.terminal.warn(&format!("the time is not kept: {error}"));
            jiff::Timestamp::UNIX_EPOCH
        });
        let execution = Execution {
            id: request.id,
            workflow: workflow.name.clone(),
            started_at,
            duration_ms: None,
            outcome: Outcome::Cancelled,
            trigger: request.trigger.to_owned(),
            machine: Some(Machine::here().class()),
            slots: Some(plan.slots),
            variables: workflow.recorded_variables.clone(),
            source: identity::source(repository, context),
            resumes: request.resumes,
        };
        let (facts, received) = mpsc::channel();
        let outline = Outline::of(plan, request.keep_going);
        let started = Spool::new(&repository.private_dir()).create(&repository.worktree(), &execution);
        let started = started.and_then(|journal| {
            let writer = std::thread::Builder::new().name("journal".to_owned());
            writer
                .spawn(move || {
                    journal.planned(&outline)?;
                    write(journal, &received)
                })
                .map_err(|error| Error::store("the journal has no thread").cause(error))
        });
        match started {
            Ok(writer) => {
                Some(Self { recorder: Recorder::new(execution, plan, &identity::filled(context)), facts, writer })
            }
            Err(error) => {
                context.terminal.warn(&format!("this execution will not be remembered: {error}"));
                None
            }
        }
    }

    /// Takes an event; never waits for the disk.
    pub(super) fn see(&mut self, event: &Event) {
        if let Some(fact) = self.recorder.take(event) {
            // The writer is gone where the journal cannot be written; its error comes at the end.
            let _ = self.facts.send(fact);
        }
    }

    /// Closes the journal and waits until all of it is on the disk.
    pub(super) fn end(self, context: &Context) {
        drop(self.facts);
        let written = match self.writer.join() {
            Ok(written) => written,
            Err(_) => Err(Error::new(Kind::Bug, "the journal's thread panicked")),
        };
        if let Err(error) = written.and_then(|journal| journal.close(self.recorder.execution())) {
            context.terminal.warn(&format!("this execution is not remembered as a whole: {error}"));
        }
    }
}

/// Appends facts until there are no more to come, and syncs them in groups.
fn write(journal: Journal, facts: &Receiver<Fact>) -> Result<Journal> {
    while let Ok(fact) = facts.recv() {
        append(&journal, &fact)?;
        // Whatever comes within the span shares the sync at its end.
        let since = Clock::system();
        loop {
            match facts.recv_timeout(SYNC.saturating_sub(since.elapsed())) {
                Ok(fact) => append(&journal, &fact)?,
                Err(RecvTimeoutError::Timeout) => break,
                // Closing syncs.
                Err(RecvTimeoutError::Disconnected) => return Ok(journal),
            }
        }
        journal.sync()?;
    }
    Ok(journal)
}

fn append(journal: &Journal, fact: &Fact) -> Result<()> {
    match fact {
        Fact::Started(attempt) => journal.started(attempt),
        Fact::Finished(attempt) => journal.append(attempt),
        Fact::Undone { step, attempt, outcome } => journal.undone(step, *attempt, *outcome),
    }
}
