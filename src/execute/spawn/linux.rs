//! Starts a process on Linux by one `clone(2)` that borrows meow's memory until the program takes over, as `vfork` does.
//!
//! glibc's `posix_spawn` asks or sets every one of 64 signals in the child and maps a stack for each: between two steps of
//! a chain that is most of what there is to save. Here the stack is kept, and only signals that meow handles are set.

use std::cell::Cell;
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::ptr;
use std::sync::{Mutex, PoisonError};

use rustix::process::{Pid, Rlimit};

use super::Spawn;
use crate::execute::cgroup::Gate;

/// What the child may use of a stack, in pieces of 16 bytes, to which a stack is aligned: a few calls of the system.
const STACK: usize = 16 << 10 >> 4;

/// The exit code of a child that did not become the program; nobody but this file sees it.
const NOT_STARTED: c_int = 127;

/// Where processes start, prepared once for all that one slot starts.
pub struct Place {
    folder: CString,
    /// What becomes of standard input, output and error. They have to stay open as long as this is used.
    copies: [(RawFd, c_int); 3],
    signals: Signals,
    /// How many files it may have open, where that is not what meow may.
    files: Option<libc::rlimit>,
    stack: Mutex<Vec<u128>>,
}

impl Place {
    /// Returns a place: the folder, standard input, and standard output and error, which have to stay open as long as it is
    /// used.
    ///
    /// # Errors
    /// There is no memory.
    pub fn new(folder: &CStr, input: BorrowedFd, output: BorrowedFd, signals: &Signals) -> io::Result<Self> {
        let (input, output) = (input.as_raw_fd(), output.as_raw_fd());
        let mut stack = Vec::new();
        stack.try_reserve_exact(STACK).map_err(io::Error::other)?;
        stack.resize(STACK, 0);
        Ok(Self {
            folder: folder.to_owned(),
            copies: [(input, 0), (output, 1), (output, 2)],
            signals: signals.clone(),
            files: None,
            stack: Mutex::new(stack),
        })
    }

    /// Returns the same place, where a process may have so many files open.
    pub fn with_files(self, files: Option<&Rlimit>) -> Self {
        let number = |most: Option<u64>| most.unwrap_or(libc::RLIM_INFINITY);
        let files =
            files.map(|files| libc::rlimit { rlim_cur: number(files.current), rlim_max: number(files.maximum) });
        Self { files, ..self }
    }
}

/// Signals that a new process has to find at their default before it hears any: those that meow handles, for as long as it
/// has meow's memory it has the handlers too, and SIGPIPE. To be asked once meow has its handlers.
#[derive(Clone)]
pub struct Signals(Vec<c_int>);

#[expect(unsafe_code, reason = "see `spawn`")]
impl Signals {
    pub fn new() -> Self {
        let is_own = |signal: &c_int| {
            let mut held = MaybeUninit::<libc::sigaction>::zeroed();
            // SAFETY: it only asks, and fills the local, for which zeros are valid. Numbers that are no signal are refused.
            let held = unsafe {
                libc::sigaction(*signal, ptr::null(), held.as_mut_ptr());
                held.assume_init().sa_sigaction
            };
            match held {
                libc::SIG_DFL => false,
                // Rust programs ignore SIGPIPE themselves; everybody else counts on it. What else is ignored stays so, as
                // meow was started.
                libc::SIG_IGN => *signal == libc::SIGPIPE,
                _ => true,
            }
        };
        Self((1..=libc::SIGRTMAX()).filter(is_own).collect())
    }
}

/// What the child is told, and what it tells.
struct Order<'a> {
    place: &'a Place,
    program: &'a CStr,
    args: &'a [*const c_char],
    env: &'a [*const c_char],
    gate: Option<&'a Gate>,
    /// Why it did not become the program.
    error: Cell<Option<c_int>>,
}

/// Starts a process in a process group of its own, with no signal blocked.
///
/// # Errors
/// What the system says: the folder or the program is absent, is no program, or there is no room for a process.
#[expect(unsafe_code, reason = "no safe interface starts a process at this price")]
pub fn spawn(what: &Spawn, place: &Place) -> io::Result<Pid> {
    let (args, env) = (pointers(what.args), pointers(what.env));
    let order = Order { place, program: what.program, args: &args, env: &env, gate: what.gate, error: Cell::new(None) };
    let mut stack = place.stack.lock().unwrap_or_else(PoisonError::into_inner);
    let held = block_signals();
    // SAFETY: the child runs `begin` alone, on a stack of its own that is locked; this thread waits until it has become
    // the program or has ended (CLONE_VFORK), so that the order outlives its use. Stacks grow downwards on every machine
    // that Rust knows, and the end of the list is aligned as its pieces are.
    let pid = unsafe {
        let top = stack.as_mut_ptr_range().end.cast::<c_void>();
        let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
        libc::clone(begin, top, flags, (&raw const order).cast_mut().cast::<c_void>())
    };
    let refused = io::Error::last_os_error();
    // SAFETY: the set was filled by `block_signals`.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const held, ptr::null_mut()) };
    drop(stack);
    let pid = Pid::from_raw(pid.max(0)).ok_or(refused)?;
    match order.error.get() {
        None => Ok(pid),
        Some(error) => {
            // It has ended; how, it has told.
            let _ = rustix::process::waitpid(Some(pid), rustix::process::WaitOptions::empty());
            Err(io::Error::from_raw_os_error(error))
        }
    }
}

/// Lets this thread, and its children, hear no signal; returns what was blocked before.
#[expect(unsafe_code, reason = "see `spawn`")]
fn block_signals() -> libc::sigset_t {
    let (mut all, mut held) = (MaybeUninit::uninit(), MaybeUninit::uninit());
    // SAFETY: the first call fills the first set, the second one fills the other; with sets of its own it cannot fail.
    unsafe {
        libc::sigfillset(all.as_mut_ptr());
        libc::pthread_sigmask(libc::SIG_BLOCK, all.as_ptr(), held.as_mut_ptr());
        held.assume_init()
    }
}

/// What the child does: it becomes the program, or says why not.
///
/// It shares all memory with meow, whose other threads run on: it allocates nothing, locks nothing and never panics.
#[expect(unsafe_code, reason = "see `spawn`")]
extern "C" fn begin(order: *mut c_void) -> c_int {
    // SAFETY: `spawn` hands over an order that lives until this process is the program or has ended.
    let order = unsafe { &*order.cast::<Order>() };
    // SAFETY: plain calls of the system with strings, lists and sets that live in the order or here.
    unsafe {
        if let Some(gate) = order.gate {
            // 0 is whoever writes it. Outside of the group it starts too: its limits are looked after otherwise then.
            gate.enter(libc::write(gate.file().as_raw_fd(), c"0".as_ptr().cast(), 1) == 1);
        }
        if prepare(order.place) == 0 {
            libc::execve(order.program.as_ptr(), order.args.as_ptr(), order.env.as_ptr());
        }
        order.error.set(io::Error::last_os_error().raw_os_error());
        libc::_exit(NOT_STARTED)
    }
}

/// Makes the child what the program shall find; returns 0, or -1 where the system refuses.
///
/// # Safety
/// To be called in the child alone.
#[expect(unsafe_code, reason = "see `spawn`")]
unsafe fn prepare(place: &Place) -> c_int {
    // SAFETY: zeros are the default action with no signal blocked.
    let default: libc::sigaction = unsafe { MaybeUninit::zeroed().assume_init() };
    let mut none = MaybeUninit::uninit();
    // SAFETY: strings and sets live on in the place and here; descriptors that are closed are refused.
    unsafe {
        for signal in &place.signals.0 {
            libc::sigaction(*signal, &raw const default, ptr::null_mut());
        }
        if libc::setpgid(0, 0) < 0 || libc::chdir(place.folder.as_ptr()) < 0 {
            return -1;
        }
        if let Some(files) = &place.files
            && libc::setrlimit(libc::RLIMIT_NOFILE, files) < 0
        {
            return -1;
        }
        for (from, to) in place.copies {
            // One that is at its place already would be closed when the program takes over.
            let copied = if from == to { libc::fcntl(from, libc::F_SETFD, 0) } else { libc::dup2(from, to) };
            if copied < 0 {
                return -1;
            }
        }
        libc::sigemptyset(none.as_mut_ptr());
        libc::pthread_sigmask(libc::SIG_SETMASK, none.as_ptr(), ptr::null_mut())
    }
}

/// Returns a list of C strings as C wants it: pointers, a null one last.
fn pointers(texts: &[&CStr]) -> Vec<*const c_char> {
    texts.iter().map(|text| text.as_ptr()).chain([ptr::null()]).collect()
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::os::fd::AsFd;

    use rustix::process::{WaitOptions, getpgid, getpgrp, waitpid};

    use super::super::posix;
    use super::*;

    /// Returns what a shell sees of how it was started; `start` is one of the two ways.
    fn seen(start: &dyn Fn(&Spawn, BorrowedFd, BorrowedFd) -> io::Result<Pid>) -> String {
        // Of the signals those that have names: glibc leaves one of its own ignored.
        const SEEN: &CStr = c"pwd; env | sort; sed -n 's/^\\(Sig...\\):.*\\(.......\\)$/\\1 \\2/p' /proc/self/status; \
            test $(cut -d' ' -f5 /proc/$$/stat) = $$ && echo leads; cd /proc/$$/fd; echo *";
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("seen");
        let output = File::create(&file).expect("a file");
        let nothing = File::open("/dev/null").expect("nothing");
        let spawn = Spawn {
            program: c"/bin/sh",
            args: &[c"sh", c"-c", SEEN],
            env: &[c"A=1", c"PATH=/usr/bin:/bin"],
            gate: None,
        };
        let pid = start(&spawn, nothing.as_fd(), output.as_fd()).expect("started");
        assert_ne!(getpgid(Some(pid)).expect("a group"), getpgrp());
        waitpid(Some(pid), WaitOptions::empty()).expect("ended");
        std::fs::read_to_string(file).expect("read")
    }

    #[test]
    fn a_program_finds_what_posix_spawn_would_give_it() {
        let _handled = signal_hook::flag::register(signal_hook::consts::SIGUSR1, std::sync::Arc::default());
        let own = seen(&|what, input, output| {
            spawn(what, &Place::new(c"/usr", input, output, &Signals::new()).expect("a place"))
        });
        let theirs = seen(&|what, input, output| {
            posix::spawn(what, &posix::Place::new(c"/usr", input, output, &posix::Signals::new()).expect("a place"))
        });
        assert!(
            own.starts_with("/usr\n")
                && own.contains("\nA=1\n")
                && own.contains("SigBlk 0000000\n")
                && own.contains("\nleads\n"),
            "{own}"
        );
        assert_eq!(own, theirs);
    }

    #[test]
    fn what_cannot_start_says_why_and_leaves_nothing() {
        let nothing = File::open("/dev/null").expect("nothing");
        let place =
            |folder: &CStr| Place::new(folder, nothing.as_fd(), nothing.as_fd(), &Signals::new()).expect("a place");
        let check = |program: &CStr, folder: &CStr, expected: c_int| {
            let error =
                spawn(&Spawn { program, args: &[program], env: &[], gate: None }, &place(folder)).expect_err("refused");
            assert_eq!(error.raw_os_error(), Some(expected), "{program:?} in {folder:?}");
        };
        check(c"/no/such/program", c"/", libc::ENOENT);
        check(c"/dev/null", c"/", libc::EACCES);
        check(c"/bin/sh", c"/no/such/folder", libc::ENOENT);
        check(c"relative", c"/", libc::ENOENT);
        assert!(
            spawn(&Spawn { program: c"bin/sh", args: &[c"sh", c"-c", c":"], env: &[], gate: None }, &place(c"/"))
                .is_ok()
        );
    }
}
