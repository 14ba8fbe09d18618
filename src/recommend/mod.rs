//! What to change, with evidence, gain, confidence and risk.

pub mod action;
mod always_fails;
mod case;
pub mod configuration;
mod dominant;
mod gain;
mod retry;
mod slots;
mod timeout;
pub mod verify;
pub mod words;

use serde::{Deserialize, Serialize};

use case::Case;

pub use action::{Action, ActionKind, Decisions, Edit, Life};
pub use verify::{Verification, verify};

use crate::learn::Knowledge;
use crate::record::Digest;
use crate::scan::History;

/// Returns what to change, the highest priority first; nothing whose gain may well be zero (5 % quantile).
///
/// `knowledge` has to come from `history`: a rule looks at both.
pub fn recommend(knowledge: &Knowledge, history: &History) -> Vec<Advice> {
    let mut advice = Vec::new();
    case::cases(knowledge, history, |case| advice.extend(said(case)));
    sorted(advice)
}

/// Returns the same of a history that nothing was learnt from yet: of each workflow only what a rule asks for is learnt,
/// which is nothing of most.
pub fn recommend_from(history: &History) -> Vec<Advice> {
    sorted(case::all(history, said))
}

/// Returns what the rules say of a workflow.
fn said(case: &Case) -> Vec<Advice> {
    let rules = [always_fails::findings, dominant::findings, retry::findings, slots::findings, timeout::findings];
    let is_open = |finding: &case::Finding| {
        finding.estimate.gain.low > 0.0 && finding.step.as_deref().is_none_or(|step| case.is_current(step))
    };
    let findings = rules.iter().flat_map(|rule| rule(case)).filter(is_open);
    findings.map(|finding| case.advice(finding)).collect()
}

fn sorted(mut advice: Vec<Advice>) -> Vec<Advice> {
    advice.sort_by(|a, b| b.priority.total_cmp(&a.priority).then_with(|| a.id.cmp(&b.id)));
    advice
}

/// Returns the hash of the command that the step had in the latest execution behind an advice.
pub fn proven_command(advice: &Advice, history: &History) -> Option<Digest> {
    let step = history.names.find(advice.step.as_deref()?)?;
    let latest = advice.evidence.first()?;
    let attempts = &history.attempts;
    let is_proof = |row: &usize| {
        let execution = history.executions.id[attempts.execution[*row] as usize];
        attempts.step[*row] == step && execution.to_string() == *latest
    };
    (0..attempts.len()).find(is_proof).and_then(|row| attempts.command[row])
}

/// A proposed change; one file under `.meow/recommendations`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Advice {
    /// A hash of rule and target: the same finding keeps its id.
    pub id: String,
    /// The rule that speaks: `timeout`, `retry`, `slots`, `dominant-step`, `always-fails`.
    pub rule: String,
    /// The workflow it is about.
    pub workflow: String,
    /// The step, where it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// One line for people.
    pub title: String,
    /// Why, with the numbers.
    pub rationale: String,
    /// Executions that prove it, latest first, at most ten.
    pub evidence: Vec<String>,
    /// How many executions or attempts it rests on.
    pub n: u64,
    /// Expected gain in minutes a week.
    pub gain: Gain,
    /// The probability that the gain is above zero, 0 to 1.
    pub confidence: f64,
    /// What it takes, in minutes of a person.
    pub effort_minutes: f64,
    /// What may go wrong.
    pub risk: Risk,
    /// The lower bound of the gain divided by the effort.
    pub priority: f64,
    /// The change of the workflow file, where there is one to make.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub change: Option<Change>,
}

/// Minutes a week, with a 90 % interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Gain {
    /// The 5 % quantile.
    pub low: f64,
    /// The median.
    pub median: f64,
    /// The 95 % quantile.
    pub high: f64,
}

impl Gain {
    fn rounded(self) -> Self {
        Self { low: rounded(self.low), median: rounded(self.median), high: rounded(self.high) }
    }
}

/// Returns the number with three significant digits.
fn rounded(value: f64) -> f64 {
    format!("{value:.2e}").parse().unwrap_or(value)
}

/// What may go wrong when a change is applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Risk {
    /// No run that passed before would have ended otherwise.
    Low,
    /// It can hide or delay a failure.
    Medium,
    /// It needs a person's judgement.
    High,
}

impl Risk {
    /// Returns the risk's word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

/// One key of the workflow file, or one flag, with its new value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// The key, as in `steps.test.timeout`, or the flag, as in `--slots`.
    pub key: String,
    /// The value as TOML.
    pub value: String,
}
