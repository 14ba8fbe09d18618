//! The commands that only read: log, status, analyze and report, over journals that wait in the spool.

use std::sync::Arc;

use meow::record::{Digest, Execution, Outcome, Record, Source};
use meow::scan::History;
use meow::store::spool::Spool;

use crate::null::{self, Draw, Made, Shape};
use crate::space::Space;

/// Returns the records of `executions` executions of two steps on one commit, the newest an hour before the tests' time.
fn records(executions: usize, seed: u64, hours_ago: i64, commit: &str, slower: f64) -> Vec<Record> {
    let shape = Shape {
        steps: vec![Made::new("build", &[], 30_000.0), Made::new("test", &[0], 12_000.0 * slower)],
        executions,
        sigma: 0.05,
        machines: vec![("linux-x86_64-2c-16g", 1.0)],
        slots: 2,
        repeats: (0.0, 0.0),
        every_minutes: 10.0,
    };
    let mut records = null::history(&shape, &mut Draw::new(seed));
    let last = records.iter().map(|record| record.execution.started_at).max().expect("records");
    let until = jiff::Timestamp::from_second(1_763_806_500 - 3_600 * hours_ago).expect("in range");
    let moved = until.duration_since(last);
    let bytes: Vec<u8> =
        (0..commit.len()).step_by(2).map(|at| u8::from_str_radix(&commit[at..at + 2], 16).expect("hex")).collect();
    for record in &mut records {
        let source = Source { commit: Digest::truncated(&bytes), tree: None, dirty: Some(false), ..Source::default() };
        let started_at = record.execution.started_at + moved;
        record.execution = Arc::new(Execution { started_at, source, ..(*record.execution).clone() });
    }
    records
}

/// Writes the records into the repository's spool, as executions that ended there.
fn spool(space: &Space, records: &[Record]) {
    let spool = Spool::new(&space.root().join(".git/meow"));
    for attempts in records.chunk_by(|one, next| one.execution.id == next.execution.id) {
        let execution = &attempts[0].execution;
        let journal = spool.create("main", execution).expect("a journal");
        for record in attempts {
            journal.append(&record.attempt).expect("appended");
        }
        journal.close(execution).expect("closed");
    }
}

/// Returns a repository with 20 executions on `main` and 8 slower ones on the branch `work`, which is checked out.
fn branched() -> Space {
    let space = Space::repository();
    spool(&space, &records(20, 1, 24, &space.git(&["rev-parse", "HEAD"]), 1.0));
    space.git(&["switch", "--quiet", "--create", "work"]);
    space.write("slow", "sleep\n");
    space.git(&["add", "."]);
    space.git(&["commit", "--quiet", "--message=slower"]);
    spool(&space, &records(8, 2, 1, &space.git(&["rev-parse", "HEAD"]), 1.5));
    space
}

#[test]
fn a_branch_is_reported_against_its_base() {
    let space = branched();
    let page = space.meow_ok(&["report", "--base", "main"]);
    assert!(page.starts_with("<!-- meow:report -->\n### meow: this branch against main\n"), "{page}");
    assert!(page.contains("`test` is **slower**"), "{page}");
    assert_eq!(page.matches("**slower**").count(), page.matches("`test`").count() + 2, "{page}");
    assert!(page.contains("8 executions against 20."), "{page}");
    assert_eq!(page, space.meow_ok(&["report"]), "the default branch is the base");
    let json: serde_json::Value = serde_json::from_str(&space.meow_ok(&["report", "--json"])).expect("JSON");
    assert_eq!(json["schema_version"], 1);
    assert_eq!(json["head_executions"], 8);
    let wrong = space.meow(&["report", "--base", "nowhere"]);
    assert_ne!(wrong.code, 0);
    assert!(wrong.err.contains("nowhere"), "{}", wrong.err);
}

#[test]
fn without_a_branch_this_week_stands_against_last() {
    let space = branched();
    space.git(&["switch", "--quiet", "main"]);
    let page = space.meow_ok(&["report", "--format", "text"]);
    assert!(page.starts_with("meow: this week against last week\n"), "{page}");
    space.write("new", "nothing was executed on this\n");
    assert_eq!(page, space.meow_ok(&["report", "--format", "text"]));
}

#[test]
fn executions_are_listed_and_shown() {
    let space = branched();
    let log = space.meow_ok(&["log", "-n", "3"]);
    assert_eq!(log.lines().filter(|line| line.contains("passed")).count(), 3, "{log}");
    assert!(log.contains("25 older executions not shown."), "{log}");
    let json: serde_json::Value = serde_json::from_str(&space.meow_ok(&["log", "--json"])).expect("JSON");
    let newest = json["executions"][0]["id"].as_str().expect("an id");
    let single = space.meow_ok(&["status", &newest[..10]]);
    assert!(single.contains(newest) && single.contains("build") && single.contains("test"), "{single}");
    let status = space.meow_ok(&["status"]);
    assert!(status.contains("28 executions wait to be committed."), "{status}");
    space.meow_ok(&["commit"]);
    assert!(space.meow_ok(&["status"]).contains("No execution waits to be committed."));
    assert!(space.meow_ok(&["log"]).contains("8 older executions not shown."));
    for (args, code) in [(["status", "zzz"], 2), (["status", ""], 2), (["log", "-n0"], 0)] {
        assert_eq!(space.meow(&args).code, code, "{args:?}");
    }
}

#[test]
fn a_running_execution_and_a_dead_one_are_told_apart() {
    let space = Space::repository();
    let records = records(2, 3, 1, &space.git(&["rev-parse", "HEAD"]), 1.0);
    let spool = Spool::new(&space.root().join(".git/meow"));
    let other = records.iter().find(|record| record.execution.id != records[0].execution.id).expect("two executions");
    let running = spool.create("main", &records[0].execution).expect("a journal");
    running.append(&records[0].attempt).expect("appended");
    drop(spool.create("main", &other.execution).expect("a journal"));
    let json: serde_json::Value = serde_json::from_str(&space.meow_ok(&["status", "--json"])).expect("JSON");
    assert_eq!(json["running"][0]["id"], records[0].execution.id.to_string());
    assert_eq!(json["running"][0]["attempts"], 1);
    assert_eq!(json["interrupted"][0]["id"], other.execution.id.to_string());
    drop(running);
}

#[test]
fn patterns_are_shown_since_a_day() {
    let space = branched();
    let all = space.meow_ok(&["analyze", "--workflow", "ci"]);
    assert!(all.contains("28 executions") && all.contains("build"), "{all}");
    let late = space.meow_ok(&["analyze", "--since", "20h"]);
    assert!(late.contains("8 executions"), "{late}");
    assert_eq!(space.meow(&["analyze", "--workflow", "nothing"]).code, 2);
    assert_eq!(space.meow(&["analyze", "--since", "soon"]).code, 2);
}

#[test]
fn a_history_is_cut_by_whole_executions() {
    let records = records(6, 4, 1, &"ab".repeat(20), 1.0);
    let whole = History::from_records("project", &records);
    let start = whole.executions.started_ms[2];
    let kept: Vec<Record> =
        records.into_iter().filter(|record| record.execution.started_at.as_millisecond() >= start).collect();
    let (cut, expected) = (whole.since(start), History::from_records("project", &kept));
    assert_eq!(cut.executions.id, expected.executions.id);
    assert_eq!(cut.attempts.execution, expected.attempts.execution);
    assert_eq!(cut.attempts.duration_ms, expected.attempts.duration_ms);
    assert!(cut.executions.outcome.iter().all(|outcome| *outcome == Outcome::Passed));
}
