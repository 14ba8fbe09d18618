//! What steps get from meow besides their command (a pipe, a terminal, open files, the name of a folder), and what becomes of
//! it where that is odd.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::time::{Duration, Instant};

use crate::space::{Said, Space, peer};

/// Writes a workflow of steps that run one after the other: each an id, a command and further keys.
fn workflow(space: &Space, steps: &[(&str, &str, &str)]) {
    let mut text = "formula = \"ci\"\n".to_owned();
    for (at, (id, command, keys)) in steps.iter().enumerate() {
        let needs = at.checked_sub(1).map(|before| format!("\"{}\"", steps[before].0)).unwrap_or_default();
        text.push_str(&format!("\n[[steps]]\nid = \"{id}\"\nneeds = [{needs}]\nrun = '''{command}'''\n{keys}\n"));
    }
    space.write(".meow/workflows/ci.toml", &text);
}

/// Returns the log of a step's first attempt in the only execution.
fn log(space: &Space, step: &str) -> Vec<u8> {
    let logs = space.root().join(".git/meow/logs");
    let mut folders = std::fs::read_dir(logs).expect("logs").flatten().filter(|entry| entry.path().is_dir());
    std::fs::read(folders.next().expect("one").path().join(format!("{step}.1.log"))).unwrap_or_default()
}

#[test]
fn a_step_that_wants_no_waiting_writes_takes_none_from_the_next_one() {
    let space = Space::repository();
    // `dd` leaves its output as it was told to open it, as a program does that is killed.
    let steps = [
        ("careless", "dd if=/dev/null oflag=nonblock status=none", ""),
        ("writes", "head -c 3000000 /dev/zero", ""),
        ("again", "head -c 3000000 /dev/zero | cat", ""),
    ];
    workflow(&space, &steps);
    space.meow_ok(&["execute"]);
    for step in ["writes", "again"] {
        assert_eq!(log(&space, step).len(), 3_000_000, "{step}");
    }
}

#[test]
fn what_a_step_leaves_behind_writes_into_no_other_log() {
    let space = Space::repository();
    // More than the pipe holds, from out of the step's own group; in each of ten tries something would be left of it.
    let loud = "setsid sh -c 'while :; do echo junk; done' & sleep 0.05; echo own";
    let names: Vec<[String; 2]> = (0..10).map(|at| [format!("loud{at}"), format!("quiet{at}")]).collect();
    let steps: Vec<(&str, &str, &str)> =
        names.iter().flat_map(|[one, two]| [(one.as_str(), loud, ""), (two.as_str(), "echo own", "")]).collect();
    workflow(&space, &steps);
    space.meow_ok(&["execute", "--slots", "1"]);
    for [loud, quiet] in &names {
        assert!(String::from_utf8_lossy(&log(&space, loud)).contains("junk"), "it was loud");
        assert_eq!(String::from_utf8_lossy(&log(&space, quiet)), "own\n");
    }
}

#[test]
fn what_asks_on_the_terminal_is_ended_and_named() {
    if !peer("script") {
        return;
    }
    let began = Instant::now();
    for (asks, signal) in [("read answer </dev/tty; touch answered", 21), ("stty -echo </dev/tty; touch answered", 22)]
    {
        let space = Space::repository();
        let undo = "undo = \"read answer </dev/tty\"";
        workflow(&space, &[("done", "true", undo), ("asks", asks, ""), ("after", "touch ran", "")]);
        let line = format!("exec {} execute --undo", env!("CARGO_BIN_EXE_meow"));
        let said = space.run_in(&space.root(), "timeout", &["-k1", "20", "script", "-qec", &line, "/dev/null"]);
        let told = "`asks` is ended: it asks something on the terminal, which steps do not have";
        assert!(said.code == 1 && said.out.contains(told), "{said:?}");
        assert!(said.out.contains(&format!("asks was ended by signal {signal}")), "{said:?}");
        assert!(said.out.contains("undo of done was ended by signal 9"), "{said:?}");
        assert!(!space.has("answered") && !space.has("ran"), "{said:?}");
    }
    assert!(began.elapsed() < Duration::from_secs(20), "it does not wait for the grace");
}

#[test]
fn a_folder_whose_name_is_no_text_is_a_folder_like_any_other() {
    let space = Space::empty();
    let folder = space.root().join(OsStr::from_bytes(b"caf\xe9 'x'\n"));
    std::fs::create_dir_all(folder.join(".meow/workflows")).expect("folders");
    let steps =
        "formula = \"ci\"\n[[steps]]\nid = \"counts\"\nrun = 'pwd >here; echo n=7 >>\"$MEOW_METRICS\"; echo said'\n";
    std::fs::write(folder.join(".meow/workflows/ci.toml"), steps).expect("written");
    space.git_in(&folder, &["init", "--quiet", "--initial-branch=main"]);
    let said = space.run_in(&folder, env!("CARGO_BIN_EXE_meow"), &["execute", "--events", "jsonl"]);
    assert!(said.code == 0 && said.out.contains("\"metrics\":{\"n\":7.0}"), "{said:?}");
    let here = std::fs::read(folder.join("here")).expect("where it ran");
    assert_eq!(OsStr::from_bytes(here.strip_suffix(b"\n").expect("a line")), folder.as_os_str());
    let said = space.run_in(&folder, env!("CARGO_BIN_EXE_meow"), &["status"]);
    assert!(said.code == 0 && said.out.contains("1 execution waits"), "{said:?}");
}

#[test]
fn many_steps_at_once_have_the_files_they_need_and_the_limit_they_had() {
    let space = Space::repository();
    let names: Vec<String> = (0..60).map(|at| format!("s{at}")).collect();
    let mut text = "formula = \"ci\"\n".to_owned();
    for name in &names {
        text.push_str(&format!("\n[[steps]]\nid = \"{name}\"\nrun = 'ulimit -S -n; sleep 0.2'\n"));
    }
    space.write(".meow/workflows/ci.toml", &text);
    let line = format!("ulimit -S -n 40 && exec '{}' execute --slots 60", env!("CARGO_BIN_EXE_meow"));
    let said = space.run_in(&space.root(), "sh", &["-c", &line]);
    assert!(said.code == 0 && !said.err.contains("warning"), "{said:?}");
    for name in &names {
        assert_eq!(String::from_utf8_lossy(&log(&space, name)), "40\n", "{name}");
    }
}

#[test]
fn a_step_of_a_step_hears_of_itself_alone() {
    let space = Space::repository();
    workflow(&space, &[("inner", "env", "")]);
    let mut command = space.command(&space.root(), env!("CARGO_BIN_EXE_meow"));
    for name in ["MEOW_EXECUTION", "MEOW_STEP", "MEOW_ATTEMPT", "MEOW_METRICS"] {
        command.env(name, "outer");
    }
    let said = Said::from(command.arg("execute").output().expect("meow starts"));
    assert_eq!(said.code, 0, "{said:?}");
    let log = log(&space, "inner");
    let log = String::from_utf8_lossy(&log);
    for name in ["MEOW_EXECUTION=", "MEOW_STEP=", "MEOW_ATTEMPT=", "MEOW_METRICS="] {
        let values: Vec<&str> = log.lines().filter_map(|line| line.strip_prefix(name)).collect();
        assert!(values.len() == 1 && values[0] != "outer", "{name}{values:?}");
    }
    assert!(log.contains("\nMEOW_STEP=inner\n") && log.contains("\nMEOW_ATTEMPT=1\n"), "{log}");
}
