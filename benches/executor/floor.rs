//! The floor: two threads that do nothing but `posix_spawn` and wait. Records nothing, prints nothing, decides nothing.

use std::ffi::{CStr, CString, c_char};
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::Outcome;
use super::shape::{Shape, Variant};

/// Workers, as the runners have slots.
const WORKERS: usize = 2;

/// Runs the steps of a shape.
pub fn run(shape: Shape, variant: Variant) -> Outcome<()> {
    let words: Vec<CString> = match variant {
        Variant::Plain => vec![program(variant.command())?],
        Variant::Shell => {
            ["/bin/sh", "-c", variant.command()].map(CString::new).into_iter().collect::<Result<_, _>>()?
        }
    };
    match shape {
        Shape::Flat(steps) => together(steps, &words),
        Shape::Chain(steps) => (0..steps).for_each(|_| one(&words)),
        Shape::Fan(rounds, width) => (0..rounds).for_each(|_| {
            together(width, &words);
            one(&words);
        }),
    }
    Ok(())
}

/// Returns the file of a program.
fn program(name: &str) -> Outcome<CString> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let file = std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file());
    let file = file.ok_or("the program is not in PATH")?;
    Ok(CString::new(file.into_os_string().into_encoded_bytes())?)
}

fn together(steps: usize, words: &[CString]) {
    let left = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                while left.fetch_add(1, Ordering::Relaxed) < steps {
                    one(words);
                }
            });
        }
    });
}

#[expect(unsafe_code, reason = "the bare calls are what is measured")]
fn one(words: &[CString]) {
    unsafe extern "C" {
        static environ: *const *mut c_char;
    }
    let args: Vec<*mut c_char> =
        words.iter().map(|word| CStr::as_ptr(word).cast_mut()).chain([ptr::null_mut()]).collect();
    let (mut pid, mut status) = (0, 0);
    // SAFETY: the program and the arguments are C strings that outlive the call, the list ends with a null pointer, the
    // environment is not changed by this program, and the pointers are to live locals.
    unsafe {
        let failed = libc::posix_spawn(&raw mut pid, args[0], ptr::null(), ptr::null(), args.as_ptr(), environ);
        assert!(failed == 0 && libc::waitpid(pid, &raw mut status, 0) == pid && status == 0, "a step failed");
    }
}
