//! Starts a process, at a cost that does not grow with meow's own memory: nothing of that is copied.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(any(test, not(target_os = "linux")))]
mod posix;

use std::ffi::CStr;

#[cfg(target_os = "linux")]
pub(super) use linux::{Place, Signals, spawn};
#[cfg(not(target_os = "linux"))]
pub(super) use posix::{Place, Signals, spawn};

/// What a process is started with.
pub(super) struct Spawn<'a> {
    /// The program's file; a relative one counts from the folder it starts in.
    pub program: &'a CStr,
    /// Its arguments, its own name first.
    pub args: &'a [&'a CStr],
    /// Its whole environment, as `NAME=value`.
    pub env: &'a [&'a CStr],
}
