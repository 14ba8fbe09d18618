//! The stored facts of executions and their attempts: the nouns that live for years, and how events become them.

pub mod columns;
pub mod digest;
pub mod grain;
pub mod outcome;
pub mod outline;
pub mod recorder;
pub mod resume;
pub mod value;

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use columns::Columns;
pub use digest::{Digest, ExecutionId, RecordId};
pub use outcome::Outcome;
pub use outline::Outline;
pub use recorder::{Fact, Recorder, command_of};
pub use resume::{Again, Earlier, Now, Resumption, resumption};

/// The trigger of an execution in which a person ran selected steps only.
pub const PARTIAL: &str = "person:part";

/// The facts of one execution of a workflow; every record of it shares them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Execution {
    /// A random id, or for imported executions one derived from the source's own id.
    pub id: ExecutionId,
    /// The workflow's name.
    pub workflow: String,
    /// When it began, to the second.
    pub started_at: Timestamp,
    /// Wall time from start to end in milliseconds; absent while it runs and where it was interrupted.
    pub duration_ms: Option<f64>,
    /// How it ended.
    pub outcome: Outcome,
    /// What started it: `person`, `person:part` where only some steps were selected, `hook:<event>`, `record`,
    /// `import:<format>`.
    pub trigger: String,
    /// The machine class it ran on: `linux-x86_64-2c-16g`.
    pub machine: Option<String>,
    /// Slots it could use at once.
    pub slots: Option<u32>,
    /// Values of the variables declared `record = true`.
    #[serde(default)]
    pub variables: BTreeMap<String, String>,
    /// The state of the sources it ran on.
    #[serde(default)]
    pub source: Source,
    /// The execution that it goes on with: what had passed there was not run again.
    #[serde(default)]
    pub resumes: Option<ExecutionId>,
}

/// The state of a repository's sources at the start of an execution. `.meow`'s own data never counts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// The commit that was checked out.
    pub commit: Option<Digest>,
    /// The tree that committing the work tree would give.
    pub tree: Option<Digest>,
    /// The patch-id of that commit, or of the commit that a dirty work tree would become.
    pub patch: Option<Digest>,
    /// The patch-id of everything since the merge base with the default branch, with what a dirty work tree changes.
    pub range_patch: Option<Digest>,
    /// What git tracks, as a tree without `.meow`, with what is not committed yet; absent where that is what `commit`
    /// holds.
    #[serde(default)]
    pub tracked: Option<Digest>,
    /// Whether the work tree differed from the commit.
    pub dirty: Option<bool>,
    /// The default branch by name, any other as a keyed hash.
    pub branch: Option<String>,
}

/// The facts of one try at one step. Written as text, what is unknown is left out: a journal's lines are written between
/// one step and the next.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Attempt {
    /// The step's id.
    pub step: String,
    /// 1 for the first try.
    pub attempt: u32,
    /// When everything it needs had passed (for a retry: when the wait before it was over), in milliseconds since the
    /// execution began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ready_ms: Option<u64>,
    /// When it started, in milliseconds since the execution began.
    pub started_ms: u64,
    /// How long it ran, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<f64>,
    /// How it ended.
    pub outcome: Outcome,
    /// Its exit code, where it exited.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// The signal that ended it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signal: Option<i32>,
    /// Whether meow stopped it for running too long.
    pub timed_out: bool,
    /// Processor time in user mode, with reaped children, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_ms: Option<u64>,
    /// Processor time in the kernel, with reaped children, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system_ms: Option<u64>,
    /// Largest resident set of any of its processes, in bytes; absent where that is not above meow's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peak_memory_bytes: Option<u64>,
    /// Bytes it read from storage and pipes (`rchar`), with reaped children.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read_bytes: Option<u64>,
    /// Bytes it wrote (`wchar`), with reaped children.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub written_bytes: Option<u64>,
    /// The slot it ran in, from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slot: Option<u32>,
    /// Ids of the steps it waited for.
    pub needs: Vec<String>,
    /// Hash of the step's command text before variables are filled in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<Digest>,
    /// Keyed hash of the command and the step's environment with the values of variables filled in; absent where that
    /// adds nothing to `command`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filled: Option<Digest>,
    /// The fingerprint of its error, where it failed with one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Digest>,
    /// How its step's `undo` command ended, where that ran afterwards.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undone: Option<Outcome>,
    /// Bytes of its inputs, known at the start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inputs_bytes: Option<u64>,
    /// Keyed hash of the files that its step's declared inputs named at its start: their paths and contents.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inputs: Option<Digest>,
    /// What was predicted for it at its start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub predicted: Option<Predicted>,
    /// Named numbers measured by or for it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metrics: BTreeMap<String, f64>,
}

impl Attempt {
    /// Returns attempt number `attempt` at `step`, of which nothing else is known: should nothing become known, it
    /// counts as cancelled.
    pub fn new(step: impl Into<String>, attempt: u32) -> Self {
        Self {
            step: step.into(),
            attempt,
            ready_ms: None,
            started_ms: 0,
            duration_ms: None,
            outcome: Outcome::Cancelled,
            exit_code: None,
            signal: None,
            timed_out: false,
            user_ms: None,
            system_ms: None,
            peak_memory_bytes: None,
            read_bytes: None,
            written_bytes: None,
            slot: None,
            needs: Vec::new(),
            command: None,
            filled: None,
            error: None,
            undone: None,
            inputs_bytes: None,
            inputs: None,
            predicted: None,
            metrics: BTreeMap::new(),
        }
    }
}

/// What was predicted for an attempt before it started.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Predicted {
    /// Duration undercut by one attempt in ten, in milliseconds.
    pub p10_ms: f64,
    /// Median duration in milliseconds.
    pub p50_ms: f64,
    /// Duration exceeded by one attempt in ten, in milliseconds.
    pub p90_ms: f64,
    /// Probability that it fails, 0 to 1.
    pub failure: f64,
}

/// One row of the store: an attempt with its execution.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// The execution, shared by its records.
    pub execution: Arc<Execution>,
    /// The attempt.
    pub attempt: Attempt,
}

impl Record {
    /// Returns the record's id: a hash of execution, step and attempt number.
    pub fn id(&self) -> RecordId {
        RecordId::of(self.execution.id, &self.attempt.step, self.attempt.attempt)
    }
}
