//! The spool in the git directory: journals of every worktree, and the marks that say which segment holds them.
//!
//! Below the private folder: `spool/<worktree>/<execution>.journal`, `sealed/<segment>.json`, `spool.lock`, `writer`.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use super::files;
use super::journal::{self, Journal, JournalContent, State};
use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::record::{Digest, Execution, ExecutionId, Record};

/// A journal is begun within milliseconds; one that is still unfinished after this time has no process any more.
const LEFT_OVER: Duration = Duration::from_mins(1);

/// Sealing and freeing take milliseconds. Who holds the lock for so long stands still, and nobody's commit waits for that.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long to wait before the lock is tried again.
const LOOK: Duration = Duration::from_millis(2);

/// Seconds of a day.
const DAY: i64 = 86_400;

/// The spool of one repository.
#[derive(Debug, Clone)]
pub struct Spool {
    pub(super) private: PathBuf,
}

/// One journal in the spool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spooled {
    /// The worktree it was written in.
    pub worktree: String,
    /// The execution.
    pub execution: ExecutionId,
    /// Where it lies.
    pub path: PathBuf,
}

impl Spooled {
    /// Reads it.
    ///
    /// # Errors
    /// See [`journal::read`].
    pub fn read(&self) -> Result<JournalContent> {
        journal::read(&self.path)
    }

    /// Returns whether its execution still runs, without reading the rest.
    ///
    /// # Errors
    /// See [`journal::state`].
    pub fn state(&self) -> Result<State> {
        journal::state(&self.path)
    }
}

impl Spool {
    /// Returns the spool below a repository's private folder; nothing is touched.
    pub fn new(private: &Path) -> Self {
        Self { private: private.to_path_buf() }
    }

    /// Creates the journal of an execution that starts in `worktree`.
    ///
    /// # Errors
    /// See [`Journal::create`].
    pub fn create(&self, worktree: &str, execution: &Execution) -> Result<Journal> {
        self.no_link(&["spool", &format!("spool/{}", files::safe_name(worktree))])?;
        Journal::create(&self.private.join("spool").join(files::safe_name(worktree)), execution)
    }

    /// Returns the journals of all worktrees, also of those that are gone, by worktree and id.
    ///
    /// # Errors
    /// The folder cannot be read; an absent one is empty.
    pub fn list(&self) -> Result<Vec<Spooled>> {
        let mut found = Vec::new();
        for folder in files::entries(&self.private.join("spool"))? {
            let Some(worktree) = files::id_of(&folder.file_name().to_string_lossy()) else { continue };
            for file in files::entries(&folder.path())? {
                let path = file.path();
                let is_journal = path.extension().is_some_and(|extension| extension == journal::EXTENSION);
                let id = path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.parse().ok());
                if let (true, Some(execution)) = (is_journal, id) {
                    found.push(Spooled { worktree: worktree.clone(), execution, path });
                }
            }
        }
        Ok(found)
    }

    /// Hands over the records of every execution that has ended, sealed or not, one execution after the other; returns what
    /// could not be read.
    ///
    /// # Errors
    /// The spool's folder cannot be read.
    pub fn each(&self, take: &mut dyn FnMut(Vec<Record>)) -> Result<Vec<Error>> {
        let mut troubles = Vec::new();
        for spooled in self.list()? {
            match spooled.read() {
                Ok(content) if content.state != State::Running => take(content.records().collect()),
                Ok(_) => {}
                // Another process sealed and freed it meanwhile: its segment is read elsewhere.
                Err(_) if !spooled.path.exists() => {}
                Err(error) => troubles.push(error),
            }
        }
        Ok(troubles)
    }

    /// Returns the same records at once, and what could not be read.
    ///
    /// # Errors
    /// The spool's folder cannot be read.
    pub fn records(&self) -> Result<(Vec<Record>, Vec<Error>)> {
        let mut records = Vec::new();
        let troubles = self.each(&mut |one| records.extend(one))?;
        Ok((records, troubles))
    }

    /// Returns a hash of all journals and of whether their executions have ended. What they say is not looked at.
    ///
    /// # Errors
    /// The folder or a journal cannot be read, or nothing in one can be understood.
    pub fn fingerprint(&self) -> Result<Digest> {
        let mut bytes = Vec::new();
        for spooled in self.list()? {
            let (running, content) = journal::look(&spooled.path)?;
            bytes.extend(format!("{} {running} ", spooled.path.display()).into_bytes());
            bytes.extend(Digest::of(&content).bytes());
        }
        Ok(Digest::of(&bytes))
    }

    /// Returns this clone's writer id, drawn at the first call: 12 hex digits that say nothing of host or user.
    ///
    /// # Errors
    /// It cannot be read or written.
    pub fn writer(&self, clock: &Clock) -> Result<String> {
        self.no_link(&["writer"])?;
        let path = self.private.join("writer");
        if !path.exists() {
            let random = Digest::from_bytes(clock.random()?).to_string();
            files::write_new(&path, format!("{}\n", &random[..12]).as_bytes())?;
        }
        let text = files::read_capped(&path, 64)?;
        let writer = String::from_utf8_lossy(&text).trim().to_owned();
        if writer.len() == 12 && writer.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Ok(writer);
        }
        Err(Error::store(format!("{} holds no writer id", path.display())).hint("remove the file; a new id is drawn"))
    }

    /// Removes what processes left that died while they began a journal; young ones may still live.
    pub(super) fn sweep(&self) {
        let spool = self.private.join("spool");
        let mut begun = Vec::new();
        for folder in files::entries(&spool).unwrap_or_default() {
            let files = files::entries(&folder.path()).unwrap_or_default();
            let is_begun = |file: &fs::DirEntry| file.file_name().to_string_lossy().starts_with(journal::BEGINNING);
            begun.extend(files.into_iter().filter(is_begun).map(|file| file.path()));
        }
        if begun.is_empty() {
            return;
        }
        let changed = |path: &Path| path.metadata().and_then(|metadata| metadata.modified()).ok();
        // The file system's own idea of now, which is what the others' ages are told in.
        let now = tempfile::Builder::new().prefix(journal::BEGINNING).tempfile_in(&spool);
        let Some(now) = now.ok().and_then(|file| changed(file.path())) else { return };
        for file in begun {
            let age = changed(&file).and_then(|then| now.duration_since(then).ok());
            if age.is_some_and(|age| age >= LEFT_OVER) {
                let _ = fs::remove_file(file);
            }
        }
    }

    /// Returns the time that has the seconds of the last number of order drawn on the day that begins at `midnight`, or,
    /// with `next`, of the next one.
    ///
    /// # Errors
    /// It cannot be read or written.
    pub fn number(&self, midnight: Timestamp, next: bool) -> Result<Timestamp> {
        let _lock = self.lock()?;
        let path = self.private.join("day");
        let text = if path.exists() { files::read_capped(&path, 64)? } else { Vec::new() };
        let kept = String::from_utf8_lossy(&text).trim().parse::<Timestamp>().ok();
        let seconds = |kept: Timestamp| kept.as_second() - midnight.as_second();
        let last = kept.filter(|kept| (0..DAY).contains(&seconds(*kept))).unwrap_or(midnight);
        if !next || seconds(last) + 1 == DAY {
            return Ok(last);
        }
        let drawn = Timestamp::from_second(last.as_second() + 1).unwrap_or(last);
        files::write_whole(&path, format!("{drawn}\n").as_bytes())?;
        Ok(drawn)
    }

    /// Checks that neither the private folder nor these in it are links, which could lead out of the git directory.
    fn no_link(&self, names: &[&str]) -> Result<()> {
        let all = names.iter().map(|name| self.private.join(name)).chain([self.private.clone()]);
        match all.into_iter().find(|path| path.is_symlink()) {
            Some(link) => Err(Error::store(format!("{} is a link; nothing is written through it", link.display()))
                .hint("remove it: meow makes a folder there itself")),
            None => Ok(()),
        }
    }

    /// Waits for and takes the lock of those who seal and free, for five seconds at most; it goes with the returned file.
    pub(super) fn lock(&self) -> Result<File> {
        self.no_link(&["spool", "sealed", "spool.lock"])?;
        let path = self.private.join("spool.lock");
        let attempt = || -> std::io::Result<File> {
            fs::create_dir_all(&self.private)?;
            let file = File::options().create(true).append(true).open(&path)?;
            for _ in 0..PATIENCE.as_millis() / LOOK.as_millis() {
                match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                    Err(Errno::WOULDBLOCK) => std::thread::sleep(LOOK),
                    locked => return Ok(locked.map(|()| file)?),
                }
            }
            Err(Errno::WOULDBLOCK.into())
        };
        attempt().map_err(|error| {
            let wrong = Error::store(format!("{} cannot be locked", path.display()));
            let is_held = error.kind() == ErrorKind::WouldBlock;
            let wrong = if is_held {
                wrong.hint("another meow holds it and stands still: end it, or let it go on")
            } else {
                wrong
            };
            wrong.cause(error)
        })
    }
}
