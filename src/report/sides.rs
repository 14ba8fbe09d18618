//! Which executions a comparison sets against which: a branch against its base, or this week against last.

use std::collections::{BTreeSet, HashSet};

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
    /// By a later execution of the same branch that a squash landed: the commit in between went into it.
    pub branch: u64,
}

/// Who recognises an execution, in the order in which they are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Commit,
    Tree,
    Patch,
    RangePatch,
}

/// Returns the side of every execution by what it ran on, and by what that was recognised; `None` where it belongs to
/// neither.
///
/// An execution of a clean work tree belongs to its commit. A dirty one belongs to the commit that has its tree, never
/// to the parent; tries that never were committed belong to nobody. After a rebase or a squash the commit is gone: then
/// tree, patch-id and the patch-id of the range from the merge base are looked for, in that order. What both sides hold
/// is the base's. Commits that a squash swallowed have no such id left: they go with the next execution of their branch
/// that is recognised on the base.
pub fn by_source(history: &History, sources: &Sources) -> (Vec<Option<Side>>, Found) {
    let mut found = Found::default();
    let recognised: Vec<Option<(Side, Way)>> =
        (0..history.executions.len()).map(|place| recognised(history, place, sources)).collect();
    for (_, way) in recognised.iter().flatten() {
        *match way {
            Way::Commit => &mut found.commit,
            Way::Tree => &mut found.tree,
            Way::Patch => &mut found.patch,
            Way::RangePatch => &mut found.range_patch,
        } += 1;
    }
    let mut sides: Vec<Option<Side>> = recognised.iter().map(|known| known.map(|(side, _)| side)).collect();
    for place in swallowed(history, &recognised) {
        sides[place] = Some(Side::Base);
        found.branch += 1;
    }
    (sides, found)
}

/// Returns the side of one execution by its own ids, and by which.
fn recognised(history: &History, place: usize, sources: &Sources) -> Option<(Side, Way)> {
    let executions = &history.executions;
    let side_of = |ids: fn(&Landmarks) -> &BTreeSet<Digest>, id: Option<Digest>| {
        let id = id?;
        let held = |side: &Landmarks| ids(side).contains(&id);
        if held(&sources.base) { Some(Side::Base) } else { held(&sources.head).then_some(Side::Head) }
    };
    let commit = executions.commit[place].filter(|_| is_clean(history, place));
    let by = |way| move |side| (side, way);
    side_of(|side| &side.commits, commit)
        .map(by(Way::Commit))
        .or_else(|| side_of(|side| &side.trees, executions.tree[place]).map(by(Way::Tree)))
        .or_else(|| side_of(|side| &side.patches, executions.patch[place]).map(by(Way::Patch)))
        .or_else(|| side_of(|side| &side.patches, executions.range_patch[place]).map(by(Way::RangePatch)))
}

fn is_clean(history: &History, place: usize) -> bool {
    history.executions.dirty[place] != Some(true)
}

/// Returns the executions of commits that a squash swallowed: those before the one of the same branch whose commit is gone
/// while its tree or its range is on the base. A tree that nobody saw committed is a try, and belongs to nobody.
fn swallowed(history: &History, recognised: &[Option<(Side, Way)>]) -> Vec<usize> {
    let executions = &history.executions;
    let on = |place: usize| executions.branch[place].map(|branch| (executions.repository[place], branch));
    let committed: HashSet<(u32, Digest)> = (0..executions.len())
        .filter(|place| executions.commit[*place].is_some() && is_clean(history, *place))
        .filter_map(|place| Some((executions.repository[place], executions.tree[place]?)))
        .collect();
    let mut landed = HashSet::new();
    let mut swallowed = Vec::new();
    // The latest first: what lands is the last state of a branch.
    for place in (0..executions.len()).rev() {
        let Some(branch) = on(place) else { continue };
        match recognised[place] {
            Some((Side::Base, Way::Tree | Way::RangePatch)) if is_clean(history, place) => {
                landed.insert(branch);
            }
            Some(_) => {}
            None => {
                let tree = executions.tree[place];
                let was_committed = tree.is_some_and(|tree| committed.contains(&(executions.repository[place], tree)));
                if was_committed && landed.contains(&branch) {
                    swallowed.push(place);
                }
            }
        }
    }
    swallowed
}

/// Returns when [`by_week`] will say something else, in milliseconds since 1970.
pub fn next_side_ms(history: &History, now_ms: i64) -> i64 {
    let turns = history.executions.started_ms.iter().flat_map(|started| [started + WEEK_MS, started + 2 * WEEK_MS]);
    turns.filter(|turn| *turn > now_ms).min().unwrap_or(i64::MAX)
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
