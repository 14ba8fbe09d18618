//! Files into the index and into commits of their own, without touching what the person has staged.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use gix::objs::tree::EntryKind;

use super::moves::clearing_up;
use super::{Oid, Repository, trouble};
use crate::error::{Error, Result};

/// Variables by which git points a child at a repository; the caller decides here, not the environment.
pub(super) const POINTERS: [&str; 8] = [
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_COMMON_DIR",
    "GIT_INDEX_FILE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_NAMESPACE",
    "GIT_PREFIX",
];

/// A path from the top and the blob that belongs there; `None` where the file is gone.
pub type FileChange = (String, Option<Oid>);

impl Repository {
    /// Writes a blob; returns its id. Line ends and filters do not touch it.
    ///
    /// # Errors
    /// The object database cannot be written.
    pub fn write_blob(&self, bytes: &[u8]) -> Result<Oid> {
        let wrong = format!("the objects of {} cannot be written", self.common_dir().display());
        self.inner.write_blob(bytes).map(|id| Oid(id.detach())).map_err(trouble(wrong))
    }

    /// Returns the blob at `path` in the index, or `None` where it is not in it.
    ///
    /// # Errors
    /// The index cannot be read.
    pub fn blob_in_index(&self, path: &str, index: Option<&Path>) -> Result<Option<Oid>> {
        let file = index.map_or_else(|| self.inner.index_path(), PathBuf::from);
        if !file.exists() {
            return Ok(None);
        }
        let wrong = format!("the index {} cannot be read", file.display());
        let index = gix::index::File::at(file, self.inner.object_hash(), false, gix::index::decode::Options::default())
            .map_err(trouble(wrong))?;
        Ok(index.entry_by_path(path.into()).map(|entry| Oid(entry.id)))
    }

    /// Puts blobs into the index, or takes them out: this worktree's own, or the one that a running hook was handed.
    ///
    /// git itself does it, because an index may be split, sparse or locked by the commit that waits for the hook.
    ///
    /// # Errors
    /// git is missing or refuses.
    pub fn put_in_index(&self, files: &[FileChange], index: Option<&Path>) -> Result<()> {
        if files.is_empty() {
            return Ok(());
        }
        self.work_dir().ok_or_else(|| Error::git("a bare repository has no index"))?;
        let wrong = "`git update-index` could not take the records";
        let mut command = self.git();
        if let Some(index) = index {
            command.env("GIT_INDEX_FILE", index);
        }
        command
            .args(["update-index", "-z", "--index-info"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let mut lines = Vec::new();
        for (path, id) in files {
            let mode = if id.is_some() { "100644" } else { "0" };
            write!(lines, "{mode} {}\t{path}\0", id.unwrap_or_else(|| self.nothing())).map_err(trouble(wrong))?;
        }
        let file = index.map_or_else(|| self.inner.index_path(), PathBuf::from);
        let output = clearing_up(&[file], || {
            let mut child = command.spawn()?;
            // git says itself what it did not take; a pipe that it closed early is no news beside that.
            let _ = child.stdin.take().map(|mut stdin| stdin.write_all(&lines));
            child.wait_with_output()
        })
        .map_err(trouble(wrong))?;
        if !output.status.success() {
            return Err(Error::git(wrong).cause(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
        }
        Ok(())
    }

    /// Commits `files` on top of HEAD, and puts them into the index.
    ///
    /// What else is staged stays staged. Works on an unborn branch and on a detached HEAD; signs where the person signs
    /// commits; runs no hooks. Another commit made at the same moment wins, and this one fails.
    ///
    /// # Errors
    /// A merge, rebase or the like is in progress, nobody is named as author, or git cannot be written.
    pub fn commit_paths(&self, message: &str, files: &[FileChange]) -> Result<Oid> {
        self.nothing_in_progress()?;
        let wrong = || format!("{} cannot be committed to", self.common_dir().display());
        let head = self.head()?;
        let person = self.as_person()?;
        let base = match head {
            Some(head) => person.find_commit(head.0).and_then(|commit| commit.tree()).map_err(trouble(wrong()))?,
            None => person.empty_tree(),
        };
        let mut editor = base.edit().map_err(trouble(wrong()))?.detach();
        let mut written: Vec<gix::ObjectId> = files.iter().filter_map(|(_, id)| id.map(|id| id.0)).collect();
        for (path, id) in files {
            let parts = path.split('/').map(gix::bstr::BStr::new);
            match id {
                Some(id) => editor.upsert(parts, EntryKind::Blob, id.0),
                None => editor.remove(parts),
            }
            .map_err(trouble(wrong()))?;
        }
        let tree = editor
            .write(|tree| {
                let id = person.write_object(tree).map(gix::Id::detach)?;
                written.push(id);
                Ok(id)
            })
            .map_err(|error: gix::Error| trouble(wrong())(error))?;
        let commit = person.new_commit(message, tree, head.map(|head| head.0)).map_err(|error| {
            Error::git(wrong()).cause(error).hint("`git config user.name` and `user.email` name who commits")
        })?;
        let commit = match person.commit_signing_options_if_enabled().map_err(trouble(wrong()))? {
            Some(_) => commit.signed().map_err(trouble(wrong()))?,
            None => commit,
        };
        written.push(commit.id);
        self.sync_loose(&written).map_err(trouble(wrong()))?;
        let summary = message.lines().next().unwrap_or_default();
        let first = if head.is_none() { " (initial)" } else { "" };
        self.move_reference("HEAD", head, Some(Oid(commit.id)), &format!("commit{first}: {summary}"))?;
        self.put_in_index(files, None)?;
        Ok(Oid(commit.id))
    }

    /// Checks that a commit now would not end up in the middle of something.
    ///
    /// # Errors
    /// A merge, rebase, cherry-pick or the like waits for the person.
    pub fn nothing_in_progress(&self) -> Result<()> {
        use gix::state::InProgress;
        let what = match self.inner.state() {
            None | Some(InProgress::Bisect) => return Ok(()),
            Some(InProgress::Merge) => "a merge",
            Some(InProgress::CherryPick | InProgress::CherryPickSequence) => "a cherry-pick",
            Some(InProgress::Revert | InProgress::RevertSequence) => "a revert",
            Some(InProgress::ApplyMailbox) => "`git am`",
            Some(InProgress::ApplyMailboxRebase | InProgress::Rebase | InProgress::RebaseInteractive) => "a rebase",
        };
        Err(Error::git(format!("{what} is in progress in {}", self.git_dir().display()))
            .hint("finish or abort it first; the records wait"))
    }
}
