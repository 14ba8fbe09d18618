//! How many slots a workflow needs: its recent executions run again, in simulation, with more and more of them.

use serde::Serialize;

use super::view::View;
use crate::learn::again::{Past, cores, past, plan_of};
use crate::learn::{median, statistics};
use crate::plan;

/// Latest passed executions that are simulated, at most and at least.
const EXECUTIONS: (usize, usize) = (50, 5);

/// More slots are enough where nine of ten executions take at most this share longer than with a slot for each step.
const NEAR: f64 = 0.05;

/// What more slots would bring, in simulation.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Capacity {
    /// The slots that the latest execution had.
    pub slots: u32,
    /// The fewest that are enough; more would not make nine of ten executions clearly faster.
    pub enough: u32,
    /// What nine of ten recent executions take at most with the slots of today, in milliseconds.
    pub p90_ms: f64,
    /// The same with enough slots.
    pub enough_p90_ms: f64,
    /// What enough slots save an execution, median in milliseconds.
    pub saved_ms: f64,
}

/// Returns what more slots would bring; `None` where too few executions have the latest one's steps, machine and slots.
///
/// However many slots there are, no execution is faster than its processor time over the machine's processors.
pub(super) fn capacity(view: &View) -> Option<Capacity> {
    let executions = &view.history.executions;
    let latest = view.whole().next_back()?;
    let slots = executions.slots[latest];
    let machine = executions.machine[latest];
    let processors = machine.and_then(|machine| cores(view.history.names.text(machine))).map(f64::from);
    let plan = plan_of(view.history, view.rows(latest), None, slots.max(1), None).filter(|_| slots > 0)?;
    let alike = |at: &usize| executions.machine[*at] == machine && executions.slots[*at] == slots;
    let recent: Vec<Past> = view
        .whole()
        .rev()
        .filter(alike)
        .filter_map(|at| past(view.history, view.rows(at), &plan))
        .take(EXECUTIONS.0)
        .collect();
    if recent.len() < EXECUTIONS.1 {
        return None;
    }
    let wall = |past: &Past, slots: u32| {
        let least = processors.map_or(0.0, |processors| past.busy_ms / processors);
        plan::simulate(&plan, &past.durations_ms, slots).duration_ms().max(least)
    };
    let p90 = |slots: u32| {
        let walls: Vec<f64> = recent.iter().map(|past| wall(past, slots)).collect();
        statistics::interval(&walls).map_or(0.0, |known| known.p90)
    };
    let most = u32::try_from(plan.steps.len()).unwrap_or(u32::MAX).max(slots);
    let target = p90(most) * (1.0 + NEAR);
    let (mut low, mut high) = (slots, most);
    while low < high {
        let middle = low + (high - low) / 2;
        if p90(middle) <= target {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    let saved: Vec<f64> = recent.iter().map(|past| wall(past, slots) - wall(past, high)).collect();
    Some(Capacity { slots, enough: high, p90_ms: p90(slots), enough_p90_ms: p90(high), saved_ms: median(&saved)? })
}
