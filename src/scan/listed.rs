//! Which segments the tips of a repository hold: each under a name that is its own, wherever another tip has it.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashSet};

use crate::git::{Oid, Repository, Tip};
use crate::store::segment;

/// The folder of segments, from the top.
const RECORDS: &str = ".meow/records";
/// So many files are looked into because another tip has their path or their content; nobody honest makes one.
const MOST_RIVALS: usize = 256;

/// Returns the segments that any tip holds, by path.
///
/// Where tips differ about a path, the content counts that the name stands for; where no content is that of its name,
/// the first in order of tips is kept, so that it is read and named as damaged.
pub(super) fn listed(repository: &Repository, tips: &[Tip], warnings: &mut Vec<String>) -> BTreeMap<String, Oid> {
    let mut list = List::default();
    let mut seen_commits = HashSet::new();
    let mut seen_trees = HashSet::new();
    for tip in tips {
        if !seen_commits.insert(tip.commit) {
            continue;
        }
        let walked = repository.tree_at(tip.commit, RECORDS).and_then(|tree| {
            let mut open: Vec<(String, Oid)> = tree.map(|tree| (RECORDS.to_owned(), tree)).into_iter().collect();
            while let Some((at, tree)) = open.pop() {
                // Months that hold still are the same tree on every branch.
                if !seen_trees.insert(tree) {
                    continue;
                }
                for entry in repository.entries(tree)? {
                    let path = format!("{at}/{}", entry.name);
                    if entry.folder && path.len() < 256 {
                        open.push((path, entry.id));
                    } else if path.ends_with(".parquet") {
                        list.add(path, entry.id);
                    }
                }
            }
            Ok(())
        });
        if let Err(error) = walked {
            warnings.push(format!("{} was skipped: {error}", tip.name));
        }
    }
    list.settled(repository, warnings)
}

/// Segments by path, and what found no place among them.
#[derive(Default)]
struct List {
    found: BTreeMap<String, Oid>,
    blobs: HashSet<Oid>,
    /// Another content for a path that is taken, or a content that has another path already.
    rivals: BTreeSet<(String, Oid)>,
}

impl List {
    fn add(&mut self, path: String, blob: Oid) {
        if !self.blobs.insert(blob) {
            // On most branches it is what it is on the others.
            if self.found.get(&path) != Some(&blob) {
                self.rivals.insert((path, blob));
            }
            return;
        }
        match self.found.entry(path) {
            Entry::Vacant(free) => drop(free.insert(blob)),
            Entry::Occupied(taken) => drop(self.rivals.insert((taken.key().clone(), blob))),
        }
    }

    /// Looks into the rivals, and gives those that bear their own name their path.
    fn settled(mut self, repository: &Repository, warnings: &mut Vec<String>) -> BTreeMap<String, Oid> {
        if self.rivals.len() > MOST_RIVALS {
            let left = self.rivals.len() - MOST_RIVALS;
            warnings.push(format!("{left} segments were skipped: other branches have other files in their place"));
        }
        for (path, blob) in self.rivals.into_iter().take(MOST_RIVALS) {
            let bytes = repository.blob_within(blob, segment::MAX_BYTES).ok().flatten();
            let own = |path: &str| bytes.as_ref().is_some_and(|bytes| segment::is_named(path, bytes));
            let elsewhere = || self.found.iter().any(|(other, found)| *found == blob && own(other));
            if own(&path) && (self.found.contains_key(&path) || !elsewhere()) {
                self.found.insert(path, blob);
            }
        }
        self.found
    }
}
