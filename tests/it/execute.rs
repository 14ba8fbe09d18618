//! `meow execute`: order, slots, limits, retries, signals, selection and what it prints.

use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::golden::golden;
use crate::space::{Said, Space};

/// Writes a workflow of steps, each a line `id | needs | command | further keys`.
fn workflow(space: &Space, name: &str, steps: &[(&str, &[&str], &str, &str)]) {
    let mut text = format!("formula = \"{name}\"\nversion = 1\n");
    for (id, needs, command, keys) in steps {
        let run = if command.is_empty() { String::new() } else { format!("run = '''{command}'''\n") };
        text.push_str(&format!("\n[[steps]]\nid = \"{id}\"\nneeds = {needs:?}\n{run}{keys}\n"));
    }
    space.write(&format!(".meow/workflows/{name}.toml"), &text);
}

fn start(space: &Space, args: &[&str]) -> Child {
    let mut command = space.command(&space.root(), env!("CARGO_BIN_EXE_meow"));
    command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("meow starts")
}

pub fn signal(child: &Child, name: &str) {
    let status = std::process::Command::new("kill").args(["-s", name, &child.id().to_string()]).status();
    assert!(status.expect("kill").success());
}

pub fn wait_for(what: &str, holds: impl Fn() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < Duration::from_secs(20), "{what} did not happen");
        std::thread::sleep(Duration::from_millis(10));
    }
}

pub fn alive(pid: &str) -> bool {
    let stat = std::fs::read_to_string(Path::new("/proc").join(pid.trim()).join("stat")).unwrap_or_default();
    !stat.is_empty() && !stat.contains(") Z ")
}

fn events(said: &Said) -> Vec<serde_json::Value> {
    said.out.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
}

/// Returns the steps in the order in which attempts started.
fn started(said: &Said) -> Vec<String> {
    let events = events(said);
    let starts = events.iter().filter(|event| event["event"] == "attempt-started");
    starts.map(|event| event["step"].as_str().expect("a step").to_owned()).collect()
}

#[test]
fn steps_run_in_parallel_and_the_summary_names_the_path() {
    let space = Space::repository();
    // Each waits until the other has started: neither ends unless both run at once.
    let meet = |own: &str, other: &str| format!("touch {own}; until test -e {other}; do sleep 0.01; done");
    let steps = [
        ("a", &[][..], &*meet("a.seen", "b.seen"), "timeout = \"10s\""),
        ("b", &[], &meet("b.seen", "a.seen"), "timeout = \"10s\""),
        ("c", &["a", "b"], "sleep 0.1", ""),
    ];
    workflow(&space, "ci", &steps);
    let said = space.meow(&["execute", "ci", "-j", "2"]);
    assert_eq!(said.code, 0, "{}{}", said.out, said.err);
    assert!(said.out.contains("ci passed in ") && said.out.contains(": 3 passed\n"), "{}", said.out);
    assert!(said.out.contains("critical path: ") && said.out.contains(" → c\n"), "{}", said.out);
    assert!(said.err.starts_with("ci: 3 steps, 2 slots; no history to predict from yet\n"), "{}", said.err);
    assert_eq!(said.err.lines().filter(|line| line.starts_with("pass  ")).count(), 3, "{}", said.err);
}

#[test]
fn a_time_limit_takes_the_grandchildren_along() {
    let space = Space::repository();
    let steps = [("slow", &[][..], "(sleep 60 & echo $! >pid; wait) & sleep 61 & wait", "timeout = \"300ms\"")];
    workflow(&space, "ci", &steps);
    let began = Instant::now();
    let said = space.meow(&["execute"]);
    assert_eq!(said.code, 1);
    assert!(said.out.contains("slow was stopped at its time limit of 300 ms"), "{}", said.out);
    assert!(began.elapsed() < Duration::from_secs(30));
    let pid = space.read("pid");
    wait_for("the grandchild's end", || !alive(&pid));
}

#[test]
fn what_a_step_leaves_behind_in_its_group_ends_with_it() {
    let space = Space::repository();
    workflow(&space, "ci", &[("leaver", &[], "sleep 60 & echo $! >pid", "")]);
    space.meow_ok(&["execute"]);
    let pid = space.read("pid");
    wait_for("the end of what was left behind", || !alive(&pid));
}

#[test]
fn the_first_signal_is_gentle_and_the_second_is_not() {
    let space = Space::repository();
    let steps = [
        ("kind", &[][..], "trap 'echo tidied >tidied; exit 9' TERM; touch kind.seen; while :; do sleep 0.02; done", ""),
        ("after", &["kind"], "touch after.seen", ""),
    ];
    workflow(&space, "kind", &steps);
    let stubborn = "trap '' TERM; touch stubborn.seen; while :; do sleep 0.02; done";
    workflow(&space, "stubborn", &[("stubborn", &[], stubborn, "")]);

    let child = start(&space, &["execute", "kind"]);
    wait_for("the step", || space.has("kind.seen"));
    signal(&child, "INT");
    let said = Said::from(child.wait_with_output().expect("its end"));
    assert_eq!((said.code, space.has("tidied"), space.has("after.seen")), (1, true, false), "{}", said.err);
    assert!(said.out.contains("kind was cancelled in ") && said.out.contains("1 cancelled, 1 skipped"), "{}", said.out);

    let child = start(&space, &["execute", "stubborn"]);
    wait_for("the step", || space.has("stubborn.seen"));
    let began = Instant::now();
    signal(&child, "TERM");
    std::thread::sleep(Duration::from_millis(100));
    signal(&child, "TERM");
    let said = Said::from(child.wait_with_output().expect("its end"));
    assert_eq!(said.code, 1);
    assert!(began.elapsed() < Duration::from_secs(4), "the grace of five seconds was waited for");
    assert!(said.out.contains("1 cancelled"), "{}", said.out);
}

#[test]
fn programs_behind_a_shell_get_their_grace_too() {
    let space = Space::repository();
    let child = "(trap 'sleep 0.3; touch tidied; exit' TERM; touch seen; while :; do sleep 0.02; done) & wait";
    workflow(&space, "ci", &[("shell", &[], child, "timeout = \"500ms\"")]);
    let began = Instant::now();
    let said = space.meow(&["execute"]);
    assert!(said.code == 1 && space.has("seen") && space.has("tidied"), "{}", said.out);
    assert!(began.elapsed() < Duration::from_secs(4), "not longer than it takes");
}

#[test]
fn a_covered_failure_is_tried_again() {
    let space = Space::repository();
    let flaky = "test $MEOW_ATTEMPT = 3 || exit 75";
    let retry = "retry = { attempts = 3, backoff = \"20ms\", on = [\"exit:75\"] }";
    workflow(&space, "ci", &[("flaky", &[], flaky, retry)]);
    let said = space.meow(&["execute", "--events", "jsonl"]);
    assert_eq!(said.code, 0, "{}", said.err);
    assert_eq!(started(&said), ["flaky", "flaky", "flaky"]);
    assert_eq!(events(&said).iter().filter(|event| event["event"] == "retry-scheduled").count(), 2);
    assert!(said.err.contains("attempt 3"), "{}", said.err);
    workflow(&space, "ci", &[("flaky", &[], "exit 74", retry)]);
    assert_eq!(started(&space.meow(&["execute", "--events", "jsonl"])), ["flaky"], "only what the policy covers");
}

#[test]
fn failures_end_the_execution_unless_told_to_go_on() {
    let space = Space::repository();
    let steps = [
        ("bad", &[][..], r#"printf "a\033[31mred\007\n"; exit 7"#, ""),
        ("on-bad", &["bad"], "true", ""),
        ("other", &[], "sleep 0.2", ""),
        ("on-other", &["other"], "true", ""),
    ];
    workflow(&space, "ci", &steps);
    let said = space.meow(&["execute", "-j2"]);
    assert_eq!(said.code, 1);
    assert!(said.out.contains("bad failed with exit code 7\n  | ared\\u{7}\n"), "{}", said.out);
    assert!(said.out.contains(": 1 passed, 1 failed, 2 skipped"), "{}", said.out);
    assert!(said.err.contains("skip  on-bad  needs `bad`, which failed"), "{}", said.err);
    assert!(said.err.contains("skip  on-other  an earlier step failed"), "{}", said.err);
    let said = space.meow(&["execute", "-j2", "--keep-going", "--exit-code"]);
    assert_eq!(said.code, 7);
    assert!(said.out.contains(": 2 passed, 1 failed, 1 skipped"), "{}", said.out);
}

#[test]
fn a_part_of_the_steps() {
    let space = Space::repository();
    let steps =
        [("a", &[][..], "true", ""), ("b", &["a"], "true", ""), ("c", &["b"], "true", ""), ("d", &["a"], "true", "")];
    workflow(&space, "ci", &steps);
    let check = |args: &[&str], expected: &[&str]| {
        let said = space.meow(&[&["execute", "ci", "-j1", "--events", "jsonl"], args].concat());
        assert_eq!(
            (said.code, started(&said).as_slice()),
            (0, expected.iter().map(ToString::to_string).collect::<Vec<_>>().as_slice())
        );
    };
    check(&["--only", "c", "a"], &["a", "c"]);
    check(&["--from", "b"], &["b", "c"]);
    let said = space.meow(&["execute", "--only", "nothing"]);
    assert_eq!(said.code, 2);
    assert!(said.err.contains("no step `nothing`") && said.err.contains("a, b, c, d"), "{}", said.err);
}

#[test]
fn events_tell_what_an_attempt_used() {
    let space = Space::repository();
    let command = "test $GREETING-$MEOW_STEP = hello-io && head -c 3000000 /dev/zero >big && (cat big >copy)";
    let memory = "head -c 80000000 /dev/zero | tail -c 80000000 | wc -c";
    workflow(&space, "ci", &[("io", &[], command, "env = { GREETING = \"hello\" }"), ("memory", &["io"], memory, "")]);
    let said = space.meow(&["execute", "--events", "jsonl"]);
    let events = events(&said);
    assert_eq!(events[0]["schema_version"], 1);
    let io = events.iter().find(|event| event["event"] == "attempt-finished").expect("an end");
    assert_eq!(io["ending"]["code"], 0);
    if cfg!(target_os = "linux") {
        let written = io["usage"]["written_bytes"].as_u64().expect("exact IO");
        assert!((6_000_000..6_100_000).contains(&written), "grandchildren count: {written}");
        assert!(io["usage"]["peak_memory_bytes"].is_null(), "smaller than meow, so nobody knows: {io}");
        let large = events.iter().rev().find(|event| event["event"] == "attempt-finished").expect("an end");
        let peak = large["usage"]["peak_memory_bytes"].as_u64().unwrap_or_else(|| panic!("larger than meow: {large}"));
        assert!((80_000_000..120_000_000).contains(&peak), "{peak}");
    }
    assert_eq!(events.last().expect("the end")["outcome"], "passed");
}

#[test]
fn a_large_parent_hides_no_peak() {
    if !cfg!(target_os = "linux") {
        return;
    }
    let space = Space::repository();
    workflow(&space, "ci", &[("memory", &[], "head -c 80000000 /dev/zero | tail -c 80000000 | wc -c", "")]);
    // This shell holds 300 MB when it becomes meow.
    let large = format!(
        "x=$(head -c 150000000 /dev/zero | tr '\\0' a); exec {} execute --events jsonl",
        env!("CARGO_BIN_EXE_meow")
    );
    let said = space.run_in(&space.root(), "sh", &["-c", &large]);
    let events = events(&said);
    let end = events.iter().find(|event| event["event"] == "attempt-finished").expect("an end");
    let peak = end["usage"]["peak_memory_bytes"].as_u64().unwrap_or_else(|| panic!("no peak: {end}"));
    assert!((80_000_000..120_000_000).contains(&peak), "{peak}");
}

#[test]
fn what_passed_is_taken_back_when_asked() {
    let space = Space::repository();
    workflow(
        &space,
        "ci",
        &[
            ("one", &[], "true", "undo = \"echo one >> undone\""),
            ("two", &["one"], "true", "undo = \"echo $MEOW_STEP $MEOW_ATTEMPT >> undone; exit 3\""),
            ("three", &["two"], "exit 4", "undo = \"echo three >> undone\""),
        ],
    );
    assert_eq!((space.meow(&["execute"]).code, space.has("undone")), (1, false), "only when asked");
    let said = space.meow(&["execute", "--undo", "--exit-code"]);
    assert_eq!(said.code, 4, "the failure stays the failure: {said:?}");
    assert_eq!(space.read("undone"), "two undo\none\n", "the last one first, and all of them");
    assert!(said.err.contains("undo  two") && said.err.contains("failed with exit code 3"), "{}", said.err);
    std::fs::remove_file(space.root().join("undone")).expect("removed");
    let text = space.read(".meow/workflows/ci.toml");
    space.write(".meow/workflows/ci.toml", &text.replace("version = 1", "undo = true"));
    assert_eq!(space.meow(&["execute", "--exit-code"]).code, 4);
    assert_eq!(space.read("undone"), "two undo\none\n", "the workflow asked");
    space.write(".meow/workflows/child.toml", "formula = \"child\"\nextends = \"ci\"\nundo = false\n");
    std::fs::remove_file(space.root().join("undone")).expect("removed");
    assert_eq!((space.meow(&["execute", "child"]).code, space.has("undone")), (1, false), "the child's word counts");
}

#[test]
fn what_takes_back_is_held_to_a_time_limit() {
    let space = Space::repository();
    let undo = "undo = \"sleep 60\"\ntimeout = \"300ms\"";
    workflow(&space, "ci", &[("one", &[], "true", undo), ("two", &["one"], "exit 4", "")]);
    let said = space.meow(&["execute", "--undo"]);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.err.contains("undo  one") && said.err.contains("time limit of 300 ms"), "{}", said.err);
}

/// Runs one step of a workflow with what recognises failures, as a program of its own would.
#[test]
fn a_panic_beside_a_step_is_an_end_and_nothing_hangs() {
    use meow::execute::{BUG, Ending, Event, ExecutionOutcome, Listeners, Options, Stop, execute};
    let folder = tempfile::tempdir().expect("a folder");
    let text = "formula = \"ci\"\n[[steps]]\nid = \"a\"\nrun = \"false\"\n[[steps]]\nid = \"b\"\nrun = \"sleep 0.2\"\n";
    let source = meow::workflow::Source {
        file: "ci.toml".into(),
        dialect: meow::workflow::Dialect::Own,
        bytes: text.as_bytes().to_vec(),
    };
    let workflow =
        meow::workflow::load(&source, &std::collections::BTreeMap::new(), &mut |_, _| panic!("extends nothing"));
    let limits = meow::plan::Limits { slots: 2, ..meow::plan::Limits::default() };
    let plan =
        meow::plan::plan(&workflow.expect("a workflow"), &meow::plan::Hints::default(), &limits).expect("a plan");
    let options = Options {
        execution: "e".to_owned(),
        directory: folder.path().to_path_buf(),
        environment: std::env::vars_os().collect(),
        logs: folder.path().join("logs"),
        keep_going: true,
        undo: false,
        grace: Duration::from_secs(1),
        sandbox: None,
        groups: None,
        sandbox_floor: meow::workflow::Sandbox::Off,
        shared: None,
        inputs: None,
        recognise: Some(std::sync::Arc::new(|_, _, _| panic!("on purpose"))),
        ask: None,
    };
    let mut endings = Vec::new();
    let clock = meow::clock::Clock::system();
    let mut show = |events: &[Event]| {
        endings.extend(events.iter().filter_map(|event| match event {
            Event::AttemptFinished { step, ending, .. } => Some((step.to_string(), ending.clone())),
            _ => None,
        }));
    };
    let listeners = Listeners { keep: &mut |_| (), show: &mut show };
    let outcome = execute(&plan, &options, &clock, &Stop::default(), listeners);
    endings.sort_by(|one, other| one.0.cmp(&other.0));
    let bug = Ending::NotStarted { reason: BUG.to_owned() };
    assert_eq!(endings, [("a".to_owned(), bug), ("b".to_owned(), Ending::Exited { code: 0 })]);
    assert_eq!(outcome, ExecutionOutcome::Failed);
}

#[test]
fn manual_steps_are_skipped_or_asked_about() {
    let space = Space::repository();
    workflow(&space, "ci", &[("sign", &[], "", "title = \"Sign it\""), ("ship", &["sign"], "touch shipped", "")]);
    let said = space.meow(&["execute"]);
    assert_eq!((said.code, space.has("shipped")), (0, true));
    assert!(said.err.contains("skip  sign  manual: it has no command"), "{}", said.err);
    std::fs::remove_file(space.root().join("shipped")).expect("removed");
    let answer = |line: &str| {
        let mut command = space.command(&space.root(), env!("CARGO_BIN_EXE_meow"));
        command.args(["execute", "--manual"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("meow starts");
        std::io::Write::write_all(&mut child.stdin.take().expect("stdin"), line.as_bytes()).expect("answered");
        Said::from(child.wait_with_output().expect("its end"))
    };
    let said = answer("no\n");
    assert_eq!((said.code, space.has("shipped")), (1, false), "{}", said.err);
    assert!(said.err.contains("Sign it") && said.err.contains("[y/n]"), "{}", said.err);
    let said = answer("perhaps\ny\n");
    assert_eq!((said.code, space.has("shipped")), (0, true), "{}", said.err);
}

#[test]
fn outside_a_repository_it_runs_and_says_what_is_missing() {
    let space = Space::empty();
    workflow(&space, "ci", &[("a", &[], "touch ran", "")]);
    let said = space.meow(&["execute"]);
    assert_eq!((said.code, space.has("ran")), (0, true), "{}", said.err);
    assert!(said.err.contains("nothing is remembered") && said.err.contains("git init"), "{}", said.err);
    assert!(!space.has(".git"));
}

#[test]
fn a_long_chain_runs_in_order() {
    let space = Space::repository();
    let ids: Vec<String> = (0..300).map(|at| format!("s{at}")).collect();
    let needs: Vec<Vec<&str>> = (0..300).map(|at| if at == 0 { vec![] } else { vec![ids[at - 1].as_str()] }).collect();
    let steps: Vec<_> = ids.iter().zip(&needs).map(|(id, needs)| (id.as_str(), needs.as_slice(), "true", "")).collect();
    workflow(&space, "ci", &steps);
    let said = space.meow(&["execute", "--events", "jsonl"]);
    assert_eq!(said.code, 0, "{}", said.err);
    assert_eq!(started(&said), ids);
    assert!(said.err.contains("… (289 more) →"), "{}", said.err);
}

#[test]
fn the_plan_is_shown_without_running_anything() {
    let space = Space::repository();
    let steps = [
        ("fmt", &[][..], "touch ran", ""),
        ("build", &[], "touch ran", "timeout = \"20m\"\nlocks = [\"target\"]"),
        ("test", &["build", "fmt"], "touch ran", "retry = { attempts = 3, backoff = \"1s\" }"),
        ("sign", &["test"], "", ""),
        ("ship", &["sign"], "touch ran", "condition = \"a == b\""),
    ];
    workflow(&space, "ci", &steps);
    golden("tests/it/golden/dry-run.txt", &space.meow_ok(&["execute", "--dry-run", "-j2"]));
    let json: serde_json::Value =
        serde_json::from_str(&space.meow_ok(&["execute", "--dry-run", "--json", "--jobs", "3"])).expect("JSON");
    assert_eq!(
        (&json["schema_version"], &json["slots"], &json["waves"][0][1]),
        (&1.into(), &3.into(), &"build".into())
    );
    assert_eq!(json["critical_path"], serde_json::json!(["fmt", "test"]));
    assert!(!space.has("ran"));
}

#[test]
fn wrong_requests_run_nothing() {
    let space = Space::repository();
    workflow(&space, "ci", &[("a", &[], "touch ran", "")]);
    let check = |args: &[&str], code: i32| {
        let said = space.meow(args);
        assert_eq!((said.code, space.has("ran")), (code, false), "{args:?}: {}", said.err);
    };
    check(&["execute", "missing"], 2);
    check(&["execute", "--var", "x"], 2);
    check(&["execute", "--var", "x=1"], 2);
    check(&["execute", "-j0"], 2);
    check(&["execute", "--from", "a", "--only", "a"], 2);
    workflow(&space, "circle", &[("a", &["b"], "touch ran", ""), ("b", &["a"], "touch ran", "")]);
    check(&["execute", "circle"], 2);
    workflow(&space, "absent", &[("a", &[], "no-such-program --here", "")]);
    let said = space.meow(&["execute", "absent"]);
    assert_eq!(said.code, 1, "a program that is not there is a failed step");
    assert!(said.out.contains("`no-such-program` cannot be started"), "{}", said.out);
}

#[test]
fn numbers_a_step_writes_are_recorded_and_change_nothing() {
    let space = Space::repository();
    let good = "echo coverage=81.5 >> $MEOW_METRICS; echo tokens=12 >> $MEOW_METRICS";
    let bad = "printf 'x=y\\nmeow.sandboxed=1\\nok=2\\n' > $MEOW_METRICS";
    let odd = "rm -f $MEOW_METRICS; ln -s /etc/passwd $MEOW_METRICS";
    workflow(&space, "ci", &[("good", &[], good, ""), ("bad", &["good"], bad, ""), ("odd", &["bad"], odd, "")]);
    let said = space.meow(&["execute", "--events", "jsonl"]);
    assert_eq!(said.code, 0, "{}", said.err);
    let metrics: Vec<_> = events(&said)
        .into_iter()
        .filter(|event| event["event"] == "attempt-finished")
        .map(|event| event["metrics"].clone())
        .collect();
    assert_eq!(
        metrics,
        [
            serde_json::json!({ "coverage": 81.5, "tokens": 12.0 }),
            serde_json::json!({ "ok": 2.0 }),
            serde_json::json!({})
        ]
    );
    assert!(said.err.contains("metrics of `bad`: 2 left out, the first is line 1"), "{}", said.err);
    assert!(said.err.contains("metrics of `odd`: the file cannot be read"), "{}", said.err);
    let records = meow::store::spool::Spool::new(&space.root().join(".git/meow")).records().expect("the spool").0;
    let good = records.iter().find(|record| record.attempt.step == "good").expect("recorded");
    assert_eq!(good.attempt.metrics.get("coverage"), Some(&81.5));
}

#[test]
fn suspects_are_run_again_until_that_settles_them() {
    let space = Space::repository();
    let steps = [
        ("chance", "echo x >> .git/count; test $(wc -l < .git/count) -ne 4"),
        ("broken", "test ! -e bad"),
        ("fine", "true"),
    ];
    let text = steps.map(|(id, run)| format!("[[steps]]\nid = \"{id}\"\nrun = \"{run}\"\n")).join("");
    space.write(".meow/workflows/ci.toml", &format!("formula = \"ci\"\n{text}"));
    for _ in 0..3 {
        space.meow_ok(&["execute"]);
    }
    let none = "no step of ci is in doubt on these sources";
    assert!(space.meow_ok(&["execute", "--rerun-suspects", "3"]).contains(none));
    space.write("bad", "");
    assert_eq!(space.meow(&["execute", "--keep-going"]).code, 1);
    let said = space.meow_ok(&["execute", "--rerun-suspects", "20"]);
    assert!(said.contains("chance is flaky: it passed after 1 failure on the same inputs"), "{said}");
    assert!(said.contains("broken is broken on these inputs: "), "{said}");
    assert!(!said.contains("fine is"), "{said}");
    assert!(space.meow_ok(&["execute", "--rerun-suspects", "20"]).contains(none), "what is settled is not run again");
    let log: serde_json::Value = serde_json::from_str(&space.meow_ok(&["log", "--json"])).expect("JSON");
    let executions = log["executions"].as_array().expect("executions").len();
    assert!((6..=15).contains(&executions), "reruns are recorded as executions: {executions}");
    let patterns: serde_json::Value = serde_json::from_str(&space.meow_ok(&["learn", "--json"])).expect("JSON");
    assert!(patterns.to_string().contains("\"verdict\":\"flaky\""), "{patterns}");
}
