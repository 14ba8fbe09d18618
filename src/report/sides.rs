//! Which executions a comparison sets against which: a branch against its base, or this week against last.

use std::collections::BTreeSet;

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

/// The commits of both sides, with the trees they hold; all ids leave out meow's own data.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// Commits reachable from the base.
    pub base_commits: BTreeSet<Digest>,
    /// Their trees.
    pub base_trees: BTreeSet<Digest>,
    /// Commits reachable from the head but not from the base.
    pub head_commits: BTreeSet<Digest>,
    /// Their trees, and the tree of the work in progress.
    pub head_trees: BTreeSet<Digest>,
}

/// Returns the side of every execution by what it ran on; `None` where it belongs to neither.
///
/// An execution of a clean work tree belongs to its commit. A dirty one belongs to the commit that has its tree, never
/// to the parent; tries that never were committed belong to nobody. A tree that both sides hold is the base's.
pub fn by_source(history: &History, sources: &Sources) -> Vec<Option<Side>> {
    let executions = &history.executions;
    let side = |id: Option<Digest>, base: &BTreeSet<Digest>, head: &BTreeSet<Digest>| {
        let id = id?;
        if base.contains(&id) { Some(Side::Base) } else { head.contains(&id).then_some(Side::Head) }
    };
    (0..executions.len())
        .map(|place| {
            let tree = || side(executions.tree[place], &sources.base_trees, &sources.head_trees);
            if executions.dirty[place] == Some(true) {
                return tree();
            }
            side(executions.commit[place], &sources.base_commits, &sources.head_commits).or_else(tree)
        })
        .collect()
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
