//! A step's processes: the one that was started and everything below it, with the memory they hold. Linux only;
//! elsewhere a step is its first process.

use std::fs;

use rustix::process::{Pid, Signal, kill_process};

/// Most processes of one step that are looked at: a fork bomb must not hold up the one who looks.
const MOST: usize = 10_000;

/// One process of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Member {
    pub pid: Pid,
    /// Forks between it and the process that was started.
    pub depth: u32,
}

/// Returns a process and its living descendants, parents first. What was born or died meanwhile may be missing, and what
/// lost its parent is no longer found.
pub(super) fn of(root: Pid) -> Vec<Member> {
    let mut members = vec![Member { pid: root, depth: 0 }];
    let mut at = 0;
    while at < members.len() && members.len() < MOST {
        let Member { pid, depth } = members[at];
        members.extend(children(pid).map(|pid| Member { pid, depth: depth + 1 }));
        at += 1;
    }
    members
}

fn children(pid: Pid) -> impl Iterator<Item = Pid> {
    // Each thread has children of its own (proc(5)).
    let threads = fs::read_dir(format!("/proc/{}/task", pid.as_raw_nonzero())).into_iter().flatten().flatten();
    threads.flat_map(|thread| {
        let text = fs::read_to_string(thread.path().join("children")).unwrap_or_default();
        text.split_ascii_whitespace().filter_map(|pid| Pid::from_raw(pid.parse().ok()?)).collect::<Vec<_>>()
    })
}

/// Returns the memory that processes hold together, in bytes: their resident sets, in which shared pages count once for
/// each process, so that it is at least what they hold.
pub(super) fn resident_bytes(members: &[Member]) -> u64 {
    members.iter().filter_map(|member| kibibytes(*member, "status", "VmRSS:")).fold(0, u64::saturating_add)
}

/// Returns the memory that processes hold together, in bytes, with shared pages divided among those that share them.
/// Exact, and much dearer than [`resident_bytes`]; a process that does not tell counts with its resident set.
pub(super) fn proportional_bytes(members: &[Member]) -> u64 {
    let one = |member: &Member| -> u64 {
        kibibytes(*member, "smaps_rollup", "Pss:").unwrap_or_else(|| resident_bytes(&[*member]))
    };
    members.iter().map(one).fold(0, u64::saturating_add)
}

/// Returns the bytes behind a key of a file that the system keeps about a process (proc(5)).
fn kibibytes(member: Member, file: &str, key: &str) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{}/{file}", member.pid.as_raw_nonzero())).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// Returns how many threads processes have together; each has one at least.
pub(super) fn threads(members: &[Member]) -> u64 {
    let of = |member: &Member| fs::read_dir(format!("/proc/{}/task", member.pid.as_raw_nonzero()));
    members.iter().map(|member| of(member).map_or(0, |threads| threads.count() as u64)).sum()
}

/// Sends a signal to processes; that one is gone is fine.
pub(super) fn signal(members: &[Member], signal: Signal) {
    for member in members {
        let _ = kill_process(member.pid, signal);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    #[test]
    #[cfg(target_os = "linux")]
    fn descendants_and_their_memory_are_found() {
        // The shell, and below it a second one with a `sleep` of its own.
        let mut child = Command::new("/bin/sh")
            .args(["-c", "(sleep 30; true) & sleep 30; wait"])
            .stdout(Stdio::null())
            .spawn()
            .expect("a shell");
        let root = Pid::from_child(&child);
        let members = (0..200)
            .map(|_| {
                std::thread::sleep(std::time::Duration::from_millis(10));
                of(root)
            })
            .find(|members| members.len() == 4)
            .expect("four processes");
        assert_eq!(members[0], Member { pid: root, depth: 0 });
        assert_eq!(members.iter().map(|member| member.depth).max(), Some(2));
        let (proportional, resident) = (proportional_bytes(&members), resident_bytes(&members));
        assert!(0 < proportional && proportional <= resident, "{proportional} of {resident}");
        assert_eq!(threads(&members), 4);
        signal(&members, Signal::KILL);
        assert!(!child.wait().expect("its end").success());
    }
}
