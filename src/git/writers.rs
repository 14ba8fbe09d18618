//! The writers' refs: commits of files that no branch holds, one ref a writer, moved by compare-and-swap.

use std::fs::File;
use std::path::Path;

use gix::actor::SignatureRef;
use gix::objs::tree::EntryKind;

use super::moves::is_left_over;
use super::refs::{BRANCH, THEIRS, WRITERS};
use super::{FileChange, Oid, Repository, Tip, trouble};
use crate::error::{Error, Result};

/// Who signs commits on writers' refs: nobody, since a writer is never a host or a user.
const NOBODY: (&str, &str) = ("meow", "meow@localhost");

impl Repository {
    /// Returns the writers' refs of this repository, sorted by name.
    ///
    /// # Errors
    /// The references cannot be read.
    pub fn writers(&self) -> Result<Vec<Tip>> {
        Ok(self.tips()?.into_iter().filter(|tip| tip.name.starts_with(WRITERS)).collect())
    }

    /// Returns the commit that the reference `name` leads to, or `None` where there is no such reference.
    ///
    /// # Errors
    /// The reference cannot be read or leads to no commit.
    pub fn reference(&self, name: &str) -> Result<Option<Oid>> {
        self.readable_references()?;
        let wrong = || format!("{name} of {} cannot be read", self.common_dir().display());
        let Some(mut reference) = self.inner.try_find_reference(name).map_err(trouble(wrong()))? else {
            return Ok(None);
        };
        Ok(Some(Oid(reference.peel_to_commit().map_err(trouble(wrong()))?.id)))
    }

    /// Commits `files` on top of `parent` (nothing, for a first commit) and moves the reference `name` from `expected` to
    /// it, all or nothing; what is new is on the disk when this returns.
    ///
    /// # Errors
    /// Another process moved the reference meanwhile, or git cannot be written.
    pub fn commit_to(
        &self,
        name: &str,
        (expected, parent): (Option<Oid>, Option<Oid>),
        message: &str,
        files: &[FileChange],
        seconds: i64,
    ) -> Result<Oid> {
        let wrong = || format!("{name} of {} cannot be committed to", self.common_dir().display());
        let base = match parent {
            Some(parent) => {
                self.inner.find_commit(parent.0).and_then(|commit| commit.tree()).map_err(trouble(wrong()))?
            }
            None => self.inner.empty_tree(),
        };
        let mut editor = base.edit().map_err(trouble(wrong()))?.detach();
        let mut written = Vec::new();
        for (path, id) in files {
            let parts = path.split('/').map(gix::bstr::BStr::new);
            match id {
                Some(id) => {
                    written.push(id.0);
                    editor.upsert(parts, EntryKind::Blob, id.0)
                }
                None => editor.remove(parts),
            }
            .map_err(trouble(wrong()))?;
        }
        let tree = editor
            .write(|tree| {
                let id = self.inner.write_object(tree).map(gix::Id::detach)?;
                written.push(id);
                Ok(id)
            })
            .map_err(|error: gix::Error| trouble(wrong())(error))?;
        let time = format!("{seconds} +0000");
        let nobody = SignatureRef { name: NOBODY.0.into(), email: NOBODY.1.into(), time: &time };
        let parents = parent.map(|parent| parent.0);
        let commit = self.inner.new_commit_as(nobody, nobody, message, tree, parents).map_err(trouble(wrong()))?.id;
        written.push(commit);
        self.sync_loose(&written).map_err(trouble(wrong()))?;
        self.move_reference(name, expected, Some(Oid(commit)), message.trim_end())?;
        Ok(Oid(commit))
    }

    /// Deletes what was looked at of remotes: it keeps their records reachable here.
    ///
    /// # Errors
    /// The references cannot be read or deleted.
    pub fn forget_remotes(&self) -> Result<()> {
        let wrong = || format!("the references of {} cannot be read", self.common_dir().display());
        let references = self.inner.references().map_err(trouble(wrong()))?;
        for prefix in [THEIRS, BRANCH] {
            for reference in references.prefixed(prefix).map_err(trouble(wrong()))?.flatten() {
                if let Some(held) = reference.try_id() {
                    self.delete_reference(&reference.name().as_bstr().to_string(), Oid(held.detach()))?;
                }
            }
        }
        Ok(())
    }

    /// Deletes it where the process that looked is gone, killed or not: nobody looks for so long.
    pub fn sweep_remotes(&self) {
        let common = self.common_dir();
        let theirs = std::fs::read_dir(common.join(THEIRS)).into_iter().flatten().flatten().map(|entry| entry.path());
        let old = |path: &Path| path.metadata().and_then(|found| found.modified()).is_ok_and(is_left_over);
        if theirs.chain([common.join(BRANCH)]).any(|path| old(&path)) {
            // What cannot be deleted now keeps some records here until it can.
            let _ = self.forget_remotes();
        }
    }

    /// Deletes the reference `name` where it still is `expected`.
    ///
    /// # Errors
    /// Another process moved it meanwhile, or it cannot be deleted.
    pub fn delete_reference(&self, name: &str, expected: Oid) -> Result<()> {
        self.move_reference(name, Some(expected), None, "")
    }

    /// Returns the file at `path` in a commit once it and the way to it are on the disk; `None` where there is none, or one of
    /// more than so many bytes.
    ///
    /// # Errors
    /// An object is absent or damaged, or the disk refuses.
    pub fn lasting_file(&self, commit: Oid, path: &str, most: usize) -> Result<Option<Vec<u8>>> {
        let wrong = || format!("{path} of commit {commit} cannot be read");
        let mut tree = self.inner.find_commit(commit.0).and_then(|commit| commit.tree()).map_err(trouble(wrong()))?;
        let mut ids = vec![commit.0, tree.id];
        for part in path.split('/') {
            let Some(entry) = tree.lookup_entry([part]).map_err(trouble(wrong()))? else { return Ok(None) };
            ids.push(entry.object_id());
            if entry.mode().is_tree() {
                tree = self.inner.find_tree(entry.object_id()).map_err(trouble(wrong()))?;
            } else if !entry.mode().is_blob() {
                return Ok(None);
            }
        }
        let Some(blob) = ids.last().filter(|id| **id != tree.id) else { return Ok(None) };
        let bytes = self.blob_within(Oid(*blob), most)?;
        self.sync_loose(&ids).map_err(trouble(wrong()))?;
        Ok(bytes)
    }

    /// Waits until new loose objects are on the disk, which gix leaves to its caller. Packed ones were synced by git.
    pub(super) fn sync_loose(&self, ids: &[gix::ObjectId]) -> std::io::Result<()> {
        let objects = self.common_dir().join("objects");
        for id in ids {
            let hex = id.to_string();
            let (folder, file) = hex.split_at(2);
            match File::open(objects.join(folder).join(file)) {
                Ok(file) => file.sync_all().and_then(|()| File::open(objects.join(folder))?.sync_all())?,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// Returns the name of a writer's ref.
///
/// # Errors
/// `writer` is no writer id.
pub fn reference_of(writer: &str) -> Result<String> {
    if writer.len() == 12 && writer.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(format!("{WRITERS}{writer}"));
    }
    Err(Error::store(format!("`{}` is no writer id", writer.escape_debug())))
}
