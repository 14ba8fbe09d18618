//! What has changed: nothing where nothing did, and the right place where a step became slower, larger or less sure.

use meow::learn::{Trend, causes, trends};
use meow::record::{Digest, Record};
use meow::scan::{Change, History};

use crate::null::{Draw, Made, Shape, history, null_history};
use crate::space::Space;

fn changed(records: &[Record]) -> Vec<Trend> {
    trends(&History::from_records("project", records))
}

/// Returns sixty executions of one step with deviation 0.1, slower by `factor` from the middle on, and failing as given.
fn step_in_the_middle(draw: &mut Draw, factor: f64, failing: (f64, f64), executions: usize) -> Vec<Record> {
    let shape = |median_ms: f64, broken_trees: f64| Shape {
        steps: vec![Made { broken_trees, ..Made::new("test", &[], median_ms) }],
        executions: executions / 2,
        sigma: 0.1,
        machines: vec![("linux-x86_64-8c-16g", 1.0)],
        slots: 8,
        repeats: (0.0, 0.0),
        every_minutes: 60.0,
    };
    let mut records = history(&shape(60_000.0, failing.0), draw);
    let last = records.last().expect("some").execution.started_at;
    let first_late = records.len();
    records.extend(history(&shape(60_000.0 * factor, failing.1), draw));
    let shift = last.as_millisecond() - records[first_late].execution.started_at.as_millisecond() + 3_600_000;
    for record in &mut records[first_late..] {
        let execution = std::sync::Arc::make_mut(&mut record.execution);
        execution.started_at += jiff::SignedDuration::from_millis(shift);
    }
    records
}

#[test]
fn nothing_has_changed_without_an_effect() {
    let claims: Vec<String> = (0..100)
        .filter_map(|seed| changed(&null_history(seed)).first().map(|trend| format!("{seed}: {trend:?}")))
        .collect();
    println!("changes claimed in {} of 100 histories without an effect", claims.len());
    assert!(claims.len() <= 5, "{claims:#?}");
}

#[test]
fn a_slower_step_is_found_where_it_became_slower() {
    let mut found = 0;
    for seed in 0..100 {
        let records = step_in_the_middle(&mut Draw::new(500 + seed), 1.3, (0.0, 0.0), 60);
        let said = changed(&records);
        let place = |trend: &Trend| {
            records.iter().position(|record| record.execution.id.to_string() == trend.first_after.execution)
        };
        let right =
            |trend: &Trend| trend.measure == "duration_ms" && place(trend).is_some_and(|place| place.abs_diff(30) <= 5);
        found += usize::from(said.len() == 1 && right(&said[0]));
    }
    println!("30 % in the middle of 60 executions: {found} of 100 found within 5");
    assert!(found >= 90, "{found}");
}

#[test]
fn a_step_that_begins_to_fail_is_found() {
    let found = (0..100)
        .filter(|seed| {
            let records = step_in_the_middle(&mut Draw::new(900 + seed), 1.0, (0.02, 0.4), 120);
            let said = changed(&records);
            said.len() == 1 && said[0].measure == "failed" && said[0].before < said[0].after
        })
        .count();
    println!("2 % to 40 % failing in the middle of 120 executions: {found} of 100 found");
    assert!(found >= 90, "{found}");
}

#[test]
fn a_change_tells_how_much_and_between_which_commits() {
    let records = step_in_the_middle(&mut Draw::new(3), 2.0, (0.0, 0.0), 60);
    let said = changed(&records);
    let ratio = said[0].ratio.expect("positive");
    assert!(ratio.low < 2.0 && 2.0 < ratio.high && ratio.high / ratio.low < 1.5, "{ratio:?}");
    assert!(said[0].p_value < 1e-6);
    let commit = |place: usize| records[place].execution.source.commit.map(|commit| commit.to_string());
    assert_eq!((&said[0].last_before.commit, &said[0].first_after.commit), (&commit(29), &commit(30)));
}

#[test]
fn a_change_names_its_commits_and_the_files_they_touch_most() {
    let records = step_in_the_middle(&mut Draw::new(3), 2.0, (0.0, 0.0), 60);
    let mut said = changed(&records);
    let commit = |place: usize| records[place].execution.source.commit.expect("a commit");
    let (before, middle, after) = (commit(29), Digest::of(b"between"), commit(30));
    assert!(causes::ranges(&said).contains(&(before, after)));
    let change = |commit, parent, time_s, paths: &[&str]| Change {
        commit,
        parents: vec![parent],
        time_s,
        files: 0,
        paths: paths.iter().map(|path| (*path).to_owned()).collect(),
    };
    let changes = [
        change(after, middle, 20, &["src/b.rs", "src/z.rs"]),
        change(middle, before, 10, &["src/z.rs"]),
        change(Digest::of(b"elsewhere"), before, 15, &["README"]),
    ];
    causes::explain(&mut said, &changes);
    assert_eq!(said[0].commits, [after.to_string(), middle.to_string()]);
    let files: Vec<_> = said[0].files.iter().map(|file| (file.path.as_str(), file.commits)).collect();
    assert_eq!(files, [("src/z.rs", 2), ("src/b.rs", 1)]);
}

#[test]
fn detect_reads_numbers_and_names_what_is_none() {
    let space = Space::empty();
    let number = |at: i32| f64::from(at % 7) + if at < 40 { 10.0 } else { 60.0 };
    let numbers = (0..60).map(|at| number(at).to_string()).collect::<Vec<_>>().join("\n");
    space.write("numbers.txt", &numbers);
    let found = space.meow_ok(&["detect", "numbers.txt"]);
    let page: serde_json::Value = serde_json::from_str(&found).expect("json");
    assert_eq!(page["change_points"], serde_json::json!([40]));
    assert_eq!(page["schema_version"], 1);
    assert!(space.meow_ok(&["detect", "--format", "text", "numbers.txt"]).contains("1 change in 60 numbers."));
    space.write("text.txt", "1\nmeow\n");
    for file in ["text.txt", "absent.txt"] {
        let refused = space.meow(&["detect", file]);
        assert_eq!((refused.code, refused.out.as_str()), (2, ""), "{file}");
    }
}

#[test]
fn detect_online_says_a_change_as_soon_as_it_is_sure() {
    let space = Space::empty();
    let mut draw = Draw::new(9);
    let numbers: Vec<String> =
        (0..400).map(|at| (100.0 + draw.normal() + if at < 250 { 0.0 } else { 8.0 }).to_string()).collect();
    space.write("numbers", &(numbers.join("\n\n") + "\n"));
    let out = space.meow_ok(&["detect", "--online", "numbers"]);
    let found: Vec<serde_json::Value> = out.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(found.len(), 1, "{out}");
    let (at, seen) = (found[0]["at"].as_u64().expect("a place"), found[0]["seen"].as_u64().expect("a count"));
    assert!((248..=252).contains(&at) && seen > at && seen < 265, "{out}");
    let text = space.meow_ok(&["detect", "--online", "--format", "text", "numbers"]);
    assert!(text.starts_with("a change at 2"), "{text}");
    space.write("numbers", "1\ntwo\n");
    assert_eq!(space.meow(&["detect", "--online", "numbers"]).code, 2);
}
