//! `meow execute` where the machine fails it: full disks, folders that vanish, a shell that is not there.

use std::time::{Duration, Instant};

use crate::crash::strace_is_there;
use crate::execute::{alive, wait_for};
use crate::space::{Said, Space};

/// Writes a workflow of steps that run one after the other.
fn workflow(space: &Space, commands: &[&str]) {
    let mut text = "formula = \"ci\"\n".to_owned();
    for (at, command) in commands.iter().enumerate() {
        let needs = at.checked_sub(1).map(|before| format!("\"s{before}\"")).unwrap_or_default();
        text.push_str(&format!("\n[[steps]]\nid = \"s{at}\"\nneeds = [{needs}]\nrun = '''{command}'''\n"));
    }
    space.write(".meow/workflows/ci.toml", &text);
}

/// Runs the workflow after a mount that nobody else sees; `None` where this user may not mount.
#[expect(clippy::print_stderr, reason = "a test that is skipped says why")]
fn execute_behind(space: &Space, mount: &str) -> Option<Said> {
    let own =
        |script: &str| space.run_in(&space.root(), "unshare", &["--map-root-user", "--mount", "sh", "-c", script]);
    if own(mount).code != 0 {
        eprintln!("skipped: this user may not mount anything");
        return None;
    }
    Some(own(&format!("{mount} && exec '{}' execute", env!("CARGO_BIN_EXE_meow"))))
}

/// Runs the workflow, which has to end by itself soon.
fn execute(space: &Space) -> Said {
    let began = Instant::now();
    let said = space.meow(&["execute"]);
    assert!(began.elapsed() < Duration::from_secs(20), "{said:?}");
    said
}

fn times(text: &str, what: &str) -> usize {
    text.matches(what).count()
}

#[test]
fn only_steps_that_say_something_have_a_log() {
    let space = Space::repository();
    workflow(&space, &["true", "echo out; echo err >&2", "printf more"]);
    assert_eq!(execute(&space).code, 0);
    let logs = space.root().join(".git/meow/logs");
    let execution = std::fs::read_dir(logs).expect("logs").next().expect("one").expect("a folder").path();
    let mut found: Vec<(String, String)> = std::fs::read_dir(execution)
        .expect("logs")
        .map(|entry| entry.expect("a log").path())
        .map(|path| {
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            (name, std::fs::read_to_string(path).expect("text"))
        })
        .collect();
    found.sort();
    assert_eq!(found, [("s1.1.log".into(), "out\nerr\n".into()), ("s2.1.log".into(), "more".into())]);
}

#[test]
fn a_full_disk_costs_the_log_and_not_the_step() {
    let space = Space::repository();
    let noisy = "head -c 3000000 /dev/zero | tr '\\0' x && echo done";
    workflow(&space, &[noisy, noisy, "touch after"]);
    let mount = "mkdir -p .git/meow && mount -t tmpfs -o size=64k none .git/meow";
    let Some(said) = execute_behind(&space, mount) else { return };
    assert_eq!((said.code, space.has("after")), (0, true), "{said:?}");
    assert_eq!(times(&said.err, "output of steps is not kept"), 1, "{}", said.err);
    assert!(said.out.contains("3 passed"), "{}", said.out);
}

#[test]
fn a_log_folder_that_is_taken_away_costs_the_logs() {
    let space = Space::repository();
    workflow(&space, &["rm -r .git/meow/logs && touch .git/meow/logs", "echo one", "echo two && touch after"]);
    let said = execute(&space);
    assert_eq!((said.code, space.has("after")), (0, true), "{said:?}");
    assert_eq!(times(&said.err, "output of steps is not kept"), 1, "{}", said.err);
}

#[test]
fn a_missing_shell_is_named() {
    let space = Space::repository();
    workflow(&space, &["true", "true && true"]);
    let Some(said) = execute_behind(&space, "mount --bind /dev/null /bin/sh") else { return };
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.out.contains("s1 did not start") && said.out.contains("the shell /bin/sh"), "{}", said.out);
}

#[test]
fn a_folder_that_vanishes_is_named() {
    let space = Space::repository();
    workflow(&space, &["rm -rf \"$PWD\"", "true", "true && true"]);
    let said = execute(&space);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.out.contains("s1 did not start") && said.out.contains("is gone"), "{}", said.out);
}

#[test]
fn a_program_that_an_earlier_step_put_there_is_found() {
    let space = Space::repository();
    let make = "mkdir -p tools && printf '#!/bin/sh\\ntouch found' > tools/made-here && chmod +x tools/made-here";
    workflow(&space, &[make, "made-here", "./tools/made-here"]);
    let text = space.read(".meow/workflows/ci.toml");
    space.write(
        ".meow/workflows/ci.toml",
        &text.replace("'''made-here'''", "'''made-here'''\nenv = { PATH = \"tools:/usr/bin:/bin\" }"),
    );
    let said = execute(&space);
    assert_eq!((said.code, space.has("found")), (0, true), "{said:?}");
}

/// The standard library holds it for impossible that a thread cannot sleep, and panics: here on the thread of a slot, which
/// waits for the rest of a group that was asked to end.
#[test]
fn a_panic_on_the_thread_of_a_slot_ends_with_70_and_leaves_nothing() {
    if !strace_is_there() {
        return;
    }
    let space = Space::repository();
    // Nothing of it sleeps by itself; what was started beside it does not end when asked to.
    space.write("beside", "trap '' TERM\necho $$ >pid\nexec cat pipe\n");
    space.write("stubborn", "mkfifo pipe\nsh beside &\nexec cat pipe\n");
    let step = "[[steps]]\nid = \"stubborn\"\nrun = \"sh stubborn\"\ntimeout = \"300ms\"\n";
    let after = "[[steps]]\nid = \"after\"\nneeds = [\"stubborn\"]\nrun = \"touch ran\"\n";
    space.write(".meow/workflows/ci.toml", &format!("formula = \"ci\"\n{step}{after}"));
    let refuse = "-einject=clock_nanosleep:error=EINVAL";
    let meow = env!("CARGO_BIN_EXE_meow");
    let line = ["-k5", "60", "strace", "-f", "-qqq", "-o/dev/null", "-etrace=clock_nanosleep", refuse, meow, "execute"];
    let said = space.run_in(&space.root(), "timeout", &line);
    assert_eq!(said.code, 70, "{said:?}");
    assert!(said.out.contains("stubborn did not start: meow itself failed, which is a bug"), "{said:?}");
    assert!(said.err.contains("panicked") && !space.has("ran"), "{said:?}");
    wait_for("the end of what was started beside it", || !alive(&space.read("pid")));
    assert!(space.meow_ok(&["log"]).contains("stubborn"), "it is remembered");
}
