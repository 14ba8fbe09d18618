//! Executions that share a machine: together they start no more than it carries, and none waits for a dead one.

use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::space::{Space, peer};

/// Returns a project with a workflow of eight steps that note when they start and end, and that take 0.2 s each.
fn project() -> Space {
    let space = Space::repository();
    let step = |place: u32| {
        format!("[[steps]]\nid = \"s{place}\"\nrun = \"echo + >> $NOTES/notes; sleep 0.2; echo - >> $NOTES/notes\"\n")
    };
    let steps: String = (0..8).map(step).collect();
    space.write(".meow/workflows/ci.toml", &format!("formula = \"ci\"\n{steps}"));
    space
}

/// Starts an execution on two processors.
fn start(space: &Space, args: &[&str]) -> Child {
    let mut command = space.command(&space.root(), "taskset");
    command.env("NOTES", space.root()).args(["--cpu-list", "0,1", env!("CARGO_BIN_EXE_meow"), "-q", "execute", "ci"]);
    command.args(args).stdout(Stdio::null()).spawn().expect("it starts")
}

/// Returns how many steps ran at once, for each start in the order of the notes.
fn at_once(space: &Space) -> Vec<i32> {
    let mut running = 0;
    let notes = space.read("notes");
    let each = notes.lines().filter_map(|line| {
        running += if line == "+" { 1 } else { -1 };
        (line == "+").then_some(running)
    });
    each.collect()
}

/// Returns whether programs can be kept to two processors here.
fn can_bind(space: &Space) -> bool {
    let bound = || space.command(&space.root(), "taskset").args(["--cpu-list", "0,1", "true"]).status();
    peer("taskset") && bound().is_ok_and(|status| status.success())
}

#[test]
fn two_executions_start_no_more_than_the_machine_carries() {
    let space = project();
    if !can_bind(&space) {
        return;
    }
    let both = |args: &[&str]| {
        space.write("notes", "");
        let mut one = start(&space, args);
        let mut other = start(&space, args);
        assert!(one.wait().expect("over").success() && other.wait().expect("over").success());
        at_once(&space)
    };
    let shared = both(&[]);
    assert_eq!(shared.len(), 16);
    // The first step of each always starts, and what one has started before the other came goes on.
    let above = shared.iter().filter(|running| **running > 2).count();
    assert!(shared.iter().all(|running| *running <= 4) && above <= 4, "{shared:?}");
    let typed = both(&["--slots", "2"]);
    assert!(typed.iter().filter(|running| **running > 2).count() > 4, "a number that was typed is obeyed: {typed:?}");
}

#[test]
fn a_dead_execution_takes_nothing_with_it() {
    let space = project();
    if !can_bind(&space) {
        return;
    }
    space.write("notes", "");
    let mut killed = start(&space, &[]);
    let since = Instant::now();
    while at_once(&space).is_empty() && since.elapsed() < Duration::from_secs(20) {
        std::thread::sleep(Duration::from_millis(5));
    }
    killed.kill().expect("killed");
    killed.wait().expect("gone");
    std::thread::sleep(Duration::from_millis(400));
    space.write("notes", "");
    assert!(start(&space, &[]).wait().expect("over").success());
    let alone = at_once(&space);
    assert!(alone.contains(&2), "it has the machine for itself: {alone:?}");
    let state = space.home().join(".local/state/meow");
    let folders: Vec<_> = std::fs::read_dir(state).expect("state").flatten().collect();
    let accounts = folders.iter().filter(|folder| folder.file_name().to_string_lossy().starts_with("executions-"));
    let left: usize = accounts.map(|folder| std::fs::read_dir(folder.path()).expect("a folder").count()).sum();
    assert_eq!(left, 0, "both accounts are closed");
}

#[test]
fn an_execution_within_an_execution_gets_on() {
    let space = project();
    let program = env!("CARGO_BIN_EXE_meow");
    let outer = format!("formula = \"outer\"\n[[steps]]\nid = \"inner\"\nrun = \"NOTES=. {program} -q execute ci\"\n");
    space.write(".meow/workflows/outer.toml", &outer);
    space.meow_ok(&["execute", "outer"]);
    assert_eq!(at_once(&space).len(), 8);
}

#[test]
fn a_folder_that_cannot_be_used_stops_nobody() {
    let space = project();
    for home in ["blocked", "none"] {
        std::fs::write(space.root().join("blocked"), "a file").expect("written");
        let mut command = space.command(&space.root(), env!("CARGO_BIN_EXE_meow"));
        command.env("NOTES", space.root()).env("XDG_RUNTIME_DIR", space.root().join(home).join("below"));
        let said = command.args(["-q", "execute", "ci"]).output().expect("it runs");
        assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    }
}
