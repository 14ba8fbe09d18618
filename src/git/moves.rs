//! References and the index, moved by git itself: it takes back what it began where meow is killed, meow clears up where
//! git is, and the next hook where both are.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::{Duration, SystemTime};

use rustix::fs::{FlockOperation, flock};

use super::{Oid, Repository, trouble};
use crate::error::{Error, Result};

/// A lock that stays the same so long after its process ended belongs to nobody: git holds one for milliseconds.
const ABANDONED: Duration = Duration::from_secs(1);
/// A temporary object that is older was left by a process that was killed.
const LEFT_OVER: Duration = Duration::from_hours(1);

/// The file in the private folder that tells of a move; the hook's script looks whether it is empty.
const NOTE: &str = "moving";
/// A longer note is none of ours.
const MOST_NOTED: u64 = 64 << 10;

impl Repository {
    /// Moves the reference `name` (through a symbolic one) from `expected` to `to`, where `None` means that there is
    /// none: compare and swap.
    ///
    /// # Errors
    /// Another process moved it meanwhile, or git is missing or refuses.
    pub(super) fn move_reference(&self, name: &str, expected: Option<Oid>, to: Option<Oid>, log: &str) -> Result<()> {
        let wrong = || format!("{name} of {} cannot be moved", self.common_dir().display());
        let old = expected.unwrap_or_else(|| self.nothing());
        let line = match to {
            Some(to) => format!("start\nupdate {name} {to} {old}\nprepare\n"),
            None => format!("start\ndelete {name} {old}\nprepare\n"),
        };
        let mut command = self.git();
        command.args(["update-ref", "--stdin"]).env("LC_ALL", "C");
        if !log.is_empty() {
            command.args(["-m", log]);
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let target = self.inner.find_reference(name).ok().and_then(|reference| {
            let gix::refs::TargetRef::Symbolic(target) = reference.target() else { return None };
            Some(target.as_bstr().to_string())
        });
        let folder = if name == "HEAD" { self.git_dir() } else { self.common_dir() };
        let mut files = vec![folder.join(name), self.common_dir().join("packed-refs")];
        files.extend(target.map(|target| self.common_dir().join(target)));
        // Without the note the move is as good; only a lock that outlives all of us could not be told from others'.
        let note = Note::begin(&self.private_dir());
        let locks = Locks::of(&files);
        let mut git = command.spawn().map_err(trouble(wrong()))?;
        let (mut to_git, from_git) = (git.stdin.take(), git.stdout.take());
        // git says itself what it does not take; a pipe that it closed early is no news beside that. It would wait for the
        // rest of a line that was not written in full.
        to_git = to_git.filter(|to_git| (&*to_git).write_all(line.as_bytes()).is_ok());
        let said = from_git.into_iter().flat_map(|from_git| BufReader::new(from_git).lines());
        for line in said.map_while(std::io::Result::ok) {
            if line == "prepare: ok" {
                if let Some(note) = &note {
                    note.holds(&locks);
                }
                let _ = to_git.take().map(|mut to_git| to_git.write_all(b"commit\n"));
            }
        }
        drop(to_git);
        let output = git.wait_with_output().map_err(trouble(wrong()))?;
        locks.clear(Some(&output));
        if let Some(note) = note {
            note.end();
        }
        if output.status.success() {
            return Ok(());
        }
        Err(Error::git(wrong()).cause(String::from_utf8_lossy(&output.stderr).trim().to_owned()))
    }

    /// Removes the locks that a move of references left whose meow and git were both killed.
    pub fn clear_moves(&self) {
        drop(Note::take(&self.private_dir(), false));
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

/// Returns whether what was last changed then was left by a process that is gone.
pub(super) fn is_left_over(changed: SystemTime) -> bool {
    changed.elapsed().is_ok_and(|age| age >= LEFT_OVER)
}

/// The locks that git is about to take: none of them is there yet.
#[derive(Debug)]
pub(super) struct Locks(Vec<PathBuf>);

impl Locks {
    /// Returns those of `files`; one that is there belongs to somebody else.
    pub fn of(files: &[PathBuf]) -> Self {
        Self(files.iter().map(|file| lock_of(file)).filter(|lock| !lock.exists()).collect())
    }

    /// Removes what git, which has ended, left of them. Where it found one there that was somebody else's, it says so in the
    /// words of the C locale, and has taken back its own.
    pub fn clear(&self, ended: Option<&Output>) {
        if ended.is_some_and(|output| String::from_utf8_lossy(&output.stderr).contains("File exists")) {
            return;
        }
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

/// What is written of a move of references while it lasts: which locks git holds for it.
///
/// The file stays locked as long as meow or that git lives. Once neither does, the locks it tells of belong to nobody, so
/// the next hook of the person's own commit removes them before git wants them.
struct Note(File);

/// A lock as git made it: its path, its number in the file system, and when that last changed. Another lock under that
/// name differs.
type Held = (PathBuf, u64, i64, i64);

impl Note {
    /// Begins one where nobody else moves references; what a former one tells of is cleared up.
    fn begin(private: &Path) -> Option<Self> {
        let note = Self::take(private, true)?;
        // git holds it too: what this meow leaves unfinished, git may be at.
        rustix::io::fcntl_setfd(&note.0, rustix::io::FdFlags::empty()).ok()?;
        Some(note)
    }

    /// Takes the note where nobody has it, and removes what it tells of; with `make` it is made where it is missing.
    fn take(private: &Path, make: bool) -> Option<Self> {
        if make {
            std::fs::create_dir_all(private).ok()?;
        }
        let mut options = File::options();
        options.read(true).append(true).create(make).custom_flags(libc::O_NOFOLLOW);
        let note = Self(options.open(private.join(NOTE)).ok()?);
        flock(&note.0, FlockOperation::NonBlockingLockExclusive).ok()?;
        let mut text = String::new();
        (&note.0).take(MOST_NOTED).read_to_string(&mut text).ok()?;
        for held in serde_json::from_str::<Vec<Held>>(&text).unwrap_or_default() {
            if held_now(&held.0).as_ref() == Some(&held) {
                let _ = std::fs::remove_file(&held.0);
            }
        }
        note.0.set_len(0).ok()?;
        Some(note)
    }

    /// Writes down which of the locks there are.
    fn holds(&self, locks: &Locks) {
        let held: Vec<Held> = locks.0.iter().filter_map(|lock| held_now(lock)).collect();
        let _ = serde_json::to_vec(&held).map(|text| (&self.0).write_all(&text));
    }

    /// Ends it: nothing is left to tell.
    fn end(self) {
        let _ = self.0.set_len(0);
    }
}

fn held_now(lock: &Path) -> Option<Held> {
    let found = lock.symlink_metadata().ok()?;
    Some((lock.to_path_buf(), found.ino(), found.ctime(), found.ctime_nsec()))
}

fn lock_of(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".lock");
    PathBuf::from(name)
}
