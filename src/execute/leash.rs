//! What a step leaves behind wherever it went: meow is where orphans of its steps end up, and ends them with their step.
//!
//! Linux only: a process whose parent dies becomes a child of the nearest subreaper above it (prctl(2)), so nothing that
//! a step starts gets away by forking twice, by a session or a group of its own, or by becoming another program.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitOptions, getpid, kill_process, kill_process_group, waitpid};

use crate::clock::Clock;
use crate::workflow::StepId;

/// How long orphans are hunted at most: they can be neither killed nor reaped past it, or fork faster than that.
const HUNT: Duration = Duration::from_secs(1);

/// Ends what steps leave behind.
#[derive(Debug)]
pub(super) struct Leash {
    /// The variable that all steps of this execution have.
    execution: String,
    /// One hunts at a time: an orphan's id stays its own until it is reaped here.
    before: Mutex<Vec<Pid>>,
    /// Stays open: it is read after every step, and looking a path up below `/proc` is the dear part of that.
    list: Option<File>,
}

impl Leash {
    /// Makes this process the one that orphans come to. Children that it has already are not touched.
    pub(super) fn new(execution: &str) -> Self {
        #[cfg(target_os = "linux")]
        // An old kernel that refuses leaves things as they were: groups alone are ended.
        let _ = rustix::process::set_child_subreaper(Some(getpid()));
        let own = getpid().as_raw_nonzero();
        // Orphans become children of the first thread; steps are children of the threads that started them.
        let list = File::open(format!("/proc/{own}/task/{own}/children")).ok();
        let leash = Self { execution: format!("MEOW_EXECUTION={execution}"), before: Mutex::default(), list };
        let before = leash.children().into_iter().collect();
        *leash.lock() = before;
        leash
    }

    /// Ends the orphans of an attempt, known by the variables that they were started with. `alone` says that no other
    /// attempt runs: then those that threw their variables away are its own too; else they are ended with the execution.
    /// To be called once its first process is reaped.
    pub(super) fn end(&self, step: &StepId, attempt: u32, alone: bool, clock: &Clock) {
        let own = |pid| {
            let held = environment(pid);
            let holds = |variable: &str| held.split(|byte| *byte == 0).any(|one| one == variable.as_bytes());
            if holds(&self.execution) {
                return holds(&format!("MEOW_STEP={step}")) && holds(&format!("MEOW_ATTEMPT={attempt}"));
            }
            // It threw its variables away, and nothing else can have started it.
            alone
        };
        self.hunt(&own, clock);
    }

    /// Ends all orphans. To be called when no step runs.
    pub(super) fn end_all(&self, clock: &Clock) {
        self.hunt(&|_| true, clock);
    }

    /// Reaps orphans that have ended by themselves.
    pub(super) fn tidy(&self) {
        let before = self.lock();
        for pid in self.children().into_iter().filter(|pid| !before.contains(pid)) {
            let _ = waitpid(Some(pid), WaitOptions::NOHANG);
        }
    }

    /// Kills and reaps orphans until none is left that is meant. When one dies its children become orphans too, before
    /// it is gone from the list itself, so that a list without them means that there is none.
    fn hunt(&self, meant: &dyn Fn(Pid) -> bool, clock: &Clock) {
        let before = self.lock();
        let began = clock.elapsed();
        loop {
            let mut left = false;
            for pid in self.children().into_iter().filter(|pid| !before.contains(pid)) {
                if matches!(waitpid(Some(pid), WaitOptions::NOHANG), Ok(Some(_))) {
                    left = true;
                } else if meant(pid) {
                    left = true;
                    kill(pid);
                }
            }
            if !left || clock.elapsed().saturating_sub(began) > HUNT {
                return;
            }
        }
    }

    fn children(&self) -> Vec<Pid> {
        let Some(list) = &self.list else { return Vec::new() };
        let (mut text, mut length) = (vec![0; 256], 0);
        while let Ok(more @ 1..) = list.read_at(&mut text[length..], length as u64) {
            length += more;
            if length == text.len() {
                text.resize(2 * length, 0);
            }
        }
        let text = text[..length].split(u8::is_ascii_whitespace);
        text.filter_map(|pid| Pid::from_raw(std::str::from_utf8(pid).ok()?.parse().ok()?)).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Pid>> {
        self.before.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Kills an orphan, with its whole group at one blow where it leads one: a group cannot fork away from that.
fn kill(pid: Pid) {
    if kill_process_group(pid, Signal::KILL).is_err() {
        // It has ended meanwhile, or leads no group.
        let _ = kill_process(pid, Signal::KILL);
    }
}

/// Returns the variables that a process was started with, each with a zero behind it.
fn environment(pid: Pid) -> Vec<u8> {
    std::fs::read(format!("/proc/{}/environ", pid.as_raw_nonzero())).unwrap_or_default()
}
