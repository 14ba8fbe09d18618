//! The tree that `git add --all && git commit` would give, computed in memory.

use std::collections::{BTreeMap, BTreeSet};

use gix::bstr::BString;
use gix::objs::WriteTo;
use gix::objs::tree::EntryKind;
use gix::progress::Discard;
use gix::status::index_worktree::Item as InWorktree;
use gix::status::plumbing::index_as_worktree::{Change, EntryStatus};
use gix::status::tree_index::TrackRenames;
use gix::status::{Item, Submodule, UntrackedFiles};

use super::glance::glance;
use super::patch::is_data;
use super::{DATA_FOLDERS, Oid, Repository, trouble};
use crate::error::{Error, Result};

/// Past this many bytes of changed and untracked files the tree stays unknown, since a run must not wait for it.
const MOST_BYTES: u64 = 512 << 20;
/// Past this many changed and untracked files likewise.
const MOST_FILES: usize = 50_000;

/// The folder of meow in a work tree.
const MEOW: &str = ".meow";

/// What stands at a path: a kind and an object, or nothing any more.
pub(super) type Edits = BTreeMap<BString, Option<(EntryKind, gix::ObjectId)>>;

/// What differs, from any of the comparisons.
type Items = Box<dyn Iterator<Item = gix::Result<Item>>>;

/// What the work tree would be as a commit.
pub(super) enum Snapshot {
    /// Its tree, without meow's data, and how that differs from HEAD.
    Tree(Oid, Box<Work>),
    /// There is more to hash than a run should wait for.
    TooMuch,
}

/// What the work tree changes in HEAD.
pub(super) struct Work {
    /// What stands at the paths that differ.
    pub edits: Edits,
    /// What git tracks with its changes, as a tree without `.meow`; absent where nothing of that differs from HEAD.
    pub tracked: Option<Oid>,
    /// The repository with the new blobs in memory.
    pub objects: Repository,
}

impl Repository {
    /// Returns the tree of a commit without meow's data, as an id only; nothing is written.
    pub(crate) fn cleaned_tree(&self, commit: Oid) -> Result<Oid> {
        let tree = self
            .inner
            .find_commit(commit.0)
            .and_then(|commit| commit.tree())
            .map_err(trouble(format!("the tree of commit {commit} cannot be read")))?;
        edited(&tree, &Edits::new(), &DATA_FOLDERS)
    }

    /// Returns the tree of a commit (of none: the empty tree) without `.meow`, as an id only; nothing is written.
    ///
    /// # Errors
    /// The commit cannot be read.
    pub fn tracked_tree(&self, commit: Option<Oid>) -> Result<Oid> {
        let empty = gix::ObjectId::empty_tree(self.inner.object_hash());
        let tree = match commit {
            Some(commit) => self
                .inner
                .find_commit(commit.0)
                .and_then(|commit| commit.tree())
                .map_err(|error| trouble(format!("the tree of commit {commit} cannot be read"))(error))?,
            None => self.inner.find_tree(empty).map_err(trouble("the empty tree cannot be read".to_owned()))?,
        };
        edited(&tree, &Edits::new(), &[MEOW])
    }

    /// Returns what the work tree would be as a commit: tracked changes and untracked files that are not ignored, as the
    /// person's own configuration has them, apart from filters, which are programs and never run.
    pub(super) fn snapshot(&self) -> Result<Snapshot> {
        let top = self.work_dir().ok_or_else(|| Error::git("a bare repository has no work tree"))?;
        let wrong = || format!("the state of {} cannot be read", top.display());
        // Blobs are hashed by writing them to memory.
        let person = self.as_person()?.with_object_memory();
        let index = person.index_or_empty().map_err(trouble(wrong()))?;
        if index.is_sparse() {
            return Err(Error::git(format!(
                "the sparse index of {} holds whole folders as one entry, which cannot be read yet",
                top.display()
            ))
            .hint("`git sparse-checkout reapply --no-sparse-index` writes the index in full"));
        }
        let mut edits = Edits::new();
        let committed = person.head_tree_id_or_empty().map_err(trouble(wrong()))?.detach();
        let is_committed = holds(&index, committed);
        // Most of the time a glance at the files is enough.
        let glanced = is_committed.then(|| glance(&person, &index, top)).flatten();
        let is_sure = glanced.is_none();
        let mut touched = match glanced {
            Some(touched) => touched,
            None => compared(&person, is_committed, &mut edits, &wrong)?,
        };
        touched.retain(|touched| !is_data(&touched.path));
        if touched.len() > MOST_FILES || bytes(top, &touched) > MOST_BYTES {
            return Ok(Snapshot::TooMuch);
        }
        let mut pipeline = person.filter_pipeline(None).map_err(trouble(wrong()))?.0;
        let mut untracked = BTreeSet::new();
        for Touched { path, removed, tracked } in touched {
            let found = if removed {
                None
            } else {
                let unreadable = format!("{path} cannot be read");
                pipeline.worktree_file_to_object(path.as_ref(), &index).map_err(trouble(unreadable))?
            };
            if !is_sure && tracked && is_indexed(&index, &path, found.as_ref().map(|(id, kind, _)| (*kind, *id))) {
                continue;
            }
            if !tracked {
                untracked.insert(path.clone());
            }
            edits.insert(path, found.map(|(id, kind, _)| (kind, id)));
        }
        let tree = person.find_tree(committed).map_err(trouble(wrong()))?;
        let id = edited(&tree, &edits, &DATA_FOLDERS)?;
        let mut own = edits.clone();
        own.retain(|path, _| !path.starts_with(b".meow/") && !untracked.contains(path));
        let tracked = if own.is_empty() { None } else { Some(edited(&tree, &own, &[MEOW])?) };
        drop(tree);
        drop(pipeline);
        Ok(Snapshot::Tree(id, Box::new(Work { edits, tracked, objects: Self { inner: person } })))
    }
}

/// Compares the work tree with the index in full, and the index with HEAD unless they are known to be the same; notes what
/// is staged in `edits`, and returns where the work tree differs.
fn compared(
    person: &gix::Repository,
    is_committed: bool,
    edits: &mut Edits,
    wrong: &dyn Fn() -> String,
) -> Result<Vec<Touched>> {
    let ignore = gix::submodule::config::Ignore::Dirty;
    let platform = person
        .status(Discard)
        .map_err(trouble(wrong()))?
        .index_worktree_rewrites(None)
        .tree_index_track_renames(TrackRenames::Disabled)
        .untracked_files(UntrackedFiles::Files)
        .index_worktree_submodules(Submodule::Given { ignore, check_dirty: false });
    let items: Items = if is_committed {
        let items = platform.into_index_worktree_iter(None).map_err(trouble(wrong()))?;
        Box::new(items.map(|item| item.map(Item::IndexWorktree)))
    } else {
        Box::new(platform.into_iter(None).map_err(trouble(wrong()))?)
    };
    let mut touched = Vec::new();
    for item in items {
        match item.map_err(trouble(wrong()))? {
            Item::TreeIndex(change) => staged(change, edits)?,
            Item::IndexWorktree(item) => touched.extend(in_worktree(item)),
        }
    }
    Ok(touched)
}

/// Whether this is what the index has at a path.
fn is_indexed(index: &gix::index::State, path: &BString, found: Option<(EntryKind, gix::ObjectId)>) -> bool {
    let held =
        index.entry_by_path(path.as_ref()).and_then(|held| Some((held.mode.to_tree_entry_mode()?.kind(), held.id)));
    held.is_some() && held == found
}

/// Whether the index says by itself that it holds this tree (index-format(5), cache tree), so that they need not be
/// compared path by path.
fn holds(index: &gix::index::State, tree: gix::ObjectId) -> bool {
    let is_whole = |entries: u32| usize::try_from(entries).is_ok_and(|entries| entries == index.entries().len());
    index.tree().is_some_and(|cached| cached.id == tree && cached.num_entries.is_some_and(is_whole))
}

/// Notes the difference between HEAD and the index.
fn staged(change: gix::diff::index::Change, edits: &mut Edits) -> Result<()> {
    use gix::diff::index::ChangeRef;
    let mut put = |path: &BString, mode: gix::index::entry::Mode, id: &gix::oid| -> Result<()> {
        let mode = mode
            .to_tree_entry_mode()
            .ok_or_else(|| Error::git(format!("the index holds {path} with a mode that git does not know")))?;
        edits.entry(path.clone()).or_insert(Some((mode.kind(), id.to_owned())));
        Ok(())
    };
    match change {
        ChangeRef::Addition { location, entry_mode, id, .. }
        | ChangeRef::Modification { location, entry_mode, id, .. }
        | ChangeRef::Rewrite { location, entry_mode, id, .. } => put(&location.into_owned(), entry_mode, &id),
        ChangeRef::Deletion { location, .. } => {
            edits.entry(location.into_owned()).or_insert(None);
            Ok(())
        }
    }
}

/// A path at which the work tree may differ from the index.
pub(super) struct Touched {
    pub path: BString,
    /// Whether it is gone.
    pub removed: bool,
    /// Whether git tracks it.
    pub tracked: bool,
}

fn in_worktree(item: InWorktree) -> Option<Touched> {
    let touched = |path, removed, tracked| Some(Touched { path, removed, tracked });
    match item {
        InWorktree::Modification { rela_path, status, .. } => match status {
            EntryStatus::NeedsUpdate(_) => None,
            EntryStatus::Change(Change::Removed) => touched(rela_path, true, true),
            EntryStatus::Change(_) | EntryStatus::Conflict { .. } | EntryStatus::IntentToAdd => {
                touched(rela_path, false, true)
            }
        },
        InWorktree::DirectoryContents { entry, .. } if entry.status == gix::dir::entry::Status::Untracked => {
            touched(entry.rela_path, false, false)
        }
        InWorktree::DirectoryContents { .. } => None,
        InWorktree::Rewrite { .. } => unreachable!("renames are not tracked"),
    }
}

/// Returns how many bytes the files hold.
fn bytes(top: &std::path::Path, touched: &[Touched]) -> u64 {
    let size = |touched: &Touched| {
        if touched.removed {
            return 0;
        }
        let path = gix::path::from_bstr(&touched.path);
        path.ok().and_then(|path| top.join(path).symlink_metadata().ok()).map_or(0, |found| found.len())
    };
    touched.iter().map(size).sum()
}

/// Returns the id of `tree` with the edits and without some folders.
///
/// What is gone goes first, so that a folder can stand where a file stood.
fn edited(tree: &gix::Tree<'_>, edits: &Edits, without: &[&str]) -> Result<Oid> {
    let wrong = || format!("tree {} cannot be read", tree.id);
    let hash = tree.id.kind();
    let mut editor = tree.edit().map_err(trouble(wrong()))?.detach();
    let parts = |path: &BString| path.split(|byte| *byte == b'/').map(BString::from).collect::<Vec<_>>();
    for (path, _) in edits.iter().filter(|(_, edit)| edit.is_none()) {
        editor.remove(parts(path).iter()).map_err(trouble(wrong()))?;
    }
    for (path, edit) in edits {
        if let Some((kind, id)) = edit {
            editor.upsert(parts(path).iter(), *kind, *id).map_err(trouble(wrong()))?;
        }
    }
    for folder in without {
        editor.remove(folder.split('/').map(BString::from).collect::<Vec<_>>().iter()).map_err(trouble(wrong()))?;
    }
    let id = editor.write(|tree| -> Result<gix::ObjectId> {
        let mut bytes = Vec::new();
        tree.write_to(&mut bytes).map_err(trouble(wrong()))?;
        gix::objs::compute_hash(hash, gix::objs::Kind::Tree, &bytes).map_err(trouble(wrong()))
    })?;
    Ok(Oid(id))
}
