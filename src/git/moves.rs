//! References and the index, moved by git itself: it ends what it began where meow is killed, and meow clears up where
//! git is.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::{Duration, SystemTime};

use super::{Oid, Repository, trouble};
use crate::error::{Error, Result};

/// A lock that stays the same so long after its process ended belongs to nobody: git holds one for milliseconds.
const ABANDONED: Duration = Duration::from_secs(1);
/// A temporary object that is older was left by a process that was killed.
const LEFT_OVER: Duration = Duration::from_hours(1);

impl Repository {
    /// Moves the reference `name` (through a symbolic one) from `expected` to `to`, where `None` means that there is
    /// none: compare and swap.
    ///
    /// # Errors
    /// Another process moved it meanwhile, or git is missing or refuses.
    pub(super) fn move_reference(&self, name: &str, expected: Option<Oid>, to: Option<Oid>, log: &str) -> Result<()> {
        let wrong = || format!("{name} of {} cannot be moved", self.common_dir().display());
        let old = expected.unwrap_or_else(|| self.nothing()).to_string();
        let mut command = self.git();
        command.arg("update-ref");
        match to {
            Some(to) => command.args(["-m", log, name, &to.to_string(), &old]),
            None => command.args(["-d", name, &old]),
        };
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let target = self.inner.find_reference(name).ok().and_then(|reference| {
            let gix::refs::TargetRef::Symbolic(target) = reference.target() else { return None };
            Some(target.as_bstr().to_string())
        });
        let folder = if name == "HEAD" { self.git_dir() } else { self.common_dir() };
        let mut locks = vec![folder.join(name), self.common_dir().join("packed-refs")];
        locks.extend(target.map(|target| self.common_dir().join(target)));
        let output = clearing_up(&locks, || command.output()).map_err(trouble(wrong()))?;
        if output.status.success() {
            return Ok(());
        }
        Err(Error::git(wrong()).cause(String::from_utf8_lossy(&output.stderr).trim().to_owned()))
    }

    /// Returns the id that stands for no object.
    pub(super) fn nothing(&self) -> Oid {
        Oid(gix::ObjectId::null(self.inner.object_hash()))
    }

    /// Removes the temporary objects of processes that were killed while they wrote; git's own are left to `git gc`.
    pub fn sweep_objects(&self) {
        sweep(&self.common_dir().join("objects"), ".tmp");
    }
}

/// Removes the files in `folder` whose names start with `prefix` and that nobody writes any more.
pub(super) fn sweep(folder: &Path, prefix: &str) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let old = || entry.metadata().and_then(|metadata| metadata.modified()).is_ok_and(is_left_over);
        if entry.file_name().to_string_lossy().starts_with(prefix) && old() {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

fn is_left_over(changed: SystemTime) -> bool {
    changed.elapsed().is_ok_and(|age| age >= LEFT_OVER)
}

/// Runs git, which locks `files`, and removes the locks that it left: killed, or not let to remove them itself.
pub(super) fn clearing_up(files: &[PathBuf], run: impl FnOnce() -> std::io::Result<Output>) -> std::io::Result<Output> {
    let locks = Locks::of(files);
    let output = run()?;
    locks.clear();
    Ok(output)
}

/// The locks that git is about to take: none of them is there yet.
#[derive(Debug)]
pub(super) struct Locks(Vec<PathBuf>);

impl Locks {
    /// Returns those of `files`; one that is there belongs to somebody else.
    pub fn of(files: &[PathBuf]) -> Self {
        Self(files.iter().map(|file| lock_of(file)).filter(|lock| !lock.exists()).collect())
    }

    /// Removes what git, which has ended, left of them.
    pub fn clear(&self) {
        let state = |lock: &Path| lock.symlink_metadata().and_then(|metadata| metadata.modified()).ok();
        let left: Vec<_> = self.0.iter().filter_map(|lock| Some((lock, state(lock)?))).collect();
        if !left.is_empty() {
            std::thread::sleep(ABANDONED);
        }
        for (lock, then) in left {
            if state(lock) == Some(then) {
                // Once more where the disk refuses: what stays locks the person out.
                let _ = std::fs::remove_file(lock).or_else(|_| std::fs::remove_file(lock));
            }
        }
    }
}

fn lock_of(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".lock");
    PathBuf::from(name)
}
