//! Rule about needs: a step that waits for another though it has passed without it.

use std::collections::BTreeSet;

use super::Finding;
use super::view::{Candidate, View};
use crate::learn::again::{past, plan_of};
use crate::learn::beta::above;
use crate::learn::median;
use crate::plan;
use crate::record::Digest;

/// A step does without a need where it passes more often than this when that did not run.
const PASSES: f64 = 0.7;

/// Latest executions that are simulated without the need.
const LATEST: usize = 50;

/// The share of the wall time that has to be saved.
const WORTH: f64 = 0.05;

/// Searches the needs of the latest whole execution.
///
/// A step ran without its need in executions of selected steps, or of an older graph. Trees on which the need had passed
/// before do not count: what it made may still have lain there.
pub(super) fn search(view: &View, candidates: &mut Vec<Candidate>) {
    let Some(latest) = view.whole().next_back() else { return };
    let attempts = &view.history.attempts;
    for row in view.rows(latest) {
        let step = view.history.names.text(attempts.step[row]);
        let Some(rows) = view.steps.get(step) else { continue };
        for need in &attempts.needs_lists[attempts.needs[row] as usize] {
            let need = view.history.names.text(*need);
            let Some(needed) = view.steps.get(need) else { continue };
            let ran: BTreeSet<usize> = needed.iter().map(|row| view.execution(*row)).collect();
            let mut trees: BTreeSet<Digest> = BTreeSet::new();
            let mut without: Vec<(usize, bool)> = Vec::new();
            let mut made = needed.iter().filter(|row| view.passed(**row)).map(|row| view.execution(*row)).peekable();
            for (at, rows) in view.by_execution(rows) {
                while let Some(earlier) = made.next_if(|made| *made < at) {
                    trees.extend(view.history.executions.tree[earlier]);
                }
                let fresh = view.history.executions.tree[at].is_some_and(|tree| !trees.contains(&tree));
                if fresh && !ran.contains(&at) {
                    without.push((at, rows.iter().any(|row| view.passed(*row))));
                }
            }
            if without.is_empty() {
                continue;
            }
            let (passed, tried) = (without.iter().filter(|(_, passed)| *passed).count() as u64, without.len() as u64);
            let found = saved(view, latest, step, need).map(|(saved_ms, wall_ms)| {
                let finding = Finding::SerialChain { need: need.to_owned(), passed, tried, saved_ms, wall_ms };
                (finding, without.iter().filter(|(_, passed)| *passed).map(|(at, _)| *at).collect())
            });
            candidates.push(Candidate::posterior(Some(step), above(PASSES, passed, tried), tried, found));
        }
    }
}

/// Returns what recent executions would have saved without the need, and what they took, median milliseconds in
/// simulation; `None` where that is not worth it.
fn saved(view: &View, latest: usize, step: &str, need: &str) -> Option<(f64, f64)> {
    let slots = view.history.executions.slots[latest].max(2);
    let plan = plan_of(view.history, view.rows(latest), None, slots, None)?;
    let free = plan_of(view.history, view.rows(latest), None, slots, Some((step, need)))?;
    let times: Vec<(f64, f64)> = view
        .whole()
        .rev()
        .take(LATEST)
        .filter_map(|at| past(view.history, view.rows(at), &plan))
        .map(|past| {
            let wall = |plan| plan::simulate(plan, &past.durations_ms, slots).duration_ms();
            (wall(&plan) - wall(&free), wall(&plan))
        })
        .collect();
    let saved = median(&times.iter().map(|(saved, _)| *saved).collect::<Vec<_>>())?;
    let wall = median(&times.iter().map(|(_, wall)| *wall).collect::<Vec<_>>())?;
    (saved >= WORTH * wall).then_some((saved, wall))
}
