//! Levels that people accepted as the norm: what was measured before teaches no duration any more.

use std::collections::BTreeMap;

use super::trends::trends;
use crate::scan::{History, Name};

/// Since when, in milliseconds since 1970, the level of a workflow's step is the norm; without a step, of all of them.
pub type Norms = BTreeMap<(String, Option<String>), i64>;

/// Returns the history without the durations that accepted levels made obsolete.
///
/// A norm begins with the last change before it was accepted, where one is found, so that what proved the new level
/// counts; else when it was accepted. Outcomes stay: that a step takes longer says nothing about how it ends.
#[must_use]
pub fn normed(mut history: History, accepted: &Norms) -> History {
    if accepted.is_empty() {
        return history;
    }
    let since = since(&history, accepted);
    let (executions, attempts) = (&mut history.executions, &mut history.attempts);
    for place in 0..executions.len() {
        if since.get(&(executions.workflow[place], None)).is_some_and(|since| executions.started_ms[place] < *since) {
            executions.duration_ms[place] = f64::NAN;
        }
    }
    for row in 0..attempts.len() {
        let place = attempts.execution[row] as usize;
        let workflow = executions.workflow[place];
        let norms = [since.get(&(workflow, None)), since.get(&(workflow, Some(attempts.step[row])))];
        if norms.into_iter().flatten().any(|since| executions.started_ms[place] < *since) {
            attempts.duration_ms[row] = f64::NAN;
        }
    }
    history
}

fn since(history: &History, accepted: &Norms) -> BTreeMap<(Name, Option<Name>), i64> {
    let trends = trends(history);
    let mut found = BTreeMap::new();
    for ((workflow, step), at) in accepted {
        let changes = trends
            .iter()
            .filter(|trend| trend.measure == "duration_ms" && trend.workflow == *workflow)
            .filter(|trend| Some(&trend.step) == step.as_ref() && trend.first_after.started_ms <= *at);
        // Each machine class shows it when it first runs again; the first of them says when it was.
        let mut last: BTreeMap<_, i64> = BTreeMap::new();
        for trend in changes {
            let known = last.entry(&trend.machine).or_insert(i64::MIN);
            *known = trend.first_after.started_ms.max(*known);
        }
        let last = last.into_values().min().unwrap_or(*at);
        // A name that no record has speaks of nothing.
        let step = step.as_ref().map(|step| history.names.find(step));
        if let (Some(workflow), None | Some(Some(_))) = (history.names.find(workflow), step) {
            found.insert((workflow, step.flatten()), last);
        }
    }
    found
}
