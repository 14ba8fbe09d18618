//! What an execution that goes on with an earlier one need not do again, by the records of that one.

use std::collections::{BTreeMap, BTreeSet};

use super::recorder::{command_of, has_values};
use super::{Attempt, Digest, Execution, Outcome, Source};
use crate::plan::{Plan, Resumed};
use crate::workflow::{Step, StepId};

/// The digits of an execution's id that people read.
const SHORT: usize = 8;

/// An execution with its attempts.
#[derive(Debug, Clone, PartialEq)]
pub struct Earlier {
    /// The execution.
    pub execution: Execution,
    /// Its attempts.
    pub attempts: Vec<Attempt>,
}

/// What is known of now, to compare with then.
pub struct Now<'a> {
    /// Whether the sources are as they were; `None` where that is unknown.
    pub same_sources: &'a dyn Fn(&Source) -> Option<bool>,
    /// The keyed hash of a step's command and environment, see [`Attempt::filled`].
    pub filled: &'a dyn Fn(&Step) -> Option<Digest>,
    /// The keyed hash of what a step's declared inputs name, see [`Attempt::inputs`].
    pub inputs: &'a dyn Fn(&Step) -> Option<Digest>,
}

impl std::fmt::Debug for Now<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Now").finish_non_exhaustive()
    }
}

/// How far an execution came, and what of that does not count any more.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Resumption {
    /// What the plan takes over.
    pub resumed: Resumed,
    /// Steps that had started and never ended, by the order of the plan.
    pub in_flight: Vec<StepId>,
    /// Steps that had passed and run again, with the reason.
    pub again: Vec<(StepId, Again)>,
    /// Steps that need not run again although what git tracks has changed, since their declared inputs have not.
    pub by_inputs: Vec<StepId>,
}

/// Why a step that had passed runs again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Again {
    /// What git tracks has changed, or how it was is not known.
    Sources,
    /// What its declared inputs name has changed.
    Inputs,
    /// Its command has changed.
    Command,
    /// The values of its variables or its environment have changed, or are not known.
    Values,
    /// It was taken back by its `undo` command.
    Undone,
    /// A step that it needs runs again.
    Needs(StepId),
}

/// Returns what is left to do of the last of `chain`: the execution that is resumed, after those that it went on with
/// itself, oldest first.
///
/// A step need not run again where its last attempt passed, on the same inputs, with the same command, variables and
/// environment, and so did all steps that it needs. Its inputs are what it declares, where these were hashed then; else all
/// that git tracks.
pub fn resumption(plan: &Plan, chain: &[Earlier], now: &Now) -> Resumption {
    let mut found = Resumption::default();
    if let Some(last) = chain.last() {
        found.resumed.execution = last.execution.id.to_string().chars().take(SHORT).collect();
    }
    let same: Vec<bool> =
        chain.iter().map(|earlier| (now.same_sources)(&earlier.execution.source).unwrap_or(false)).collect();
    let mut kept = BTreeSet::new();
    let mut ends: BTreeMap<(usize, u64, StepId), StepId> = BTreeMap::new();
    for &index in &plan.order {
        let planned = &plan.steps[index.at()];
        let (step, id) = (&planned.step, planned.id());
        let Some((place, last)) = last_attempt(chain, id) else { continue };
        // No step is tried so often: a broken record says it, from which one still can count on.
        found.resumed.tried.insert(id.clone(), last.attempt.min(u32::MAX / 2));
        if last.outcome == Outcome::Cancelled && last.duration_ms.is_none() && last.undone.is_none() {
            found.in_flight.push(id.clone());
        }
        if last.outcome != Outcome::Passed {
            continue;
        }
        let open = |need: &&crate::plan::StepIndex| {
            plan.steps[need.at()].skip.is_none() && !kept.contains(plan.steps[need.at()].id())
        };
        let why = if last.undone.is_some() {
            Some(Again::Undone)
        } else if let Some(inputs) = changed(step, last, same[place], now) {
            Some(inputs)
        } else if last.command != command_of(step) {
            Some(Again::Command)
        } else if last.filled != (now.filled)(step) || (last.filled.is_none() && has_values(step)) {
            Some(Again::Values)
        } else {
            planned.needs.iter().find(open).map(|need| Again::Needs(plan.steps[need.at()].id().clone()))
        };
        if let Some(why) = why {
            found.again.push((id.clone(), why));
        } else {
            if !same[place] {
                found.by_inputs.push(id.clone());
            }
            kept.insert(id);
            ends.insert((place, ended_ms(last), id.clone()), id.clone());
        }
    }
    found.resumed.passed = ends.into_values().collect();
    found
}

/// Returns how what a step reads differs from what its last attempt read; `None` where it is the same.
fn changed(step: &Step, last: &Attempt, same_sources: bool, now: &Now) -> Option<Again> {
    match last.inputs.filter(|_| !step.inputs.is_empty()) {
        Some(then) => ((now.inputs)(step) != Some(then)).then_some(Again::Inputs),
        None => (!same_sources).then_some(Again::Sources),
    }
}

/// Returns the last attempt at a step, with the place of its execution.
fn last_attempt<'a>(chain: &'a [Earlier], step: &StepId) -> Option<(usize, &'a Attempt)> {
    chain.iter().enumerate().rev().find_map(|(place, earlier)| {
        let own = earlier.attempts.iter().filter(|attempt| attempt.step == step.as_str());
        own.max_by_key(|attempt| attempt.attempt).map(|last| (place, last))
    })
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a cast of a float saturates")]
fn ended_ms(attempt: &Attempt) -> u64 {
    attempt.started_ms.saturating_add(attempt.duration_ms.unwrap_or(0.0) as u64)
}
