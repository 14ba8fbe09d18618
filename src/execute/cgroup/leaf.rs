//! The control group of one attempt: its declared limits, what came of them, and its end.

use std::fs::{self, File, OpenOptions};
use std::io;
#[cfg(target_os = "linux")]
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::workflow::Resources;

/// The period in which processor time is given out, in microseconds; what the kernel takes by itself.
const PERIOD: f64 = 100_000.0;

/// How often, and how far apart, it is tried to remove a group: what was killed takes a moment to be gone.
const TRIES: u32 = 200;
const APART: Duration = Duration::from_millis(1);

/// A group with limits, for the processes of one attempt. It is removed, and what is in it killed, when this is dropped.
#[derive(Debug)]
pub(in crate::execute) struct Leaf {
    folder: PathBuf,
    /// Held to by the kernel, in bytes.
    pub memory: Option<u64>,
    /// Held to by the kernel.
    pub processes: Option<u64>,
    gate: Gate,
}

/// Where a process enters a group.
///
/// Entering by a write waits for every processor to have looked up once: some 12 ms without work, .06 ms soon after another
/// one (Linux 6.18). `clone3` with `CLONE_INTO_CGROUP` would not, but on a stack of its own it takes assembly.
#[derive(Debug)]
pub(in crate::execute) struct Gate {
    procs: File,
    entered: AtomicBool,
}

#[cfg(target_os = "linux")]
impl Gate {
    /// Returns the file to which a process writes itself.
    pub(in crate::execute) fn file(&self) -> BorrowedFd<'_> {
        self.procs.as_fd()
    }

    /// Says whether the process is inside.
    pub(in crate::execute) fn enter(&self, inside: bool) {
        self.entered.store(inside, Ordering::SeqCst);
    }
}

impl Leaf {
    /// Makes a group with the declared limits that it can hold to.
    ///
    /// # Errors
    /// The system refuses, or the group could hold to none of them.
    pub(super) fn make(folder: &Path, resources: &Resources) -> io::Result<Self> {
        fs::create_dir(folder)?;
        let made = Self::limit(folder, resources);
        if made.is_err() {
            // Nothing is in it yet.
            let _ = fs::remove_dir(folder);
        }
        made
    }

    fn limit(folder: &Path, resources: &Resources) -> io::Result<Self> {
        let set = |file: &str, value: &dyn ToString| fs::write(folder.join(file), value.to_string()).is_ok();
        let memory = resources.memory_bytes.filter(|bytes| set("memory.max", bytes));
        if memory.is_some() {
            // All of it dies together, as with the watchdog; and memory that is swapped out counts. A kernel without
            // either still holds to the limit.
            set("memory.oom.group", &1);
            set("memory.swap.max", &0);
        }
        let processes = resources.processes.filter(|most| set("pids.max", most));
        let share = resources.cpu.map(|cpu| format!("{:.0} {PERIOD}", (cpu * PERIOD).max(1_000.0)));
        let is_shared = share.is_some_and(|share| set("cpu.max", &share));
        if memory.is_none() && processes.is_none() && !is_shared {
            return Err(io::Error::other("no limit can be set"));
        }
        let procs = OpenOptions::new().write(true).open(folder.join("cgroup.procs"))?;
        let gate = Gate { procs, entered: AtomicBool::new(false) };
        Ok(Self { folder: folder.to_path_buf(), memory, processes, gate })
    }

    /// Returns where the attempt's first process enters.
    pub(in crate::execute) fn gate(&self) -> &Gate {
        &self.gate
    }

    /// Returns whether the attempt runs inside.
    pub(in crate::execute) fn is_entered(&self) -> bool {
        self.gate.entered.load(Ordering::SeqCst)
    }

    /// Returns whether it ran into its own limit of memory; not where the machine, or a group above it, ran out.
    pub(in crate::execute) fn out_of_memory(&self) -> bool {
        // Of this group alone where the kernel tells that (Linux 5.2).
        let local = count(&self.folder.join("memory.events.local"), "oom");
        let times = local.or_else(|| count(&self.folder.join("memory.events"), "oom"));
        self.memory.is_some() && times > Some(0)
    }

    /// Returns the most memory that it held, in bytes, caches of files included (since Linux 5.19).
    pub(in crate::execute) fn peak(&self) -> Option<u64> {
        fs::read_to_string(self.folder.join("memory.peak")).ok()?.trim().parse().ok()
    }

    /// Returns whether it was refused a process or thread at its own limit.
    pub(in crate::execute) fn out_of_processes(&self) -> bool {
        self.processes.is_some() && count(&self.folder.join("pids.events"), "max") > Some(0)
    }

    /// Kills everything in it at one blow: nothing can fork away from that.
    pub(in crate::execute) fn kill(&self) {
        kill(&self.folder);
    }
}

impl Drop for Leaf {
    fn drop(&mut self) {
        end(&self.folder);
    }
}

/// Kills everything in a group and removes it; what will not die stays.
pub(super) fn end(folder: &Path) {
    kill(folder);
    for _ in 0..TRIES {
        match remove(folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => std::thread::sleep(APART),
            _ => return,
        }
    }
}

/// Kills everything in a group and below it.
pub(super) fn kill(folder: &Path) {
    if fs::write(folder.join("cgroup.kill"), "1").is_ok() {
        return;
    }
    // Before Linux 5.14: one by one, as long as there are any.
    for _ in 0..TRIES {
        let processes = fs::read_to_string(folder.join("cgroup.procs")).unwrap_or_default();
        let processes: Vec<Pid> = processes.lines().filter_map(|pid| Pid::from_raw(pid.parse().ok()?)).collect();
        if processes.is_empty() {
            return;
        }
        for pid in processes {
            // One that has ended meanwhile is fine.
            let _ = kill_process(pid, Signal::KILL);
        }
        std::thread::sleep(APART);
    }
}

/// Removes a group with those below it.
///
/// # Errors
/// There still are processes in one, or it is gone.
pub(super) fn remove(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)?.flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove(&entry.path())?;
        }
    }
    fs::remove_dir(folder)
}

/// Returns the number behind a key of a file of counts.
fn count(file: &Path, key: &str) -> Option<u64> {
    let text = fs::read_to_string(file).ok()?;
    text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' ')?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resources() -> Resources {
        Resources { cpu: Some(0.5), memory_bytes: Some(1 << 20), processes: Some(7), ..Resources::default() }
    }

    /// Returns a group in a plain folder, where files come to be when they are written.
    fn group(base: &Path) -> Leaf {
        let folder = base.join("0");
        fs::create_dir(&folder).expect("a folder");
        fs::write(folder.join("cgroup.procs"), "").expect("written");
        Leaf::limit(&folder, &resources()).expect("limits")
    }

    #[test]
    fn limits_are_written_as_declared() {
        let base = tempfile::tempdir().expect("a folder");
        let leaf = group(base.path());
        let read = |file: &str| fs::read_to_string(base.path().join("0").join(file)).expect(file);
        for (file, expected) in [
            ("memory.max", "1048576"),
            ("memory.oom.group", "1"),
            ("memory.swap.max", "0"),
            ("pids.max", "7"),
            ("cpu.max", "50000 100000"),
        ] {
            assert_eq!(read(file), expected, "{file}");
        }
        assert!(!leaf.is_entered());
        leaf.kill();
        assert_eq!(read("cgroup.kill"), "1");
        let base = tempfile::tempdir().expect("a folder");
        Leaf::make(&base.path().join("none"), &Resources::default()).expect_err("nothing to hold to");
        assert!(!base.path().join("none").exists());
    }

    #[test]
    fn a_limit_is_named_only_where_it_was_its_own() {
        let base = tempfile::tempdir().expect("a folder");
        let leaf = group(base.path());
        let write = |file: &str, text: &str| fs::write(base.path().join("0").join(file), text).expect("written");
        assert_eq!((leaf.out_of_memory(), leaf.out_of_processes()), (false, false));
        // The machine ran out of memory, not the step.
        write("memory.events", "low 0\nmax 3\noom 1\noom_kill 1\n");
        write("memory.events.local", "low 0\nmax 3\noom 0\noom_kill 1\n");
        write("pids.events", "max 0\n");
        assert_eq!((leaf.out_of_memory(), leaf.out_of_processes()), (false, false));
        write("memory.events.local", "low 0\nmax 3\noom 1\noom_kill 2\n");
        write("pids.events", "max 12\n");
        assert_eq!((leaf.out_of_memory(), leaf.out_of_processes(), leaf.peak()), (true, true, None));
        write("memory.peak", "1048576\n");
        assert_eq!(leaf.peak(), Some(1 << 20));
    }
}
