//! What the commits touch that executions ran on: what an execution changed is known before it starts.

use std::collections::{HashMap, HashSet};

use super::History;
use super::changes::{change, present};
use super::history::Change;
use crate::git::Repository;
use crate::record::{Digest, Outcome};
use crate::store;

/// Commits with executions that are looked at, the latest.
const MOST: usize = 2_000;
/// Commits between two with executions that still belong to the later one's change.
pub const BETWEEN: usize = 20;
/// The commit checked out and those executed last are looked at first; past so many new ones the rest waits for the next
/// time, so that no plan waits long for a history that it has not seen before.
const NEW: usize = 500;
/// Commits that are not here, in a shallow clone or after a rebase, before it is no longer asked for more.
const ABSENT: usize = 100;
/// The form in which they are kept.
const LABEL: &str = "touched 2";

/// Puts into `history`, which is that of one repository, the commits that its executions ran on, the one checked out, and
/// those between them, with what they touch; returns how many were compared for it. What an earlier call found is kept
/// in the git directory.
///
/// A history in which nothing failed is left as it is: there is nothing to tell from it.
pub fn touched(repository: &Repository, history: &mut History) -> usize {
    if !history.attempts.outcome.contains(&Outcome::Failed) {
        return 0;
    }
    let wanted = wanted(repository, history);
    let ran: HashSet<Digest> = wanted.iter().copied().collect();
    let file = repository.private_dir().join(store::cache::FOLDER).join("touched");
    let kept: Vec<Change> = store::cache::packed(&file, LABEL).unwrap_or_default();
    let mut known: HashMap<Digest, Change> = kept.into_iter().map(|change| (change.commit, change)).collect();
    let mut found: HashMap<Digest, Change> = HashMap::new();
    let (mut new, mut absent) = (0, 0);
    for commit in wanted {
        let mut next = Some(commit);
        for place in 0..=BETWEEN {
            let Some(at) = next.filter(|at| !found.contains_key(at) && (place == 0 || !ran.contains(at))) else {
                break;
            };
            let change = known.remove(&at).or_else(|| {
                let looks = new < NEW && absent < ABSENT;
                let seen = if looks { present(repository, &at).and_then(|id| change(repository, id)) } else { None };
                new += usize::from(seen.is_some());
                absent += usize::from(looks && seen.is_none());
                seen
            });
            let Some(change) = change else { break };
            next = change.parents.first().copied();
            found.insert(at, change);
        }
    }
    let mut changes: Vec<Change> = found.into_values().collect();
    changes.sort_by_key(|change| (change.time_s, change.commit));
    if new > 0 {
        // Where it cannot be kept, the next call compares again.
        let _ = store::cache::put_packed(&file, LABEL, &changes);
    }
    history.changes = changes;
    new
}

/// Returns the commit checked out, then those that executions ran on, the latest first.
fn wanted(repository: &Repository, history: &History) -> Vec<Digest> {
    let head = repository.head().ok().flatten().and_then(|head| Digest::truncated(head.bytes()));
    let mut seen = HashSet::new();
    let ran = history.executions.commit.iter().rev().copied().flatten();
    head.into_iter().chain(ran).filter(|commit| seen.insert(*commit)).take(MOST).collect()
}
