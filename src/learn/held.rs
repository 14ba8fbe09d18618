//! What held up the latest executions of a workflow: the share of the wall time that each step alone was waited for.

use std::collections::BTreeMap;
use std::ops::Range;

use super::timeline::{Role, Timeline};
use crate::record::Outcome;
use crate::scan::{History, Name};

/// Latest passed executions that are looked at.
const LATEST: usize = 100;

/// A step dominates an execution in which it alone holds up this share of the wall time.
pub(crate) const DOMINATES: f64 = 0.6;

/// One execution that passed as a whole.
pub(crate) struct Held {
    pub execution: usize,
    pub timeline: Timeline,
    pub roles: BTreeMap<Name, Role>,
}

/// Returns the latest of a workflow's `executions` that ran it as a whole, with several steps, and passed, oldest first.
pub(crate) fn held(history: &History, rows: &[Range<usize>], executions: &[usize]) -> Vec<Held> {
    let is_whole = |at: &usize| history.executions.outcome[*at] == Outcome::Passed && !history.is_partial(*at);
    let mut latest: Vec<usize> = executions.iter().copied().rev().filter(is_whole).take(LATEST).collect();
    latest.reverse();
    let one = |execution: usize| {
        let timeline = Timeline::of(history, rows[execution].clone());
        Held { execution, roles: timeline.roles(), timeline }
    };
    latest.into_iter().map(one).filter(|past| past.roles.len() > 1).collect()
}

impl Held {
    /// Returns the share of the wall time that a step alone held up, 0 to 1.
    pub fn share(&self, step: Name) -> f64 {
        self.roles.get(&step).map_or(0.0, |role| role.held_ms / self.timeline.wall_ms.max(1.0))
    }
}
