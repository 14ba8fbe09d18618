//! `meow import` of other tools' files: what each format's sample gives, and that wrong or torn files give nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use meow::record::{Outcome, Record};
use meow::store::segments;

use crate::space::{Said, Space};

/// A format, its sample, its records and executions, and what is skipped.
const SAMPLES: [(&str, &str, usize, usize, &[&str]); 10] = [
    ("junit", "junit-nextest.xml", 7, 1, &[]),
    ("junit", "junit-pytest.xml", 5, 1, &["skipped 1: a test that was not run"]),
    ("junit", "junit-surefire.xml", 7, 1, &["skipped 1: a test that was not run"]),
    ("ninja-log", "ninja-5.log", 8, 2, &["skipped 2: another output of an edge that is taken already"]),
    ("ninja-log", "ninja-7.log", 8, 2, &["skipped 2: another output of an edge that is taken already"]),
    (
        "github-jobs",
        "github-jobs.json",
        3,
        1,
        &["skipped 1: a job that had not ended", "skipped 1: a job that was skipped"],
    ),
    ("hyperfine", "hyperfine.json", 8, 8, &[]),
    ("github-action-benchmark", "data.js", 3, 2, &[]),
    ("test-durations", "test-durations.json", 6, 1, &[]),
    ("jsonl", "rows.jsonl", 2, 1, &[]),
];

pub fn sample(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

pub fn records(space: &Space) -> Vec<Record> {
    let segments = segments(&space.root().join(".meow")).expect("segments");
    segments.iter().flat_map(|segment| segment.records().expect("whole")).collect()
}

fn import(space: &Space, format: &str, file: &Path) -> Said {
    space.meow(&["import", format, file.to_str().expect("text")])
}

fn imported(format: &str, name: &str) -> Vec<Record> {
    let space = Space::repository();
    let said = import(&space, format, &sample(name));
    assert_eq!(said.code, 0, "{said:?}");
    records(&space)
}

/// Returns outcome and duration of each attempt, by step and number.
fn attempts(records: &[Record]) -> BTreeMap<(String, u32), (Outcome, Option<f64>)> {
    let pair = |record: &Record| {
        let attempt = &record.attempt;
        ((attempt.step.clone(), attempt.attempt), (attempt.outcome, attempt.duration_ms))
    };
    records.iter().map(pair).collect()
}

#[test]
fn each_sample_is_taken_once_and_counted() {
    for (format, name, count, executions, skipped) in SAMPLES {
        let space = Space::repository();
        let said = import(&space, format, &sample(name));
        assert_eq!(said.code, 0, "{format} {name}: {said:?}");
        assert!(
            said.out.contains(&format!("{count} records of {executions} executions; 0 known already; {count} taken")),
            "{format} {name}: {}",
            said.out
        );
        let lines: BTreeSet<&str> = said.out.lines().filter(|line| line.starts_with("skipped")).collect();
        assert_eq!(lines, skipped.iter().copied().collect(), "{format} {name}");
        let first = records(&space);
        assert_eq!(first.len(), count, "{format} {name}");
        assert!(first.iter().all(|record| record.execution.trigger == format!("import:{format}")));
        let said = import(&space, format, &sample(name));
        assert!(said.out.contains(&format!("{count} known already; 0 taken")), "{format} {name}: {}", said.out);
        assert_eq!(records(&space), first, "{format} {name}");
    }
}

#[test]
fn a_torn_file_gives_nothing() {
    for (format, name, ..) in SAMPLES {
        let text = std::fs::read(sample(name)).expect("sample");
        for part in [text.len() / 3, text.len() * 2 / 3, text.len() - 2] {
            let space = Space::repository();
            std::fs::write(space.root().join("torn"), &text[..part]).expect("written");
            let said = import(&space, format, Path::new("torn"));
            assert_eq!(said.code, 2, "{format} {name} cut at {part}: {said:?}");
            assert!(said.err.contains("torn"), "{format} {name}: {said:?}");
            assert!(!space.has(".meow"), "{format} {name} cut at {part}");
        }
    }
}

#[test]
fn a_wrong_format_says_what_it_found_and_what_it_looks_like() {
    for (own, name, ..) in SAMPLES {
        for (asked, ..) in SAMPLES {
            if own == asked {
                continue;
            }
            let space = Space::repository();
            let said = import(&space, asked, &sample(name));
            assert_eq!(said.code, 2, "{name} as {asked}: {said:?}");
            assert!(said.err.contains(&format!("meow import {own} ")), "{name} as {asked}: {}", said.err);
            assert!(!space.has(".meow"), "{name} as {asked}");
        }
    }
    let space = Space::repository();
    for (text, said_of_it) in
        [("", "it is empty"), ("\u{1b}[31mred", "\\u{1b}[31mred"), ("nothing known", "nothing known")]
    {
        space.write("odd", text);
        for (format, ..) in SAMPLES.iter().filter(|(format, ..)| *format != "jsonl") {
            let said = import(&space, format, Path::new("odd"));
            assert_eq!(said.code, 2, "{format}: {said:?}");
            assert!(said.err.contains(said_of_it) && !said.err.contains("\u{1b}[31mred"), "{format}: {}", said.err);
        }
    }
}

#[test]
fn junit_tells_tries_apart() {
    let nextest = attempts(&imported("junit", "junit-nextest.xml"));
    let outcome = |step: &str, number| nextest.get(&(step.to_owned(), number)).map(|(outcome, _)| *outcome);
    let flaky = "nx::tests::flaky";
    let tries: Vec<_> = (1..=4).map(|number| outcome(flaky, number)).collect();
    assert_eq!(tries, [Some(Outcome::Failed), Some(Outcome::Failed), Some(Outcome::Passed), None]);
    assert_eq!(
        (1..=4).filter_map(|number| outcome("nx::tests::fails", number)).collect::<Vec<_>>(),
        [Outcome::Failed; 3]
    );
    let surefire = imported("junit", "junit-surefire.xml");
    assert_eq!(surefire[0].execution.outcome, Outcome::Failed);
    assert_eq!(surefire[0].execution.duration_ms, Some(1_002_345.0));
    let surefire = attempts(&surefire);
    let flaky = "com.example.RetryTest::flaky".to_owned();
    assert_eq!(surefire[&(flaky.clone(), 1)], (Outcome::Failed, None));
    assert_eq!(surefire[&(flaky, 3)], (Outcome::Passed, Some(2.0)));
    assert_eq!(surefire[&("com.example.RetryTest::breaks".to_owned(), 1)], (Outcome::Failed, Some(1_001_500.0)));
    let pytest = imported("junit", "junit-pytest.xml");
    assert_eq!(pytest[0].execution.started_at.to_string(), "2026-11-23T02:09:02Z");
    assert_eq!(pytest[0].execution.workflow, "tests");
}

#[test]
fn hostile_xml_is_refused_and_hostile_names_are_inert() {
    let space = Space::repository();
    let deep = format!("<testsuite name='a'>{}", "<properties>".repeat(100_000));
    let laughs = "<!DOCTYPE t [<!ENTITY a 'ha'><!ENTITY b '&a;&a;'>]>\
        <testsuite name='a'><testcase name='&b;'/></testsuite>";
    for (text, why) in [(deep.as_str(), "deep"), (laughs, "b")] {
        space.write("odd.xml", text);
        let said = space.meow(&["import", "junit", "odd.xml"]);
        assert_eq!(said.code, 2, "{said:?}");
        assert!(said.err.contains(why) && !space.has(".meow"), "{said:?}");
    }
    let name = "x&#27;[31m&lt;script&gt;`|@team&#8238;";
    space.write("odd.xml", &format!("<testsuite name='a' time='1'><testcase name=\"{name}\" time='1'/></testsuite>"));
    space.meow_ok(&["import", "junit", "odd.xml", "--workflow", "w\u{202e}"]);
    let found = records(&space);
    assert_eq!(found[0].attempt.step, "x\u{1b}[31m<script>`|@team\u{202e}");
    for command in [&["log"][..], &["report"], &["list"], &["analyze"], &["status"]] {
        let said = space.meow(command);
        for letter in ['\u{1b}', '\u{202e}'] {
            assert!(!said.out.contains(letter) && !said.err.contains(letter), "{command:?}: {said:?}");
        }
    }
}

#[test]
fn ninja_builds_are_told_apart() {
    for name in ["ninja-5.log", "ninja-7.log"] {
        let found = imported("ninja-log", name);
        let builds: BTreeSet<_> = found.iter().map(|record| record.execution.started_at).collect();
        assert_eq!(builds.len(), 2, "{name}");
        assert!(builds.iter().all(|began| began.to_string().starts_with("2026-11-23T01:56:2")), "{name} {builds:?}");
        let steps: BTreeSet<&str> = found.iter().map(|record| record.attempt.step.as_str()).collect();
        assert_eq!(steps, ["a.h", "app", "one.o", "two.o"].into_iter().collect(), "{name}");
        let app = &found.iter().find(|record| record.attempt.step == "app").expect("app").attempt;
        assert!(app.duration_ms.is_some_and(|took| (100.0..130.0).contains(&took)), "{name} {app:?}");
        assert!(found[0].execution.duration_ms.is_some_and(|took| took < 1_300.0), "{name}");
    }
}

#[test]
fn github_jobs_know_queue_and_attempts() {
    let found = imported("github-jobs", "github-jobs.json");
    let execution = &found[0].execution;
    assert_eq!((execution.workflow.as_str(), execution.source.branch.as_deref()), ("CI", Some("main")));
    assert_eq!(execution.source.commit.map(|id| id.to_string()).as_deref(), Some("f83a356604ae3c5d03e1b46e"));
    assert_eq!(execution.outcome, Outcome::Passed, "the second attempt passed");
    let build = &found[0].attempt;
    assert_eq!((build.ready_ms, build.started_ms, build.duration_ms), (Some(0), 30_000, Some(119_000.0)));
    let tries = attempts(&found);
    assert_eq!(tries[&("test (linux)".to_owned(), 1)], (Outcome::Failed, Some(90_000.0)));
    assert_eq!(tries[&("test (linux)".to_owned(), 2)], (Outcome::Passed, Some(100_000.0)));
}

#[test]
fn benchmarks_keep_their_numbers() {
    let found = imported("github-action-benchmark", "data.js");
    let size = found.iter().find(|record| record.attempt.step == "binary size").expect("size");
    assert_eq!((size.attempt.duration_ms, size.attempt.metrics["value"]), (None, 812_345.0));
    assert_eq!(size.execution.workflow, "Rust Benchmark");
    let fib: Vec<f64> =
        found.iter().filter(|record| record.attempt.step == "fib/10").filter_map(|r| r.attempt.duration_ms).collect();
    assert_eq!(fib.len(), 2);
    assert!((fib[0] - 135e-6).abs() < 1e-12 && (fib[1] - 118e-6).abs() < 1e-12, "{fib:?}");
    let found = imported("hyperfine", "hyperfine.json");
    let failed = found.iter().filter(|record| record.attempt.outcome == Outcome::Failed);
    assert!(failed.clone().count() == 4 && failed.into_iter().all(|one| one.attempt.exit_code == Some(1)));
}

#[test]
fn histories_give_what_each_version_measured_anew() {
    let space = Space::repository();
    let commit = |path: &str, text: &str| {
        space.write(path, text);
        space.git(&["add", "."]);
        space.git(&["commit", "--quiet", "--message=measured"]);
        space.git(&["rev-parse", "HEAD"])
    };
    let first = commit("t/.test_durations", r#"{"a.py::x": 1.5, "a.py::y": 2.0}"#);
    commit("other", "nothing");
    let second = commit("t/.test_durations", r#"{"a.py::x": 1.25, "a.py::y": 2.0, "a.py::z": 3.0}"#);
    space.write("t/.test_durations", "the work tree is not read");
    let args = ["import", "test-durations", "t/.test_durations", "--from-history", "main"];
    let said = space.meow_ok(&args);
    assert!(said.contains("4 records of 2 executions; 0 known already; 4 taken"), "{said}");
    assert!(said.contains("skipped 1: a test that this revision did not measure anew"), "{said}");
    let found = records(&space);
    let commits: Vec<String> =
        found.iter().filter_map(|r| r.execution.source.commit).map(|id| id.to_string()).collect();
    assert_eq!(commits, [&first[..24], &first[..24], &second[..24], &second[..24]]);
    assert!(space.meow_ok(&args).contains("; 0 taken"));

    space.git(&["checkout", "--quiet", "--orphan", "gh-pages"]);
    let text = std::fs::read_to_string(sample("data.js")).expect("sample");
    commit("dev/bench/data.js", &text);
    let later = text.replace("8b1a9953c4611296a827abf8c47804d7f0f6d2aa", "aaaaaaaac4611296a827abf8c47804d7f0f6d2aa");
    commit("dev/bench/data.js", &later.replace("1700000600000", "1700000700000"));
    let args = ["import", "github-action-benchmark", "dev/bench/data.js", "--from-history", "gh-pages"];
    let said = space.meow_ok(&args);
    assert!(said.contains("4 records of 3 executions"), "{said}");
    for (args, why) in [
        (["import", "junit", "dev/bench/data.js", "--from-history", "gh-pages"], "not kept in a history"),
        (["import", "test-durations", "absent", "--from-history", "gh-pages"], "has no file absent"),
        (["import", "test-durations", "x", "--from-history", "nowhere"], "names no commit"),
    ] {
        let said = space.meow(&args);
        assert!(said.code == 2 && said.err.contains(why), "{args:?} {said:?}");
    }
}

#[test]
fn the_help_lists_every_format_with_an_example() {
    let help = Space::empty().meow_ok(&["import", "--help"]);
    for (format, ..) in SAMPLES {
        assert!(help.contains(&format!("- {format}:")), "{help}");
        assert!(help.contains(&format!("\n  meow import {format} ")), "{help}");
    }
}
