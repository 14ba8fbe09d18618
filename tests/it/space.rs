//! A fresh folder with real git and the real binary: cleared environment, frozen clock, seeded ids.

use std::cell::Cell;
use std::ffi::OsStr;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Arc, Once};

use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use tempfile::TempDir;

/// A temporary folder in which a test plays the person.
pub struct Space {
    folder: TempDir,
    calls: Cell<u64>,
}

/// What a program said.
#[derive(Debug)]
pub struct Said {
    /// The exit code; -1 where a signal ended it.
    pub code: i32,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Space {
    /// Returns an empty folder.
    pub fn empty() -> Self {
        let folder = tempfile::Builder::new().prefix("meow-test-").tempdir().expect("a temporary folder");
        std::fs::create_dir(folder.path().join("home")).expect("home");
        std::fs::create_dir(folder.path().join("work")).expect("work");
        Self { folder, calls: Cell::new(0) }
    }

    /// Returns a folder with a git repository that has one commit on `main`.
    pub fn repository() -> Self {
        let space = Self::empty();
        space.git(&["init", "--quiet", "--initial-branch=main"]);
        space.write("README", "a project\n");
        space.git(&["add", "."]);
        space.git(&["commit", "--quiet", "--message=first"]);
        space
    }

    /// Returns a copy of all of it; its clock goes on from here.
    pub fn copy(&self) -> Self {
        let folder = tempfile::Builder::new().prefix("meow-test-").tempdir().expect("a temporary folder");
        let all = self.folder.path().join(".");
        let copied = Command::new("cp").arg("-a").arg(all).arg(folder.path()).status().expect("cp starts");
        assert!(copied.success(), "copied");
        Self { folder, calls: self.calls.clone() }
    }

    /// Returns the folder in which commands run.
    pub fn root(&self) -> PathBuf {
        self.folder.path().join("work")
    }

    /// Returns the person's home folder.
    pub fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    /// Writes a file below the root, folders included.
    pub fn write(&self, path: &str, text: &str) {
        let path = self.root().join(path);
        std::fs::create_dir_all(path.parent().expect("below the root")).expect("folders");
        std::fs::write(path, text).expect("written");
    }

    /// Reads a file below the root.
    pub fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// Returns whether a path below the root exists.
    pub fn has(&self, path: &str) -> bool {
        self.root().join(path).symlink_metadata().is_ok()
    }

    /// Runs git and expects success; returns its output without the last line end.
    pub fn git(&self, args: &[&str]) -> String {
        self.git_in(&self.root(), args)
    }

    /// Runs git in `folder` and expects success.
    pub fn git_in(&self, folder: &Path, args: &[&str]) -> String {
        let said = self.run_in(folder, "git", args);
        assert_eq!(said.code, 0, "git {args:?}: {}{}", said.out, said.err);
        said.out.trim_end().to_owned()
    }

    /// Runs meow with the next moment of the frozen clock.
    pub fn meow(&self, args: &[&str]) -> Said {
        self.run_in(&self.root(), env!("CARGO_BIN_EXE_meow"), args)
    }

    /// Runs meow and expects exit code 0; returns its output.
    pub fn meow_ok(&self, args: &[&str]) -> String {
        let said = self.meow(args);
        assert_eq!(said.code, 0, "meow {args:?}\n--- stdout\n{}--- stderr\n{}", said.out, said.err);
        said.out
    }

    /// Runs a program in `folder`.
    pub fn run_in(&self, folder: &Path, program: impl AsRef<OsStr>, args: &[&str]) -> Said {
        Said::from(self.command(folder, program).args(args).output().expect("the program starts"))
    }

    /// Returns a command with the person's environment and nothing of this machine's but the search path.
    ///
    /// Every call moves the frozen clock by ten minutes and takes a new seed.
    pub fn command(&self, folder: &Path, program: impl AsRef<OsStr>) -> Command {
        let call = self.calls.get() + 1;
        self.calls.set(call);
        let start: i64 = 1_763_806_500; // 2025-11-22T10:15:00Z
        let now = start + 600 * i64::try_from(call).expect("few calls");
        let binaries = Path::new(env!("CARGO_BIN_EXE_meow")).parent().expect("a folder").to_path_buf();
        let path = std::env::var_os("PATH").expect("PATH");
        let path = std::env::join_paths(std::iter::once(binaries).chain(std::env::split_paths(&path))).expect("PATH");
        hear_signals();
        let mut command = Command::new(program);
        command
            .current_dir(folder)
            .env_clear()
            .env("PATH", path)
            .env("HOME", self.home())
            .env("LANG", "C.UTF-8")
            .env("TZ", "UTC")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_AUTHOR_NAME", "A Person")
            .env("GIT_AUTHOR_EMAIL", "person@example.com")
            .env("GIT_COMMITTER_NAME", "A Person")
            .env("GIT_COMMITTER_EMAIL", "person@example.com")
            .env("GIT_AUTHOR_DATE", format!("{now} +0000"))
            .env("GIT_COMMITTER_DATE", format!("{now} +0000"))
            .env("MEOW_CLOCK", format!("{}#{call}", jiff::Timestamp::from_second(now).expect("in range")));
        command
    }
}

/// Gives what is started the signals that the tests themselves were started with as ignored, as by `nohup` or by a shell that
/// runs them in the background: what was ignored stays so in a child, what is caught does not.
fn hear_signals() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let ignored =
            status.lines().find_map(|line| u64::from_str_radix(line.strip_prefix("SigIgn:")?.trim(), 16).ok());
        for signal in [SIGHUP, SIGINT, SIGQUIT, SIGTERM] {
            if ignored.unwrap_or(0) >> (signal - 1) & 1 == 1 {
                signal_hook::flag::register(signal, Arc::default()).expect("a handler");
            }
        }
    });
}

/// Returns whether another tool's program is here; where it is not, says that something is skipped.
pub fn peer(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let here = std::env::split_paths(&path).any(|folder| folder.join(program).is_file());
    if !here {
        assert!(std::env::var_os("MEOW_REQUIRE_PEERS").is_none(), "{program} is required and missing");
        // Not every caller is a test by itself, whose output is its own.
        let _ = writeln!(std::io::stderr(), "skipped: {program} is not here");
    }
    here
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}
