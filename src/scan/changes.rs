//! What happened between two commits of a repository: commits with the paths that they touch.

use super::history::Change;
use crate::git::Repository;
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
            let base = repository.resolve(&first.to_string()).ok()?;
            let tip = repository.resolve(&last.to_string()).ok()?;
            repository.commits_between(Some(base), tip, MOST_COMMITS).ok()
        };
        for commit in between().unwrap_or_default() {
            let Some(id) = Digest::truncated(commit.bytes()) else { continue };
            if found.iter().any(|known| known.commit == id) {
                continue;
            }
            let Ok(facts) = repository.commit_facts(commit) else { continue };
            let paths = repository.changed_paths(facts.parents.first().copied(), commit).unwrap_or_default();
            found.push(Change {
                commit: id,
                parents: facts.parents.iter().filter_map(|parent| Digest::truncated(parent.bytes())).collect(),
                time_s: facts.time,
                paths: if paths.len() > MOST_PATHS { Vec::new() } else { paths },
            });
        }
    }
    found
}
