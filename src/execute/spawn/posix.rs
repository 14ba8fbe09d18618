//! `posix_spawn`: off Linux the one way to start a process whose cost does not grow with meow's own memory.

use std::ffi::{CStr, c_char, c_int};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr;

use rustix::process::{Pid, Rlimit};

use super::Spawn;

/// Where processes start, prepared once for all that one slot starts.
pub struct Place {
    actions: Actions,
    attributes: Attributes,
}

impl Place {
    /// Returns a place: the folder, standard input, and standard output and error, which have to stay open as long as it is
    /// used.
    ///
    /// # Errors
    /// There is no memory.
    pub fn new(folder: &CStr, input: BorrowedFd, output: BorrowedFd, signals: &Signals) -> io::Result<Self> {
        let mut actions = Actions::new()?;
        actions.change_folder(folder)?;
        actions.copy(input, 0)?;
        actions.copy(output, 1)?;
        actions.copy(output, 2)?;
        Ok(Self { actions, attributes: Attributes::new(signals)? })
    }

    /// Returns the same place: a process finds the limit that meow has.
    #[cfg_attr(target_os = "linux", expect(dead_code, reason = "another place is used there"))]
    pub fn with_files(self, _files: Option<&Rlimit>) -> Self {
        self
    }
}

/// Signals that a new process finds at their default: all but those that meow was started with as ignored.
///
/// All are named, because glibc asks what becomes of every other one, with two calls each.
pub struct Signals(libc::sigset_t);

#[expect(unsafe_code, reason = "see `spawn`")]
impl Signals {
    pub fn new() -> Self {
        let mut set = MaybeUninit::uninit();
        // SAFETY: it initialises the set that the pointer points to.
        unsafe { libc::sigemptyset(set.as_mut_ptr()) };
        for signal in 1..=LAST_SIGNAL {
            let mut held = MaybeUninit::<libc::sigaction>::zeroed();
            // SAFETY: it only asks, and fills the local; the set was initialised. Numbers that are no signal are refused.
            unsafe {
                let known = libc::sigaction(signal, ptr::null(), held.as_mut_ptr()) == 0;
                // Rust programs ignore SIGPIPE themselves; everybody else counts on it.
                let is_ignored = held.assume_init().sa_sigaction == libc::SIG_IGN && signal != libc::SIGPIPE;
                if known && !is_ignored {
                    libc::sigaddset(set.as_mut_ptr(), signal);
                }
            }
        }
        // SAFETY: initialised above.
        Self(unsafe { set.assume_init() })
    }
}

/// The largest number that a signal has on any system meow runs on.
const LAST_SIGNAL: c_int = 64;

/// Starts a process in a process group of its own, with no signal blocked.
///
/// The standard library falls back to `fork` for a relative program in another folder and for a changed `PATH`, and
/// copies the whole environment for each process.
///
/// # Errors
/// What the system says: the folder or the program is absent, is no program, or there is no room for a process.
#[expect(unsafe_code, reason = "no safe interface to posix_spawn knows a folder and a process group")]
pub fn spawn(what: &Spawn, place: &Place) -> io::Result<Pid> {
    let args = pointers(what.args);
    let env = pointers(what.env);
    let mut pid = 0;
    // SAFETY: program, arguments and environment are strings that end with a zero and live on in `what`, both lists end
    // with a null pointer, and actions and attributes were initialised.
    check(unsafe {
        libc::posix_spawn(
            &raw mut pid,
            what.program.as_ptr(),
            place.actions.0.as_ptr(),
            place.attributes.0.as_ptr(),
            args.as_ptr(),
            env.as_ptr(),
        )
    })?;
    Pid::from_raw(pid).ok_or_else(|| io::Error::other("the system gave no process id"))
}

/// Returns a list of C strings as C wants it: pointers, a null one last.
fn pointers(texts: &[&CStr]) -> Vec<*mut c_char> {
    texts.iter().map(|text| text.as_ptr().cast_mut()).chain([ptr::null_mut()]).collect()
}

fn check(code: c_int) -> io::Result<()> {
    if code == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(code)) }
}

/// What the child does before it becomes the program.
struct Actions(MaybeUninit<libc::posix_spawn_file_actions_t>);

#[expect(unsafe_code, reason = "see `spawn`")]
impl Actions {
    fn new() -> io::Result<Self> {
        let mut actions = MaybeUninit::uninit();
        // SAFETY: it initialises what the pointer points to.
        check(unsafe { libc::posix_spawn_file_actions_init(actions.as_mut_ptr()) })?;
        Ok(Self(actions))
    }

    fn change_folder(&mut self, folder: &CStr) -> io::Result<()> {
        // SAFETY: initialised in `new`; the folder is copied.
        check(unsafe { libc::posix_spawn_file_actions_addchdir_np(self.0.as_mut_ptr(), folder.as_ptr()) })
    }

    fn copy(&mut self, from: BorrowedFd, to: c_int) -> io::Result<()> {
        // SAFETY: initialised in `new`; a closed descriptor makes the start fail, no more.
        check(unsafe { libc::posix_spawn_file_actions_adddup2(self.0.as_mut_ptr(), from.as_raw_fd(), to) })
    }
}

#[expect(unsafe_code, reason = "see `spawn`")]
impl Drop for Actions {
    fn drop(&mut self) {
        // SAFETY: initialised in `new`, and not used after.
        unsafe { libc::posix_spawn_file_actions_destroy(self.0.as_mut_ptr()) };
    }
}

/// What the child is: group and signals.
struct Attributes(MaybeUninit<libc::posix_spawnattr_t>);

#[expect(unsafe_code, reason = "see `spawn`")]
impl Attributes {
    fn new(signals: &Signals) -> io::Result<Self> {
        let mut attributes = MaybeUninit::uninit();
        // SAFETY: it initialises what the pointer points to.
        check(unsafe { libc::posix_spawnattr_init(attributes.as_mut_ptr()) })?;
        let mut made = Self(attributes);
        let mut none = MaybeUninit::uninit();
        let flags = libc::POSIX_SPAWN_SETPGROUP | libc::POSIX_SPAWN_SETSIGMASK | libc::POSIX_SPAWN_SETSIGDEF;
        let flags = libc::c_short::try_from(flags).map_err(io::Error::other)?;
        let attributes = made.0.as_mut_ptr();
        // SAFETY: the set is initialised by sigemptyset before anything reads it, the attributes were above.
        unsafe {
            libc::sigemptyset(none.as_mut_ptr());
            check(libc::posix_spawnattr_setflags(attributes, flags))?;
            check(libc::posix_spawnattr_setpgroup(attributes, 0))?;
            check(libc::posix_spawnattr_setsigmask(attributes, none.as_ptr()))?;
            check(libc::posix_spawnattr_setsigdefault(attributes, &raw const signals.0))?;
        }
        Ok(made)
    }
}

#[expect(unsafe_code, reason = "see `spawn`")]
impl Drop for Attributes {
    fn drop(&mut self) {
        // SAFETY: initialised in `new`, and not used after.
        unsafe { libc::posix_spawnattr_destroy(self.0.as_mut_ptr()) };
    }
}
