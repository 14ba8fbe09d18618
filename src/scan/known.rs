//! What an earlier scan of a repository read, as far as it still holds: only what is new is read again.

use std::collections::{BTreeMap, HashSet};

use super::Collector;
use crate::error::Result;
use crate::git::{Oid, Repository};
use crate::record::Digest;
use crate::store::history::{self, Cached};
use crate::store::removal::Removals;

/// So many new segments are worth writing everything anew, and such a share of those that are known: what is written in
/// all stays in proportion to what is read.
const WORTH: usize = 4;
const SHARE: usize = 32;
/// A walk over so many commits is worth it too.
const WALKED: usize = 512;

/// What is known of a repository's segments.
#[derive(Debug, Default)]
pub(super) struct Known {
    blobs: HashSet<Oid>,
    purges: Option<Digest>,
    root: Option<(Oid, Oid)>,
    /// Segments that were read anew, or left.
    new: usize,
    walked: usize,
}

impl Known {
    /// Returns what an earlier scan knew and hands its records to `collector`, unless they hold what is gone by now.
    pub fn of(
        repository: &Repository,
        segments: &BTreeMap<String, Oid>,
        removals: &Removals,
        collector: &mut Collector,
    ) -> Self {
        let purges = Some(removals.purges());
        let fresh = Self { purges, ..Self::default() };
        let Some((cached, mut columns)) = history::load(&repository.private_dir()) else { return fresh };
        let id = |bytes: &[u8]| Oid::from_bytes(bytes);
        let root = cached.root.as_ref().and_then(|(tip, root)| Some((id(tip)?, id(root)?)));
        let blobs: HashSet<Oid> = cached.blobs.iter().filter_map(|blob| id(blob)).collect();
        let here: HashSet<Oid> = segments.values().copied().collect();
        // Which of its records a segment gave that is no longer there is not known, so all are read again.
        let holds = blobs.is_subset(&here) && (cached.removals == purges || !removals.cut(&mut columns));
        if !holds {
            return Self { root, new: blobs.len(), ..fresh };
        }
        let new = if cached.removals == purges { 0 } else { blobs.len() };
        collector.add_all(0, columns);
        Self { blobs, root, new, ..fresh }
    }

    /// Returns whether the records of a blob are known.
    pub fn holds(&self, blob: Oid) -> bool {
        self.blobs.contains(&blob)
    }

    /// Says that the records of these blobs are known by now.
    pub fn extend(&mut self, blobs: &[Oid]) {
        self.blobs.extend(blobs);
        self.new += blobs.len();
    }

    /// Returns the first commit of the project.
    ///
    /// # Errors
    /// See [`Repository::root_since`].
    pub fn root(&mut self, repository: &Repository) -> Result<Option<Oid>> {
        let found = repository.root_since(self.root)?;
        self.root = found.map(|found| (found.tip, found.root));
        self.walked = found.map_or(0, |found| found.walked);
        Ok(found.map(|found| found.root))
    }

    /// Writes what is known for the next scan, where that is worth it. Where it cannot be written, the next one reads all
    /// of it again.
    pub fn save(self, repository: &Repository, collector: &mut Collector) {
        if self.new < WORTH.max(self.blobs.len() / SHARE) && self.walked < WALKED {
            return;
        }
        let mut blobs: Vec<Box<[u8]>> = self.blobs.iter().map(|blob| blob.bytes().into()).collect();
        blobs.sort_unstable();
        let root = self.root.map(|(tip, root)| (tip.bytes().into(), root.bytes().into()));
        let read = Cached { blobs, removals: self.purges, root };
        let _ = history::save(&repository.private_dir(), &read, collector.sorted());
    }
}
