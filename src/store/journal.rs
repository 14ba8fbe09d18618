//! The append-only file of one execution while it runs: what was appended survives the death of the process.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};

use super::columns::to_second;
use super::{disk, files};
use crate::error::{Error, Result};
use crate::record::{Attempt, Execution, Fact, Outcome, Outline, Record};

/// The ending of a journal's file name.
pub(super) const EXTENSION: &str = "journal";

/// How the name of a journal starts before it has its first line.
pub(super) const BEGINNING: &str = ".beginning-";

/// A larger journal is refused unread.
pub(super) const MAX_BYTES: usize = 256 << 20;

/// The closing row lies within so many bytes of the end.
const END: usize = 64 << 10;

/// One line: 16 hex digits of the BLAKE3 hash of the rest, a space, and this as JSON.
#[derive(Deserialize)]
#[serde(tag = "entry", rename_all = "kebab-case")]
enum Entry {
    Began { execution: Box<Execution> },
    Planned { outline: Box<Outline> },
    Started { attempt: Box<Attempt> },
    Finished { attempt: Box<Attempt> },
    Undone { step: String, attempt: u32, outcome: Outcome },
    Closed { execution: Box<Execution> },
}

/// The same, to be written.
#[derive(Serialize)]
#[serde(tag = "entry", rename_all = "kebab-case")]
enum Line<'a> {
    Began { execution: &'a Execution },
    Planned { outline: &'a Outline },
    Started { attempt: &'a Attempt },
    Finished { attempt: &'a Attempt },
    Undone { step: &'a str, attempt: u32, outcome: Outcome },
    Closed { execution: &'a Execution },
}

/// The open journal of an execution that runs in this process. The lock on it says that the execution lives.
#[derive(Debug)]
pub struct Journal {
    file: File,
    path: PathBuf,
    /// Whether its name is on the disk; held while it is brought there.
    named: Mutex<bool>,
}

impl Journal {
    /// Creates `<folder>/<execution id>.journal`. It comes into being locked and with its first line.
    ///
    /// # Errors
    /// The folder cannot be written, or holds a journal of this execution.
    pub fn create(folder: &Path, execution: &Execution) -> Result<Self> {
        let path = folder.join(format!("{}.{EXTENSION}", execution.id));
        let refuse = || Error::store(format!("the journal {} cannot be created", path.display()));
        let attempt = || -> std::io::Result<File> {
            disk::make_folders(folder)?;
            let first = disk::begin(folder, BEGINNING)?;
            flock(first.as_file(), FlockOperation::NonBlockingLockExclusive)?;
            disk::write(first.as_file(), &line(&Line::Began { execution })?)?;
            disk::put_new(first, &path)
        };
        let file = attempt().map_err(|error| refuse().cause(error))?;
        Ok(Self { file, path, named: Mutex::default() })
    }

    /// Returns where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends what is planned, for those who watch.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn planned(&self, outline: &Outline) -> Result<()> {
        self.write(&Line::Planned { outline })
    }

    /// Appends that an attempt started; `attempt` holds what is known by then. Should its end never be appended, it
    /// counts as cancelled.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn started(&self, attempt: &Attempt) -> Result<()> {
        self.write(&Line::Started { attempt: &finite(attempt) })
    }

    /// Appends a finished attempt with one write.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn append(&self, attempt: &Attempt) -> Result<()> {
        self.write(&Line::Finished { attempt: &finite(attempt) })
    }

    /// Appends what several events say of attempts with one write.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn append_all(&self, facts: &[Fact]) -> Result<()> {
        let attempt = || -> std::io::Result<()> {
            let mut lines = Vec::with_capacity(facts.len() * 512);
            for fact in facts {
                match fact {
                    Fact::Started(attempt) => add(&mut lines, &Line::Started { attempt: &finite(attempt) })?,
                    Fact::Finished(attempt) => add(&mut lines, &Line::Finished { attempt: &finite(attempt) })?,
                    Fact::Undone { step, attempt, outcome } => {
                        add(&mut lines, &Line::Undone { step, attempt: *attempt, outcome: *outcome })?;
                    }
                }
            }
            disk::write(&self.file, &lines)
        };
        attempt().map_err(|error| self.unwritable().cause(error))
    }

    /// Appends that what an attempt did was taken back.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn undone(&self, step: &str, attempt: u32, outcome: Outcome) -> Result<()> {
        self.write(&Line::Undone { step, attempt, outcome })
    }

    /// Waits until everything appended so far is on the disk: from then on it is acknowledged. May be called from
    /// another thread, so that nothing waits for it.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn sync(&self) -> Result<()> {
        disk::sync(&self.file).map_err(|error| self.unwritable().cause(error))?;
        self.sync_name()
    }

    /// Waits until its name is on the disk, without which nobody would find what it holds there. What is next synced has
    /// to wait for less.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn sync_name(&self) -> Result<()> {
        let mut named = self.named.lock().unwrap_or_else(PoisonError::into_inner);
        if !*named {
            disk::sync_folder(disk::parent(&self.path)).map_err(|error| self.unwritable().cause(error))?;
            *named = true;
        }
        Ok(())
    }

    /// Appends the closing row and syncs; `execution` holds the outcome and the duration.
    ///
    /// # Errors
    /// The file cannot be written or synced.
    pub fn close(&self, execution: &Execution) -> Result<()> {
        self.write(&Line::Closed { execution })?;
        self.sync()
    }

    fn write(&self, entry: &Line) -> Result<()> {
        let attempt = || disk::write(&self.file, &line(entry)?);
        attempt().map_err(|error| self.unwritable().cause(error))
    }

    fn unwritable(&self) -> Error {
        Error::store(format!("the journal {} cannot be written", self.path.display()))
    }
}

/// JSON knows no NaN and no infinity: such numbers say nothing and are left out.
fn finite(attempt: &Attempt) -> Cow<'_, Attempt> {
    let is_finite = |value: &f64| value.is_finite();
    if attempt.metrics.values().all(is_finite) && attempt.duration_ms.as_ref().is_none_or(is_finite) {
        return Cow::Borrowed(attempt);
    }
    let mut attempt = attempt.clone();
    attempt.metrics.retain(|_, value| value.is_finite());
    attempt.duration_ms = attempt.duration_ms.filter(is_finite);
    Cow::Owned(attempt)
}

fn line(entry: &Line) -> std::io::Result<Vec<u8>> {
    let mut line = Vec::new();
    add(&mut line, entry)?;
    Ok(line)
}

/// Adds a line to others.
fn add(lines: &mut Vec<u8>, entry: &Line) -> std::io::Result<()> {
    // A line end on both sides: whatever a crash leaves before or behind it, zeros too, this line stands on its own.
    let at = lines.len() + 1;
    lines.extend_from_slice(b"\n0123456789abcdef ");
    let json = lines.len();
    serde_json::to_writer(&mut *lines, entry)?;
    let check = check(&lines[json..]);
    lines[at..json - 1].copy_from_slice(check.as_bytes());
    lines.push(b'\n');
    Ok(())
}

fn check(json: &[u8]) -> String {
    blake3::hash(json).to_hex()[..16].to_owned()
}

/// Whether the execution behind a journal still runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// A process holds its lock.
    Running,
    /// It has its closing row.
    Finished,
    /// Its process died.
    Interrupted,
}

impl State {
    fn of(closed: bool, running: bool) -> Self {
        match (closed, running) {
            (true, _) => Self::Finished,
            (false, true) => Self::Running,
            (false, false) => Self::Interrupted,
        }
    }
}

/// What a journal holds.
#[derive(Debug, Clone, PartialEq)]
pub struct JournalContent {
    /// The execution: as it was closed, else as it began, outcome `cancelled`.
    pub execution: Execution,
    /// What was planned, where that was written.
    pub outline: Option<Outline>,
    /// Finished attempts in order, then those that started and never finished, as cancelled.
    pub attempts: Vec<Attempt>,
    /// Whether it has its closing row.
    pub closed: bool,
    /// Lines that were torn or damaged, and left out.
    pub torn: usize,
    /// Whether the execution still runs.
    pub state: State,
}

impl JournalContent {
    /// Returns its records.
    pub fn records(self) -> impl Iterator<Item = Record> {
        let execution = Arc::new(self.execution);
        self.attempts.into_iter().map(move |attempt| Record { execution: Arc::clone(&execution), attempt })
    }
}

/// Returns whether the execution behind a journal still runs, from the end of the file alone.
///
/// # Errors
/// It cannot be read.
pub fn state(path: &Path) -> Result<State> {
    let running = is_locked(path)?;
    let end = files::end(path, END)?;
    let closes = |line: &[u8]| matches!(entry(line), Some(Entry::Closed { .. }));
    Ok(State::of(end.rsplit(|byte| *byte == b'\n').any(closes), running))
}

/// Reads a journal, also while another process appends to it.
///
/// # Errors
/// It cannot be read, or its first line is damaged: then nothing in it can be understood.
pub fn read(path: &Path) -> Result<JournalContent> {
    // The lock is asked for first: an execution that closes meanwhile is then seen as running, never as interrupted.
    let running = is_locked(path)?;
    let (mut began, mut outline, mut closed, mut torn) = (None, None, None, 0);
    let (mut attempts, mut started) = (Vec::new(), Started::default());
    files::each_line(path, MAX_BYTES, &mut |line| {
        if line.is_empty() {
            return;
        }
        match entry(line) {
            Some(Entry::Began { execution }) => began = Some(*execution),
            Some(Entry::Planned { outline: found }) => outline = Some(*found),
            Some(Entry::Started { attempt }) => started.begin(*attempt),
            Some(Entry::Finished { attempt }) => {
                started.end(&attempt);
                attempts.push(*attempt);
            }
            Some(Entry::Undone { step, attempt, outcome }) => {
                let own = |one: &&mut Attempt| (&one.step, one.attempt) == (&step, attempt);
                attempts.iter_mut().filter(own).for_each(|one| one.undone = Some(outcome));
            }
            Some(Entry::Closed { execution }) => closed = Some(*execution),
            None => torn += 1,
        }
    })?;
    let Some(began) = began else {
        return Err(unreadable(path));
    };
    let state = State::of(closed.is_some(), running);
    attempts.extend(started.unfinished().map(cancelled));
    let is_closed = closed.is_some();
    let execution = closed.unwrap_or(Execution { outcome: Outcome::Cancelled, duration_ms: None, ..began });
    let execution = Execution { started_at: to_second(execution.started_at), ..execution };
    Ok(JournalContent { execution, outline, attempts, closed: is_closed, torn, state })
}

/// Returns whether a process holds a journal's lock, and its bytes, of which the first line is understood.
///
/// # Errors
/// See [`read`].
pub(super) fn look(path: &Path) -> Result<(bool, Vec<u8>)> {
    let running = is_locked(path)?;
    let bytes = files::read_capped(path, MAX_BYTES)?;
    let mut lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    if lines.any(|line| matches!(entry(line), Some(Entry::Began { .. }))) {
        return Ok((running, bytes));
    }
    Err(unreadable(path))
}

/// Returns whether nothing that was appended to a journal reached the disk, as after a power cut: no process has it open, and
/// none of its lines is whole, whichever meow wrote them.
///
/// # Errors
/// It cannot be read.
pub(super) fn is_void(path: &Path) -> Result<bool> {
    if is_locked(path)? {
        return Ok(false);
    }
    let mut void = true;
    files::each_line(path, MAX_BYTES, &mut |line| void &= checked(line).is_none())?;
    Ok(void)
}

/// Attempts that started and did not finish yet: never many, however long the journal.
#[derive(Default)]
struct Started {
    open: Vec<Attempt>,
    /// Step and number of those that finished.
    ended: HashSet<(String, u32)>,
}

impl Started {
    fn begin(&mut self, attempt: Attempt) {
        if !self.ended.contains(&(attempt.step.clone(), attempt.attempt)) {
            self.open.push(attempt);
        }
    }

    fn end(&mut self, attempt: &Attempt) {
        self.open.retain(|open| (&open.step, open.attempt) != (&attempt.step, attempt.attempt));
        self.ended.insert((attempt.step.clone(), attempt.attempt));
    }

    /// Returns those that never finished, in order.
    fn unfinished(self) -> impl Iterator<Item = Attempt> {
        self.open.into_iter()
    }
}

fn unreadable(path: &Path) -> Error {
    Error::store(format!("the journal {} has no readable first line", path.display()))
}

fn cancelled(attempt: Attempt) -> Attempt {
    Attempt { outcome: Outcome::Cancelled, duration_ms: None, ..attempt }
}

fn entry(line: &[u8]) -> Option<Entry> {
    serde_json::from_str(checked(line)?).ok()
}

/// Returns what a whole line says.
fn checked(line: &[u8]) -> Option<&str> {
    let (hash, json) = std::str::from_utf8(line).ok()?.split_once(' ')?;
    (hash == check(json.as_bytes())).then_some(json)
}

fn is_locked(path: &Path) -> Result<bool> {
    let unreadable = || Error::store(format!("the journal {} cannot be read", path.display()));
    let file = File::open(path).map_err(|error| unreadable().cause(error))?;
    match flock(&file, FlockOperation::NonBlockingLockShared) {
        Ok(()) => Ok(false),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(true),
        Err(error) => Err(unreadable().cause(error)),
    }
}
