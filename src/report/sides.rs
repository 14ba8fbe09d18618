//! Which executions a comparison sets against which: a branch against its base, or this week against last.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::record::Digest;
use crate::scan::History;

const WEEK_MS: i64 = 7 * 24 * 3_600 * 1_000;

/// One side of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// What is compared with.
    Base,
    /// What is new.
    Head,
}

/// What the commits of one side are recognised by; all ids leave out meow's own data.
#[derive(Debug, Clone, Default)]
pub struct Landmarks {
    /// Their ids.
    pub commits: BTreeSet<Digest>,
    /// Their trees, and for the head the tree of the work in progress.
    pub trees: BTreeSet<Digest>,
    /// Their patch-ids.
    pub patches: BTreeSet<Digest>,
}

/// Both sides' commits.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// Reachable from the base.
    pub base: Landmarks,
    /// Reachable from the head but not from the base.
    pub head: Landmarks,
}

/// By what executions were found to belong to a commit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Found {
    /// By the commit itself.
    pub commit: u64,
    /// By a commit's tree, as after a rebase or a squash onto what the branch stood on.
    pub tree: u64,
    /// By a commit's patch-id, as after a rebase onto a branch that moved on.
    pub patch: u64,
    /// By the patch-id of the whole branch, as after a squash onto a branch that moved on.
    pub range_patch: u64,
}

/// Returns the side of every execution by what it ran on, and by what that was recognised; `None` where it belongs to
/// neither.
///
/// An execution of a clean work tree belongs to its commit. A dirty one belongs to the commit that has its tree, never
/// to the parent; tries that never were committed belong to nobody. After a rebase or a squash the commit is gone: then
/// tree, patch-id and the patch-id of the range from the merge base are looked for, in that order. What both sides hold
/// is the base's.
pub fn by_source(history: &History, sources: &Sources) -> (Vec<Option<Side>>, Found) {
    let executions = &history.executions;
    let mut found = Found::default();
    let side = |id: Option<Digest>, ids: fn(&Landmarks) -> &BTreeSet<Digest>| {
        let id = id?;
        if ids(&sources.base).contains(&id) {
            Some(Side::Base)
        } else {
            ids(&sources.head).contains(&id).then_some(Side::Head)
        }
    };
    let sides = (0..executions.len()).map(|place| {
        let clean = executions.dirty[place] != Some(true);
        let commit = executions.commit[place].filter(|_| clean);
        for (id, ids, count) in [
            (commit, (|side| &side.commits) as fn(&Landmarks) -> &BTreeSet<Digest>, &mut found.commit),
            (executions.tree[place], |side| &side.trees, &mut found.tree),
            (executions.patch[place], |side| &side.patches, &mut found.patch),
            (executions.range_patch[place], |side| &side.patches, &mut found.range_patch),
        ] {
            if let Some(side) = side(id, ids) {
                *count += 1;
                return Some(side);
            }
        }
        None
    });
    (sides.collect(), found)
}

/// Returns the side of every execution by its start: the seven days before `now_ms` against the seven before those.
pub fn by_week(history: &History, now_ms: i64) -> Vec<Option<Side>> {
    let side = |started: &i64| match now_ms - started {
        age if age < WEEK_MS => Some(Side::Head),
        age if age < 2 * WEEK_MS => Some(Side::Base),
        _ => None,
    };
    history.executions.started_ms.iter().map(side).collect()
}
