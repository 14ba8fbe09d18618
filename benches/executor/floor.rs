//! The floor: two threads that do nothing but `posix_spawn` and wait. Records nothing, prints nothing, decides nothing. And
//! a second one, which asks the system for what a record needs, and does nothing with it.

use std::ffi::{CStr, CString, c_char};
use std::fs::File;
use std::io::{PipeReader, PipeWriter, Write, pipe};
use std::mem::MaybeUninit;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::Outcome;
use super::shape::{Shape, Variant};

/// Workers, as the runners have slots.
const WORKERS: usize = 2;

/// What meow's journal takes for a step, in bytes.
const LINES: usize = 700;

/// How a step is run: started and waited for.
type One = dyn Fn(&[CString]) -> Outcome<()> + Sync;

/// Runs the steps of a shape.
pub fn run(shape: Shape, variant: Variant) -> Outcome<()> {
    all(shape, variant, &|| Ok(Box::new(bare)))
}

/// Runs them so that their output, their end and what they used could be recorded, and writes as much as that takes.
pub fn run_kept(shape: Shape, variant: Variant) -> Outcome<()> {
    all(shape, variant, &|| {
        let kept = Kept::new()?;
        Ok(Box::new(move |words| kept.one(words)))
    })
}

/// Runs the steps of a shape; each worker has its own way to run one.
fn all(shape: Shape, variant: Variant, way: &(dyn Fn() -> Outcome<Box<One>> + Sync)) -> Outcome<()> {
    let words: Vec<CString> = match variant {
        Variant::Plain => vec![program(variant.command())?],
        Variant::Shell => {
            ["/bin/sh", "-c", variant.command()].map(CString::new).into_iter().collect::<Result<_, _>>()?
        }
    };
    let one = way()?;
    match shape {
        Shape::Flat(steps) => together(steps, &words, way),
        Shape::Chain(steps) => (0..steps).try_for_each(|_| one(&words)),
        Shape::Fan(rounds, width) => (0..rounds).try_for_each(|_| {
            together(width, &words, way)?;
            one(&words)
        }),
    }
}

/// Returns the file of a program.
fn program(name: &str) -> Outcome<CString> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let file = std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file());
    let file = file.ok_or("the program is not in PATH")?;
    Ok(CString::new(file.into_os_string().into_encoded_bytes())?)
}

fn together(steps: usize, words: &[CString], way: &(dyn Fn() -> Outcome<Box<One>> + Sync)) -> Outcome<()> {
    let left = AtomicUsize::new(0);
    let worker = || {
        let one = way().map_err(|error| error.to_string())?;
        while left.fetch_add(1, Ordering::Relaxed) < steps {
            one(words).map_err(|error| error.to_string())?;
        }
        Ok::<(), String>(())
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..WORKERS).map(|_| scope.spawn(worker)).collect();
        workers.into_iter().try_for_each(|worker| Ok(worker.join().map_err(|_| "a worker panicked")??))
    })
}

#[expect(unsafe_code, reason = "what a started process is given")]
unsafe extern "C" {
    static environ: *const *mut c_char;
}

/// Returns the arguments as C wants them, which live as long as the words.
fn arguments(words: &[CString]) -> Vec<*mut c_char> {
    words.iter().map(|word| CStr::as_ptr(word).cast_mut()).chain([ptr::null_mut()]).collect()
}

#[expect(unsafe_code, reason = "the bare calls are what is measured")]
fn bare(words: &[CString]) -> Outcome<()> {
    let args = arguments(words);
    let (mut pid, mut status) = (0, 0);
    // SAFETY: the program and the arguments are C strings that outlive the call, the list ends with a null pointer, the
    // environment is not changed by this program, and the pointers are to live locals.
    let passed = unsafe {
        let failed = libc::posix_spawn(&raw mut pid, args[0], ptr::null(), ptr::null(), args.as_ptr(), environ);
        failed == 0 && libc::waitpid(pid, &raw mut status, 0) == pid && status == 0
    };
    if passed { Ok(()) } else { Err("a step failed".into()) }
}

/// What one worker records with.
struct Kept {
    output: (PipeReader, PipeWriter),
    journal: File,
}

impl Kept {
    fn new() -> Outcome<Self> {
        let output = pipe()?;
        rustix::io::ioctl_fionbio(&output.0, true)?;
        Ok(Self { output, journal: tempfile::tempfile_in(".")? })
    }

    /// Runs a step in a group of its own, with its output in a pipe, and asks how it ended and what it used.
    #[expect(unsafe_code, reason = "the bare calls are what is measured")]
    fn one(&self, words: &[CString]) -> Outcome<()> {
        let args = arguments(words);
        let writer = self.output.1.as_raw_fd();
        let (mut pid, mut status) = (0, 0);
        // SAFETY: as in `bare`; actions and attributes are made before they are used, and no more needed after the call.
        let failed = unsafe {
            let (mut actions, mut attributes) = (MaybeUninit::uninit(), MaybeUninit::uninit());
            libc::posix_spawn_file_actions_init(actions.as_mut_ptr());
            libc::posix_spawn_file_actions_adddup2(actions.as_mut_ptr(), writer, 1);
            libc::posix_spawn_file_actions_adddup2(actions.as_mut_ptr(), writer, 2);
            libc::posix_spawnattr_init(attributes.as_mut_ptr());
            libc::posix_spawnattr_setflags(
                attributes.as_mut_ptr(),
                libc::c_short::try_from(libc::POSIX_SPAWN_SETPGROUP)?,
            );
            let (actions, attributes) = (actions.as_mut_ptr(), attributes.as_mut_ptr());
            let failed = libc::posix_spawn(&raw mut pid, args[0], actions, attributes, args.as_ptr(), environ);
            libc::posix_spawn_file_actions_destroy(actions);
            libc::posix_spawnattr_destroy(attributes);
            failed
        };
        if failed != 0 {
            return Err("a step cannot be started".into());
        }
        let account = File::open(format!("/proc/{pid}/io"))?;
        super::measure::wait(pid.cast_unsigned())?;
        account.read_at(&mut [0; 512], 0)?;
        // SAFETY: the process has ended and is not reaped, so that its group's id is its own; the pointers are to live
        // locals.
        let reaped = unsafe {
            let mut used = MaybeUninit::uninit();
            libc::kill(-pid, libc::SIGKILL);
            libc::wait4(pid, &raw mut status, 0, used.as_mut_ptr())
        };
        // Nothing waits there: these steps say nothing.
        let _ = rustix::io::read(&self.output.0, &mut [0; 4096]);
        (&self.journal).write_all(&[b'.'; LINES])?;
        if reaped == pid && status == 0 { Ok(()) } else { Err("a step failed".into()) }
    }
}
