//! The nouns of learning: patterns, as they are written to `.meow/patterns` and handed to the plan and to reports.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::plan::{Interval, Odds};

/// Everything learnt, by workflow name.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Knowledge {
    /// Patterns by workflow name; `repository/workflow` where several projects have a workflow of that name.
    pub workflows: BTreeMap<String, WorkflowPattern>,
}

/// What is learnt about one workflow; one file under `.meow/patterns`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct WorkflowPattern {
    /// The workflow's name; the key of the map may have its repository before it.
    #[serde(skip)]
    pub workflow: String,
    /// The project it was learnt in: the first commit's hash, or the repository's name where that is unknown.
    #[serde(skip)]
    pub project: String,
    /// Executions seen.
    pub executions: u64,
    /// Executions a week over the time seen, at least over one week.
    pub executions_per_week: f64,
    /// The wall time of passed executions, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<Interval>,
    /// The odds that an execution fails.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<Odds>,
    /// The steps, sorted by step, then machine class; the entry without a machine is over all of them.
    pub steps: Vec<Pattern>,
}

/// What is learnt about one step on one machine class, or on all.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Pattern {
    /// The step's id.
    pub step: String,
    /// The machine class; absent where it is over all of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub machine: Option<String>,
    /// Attempts that passed or failed.
    pub attempts: u64,
    /// How many of them failed.
    pub failed: u64,
    /// Attempts that passed after an earlier attempt of the same execution had failed.
    pub retries_passed: u64,
    /// Attempts that followed a failed one of the same execution.
    pub retries: u64,
    /// Duration of passed attempts in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<Interval>,
    /// How long the next attempt will run where it passes, in milliseconds: what plans go by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_ms: Option<Interval>,
    /// Duration of failed attempts in milliseconds: time to failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed_ms: Option<Interval>,
    /// Longest passed attempt in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub longest_ms: Option<f64>,
    /// The odds that a first attempt fails.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<Odds>,
    /// Whether it fails by chance; absent where nothing speaks for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flakiness: Option<Flakiness>,
    /// Peak memory in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peak_memory_bytes: Option<Interval>,
    /// Memory to set aside for the next attempt, in bytes: what plans go by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<f64>,
    /// Processor time in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_ms: Option<Interval>,
    /// Time between ready and started, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue_ms: Option<Interval>,
    /// The share of executions in which it was on the critical path, 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub critical_share: Option<f64>,
    /// The median share of the wall time for which it alone held up the execution, 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wall_share: Option<f64>,
    /// How much longer it could take without delaying the end, median in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slack_ms: Option<f64>,
}

/// What speaks for failures by chance, from the latest 200 attempts of a step.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Flakiness {
    /// How sure it is.
    pub verdict: Verdict,
    /// Inputs (tree, command with its values, declared inputs and machine class) on which it both passed and failed.
    pub contradicted: u64,
    /// The odds that it fails on inputs on which it can pass; only where it is flaky.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<Odds>,
    /// Failed reruns on the inputs of the last failure that would settle that it is broken there; 0 where it is flaky.
    pub reruns: u32,
}

/// Whether failures by chance are proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It passed and failed on the same inputs, and has not passed often enough in a row since.
    Flaky,
    /// It failed between passes on other inputs; reruns would tell.
    Suspect,
}
