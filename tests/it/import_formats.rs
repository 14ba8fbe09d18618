//! `meow import` of other tools' files: what each format's sample gives, and that wrong or torn files give nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use meow::import::{self, Format, Input, Options};
use meow::record::{Outcome, Record};
use meow::report::format::count as plural;
use meow::store::segments;

use crate::space::{Said, Space};

/// A format, its sample, its records and executions, and what is skipped.
const SAMPLES: [(&str, &str, usize, usize, &[&str]); 14] = [
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
    ("nextflow-trace", "nextflow-trace.txt", 4, 3, &["skipped 1: a task that was taken from the cache"]),
    ("chrome-trace", "chrome-trace.json", 5, 1, &["skipped 18: an event that is no slice of time"]),
    ("criterion", "criterion/norm/new/estimates.json", 1, 1, &[]),
    ("criterion", "criterion-messages.json", 1, 1, &["skipped 1: a message that is no benchmark's end"]),
];

pub fn sample(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

pub fn records(space: &Space) -> Vec<Record> {
    let segments = segments(&space.root().join(".meow")).expect("segments");
    segments.iter().flat_map(|segment| segment.records().expect("whole")).collect()
}

fn run(space: &Space, format: &str, file: &Path) -> Said {
    space.meow(&["import", format, file.to_str().expect("text")])
}

fn imported(format: &str, name: &str) -> Vec<Record> {
    let space = Space::repository();
    let said = run(&space, format, &sample(name));
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
        let said = run(&space, format, &sample(name));
        assert_eq!(said.code, 0, "{format} {name}: {said:?}");
        assert!(
            said.out.contains(&format!(
                "{} of {}; 0 known already; {count} taken",
                plural(count as u64, "record"),
                plural(executions as u64, "execution")
            )),
            "{format} {name}: {}",
            said.out
        );
        let lines: BTreeSet<&str> = said.out.lines().filter(|line| line.starts_with("skipped")).collect();
        assert_eq!(lines, skipped.iter().copied().collect(), "{format} {name}");
        let first = records(&space);
        assert_eq!(first.len(), count, "{format} {name}");
        assert!(first.iter().all(|record| record.execution.trigger == format!("import:{format}")));
        let said = run(&space, format, &sample(name));
        assert!(said.out.contains(&format!("{count} known already; 0 taken")), "{format} {name}: {}", said.out);
        assert_eq!(records(&space), first, "{format} {name}");
    }
}

#[test]
fn a_torn_file_gives_nothing() {
    for (format, name, ..) in SAMPLES {
        let text = std::fs::read(sample(name)).expect("sample");
        for part in [text.len() / 3, text.len() * 2 / 3, text.len() - 2] {
            // Between two lines, a log of lines is whole.
            let part = if text[part - 1] == b'\n' { part - 1 } else { part };
            let space = Space::repository();
            std::fs::write(space.root().join("torn"), &text[..part]).expect("written");
            let said = run(&space, format, Path::new("torn"));
            assert_eq!(said.code, 2, "{format} {name} cut at {part}: {said:?}");
            assert!(said.err.contains("torn"), "{format} {name}: {said:?}");
            assert!(!space.has(".meow"), "{format} {name} cut at {part}");
        }
    }
}

#[test]
fn a_format_that_cannot_be_records_says_why() {
    let space = Space::repository();
    space.write("events.jsonl", "{\"seq\":1,\"type\":\"bead.closed\"}\n");
    let said = space.meow(&["import", "gc-events", "events.jsonl"]);
    assert_eq!(said.code, 2);
    assert!(said.err.contains("none says whether work") && said.err.contains("`meow import beads`"), "{}", said.err);
    assert!(!space.has(".meow/records"));
}

#[test]
fn a_wrong_format_says_what_it_found_and_what_it_looks_like() {
    for (own, name, ..) in SAMPLES {
        for (asked, ..) in SAMPLES {
            if own == asked {
                continue;
            }
            let space = Space::repository();
            let said = run(&space, asked, &sample(name));
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
            let said = run(&space, format, Path::new("odd"));
            assert_eq!(said.code, 2, "{format}: {said:?}");
            assert!(said.err.contains(said_of_it) && !said.err.contains("\u{1b}[31mred"), "{format}: {}", said.err);
        }
    }
}

/// Bytes changed, taken out and doubled at places that a fixed generator picks: some such files are read, others are
/// refused, none makes the program fall over.
#[test]
fn damaged_files_are_read_or_refused() {
    let space = Space::empty();
    let mut state = 88_172_645_463_325_252_u64;
    let mut next = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state >> 33).expect("31 bits") % below
    };
    let (mut read, mut refused) = (0, 0);
    for (format, name, ..) in SAMPLES {
        let whole = std::fs::read(sample(name)).expect("sample");
        let format = Format::from_name(format).expect("a format");
        for _ in 0..60 {
            let mut bytes = whole.clone();
            for _ in 0..=next(4) {
                let at = next(bytes.len());
                match next(4) {
                    0 => bytes[at] = u8::try_from(next(256)).expect("a byte"),
                    1 => bytes[at] = b"0-9e.<>&\"{}[],\t"[next(15)],
                    2 => drop(bytes.drain(at..(at + 1 + next(8)).min(bytes.len()))),
                    _ => bytes.extend_from_within(at..(at + next(40)).min(bytes.len())),
                }
            }
            let path = space.root().join("damaged");
            std::fs::write(&path, &bytes).expect("written");
            let input = Input { name: "criterion/x/new/damaged".to_owned(), path };
            match import::read(format, &[input], &Options { workflow: None, branch: &|_| None }) {
                Ok(found) => read += found.executions().map(|records| records.len().min(1)).sum::<usize>().min(1),
                Err(_) => refused += 1,
            }
        }
    }
    assert!(read > 50 && refused > 50, "{read} read, {refused} refused");
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
fn ninja_versions_are_checked() {
    let text = std::fs::read_to_string(sample("ninja-7.log")).expect("sample");
    for (version, code) in [("v6", 0), ("v7", 0), ("v4", 2), ("v8", 2), ("vx", 2)] {
        let space = Space::repository();
        space.write("log", &text.replacen("v7", version, 1));
        let said = run(&space, "ninja-log", Path::new("log"));
        assert_eq!(said.code, code, "{version}: {said:?}");
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
fn nextflow_tasks_keep_queue_memory_and_retries() {
    let found = imported("nextflow-trace", "nextflow-trace.txt");
    assert_eq!(found.iter().filter(|record| record.attempt.step == "blast").count(), 3);
    let blast = &found[0].attempt;
    assert_eq!((blast.ready_ms, blast.started_ms, blast.duration_ms), (Some(288), 55_288, Some(5_000.0)));
    assert_eq!((blast.peak_memory_bytes, blast.exit_code), (Some(31_247_565), Some(0)));
    let retried = found.iter().find(|record| record.attempt.attempt == 2).expect("a retry");
    assert_eq!((retried.execution.outcome, retried.attempt.duration_ms), (Outcome::Passed, Some(450.0)));
    let aborted = found.iter().find(|record| record.attempt.step == "exonerate").expect("aborted");
    assert_eq!((aborted.attempt.outcome, aborted.attempt.duration_ms), (Outcome::Cancelled, None));
}

#[test]
fn traces_and_criterion_give_times() {
    let found = imported("chrome-trace", "chrome-trace.json");
    let lstat = found.iter().find(|record| record.attempt.step == "fs.sync.lstat").expect("lstat");
    assert!(lstat.attempt.metrics["events"] > 1.0 && lstat.attempt.duration_ms.is_some_and(|took| took > 0.0));
    let space = Space::repository();
    space.write(
        "t.json",
        r#"[{"name":"a","ph":"X","ts":1700000000000000,"dur":2500,"pid":1,"tid":"x"},
        {"name":"a","ph":"X","ts":1700000000010000,"dur":500,"pid":1,"tid":"x"}]"#,
    );
    space.meow_ok(&["import", "chrome-trace", "t.json", "--workflow", "compile"]);
    let one = &records(&space)[0];
    assert_eq!((one.execution.workflow.as_str(), one.execution.started_at.as_second()), ("compile", 1_700_000_000));
    assert_eq!((one.attempt.duration_ms, one.attempt.metrics["events"]), (Some(3.0), 2.0));
    let found = imported("criterion", "criterion/norm/new/estimates.json");
    assert_eq!(found[0].attempt.step, "norm");
    assert!(found[0].attempt.duration_ms.is_some_and(|took| (took - 2.987_260_747e-6).abs() < 1e-12));
    let found = imported("criterion", "criterion-messages.json");
    assert!(found[0].attempt.duration_ms.is_some_and(|took| (took - 3.419_492_399e-3).abs() < 1e-9));
}

#[test]
fn beads_count_work_and_set_the_clock() {
    let space = Space::repository();
    let (issues, events) = (sample("beads-issues.jsonl"), sample("beads-events.jsonl"));
    let (issues, events) = (issues.to_str().expect("text"), events.to_str().expect("text"));
    let said = space.meow_ok(&["import", "beads", issues, events]);
    assert!(
        said.contains("4 records of 3 executions") && said.contains("skipped 1: an issue whose work has no"),
        "{said}"
    );
    let found = records(&space);
    let first = found.iter().find(|record| record.execution.workflow == "mol-work").expect("a formula");
    assert_eq!(first.execution.started_at.to_string(), "2026-02-27T10:00:00Z", "eight hours later than written");
    let tries = attempts(&found);
    assert_eq!(tries[&("task".to_owned(), 1)], (Outcome::Failed, Some(600_000.0)));
    assert_eq!(tries[&("task".to_owned(), 2)], (Outcome::Passed, Some(600_000.0)));
    assert_eq!(tries[&("bug".to_owned(), 1)], (Outcome::Passed, Some(3_600_000.0)));
    assert_eq!(tries[&("chore".to_owned(), 1)], (Outcome::Passed, Some(1_800_000.0)));
    assert!(space.meow_ok(&["import", "beads", issues, events]).contains("; 0 taken"));
    let said = space.meow(&["import", "beads", events]);
    assert!(said.code == 2 && said.err.contains("clock"), "{said:?}");
}

#[test]
fn beads_of_a_real_town_are_as_derived_by_others() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/gastown/beads");
    if !data.exists() {
        println!("skipped: {} is absent", data.display());
        return;
    }
    let path = |name: &str| data.join(name).to_str().expect("text").to_owned();
    let space = Space::repository();
    let (issues, events) = (path("gt-issues.slim.jsonl"), path("gt-events.slim.jsonl"));
    space.meow_ok(&["import", "beads", &issues, &events]);
    let derived = std::fs::read_to_string(data.join("gt-executions.derived.csv")).expect("csv");
    let mut expected: Vec<(i64, u32, String, &str, String)> = Vec::new();
    for line in derived.lines().skip(1) {
        let column: Vec<&str> = line.splitn(8, ',').collect();
        let began: jiff::Timestamp = column[4].parse().expect("a time");
        let (word, took) = match column[7].split(',').next().expect("an outcome") {
            "closed" => ("passed", column[6]),
            "released" => ("failed", column[6]),
            _ => ("cancelled", ""),
        };
        let formula = if column[2].is_empty() { "beads" } else { column[2] };
        expected.push((
            began.as_second(),
            column[1].parse().expect("a number"),
            took.to_owned(),
            word,
            formula.to_owned(),
        ));
    }
    let mut found: Vec<_> = records(&space)
        .iter()
        .map(|record| {
            let (execution, attempt) = (&record.execution, &record.attempt);
            let started = execution.started_at.as_second() + i64::try_from(attempt.started_ms / 1000).expect("small");
            let took = attempt.duration_ms.map_or(String::new(), |took| format!("{}", took / 1000.0));
            (started, attempt.attempt, took, attempt.outcome.word(), execution.workflow.clone())
        })
        .collect();
    expected.sort();
    found.sort();
    assert_eq!(found.len(), 351);
    // One execution has one workflow: the formula that was attached when its work ended.
    let times = |all: &[(i64, u32, String, &'static str, String)]| -> Vec<_> {
        all.iter().map(|(began, number, took, word, _)| (*began, *number, took.clone(), *word)).collect()
    };
    let others: Vec<_> =
        expected.iter().map(|(began, number, took, word, _)| (*began, *number, took.clone(), *word)).collect();
    assert_eq!(times(&found), others);
    let same = found.iter().zip(&expected).filter(|(own, other)| own.4 == other.4).count();
    assert!(same >= 345, "{same} of 351 formulas");
}

#[test]
fn git_perf_notes_are_read_from_git() {
    let space = Space::repository();
    let note = sample("git-perf-note.txt");
    for reference in ["refs/notes/perf-v3", "refs/notes/perf-v3-write-0-1"] {
        space.git(&["notes", &format!("--ref={reference}"), "add", "-F", note.to_str().expect("text"), "HEAD"]);
    }
    let said = space.meow_ok(&["import", "git-perf"]);
    assert!(said.contains("4 records of 4 executions; 0 known already; 4 taken"), "{said}");
    let found = records(&space);
    let head = space.git(&["rev-parse", "HEAD"]);
    assert_eq!(found[0].execution.source.commit.map(|id| id.to_string()).as_deref(), Some(&head[..24]));
    let values = found.iter().filter(|one| one.attempt.step == "build_time").map(|one| one.attempt.metrics["value"]);
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    assert_eq!(values, [42.5, 43.25]);
    assert!(space.meow_ok(&["import", "git-perf"]).contains("; 0 taken"));
    assert_eq!(space.meow(&["import", "git-perf", "README"]).code, 2);
    assert_eq!(space.meow(&["import", "junit"]).code, 2);
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
    for format in SAMPLES.iter().map(|(format, ..)| *format).chain(["beads", "git-perf"]) {
        assert!(help.contains(&format!("- {format}:")), "{help}");
        assert!(help.contains(&format!("\n  meow import {format} ")), "{help}");
    }
}
