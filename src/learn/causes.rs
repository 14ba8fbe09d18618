//! Between which commits something changed, and which files these touch most.

use std::collections::{BTreeMap, BTreeSet};

use super::trends::{Touched, Trend};
use crate::record::Digest;
use crate::scan::Change;

/// Files named of one change.
const FILES: usize = 5;

/// Returns the ranges of commits in which the trends lie: the last commit before and the first after, where they differ.
pub fn ranges(trends: &[Trend]) -> Vec<(Digest, Digest)> {
    let mut found: Vec<(Digest, Digest)> = trends.iter().filter_map(range).collect();
    found.sort_unstable();
    found.dedup();
    found
}

/// Adds to each trend the commits of its range and the files that most of them touch.
pub fn explain(trends: &mut [Trend], changes: &[Change]) {
    let by_id: BTreeMap<Digest, &Change> = changes.iter().map(|change| (change.commit, change)).collect();
    for trend in trends {
        let Some((before, after)) = range(trend) else { continue };
        let old = reached(&by_id, before, &BTreeSet::new());
        let new = reached(&by_id, after, &old);
        let mut commits: Vec<&Change> = new.iter().filter_map(|commit| by_id.get(commit).copied()).collect();
        commits.sort_by_key(|change| (std::cmp::Reverse(change.time_s), change.commit));
        let mut touched: BTreeMap<&str, usize> = BTreeMap::new();
        for path in commits.iter().flat_map(|change| &change.paths) {
            *touched.entry(path).or_default() += 1;
        }
        let mut files: Vec<Touched> =
            touched.into_iter().map(|(path, commits)| Touched { path: path.to_owned(), commits }).collect();
        files.sort_by(|a, b| b.commits.cmp(&a.commits).then_with(|| a.path.cmp(&b.path)));
        files.truncate(FILES);
        trend.commits = commits.iter().map(|change| change.commit.to_string()).collect();
        trend.files = files;
    }
}

fn range(trend: &Trend) -> Option<(Digest, Digest)> {
    let id = |commit: &Option<String>| commit.as_ref()?.parse::<Digest>().ok();
    let (before, after) = (id(&trend.last_before.commit)?, id(&trend.first_after.commit)?);
    (before != after).then_some((before, after))
}

/// Returns the commits that a tip reaches, among those known and without those left out and what only they reach.
fn reached(by_id: &BTreeMap<Digest, &Change>, tip: Digest, without: &BTreeSet<Digest>) -> BTreeSet<Digest> {
    let mut found = BTreeSet::new();
    let mut open = vec![tip];
    while let Some(commit) = open.pop() {
        if !without.contains(&commit) && found.insert(commit) {
            open.extend(by_id.get(&commit).into_iter().flat_map(|change| &change.parents));
        }
    }
    found
}
