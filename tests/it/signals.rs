//! Signals to meow while it executes: which it hears, what they end, and that nobody who reads nothing keeps them from it.

use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::execute::{alive, signal, wait_for};
use crate::space::{Said, Space};

/// Writes a workflow of independent steps: each an id, a command and further keys.
fn workflow(space: &Space, steps: &[(&str, &str, &str)]) {
    let mut text = "formula = \"ci\"\n".to_owned();
    for (id, command, keys) in steps {
        text.push_str(&format!("\n[[steps]]\nid = \"{id}\"\nrun = '''{command}'''\n{keys}\n"));
    }
    space.write(".meow/workflows/ci.toml", &text);
}

/// Starts meow from a line of the shell, in which `$MEOW` is its program.
fn start(space: &Space, line: &str, stdout: impl Into<Stdio>) -> Child {
    let mut command = space.command(&space.root(), "sh");
    command.args(["-c", line]).env("MEOW", env!("CARGO_BIN_EXE_meow"));
    command.stdin(Stdio::null()).stdout(stdout).stderr(Stdio::piped()).spawn().expect("the shell starts")
}

fn end(child: Child) -> Said {
    Said::from(child.wait_with_output().expect("its end"))
}

#[test]
fn what_was_ignored_before_stays_ignored() {
    let space = Space::repository();
    let step = "touch seen; until test -e go; do sleep 0.02; done; touch went";
    workflow(&space, &[("step", step, "timeout = \"20s\"")]);
    for line in ["exec \"$MEOW\" execute", "exec \"$MEOW\" record -- sh step"] {
        space.write("step", step);
        for file in ["seen", "go", "went"] {
            let _ = std::fs::remove_file(space.root().join(file));
        }
        let child = start(&space, &format!("trap '' HUP INT; {line}"), Stdio::piped());
        wait_for("the step", || space.has("seen"));
        for name in ["HUP", "INT"] {
            signal(&child, name);
        }
        std::thread::sleep(Duration::from_millis(100));
        space.write("go", "");
        let said = end(child);
        assert_eq!((said.code, space.has("went")), (0, true), "{line}: {said:?}");
    }
}

#[test]
fn the_signal_that_ends_on_the_spot_leaves_nothing_running() {
    let space = Space::repository();
    workflow(&space, &[("step", "trap '' TERM QUIT; echo $$ >pid; while :; do sleep 0.02; done", "")]);
    let child = start(&space, "exec \"$MEOW\" execute", Stdio::piped());
    wait_for("the step", || space.has("pid") && !space.read("pid").is_empty());
    let began = Instant::now();
    signal(&child, "QUIT");
    let said = end(child);
    assert_eq!((said.code, alive(&space.read("pid"))), (1, false), "{said:?}");
    assert!(said.out.contains("was cancelled") && began.elapsed() < Duration::from_secs(4), "{said:?}");
}

#[test]
fn what_takes_back_gets_its_grace_and_no_more_when_it_is_stopped() {
    let space = Space::repository();
    let undo = "undo = \"trap '' TERM; echo $$ >pid; while :; do sleep 0.02; done\"";
    workflow(&space, &[("done", "true", undo), ("fails", "false", "needs = [\"done\"]")]);
    let child = start(&space, "exec \"$MEOW\" execute --undo", Stdio::piped());
    wait_for("the undo", || space.has("pid") && !space.read("pid").is_empty());
    let began = Instant::now();
    signal(&child, "TERM");
    let said = end(child);
    assert_eq!((said.code, alive(&space.read("pid"))), (1, false), "{said:?}");
    // Grace is five seconds.
    assert!(began.elapsed() < Duration::from_secs(10), "{said:?}");
    assert!(said.out.contains("undo of done was ended by signal 9"), "{said:?}");
}

#[test]
fn a_reader_that_stands_still_holds_up_no_limit_and_no_signal() {
    let space = Space::repository();
    workflow(&space, &[("step", "echo $$ >pid; exec sleep 600", "timeout = \"500ms\"")]);
    for reads_on in [true, false] {
        let _ = std::fs::remove_file(space.root().join("pid"));
        let (mut reader, writer) = std::io::pipe().expect("a pipe");
        // A pipe holds 64 KiB: the first line has room, and the second has not.
        let line = "head -c 65400 /dev/zero; exec \"$MEOW\" execute --events jsonl";
        let mut child = start(&space, line, writer);
        wait_for("the step", || space.has("pid") && !space.read("pid").is_empty());
        wait_for("the end of the step at its limit", || !alive(&space.read("pid")));
        if reads_on {
            let mut said = Vec::new();
            reader.read_to_end(&mut said).expect("what it says");
            assert_eq!(child.wait().expect("its end").code(), Some(1));
            let said = String::from_utf8_lossy(&said[65_400..]).into_owned();
            let events: Vec<serde_json::Value> =
                said.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect();
            let names: Vec<&str> = events.iter().filter_map(|event| event["event"].as_str()).collect();
            let order = ["execution", "started", "attempt-started", "limit-near", "attempt-finished", "finished"];
            assert_eq!(names, order, "{said}");
            continue;
        }
        signal(&child, "TERM");
        std::thread::sleep(Duration::from_millis(200));
        assert_eq!(child.try_wait().expect("asked"), None, "what it has to say is not thrown away at once");
        // A busy machine may hear two that come soon after one another as one.
        let began = Instant::now();
        let status = loop {
            assert!(began.elapsed() < Duration::from_secs(20), "it does not end");
            signal(&child, "TERM");
            std::thread::sleep(Duration::from_millis(300));
            if let Some(status) = child.try_wait().expect("asked") {
                break status;
            }
        };
        assert_eq!(status.signal(), Some(15));
    }
}

#[test]
fn who_stops_an_execution_that_failed_has_nothing_taken_back() {
    let space = Space::repository();
    let hangs = "until test -e failed; do sleep 0.02; done; touch seen; exec sleep 60";
    let fails = "touch failed; exit 1";
    let steps =
        [("done", "true", "undo = \"touch undone\""), ("fails", fails, "needs = [\"done\"]"), ("hangs", hangs, "")];
    workflow(&space, &steps);
    let child =
        start(&space, "exec \"$MEOW\" execute --undo --keep-going --slots 2 --events jsonl >events", Stdio::piped());
    wait_for("the failure", || space.has("seen") && space.read("events").contains("\"code\":1"));
    signal(&child, "TERM");
    let said = end(child);
    assert_eq!((said.code, space.has("undone")), (1, false), "{said:?}");
}
