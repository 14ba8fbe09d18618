//! What `meow execute` remembers, what it makes of it the next time, and what happens where it cannot.

use std::process::Stdio;
use std::time::{Duration, Instant};

use meow::record::{Outcome, Record};
use meow::store::spool::Spool;

use crate::space::Space;

const CI: &str = r#"
formula = "ci"
version = 1

[vars]
profile = { default = "dev", record = true }
token = { default = "hunter2" }

[[steps]]
id = "build"
run = "sleep 0.02 # {{token}}"

[[steps]]
id = "test"
needs = ["build"]
run = "sleep 0.03; test ! -e broken || exit 7"
"#;

fn records(space: &Space) -> Vec<Record> {
    let (records, troubles) = Spool::new(&space.root().join(".git/meow")).records().expect("the spool");
    assert!(troubles.is_empty(), "{troubles:?}");
    records
}

#[test]
fn every_attempt_is_remembered_with_its_sources() {
    let space = Space::repository();
    space.write(".meow/workflows/ci.toml", CI);
    space.write("broken", "");
    assert_eq!(space.meow(&["execute", "--var", "profile=release", "-j", "3"]).code, 1);
    let records = records(&space);
    let told: Vec<_> = records.iter().map(|record| (record.attempt.step.as_str(), record.attempt.outcome)).collect();
    assert_eq!(told, [("build", Outcome::Passed), ("test", Outcome::Failed)]);
    let execution = &records[0].execution;
    assert_eq!((execution.workflow.as_str(), execution.outcome, execution.slots), ("ci", Outcome::Failed, Some(3)));
    assert_eq!(execution.trigger, "person");
    assert!(execution.duration_ms.is_some_and(|ms| ms >= 50.0));
    assert_eq!(execution.variables.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>(), ["profile=release"]);
    let head = space.git(&["rev-parse", "HEAD"]);
    assert!(execution.source.commit.is_some_and(|commit| head.starts_with(&commit.to_string())));
    assert_eq!((execution.source.dirty, execution.source.branch.as_deref()), (Some(true), Some("main")));
    let test = &records[1].attempt;
    assert_eq!((test.exit_code, test.needs.as_slice()), (Some(7), ["build".to_owned()].as_slice()));
    assert!(test.ready_ms.is_some_and(|ready| ready >= 20) && test.slot.is_some() && test.command.is_some());
    let spool = std::fs::read_dir(space.root().join(".git/meow/spool/main")).expect("the spool");
    for journal in spool {
        let lines = std::fs::read_to_string(journal.expect("a file").path()).expect("text");
        assert!(lines.contains("build") && !lines.contains("hunter2"), "commands and unrecorded variables stay out");
    }
}

#[test]
fn the_next_execution_is_predicted_from_the_last_ones() {
    let space = Space::repository();
    space.write(".meow/workflows/ci.toml", CI);
    for _ in 0..5 {
        space.meow_ok(&["execute"]);
    }
    let plan: serde_json::Value =
        serde_json::from_str(&space.meow_ok(&["execute", "--dry-run", "--json"])).expect("JSON");
    let predicted = &plan["predicted"];
    assert_eq!((&predicted["steps_known"], &predicted["duration_ms"]["n"]), (&2.into(), &5.into()));
    let p50 = predicted["duration_ms"]["p50"].as_f64().expect("a median");
    assert!((50.0..2_000.0).contains(&p50), "{p50} ms");
    assert!(predicted["odds"]["mean"].as_f64().is_some_and(|odds| odds > 0.5 && odds < 1.0));
    let said = space.meow(&["execute"]);
    assert!(
        said.err.contains("; predicted ") && said.err.contains("(p50–p90, n = 5); odds of passing "),
        "{}",
        said.err
    );
    assert!(said.out.contains(" the predicted ") && said.out.contains("(n = 5)"), "{}", said.out);
    assert!(
        said.err.lines().any(|line| line.starts_with("pass  build") && line.contains("(predicted ")),
        "{}",
        said.err
    );
    let last = records(&space);
    let predicted = last.iter().filter(|record| record.attempt.predicted.is_some()).count();
    assert!(predicted >= 2, "what was predicted is recorded with the attempt");
}

#[test]
fn what_cannot_be_remembered_changes_nothing_but_a_warning() {
    let space = Space::repository();
    space.write(".meow/workflows/ci.toml", CI);
    // A file where the folder would be: it stops the superuser too.
    space.write(".git/meow", "in the way");
    let said = space.meow(&["execute"]);
    assert_eq!(said.code, 0, "{}", said.err);
    assert!(said.out.contains("ci passed in "), "{}", said.out);
    assert_eq!(said.err.matches("warning").count(), 1, "{}", said.err);
    assert!(said.err.contains("will not be remembered"), "{}", said.err);
    space.write("broken", "");
    assert_eq!(space.meow(&["execute", "--exit-code"]).code, 7);
    assert_eq!(space.read(".git/meow"), "in the way");
}

#[test]
fn what_had_ended_survives_the_death_of_meow() {
    let space = Space::repository();
    let text = CI.replace("sleep 0.03", "touch seen; sleep 60");
    space.write(".meow/workflows/ci.toml", &text);
    let mut command = space.command(&space.root(), env!("CARGO_BIN_EXE_meow"));
    let mut meow = command.arg("execute").stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("meow starts");
    let began = Instant::now();
    while !space.has("seen") {
        assert!(began.elapsed() < Duration::from_secs(20), "the step did not start");
        std::thread::sleep(Duration::from_millis(10));
    }
    meow.kill().expect("killed");
    meow.wait().expect("gone");
    let records = records(&space);
    let told: Vec<_> = records.iter().map(|record| (record.attempt.step.as_str(), record.attempt.outcome)).collect();
    assert_eq!(told, [("build", Outcome::Passed), ("test", Outcome::Cancelled)]);
    assert_eq!(records[0].execution.duration_ms, None);
}
