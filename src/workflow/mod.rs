//! Workflow files: text and variables in, a checked graph of steps out. Knows no disk and no durations.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A checked workflow: variables filled in, every need known, no cycle.
#[derive(Debug, Clone, PartialEq)]
pub struct Workflow {
    /// The name, from the key `formula`.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// Values of the variables declared `record = true`.
    pub recorded_variables: BTreeMap<String, String>,
    /// The steps, in the order of the file, a parent's first.
    pub steps: Vec<Step>,
    /// What was odd but not wrong.
    pub warnings: Vec<Warning>,
}

/// One node of the graph.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// Its id, unique in the workflow.
    pub id: StepId,
    /// A line for people; the id where the file gives none.
    pub title: String,
    /// What a person does in a manual step, or why the step is there.
    pub description: String,
    /// The command, variables filled in; a step without one is manual.
    pub run: Option<String>,
    /// The command as it stands in the file, before variables are filled in.
    pub template: Option<String>,
    /// Steps that must pass first.
    pub needs: Vec<StepId>,
    /// Why the step is left out this time: its `condition`, with its values.
    pub skip: Option<String>,
    /// The declared time limit.
    pub timeout: Option<Duration>,
    /// The declared retry policy.
    pub retry: Option<Retry>,
    /// The declared resources.
    pub resources: Resources,
    /// Steps that share a lock never overlap.
    pub locks: Vec<String>,
    /// Variables set in the command's environment.
    pub env: BTreeMap<String, String>,
    /// The command that takes this step back when the execution fails.
    pub undo: Option<String>,
}

/// A step's id within its workflow.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StepId(pub String);

impl StepId {
    /// Returns the id's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for StepId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// When and how a failed attempt is tried again.
#[derive(Debug, Clone, PartialEq)]
pub struct Retry {
    /// Attempts in all, the first included; at least 1.
    pub attempts: u32,
    /// The wait before the second attempt; it doubles with every further one.
    pub backoff: Duration,
    /// Which endings are tried again; empty means every failure.
    pub on: Vec<RetryOn>,
}

/// An ending that a retry policy covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetryOn {
    /// Ended by any signal: `"signal"`.
    Signal,
    /// Stopped at its time limit: `"timeout"`.
    Timeout,
    /// Exited with this code: `"exit:75"`.
    Exit(i32),
}

/// What a step asks of the machine.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Resources {
    /// Processors it keeps busy.
    pub cpu: Option<f64>,
    /// Memory it needs, in bytes.
    pub memory_bytes: Option<u64>,
}

/// Something odd in a file, with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// The file as it was named.
    pub file: String,
    /// The line, from 1, where it is known.
    pub line: Option<usize>,
    /// What is odd.
    pub what: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.file, self.what),
            None => write!(f, "{}: {}", self.file, self.what),
        }
    }
}
