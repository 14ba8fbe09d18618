//! An execution into its journal, off the path of the steps; trouble is one warning and never changes an outcome.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use super::looking::Looking;
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

/// When the journal's name is brought to the disk: an execution that has ended by then does that while it brings the rest.
const NAMED: Duration = Duration::from_millis(20);

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
    journal: Arc<Journal>,
    /// What kept the journal from being written; nothing is appended after it.
    trouble: Option<Error>,
    sync: Arc<Sync>,
    syncer: JoinHandle<Result<()>>,
}

/// What the thread that syncs has to know.
#[derive(Default)]
struct Sync {
    /// Whether something was appended that is not on the disk yet.
    due: AtomicBool,
    over: AtomicBool,
}

impl Sync {
    /// Lets its thread rest for a time, or until the execution is over.
    fn rest(&self, time: Duration) {
        let since = Clock::system();
        while since.elapsed() < time && !self.over.load(Ordering::SeqCst) {
            std::thread::park_timeout(time.saturating_sub(since.elapsed()));
        }
    }
}

impl Recording {
    /// Opens the journal; where that is impossible, says so once and remembers nothing.
    pub(super) fn start(
        repository: &Repository,
        state: Looking,
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
            source: identity::described(repository, state.seen(repository), context),
            resumes: request.resumes,
        };
        let sync = Arc::new(Sync::default());
        let outline = Outline::of(plan, request.keep_going);
        let started = Spool::new(&repository.private_dir()).create(&repository.worktree(), &execution);
        let started = started.and_then(|journal| {
            let journal = Arc::new(journal);
            let (shared, sync) = (Arc::clone(&journal), Arc::clone(&sync));
            let thread = std::thread::Builder::new().name("journal".to_owned()).stack_size(128 * 1024);
            let thread = thread.spawn(move || {
                shared.planned(&outline)?;
                in_groups(&shared, &sync)
            });
            Ok((journal, thread.map_err(|error| Error::store("the journal has no thread").cause(error))?))
        });
        match started {
            Ok((journal, syncer)) => {
                let recorder = Recorder::new(execution, plan, &identity::filled(context));
                Some(Self { recorder, journal, trouble: None, sync, syncer })
            }
            Err(error) => {
                context.terminal.warn(&format!("this execution will not be remembered: {error}"));
                None
            }
        }
    }

    /// Takes what happened; never waits for the disk.
    pub(super) fn see(&mut self, events: &[Event]) {
        if self.trouble.is_some() {
            return;
        }
        let facts: Vec<Fact> = events.iter().filter_map(|event| self.recorder.take(event)).collect();
        if facts.is_empty() {
            return;
        }
        self.trouble = self.journal.append_all(&facts).err();
        if !self.sync.due.swap(true, Ordering::SeqCst) {
            self.syncer.thread().unpark();
        }
    }

    /// Closes the journal and waits until all of it is on the disk.
    pub(super) fn end(self, context: &Context) {
        self.sync.over.store(true, Ordering::SeqCst);
        self.syncer.thread().unpark();
        let Self { recorder, journal, trouble, syncer, .. } = self;
        let join = |syncer: JoinHandle<Result<()>>| match syncer.join() {
            Ok(synced) => synced,
            Err(_) => Err(Error::new(Kind::Bug, "the journal's thread panicked")),
        };
        let close = || journal.close(recorder.execution());
        // What the thread is about to sync, or syncs just now, the disk takes together with the closing row.
        let written = match trouble {
            Some(trouble) => Err(trouble),
            None if syncer.is_finished() => join(syncer).and_then(|()| close()),
            None => close().and(join(syncer)),
        };
        if let Err(error) = written {
            context.terminal.warn(&format!("this execution is not remembered as a whole: {error}"));
        }
    }
}

/// Brings what is appended to the disk in groups, so that no step waits for it.
fn in_groups(journal: &Journal, sync: &Sync) -> Result<()> {
    sync.rest(NAMED);
    journal.sync_name()?;
    while !sync.over.load(Ordering::SeqCst) {
        if !sync.due.load(Ordering::SeqCst) {
            std::thread::park();
            continue;
        }
        // Whatever comes within the span shares the sync at its end.
        sync.rest(SYNC);
        if !sync.over.load(Ordering::SeqCst) {
            sync.due.store(false, Ordering::SeqCst);
            journal.sync()?;
        }
    }
    // Closing syncs the rest.
    Ok(())
}
