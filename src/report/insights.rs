//! What is noteworthy about a history, as a page: each insight in a sentence, with its proof and how sure it is.

use jiff::Timestamp;
use serde::Serialize;

use crate::learn::Insight;
use crate::learn::insight::{Certainty, Finding, Kind};

/// The page: insights, most worth first.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Insights {
    /// The version of this form.
    pub schema_version: u32,
    /// Executions that were looked at.
    pub executions: u64,
    /// What was found.
    pub insights: Vec<Told>,
}

/// An insight in words.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Told {
    /// Its kind.
    pub kind: Kind,
    /// Its name, as in `retry-storm`.
    pub name: &'static str,
    /// Its date: when the latest execution that proves it began.
    pub at: Timestamp,
    /// The repository's name.
    pub repository: String,
    /// The workflow.
    pub workflow: String,
    /// The step, where it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// What was found, in a sentence; names stand between backticks.
    pub sentence: String,
    /// The time that it costs a week, in milliseconds, below zero where it saves that; absent where none can be said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weekly_ms: Option<f64>,
    /// The numbers behind it: times in milliseconds, memory in bytes, shares from 0 to 1.
    pub facts: Finding,
    /// How sure it is.
    pub certainty: Certainty,
    /// The same in words.
    pub sure: String,
    /// Executions or attempts it rests on.
    pub n: u64,
    /// Executions that prove it, latest first, at most ten.
    pub evidence: Vec<String>,
    /// Of a change: other changes of the workflow that may have come with it, most worth first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub with: Vec<Told>,
}

/// Returns the page of insights about `executions` executions, of one kind or name and from a moment on where these are given.
pub fn insights(found: &[Insight], executions: usize, only: Option<&str>, since_ms: Option<i64>) -> Insights {
    let wanted = |insight: &&Insight| {
        let kind = insight.finding.kind();
        only.is_none_or(|only| only == insight.finding.name() || only == kind.words().replace(' ', "-"))
            && since_ms.is_none_or(|since| insight.at_ms.max(latest(&insight.with)) >= since)
    };
    Insights {
        schema_version: 1,
        executions: executions as u64,
        insights: found.iter().filter(wanted).map(told).collect(),
    }
}

/// Returns when the latest of some insights was; the beginning of time without any.
fn latest(insights: &[Insight]) -> i64 {
    insights.iter().map(|insight| insight.at_ms).max().unwrap_or(i64::MIN)
}

fn told(insight: &Insight) -> Told {
    Told {
        kind: insight.finding.kind(),
        name: insight.finding.name(),
        at: Timestamp::from_millisecond(insight.at_ms).unwrap_or(Timestamp::UNIX_EPOCH),
        repository: insight.repository.clone(),
        workflow: insight.workflow.clone(),
        step: insight.step.clone(),
        sentence: super::words::sentence(insight),
        weekly_ms: insight.weekly_ms,
        facts: insight.finding.clone(),
        certainty: insight.certainty,
        sure: super::words::sure(insight),
        n: insight.n,
        evidence: insight.evidence.clone(),
        with: insight.with.iter().map(told).collect(),
    }
}
