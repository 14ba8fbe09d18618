//! What was learnt, as it is kept: with a mark of the history behind it, so that only what came since is learnt anew.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::knowledge::Knowledge;
use super::next::{Next, next};
use super::state::{State, project};
use super::{patterns, timeline};
use crate::record::Digest;
use crate::scan::{History, Name};

/// The form in which it is kept and the way in which it is learnt; raised with every change of either, so that what an
/// older meow kept says nothing.
pub const FORMAT: u32 = 5;

/// What a history taught; what it says is the same whether it was kept on the way or learnt in one go.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Learnt {
    mark: Mark,
    state: State,
    next: Vec<Next>,
}

/// The executions that were learnt from, the first of a history.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct Mark {
    executions: usize,
    /// Of everything about them that learning reads.
    digest: Option<Digest>,
}

impl Learnt {
    /// Returns what a history teaches, and how many of its executions were learnt from beyond what was `kept`.
    ///
    /// Where the history begins with the executions that were learnt from, only the others are learnt. Where records came
    /// late, changed or went, that start differs, and everything is learnt from nothing.
    pub fn after(kept: Option<Self>, history: &History) -> (Self, usize) {
        let kept = kept.filter(|kept| kept.next.len() == kept.state.workflows.len()).unwrap_or_default();
        let [start, whole] = marks(history, kept.mark.executions);
        if kept.mark == whole {
            return (kept, 0);
        }
        let is_start = kept.mark == start;
        let new = State::since(history, if is_start { start.executions } else { 0 });
        // Of workflows that nothing came of since, what comes next stays the same.
        let same = kept.state.workflows.keys().cloned().zip(kept.next);
        let same: BTreeMap<_, _> = same.filter(|(key, _)| is_start && !new.workflows.contains_key(key)).collect();
        let state = if is_start { kept.state.merge(new) } else { new };
        let next = next(&state, |key| same.get(key).cloned());
        let new = whole.executions - if is_start { start.executions } else { 0 };
        (Self { mark: whole, state, next }, new)
    }

    /// Returns how many executions it was learnt from.
    pub fn executions(&self) -> usize {
        self.mark.executions
    }

    /// Returns what is known.
    pub fn knowledge(&self) -> Knowledge {
        patterns::knowledge(&self.state, &self.next)
    }
}

/// Returns the marks of a history's first executions and of all.
fn marks(history: &History, first: usize) -> [Mark; 2] {
    let names = (0..).map(Name).take(history.names.len());
    let names: Vec<Digest> = names.map(|name| Digest::of(history.names.text(name).as_bytes())).collect();
    let lists: Vec<Digest> = history
        .attempts
        .needs_lists
        .iter()
        .map(|list| Digest::of(&list.iter().flat_map(|need| *names[need.0 as usize].bytes()).collect::<Vec<u8>>()))
        .collect();
    let repositories: Vec<Digest> = (0..)
        .zip(&history.repositories)
        .map(|(place, facts)| Digest::of(format!("{}\n{}", project(history, place), facts.name).as_bytes()))
        .collect();
    let (executions, attempts) = (&history.executions, &history.attempts);
    let mut hasher = blake3::Hasher::new();
    let mut start = Mark::default();
    let mut bytes: Vec<u8> = Vec::new();
    for (place, rows) in timeline::rows(history).into_iter().enumerate() {
        if place == first {
            hasher.update(&std::mem::take(&mut bytes));
            start = mark(first, &hasher);
        }
        let name = |name: Name| names[name.0 as usize].bytes();
        bytes.extend(executions.id[place].bytes());
        bytes.extend(repositories[executions.repository[place] as usize].bytes());
        bytes.extend(name(executions.workflow[place]));
        bytes.extend(executions.started_ms[place].to_le_bytes());
        bytes.extend(executions.duration_ms[place].to_le_bytes());
        bytes.extend([executions.outcome[place] as u8, u8::from(history.is_partial(place))]);
        bytes.extend(executions.machine[place].map_or(&[0; 12], name));
        bytes.extend(executions.tree[place].as_ref().map_or(&[0; 12], Digest::bytes));
        bytes.extend((rows.len() as u64).to_le_bytes());
        for row in rows {
            bytes.extend(name(attempts.step[row]));
            bytes.extend(attempts.attempt[row].to_le_bytes());
            bytes.push(attempts.outcome[row] as u8);
            let numbers = [
                &attempts.ready_ms,
                &attempts.started_ms,
                &attempts.duration_ms,
                &attempts.cpu_ms,
                &attempts.peak_memory_bytes,
            ];
            bytes.extend(numbers.into_iter().flat_map(|column| column[row].to_le_bytes()));
            let given = [&attempts.command[row], &attempts.given[row]];
            bytes.extend(given.into_iter().flat_map(|hash| hash.as_ref().map_or(&[0; 12], Digest::bytes)));
            bytes.extend(lists[attempts.needs[row] as usize].bytes());
        }
        // In pieces of which several are hashed at once.
        if bytes.len() >= 1 << 17 {
            hasher.update(&bytes);
            bytes.clear();
        }
    }
    hasher.update(&bytes);
    let whole = mark(executions.len(), &hasher);
    if first == executions.len() {
        start = mark(first, &hasher);
    }
    [start, whole]
}

fn mark(executions: usize, hasher: &blake3::Hasher) -> Mark {
    Mark { executions, digest: Digest::truncated(hasher.finalize().as_bytes()) }
}
