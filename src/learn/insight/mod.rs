//! Noteworthy findings about a history: named patterns, changes and anomalies, each dated, with its proof and certainty.

mod anomaly;
mod capacity;
mod changed;
mod collision;
mod declared;
mod failing;
mod finding;
mod idle;
mod latest;
mod needless;
mod pauses;
mod retries;
mod view;
mod waiting;
mod worth;

use std::cmp::Ordering;
use std::collections::BTreeMap;

use serde::Serialize;

pub use anomaly::is_far;
pub use capacity::Capacity;
pub use finding::{Finding, Held, Kind, NAMES};
pub use idle::{SlotUse, slot_uses};
pub use latest::{Anomaly, What, anomalies, anomalies_of};

use super::{Trend, timeline};
use crate::scan::History;
use crate::workflow::Workflow;
use view::{Candidate, View, views};

/// The share of patterns that may be wrong, and the probability that a history without any effect shows one, at most.
const PATTERN: f64 = 0.02;

/// The same for anomalies, of which there are many more to find.
const ANOMALY: f64 = 0.005;

/// Executions that prove an insight, at most.
const EVIDENCE: usize = 10;

/// Hands in every test that it makes.
type Rule = fn(&View, &mut Vec<Candidate>);

/// A noteworthy finding.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Insight {
    /// What was found, with its numbers.
    #[serde(flatten)]
    pub finding: Finding,
    /// The repository's name.
    pub repository: String,
    /// The workflow.
    pub workflow: String,
    /// The step, where it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// The time that it costs a week, in milliseconds, below zero where it saves that; absent where none can be said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weekly_ms: Option<f64>,
    /// Its date: the start of the latest execution that proves it, in milliseconds since 1970.
    pub at_ms: i64,
    /// Executions that prove it, latest first, at most ten.
    pub evidence: Vec<String>,
    /// Executions or attempts it rests on.
    pub n: u64,
    /// How sure it is.
    pub certainty: Certainty,
    /// Of a change: other changes of the workflow that may have come with it, most worth first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub with: Vec<Insight>,
}

/// How sure an insight is: a number with a meaning.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Certainty {
    /// What the number is.
    pub measure: Measure,
    /// The number, 0 to 1.
    pub value: f64,
}

/// What a certainty's number is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Measure {
    /// The posterior probability, under Jeffreys' prior, that the rate behind the finding passes its bar.
    Posterior,
    /// The probability of something as extreme without any effect, times the number of tests made.
    PValue,
    /// The 5 % quantile of the posterior of the rate itself.
    LowerBound,
}

/// Returns what is noteworthy about a history, most worth first, then latest; `workflows` are what workflow files declare, by name.
///
/// Each rule hands in every test that it made. What is told survives Benjamini and Hochberg's procedure (1995, Journal of
/// the Royal Statistical Society B 57(1)) over all of them, patterns at 2 % and anomalies at 0.5 %: a history without
/// any effect shows one with that probability at most, and of what is told that share is wrong. Changes are tested by
/// [`super::trends`], which is handed in; flaky steps are proven by a contradiction and need no test.
pub fn insights(history: &History, trends: &[Trend], workflows: &BTreeMap<String, Workflow>) -> Vec<Insight> {
    let rules: [Rule; 9] = [
        retries::search,
        retries::search_declared,
        failing::search,
        failing::search_order,
        needless::search,
        waiting::search,
        pauses::search,
        collision::search,
        declared::search,
    ];
    let rows = timeline::rows(history);
    let views = views(history, &rows, workflows);
    let mut insights = changed::changes(&views, trends);
    insights.extend(views.iter().flat_map(changed::flaky));
    // Anomalies are many more tests, which would raise the bar for patterns: a family of their own.
    insights.extend(proven(&views, &rules, PATTERN));
    insights.extend(proven(&views, &[anomaly::search], ANOMALY));
    insights.sort_by(before);
    insights
}

/// Compares two insights as a list has them: most worth first, then latest.
fn before(a: &Insight, b: &Insight) -> Ordering {
    let rest = |insight: &Insight| {
        (std::cmp::Reverse(insight.at_ms), insight.workflow.clone(), insight.step.clone(), insight.finding.name())
    };
    b.worth().total_cmp(&a.worth()).then_with(|| rest(a).cmp(&rest(b)))
}

/// Returns what survives of all the tests that some rules make.
fn proven(views: &[View], rules: &[Rule], error: f64) -> Vec<Insight> {
    let mut candidates: Vec<(usize, Candidate)> = Vec::new();
    for (place, view) in views.iter().enumerate() {
        let mut found = Vec::new();
        for rule in rules {
            rule(view, &mut found);
        }
        candidates.extend(found.into_iter().map(|candidate| (place, candidate)));
    }
    let tests = candidates.len();
    let bar = bar(candidates.iter().map(|(_, candidate)| candidate.doubt).collect(), error);
    let kept = candidates.into_iter().filter(|(_, candidate)| candidate.doubt <= bar);
    kept.filter_map(|(place, candidate)| candidate.insight(&views[place], tests)).collect()
}

/// Returns the largest doubt that survives Benjamini and Hochberg's procedure; below zero where none does.
fn bar(mut doubts: Vec<f64>, error: f64) -> f64 {
    doubts.sort_by(f64::total_cmp);
    #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
    let share = |rank: usize| (rank + 1) as f64 / doubts.len() as f64;
    let last = (0..doubts.len()).rev().find(|rank| doubts[*rank] <= error * share(*rank));
    last.map_or(-1.0, |rank| doubts[rank])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_rises_with_the_number_of_true_findings() {
        let near = |found: f64, expected: f64| assert!((found - expected).abs() < 1e-12, "{found} {expected}");
        near(bar(vec![], 0.02), -1.0);
        near(bar(vec![0.03, 1.0], 0.02), -1.0);
        near(bar(vec![0.009, 1.0], 0.02), 0.009);
        near(bar(vec![0.001, 0.019, 0.014], 0.02), 0.019);
    }
}
