//! What both sides of a comparison measured, by workflow and step.

use std::collections::{BTreeMap, HashSet};

use super::sides::Side;
use crate::record::{Digest, Outcome};
use crate::scan::{History, Name};

/// Latest passed runs of the base that count per machine class; older ones say little about now.
const LATEST_BASE: usize = 200;
/// The same for the head.
const LATEST_HEAD: usize = 100;

/// Everything both sides measured of one step, or of the whole workflow.
#[derive(Debug, Clone, Default)]
pub(super) struct Series {
    /// The base's runs.
    pub base: Runs,
    /// The head's runs.
    pub head: Runs,
}

/// One side's runs.
#[derive(Debug, Clone, Default)]
pub(super) struct Runs {
    /// Executions in which it passed or failed at last.
    pub ended: u64,
    /// How many of them failed.
    pub failed: u64,
    /// The trees it ran on, with whether it failed there; an execution without a tree counts as one of its own.
    pub trees: BTreeMap<Tree, bool>,
    /// Durations of passed attempts in milliseconds by machine class, in order of time.
    pub passed_ms: BTreeMap<Option<Name>, Vec<f64>>,
}

/// A tree, or the place of an execution whose tree is unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Tree {
    Known(Digest),
    Of(usize),
}

/// Series by workflow, then by step; the entry without a step is the whole workflow.
pub(super) type ByWorkflow = BTreeMap<String, BTreeMap<Option<String>, Series>>;

/// Since when, in milliseconds since 1970, the level of a workflow's step counts as the norm; of the workflow as a whole
/// without a step.
pub type Accepted = BTreeMap<(String, Option<String>), i64>;

/// Returns the series of all workflows that have an execution on a side.
pub(super) fn collect(history: &History, sides: &[Option<Side>], accepted: &Accepted) -> ByWorkflow {
    let mut found = ByWorkflow::new();
    let executions = &history.executions;
    for (place, side) in sides.iter().enumerate() {
        let Some(side) = *side else { continue };
        if history.is_partial(place) {
            continue;
        }
        let workflow = history.names.text(executions.workflow[place]).to_owned();
        let runs = found.entry(workflow.clone()).or_default().entry(None).or_default().side(side);
        runs.end(executions.outcome[place], tree(history, place));
        let key = (workflow, None);
        if side == Side::Head || accepted.get(&key).is_none_or(|since| executions.started_ms[place] >= *since) {
            runs.measure(executions.outcome[place], executions.machine[place], executions.duration_ms[place]);
        }
    }
    let mut steps: BTreeMap<(Name, Name), Series> = BTreeMap::new();
    let attempts = &history.attempts;
    let named = |((workflow, step), since): (&(String, Option<String>), &i64)| {
        Some(((history.names.find(workflow)?, history.names.find(step.as_deref()?)?), *since))
    };
    let since: BTreeMap<(Name, Name), i64> = accepted.iter().filter_map(named).collect();
    let last = last_attempts(history);
    for (index, last) in last.into_iter().enumerate() {
        let place = attempts.execution[index] as usize;
        let Some(side) = sides[place] else { continue };
        let runs = steps.entry((executions.workflow[place], attempts.step[index])).or_default().side(side);
        if last {
            runs.end(attempts.outcome[index], tree(history, place));
        }
        let since = since.get(&(executions.workflow[place], attempts.step[index]));
        if side == Side::Head || since.is_none_or(|since| executions.started_ms[place] >= *since) {
            runs.measure(attempts.outcome[index], executions.machine[place], attempts.duration_ms[index]);
        }
    }
    for ((workflow, step), series) in steps {
        let workflow = found.entry(history.names.text(workflow).to_owned()).or_default();
        workflow.insert(Some(history.names.text(step).to_owned()), series);
    }
    found
}

fn tree(history: &History, place: usize) -> Tree {
    history.executions.tree[place].map_or(Tree::Of(place), Tree::Known)
}

/// Returns for every attempt whether it is its step's last one in its execution.
fn last_attempts(history: &History) -> Vec<bool> {
    let attempts = &history.attempts;
    let mut later = HashSet::new();
    let mut last: Vec<bool> = (0..attempts.len())
        .rev()
        .map(|index| later.insert((attempts.execution[index], attempts.step[index])))
        .collect();
    last.reverse();
    last
}

impl Series {
    fn side(&mut self, side: Side) -> &mut Runs {
        match side {
            Side::Base => &mut self.base,
            Side::Head => &mut self.head,
        }
    }

    /// Returns the durations of machine classes that both sides ran on, the latest only; pairs of base and head.
    pub fn comparable(&self) -> Vec<(Vec<f64>, Vec<f64>)> {
        let latest = |values: &[f64], count: usize| values[values.len().saturating_sub(count)..].to_vec();
        self.base
            .passed_ms
            .iter()
            .filter_map(|(machine, base)| {
                let head = self.head.passed_ms.get(machine)?;
                Some((latest(base, LATEST_BASE), latest(head, LATEST_HEAD)))
            })
            .collect()
    }
}

impl Runs {
    fn end(&mut self, outcome: Outcome, tree: Tree) {
        if outcome != Outcome::Cancelled {
            self.ended += 1;
            self.failed += u64::from(outcome == Outcome::Failed);
            *self.trees.entry(tree).or_default() |= outcome == Outcome::Failed;
        }
    }

    fn measure(&mut self, outcome: Outcome, machine: Option<Name>, duration_ms: f64) {
        if outcome == Outcome::Passed && duration_ms.is_finite() && duration_ms > 0.0 {
            self.passed_ms.entry(machine).or_default().push(duration_ms);
        }
    }

    /// Returns the trees it ran on and how many of them it failed on.
    pub fn trees(&self) -> (u64, u64) {
        (self.trees.len() as u64, self.trees.values().filter(|failed| **failed).count() as u64)
    }

    /// Returns all durations.
    pub fn all_ms(&self) -> Vec<f64> {
        self.passed_ms.values().flatten().copied().collect()
    }
}
