//! `meow status --watch` beside an execution in another process.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::space::{Said, Space};

fn start(space: &Space, args: &[&str]) -> Child {
    let mut command = space.command(&space.root(), env!("CARGO_BIN_EXE_meow"));
    command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("meow starts")
}

fn wait_until_it_runs(space: &Space) {
    let runs = || {
        let status: Value = serde_json::from_str(&space.meow_ok(&["status", "--json"])).expect("JSON");
        !status["running"].as_array().expect("a list").is_empty()
    };
    assert!((0..500).any(|_| runs()), "it never ran");
}

#[test]
fn what_runs_is_told_until_it_ends() {
    let space = Space::repository();
    let steps = "[[steps]]\nid = \"one\"\nrun = \"until test -e go; do sleep 0.02; done\"\n\
                 [[steps]]\nid = \"two\"\nneeds = [\"one\"]\nrun = \"exit 3\"\n";
    space.write(".meow/workflows/ci.toml", &format!("formula = \"ci\"\n{steps}"));
    assert_eq!(space.meow_ok(&["status", "--watch"]), "nothing runs\n");
    let runner = start(&space, &["execute"]);
    wait_until_it_runs(&space);
    let watcher = start(&space, &["status", "--watch"]);
    // It has to have seen the execution before that goes on.
    std::thread::sleep(Duration::from_millis(800));
    space.write("go", "");
    let said = Said::from(watcher.wait_with_output().expect("its end"));
    assert_eq!(said.code, 0, "{}", said.err);
    let lines: Vec<&str> = said.out.lines().collect();
    assert_eq!(lines.len(), 3, "{}", said.out);
    assert!(lines[0].starts_with("pass  ci  one  ") && lines[1].starts_with("fail  ci  two  "), "{}", said.out);
    assert!(lines[2].starts_with("ci ") && lines[2].contains(" failed in "), "{}", said.out);
    assert_eq!(runner.wait_with_output().expect("its end").status.code(), Some(1));
}

#[test]
fn a_person_can_end_the_watching_and_a_killed_execution_ends_it_too() {
    let space = Space::repository();
    space.write(".meow/workflows/ci.toml", "formula = \"ci\"\n[[steps]]\nid = \"a\"\nrun = \"sleep 8\"\n");
    let mut runner = start(&space, &["execute"]);
    wait_until_it_runs(&space);
    let watcher = start(&space, &["status", "--watch"]);
    std::thread::sleep(Duration::from_millis(300));
    let began = Instant::now();
    let id = watcher.id().to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().expect("kill").success());
    let said = Said::from(watcher.wait_with_output().expect("its end"));
    assert_eq!((said.code, said.out.as_str()), (0, ""), "{}", said.err);
    assert!(began.elapsed() < Duration::from_secs(5));
    let watcher = start(&space, &["status", "--watch"]);
    std::thread::sleep(Duration::from_millis(800));
    runner.kill().expect("killed");
    runner.wait().expect("gone");
    let said = Said::from(watcher.wait_with_output().expect("its end"));
    assert!(said.code == 0 && said.out.contains("was interrupted"), "{}{}", said.out, said.err);
}
