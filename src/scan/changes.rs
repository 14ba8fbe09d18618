//! What happened between two commits of a repository: commits with the paths that they touch.

use super::history::Change;
use crate::git::{Oid, Repository};
use crate::record::Digest;

/// Commits of one range that are looked at, the newest first.
const MOST_COMMITS: usize = 200;
/// Paths of one commit that are kept; one that touches more moves everything and tells nothing.
const MOST_PATHS: usize = 1_000;

/// Returns the commits of each range, from after its first commit to its last, each once. What a shallow clone lacks, or
/// what cannot be read, is absent.
pub fn changes(repository: &Repository, ranges: &[(Digest, Digest)]) -> Vec<Change> {
    let mut found: Vec<Change> = Vec::new();
    for (first, last) in ranges {
        let between = || {
            let (base, tip) = (present(repository, first)?, present(repository, last)?);
            repository.commits_between(Some(base), tip, MOST_COMMITS).ok()
        };
        for commit in between().unwrap_or_default() {
            if !found.iter().any(|known| Some(known.commit) == Digest::truncated(commit.bytes())) {
                found.extend(change(repository, commit));
            }
        }
    }
    found
}

/// Returns the commit whose id begins so, where it is here.
pub(super) fn present(repository: &Repository, commit: &Digest) -> Option<Oid> {
    repository.object_at(commit.bytes()).ok().flatten()
}

/// Returns a commit with the paths that it touches; nothing where it, or what it follows, cannot be read.
pub(super) fn change(repository: &Repository, commit: Oid) -> Option<Change> {
    let facts = repository.commit_facts(commit).ok()?;
    let paths = repository.changed_paths(facts.parents.first().copied(), commit).ok()?;
    Some(Change {
        commit: Digest::truncated(commit.bytes())?,
        parents: facts.parents.iter().filter_map(|parent| Digest::truncated(parent.bytes())).collect(),
        time_s: facts.time,
        files: u32::try_from(paths.len()).unwrap_or(u32::MAX),
        paths: if paths.len() > MOST_PATHS { Vec::new() } else { paths },
    })
}
