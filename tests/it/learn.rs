//! Learning as a whole: what it says of known histories, and what must not change what it says.

use std::sync::Arc;

use meow::learn::norm::{self, Norms};
use meow::learn::{Knowledge, Pattern, State, Verdict, hints, learn};
use meow::plan::Interval;
use meow::record::{Outcome, Record};
use meow::scan::History;
use meow::store::segment;

use crate::null::{Draw, Made, Shape, history, null_history};
use crate::space::Space;

/// Returns what records teach that lie in one repository.
fn knowledge(records: &[Record]) -> Knowledge {
    learn(State::default(), &History::from_records("project", records)).1
}

/// Returns a chain of `build` and `test` with these traits of `test`.
pub fn chain(executions: usize, sigma: f64, broken_trees: f64, flaky: f64) -> Shape {
    let step = |id: &str, needs: &[usize], broken_trees: f64, flaky: f64| Made {
        broken_trees,
        flaky,
        ..Made::new(id, needs, 20_000.0)
    };
    Shape {
        steps: vec![step("build", &[], 0.0, 0.0), step("test", &[0], broken_trees, flaky)],
        executions,
        sigma,
        machines: vec![("linux-x86_64-8c-16g", 1.0), ("linux-x86_64-8c-32g", 2.0)],
        slots: 8,
        repeats: (0.1, 0.3),
        every_minutes: 100.0,
    }
}

fn step<'a>(knowledge: &'a Knowledge, step: &str, machine: Option<&str>) -> &'a Pattern {
    let steps = &knowledge.workflows["ci"].steps;
    steps.iter().find(|pattern| pattern.step == step && pattern.machine.as_deref() == machine).expect("learnt")
}

#[test]
fn the_order_of_records_does_not_matter() {
    for seed in 0..20 {
        let mut records = null_history(seed);
        let forward = knowledge(&records);
        records.reverse();
        assert_eq!(knowledge(&records), forward);
        let mut draw = Draw::new(seed);
        records.sort_by_cached_key(|_| draw.bits());
        assert_eq!(knowledge(&records), forward);
    }
}

#[test]
fn folding_parts_in_is_learning_the_whole() {
    for seed in 0..20 {
        let records = null_history(seed);
        let whole = learn(State::default(), &History::from_records("project", &records));
        for parts in [2_usize, 3] {
            let mut state = State::default();
            let mut last = Knowledge::default();
            for part in 0..parts {
                let place = |record: &&Record| usize::from(record.execution.id.bytes()[0]) % parts == part;
                let history = History::from_records("project", records.iter().filter(place));
                (state, last) = learn(state, &history);
            }
            assert_eq!((&state, &last), (&whole.0, &whole.1), "seed {seed}, {parts} parts");
        }
    }
}

#[test]
fn nonsense_numbers_never_reach_a_pattern() {
    let mut records = null_history(5);
    for (place, record) in records.iter_mut().enumerate() {
        record.attempt.duration_ms = match place % 4 {
            0 => Some(f64::NAN),
            1 => Some(f64::INFINITY),
            2 => Some(-1.0),
            _ => Some(0.0),
        };
        record.attempt.started_ms = if place % 3 == 0 { u64::MAX } else { record.attempt.started_ms };
        Arc::make_mut(&mut record.execution).duration_ms = Some(f64::NAN);
    }
    let text = toml::to_string(&knowledge(&records)).expect("TOML");
    assert!(text.contains("duration_ms"), "{text}");
    assert!(!text.contains("nan") && !text.contains("inf"), "{text}");
}

#[test]
fn durations_that_no_clock_measured_are_unknown() {
    let mut records = history(&chain(40, 0.1, 0.0, 0.0), &mut Draw::new(4));
    for (place, record) in records.iter_mut().enumerate() {
        record.attempt.duration_ms = Some([1e308, f64::INFINITY, -1.0, 2_000.0][place % 4]);
    }
    let whole = History::from_records("project", &records);
    assert!(whole.attempts.duration_ms.iter().all(|ms| ms.is_nan() || (ms - 2_000.0).abs() < 1e-9));
    // The same from a segment, whoever wrote it.
    let bytes = segment::encode(&records).expect("encoded");
    let path = segment::place(&records, "a1b2c3d4e5f6", records[0].execution.started_at, &bytes);
    let name = path.rsplit('/').next().expect("a name");
    let read = segment::columns(name, &bytes).expect("columns").attempts.duration_ms;
    let known = read.iter().filter(|ms| !ms.is_nan()).count();
    assert_eq!(known, whole.attempts.duration_ms.iter().filter(|ms| !ms.is_nan()).count());
    assert!(read.iter().all(|ms| ms.is_nan() || (ms - 2_000.0).abs() < 1e-9), "{read:?}");
}

#[test]
fn patterns_say_what_the_history_was_made_of() {
    let records = history(&chain(400, 0.2, 0.1, 0.0), &mut Draw::new(11));
    let learnt = knowledge(&records);
    let near = |interval: Option<Interval>, median: f64, ratio: f64| {
        let interval = interval.expect("learnt");
        assert!((interval.p50 / median).ln().abs() < 0.12, "{interval:?}");
        let spread = (interval.p90 / interval.p10).ln();
        assert!((spread / ratio).ln().abs() < 0.35, "{interval:?}: {spread}");
    };
    let (fast, slow) = (Some("linux-x86_64-8c-16g"), Some("linux-x86_64-8c-32g"));
    // 80 % of a lognormal law lie within ±1.28 σ.
    near(step(&learnt, "build", fast).duration_ms, 20_000.0, 2.56 * 0.2);
    near(step(&learnt, "build", slow).duration_ms, 40_000.0, 2.56 * 0.2);
    let everywhere = step(&learnt, "build", None).duration_ms.expect("learnt");
    assert!(everywhere.p10 < 20_000.0 && everywhere.p90 > 40_000.0, "{everywhere:?}");
    let failure = step(&learnt, "test", None).failure.expect("learnt");
    assert!(failure.low < 0.1 && 0.1 < failure.high, "{failure:?}");
    assert_eq!(step(&learnt, "build", None).critical_share, Some(1.0));
    let workflow = &learnt.workflows["ci"];
    let weeks = 400.0 * 101.0 / (7.0 * 24.0 * 60.0);
    assert!((workflow.executions_per_week / (400.0 / weeks) - 1.0).abs() < 0.2, "{}", workflow.executions_per_week);
    let known = hints(workflow, "linux-x86_64-8c-32g");
    let test = &known.steps[&meow::workflow::StepId("test".into())];
    assert!(test.timeout_ms.is_some_and(|limit| limit > 120_000), "{test:?}");
}

/// Returns whether any step of a history is said to be flaky.
fn flaky(records: &[Record]) -> bool {
    let flaky = |pattern: &Pattern| pattern.flakiness.is_some_and(|known| known.verdict == Verdict::Flaky);
    knowledge(records).workflows.values().any(|workflow| workflow.steps.iter().any(flaky))
}

#[test]
fn failures_that_trees_decide_are_not_flaky_and_those_by_chance_are() {
    let null = (0..100).filter(|seed| flaky(&null_history(*seed))).count();
    assert!(null <= 5, "{null} of 100 histories without an effect");
    let found = (0..20).filter(|seed| flaky(&history(&chain(200, 0.2, 0.0, 0.2), &mut Draw::new(*seed)))).count();
    assert!(found >= 19, "{found} of 20 flaky histories");
    let broken = (0..20).filter(|seed| flaky(&history(&chain(200, 0.2, 1.0, 0.0), &mut Draw::new(*seed)))).count();
    assert_eq!(broken, 0, "always failing is not flaky");
}

#[test]
fn what_values_or_ignored_inputs_decide_is_not_flaky() {
    let space = Space::repository();
    space.write(".gitignore", "/data\n");
    space.write(
        ".meow/workflows/ci.toml",
        "formula = \"ci\"\n[vars]\ntarget = { default = \"x\" }\n\
         [[steps]]\nid = \"valued\"\nrun = \"test {{target}} = x\"\n\
         [[steps]]\nid = \"reads\"\nrun = \"grep good data\"\ninputs = [\"data\"]\n\
         [[steps]]\nid = \"chance\"\nrun = \"echo {{target}} >> .git/count; test $(wc -l < .git/count) -ne 4\"\n",
    );
    for data in ["good", "bad", "good"] {
        space.write("data", data);
        space.meow(&["execute", "--keep-going"]);
        space.meow(&["execute", "--keep-going", "--var", "target=y"]);
    }
    let analysis: serde_json::Value = serde_json::from_str(&space.meow_ok(&["analyze", "--json"])).expect("JSON");
    let steps = analysis["workflows"]["ci"]["steps"].as_array().expect("steps");
    for step in steps.iter().filter(|step| step["machine"].is_null()) {
        let is_flaky = step["flakiness"]["verdict"] == "flaky";
        assert_eq!(is_flaky, step["step"] == "chance", "{step}");
        assert!(step["failed"].as_u64() > Some(0), "{step}");
    }
    // The variable's value makes other inputs of it: only there is it in doubt whether it is broken.
    let said = space.meow_ok(&["execute", "--rerun-suspects", "9", "--var", "target=y"]);
    assert!(said.contains("valued is broken on these inputs"), "{said}");
    let said = space.meow_ok(&["execute", "--rerun-suspects", "9"]);
    assert!(!said.contains("valued"), "{said}");
}

#[test]
fn cancelled_and_failed_attempts_teach_no_duration() {
    let mut records = history(&chain(60, 0.1, 0.0, 0.0), &mut Draw::new(2));
    let before = step(&knowledge(&records), "test", None).duration_ms;
    for (place, outcome) in [Outcome::Cancelled, Outcome::Failed].into_iter().enumerate() {
        let mut record = records[10 * place].clone();
        record.attempt.step = "test".into();
        record.attempt.attempt = 2;
        record.attempt.started_ms += 1_000_000_000;
        record.attempt.duration_ms = Some(9e9);
        record.attempt.outcome = outcome;
        records.push(record);
    }
    let learnt = knowledge(&records);
    let after = step(&learnt, "test", None);
    assert_eq!(after.duration_ms, before);
    assert_eq!((after.attempts, after.failed, after.retries, after.retries_passed), (61, 1, 0, 0));
}

#[test]
fn projects_with_one_workflow_name_stay_apart() {
    let mut collector = meow::scan::Collector::default();
    for (name, seed) in [("one", 1), ("two", 2)] {
        let repository = collector.repository(name);
        for record in history(&chain(20, 0.1, 0.0, 0.0), &mut Draw::new(seed)) {
            collector.add(repository, &record);
        }
    }
    let learnt = learn(State::default(), &collector.finish()).1;
    assert_eq!(learnt.workflows.keys().collect::<Vec<_>>(), ["one/ci", "two/ci"]);
    assert_eq!(learnt.workflows["one/ci"].executions, 20);
}

/// Returns a repository of `project`, whose first commit has that name, in which these records are committed.
pub fn remembers(project: &str, records: &[Record]) -> Space {
    let space = Space::repository();
    space.git(&["commit", "--quiet", "--amend", "--message", project]);
    let bytes = segment::encode(records).expect("encoded");
    let path = segment::place(records, "a1b2c3d4e5f6", records[0].execution.started_at, &bytes);
    let file = space.root().join(".meow").join(path);
    std::fs::create_dir_all(file.parent().expect("a folder")).expect("folders");
    std::fs::write(&file, bytes).expect("written");
    space.git(&["add", "."]);
    space.git(&["commit", "--quiet", "--message=records"]);
    space
}

#[test]
fn meow_learn_writes_what_it_shows_and_the_same_bytes_twice() {
    let space = remembers("one", &history(&chain(80, 0.2, 0.0, 0.3), &mut Draw::new(21)));
    let shown = space.meow_ok(&["learn"]);
    assert!(shown.contains("build") && shown.contains("linux-x86_64-8c-32g"), "{shown}");
    let pattern = space.read(".meow/patterns/ci.toml");
    assert!(pattern.contains("derived_by = \"meow learn\""), "{pattern}");
    let read: meow::learn::WorkflowPattern = toml::from_str(&pattern).expect("a pattern");
    assert_eq!(read.executions, 80);
    let advice = std::fs::read_dir(space.root().join(".meow/recommendations")).expect("folder").count();
    assert!(advice >= 1);
    space.write(".meow/recommendations/000000000000000000000000.toml", "rule = \"retry\"\n");
    let json: serde_json::Value = serde_json::from_str(&space.meow_ok(&["learn", "--json"])).expect("JSON");
    assert_eq!(json["schema_version"], 1);
    assert_eq!(json["workflows"]["ci"]["executions"], 80);
    assert_eq!(space.read(".meow/patterns/ci.toml"), pattern);
    assert!(!space.has(".meow/recommendations/000000000000000000000000.toml"), "what no longer holds goes");
}

#[test]
fn patterns_of_the_same_executions_change_no_prediction() {
    let space = Space::repository();
    for step in ["build", "test"] {
        space.write(
            &format!(".meow/workflows/{step}.toml"),
            &format!("formula = \"{step}\"\n[[steps]]\nid = \"a\"\nrun = \"true\"\n"),
        );
    }
    space.git(&["add", "."]);
    space.git(&["commit", "--quiet", "--message=workflows"]);
    for _ in 0..3 {
        space.meow_ok(&["execute", "build"]);
    }
    // The odds also depend on the hour: seconds later they differ in the fourth place.
    let foreseen = || {
        let page: serde_json::Value =
            serde_json::from_str(&space.meow_ok(&["execute", "build", "--dry-run", "--json"])).expect("JSON");
        let step = &page["steps"][0];
        let odds = step["failure"]["mean"].as_f64().map(|odds| (odds * 100.0).round());
        (step["duration_ms"].to_string(), odds, step["failure"]["n"].as_u64())
    };
    let before = foreseen();
    space.meow_ok(&["learn"]);
    assert!(space.has(".meow/patterns/build.toml") && before.2 == Some(3), "{before:?}");
    assert_eq!(foreseen(), before);
}

#[test]
fn meow_recommendations_lists_and_shows() {
    let space = remembers("one", &history(&chain(80, 0.2, 0.0, 0.3), &mut Draw::new(21)));
    let list = space.meow_ok(&["recommendations"]);
    assert!(list.contains("retry `test` of `ci`") && list.contains("90 % interval"), "{list}");
    let json: serde_json::Value = serde_json::from_str(&space.meow_ok(&["recommendations", "--json"])).expect("JSON");
    let id = json["recommendations"][0]["id"].as_str().expect("an id").to_owned();
    let one = space.meow_ok(&["recommendations", "show", &id[..6]]);
    assert!(one.contains(&id) && one.contains("steps.test.retry"), "{one}");
    for (args, code) in [(["recommendations", "show", "zzz"], 2), (["recommendations", "show", ""], 2)] {
        assert_eq!(space.meow(&args).code, code, "{args:?}");
    }
}

#[test]
fn nothing_recorded_is_no_error_and_nowhere_is_one() {
    let space = Space::repository();
    assert!(space.meow_ok(&["learn"]).contains("No execution is recorded"));
    assert!(space.meow_ok(&["recommendations"]).contains("Nothing is recommended"));
    assert!(!space.has(".meow"));
    assert_eq!(Space::empty().meow(&["learn"]).code, 2);
}

#[test]
fn clones_teach_each_other_and_other_projects_do_not() {
    for (project, expected) in [("one", 82), ("another", 12)] {
        let own = remembers("one", &history(&chain(12, 0.1, 0.0, 0.0), &mut Draw::new(31)));
        let other = remembers(project, &history(&chain(70, 0.1, 0.0, 0.0), &mut Draw::new(32)));
        let shown = own.meow_ok(&["learn", &other.root().display().to_string()]);
        assert!(shown.contains("70 executions") || shown.contains("82 executions"), "{shown}");
        let read: meow::learn::WorkflowPattern =
            toml::from_str(&own.read(".meow/patterns/ci.toml")).expect("a pattern");
        assert_eq!(read.executions, expected, "{project}");
    }
}

#[test]
fn an_accepted_level_is_the_norm_for_learning_and_plans() {
    let mut records = history(&chain(60, 0.1, 0.0, 0.0), &mut Draw::new(5));
    let mut starts: Vec<_> = records.iter().map(|record| record.execution.started_at).collect();
    starts.sort_unstable();
    starts.dedup();
    for record in
        records.iter_mut().filter(|record| record.attempt.step == "test" && record.execution.started_at >= starts[50])
    {
        record.attempt.duration_ms = record.attempt.duration_ms.map(|duration| 3.0 * duration);
    }
    let whole = History::from_records("project", &records);
    let accepted = Norms::from([(("ci".to_owned(), Some("test".to_owned())), starts[58].as_millisecond())]);
    let normed = norm::normed(whole.clone(), &accepted);
    let patterns = |history: &History| learn(State::default(), history).1;
    let (before, after) = (patterns(&whole), patterns(&normed));
    let durations = |knowledge: &Knowledge, name: &str| step(knowledge, name, None).duration_ms.expect("passed");
    assert_eq!(durations(&before, "test").n, 60);
    let n = durations(&after, "test").n;
    assert!((9..=12).contains(&n), "{n}: from the change on, not from its acceptance on");
    let (was, is) = (durations(&before, "test").p50, durations(&after, "test").p50);
    assert!(is > 1.5 * was, "{was} ms, {is} ms");
    assert_eq!(durations(&before, "build"), durations(&after, "build"), "other steps keep what they know");
    assert_eq!(step(&after, "test", None).attempts, step(&before, "test", None).attempts, "outcomes stay");
    let trends = meow::learn::trends(&normed);
    assert!(trends.iter().all(|trend| trend.step != "test"), "what was accepted is no news: {trends:?}");
}
