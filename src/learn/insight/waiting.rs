//! Rules about where the time goes: a step that holds up all others, waits for a free slot, and slots that nobody uses.

use super::Finding;
use super::capacity::capacity;
use super::finding::Held as Cause;
use super::idle::{SlotUse, slot_use};
use super::view::{Candidate, View};
use crate::learn::beta::above;
use crate::learn::held::{DOMINATES, held};
use crate::learn::median;

/// Steps queue in an execution where the time they wait for a slot comes to this share of the wall time, and slots are
/// held where they are idle for this share of their time though a step is ready.
const MUCH: f64 = 0.1;

/// It has to hold in more than half of the executions.
const MOST: f64 = 0.5;

pub(super) fn search(view: &View, candidates: &mut Vec<Candidate>) {
    let recent = held(view.history, view.all_rows(), &view.executions);
    let n = recent.len() as u64;
    if view.steps.len() < 2 || recent.is_empty() {
        return;
    }
    for step in view.steps.keys() {
        let Some(name) = view.history.names.find(step) else { continue };
        let shares: Vec<(usize, f64)> = recent.iter().map(|past| (past.execution, past.share(name))).collect();
        candidates.push(most(Some(step), &shares, DOMINATES, |share, dominated| Finding::Bottleneck {
            share,
            dominated,
            executions: n,
        }));
    }
    let usual = view.usual_peaks();
    let used: Vec<Option<SlotUse>> = recent.iter().map(|past| slot_use(view, past.execution, &usual)).collect();
    let queued: Vec<(usize, f64)> = recent
        .iter()
        .zip(&used)
        .map(|(past, used)| {
            let queued_ms = queued_ms(view, past.execution, used.as_ref());
            (past.execution, queued_ms / past.timeline.wall_ms.max(1.0))
        })
        .collect();
    let capacity = capacity(view);
    candidates.push(most(None, &queued, MUCH, |share, waited| Finding::Queueing {
        share,
        waited,
        executions: n,
        capacity,
    }));
    let known = recent.iter().zip(used).filter_map(|(past, used)| Some((past.execution, used?)));
    candidates.extend(idle(&known.collect::<Vec<_>>()));
}

/// Tests whether slots are idle though a step is ready; `None` where no slots are recorded.
fn idle(used: &[(usize, SlotUse)]) -> Option<Candidate> {
    let shares: Vec<(usize, f64)> = used.iter().map(|(at, used)| (*at, used.held_ms() / used.slot_ms)).collect();
    let held_ms = median(&used.iter().map(|(_, used)| used.held_ms()).collect::<Vec<_>>())?;
    let sum = |of: fn(&SlotUse) -> f64| used.iter().map(|(_, used)| of(used)).sum::<f64>();
    let causes = [
        (Cause::Locks, sum(|used| used.locks_ms)),
        (Cause::Memory, sum(|used| used.memory_ms)),
        (Cause::Processors, sum(|used| used.processors_ms)),
        (Cause::Other, sum(|used| used.other_ms)),
    ];
    let cause = causes.into_iter().max_by(|a, b| a.1.total_cmp(&b.1)).map(|(cause, _)| cause)?;
    let n = shares.len() as u64;
    Some(most(None, &shares, MUCH, |share, held| Finding::IdleSlots { share, held, executions: n, held_ms, cause }))
}

/// Tests whether a share reaches `bar` in most executions.
fn most(step: Option<&str>, shares: &[(usize, f64)], bar: f64, finding: impl Fn(f64, u64) -> Finding) -> Candidate {
    let high: Vec<usize> = shares.iter().filter(|(_, share)| *share >= bar).map(|(at, _)| *at).collect();
    let (k, n) = (high.len() as u64, shares.len() as u64);
    let middle = median(&shares.iter().map(|(_, share)| *share).collect::<Vec<_>>()).unwrap_or(0.0);
    Candidate::posterior(step, above(MOST, k, n), n, Some((finding(middle, k), high)))
}

/// Returns the mean time that a step of the execution waited for a slot, over steps that ran: while all slots worked, or
/// since it was ready where no slots are recorded.
fn queued_ms(view: &View, at: usize, used: Option<&SlotUse>) -> f64 {
    let attempts = &view.history.attempts;
    let waits: Vec<f64> = view
        .rows(at)
        .filter(|row| attempts.attempt[*row] == 1)
        .map(|row| attempts.started_ms[row] - attempts.ready_ms[row])
        .filter(|wait| wait.is_finite())
        .collect();
    #[expect(clippy::cast_precision_loss, reason = "steps stay far below 2^53")]
    let count = waits.len().max(1) as f64;
    used.map_or_else(|| waits.iter().map(|wait| wait.max(0.0)).sum(), |used| used.queued_ms) / count
}
