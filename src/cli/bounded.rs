//! Runs a program that may keep nobody waiting: it is ended when its time is over.

use std::io::{self, Read, Write};
use std::process::{Command, Output, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use crate::clock::Clock;

/// How often it is looked whether what has said its last has ended.
const LOOK: Duration = Duration::from_millis(5);

/// Runs a program to its end, with `input` to read; returns how it ended and what it said, `None` where it was ended.
///
/// # Errors
/// It cannot be started or waited for.
pub(super) fn run(command: &mut Command, input: Option<&str>, limit: Duration) -> io::Result<Option<Output>> {
    let since = Clock::system();
    let stdin = if input.is_some() { Stdio::piped() } else { Stdio::null() };
    let mut child = command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    if let (Some(text), Some(mut stdin)) = (input.map(str::to_owned), child.stdin.take()) {
        // One that does not read says why on its own.
        std::thread::spawn(move || drop(stdin.write_all(text.as_bytes())));
    }
    let (out, err) = (child.stdout.take().map(reader), child.stderr.take().map(reader));
    let left = || limit.saturating_sub(since.elapsed());
    let said = |from: Option<Receiver<Vec<u8>>>| from.map_or(Some(Vec::new()), |from| from.recv_timeout(left()).ok());
    if let Some((stdout, stderr)) = said(out).and_then(|out| Some((out, said(err)?))) {
        while !left().is_zero() {
            if let Some(status) = child.try_wait()? {
                return Ok(Some(Output { status, stdout, stderr }));
            }
            std::thread::sleep(LOOK);
        }
    }
    child.kill()?;
    child.wait()?;
    Ok(None)
}

/// Reads to the end on a thread of its own, which nobody has to wait for.
fn reader(mut from: impl Read + Send + 'static) -> Receiver<Vec<u8>> {
    let (sender, said) = mpsc::channel();
    std::thread::spawn(move || {
        let mut all = Vec::new();
        // What was read until it broke is what was said; nobody may be left to hear it.
        let _ = from.read_to_end(&mut all);
        let _ = sender.send(all);
    });
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(text: &str, input: Option<&str>, limit: Duration) -> Option<(Option<i32>, String)> {
        let said = run(Command::new("/bin/sh").args(["-c", text]), input, limit).expect("it starts")?;
        Some((said.status.code(), String::from_utf8_lossy(&said.stdout).into_owned()))
    }

    #[test]
    fn what_ends_in_time_is_heard_and_what_does_not_is_ended() {
        let (long, short) = (Duration::from_mins(1), Duration::from_millis(100));
        assert_eq!(shell("cat; exit 3", Some("a line"), long), Some((Some(3), "a line".to_owned())));
        let large = "x".repeat(1 << 20);
        assert_eq!(shell("true", Some(&large), long), Some((Some(0), String::new())), "it need not read");
        let since = Clock::system();
        assert_eq!(shell("sleep 60", None, short), None);
        assert_eq!(shell("sleep 60 & echo said", None, short), None, "something of it still holds its output");
        assert_eq!(shell("exec >&- 2>&-; sleep 60", None, short), None);
        assert!(since.elapsed() < long);
    }
}
