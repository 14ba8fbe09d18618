//! The only speaker of git: repositories, trees, blobs, commits and hooks; knows nothing of records.
#![expect(clippy::disallowed_methods, reason = "this room reads and writes git directories")]

pub mod commit;
mod glance;
pub mod hooks;
pub mod moves;
mod objects;
pub mod oid;
pub mod patch;
pub mod refs;
pub mod remote;
pub mod snapshot;
pub mod state;
pub mod stored;
pub mod writers;

use std::path::{Path, PathBuf};

use gix::open::Options;
use gix::open::permissions::{Attributes, Config};

pub use commit::{FileChange, IndexTaker};
pub use hooks::{HookState, Rewriter};
pub use objects::{CommitFacts, Version};
pub use oid::Oid;
pub use refs::{Note, Root, Tip};
pub use remote::{Lease, Pushed};
pub use state::{Patches, State};

use crate::error::{Error, Result};

/// What meow itself writes below `.meow`; no identity of sources counts it.
pub const DATA_FOLDERS: [&str; 4] = [".meow/records", ".meow/patterns", ".meow/recommendations", ".meow/actions"];

/// An opened repository.
///
/// Objects and references are read by the repository's own configuration only. What depends on the person
/// (ignored files, line ends, names in commits, the folder of hooks) is read with the person's configuration too.
/// Nothing that any configuration names is ever run: filters are dropped on opening.
#[derive(Clone)]
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
    /// Finds work trees, linked worktrees, submodules, and bare repositories from inside.
    ///
    /// # Errors
    /// There is one, and it cannot be opened.
    pub fn discover(folder: &Path) -> Result<Option<Self>> {
        let mut at = Some(folder);
        while let Some(candidate) = at {
            if is_repository(candidate) {
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
        // What blobs of one kind are deltas of, once for each reader: halves the time for reading many of them. A chain of
        // segments fits; from 4 to 96 MiB `cargo bench --bench memory` takes equally long.
        let options = Options::isolated().config_overrides(["core.deltaBaseCacheLimit=12m"]);
        Ok(Self { inner: open(path, options)? })
    }

    /// Returns the top of the work tree; a bare repository has none.
    pub fn work_dir(&self) -> Option<&Path> {
        self.inner.workdir()
    }

    /// Returns this worktree's own git directory; in the main worktree it is the common one.
    pub fn git_dir(&self) -> &Path {
        self.inner.git_dir()
    }

    /// Returns the git directory that all worktrees share.
    pub fn common_dir(&self) -> &Path {
        self.inner.common_dir()
    }

    /// Returns the folder for what is never committed: spool, logs, writer id.
    pub fn private_dir(&self) -> PathBuf {
        self.common_dir().join("meow")
    }

    /// Returns `main`, or the name under which git keeps this linked worktree.
    pub fn worktree(&self) -> String {
        let name = self.git_dir().file_name().filter(|_| self.inner.kind() == gix::repository::Kind::LinkedWorkTree);
        match name.map(|name| name.to_string_lossy().into_owned()) {
            // git may call a linked worktree `main` too.
            Some(name) if name == "main" => "linked-main".to_owned(),
            Some(name) => name,
            None => "main".to_owned(),
        }
    }

    /// Returns the path that stands for this repository when a person trusts it: its git directory for its own work tree and
    /// for worktrees that it lists, so that they share the trust; else the top of the work tree, or the bare repository.
    ///
    /// A folder whose `.git` file or link merely points at somebody's repository does not stand for that one.
    ///
    /// # Errors
    /// A path cannot be followed.
    pub fn place(&self) -> Result<PathBuf> {
        let follow =
            |path: &Path| path.canonicalize().map_err(trouble(format!("{} cannot be followed", path.display())));
        let common = follow(self.common_dir())?;
        let Some(top) = self.work_dir() else { return Ok(common) };
        let top = follow(top)?;
        let link = top.join(".git");
        let listed = || {
            let back = std::fs::read_to_string(self.git_dir().join("gitdir")).unwrap_or_default();
            self.inner.kind() == gix::repository::Kind::LinkedWorkTree
                && self.git_dir().join(back.trim_end()).canonicalize().is_ok_and(|back| back == link)
        };
        Ok(if common == link || listed() { common } else { top })
    }

    /// Returns what stands between this repository and a full answer, in words for people; empty for a plain one.
    pub fn limits(&self) -> Vec<&'static str> {
        let mut limits = Vec::new();
        if self.keeps_reftable() {
            limits.push("its references are a reftable, which meow cannot read yet");
        }
        if self.is_shallow() {
            limits.push("a shallow clone: older history is absent");
        }
        if self.is_partial() {
            limits.push("a partial clone: what was not fetched is absent");
        }
        limits
    }

    /// Returns whether objects may be absent that a remote promised to give when asked.
    fn is_partial(&self) -> bool {
        let config = self.inner.config_snapshot();
        let promises = |remote: &str| config.boolean(format!("remote.{remote}.promisor").as_str()) == Some(true);
        config.string("extensions.partialClone").is_some()
            || self.inner.remote_names().iter().any(|remote| promises(&remote.to_string()))
    }

    /// Returns whether older history is absent.
    pub fn is_shallow(&self) -> bool {
        self.inner.is_shallow().unwrap_or(false)
    }

    /// Returns whether references lie in a format that gix answers with silence.
    fn keeps_reftable(&self) -> bool {
        self.inner.config_snapshot().string("extensions.refStorage").is_some_and(|format| format == "reftable")
    }

    /// Checks that references can be read.
    fn readable_references(&self) -> Result<()> {
        if self.keeps_reftable() {
            return Err(Error::git(format!(
                "{} keeps its references in a reftable, which cannot be read yet",
                self.common_dir().display()
            ))
            .hint("`git refs migrate --ref-format=files` converts it, if you want records here"));
        }
        Ok(())
    }

    /// Returns the same repository with the person's configuration: what their own git would do here.
    fn as_person(&self) -> Result<gix::Repository> {
        let mut permissions = gix::open::Permissions::all();
        permissions.config = Config { git_binary: false, ..Config::all() };
        permissions.attributes = Attributes { git_binary: false, ..Attributes::all() };
        // The place was found already; `GIT_DIR` and its kin must not lead elsewhere.
        permissions.env.git_prefix = gix::sec::Permission::Deny;
        permissions.env.objects = gix::sec::Permission::Deny;
        let top = self.work_dir().unwrap_or_else(|| self.git_dir());
        open(top, Options::default().permissions(permissions))
    }
}

/// Opens a repository without the filters its configuration names, since filters are programs.
fn open(path: &Path, options: Options) -> Result<gix::Repository> {
    let cannot = || Error::git(format!("{} is no repository that can be read", path.display()));
    let mut inner = gix::open_opts(path, options).map_err(|error| cannot().cause(error))?;
    let filters: Vec<_> = {
        let config = inner.config_snapshot();
        config.sections_by_name("filter").into_iter().flatten().map(|section| section.id()).collect()
    };
    if !filters.is_empty() {
        let mut config = inner.config_snapshot_mut();
        for id in filters {
            config.remove_section_by_id(id);
        }
        config.commit().map_err(|error| cannot().cause(error))?;
    }
    Ok(inner)
}

/// Returns whether `folder` is a work tree's top or a git directory.
pub(crate) fn is_repository(folder: &Path) -> bool {
    folder.join(".git").exists()
        || (folder.join("HEAD").is_file() && folder.join("objects").is_dir() && folder.join("refs").is_dir())
}

/// Returns a function that turns an error of gix into one of git that says what was tried.
fn trouble<E>(what: impl Into<String>) -> impl FnOnce(E) -> Error
where
    E: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    move |error| Error::git(what).cause(error)
}
