//! What a plan asks of one workflow, straight from a history: one step after the other, and nothing but that.

use std::collections::HashMap;

use super::WorkflowPattern;
use super::hints::hints;
use super::patterns::of_step;
use super::state::Series;
use super::window::KEPT;
use crate::plan::Hints;
use crate::record::Outcome;
use crate::scan::{History, Name};

/// Returns what a history of one repository says about each step of a workflow on a machine class.
///
/// The same as [`hints`] says of the workflow's pattern, but for durations: those are the plain rule's, since
/// [`super::foresee`] says how long the next attempt runs. Holds the samples of one step at a time, where a pattern holds
/// those of all.
pub fn outlook(history: &History, workflow: &str, machine: &str) -> Hints {
    let Some(wanted) = history.names.find(workflow) else { return Hints::default() };
    let here = history.names.find(machine);
    let typical = typical_peak(history);
    let (attempts, executions) = (&history.attempts, &history.executions);
    let mut rows: Vec<(Name, u32)> = (0..)
        .zip(&attempts.step)
        .filter(|(row, _)| executions.workflow[attempts.execution[*row as usize] as usize] == wanted)
        .map(|(row, step)| (*step, row))
        .collect();
    rows.sort_unstable();
    let mut steps = Vec::new();
    for rows in rows.chunk_by(|one, other| one.0 == other.0) {
        let (mut all, mut own, mut failed) = (Series::default(), Series::default(), None);
        for row in rows.iter().map(|(_, row)| *row as usize) {
            let execution = attempts.execution[row];
            let retried = failed == Some(execution);
            if attempts.outcome[row] == Outcome::Failed {
                failed = Some(execution);
            }
            all.see_end(history, row, retried);
            if here.is_some() && executions.machine[execution as usize] == here {
                own.see_end(history, row, retried);
            }
        }
        let step = history.names.text(rows[0].0).to_owned();
        let known = [(None, all), (Some(machine.to_owned()), own)].into_iter();
        let known = known.filter(|(_, series)| series.passed + series.failed > 0);
        let known = known.map(|(machine, mut series)| {
            series.trim();
            of_step(&(step.clone(), machine), &series, None, typical)
        });
        steps.extend(hints(&WorkflowPattern { steps: known.collect(), ..WorkflowPattern::default() }, machine).steps);
    }
    // Built in one go its nodes are full; steps come in the order in which they first ran.
    Hints { steps: steps.into_iter().collect(), order: None }
}

/// Returns the mean of the latest peaks of every step of every workflow, in bytes; 0 where none is known.
fn typical_peak(history: &History) -> f64 {
    let attempts = &history.attempts;
    let mut seen: HashMap<(Name, Name), usize> = HashMap::new();
    let (mut sum, mut n) = (0.0, 0.0);
    for row in (0..attempts.len()).rev() {
        let peak = attempts.peak_memory_bytes[row];
        if attempts.outcome[row] == Outcome::Cancelled || !(peak.is_finite() && peak >= 0.0) {
            continue;
        }
        let workflow = history.executions.workflow[attempts.execution[row] as usize];
        let seen = seen.entry((workflow, attempts.step[row])).or_default();
        *seen += 1;
        if *seen <= KEPT {
            (sum, n) = (sum + peak, n + 1.0);
        }
    }
    sum / f64::max(n, 1.0)
}
