//! One workflow as the rules see it: its pattern and its executions.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::ops::Range;

use rayon::prelude::*;

use super::gain::Estimate;
use super::{Advice, Change, Risk};
use crate::learn::asked::{self, Course, courses};
use crate::learn::current::is_current;
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
    known: Known<'a>,
    pub history: &'a History,
    /// The workflow with its executions, oldest first.
    course: &'a Course,
    /// Rows of the attempts, by execution.
    pub rows: &'a [Range<usize>],
}

/// What is known of a workflow: all of it, or what a rule asks for.
enum Known<'a> {
    Learnt(&'a WorkflowPattern),
    Asked(OnceCell<WorkflowPattern>),
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
    let courses = courses(history);
    let by_key: BTreeMap<(&str, &str), &Course> =
        courses.iter().map(|course| ((course.project.as_str(), course.workflow.as_str()), course)).collect();
    for (workflow, pattern) in &knowledge.workflows {
        if let Some(course) = by_key.get(&(pattern.project.as_str(), pattern.workflow.as_str())) {
            each(&Case { workflow, known: Known::Learnt(pattern), history, course, rows: &rows });
        }
    }
}

/// Returns what `each` says of every workflow of the history, of which is learnt what it asks for.
pub(super) fn all<T: Send>(history: &History, each: impl Fn(&Case) -> Vec<T> + Sync) -> Vec<T> {
    let rows = timeline::rows(history);
    let case = |course: &Course| {
        let known = Known::Asked(OnceCell::new());
        each(&Case { workflow: &course.name, known, history, course, rows: &rows })
    };
    courses(history).par_iter().flat_map_iter(case).collect()
}

impl Case<'_> {
    /// Returns the workflow's pattern.
    pub fn pattern(&self) -> &WorkflowPattern {
        match &self.known {
            Known::Learnt(pattern) => pattern,
            Known::Asked(pattern) => pattern.get_or_init(|| asked::pattern(self.history, self.rows, self.course)),
        }
    }

    /// Returns the workflow's executions a week, for which its pattern need not be known.
    pub fn weekly(&self) -> f64 {
        match &self.known {
            Known::Learnt(pattern) => pattern.executions_per_week,
            Known::Asked(_) => asked::weekly(self.history, self.course),
        }
    }

    /// Returns the workflow's executions, oldest first.
    pub fn executions(&self) -> &[usize] {
        &self.course.executions
    }

    /// Returns the rows of every step's attempts, oldest first; cancelled ones included.
    pub fn steps(&self) -> BTreeMap<&str, Vec<usize>> {
        let mut steps: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for row in self.executions().iter().flat_map(|execution| self.rows[*execution].clone()) {
            steps.entry(self.text(self.history.attempts.step[row])).or_default().push(row);
        }
        steps
    }

    /// Returns the executions that ran the whole workflow and passed, oldest first.
    pub fn passed(&self) -> Vec<usize> {
        let outcomes = &self.history.executions.outcome;
        let counts = |at: &usize| outcomes[*at] == Outcome::Passed && !self.history.is_partial(*at);
        self.executions().iter().copied().filter(counts).collect()
    }

    /// Returns whether a step still belongs to the workflow.
    pub fn is_current(&self, step: &str) -> bool {
        let steps = &self.history.attempts.step;
        let name = self.history.names.find(step);
        let rows = self.executions().iter().flat_map(|at| self.rows[*at].clone());
        let own: Vec<usize> = rows.filter(|row| Some(steps[*row]) == name).collect();
        is_current(self.history, self.executions(), &own)
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
        let target = [finding.rule, self.course.project.as_str(), self.course.workflow.as_str(), step];
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
