//! What was taken out on purpose: tombstones of purged records, and the date before which segments were pruned.

use std::collections::{BTreeSet, HashSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::segment;
use super::toml::MAX_BYTES;
use crate::error::{Error, Result};
use crate::record::{Columns, Digest, Record, RecordId};
use crate::workflow::nesting;

/// The kind of document under which removals are kept, and their folder below `.meow`.
pub const ACTIONS: &str = "actions";

/// So many record ids fit one document.
const MOST_RECORDS: usize = 5_000;

/// One removal, as it stands in `.meow/actions/<time>-<id>.toml`; never changed once it is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Removal {
    /// Records that must not be read any more, wherever they still lie.
    Purged {
        /// When.
        at: Timestamp,
        /// Their ids.
        records: BTreeSet<RecordId>,
    },
    /// Segments that were taken out since all their executions began before a date.
    Pruned {
        /// When.
        at: Timestamp,
        /// The date.
        before: Timestamp,
    },
}

impl Removal {
    /// Returns the tombstones of these records: one, or several where they are very many.
    pub fn purge(at: Timestamp, records: &BTreeSet<RecordId>) -> Vec<Self> {
        let ids: Vec<RecordId> = records.iter().copied().collect();
        let parts = ids.chunks(MOST_RECORDS);
        parts.map(|part| Self::Purged { at, records: part.iter().copied().collect() }).collect()
    }

    /// Returns the id of its document: `<time>-<hash of the content>`.
    ///
    /// # Errors
    /// It has no TOML form, which would be a mistake in the type.
    pub fn id(&self) -> Result<String> {
        let (Self::Purged { at, .. } | Self::Pruned { at, .. }) = self;
        let text = ::toml::to_string(self).map_err(|error| Error::store("a removal cannot be written").cause(error))?;
        let hash = Digest::of(text.as_bytes()).to_string();
        Ok(format!("{}-{}", at.strftime("%Y%m%dT%H%M%SZ"), &hash[..12]))
    }
}

/// All removals that one repository knows.
#[derive(Debug, Clone, Default)]
pub struct Removals {
    records: HashSet<RecordId>,
    before: Option<Timestamp>,
}

/// What the removals leave of a segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Left {
    /// All of it.
    Whole,
    /// A part, under a new name: its path below `.meow` and its bytes.
    Part(String, Vec<u8>),
    /// Nothing.
    Nothing,
    /// All of it: some should go, but it has columns that only a newer meow knows, and would lose them.
    Newer,
}

impl Removals {
    /// Takes in a document of `.meow/actions`; one that is no removal, or cannot be read, changes nothing.
    pub fn add(&mut self, bytes: &[u8]) {
        if bytes.len() > MAX_BYTES {
            return;
        }
        let text = std::str::from_utf8(bytes).ok().filter(|text| nesting::too_deep(text).is_none());
        if let Some(removal) = text.and_then(|text| ::toml::from_str(text).ok()) {
            self.take(&removal);
        }
    }

    fn take(&mut self, removal: &Removal) {
        match removal {
            Removal::Purged { records, .. } => self.records.extend(records),
            Removal::Pruned { before, .. } => self.before = self.before.max(Some(*before)),
        }
    }

    /// Returns the same purges, with what was pruned of a branch instead.
    #[must_use]
    pub fn pruned_as(self, branch: &Self) -> Self {
        Self { before: branch.before, ..self }
    }

    /// Returns whether nothing was removed.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty() && self.before.is_none()
    }

    /// Returns whether a record was purged.
    pub fn purged(&self, record: &Record) -> bool {
        !self.records.is_empty() && self.records.contains(&record.id())
    }

    /// Returns whether some of the columns' records were purged.
    pub fn touch(&self, columns: &Columns) -> bool {
        let is_purged = |row| self.records.contains(&columns.record_id(row));
        !self.records.is_empty() && (0..columns.attempts.len()).any(is_purged)
    }

    /// Takes out of the columns what was purged; returns whether there was any.
    pub fn cut(&self, columns: &mut Columns) -> bool {
        if self.records.is_empty() {
            return false;
        }
        let kept: Vec<bool> =
            (0..columns.attempts.len()).map(|row| !self.records.contains(&columns.record_id(row))).collect();
        let has_some = kept.contains(&false);
        if has_some {
            columns.keep(|row| kept[row]);
        }
        has_some
    }

    /// Returns a hash of what was purged, which tells whether that has changed.
    pub fn purges(&self) -> Digest {
        let mut ids: Vec<&[u8; 12]> = self.records.iter().map(RecordId::bytes).collect();
        ids.sort_unstable();
        Digest::of(&ids.into_iter().flatten().copied().collect::<Vec<u8>>())
    }

    /// Returns what is left of the segment called `place`; the same removals leave the same bytes everywhere.
    ///
    /// # Errors
    /// The segment is damaged or lies in the wrong place; the error names it.
    pub fn leave(&self, place: &str, bytes: &[u8]) -> Result<Left> {
        let records = segment::open(place, bytes)?;
        if segment::renamed(place, &records, bytes)? != place {
            return Err(Error::store(format!("segment {} does not lie where it belongs", place.escape_debug())));
        }
        if self.is_empty() {
            return Ok(Left::Whole);
        }
        let pruned =
            self.before.is_some_and(|before| records.iter().all(|record| record.execution.started_at < before));
        let kept = records.iter().filter(|record| !pruned && !self.purged(record));
        let kept: Vec<Record> = kept.cloned().collect();
        if kept.len() == records.len() && !pruned {
            return Ok(Left::Whole);
        }
        if segment::has_more(bytes) {
            return Ok(Left::Newer);
        }
        if kept.is_empty() {
            return Ok(Left::Nothing);
        }
        let bytes = segment::encode(&kept)?;
        Ok(Left::Part(segment::renamed(place, &kept, &bytes)?, bytes))
    }
}

impl<'a> FromIterator<&'a Removal> for Removals {
    fn from_iter<T: IntoIterator<Item = &'a Removal>>(removals: T) -> Self {
        let mut all = Self::default();
        removals.into_iter().for_each(|removal| all.take(removal));
        all
    }
}
