//! Drives a plan with real processes and tells what happens as a stream of events.
#![expect(clippy::disallowed_methods, reason = "this room starts processes and writes their logs")]

mod cgroup;
mod command;
mod drive;
pub mod event;
mod files;
mod foreground;
mod launch;
mod leash;
mod ledger;
mod limits;
pub mod log;
mod metrics;
mod outlet;
mod process;
pub mod sandbox;
mod spawn;
pub mod stop;
pub mod survivors;
mod tree;

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

pub use cgroup::Groups;
pub use event::{BUG, Ending, Event, ExecutionOutcome, Resource, Usage};
pub use foreground::{Around, foreground};
pub use ledger::Shared;
pub use sandbox::Sandbox;
pub use stop::Stop;

use crate::clock::Clock;
use crate::plan::Plan;
use crate::redact::cause::Fingerprint;
use crate::workflow::{self, Step};

/// How a plan is executed.
#[derive(Clone)]
pub struct Options {
    /// The execution's id, as steps see it in `MEOW_EXECUTION`.
    pub execution: String,
    /// The folder commands run in.
    pub directory: PathBuf,
    /// The variables that commands get, apart from a step's own.
    pub environment: Vec<(OsString, OsString)>,
    /// The folder for the output of the steps; made where it does not exist.
    pub logs: PathBuf,
    /// Whether steps that do not depend on a failed one still start.
    pub keep_going: bool,
    /// Whether a failed execution takes back what had passed, by the steps' `undo` commands.
    pub undo: bool,
    /// What a stopped step gets to end by itself.
    pub grace: Duration,
    /// The sandbox for steps that want one; without one those that require it are not started.
    pub sandbox: Option<Sandbox>,
    /// The least that holds for every step.
    pub sandbox_floor: workflow::Sandbox,
    /// Control groups for steps with declared limits; without them a watchdog looks after these.
    pub groups: Option<Arc<Groups>>,
    /// The machine as executions share it; without it this one goes by itself.
    pub shared: Option<Shared>,
    /// Takes the hash of what a step reads; without it nothing is known of that.
    pub inputs: Option<Inputs>,
    /// Recognises failures; without it nothing is known of them but how they ended.
    pub recognise: Option<Recognise>,
    /// Asks a person whether a manual step is done; without it a manual step fails.
    pub ask: Option<Ask>,
}

/// Asks a person about a manual step; called on a thread of its own.
pub type Ask = Arc<dyn Fn(&Step) -> bool + Send + Sync>;

/// Returns the hash of the files that a step's declared inputs name; called on the thread of its slot before it starts.
pub type Inputs = Arc<dyn Fn(&Step) -> Option<[u8; 12]> + Send + Sync>;

/// Recognises a failure by its step, how it ended and the end of what it said; called on the thread of its slot.
pub type Recognise = Arc<dyn Fn(&Step, &Ending, &[u8]) -> Option<Fingerprint> + Send + Sync>;

/// Hears what happened since it was last called.
pub type Listener<'a> = &'a mut (dyn FnMut(&[Event]) + Send);

/// Who hears what happens.
pub struct Listeners<'a> {
    /// Hears it first: no process starts before its start was heard here.
    pub keep: Listener<'a>,
    /// Hears it once there is time.
    pub show: Listener<'a>,
}

impl std::fmt::Debug for Listeners<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Listeners").finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options")
            .field("execution", &self.execution)
            .field("directory", &self.directory)
            .finish_non_exhaustive()
    }
}

/// Executes a plan to its end and tells `listeners` what happens, in order and on whatever thread has time; a failed step
/// is an event, never an error.
pub fn execute(plan: &Plan, options: &Options, clock: &Clock, stop: &Stop, listeners: Listeners) -> ExecutionOutcome {
    let Listeners { keep, show } = listeners;
    let (drive, wakes) = drive::Drive::new(plan, options, clock, stop, Listeners { keep, show });
    drive.drive(&wakes)
}
