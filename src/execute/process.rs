//! One process of a step in a process group of its own: signals, end, and exact usage.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::OnceLock;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

use super::event::{Ending, Usage};
use super::tree;

/// A started process; its group is its own, so that grandchildren can be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Process {
    pid: Pid,
    /// Whether what was started only makes a sandbox and waits for what runs inside.
    sandboxed: bool,
}

impl Process {
    /// Takes charge of a process that leads its own group.
    pub(super) const fn new(pid: Pid) -> Self {
        Self { pid, sandboxed: false }
    }

    /// Returns the same process, known to be a sandbox's.
    pub(super) const fn sandboxed(self, sandboxed: bool) -> Self {
        Self { sandboxed, ..self }
    }

    /// Returns its id.
    pub(super) const fn id(self) -> Pid {
        self.pid
    }

    /// Waits until it has ended. It stays a zombie until [`Process::reap`], so that neither its id nor its group's can
    /// come to mean another process meanwhile.
    ///
    /// A group that is not the terminal's own and wants to read from it, or to set it up, is stopped by the system, for ever
    /// if nobody helps: `barred` hears the signal that did it, each time.
    pub(super) fn wait(self, barred: &dyn Fn(i32)) {
        let options = WaitIdOptions::EXITED | WaitIdOptions::STOPPED;
        loop {
            let stopped = match waitid(WaitId::Pid(self.pid), options | WaitIdOptions::NOWAIT) {
                Ok(Some(status)) if status.stopped() => status.stopping_signal(),
                Err(rustix::io::Errno::INTR) => continue,
                _ => return,
            };
            // Told once; the next wait is for what comes then.
            let _ = waitid(WaitId::Pid(self.pid), WaitIdOptions::STOPPED | WaitIdOptions::NOHANG);
            if let Some(signal) = stopped.filter(|signal| [libc::SIGTTIN, libc::SIGTTOU].contains(signal)) {
                barred(signal);
            }
        }
    }

    /// Signals the whole group; that nobody is left in it is fine. A sandbox dies of a kill as a whole; of any other signal
    /// it would too, so that this goes to what runs inside.
    pub(super) fn signal(self, signal: Signal) {
        /// bubblewrap, and inside of it the first process, which waits for the others.
        const MAKERS: u32 = 2;
        if self.sandboxed && signal != Signal::KILL {
            let inside: Vec<_> = tree::of(self.pid).into_iter().filter(|member| member.depth >= MAKERS).collect();
            if !inside.is_empty() {
                return tree::signal(&inside, signal);
            }
        }
        let _ = kill_process_group(self.pid, signal);
        if signal == Signal::TERM {
            // What is stopped cannot end by itself.
            let _ = kill_process_group(self.pid, Signal::CONT);
        }
    }

    /// Returns whether anything in the group still runs. Reads every process of the machine: only for groups that are
    /// being stopped. Always false off Linux.
    pub(super) fn group_lives(self) -> bool {
        let group = self.pid.as_raw_nonzero().to_string();
        let Ok(processes) = std::fs::read_dir("/proc") else { return false };
        processes.flatten().any(|process| {
            let stat = std::fs::read_to_string(process.path().join("stat")).unwrap_or_default();
            // After the name, which may hold anything: state, parent, group (proc(5)).
            let Some((_, fields)) = stat.rsplit_once(") ") else { return false };
            let fields: Vec<&str> = fields.split(' ').take(3).collect();
            matches!(fields.as_slice(), [state, _, of] if !matches!(*state, "Z" | "X") && *of == group)
        })
    }

    /// Ends what is left of the group, and returns how the process ended and what it used, with what its `account` says.
    /// To be called once it has ended.
    pub(super) fn reap(self, account: &Account) -> (Ending, Usage) {
        let (read_bytes, written_bytes) = account.bytes();
        self.signal(Signal::KILL);
        match wait4(self.pid) {
            Ok((ending, usage)) => (ending, Usage { read_bytes, written_bytes, ..usage }),
            Err(error) => (Ending::NotStarted { reason: format!("its end was lost: {error}") }, Usage::default()),
        }
    }
}

/// The kernel's account of what a process reads and writes (proc(5), `io`); empty off Linux.
#[derive(Debug)]
pub(super) struct Account(Option<File>);

impl Account {
    /// Opens the account of a process that is not reaped. Best while it runs: finding it takes longer than reading it,
    /// and nobody waits for that then.
    pub(super) fn of(pid: Pid) -> Self {
        Self(File::open(format!("/proc/{}/io", pid.as_raw_nonzero())).ok())
    }

    /// Returns the bytes read and written so far, those of reaped children included.
    pub(super) fn bytes(&self) -> (Option<u64>, Option<u64>) {
        // Seven short lines; a buffer of its own size saves asking how long the file is.
        let mut bytes = [0; 512];
        let length = self.0.as_ref().and_then(|file| file.read_at(&mut bytes, 0).ok()).unwrap_or_default();
        let text = std::str::from_utf8(&bytes[..length]).unwrap_or_default();
        let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
        (field("rchar:"), field("wchar:"))
    }
}

/// Reaps a process. The peak memory is that of its largest process; absent where it is not above meow's own, since
/// Linux counts the parent's pages up to the `exec`, and a smaller process cannot be told from them.
#[expect(unsafe_code, reason = "rustix has neither wait4 nor getrusage, and nothing else tells what a process used")]
pub(super) fn wait4(pid: Pid) -> io::Result<(Ending, Usage)> {
    let mut status = 0;
    // SAFETY: rusage is plain numbers, for which zeros are valid.
    let mut used: libc::rusage = unsafe { std::mem::zeroed() };
    let own = own_peak();
    loop {
        // SAFETY: both pointers are to live locals of the types that wait4 fills.
        let found = unsafe { libc::wait4(pid.as_raw_nonzero().get(), &raw mut status, 0, &raw mut used) };
        if found >= 0 {
            break;
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
    let ending = if libc::WIFSIGNALED(status) {
        Ending::Signaled { signal: libc::WTERMSIG(status) }
    } else {
        Ending::Exited { code: libc::WEXITSTATUS(status) }
    };
    let unit = if cfg!(target_os = "macos") { 1 } else { 1024 };
    Ok((
        ending,
        Usage {
            user_ms: milliseconds(used.ru_utime),
            system_ms: milliseconds(used.ru_stime),
            peak_memory_bytes: u64::try_from(used.ru_maxrss)
                .ok()
                .filter(|_| used.ru_maxrss > own)
                .map(|units| units.saturating_mul(unit)),
            read_bytes: None,
            written_bytes: None,
        },
    ))
}

/// Returns the most memory that this process has held, in the unit of `ru_maxrss`.
///
/// Linux adds to that what the process before `exec` held, so that a large parent of meow would hide every step's peak:
/// as long as no more than that is told, the kernel's other figure is read, which costs a file.
#[expect(unsafe_code, reason = "rustix has no getrusage")]
fn own_peak() -> i64 {
    static INHERITED: OnceLock<i64> = OnceLock::new();
    // SAFETY: rusage is plain numbers, for which zeros are valid.
    let mut own: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is to a live local of the type that getrusage fills; a failure leaves zeros.
    unsafe { libc::getrusage(libc::RUSAGE_SELF, &raw mut own) };
    let told = own.ru_maxrss;
    // The two figures are counted a little apart.
    let apart = |held: &i64| held.saturating_add(held / 8) < told;
    let inherited = *INHERITED.get_or_init(|| high_water().filter(apart).map_or(0, |_| told));
    if told > inherited { told } else { high_water().unwrap_or(told) }
}

/// Returns the most memory that this program has held since its `exec`, in KiB (Linux, proc(5)).
fn high_water() -> Option<i64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

fn milliseconds(time: libc::timeval) -> Option<u64> {
    let seconds = u64::try_from(time.tv_sec).ok()?;
    let micros = u64::try_from(time.tv_usec).ok()?;
    Some(seconds * 1_000 + micros / 1_000)
}
