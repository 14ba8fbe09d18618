//! Starts commands with what all of them share prepared once: the environment, the search path, the folder, an empty
//! input.

use std::borrow::Cow;
use std::ffi::{CStr, CString, OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use rustix::fs::{Access, FileType, access};

use super::command;
use super::process::Process;
use super::spawn::Spawn;

/// Where programs are looked for when nothing says where (confstr(3), `_CS_PATH`).
const USUAL_PATH: &str = "/bin:/usr/bin";

/// What every command of an execution is started with.
pub(super) struct Launcher {
    /// `NAME=value`, with the length of the name.
    environment: Vec<(CString, usize)>,
    search: OsString,
    directory: CString,
    folder: PathBuf,
    nothing: File,
}

impl Launcher {
    /// Prepares to start commands in `folder` with the environment `variables`.
    ///
    /// # Errors
    /// A name cannot be passed on, or `/dev/null` cannot be opened.
    pub(super) fn new(folder: &Path, variables: &[(OsString, OsString)]) -> io::Result<Self> {
        let environment = variables.iter().map(|(name, value)| Ok((setting(name, value)?, name.len())));
        let search = variables.iter().find(|(name, _)| name == "PATH").map(|(_, value)| value.clone());
        Ok(Self {
            environment: environment.collect::<io::Result<_>>()?,
            search: search.unwrap_or_else(|| USUAL_PATH.into()),
            directory: text(folder.as_os_str().as_bytes())?,
            folder: folder.to_path_buf(),
            nothing: File::open("/dev/null")?,
        })
    }

    /// Starts a command's text behind the words of `prefix` with `more` variables; without an `output` what it says is
    /// lost.
    ///
    /// # Errors
    /// The program or the folder is absent, or the system refuses.
    pub(super) fn launch(
        &self,
        text: &str,
        prefix: &[OsString],
        more: &[(&str, &str)],
        output: Option<BorrowedFd>,
    ) -> io::Result<Process> {
        /// A file that is executable but no binary and without `#!`: shells run it, the system does not.
        const ENOEXEC: i32 = 8;
        match self.start(&command::of(text), prefix, more, output) {
            Err(error) if error.raw_os_error() == Some(ENOEXEC) => {
                self.start(&command::shell(text), prefix, more, output)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound && !self.folder.is_dir() => {
                Err(io::Error::new(error.kind(), format!("the folder {} is gone", self.folder.display())))
            }
            started => started,
        }
    }

    fn start(
        &self,
        words: &[&str],
        prefix: &[OsString],
        more: &[(&str, &str)],
        output: Option<BorrowedFd>,
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
        let added = more.iter().map(|(name, value)| setting(name.as_ref(), value.as_ref()));
        let added: Vec<CString> = added.collect::<io::Result<_>>()?;
        let changed =
            |set: &CStr, length: usize| more.iter().any(|(name, _)| name.as_bytes() == &set.to_bytes()[..length]);
        let kept = self.environment.iter().filter(|(set, length)| !changed(set, *length)).map(|(set, _)| set);
        let env: Vec<&CStr> = kept.chain(&added).map(CString::as_c_str).collect();
        let nothing = self.nothing.as_fd();
        let spawn = Spawn {
            program: &program,
            args: &args,
            env: &env,
            directory: &self.directory,
            input: nothing,
            output: output.unwrap_or(nothing),
        };
        super::spawn::spawn(&spawn).map(Process::new)
    }

    /// Returns the file of a program: the first of its name in the search path that may be executed, as a shell finds
    /// it. Looked up anew each time, because a step may have put one there.
    fn find<'a>(&self, name: &'a CStr, more: &[(&str, &str)]) -> io::Result<Cow<'a, CStr>> {
        if name.to_bytes().contains(&b'/') {
            return Ok(Cow::Borrowed(name));
        }
        let changed = more.iter().find(|(name, _)| *name == "PATH").map(|(_, value)| value.as_bytes());
        for folder in changed.unwrap_or(self.search.as_bytes()).split(|byte| *byte == b':') {
            let mut path = self.folder.join(OsStr::from_bytes(folder)).into_os_string().into_vec();
            path.push(b'/');
            path.extend(name.to_bytes());
            let path = text(&path)?;
            let is_file =
                || rustix::fs::stat(&*path).is_ok_and(|found| FileType::from_raw_mode(found.st_mode).is_file());
            if access(&*path, Access::EXEC_OK).is_ok() && is_file() {
                return Ok(Cow::Owned(path));
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
