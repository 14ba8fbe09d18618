//! Rule about memory: a step that fails more often while the steps running beside it fill the machine.

use std::collections::BTreeMap;

use super::Finding;
use super::idle::FULL;
use super::view::{Candidate, View};
use crate::learn::again::memory_bytes;
use crate::learn::statistics::fisher;

/// Attempts on a full machine, and others, at least.
const FEW: usize = 5;

pub(super) fn search(view: &View, candidates: &mut Vec<Candidate>) {
    let usual = view.usual_peaks();
    // Whether the machine was full while an attempt ran.
    let mut full: BTreeMap<usize, bool> = BTreeMap::new();
    for at in view.executions.iter().copied() {
        let machine = view.history.executions.machine[at].map(|machine| view.history.names.text(machine));
        if let Some(memory) = machine.and_then(memory_bytes) {
            crowds(view, at, memory, &usual, &mut full);
        }
    }
    for (step, rows) in &view.steps {
        let known: Vec<(usize, bool)> = rows.iter().filter_map(|row| Some((*row, *full.get(row)?))).collect();
        let side = |wanted: bool| known.iter().filter(move |(_, full)| *full == wanted).map(|(row, _)| *row);
        let (crowded, free): (Vec<usize>, Vec<usize>) = (side(true).collect(), side(false).collect());
        if crowded.len() < FEW || free.len() < FEW {
            continue;
        }
        let failed = |rows: &[usize]| rows.iter().copied().filter(|row| !view.passed(*row)).collect::<Vec<_>>();
        let (red, other) = (failed(&crowded), failed(&free));
        let (crowded, free) = (crowded.len() as u64, free.len() as u64);
        let (crowded_failed, free_failed) = (red.len() as u64, other.len() as u64);
        let p_value = fisher(crowded_failed, crowded, free_failed, free);
        let proof = red.iter().map(|row| view.execution(*row)).collect();
        let finding = Finding::MemoryCollision { crowded_failed, crowded, free_failed, free };
        candidates.push(Candidate::tested(Some(step), p_value, crowded + free, Some((finding, proof))));
    }
}

/// Says of each attempt of an execution that ran beside others whether the usual peaks filled the memory at one time.
fn crowds(view: &View, at: usize, memory: f64, usual: &BTreeMap<&str, f64>, full: &mut BTreeMap<usize, bool>) {
    let attempts = &view.history.attempts;
    let peak = |row: usize| usual.get(view.history.names.text(attempts.step[row])).copied().unwrap_or(0.0);
    let runs = |row: usize, moment: f64| {
        attempts.started_ms[row] <= moment && moment < attempts.started_ms[row] + attempts.duration_ms[row]
    };
    let rows: Vec<usize> = view.rows(at).filter(|row| attempts.duration_ms[*row].is_finite()).collect();
    // Memory only grows where an attempt starts.
    let sums: Vec<(f64, f64)> = rows
        .iter()
        .map(|row| attempts.started_ms[*row])
        .map(|moment| (moment, rows.iter().filter(|row| runs(**row, moment)).map(|row| peak(*row)).sum()))
        .collect();
    for row in rows {
        let most = sums.iter().filter(|(moment, _)| runs(row, *moment)).map(|(_, sum)| *sum).fold(0.0, f64::max);
        full.insert(row, most > FULL * memory);
    }
}
