//! One workflow of one project as the rules see it, and what they hand in: every test, with what it would prove.

use std::collections::BTreeMap;
use std::ops::Range;

use super::{Certainty, EVIDENCE, Finding, Insight, Measure, worth};
use crate::learn::median;
use crate::learn::state::project;
use crate::record::Outcome;
use crate::scan::History;
use crate::workflow::{Step, Workflow};

/// One workflow's executions and what its file declares.
pub(super) struct View<'a> {
    pub history: &'a History,
    pub repository: &'a str,
    pub workflow: &'a str,
    /// Its executions, oldest first.
    pub executions: Vec<usize>,
    /// Rows of every step's attempts, oldest first, without cancelled ones.
    pub steps: BTreeMap<&'a str, Vec<usize>>,
    pub declared: Option<&'a Workflow>,
    rows: &'a [Range<usize>],
}

/// A test that a rule made.
pub(super) struct Candidate {
    /// The step, where it is about one.
    pub step: Option<String>,
    /// The probability that there is nothing: one minus a posterior, or a p-value.
    pub doubt: f64,
    pub measure: Measure,
    /// Executions or attempts it rests on.
    pub n: u64,
    /// What is found where the doubt is small enough, and the executions that prove it; `None` where nothing would be
    /// told all the same.
    pub found: Option<(Finding, Vec<usize>)>,
}

/// Returns the views of all workflows; `rows` are those of each execution.
pub(super) fn views<'a>(
    history: &'a History,
    rows: &'a [Range<usize>],
    workflows: &'a BTreeMap<String, Workflow>,
) -> Vec<View<'a>> {
    let executions = &history.executions;
    let projects: Vec<String> =
        (0_u32..).zip(&history.repositories).map(|(place, _)| project(history, place)).collect();
    let mut groups: BTreeMap<(&str, &'a str), Vec<usize>> = BTreeMap::new();
    for execution in 0..executions.len() {
        let project = projects[executions.repository[execution] as usize].as_str();
        groups.entry((project, history.names.text(executions.workflow[execution]))).or_default().push(execution);
    }
    let view = |((_, workflow), places): ((&str, &'a str), Vec<usize>)| {
        let first = places.first().map_or(0, |place| executions.repository[*place] as usize);
        let repository = history.repositories[first].name.as_str();
        let mut steps: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for row in places.iter().flat_map(|place| rows[*place].clone()) {
            if history.attempts.outcome[row] != Outcome::Cancelled {
                steps.entry(history.names.text(history.attempts.step[row])).or_default().push(row);
            }
        }
        View { history, repository, workflow, executions: places, steps, declared: workflows.get(workflow), rows }
    };
    groups.into_iter().map(view).collect()
}

impl<'a> View<'a> {
    /// Returns the usual peak memory of the steps of which any is known, in bytes.
    pub fn usual_peaks(&self) -> BTreeMap<&'a str, f64> {
        let peaks = |rows: &[usize]| {
            let peaks = rows.iter().map(|row| self.history.attempts.peak_memory_bytes[*row]);
            median(&peaks.filter(|peak| peak.is_finite()).collect::<Vec<_>>())
        };
        self.steps.iter().filter_map(|(step, rows)| Some((*step, peaks(rows)?))).collect()
    }

    /// Returns the rows of every execution of the history.
    pub const fn all_rows(&self) -> &[Range<usize>] {
        self.rows
    }

    /// Returns whether any of its executions is of the repository of this name.
    pub fn is_of(&self, repository: &str) -> bool {
        let name = |at: &usize| &self.history.repositories[self.history.executions.repository[*at] as usize].name;
        self.executions.iter().any(|at| name(at) == repository)
    }

    /// Returns the rows of an execution's attempts, cancelled ones included.
    pub fn rows(&self, execution: usize) -> Range<usize> {
        self.rows[execution].clone()
    }

    /// Returns the execution of a row.
    pub fn execution(&self, row: usize) -> usize {
        self.history.attempts.execution[row] as usize
    }

    pub fn passed(&self, row: usize) -> bool {
        self.history.attempts.outcome[row] == Outcome::Passed
    }

    /// Returns the rows by execution, oldest first.
    pub fn by_execution(&self, rows: &[usize]) -> Vec<(usize, Vec<usize>)> {
        let mut found: Vec<(usize, Vec<usize>)> = Vec::new();
        for row in rows {
            let execution = self.execution(*row);
            match found.last_mut() {
                Some((last, rows)) if *last == execution => rows.push(*row),
                _ => found.push((execution, vec![*row])),
            }
        }
        found
    }

    /// Returns the executions that ran the whole workflow and passed, oldest first.
    pub fn whole(&self) -> impl DoubleEndedIterator<Item = usize> {
        let is_whole =
            |at: &usize| self.history.executions.outcome[*at] == Outcome::Passed && !self.history.is_partial(*at);
        self.executions.iter().copied().filter(is_whole)
    }

    /// Returns the durations of passed attempts among `rows`, in milliseconds, above 0.
    pub fn durations(&self, rows: &[usize]) -> Vec<f64> {
        let durations = rows.iter().filter(|row| self.passed(**row)).map(|row| self.history.attempts.duration_ms[*row]);
        durations.filter(|duration| duration.is_finite() && *duration > 0.0).collect()
    }

    /// Returns a row's duration, 0 where it is unknown.
    pub fn spent(&self, row: usize) -> f64 {
        let spent = self.history.attempts.duration_ms[row];
        if spent.is_finite() { spent.max(0.0) } else { 0.0 }
    }

    /// Returns what the workflow's file declares of a step.
    pub fn declared(&self, step: &str) -> Option<&Step> {
        self.declared?.steps.iter().find(|known| known.id.as_str() == step)
    }

    /// Returns an insight about this workflow, proven by these executions; `None` without any.
    pub fn insight(
        &self,
        step: Option<String>,
        finding: Finding,
        mut proof: Vec<usize>,
        n: u64,
        certainty: Certainty,
    ) -> Option<Insight> {
        proof.sort_unstable();
        proof.dedup();
        let latest = *proof.last()?;
        let executions = &self.history.executions;
        Some(Insight {
            repository: self.repository.to_owned(),
            workflow: self.workflow.to_owned(),
            at_ms: executions.started_ms[latest],
            weekly_ms: worth::weekly_ms(self, step.as_deref(), &finding, &proof),
            with: Vec::new(),
            evidence: proof.iter().rev().take(EVIDENCE).map(|at| executions.id[*at].to_string()).collect(),
            n,
            certainty,
            step,
            finding,
        })
    }
}

impl Candidate {
    /// Returns a test whose doubt is what a posterior leaves.
    pub fn posterior(step: Option<&str>, probability: f64, n: u64, found: Option<(Finding, Vec<usize>)>) -> Self {
        let doubt = (1.0 - probability).clamp(0.0, 1.0);
        Self { step: step.map(str::to_owned), doubt, measure: Measure::Posterior, n, found }
    }

    /// Returns a test with a p-value.
    pub fn tested(step: Option<&str>, p_value: f64, n: u64, found: Option<(Finding, Vec<usize>)>) -> Self {
        Self { step: step.map(str::to_owned), doubt: p_value, measure: Measure::PValue, n, found }
    }

    /// Returns what it proves, as one of so many tests.
    pub fn insight(self, view: &View, tests: usize) -> Option<Insight> {
        #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
        let value = match self.measure {
            Measure::PValue => (self.doubt * tests as f64).min(1.0),
            Measure::Posterior | Measure::LowerBound => 1.0 - self.doubt,
        };
        let certainty = Certainty { measure: self.measure, value };
        let (finding, proof) = self.found?;
        view.insight(self.step, finding, proof, self.n, certainty)
    }
}
