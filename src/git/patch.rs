//! Patch-ids: what a change is recognised by after a rebase, a squash or a cherry-pick.

use std::collections::BTreeMap;

use gix::bstr::{BString, ByteSlice};
use gix::diff::blob::{Algorithm, Diff, InternedInput};
use gix::objs::tree::EntryMode;

use super::snapshot::Work;
use super::{DATA_FOLDERS, Oid, Repository, trouble};
use crate::error::Result;

/// Lines are compared in at most this many changed files; later ones count by their blobs' ids.
const MOST_FILES: usize = 1_000;
/// Lines are compared up to this size of the two sides of a file together, in bytes.
const MOST_BYTES_PER_FILE: u64 = 1 << 20;
/// Lines are compared until this many bytes were read.
const MOST_BYTES: u64 = 32 << 20;
/// git calls content binary that has a NUL in its first 8,000 bytes.
const PROBE: usize = 8_000;

/// One file that differs between two trees.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Change {
    /// The path from the top.
    pub path: BString,
    /// Mode and blob before; absent where the file is new.
    pub old: Option<Side>,
    /// Mode and blob after; absent where the file is gone.
    pub new: Option<Side>,
}

/// One side of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Side {
    /// The mode in octal.
    pub mode: EntryMode,
    /// The blob, or the commit of a submodule.
    pub id: gix::ObjectId,
}

impl Repository {
    /// Returns the patch-id of the step from `old` (nothing, for a first commit) to `new`, or `None` where nothing changed.
    ///
    /// The first 12 bytes of a BLAKE3 hash over every changed path in order: the path, both modes, and the lines taken
    /// out and put in, each hunk after the other, without line numbers and context, so that a rebase over other changes keeps
    /// it. Binary files, files past a megabyte and what lies beyond 1,000 files or 32 MiB count by the ids of their blobs.
    /// Renames are a file gone and a file new. It is meow's own and not git's patch-id, which needs git's exact context lines.
    ///
    /// # Errors
    /// An object is absent or damaged.
    pub fn patch_id(&self, old: Option<Oid>, new: Oid) -> Result<Option<[u8; 12]>> {
        self.patch_id_of(&self.changes(old, new)?)
    }

    /// Returns the patch-id of the step from `old` to the commit `head` with what the work tree changes in it.
    ///
    /// # Errors
    /// An object is absent or damaged.
    pub(super) fn patch_id_with(&self, old: Option<Oid>, head: Option<Oid>, work: &Work) -> Result<Option<[u8; 12]>> {
        let committed = match head {
            Some(head) => self.changes(old, head)?,
            None => Vec::new(),
        };
        let mut changes: BTreeMap<BString, Change> =
            committed.into_iter().map(|change| (change.path.clone(), change)).collect();
        let tree = match head {
            Some(head) => self.tree_of(head)?,
            None => self.inner.empty_tree(),
        };
        for (path, edit) in work.edits.iter().filter(|(path, _)| !is_data(path)) {
            let new = edit.map(|(kind, id)| Side { mode: kind.into(), id });
            let old = if let Some(change) = changes.remove(path) {
                change.old
            } else {
                let wrong = || format!("{path} of commit {head:?} cannot be read");
                let entry = tree.lookup_entry(path.split(|byte| *byte == b'/')).map_err(trouble(wrong()))?;
                let file = entry.filter(|entry| !entry.mode().is_tree());
                file.map(|entry| Side { mode: entry.mode(), id: entry.object_id() })
            };
            if old != new {
                changes.insert(path.clone(), Change { path: path.clone(), old, new });
            }
        }
        let changes: Vec<Change> = changes.into_values().collect();
        // What the work tree holds is no object of the repository, and lies in memory only.
        work.objects.patch_id_of(&changes)
    }

    fn patch_id_of(&self, changes: &[Change]) -> Result<Option<[u8; 12]>> {
        if changes.is_empty() {
            return Ok(None);
        }
        let mut hasher = blake3::Hasher::new();
        let mut read = 0;
        for (place, change) in changes.iter().enumerate() {
            let mode = |side: Option<Side>| side.map_or(0, |side| u32::from(side.mode.value()));
            field(&mut hasher, &change.path);
            hasher.update(&mode(change.old).to_le_bytes()).update(&mode(change.new).to_le_bytes());
            let text = if place < MOST_FILES && read < MOST_BYTES { self.sides(change, &mut read)? } else { None };
            match text {
                Some((old, new)) => lines(&mut hasher, &old, &new),
                None => {
                    for side in [change.old, change.new] {
                        field(&mut hasher, side.as_ref().map_or(&[], |side| side.id.as_slice()));
                    }
                }
            }
        }
        let mut id = [0; 12];
        hasher.finalize_xof().fill(&mut id);
        Ok(Some(id))
    }

    /// Returns the paths that differ between two commits, sorted, without meow's own data.
    ///
    /// # Errors
    /// An object is absent or damaged.
    pub fn changed_paths(&self, old: Option<Oid>, new: Oid) -> Result<Vec<String>> {
        let changes = self.changes(old, new)?;
        Ok(changes.into_iter().map(|change| change.path.to_str_lossy().into_owned()).collect())
    }

    fn changes(&self, old: Option<Oid>, new: Oid) -> Result<Vec<Change>> {
        let old = old.map_or_else(|| Ok(self.inner.empty_tree()), |old| self.tree_of(old))?;
        let new = self.tree_of(new)?;
        let mut recorder = gix::diff::tree::Recorder::default();
        gix::diff::tree(
            gix::objs::TreeRefIter::from_bytes(&old.data, self.inner.object_hash()),
            gix::objs::TreeRefIter::from_bytes(&new.data, self.inner.object_hash()),
            gix::diff::tree::State::default(),
            &self.inner.objects,
            &mut recorder,
        )
        .map_err(trouble(format!("trees {} and {} cannot be compared", old.id, new.id)))?;
        let mut changes: Vec<Change> = recorder.records.into_iter().filter_map(Change::of_file).collect();
        changes.sort();
        Ok(changes)
    }

    fn tree_of(&self, commit: Oid) -> Result<gix::Tree<'_>> {
        let tree = self.inner.find_commit(commit.0).and_then(|commit| commit.tree());
        tree.map_err(trouble(format!("the tree of commit {commit} cannot be read")))
    }

    /// Returns both texts of a change, or `None` where they are too long, binary, or no files.
    fn sides(&self, change: &Change, read: &mut u64) -> Result<Option<(Vec<u8>, Vec<u8>)>> {
        let mut size = 0;
        for side in [change.old, change.new].into_iter().flatten() {
            if !side.mode.is_blob() {
                return Ok(None);
            }
            size += self.blob_size(Oid(side.id))?;
        }
        if size > MOST_BYTES_PER_FILE {
            return Ok(None);
        }
        *read += size;
        let text = |side: Option<Side>| side.map_or_else(|| Ok(Vec::new()), |side| self.blob(Oid(side.id)));
        let (old, new) = (text(change.old)?, text(change.new)?);
        let binary = |text: &[u8]| text[..text.len().min(PROBE)].contains(&0);
        Ok((!binary(&old) && !binary(&new)).then_some((old, new)))
    }
}

impl Change {
    /// Returns the change where it is one of a file, and not of meow's own data.
    fn of_file(change: gix::diff::tree::recorder::Change) -> Option<Self> {
        use gix::diff::tree::recorder::Change as Found;
        let (path, old, new) = match change {
            Found::Addition { entry_mode, oid, path, .. } => (path, None, Some(Side { mode: entry_mode, id: oid })),
            Found::Deletion { entry_mode, oid, path, .. } => (path, Some(Side { mode: entry_mode, id: oid }), None),
            Found::Modification { previous_entry_mode, previous_oid, entry_mode, oid, path } => {
                let old = Side { mode: previous_entry_mode, id: previous_oid };
                (path, Some(old), Some(Side { mode: entry_mode, id: oid }))
            }
        };
        let no_tree = |side: &Side| !side.mode.is_tree();
        let (old, new) = (old.filter(no_tree), new.filter(no_tree));
        ((old.is_some() || new.is_some()) && !is_data(&path)).then_some(Self { path, old, new })
    }
}

/// Returns whether a path belongs to what meow itself writes.
pub(super) fn is_data(path: &[u8]) -> bool {
    DATA_FOLDERS.iter().any(|folder| {
        path.strip_prefix(folder.as_bytes()).is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
    })
}

/// Hashes the lines taken out and put in.
fn lines(hasher: &mut blake3::Hasher, old: &[u8], new: &[u8]) {
    let input = InternedInput::new(old, new);
    for hunk in Diff::compute(Algorithm::Histogram, &input).hunks() {
        hasher.update(b"@");
        for (sign, tokens) in [
            (b"-", &input.before[hunk.before.start as usize..hunk.before.end as usize]),
            (b"+", &input.after[hunk.after.start as usize..hunk.after.end as usize]),
        ] {
            for token in tokens {
                hasher.update(sign);
                field(hasher, input.interner[*token]);
            }
        }
    }
}

/// Hashes bytes with their length, so that no two lists run into each other.
fn field(hasher: &mut blake3::Hasher, bytes: &[u8]) {
    hasher.update(&(bytes.len() as u64).to_le_bytes()).update(bytes);
}
