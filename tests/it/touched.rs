//! What an execution changes tells how likely its steps fail: the same in a replay and in a plan, and only where it helps.

use std::sync::Arc;

use meow::git::Repository;
use meow::learn::predictor::Forecaster;
use meow::learn::replay::{Predicted, Trace};
use meow::learn::{Coming, foresee, verdicts};
use meow::record::{Attempt, Digest, Execution, ExecutionId, Outcome, Record, Source};
use meow::scan::{self, Change, History};

use crate::null::{Draw, Made, Shape, changed, history, null_history};
use crate::space::Space;

/// Returns a made-up history in which commits that touch `lib/` break `test`, with and without what commits touch.
fn made(seed: u64, breaks: f64, executions: usize) -> [History; 2] {
    let mut draw = Draw::new(seed);
    let shape = Shape {
        steps: vec![Made::new("build", &[], 20_000.0), Made { flaky: 0.05, ..Made::new("test", &[0], 20_000.0) }],
        executions,
        sigma: 0.1,
        machines: vec![("linux-x86_64-8c-16g", 1.0)],
        slots: 8,
        repeats: (0.1, 0.3),
        every_minutes: 100.0,
    };
    let mut records = history(&shape, &mut draw);
    let changes = changed(&mut records, "test", breaks, &mut draw);
    let without = History::from_records("project", &records);
    [History { changes, ..without.clone() }, without]
}

fn said(history: &History) -> (Trace, Vec<Predicted>) {
    let trace = Trace::of(history, &[]);
    let said = trace.replay(&mut Forecaster::default());
    (trace, said)
}

fn squared_error(history: &History) -> (f64, f64) {
    let (trace, said) = said(history);
    let scores = verdicts::failures(&trace, &said, None).expect("passes and failures");
    let own = scores.methods.last().expect("meow");
    (own.brier, own.auc.unwrap_or(0.5))
}

#[test]
fn a_folder_that_breaks_a_step_is_learnt() {
    let mut gains = [0.0; 2];
    for seed in 0..8 {
        let [with, without] = made(seed, 0.6, 300).map(|history| squared_error(&history));
        gains[0] += (1.0 - with.0 / without.0) / 8.0;
        gains[1] += (with.1 - without.1) / 8.0;
    }
    assert!(gains[0] > 0.1 && gains[1] > 0.05, "squared error, area: {gains:?}");
}

#[test]
fn where_no_folder_breaks_anything_hardly_anything_is_lost() {
    let mut sums = [0.0; 2];
    for seed in 0..20 {
        let errors = made(seed, 0.0, 200).map(|history| squared_error(&history).0);
        sums.iter_mut().zip(errors).for_each(|(sum, error)| *sum += error);
    }
    assert!(sums[0] <= 1.02 * sums[1], "{sums:?}");
}

#[test]
fn a_plan_knows_of_a_change_what_the_replay_does() {
    for seed in 0..10 {
        let mut records = null_history(seed);
        let changes = changed(&mut records, "step-0", 0.3, &mut Draw::new(seed));
        let whole = History { changes, ..History::from_records("project", &records) };
        let (trace, said) = said(&whole);
        let place = whole.executions.len() - 1;
        let started_ms = whole.executions.started_ms[place];
        let before: Vec<_> =
            records.iter().filter(|record| record.execution.started_at.as_millisecond() < started_ms).collect();
        let before = History { changes: whole.changes.clone(), ..History::from_records("project", before) };
        let is_last = |known: &meow::learn::replay::Known| known.execution as usize == place;
        let first = trace.attempts.iter().position(|(known, _)| is_last(known)).expect("an attempt");
        let known = &trace.attempts[first].0;
        let commit = whole.executions.commit[place];
        let change = whole.changes.iter().find(|change| Some(change.commit) == commit).expect("its change");
        let again = before.executions.commit.contains(&commit);
        let name = |name: Option<scan::Name>| name.map(|name| trace.names.text(name));
        let coming = |commit, touched| Coming {
            workflow: "ci",
            machine: name(known.machine),
            commit,
            touched: Some(touched),
            branch: name(known.branch),
            now_ms: known.started_us / 1000,
            steps: vec![(trace.names.text(known.step), f64::NAN)],
        };
        let odds = foresee(&before, &coming(commit, Vec::new())).steps[0].failure;
        assert!(odds.is_none() || odds.map(|odds| odds.mean) == said[first].failure, "seed {seed}");
        // The same before the change is committed, apart from what is known of the commit itself.
        if let (false, Some(parent)) = (again, change.parents.first()) {
            let dirty = foresee(&before, &coming(Some(*parent), change.paths.clone())).steps[0].failure;
            assert_eq!(dirty.is_some(), odds.is_some(), "seed {seed}");
        }
    }
}

/// Returns a history of somebody who edits, tries until it passes, which four of ten tries do not, commits, and executes
/// the commit once more.
fn tried_until_it_passes() -> History {
    let mut draw = Draw::new(11);
    let (mut records, mut changes, mut head) = (Vec::new(), Vec::new(), Digest::of(b"first"));
    let mut execute = |commit: Digest, tree: String, dirty: bool, outcome: Outcome| {
        let number = u32::try_from(records.len()).expect("few");
        let mut id = [0; 12];
        id[..4].copy_from_slice(&number.to_be_bytes());
        let (commit, tree) = (Some(commit), Some(Digest::of(tree.as_bytes())));
        let execution = Execution {
            id: ExecutionId::from_bytes(id),
            workflow: "ci".into(),
            started_at: jiff::Timestamp::from_second(1_760_000_000 + 600 * i64::from(number)).expect("a time"),
            duration_ms: Some(1_000.0),
            outcome,
            trigger: "person".into(),
            machine: None,
            slots: None,
            variables: std::collections::BTreeMap::new(),
            source: Source { commit, tree, dirty: Some(dirty), ..Source::default() },
            resumes: None,
        };
        let attempt = Attempt { duration_ms: Some(1_000.0), outcome, ..Attempt::new("test", 1) };
        records.push(Record { execution: Arc::new(execution), attempt });
    };
    for edit in 0..150 {
        for again in 0.. {
            let fails = draw.happens(0.4);
            let tree = if fails { format!("{edit} {again}") } else { edit.to_string() };
            execute(head, tree, true, if fails { Outcome::Failed } else { Outcome::Passed });
            if !fails {
                break;
            }
        }
        let commit = Digest::of(format!("commit {edit}").as_bytes());
        let paths = vec![format!("src/{}", draw.one(&["a", "b", "c"]))];
        changes.push(Change { commit, parents: vec![head], time_s: 1_760_000_000 + edit, files: 1, paths });
        head = commit;
        execute(head, edit.to_string(), false, Outcome::Passed);
    }
    History { changes, ..History::from_records("project", &records) }
}

#[test]
fn who_commits_what_passes_does_not_know_it_beforehand() {
    let history = tried_until_it_passes();
    let trace = Trace::of(&history, &[]);
    let is_dirty =
        |known: &meow::learn::replay::Known| history.executions.dirty[known.execution as usize] == Some(true);
    assert!(trace.attempts.iter().all(|(known, _)| known.touch.is_some() != is_dirty(known)), "commits alone tell");
    let commit = history.executions.commit.last().copied().flatten();
    let coming = |touched: &[&str]| Coming {
        workflow: "ci",
        machine: None,
        commit,
        touched: Some(touched.iter().map(|path| (*path).to_owned()).collect()),
        branch: None,
        now_ms: 1_760_000_000_000 + 600_000 * 1_000,
        steps: vec![("test", f64::NAN)],
    };
    let odds = |touched: &[&str]| foresee(&history, &coming(touched)).steps[0].failure.expect("known").mean;
    // Every commit passed, yet of what is about to be tried four in ten will not; a quarter of all attempts failed.
    assert!(odds(&["src/a"]) > 0.15, "{}", odds(&["src/a"]));
}

/// Returns a repository of 80 commits, of which every other one touches `lib/`, with a failed `test` at most of those.
fn broken_by_lib() -> Space {
    let space = Space::repository();
    let mut rows = Vec::new();
    for place in 0..80 {
        let folder = if place % 2 == 0 { "lib" } else { "docs" };
        space.write(&format!("{folder}/file-{}.txt", place % 7), &place.to_string());
        space.git(&["add", "."]);
        space.git(&["commit", "--quiet", "--message=more"]);
        let commit = space.git(&["rev-parse", "HEAD"]);
        let outcome = if folder == "lib" && place % 10 != 4 { "failed" } else { "passed" };
        rows.push(format!(
            r#"{{"execution":"e{place}","workflow":"ci","step":"test","attempt":1,"started_at":"2026-01-{:02}T{:02}:00:00Z","duration_ms":1000,"outcome":"{outcome}","commit":"{commit}"}}"#,
            1 + place / 20,
            place % 20,
        ));
    }
    space.write("rows.jsonl", &rows.join("\n"));
    space.meow_ok(&["import", "jsonl", "rows.jsonl"]);
    std::fs::remove_file(space.root().join("rows.jsonl")).expect("removed");
    space.write(".meow/workflows/ci.toml", "formula = \"ci\"\n[[steps]]\nid = \"test\"\nrun = \"true\"\n");
    space.git(&["add", "."]);
    space.git(&["commit", "--quiet", "--message=records"]);
    space
}

#[test]
fn the_plan_of_a_change_hears_what_it_touches_and_compares_commits_once() {
    let space = broken_by_lib();
    let odds = || {
        let plan: serde_json::Value =
            serde_json::from_str(&space.meow_ok(&["execute", "--dry-run", "--json"])).expect("JSON");
        plan["steps"][0]["failure"]["mean"].as_f64().expect("odds")
    };
    space.write("docs/file-1.txt", "other");
    let docs = odds();
    space.write("docs/file-1.txt", "79");
    space.git(&["checkout", "--quiet", "--", "."]);
    space.write("lib/file-1.txt", "other");
    let lib = odds();
    assert!(docs < 0.35 && lib > 0.6, "docs {docs}, lib {lib}");
    let repository = Repository::open(&space.root()).expect("a repository");
    let mut history = scan::repository(&repository);
    assert_eq!(scan::touched::touched(&repository, &mut history), 0, "kept by the plans");
    assert!(history.changes.len() >= 81, "{}", history.changes.len());
    std::fs::remove_dir_all(repository.private_dir().join("cache")).expect("removed");
    assert!(scan::touched::touched(&repository, &mut history) >= 81, "compared again");
}
