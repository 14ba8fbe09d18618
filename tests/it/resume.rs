//! `meow execute --resume`: what had passed on the same inputs is not run again, whatever ended the execution.

use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::space::{Said, Space};

/// Writes a workflow `ci` of steps, each a line `id | needs | command | further keys`; every step notes its attempts.
fn workflow(space: &Space, steps: &[(&str, &[&str], &str, &str)]) {
    let mut text = "formula = \"ci\"\nversion = 1\n".to_owned();
    for (id, needs, command, keys) in steps {
        let run = format!("echo {id} $MEOW_ATTEMPT >>\"$HOME/ran\"; {command}");
        text.push_str(&format!("\n[[steps]]\nid = \"{id}\"\nneeds = {needs:?}\nrun = '''{run}'''\n{keys}\n"));
    }
    space.write(".meow/workflows/ci.toml", &text);
}

/// Returns what ran since the last call, as `step attempt` in the order of starts.
fn ran(space: &Space) -> String {
    let file = space.home().join("ran");
    let text = std::fs::read_to_string(&file).unwrap_or_default();
    let _ = std::fs::remove_file(&file);
    text.lines().collect::<Vec<_>>().join(", ")
}

fn start(space: &Space, args: &[&str]) -> Child {
    let mut command = space.command(&space.root(), env!("CARGO_BIN_EXE_meow"));
    command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("meow starts")
}

fn wait_for(what: &str, holds: impl Fn() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < Duration::from_secs(20), "{what} did not happen");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Executes until the file `seen` is there and one more step has ended in the journal, then kills meow alone.
fn killed(space: &Space, args: &[&str]) {
    let mut child = start(space, args);
    wait_for("the step", || space.has("seen"));
    // What ran before it is in the journal within moments.
    std::thread::sleep(Duration::from_millis(100));
    child.kill().expect("killed");
    child.wait().expect("its end");
    std::fs::remove_file(space.root().join("seen")).expect("seen");
}

const SLOW: &str = "touch seen; test $MEOW_ATTEMPT -gt 1 || sleep 60; echo b >out.b";

#[test]
fn an_interrupted_execution_goes_on_where_it_stopped() {
    let space = Space::repository();
    let steps =
        [("a", &[][..], "echo a >out.a", ""), ("b", &["a"], SLOW, ""), ("c", &["b"], "cat out.a out.b >out.c", "")];
    workflow(&space, &steps);
    killed(&space, &["execute", "ci"]);
    assert_eq!(ran(&space), "a 1, b 1");
    let status = space.meow_ok(&["status"]);
    assert!(status.contains("Interrupted") && status.contains("meow execute --resume "), "{status}");

    let said = space.meow(&["execute", "--resume"]);
    assert_eq!((said.code, ran(&space).as_str()), (0, "b 2, c 1"), "{}{}", said.out, said.err);
    assert!(said.err.contains(": 1 of 3 steps had passed"), "{}", said.err);
    assert!(said.err.contains("stopped in the middle, run again: `b` (now attempt 2)"), "{}", said.err);
    assert!(said.out.contains(": 2 passed, 1 passed before"), "{}", said.out);
    if cfg!(target_os = "linux") {
        assert!(said.err.contains("that it had left running: ended"), "the sleep of the first try: {}", said.err);
    }
    assert_eq!(space.read("out.c"), "a\nb\n");
    assert!(!space.meow_ok(&["status"]).contains("Interrupted"), "it was gone on with");
    let said = space.meow(&["execute", "--resume", "ci"]);
    assert_eq!(said.code, 2, "{}", said.err);
    assert!(said.err.contains("passed: nothing is left to do"), "{}", said.err);
}

#[test]
fn a_sealed_record_is_enough() {
    let space = Space::repository();
    workflow(&space, &[("a", &[], "true", ""), ("b", &["a"], "test -e fixed", "")]);
    space.git(&["add", "."]);
    space.git(&["commit", "--quiet", "--message=workflow"]);
    let said = space.meow(&["execute", "ci", "--events", "jsonl"]);
    assert_eq!((said.code, ran(&space).as_str()), (1, "a 1, b 1"), "{}", said.err);
    let first: serde_json::Value = serde_json::from_str(said.out.lines().next().expect("a line")).expect("JSON");
    let id = first["execution"].as_str().expect("an id").to_owned();
    space.meow_ok(&["commit"]);
    space.meow_ok(&["commit"]);
    space.write("other", "a file that git does not track is output\n");
    let said = space.meow(&["execute", "--resume", &id[..10]]);
    assert_eq!((said.code, ran(&space).as_str()), (1, "b 2"), "{}", said.err);
    assert!(said.err.contains("they count as output of the steps"), "{}", said.err);
    space.write("fixed", "");
    let said = space.meow(&["execute", "--resume"]);
    assert_eq!((said.code, ran(&space).as_str()), (0, "b 3"), "the resumed one is gone on with: {}", said.err);
}

#[test]
fn what_has_changed_runs_again() {
    let space = Space::repository();
    let steps = |command: &str, value: &str| {
        workflow(
            &space,
            &[
                ("a", &[], "true", ""),
                ("b", &["a"], command, ""),
                ("c", &["b"], "true", ""),
                ("d", &[], "true", &format!("env = {{ LEVEL = \"{value}\" }}")),
                ("e", &["a", "c", "d"], "false", ""),
            ],
        );
    };
    let resumed = |expected: &str, reason: &str| {
        let said = space.meow(&["execute", "ci", "--resume", "-j1"]);
        let again = ran(&space);
        let mut again: Vec<&str> = again.split(", ").collect();
        again.sort_unstable();
        assert_eq!((said.code, again.join(", ").as_str()), (1, expected), "{}", said.err);
        assert!(said.err.contains(reason), "{reason}: {}", said.err);
    };
    steps("true", "1");
    assert_eq!(space.meow(&["execute", "-j1"]).code, 1);
    ran(&space);
    resumed("e 2", "4 of 5 steps had passed");
    steps(":", "1");
    resumed("b 2, c 2, e 3", "passed, and run again: `b` (its command changed), `c` (needs `b`)");
    steps(":", "2");
    resumed("d 2, e 4", "`d` (its variables or environment changed)");
    resumed("e 5", "4 of 5");
    space.write("README", "another project\n");
    resumed("a 2, b 3, c 3, d 3, e 6", "what git tracks has changed since");
    resumed("e 7", "4 of 5");
}

#[test]
fn what_declares_its_inputs_is_judged_by_them_alone() {
    let space = Space::repository();
    space.write(".gitignore", "/data\n/made\n");
    space.write("src/one", "1\n");
    space.write("data/two", "2\n");
    space.write("docs/page", "a page\n");
    workflow(
        &space,
        &[
            ("make", &[], "mkdir -p made; cat src/one >made/one", "inputs = [\"src\"]"),
            ("link", &["make"], "cat made/one >linked", "inputs = [\"made/**\"]"),
            ("count", &[], "wc -l data/two >counted", "inputs = [\"data/*\"]"),
            ("after", &["count"], "true", ""),
            ("none", &[], "true", "inputs = [\"absent/*\"]"),
            ("lint", &[], "true", ""),
            ("end", &["link", "after", "none", "lint"], "test -e fixed", ""),
        ],
    );
    space.git(&["add", "."]);
    space.git(&["commit", "--quiet", "--message=start"]);
    let resumed = |expected: &str, reasons: &[&str]| {
        let said = space.meow(&["execute", "ci", "--resume", "-j1"]);
        let again = ran(&space);
        let mut again: Vec<&str> = again.split(", ").collect();
        again.sort_unstable();
        assert_eq!((said.code, again.join(", ").as_str()), (1, expected), "{}", said.err);
        for reason in reasons {
            assert!(said.err.contains(reason), "{reason}: {}", said.err);
        }
    };
    assert_eq!(space.meow(&["execute", "-j1", "--keep-going"]).code, 1);
    ran(&space);
    resumed("end 2", &["6 of 7 steps had passed"]);
    // What no step declares: those without inputs of their own, and those whose patterns name nothing, run again.
    space.write("docs/page", "another page\n");
    resumed(
        "after 2, end 3, lint 2, none 2",
        &["what git tracks has changed since", "not what these declare as their inputs: `make`, `count`, `link`"],
    );
    space.meow_ok(&["commit"]);
    space.write("src/one", "one\n");
    resumed(
        "after 3, end 4, link 2, lint 3, make 2, none 3",
        &["`make` (its inputs changed), `link` (needs `make`)", "as their inputs: `count`"],
    );
    assert_eq!(space.read("linked"), "one\n");
    // What git does not track counts where it is declared.
    space.write("data/two", "2\n3\n");
    resumed("after 4, count 2, end 5", &["`count` (its inputs changed), `after` (needs `count`)"]);
    resumed("end 6", &["6 of 7 steps had passed"]);
    space.write("made/one", "by hand\n");
    resumed("end 7, link 3", &["`link` (its inputs changed)"]);
    let mut command = space.command(&space.root(), env!("CARGO_BIN_EXE_meow"));
    let said = command.args(["execute", "--resume"]).env("MEOW_KEY", "another").output().expect("meow starts");
    assert!(ran(&space).contains("count 3"), "hashes join within a key only: {said:?}");
}

#[test]
fn undo_takes_back_what_had_passed_before_too_and_then_it_runs_again() {
    let space = Space::repository();
    let undo = |name: &str| format!("undo = \"echo undo {name} >>$HOME/ran\"");
    workflow(
        &space,
        &[
            ("a", &[], "true", &undo("a")),
            ("b", &["a"], "true", &format!("{}; exit 3\"", undo("b").trim_end_matches('"'))),
            ("c", &["b"], "false", ""),
        ],
    );
    space.meow(&["execute"]);
    assert_eq!(ran(&space), "a 1, b 1, c 1");
    let said = space.meow(&["execute", "--resume", "--undo"]);
    assert_eq!(ran(&space), "c 2, undo b, undo a", "the last one first");
    assert!(said.out.contains("undo of b failed with exit code 3"), "{}", said.out);
    assert!(said.out.contains("1 undone"), "{}", said.out);
    let said = space.meow(&["execute", "--resume"]);
    assert_eq!(ran(&space), "a 2, b 2, c 3", "{}", said.err);
}

#[test]
fn what_cannot_be_resumed_is_said() {
    let check = |space: &Space, args: &[&str], part: &str| {
        let said: Said = space.meow(args);
        assert_eq!(said.code, 2, "{args:?}: {}{}", said.out, said.err);
        assert!(said.err.contains(part), "{part}: {}", said.err);
    };
    let space = Space::repository();
    workflow(&space, &[("a", &[], "false", ""), ("b", &[], "true", "")]);
    check(&space, &["execute", "--resume"], "there is no execution to resume");
    space.meow(&["execute", "--only", "a"]);
    check(&space, &["execute", "--resume"], "there is no execution to resume");
    check(&space, &["execute", "--resume", "ffffffff"], "no execution has an id");
    check(&space, &["execute", "--resume", "--only", "a"], "cannot be used with");
    let outside = Space::empty();
    workflow(&outside, &[("a", &[], "false", "")]);
    check(&outside, &["execute", "--resume"], "nothing is remembered");

    workflow(&space, &[("a", &[], "touch seen; sleep 60", "")]);
    let mut child = start(&space, &["execute", "ci"]);
    wait_for("the step", || space.has("seen"));
    check(&space, &["execute", "--resume"], "still runs");
    std::process::Command::new("kill").args(["-s", "TERM", &child.id().to_string()]).status().expect("kill");
    child.wait().expect("its end");
}

#[test]
fn a_clock_that_was_set_back_does_not_hide_what_ran_after_that() {
    let space = Space::repository();
    workflow(&space, &[("a", &[], "exit 1", "")]);
    let at = |moment: &str, args: &[&str]| {
        let mut command = space.command(&space.root(), env!("CARGO_BIN_EXE_meow"));
        Said::from(command.env("MEOW_CLOCK", moment).args(args).output().expect("meow starts"))
    };
    at("2025-11-23T12:00:00Z#101", &["execute", "ci"]);
    at("2025-11-23T11:00:00Z#102", &["execute", "ci"]);
    let log: serde_json::Value = serde_json::from_str(&space.meow_ok(&["log", "--json"])).expect("JSON");
    let mut second = log["executions"].as_array().expect("two").iter();
    let second = second.find(|one| one["started_at"] == "2025-11-23T11:00:00Z").expect("the second one");
    let short = &second["id"].as_str().expect("an id")[..8];
    let said = at("2025-11-23T11:10:00Z#103", &["execute", "--resume"]);
    assert!(said.err.contains(&format!("resuming {short}")), "{}", said.err);
}

#[test]
fn two_who_resume_at_the_same_moment_run_nothing_twice() {
    let space = Space::repository();
    workflow(&space, &[("a", &[], "true", ""), ("b", &["a"], "test -e fixed && sleep 0.5", "")]);
    assert_eq!(space.meow(&["execute", "ci"]).code, 1);
    assert_eq!(ran(&space), "a 1, b 1");
    space.write("fixed", "");
    let two = [start(&space, &["execute", "--resume"]), start(&space, &["execute", "--resume"])];
    let said = two.map(|child| child.wait_with_output().expect("its end"));
    let mut codes = said.each_ref().map(|said| said.status.code());
    codes.sort_unstable();
    assert_eq!((codes, ran(&space).as_str()), ([Some(0), Some(2)], "b 2"), "{said:?}");
}
