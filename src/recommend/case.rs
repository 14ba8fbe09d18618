//! One workflow as the rules see it: its pattern and its executions.

use std::collections::BTreeMap;
use std::ops::Range;

use super::gain::Estimate;
use super::{Advice, Change, Risk};
use crate::learn::state::project;
use crate::learn::timeline;
use crate::learn::{Knowledge, WorkflowPattern};
use crate::record::{Digest, Outcome};
use crate::scan::{History, Name};

/// How many executions prove an advice at most.
const EVIDENCE: usize = 10;

/// One workflow's pattern and executions.
pub(super) struct Case<'a> {
    /// The workflow's key in the knowledge.
    pub workflow: &'a str,
    pub pattern: &'a WorkflowPattern,
    pub history: &'a History,
    /// Its executions, oldest first.
    pub executions: Vec<usize>,
    /// Rows of the attempts, by execution.
    pub rows: &'a [Range<usize>],
}

/// What a rule found, before it becomes advice.
pub(super) struct Finding {
    pub rule: &'static str,
    pub step: Option<String>,
    pub title: String,
    pub rationale: String,
    /// Executions that prove it, oldest first.
    pub evidence: Vec<usize>,
    pub n: u64,
    pub estimate: Estimate,
    pub effort_minutes: f64,
    pub risk: Risk,
    pub change: Option<Change>,
}

/// Hands every known workflow of the history to `each`.
pub(super) fn cases(knowledge: &Knowledge, history: &History, mut each: impl FnMut(&Case)) {
    let rows = timeline::rows(history);
    let mut groups: BTreeMap<(String, &str), Vec<usize>> = BTreeMap::new();
    let projects: Vec<String> =
        (0_u32..).zip(&history.repositories).map(|(place, _)| project(history, place)).collect();
    for execution in 0..history.executions.len() {
        let project = projects[history.executions.repository[execution] as usize].clone();
        let workflow = history.names.text(history.executions.workflow[execution]);
        groups.entry((project, workflow)).or_default().push(execution);
    }
    for (workflow, pattern) in &knowledge.workflows {
        let key = (pattern.project.clone(), pattern.workflow.as_str());
        if let Some(executions) = groups.remove(&key) {
            each(&Case { workflow, pattern, history, executions, rows: &rows });
        }
    }
}

impl Case<'_> {
    /// Returns the rows of every step's attempts, oldest first; cancelled ones included.
    pub fn steps(&self) -> BTreeMap<&str, Vec<usize>> {
        let mut steps: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for row in self.executions.iter().flat_map(|execution| self.rows[*execution].clone()) {
            steps.entry(self.text(self.history.attempts.step[row])).or_default().push(row);
        }
        steps
    }

    /// Returns the executions that passed, oldest first.
    pub fn passed(&self) -> Vec<usize> {
        let outcomes = &self.history.executions.outcome;
        self.executions.iter().copied().filter(|execution| outcomes[*execution] == Outcome::Passed).collect()
    }

    /// Returns the execution of a row.
    pub fn execution(&self, row: usize) -> usize {
        self.history.attempts.execution[row] as usize
    }

    /// Returns the text behind a name.
    pub fn text(&self, name: Name) -> &str {
        self.history.names.text(name)
    }

    /// Returns the advice that a finding becomes.
    pub fn advice(&self, finding: Finding) -> Advice {
        let Estimate { gain, confidence } = finding.estimate;
        let step = finding.step.as_deref().unwrap_or_default();
        let target = [finding.rule, self.pattern.project.as_str(), self.pattern.workflow.as_str(), step];
        let mut evidence = finding.evidence;
        evidence.dedup();
        let ids = evidence.iter().rev().take(EVIDENCE).map(|place| self.history.executions.id[*place].to_string());
        Advice {
            id: Digest::of(target.join("\0").as_bytes()).to_string(),
            rule: finding.rule.to_owned(),
            workflow: self.workflow.to_owned(),
            title: finding.title,
            rationale: finding.rationale,
            evidence: ids.collect(),
            n: finding.n,
            gain: gain.rounded(),
            confidence: super::rounded(confidence.min(0.999)),
            effort_minutes: finding.effort_minutes,
            risk: finding.risk,
            priority: super::rounded(gain.low / finding.effort_minutes),
            change: finding.change,
            step: finding.step,
        }
    }
}
