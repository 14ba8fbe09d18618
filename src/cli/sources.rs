//! The commits and trees on both sides of a comparison, as records name them.

use std::collections::BTreeSet;

use crate::error::Result;
use crate::git::{Oid, Repository};
use crate::record::Digest;
use crate::report::Sources;

/// Commits of the base that are looked at; records of older ones say little about now.
const COMMITS: usize = 5_000;
/// Commits of either side whose trees are looked at, for executions of work trees that were committed later.
const TREES: usize = 1_000;

/// Returns both sides' commits and trees, or `None` where HEAD and the work tree hold nothing that the base does not.
///
/// # Errors
/// There is no such base, or git cannot be read.
pub fn sources(repository: &Repository, base: &str) -> Result<Option<Sources>> {
    let base = repository.resolve(base)?;
    let base_commits = repository.commits_between(None, base, COMMITS)?;
    let base_trees = trees(repository, &base_commits);
    let head = repository.head()?;
    let head_commits =
        head.map_or_else(|| Ok(Vec::new()), |head| repository.commits_between(Some(base), head, COMMITS))?;
    let mut head_trees = trees(repository, &head_commits);
    // The work in progress belongs to the branch as if it were committed.
    head_trees.extend(repository.state()?.tree.and_then(digest).filter(|tree| !base_trees.contains(tree)));
    if head_commits.is_empty() && head_trees.is_empty() {
        return Ok(None);
    }
    let ids = |commits: &[Oid]| commits.iter().filter_map(|commit| digest(*commit)).collect();
    Ok(Some(Sources { base_commits: ids(&base_commits), base_trees, head_commits: ids(&head_commits), head_trees }))
}

/// Returns the trees of the newest commits; one that cannot be read, as in a shallow clone, holds nothing.
fn trees(repository: &Repository, commits: &[Oid]) -> BTreeSet<Digest> {
    let newest = commits.iter().take(TREES);
    newest.filter_map(|commit| digest(repository.cleaned_tree(*commit).ok()?)).collect()
}

fn digest(id: Oid) -> Option<Digest> {
    Digest::truncated(id.bytes())
}
