//! The commits and trees on both sides of a comparison, as records name them.

use std::collections::BTreeSet;

use crate::error::Result;
use crate::git::{Oid, Repository, State};
use crate::record::Digest;
use crate::report::{Landmarks, Sources, by_source};
use crate::scan::History;

/// Commits of the base that are looked at; records of older ones say little about now.
const COMMITS: usize = 5_000;
/// Commits of either side whose trees are looked at, for executions of work trees that were committed later.
const TREES: usize = 1_000;
/// Commits of either side whose patch-ids are looked at, for executions of commits that were rebased or squashed.
const PATCHES: usize = 1_000;
/// A commit lands after what ran before it, give or take clocks that differ.
const CLOCKS_S: i64 = 24 * 3_600;

/// Returns both sides' commits, or `None` where HEAD and the work tree, in this `state`, hold nothing that the base does
/// not.
///
/// # Errors
/// There is no such base, or git cannot be read.
pub fn sources(repository: &Repository, state: &State, base: &str, history: &History) -> Result<Option<Sources>> {
    let base = repository.resolve(base)?;
    let base_commits = repository.commits_between(None, base, COMMITS)?;
    let mut sources = Sources { base: landmarks(repository, &base_commits), head: Landmarks::default() };
    let head = repository.head()?;
    let head_commits =
        head.map_or_else(|| Ok(Vec::new()), |head| repository.commits_between(Some(base), head, COMMITS))?;
    sources.head = landmarks(repository, &head_commits);
    // The work in progress belongs to the branch as if it were committed.
    let work = state.tree.and_then(digest);
    sources.head.trees.extend(work.filter(|tree| !sources.base.trees.contains(tree)));
    if head_commits.is_empty() && sources.head.trees.is_empty() {
        return Ok(None);
    }
    // Patch-ids cost a comparison of trees each: only where something is still without a commit, and only of commits
    // that can have landed it.
    let (sides, _) = by_source(history, &sources);
    let lost = sides.iter().zip(&history.executions.started_ms).filter(|(side, _)| side.is_none());
    if let Some(first) = lost.map(|(_, started)| started / 1_000).min() {
        sources.base.patches = patches(repository, &base_commits, first);
        sources.head.patches = patches(repository, &head_commits, first);
    }
    Ok(Some(sources))
}

/// Returns what commits are recognised by without looking at their changes. One that cannot be read, as in a shallow
/// clone, has no tree.
fn landmarks(repository: &Repository, commits: &[Oid]) -> Landmarks {
    let newest = commits.iter().take(TREES);
    Landmarks {
        commits: commits.iter().filter_map(|commit| digest(*commit)).collect(),
        trees: newest.filter_map(|commit| digest(repository.cleaned_tree(*commit).ok()?)).collect(),
        patches: BTreeSet::new(),
    }
}

/// Returns the patch-ids of the newest commits that are not older than `first_s`, in seconds since 1970.
fn patches(repository: &Repository, commits: &[Oid], first_s: i64) -> BTreeSet<Digest> {
    let young = |commit: &&Oid| repository.commit_facts(**commit).is_ok_and(|facts| facts.time + CLOCKS_S >= first_s);
    let newest = commits.iter().take(PATCHES).filter(young);
    newest.filter_map(|commit| repository.patch_of(*commit).map(Digest::from_bytes)).collect()
}

fn digest(id: Oid) -> Option<Digest> {
    Digest::truncated(id.bytes())
}
