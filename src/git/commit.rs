//! Files into the index and into commits of their own, without touching what the person has staged.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Output, Stdio};

use gix::objs::tree::EntryKind;

use super::moves::Locks;
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

/// What an error of the index begins with.
const NOT_TAKEN: &str = "`git update-index` could not take the records";

/// A path from the top and the blob that belongs there; `None` where the file is gone.
pub type FileChange = (String, Option<Oid>);

/// git about to take blobs into an index: it reads that one while its caller still makes them.
///
/// git itself does it, because an index may be split, sparse or locked by the commit that waits for the hook. It holds the
/// index's lock from its start on, and changes nothing where it is handed nothing.
#[derive(Debug)]
pub struct IndexTaker {
    git: Option<Child>,
    locks: Locks,
    nothing: Oid,
}

impl IndexTaker {
    /// Starts git for this worktree's own index, or for the one that a running hook was handed.
    ///
    /// # Errors
    /// The repository is bare, or git is missing.
    pub fn start(repository: &Repository, index: Option<&Path>) -> Result<Self> {
        repository.work_dir().ok_or_else(|| Error::git("a bare repository has no index"))?;
        let mut command = repository.git();
        if let Some(index) = index {
            command.env("GIT_INDEX_FILE", index);
        }
        command
            .args(["update-index", "-z", "--index-info"])
            .env("LC_ALL", "C")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let locks = Locks::of(&[index.map_or_else(|| repository.inner.index_path(), PathBuf::from)]);
        let git = command.spawn().map_err(trouble(NOT_TAKEN))?;
        Ok(Self { git: Some(git), locks, nothing: repository.nothing() })
    }

    /// Hands the blobs over, or takes out the files that have none, and waits until the index holds them.
    ///
    /// # Errors
    /// git refuses.
    pub fn put(mut self, files: &[FileChange]) -> Result<()> {
        let mut lines = Vec::new();
        for (path, id) in files {
            let mode = if id.is_some() { "100644" } else { "0" };
            write!(lines, "{mode} {}\t{path}\0", id.unwrap_or(self.nothing)).map_err(trouble(NOT_TAKEN))?;
        }
        let Some(output) = self.end(&lines).transpose().map_err(trouble(NOT_TAKEN))? else { return Ok(()) };
        if !output.status.success() {
            return Err(Error::git(NOT_TAKEN).cause(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
        }
        Ok(())
    }

    /// Lets git do what it was told and end; `None` where it has ended before.
    fn end(&mut self, lines: &[u8]) -> Option<std::io::Result<Output>> {
        let mut git = self.git.take()?;
        // git says itself what it did not take; a pipe that it closed early is no news beside that.
        let _ = git.stdin.take().map(|mut stdin| stdin.write_all(lines));
        let output = git.wait_with_output();
        // Where git has taken the files its lock became the index: one that is there now is somebody else's.
        if !output.as_ref().is_ok_and(|output| output.status.success()) {
            self.locks.clear(output.as_ref().ok());
        }
        Some(output)
    }
}

impl Drop for IndexTaker {
    fn drop(&mut self) {
        // Whoever failed in between hands over nothing, and leaves no lock behind.
        let _ = self.end(&[]);
    }
}

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
    /// # Errors
    /// git is missing or refuses.
    pub fn put_in_index(&self, files: &[FileChange], index: Option<&Path>) -> Result<()> {
        if files.is_empty() { Ok(()) } else { IndexTaker::start(self, index)?.put(files) }
    }

    /// Puts `files` into the index and commits them on top of HEAD.
    ///
    /// The index comes first: where another process holds it, or this one dies in between, the files are staged or nothing has
    /// happened. A commit that the index knows nothing of would be taken back by the person's next one.
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
        self.put_in_index(files, None)?;
        let summary = message.lines().next().unwrap_or_default();
        let first = if head.is_none() { " (initial)" } else { "" };
        let log = format!("commit{first}: {summary}");
        if let Err(error) = self.move_reference("HEAD", head, Some(Oid(commit.id)), &log) {
            // Nothing has happened, then: the index says of these files what HEAD does.
            let former = |path: &str| Some(Oid(base.lookup_entry(path.split('/')).ok()??.object_id()));
            let before: Vec<FileChange> = files.iter().map(|(path, _)| (path.clone(), former(path))).collect();
            let _ = self.put_in_index(&before, None);
            return Err(error);
        }
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
