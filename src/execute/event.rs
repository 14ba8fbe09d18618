//! What happens during an execution, as one stream with many listeners.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use crate::plan::Known;
use crate::redact::cause::Fingerprint;
use crate::workflow::StepId;

/// One thing that happened. Times are milliseconds since the execution began.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// The execution began.
    Started {
        /// The wall time.
        at: Timestamp,
    },
    /// An attempt's process runs.
    AttemptStarted {
        /// The step.
        step: StepId,
        /// 1 for the first try.
        attempt: u32,
        /// The slot, from 0.
        slot: u32,
        /// When everything it needs had passed; for a retry, when the wait before it was over.
        ready_ms: u64,
        /// When it started.
        started_ms: u64,
    },
    /// An attempt ended.
    AttemptFinished {
        /// The step.
        step: StepId,
        /// 1 for the first try.
        attempt: u32,
        /// The slot, from 0.
        slot: u32,
        /// When everything it needs had passed; for a retry, when the wait before it was over.
        ready_ms: u64,
        /// When it started.
        started_ms: u64,
        /// How long it ran.
        duration_ms: f64,
        /// How it ended.
        ending: Ending,
        /// What it used.
        usage: Usage,
        /// What its failure is recognised by, where it failed and that is known.
        error: Option<Fingerprint>,
        /// The numbers it wrote to `$MEOW_METRICS`, and meow's own about it, whose names start with `meow.`.
        metrics: BTreeMap<String, f64>,
        /// What its declared inputs were at its start, see [`super::Inputs`]; a keyed hash tells nobody else anything.
        #[serde(skip)]
        inputs: Option<[u8; 12]>,
    },
    /// An attempt that still runs has used three quarters of a declared time limit, or takes far longer than any that
    /// passed before.
    LimitNear {
        /// The step.
        step: StepId,
        /// 1 for the first try.
        attempt: u32,
        /// How long it has run.
        ran_ms: u64,
        /// When it will be stopped, if it will.
        limit_ms: Option<u64>,
    },
    /// A failed attempt will be tried again.
    RetryScheduled {
        /// The step.
        step: StepId,
        /// The number of the coming attempt.
        attempt: u32,
        /// The wait before it.
        wait_ms: u64,
        /// What history knows of the error, where that is why; else the step declares it.
        known: Option<Known>,
    },
    /// A step will not run.
    StepSkipped {
        /// The step.
        step: StepId,
        /// Why: its condition, a failed need, manual, not selected.
        reason: String,
    },
    /// The `undo` command of a step that had passed ended.
    StepUndone {
        /// The step.
        step: StepId,
        /// How long it ran.
        duration_ms: f64,
        /// How it ended.
        ending: Ending,
    },
    /// Something went wrong around the steps, such as a log that cannot be written.
    Warned {
        /// What.
        what: String,
    },
    /// The execution ended.
    Finished {
        /// How.
        outcome: ExecutionOutcome,
        /// Its wall time.
        duration_ms: f64,
    },
}

/// How an execution ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ExecutionOutcome {
    /// Every selected step passed or was left out on purpose.
    Passed,
    /// A step failed.
    Failed,
    /// A person or a signal stopped it.
    Cancelled,
}

/// Why an attempt did not come to an end of its own where meow itself failed.
pub const BUG: &str = "meow itself failed, which is a bug";

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "ending", rename_all = "kebab-case")]
pub enum Ending {
    /// It exited by itself; 0 is success.
    Exited {
        /// The exit code.
        code: i32,
    },
    /// A signal ended it.
    Signaled {
        /// The signal's number.
        signal: i32,
    },
    /// meow stopped it at its time limit.
    TimedOut {
        /// The limit.
        limit_ms: u64,
    },
    /// It was ended at a limit that its step declares.
    OverLimit {
        /// Of what.
        resource: Resource,
        /// The limit: bytes, milliseconds, or how many.
        limit: u64,
        /// What it held when it was found above the limit, where that is known.
        used: Option<u64>,
    },
    /// meow stopped it because the execution was stopped.
    Cancelled,
    /// It never started.
    NotStarted {
        /// Why.
        reason: String,
    },
}

/// What a step can declare a limit of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Resource {
    /// The memory of all its processes, in bytes.
    Memory,
    /// The processor time of one of its processes, in milliseconds.
    CpuTime,
    /// A file that it writes, in bytes.
    FileSize,
    /// Its processes and their threads.
    Processes,
}

impl Resource {
    /// Returns the metric under which the limit that was hit is recorded.
    pub const fn metric(self) -> &'static str {
        match self {
            Self::Memory => "meow.over.memory_bytes",
            Self::CpuTime => "meow.over.cpu_time_ms",
            Self::FileSize => "meow.over.file_bytes",
            Self::Processes => "meow.over.processes",
        }
    }
}

impl Ending {
    /// Returns whether the attempt did what it should.
    pub const fn passed(&self) -> bool {
        matches!(self, Self::Exited { code: 0 })
    }
}

/// What an attempt used; absent where the platform does not tell.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Usage {
    /// Processor time in user mode, with reaped children.
    pub user_ms: Option<u64>,
    /// Processor time in the kernel, with reaped children.
    pub system_ms: Option<u64>,
    /// Largest resident set of any of its processes, where that is above meow's own.
    pub peak_memory_bytes: Option<u64>,
    /// Bytes read, with reaped children.
    pub read_bytes: Option<u64>,
    /// Bytes written, with reaped children.
    pub written_bytes: Option<u64>,
}
