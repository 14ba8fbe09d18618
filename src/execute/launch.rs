//! Starts commands with what all of them share prepared once: the environment, the search path, the folder, an empty
//! input.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ffi::{CStr, CString, OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rustix::fs::{Access, FileType, access};

use super::cgroup::Gate;
use super::command;
use super::files::Files;
use super::process::Process;
use super::spawn::{Place, Signals, Spawn};
use crate::clock::Clock;

/// Where programs are looked for when nothing says where (confstr(3), `_CS_PATH`).
const USUAL_PATH: &str = "/bin:/usr/bin";

/// How long it is trusted where a program was found: less than it takes to put another one in its place and use it.
const MOMENT: Duration = Duration::from_millis(10);

/// The variables that every command is given by [`Launcher::launch`]: what meow itself was started with does not reach it.
pub(super) const GIVEN: [&str; 4] = ["MEOW_EXECUTION", "MEOW_STEP", "MEOW_ATTEMPT", "MEOW_METRICS"];

/// What every command of an execution is started with.
pub(super) struct Launcher {
    /// `NAME=value`, with the length of the name; without those that every command is given anew.
    environment: Vec<(CString, usize)>,
    search: OsString,
    directory: CString,
    folder: PathBuf,
    nothing: File,
    signals: Signals,
    files: Files,
    /// Where programs were found, and when.
    found: Mutex<HashMap<CString, (CString, Duration)>>,
    clock: Clock,
}

impl Launcher {
    /// Prepares to start commands in `folder` with the environment `variables`, so many at once.
    ///
    /// # Errors
    /// A name cannot be passed on, or `/dev/null` cannot be opened.
    pub(super) fn new(folder: &Path, variables: &[(OsString, OsString)], slots: usize) -> io::Result<Self> {
        let kept = variables.iter().filter(|(name, _)| !GIVEN.iter().any(|given| name == given));
        let environment = kept.map(|(name, value)| Ok((setting(name, value)?, name.len())));
        let search = variables.iter().find(|(name, _)| name == "PATH").map(|(_, value)| value.clone());
        Ok(Self {
            environment: environment.collect::<io::Result<_>>()?,
            search: search.unwrap_or_else(|| USUAL_PATH.into()),
            directory: text(folder.as_os_str().as_bytes())?,
            folder: folder.to_path_buf(),
            nothing: File::open("/dev/null")?,
            signals: Signals::new(),
            files: Files::for_slots(slots),
            found: Mutex::default(),
            clock: Clock::system(),
        })
    }

    /// Prepares to start commands that say what they say to `output`; without one it is lost.
    ///
    /// # Errors
    /// There is no memory.
    pub(super) fn place(&self, output: Option<BorrowedFd>) -> io::Result<Place> {
        let nothing = self.nothing.as_fd();
        let place = Place::new(&self.directory, nothing, output.unwrap_or(nothing), &self.signals)?;
        Ok(place.with_files(self.files.of_steps()))
    }

    /// Starts a command's text behind the words of `prefix` with `more` variables, in a control group where there is a
    /// `gate` to one.
    ///
    /// # Errors
    /// The program or the folder is absent, or the system refuses.
    pub(super) fn launch(
        &self,
        text: &str,
        prefix: &[OsString],
        more: &[(&str, &OsStr)],
        place: (&Place, Option<&Gate>),
    ) -> io::Result<Process> {
        /// A file that is executable but no binary and without `#!`: shells run it, the system does not.
        const ENOEXEC: i32 = 8;
        match self.start(&command::of(text), prefix, more, place) {
            Err(error) if error.raw_os_error() == Some(ENOEXEC) => {
                self.start(&command::shell(text), prefix, more, place)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound && !self.folder.is_dir() => {
                Err(io::Error::new(error.kind(), format!("the folder {} is gone", self.folder.display())))
            }
            Err(error) if command::needs_shell(text) => {
                Err(io::Error::new(error.kind(), format!("the shell {}: {error}", command::SHELL)))
            }
            started => started,
        }
    }

    fn start(
        &self,
        words: &[&str],
        prefix: &[OsString],
        more: &[(&str, &OsStr)],
        (place, gate): (&Place, Option<&Gate>),
    ) -> io::Result<Process> {
        let words = words.iter().map(|word| word.as_bytes());
        let words = prefix.iter().map(|word| word.as_bytes()).chain(words);
        let words: Vec<CString> = words.map(text).collect::<io::Result<_>>()?;
        let name = words.first().ok_or_else(|| io::Error::other("the command is empty"))?;
        if let Some(behind) = words.get(prefix.len()).filter(|_| !prefix.is_empty()) {
            // What is in front would say it less clearly.
            self.find(behind, more)?;
        }
        let program = self.find(name, more)?;
        let args: Vec<&CStr> = words.iter().map(CString::as_c_str).collect();
        let added = more.iter().map(|(name, value)| setting(name.as_ref(), value));
        let added: Vec<CString> = added.collect::<io::Result<_>>()?;
        let names: Vec<&[u8]> =
            more.iter().map(|(name, _)| *name).filter(|name| !GIVEN.contains(name)).map(str::as_bytes).collect();
        let changed = |set: &CStr, length: usize| !names.is_empty() && names.contains(&&set.to_bytes()[..length]);
        let kept = self.environment.iter().filter(|(set, length)| !changed(set, *length)).map(|(set, _)| set);
        let env: Vec<&CStr> = kept.chain(&added).map(CString::as_c_str).collect();
        let spawn = Spawn { program: &program, args: &args, env: &env, gate };
        super::spawn::spawn(&spawn, place).map(Process::new)
    }

    /// Returns the file of a program: the first of its name in the search path that may be executed, as a shell finds
    /// it. A step may have put one there: what was found is trusted for a moment only.
    fn find<'a>(&self, name: &'a CStr, more: &[(&str, &OsStr)]) -> io::Result<Cow<'a, CStr>> {
        if name.to_bytes().contains(&b'/') {
            return Ok(Cow::Borrowed(name));
        }
        if let Some((_, changed)) = more.iter().find(|(name, _)| *name == "PATH") {
            return self.search(name, changed.as_bytes()).map(Cow::Owned);
        }
        let now = self.clock.elapsed();
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((file, at)) = found.get(name)
            && now.saturating_sub(*at) < MOMENT
        {
            return Ok(Cow::Owned(file.clone()));
        }
        let file = self.search(name, self.search.as_bytes())?;
        found.insert(name.to_owned(), (file.clone(), now));
        Ok(Cow::Owned(file))
    }

    fn search(&self, name: &CStr, path: &[u8]) -> io::Result<CString> {
        for folder in path.split(|byte| *byte == b':') {
            let mut file = self.folder.join(OsStr::from_bytes(folder)).into_os_string().into_vec();
            file.push(b'/');
            file.extend(name.to_bytes());
            let file = text(&file)?;
            let is_file =
                || rustix::fs::stat(&*file).is_ok_and(|found| FileType::from_raw_mode(found.st_mode).is_file());
            if access(&*file, Access::EXEC_OK).is_ok() && is_file() {
                return Ok(file);
            }
        }
        Err(io::Error::from(io::ErrorKind::NotFound))
    }
}

fn setting(name: &OsStr, value: &OsStr) -> io::Result<CString> {
    text(&[name.as_bytes(), b"=", value.as_bytes()].concat())
}

fn text(bytes: &[u8]) -> io::Result<CString> {
    CString::new(bytes).map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "it holds a zero byte"))
}
