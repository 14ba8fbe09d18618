//! The output of steps: a pipe for each slot, read by one thread into a log that comes into being with its first byte.
//!
//! Most steps say nothing, and a new file is the dearest thing that a file system does. A disk that is full or a folder
//! that cannot be written costs the log, never the step.

use std::fs::File;
use std::io::{self, PipeReader, PipeWriter, Write, pipe};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::io::Errno;

use super::log;
use crate::workflow::StepId;

/// How much is moved at once, in bytes.
const CHUNK: usize = 16 << 10;

/// The most that is moved before others have their turn: all that a pipe can be made to hold (pipe(7)).
const MOST: usize = 1 << 20;

/// The outlets of one execution.
pub(super) struct Outlets {
    folder: PathBuf,
    open: Mutex<Vec<Arc<Outlet>>>,
    /// Wakes the reader when there is one more outlet.
    bell: PipeReader,
    /// The other end. It is over once this is gone: closing cannot fail, as writing can.
    ringer: Mutex<Option<PipeWriter>>,
}

/// The output of one slot.
pub(super) struct Outlet {
    reader: PipeReader,
    writer: PipeWriter,
    page: Mutex<Page>,
}

/// The log of the attempt that runs in a slot.
#[derive(Default)]
struct Page {
    path: Option<PathBuf>,
    file: Option<File>,
}

impl Outlets {
    /// Returns the outlets of an execution whose logs lie in `folder`.
    ///
    /// # Errors
    /// The system has no pipe to give.
    pub(super) fn new(folder: &Path) -> io::Result<Self> {
        let (bell, ringer) = pipe()?;
        rustix::io::ioctl_fionbio(&bell, true)?;
        rustix::io::ioctl_fionbio(&ringer, true)?;
        Ok(Self { folder: folder.to_path_buf(), open: Mutex::default(), bell, ringer: Mutex::new(Some(ringer)) })
    }

    /// Opens one more outlet.
    ///
    /// # Errors
    /// The system has no pipe to give, or there is no reader that could be told of it.
    pub(super) fn add(&self) -> io::Result<Arc<Outlet>> {
        let (reader, writer) = pipe()?;
        // The other end waits, as steps expect of their output.
        rustix::io::ioctl_fionbio(&reader, true)?;
        let outlet = Arc::new(Outlet { reader, writer, page: Mutex::default() });
        lock(&self.open).push(Arc::clone(&outlet));
        match lock(&self.ringer).as_ref().map_or(Err(Errno::PIPE), |ringer| rustix::io::write(ringer, &[0])) {
            // A full pipe wakes just as well.
            Ok(_) | Err(Errno::AGAIN) => Ok(outlet),
            // A step whose pipe nobody reads would wait for ever once that is full.
            Err(error) => {
                lock(&self.open).retain(|known| !Arc::ptr_eq(known, &outlet));
                Err(error.into())
            }
        }
    }

    /// Reads what steps say until [`Outlets::end`]; `lost` hears why something is not kept.
    pub(super) fn read(&self, lost: &dyn Fn(&io::Error)) {
        loop {
            let open = lock(&self.open).clone();
            let readers: Vec<&PipeReader> =
                [&self.bell].into_iter().chain(open.iter().map(|outlet| &outlet.reader)).collect();
            let ready = wait(&readers);
            if ready[0] && rustix::io::read(&self.bell, &mut [0; 64]) == Ok(0) {
                return;
            }
            for (outlet, _) in open.iter().zip(&ready[1..]).filter(|(_, ready)| **ready) {
                outlet.pour(lost);
            }
        }
    }

    /// Ends [`Outlets::read`]; from now on there are no more outlets.
    pub(super) fn end(&self) {
        *lock(&self.ringer) = None;
    }
}

impl Outlet {
    /// From now on what comes belongs to this attempt (its number, or `undo`).
    pub(super) fn begin(&self, outlets: &Outlets, step: &StepId, attempt: &str) {
        let path = Some(log::named(&outlets.folder, step, attempt, "log"));
        *lock(&self.page) = Page { path, file: None };
        // Whether writing waits belongs to the pipe: a program that asked it not to, and was killed before it took that
        // back, would have left the next one with writes that fail. A pipe is never refused this.
        let _ = rustix::io::ioctl_fionbio(&self.writer, false);
    }

    /// Returns where the attempt writes to.
    pub(super) fn writer(&self) -> BorrowedFd<'_> {
        self.writer.as_fd()
    }

    /// Takes the rest of an attempt of which nothing runs any more; `lost` hears why something is not kept.
    pub(super) fn finish(&self, lost: &dyn Fn(&io::Error)) {
        self.pour(lost);
        *lock(&self.page) = Page::default();
    }

    /// Moves what waits in the pipe to the log.
    fn pour(&self, lost: &dyn Fn(&io::Error)) {
        let mut page = lock(&self.page);
        let mut bytes = [MaybeUninit::<u8>::uninit(); CHUNK];
        for _ in 0..MOST / CHUNK {
            match rustix::io::read(&self.reader, &mut bytes[..]) {
                Ok(([], _)) => return,
                Ok((found, _)) => page.write(found).unwrap_or_else(|error| lost(&error)),
                Err(Errno::INTR) => {}
                // Nothing more waits.
                Err(_) => return,
            }
        }
    }
}

impl Page {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.file.is_none() {
            let Some(path) = self.path.as_ref() else { return Ok(()) };
            self.file = Some(log::create(path)?);
        }
        self.file.as_mut().map_or(Ok(()), |file| file.write_all(bytes))
    }
}

/// Waits until there is something to read, and returns for each whether there is.
#[expect(unsafe_code, reason = "one call of poll is no reason to build rustix with one feature more")]
fn wait(readers: &[&PipeReader]) -> Vec<bool> {
    let asked = |reader: &&PipeReader| libc::pollfd { fd: reader.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    let mut asked: Vec<libc::pollfd> = readers.iter().map(asked).collect();
    if let Ok(length) = asked.len().try_into() {
        // SAFETY: a live list of this length. Where the system refuses, nothing is ready, and it is asked again.
        unsafe { libc::poll(asked.as_mut_ptr(), length, -1) };
    }
    asked.iter().map(|asked| asked.revents != 0).collect()
}

/// A thread that panicked leaves what it held as it was.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
