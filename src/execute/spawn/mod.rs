//! Starts a process, at a cost that does not grow with meow's own memory: nothing of that is copied.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(any(test, not(target_os = "linux")))]
mod posix;

use std::ffi::CStr;

use super::cgroup::Gate;

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
    /// Where it enters a control group before it becomes the program; it is told whether it could. Linux only.
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "there are none"))]
    pub gate: Option<&'a Gate>,
}
