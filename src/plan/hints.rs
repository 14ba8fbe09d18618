//! What is known beforehand about a workflow's steps; the plan does not know where it comes from.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::redact::cause::Fingerprint;
use crate::workflow::StepId;

/// Everything known beforehand about one workflow's steps.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Hints {
    /// By step; a step that is absent is unknown.
    pub steps: BTreeMap<StepId, StepHint>,
    /// The odds that of two attempts the one that was predicted to be longer was, by the back-test; absent without one.
    pub order: Option<Odds>,
}

impl Hints {
    /// Returns what is known without the errors that pay to be tried again.
    #[must_use]
    pub fn without_retries(mut self) -> Self {
        for hint in self.steps.values_mut() {
            hint.transient.clear();
        }
        self
    }
}

/// What is known beforehand about one step.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct StepHint {
    /// Its duration in milliseconds when it passes.
    pub duration_ms: Option<Interval>,
    /// The odds that an attempt fails.
    pub failure: Option<Odds>,
    /// The share of failed attempts whose retry on the same inputs passed.
    pub retry_pays: Option<Odds>,
    /// Errors that pay to be tried again on unchanged inputs.
    #[serde(default)]
    pub transient: Vec<Transient>,
    /// Memory to set aside for an attempt, in bytes: it will seldom need more.
    pub peak_memory_bytes: Option<u64>,
    /// Processors that an attempt keeps busy on average.
    pub cpus: Option<f64>,
    /// Bytes of its declared inputs, measured before the start.
    pub inputs_bytes: Option<u64>,
    /// The time in milliseconds after which an attempt is named as far longer than any that passed; absent with few
    /// samples.
    #[serde(default)]
    pub slow_ms: Option<u64>,
    /// A learnt time limit in milliseconds, never below the floor; absent below a hundred samples.
    pub timeout_ms: Option<u64>,
}

/// An error that went away by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transient {
    /// What it is recognised by.
    pub error: Fingerprint,
    /// Attempts that failed with it and were tried again on unchanged inputs.
    pub seen: u64,
    /// How many of these passed on the next try.
    pub passed: u64,
    /// How often it may be tried again in a row.
    pub retries: u32,
}

/// A predicted quantity with its spread and the samples behind it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Undercut by one in ten.
    pub p10: f64,
    /// The median.
    pub p50: f64,
    /// Exceeded by one in ten.
    pub p90: f64,
    /// How many samples it rests on.
    pub n: u64,
}

/// A probability with a 90 % credible interval and the samples behind it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Odds {
    /// Posterior mean, 0 to 1.
    pub mean: f64,
    /// The 5 % quantile of the posterior.
    pub low: f64,
    /// The 95 % quantile of the posterior.
    pub high: f64,
    /// How many trials it rests on.
    pub n: u64,
}
