//! `meow record`: exit codes pass through, and what ran or was measured is in the spool.

use meow::record::{Outcome, Record};
use meow::store::spool::Spool;

use crate::space::Space;

fn spooled(space: &Space) -> Vec<Record> {
    Spool::new(&space.root().join(".git/meow")).records().expect("the spool").0
}

#[test]
fn record_passes_the_exit_code_through_and_remembers() {
    let space = Space::repository();
    for (script, code) in [("exit 0", 0), ("exit 7", 7), ("kill -9 $$", 137), ("kill -TERM $$", 143)] {
        let said = space.meow(&["record", "--metric", "tokens=3.5", "--", "sh", "-c", script]);
        assert_eq!(said.code, code, "{script}: {}", said.err);
        assert_eq!(said.err, "", "{script}");
    }
    let mut records = spooled(&space);
    records.sort_by_key(|record| record.execution.started_at);
    let ends: Vec<_> = records.iter().map(|r| (r.attempt.exit_code, r.attempt.signal, r.attempt.outcome)).collect();
    assert_eq!(
        ends,
        [
            (Some(0), None, Outcome::Passed),
            (Some(7), None, Outcome::Failed),
            (None, Some(9), Outcome::Failed),
            (None, Some(15), Outcome::Failed)
        ]
    );
    let first = &records[0];
    assert_eq!((first.execution.workflow.as_str(), first.attempt.step.as_str()), ("record", "sh"));
    assert_eq!(first.execution.source.dirty, Some(false));
    assert!(first.execution.machine.as_ref().is_some_and(|machine| machine.contains("c-")), "{first:?}");
    assert_eq!(first.execution.source.branch.as_deref(), Some("main"));
    assert_eq!(first.attempt.metrics.get("tokens"), Some(&3.5));
    assert!(first.attempt.duration_ms.is_some_and(|duration| duration > 0.0 && duration < 60_000.0));
}

#[test]
fn record_leaves_the_terminal_to_the_command() {
    let space = Space::repository();
    let said = space.meow(&["record", "--", "sh", "-c", "echo out; echo err >&2"]);
    assert_eq!((said.code, said.out.as_str(), said.err.as_str()), (0, "out\n", "err\n"));
}

#[test]
fn record_without_a_repository_or_a_program_runs_and_says_so() {
    let space = Space::empty();
    let said = space.meow(&["record", "--", "sh", "-c", "exit 3"]);
    assert_eq!(said.code, 3);
    assert!(said.err.contains("nothing is remembered") && said.err.contains("git init"), "{}", said.err);
    let said = space.meow(&["record", "--", "no-such-program"]);
    assert_eq!(said.code, 127, "{}", said.err);
    let said = space.meow(&["record", "--name", "x", "--duration", "12s", "--outcome", "passed"]);
    assert_eq!(said.code, 2, "{}", said.err);
    assert!(said.err.contains("hint"), "{}", said.err);
}

#[test]
fn record_trouble_never_changes_the_exit_code() {
    let space = Space::repository();
    space.write(".git/meow", "a file where the folder should be");
    let said = space.meow(&["record", "--", "sh", "-c", "exit 5"]);
    assert_eq!(said.code, 5);
    assert_eq!(said.err.lines().filter(|line| line.contains("nothing is remembered")).count(), 1, "{}", said.err);
}

#[test]
fn record_keeps_what_something_else_measured() {
    let space = Space::repository();
    let line = ["record", "--workflow", "site", "--name", "deploy", "--duration", "1m12s", "--outcome", "failed"];
    space.meow_ok(&[line.as_slice(), &["--metric", "bytes=4096", "--metric", "cost=0.25"]].concat());
    let records = spooled(&space);
    let [record] = records.as_slice() else { panic!("{records:?}") };
    assert_eq!((record.execution.workflow.as_str(), record.attempt.step.as_str()), ("site", "deploy"));
    assert_eq!((record.attempt.duration_ms, record.attempt.outcome), (Some(72_000.0), Outcome::Failed));
    assert_eq!((record.attempt.metrics["bytes"], record.attempt.metrics["cost"]), (4096.0, 0.25));
    for wrong in [&["--metric", "x"][..], &["--metric", "x=nan"], &["--duration", "soon"], &["--", "true"]] {
        assert_eq!(space.meow(&[line.as_slice(), wrong].concat()).code, 2, "{wrong:?}");
    }
    let soon = ["record", "--name", "x", "--outcome", "passed", "--duration", "soon"];
    assert!(space.meow(&soon).err.contains("a time such as 12s, 1m30s or 250ms is expected"));
    assert_eq!(space.meow(&["record"]).code, 2);
}

#[test]
fn record_takes_no_empty_name() {
    let space = Space::repository();
    for args in [&["--name", ""] as &[&str], &["--name", "deploy", "--workflow", ""]] {
        let said = space.meow(&[&["record", "--outcome", "passed"], args].concat());
        assert!(said.code == 2 && said.err.contains("a value is required"), "{said:?}");
    }
    assert_eq!(spooled(&space), []);
}

#[test]
fn record_takes_names_that_no_file_can_have() {
    let space = Space::repository();
    let (long, other) = ("w".repeat(300), "w".repeat(301));
    let katakana = "\u{30c6}\u{30b9}\u{30c8}".repeat(30);
    for workflow in [&long, &other, &katakana, "zzz"] {
        space.meow_ok(&["record", "--workflow", workflow, "--name", "x", "--outcome", "passed", "--duration", "3s"]);
    }
    space.meow_ok(&["commit"]);
    let patterns = || {
        let files = std::fs::read_dir(space.root().join(".meow/patterns")).expect("patterns");
        files.map(|file| file.expect("a file").file_name().into_string().expect("plain")).collect::<Vec<_>>()
    };
    for turn in 1..=2 {
        space.meow_ok(&["learn"]);
        assert_eq!(patterns().len(), 4, "turn {turn}: each has its own: {:?}", patterns());
    }
    // One that a person keeps beside them stays, and what is known no more goes.
    space.write(".meow/patterns/kept~.toml", "x = 1\n");
    let page: serde_json::Value = serde_json::from_str(&space.meow_ok(&["log", "--json"])).expect("JSON");
    let executions = page["executions"].as_array().expect("executions");
    let id = executions.iter().find(|one| one["workflow"] == other).expect("recorded")["id"].as_str().expect("an id");
    space.meow_ok(&["purge", id]);
    space.meow_ok(&["learn"]);
    assert_eq!(patterns().len(), 4, "{:?}", patterns());
    assert!(space.has(".meow/patterns/kept~.toml") && space.has(".meow/patterns/zzz.toml"));
}
