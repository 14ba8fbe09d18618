//! Processes that an execution left behind when meow itself was killed: found by a variable that every step is given, the
//! file for its metrics, which tells the execution and the repository.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::{Pid, Signal, getpid, getppid, kill_process};

use crate::clock::Clock;

/// How often it is looked whether they have ended.
const LOOK: Duration = Duration::from_millis(20);

/// What was found of earlier executions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Survivors {
    /// Processes that ran.
    pub found: usize,
    /// How many of them run still.
    pub left: usize,
}

/// Ends every process of this user that was started as a step whose output lies in one of the folders `logs`: asks first, kills after `grace`. Only
/// on Linux; finds nothing elsewhere.
pub fn end(logs: &[PathBuf], grace: Duration, clock: &Clock) -> Survivors {
    let first = of(logs);
    if first.is_empty() {
        return Survivors::default();
    }
    let began = clock.elapsed();
    let mut left = first.clone();
    signal(&left, Signal::TERM);
    signal(&left, Signal::CONT);
    while !left.is_empty() && clock.elapsed().saturating_sub(began) < grace {
        std::thread::sleep(LOOK);
        left = of(logs);
    }
    // What is killed may have started others just before.
    for _ in 0..50 {
        if left.is_empty() {
            break;
        }
        signal(&left, Signal::KILL);
        std::thread::sleep(LOOK);
        left = of(logs);
    }
    Survivors { found: first.len(), left: left.len() }
}

fn signal(processes: &[Pid], signal: Signal) {
    for process in processes {
        // One that has ended meanwhile is fine.
        let _ = kill_process(*process, signal);
    }
}

fn of(logs: &[PathBuf]) -> Vec<Pid> {
    let Ok(processes) = std::fs::read_dir("/proc") else { return Vec::new() };
    let own = [Some(getpid()), getppid()];
    let marked = |pid: &Pid| {
        let folder = Path::new("/proc").join(pid.as_raw_nonzero().to_string());
        let environment = std::fs::read(folder.join("environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|entry| {
            let file = entry.strip_prefix(b"MEOW_METRICS=").map(|file| Path::new(OsStr::from_bytes(file)));
            file.and_then(Path::parent).is_some_and(|folder| logs.iter().any(|logs| logs == folder))
        })
    };
    processes
        .flatten()
        .filter_map(|entry| Pid::from_raw(entry.file_name().to_str()?.parse().ok()?))
        .filter(|pid| !own.contains(&Some(*pid)) && marked(pid))
        .collect()
}
