//! Processes that an execution left behind when meow itself was killed: found by the variable that every step is given.

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

/// Ends every process of this user whose `MEOW_EXECUTION` is one of `executions`: asks first, kills after `grace`. Only
/// on Linux; finds nothing elsewhere.
pub fn end(executions: &[String], grace: Duration, clock: &Clock) -> Survivors {
    let first = of(executions);
    if first.is_empty() {
        return Survivors::default();
    }
    let began = clock.elapsed();
    let mut left = first.clone();
    signal(&left, Signal::TERM);
    signal(&left, Signal::CONT);
    while !left.is_empty() && clock.elapsed().saturating_sub(began) < grace {
        std::thread::sleep(LOOK);
        left = of(executions);
    }
    // What is killed may have started others just before.
    for _ in 0..50 {
        if left.is_empty() {
            break;
        }
        signal(&left, Signal::KILL);
        std::thread::sleep(LOOK);
        left = of(executions);
    }
    Survivors { found: first.len(), left: left.len() }
}

fn signal(processes: &[Pid], signal: Signal) {
    for process in processes {
        // One that has ended meanwhile is fine.
        let _ = kill_process(*process, signal);
    }
}

fn of(executions: &[String]) -> Vec<Pid> {
    let Ok(processes) = std::fs::read_dir("/proc") else { return Vec::new() };
    let own = [Some(getpid()), getppid()];
    let marked = |pid: &Pid| {
        let folder = std::path::Path::new("/proc").join(pid.as_raw_nonzero().to_string());
        let environment = std::fs::read(folder.join("environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|entry| {
            let id = entry.strip_prefix(b"MEOW_EXECUTION=").and_then(|id| std::str::from_utf8(id).ok());
            id.is_some_and(|id| executions.iter().any(|execution| execution == id))
        })
    };
    processes
        .flatten()
        .filter_map(|entry| Pid::from_raw(entry.file_name().to_str()?.parse().ok()?))
        .filter(|pid| !own.contains(&Some(*pid)) && marked(pid))
        .collect()
}
