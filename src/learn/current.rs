//! Whether a step still belongs to its workflow: of one that was renamed or taken out nothing is left to mend.

use crate::scan::History;

/// Executions of the workflow without the step that say nothing yet.
const FEW: usize = 10;

/// A step that stayed away for this many times its longest pause is gone.
const PAUSES: usize = 3;

/// Returns whether the step with these `rows` is still part of the workflow with these `executions`, both oldest first: not
/// where it has stayed away for more than ten executions of the whole workflow and for three times its longest pause before.
pub(crate) fn is_current(history: &History, executions: &[usize], rows: &[usize]) -> bool {
    let whole: Vec<usize> = executions.iter().copied().filter(|at| !history.is_partial(*at)).collect();
    let mut places: Vec<usize> =
        rows.iter().filter_map(|row| whole.binary_search(&(history.attempts.execution[*row] as usize)).ok()).collect();
    places.dedup();
    let Some(last) = places.last() else { return true };
    let pause = places.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or(1);
    whole.len() - 1 - last <= FEW.max(PAUSES * pause)
}
