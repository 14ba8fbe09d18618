//! The only speaker of git: repositories, trees, blobs, commits and hooks; knows nothing of records.
#![expect(clippy::disallowed_methods, reason = "this room reads and writes git directories")]

use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// An opened repository. Only the repository's own configuration is read, never the user's or the system's.
pub struct Repository {
    inner: gix::Repository,
}

impl std::fmt::Debug for Repository {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Repository").field(&self.inner.git_dir()).finish()
    }
}

impl Repository {
    /// Returns the repository around `folder`, or `None` where there is none.
    ///
    /// # Errors
    /// There is one, and it cannot be opened.
    pub fn discover(folder: &Path) -> Result<Option<Self>> {
        let mut at = Some(folder);
        while let Some(candidate) = at {
            if candidate.join(".git").exists() {
                return Self::open(candidate).map(Some);
            }
            at = candidate.parent();
        }
        Ok(None)
    }

    /// Opens the repository at `path`: a work tree's top, a `.git` folder or a bare repository.
    ///
    /// # Errors
    /// There is no readable repository.
    pub fn open(path: &Path) -> Result<Self> {
        let inner = gix::open_opts(path, gix::open::Options::isolated()).map_err(|error| {
            Error::git(format!("{} is no repository that can be read", path.display())).cause(error)
        })?;
        Ok(Self { inner })
    }

    /// Returns the top of the work tree; a bare repository has none.
    pub fn work_dir(&self) -> Option<&Path> {
        self.inner.workdir()
    }

    /// Returns the git directory that all worktrees share.
    pub fn common_dir(&self) -> &Path {
        self.inner.common_dir()
    }

    /// Returns the folder for what is never committed: spool, logs, writer id.
    pub fn private_dir(&self) -> PathBuf {
        self.common_dir().join("meow")
    }
}
