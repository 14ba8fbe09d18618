//! Rules about where the time goes: a step that holds up all others, and waits for a free slot.

use super::Finding;
use super::view::{Candidate, View};
use crate::learn::beta::above;
use crate::learn::median;
use crate::learn::timeline::Timeline;

/// Latest passed executions that are looked at.
const LATEST: usize = 100;

/// A step dominates an execution in which it alone holds up this share of the wall time.
const SHARE: f64 = 0.6;

/// Steps queue in an execution where the time they wait for a slot comes to this share of the wall time.
const QUEUED: f64 = 0.1;

/// Both have to hold in more than half of the executions.
const MOST: f64 = 0.5;

pub(super) fn search(view: &View, candidates: &mut Vec<Candidate>) {
    let mut recent: Vec<usize> = view.whole().rev().take(LATEST).collect();
    recent.reverse();
    let n = recent.len() as u64;
    if view.steps.len() < 2 || recent.is_empty() {
        return;
    }
    let timelines: Vec<_> = recent
        .iter()
        .map(|at| {
            let timeline = Timeline::of(view.history, view.rows(*at));
            (*at, timeline.roles(), timeline.wall_ms.max(1.0))
        })
        .collect();
    for step in view.steps.keys() {
        let Some(name) = view.history.names.find(step) else { continue };
        let shares: Vec<(usize, f64)> = timelines
            .iter()
            .map(|(at, roles, wall)| (*at, roles.get(&name).map_or(0.0, |role| role.held_ms / wall)))
            .collect();
        candidates.push(most(Some(step), &shares, SHARE, n, |share, dominated| Finding::Bottleneck {
            share,
            dominated,
            executions: n,
        }));
    }
    let queued: Vec<(usize, f64)> = timelines.iter().map(|(at, _, wall)| (*at, queued_ms(view, *at) / wall)).collect();
    candidates.push(most(None, &queued, QUEUED, n, |share, waited| Finding::Queueing { share, waited, executions: n }));
}

/// Tests whether a share reaches `bar` in most executions.
fn most(
    step: Option<&str>,
    shares: &[(usize, f64)],
    bar: f64,
    n: u64,
    finding: impl Fn(f64, u64) -> Finding,
) -> Candidate {
    let high: Vec<usize> = shares.iter().filter(|(_, share)| *share >= bar).map(|(at, _)| *at).collect();
    let k = high.len() as u64;
    let middle = median(&shares.iter().map(|(_, share)| *share).collect::<Vec<_>>()).unwrap_or(0.0);
    Candidate::posterior(step, above(MOST, k, n), n, Some((finding(middle, k), high)))
}

/// Returns the mean time that a step of the execution waited for a slot, over steps that ran.
fn queued_ms(view: &View, at: usize) -> f64 {
    let attempts = &view.history.attempts;
    let waits: Vec<f64> = view
        .rows(at)
        .filter(|row| attempts.attempt[*row] == 1)
        .map(|row| attempts.started_ms[row] - attempts.ready_ms[row])
        .filter(|wait| wait.is_finite())
        .collect();
    #[expect(clippy::cast_precision_loss, reason = "steps stay far below 2^53")]
    let count = waits.len().max(1) as f64;
    waits.iter().map(|wait| wait.max(0.0)).sum::<f64>() / count
}
