//! One command as if meow were not there: its terminal, its signals, its process group; only its usage is taken.

use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};
use rustix::stdio::stderr;
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::iterator::Signals;

use super::event::{Ending, Usage};
use super::process::{Account, wait4};
use super::stop::heard;

/// What is different for the command from what meow was started with.
#[derive(Debug, Clone, Copy, Default)]
pub struct Around<'a> {
    /// Variables that it must not have.
    pub without: &'a [&'a str],
    /// Variables that it has besides.
    pub with: &'a [(&'a str, &'a str)],
    /// Whether it reads nothing, and what it prints goes to stderr.
    pub aside: bool,
}

/// Runs a command in `directory` with the terminal that meow has; returns how it ended and what it used.
///
/// A key that interrupts reaches the command by itself, since both are in one process group; what is sent to meow
/// alone (SIGTERM, SIGHUP) is passed on. meow outlives them, to record the end; what it was started with as ignored, the
/// command is too.
///
/// # Errors
/// The command cannot be started.
///
/// # Panics
/// On an empty command.
pub fn foreground(command: &[OsString], directory: &Path, around: Around<'_>) -> io::Result<(Ending, Usage)> {
    let (program, args) = command.split_first().expect("a command has a program");
    let mut signals = Signals::new(heard(&[SIGINT, SIGQUIT, SIGTERM, SIGHUP]))?;
    let mut command = Command::new(program);
    command.args(args).current_dir(directory).envs(around.with.iter().copied());
    for variable in around.without {
        command.env_remove(variable);
    }
    if around.aside {
        command.stdin(Stdio::null()).stdout(stderr().try_clone_to_owned()?);
    }
    let child = command.spawn()?;
    let pid = Pid::from_child(&child);
    let handle = signals.handle();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            for signal in signals.forever() {
                let passed_on = match signal {
                    SIGTERM => Signal::TERM,
                    SIGHUP => Signal::HUP,
                    _ => continue,
                };
                // It may have ended by now; it is not reaped before this thread is, so the id is still its own.
                let _ = kill_process(pid, passed_on);
            }
        });
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        while let Err(rustix::io::Errno::INTR) = waitid(WaitId::Pid(pid), options) {}
        handle.close();
    });
    let (read_bytes, written_bytes) = Account::of(pid).bytes();
    let (ending, usage) = wait4(pid)?;
    Ok((ending, Usage { read_bytes, written_bytes, ..usage }))
}
