//! Decisions about recommendations: what they change, what they refuse, how they are taken back, what came of them.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use jiff::ToSpan;
use meow::learn::{State, learn as learn_from};
use meow::recommend::{Action, ActionKind, Edit, verify};
use meow::record::{Digest, Outcome, Record};
use meow::scan::History;
use meow::store::segment;
use serde_json::Value;

use crate::learn::{chain, remembers};
use crate::null::{Draw, history};
use crate::space::Space;

const FILE: &str = ".meow/workflows/ci.toml";
const TEXT: &str = "\
# How this project is checked.
formula = \"ci\"

[[steps]]
id   = \"build\"      # first
run  = \"make\"

# Slow and flaky.
[[steps]]
id = \"test\"
needs = [ \"build\" ]
run = \"make test\"   # all of them

[[steps]]
id = \"pack\"
run = \"make pack\"
";

/// Returns records of a workflow whose `test` is flaky, with the commands that the file has.
fn records(executions: usize, seed: u64) -> Vec<Record> {
    let mut records = history(&chain(executions, 0.2, 0.0, 0.3), &mut Draw::new(seed));
    for record in &mut records {
        let command = if record.attempt.step == "test" { "make test" } else { "make" };
        record.attempt.command = Some(Digest::of(command.as_bytes()));
    }
    records
}

/// Returns a project in which `retry` is recommended for `test`, and that recommendation's id.
pub fn project() -> (Space, String) {
    let space = remembers("one", &records(80, 21));
    space.write(FILE, TEXT);
    let id = listed(&space, false)["recommendations"][0]["id"].as_str().expect("a recommendation").to_owned();
    (space, id)
}

fn listed(space: &Space, all: bool) -> Value {
    let args: &[&str] =
        if all { &["recommendations", "list", "--all", "--json"] } else { &["recommendations", "--json"] };
    serde_json::from_str(&space.meow_ok(args)).expect("JSON")
}

fn actions(space: &Space) -> Vec<String> {
    let folder = space.root().join(".meow/actions");
    let mut names: Vec<String> = fs::read_dir(folder)
        .map(|entries| {
            entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect()
        })
        .unwrap_or_default();
    names.sort();
    names
}

/// Asserts that the command is refused for this reason and that neither file nor decisions have changed.
fn refused(space: &Space, args: &[&str], code: i32, reason: &str) {
    let before = (space.read(FILE), actions(space));
    let said = space.meow(args);
    assert_eq!(said.code, code, "{args:?}: {}{}", said.out, said.err);
    assert!(said.err.contains(reason), "{args:?}: {}", said.err);
    assert_eq!((space.read(FILE), actions(space)), before, "{args:?}");
    let folder = fs::read_dir(space.root().join(".meow/workflows")).expect("a folder");
    assert_eq!(folder.count(), 1, "nothing half-written stays");
}

#[test]
fn apply_shows_the_change_makes_it_and_undo_restores_every_byte() {
    let (space, id) = project();
    refused(&space, &["recommendations", "apply", &id], 2, "--yes");
    let said = space.meow_ok(&["recommendations", "apply", &id[..6], "--yes"]);
    assert!(said.contains("+retry = { attempts = 2, backoff = \"2s\" }\n"), "{said}");
    let expected = TEXT.replace("# all of them\n", "# all of them\nretry = { attempts = 2, backoff = \"2s\" }\n");
    assert_eq!(space.read(FILE), expected);
    assert!(space.meow_ok(&["execute", "ci", "--dry-run"]).contains("test"));

    let action = actions(&space)[0].clone();
    assert!(action.starts_with("20251122T"), "{action}");
    let text = space.read(&format!(".meow/actions/{action}"));
    for held in ["kind = \"applied\"", "[expected]", "key = \"steps.test.retry\"", "evidence = ["] {
        assert!(text.contains(held), "{held}: {text}");
    }
    let open = space.meow_ok(&["recommendations"]);
    assert!(open.contains("Everything recommended is decided"), "{open}");
    let all = space.meow_ok(&["recommendations", "list", "--all"]);
    assert!(all.contains("applied") && all.contains("after 10 executions"), "{all}");
    assert!(!space.meow_ok(&["report"]).contains("retry `test`"), "the report shows open ones only");
    refused(&space, &["recommendations", "apply", &id, "--yes"], 2, "applied already");
    refused(&space, &["recommendations", "dismiss", &id], 2, "applied already");

    let said = space.meow_ok(&["recommendations", "undo", action.trim_end_matches(".toml")]);
    assert!(said.contains("-retry = {"), "{said}");
    assert_eq!(space.read(FILE), TEXT);
    assert_eq!(space.read(&format!(".meow/actions/{action}")), text, "an action is never changed");
    assert_eq!(actions(&space).len(), 2);
    assert_eq!(listed(&space, false)["recommendations"][0]["life"], "undone", "it is open again");
    refused(&space, &["recommendations", "undo", action.trim_end_matches(".toml")], 2, "taken back already");
    space.meow_ok(&["recommendations", "apply", &id, "--yes"]);
}

#[test]
fn what_changed_meanwhile_is_left_alone() {
    let (space, id) = project();
    space.write(FILE, &TEXT.replace("make test\"", "make test fast\""));
    refused(&space, &["recommendations", "apply", &id, "--yes"], 2, "has changed since the executions");
    space.write(FILE, &TEXT.replace("# all of them", "\nretry = { attempts = 3 }"));
    refused(&space, &["recommendations", "apply", &id, "--yes"], 2, "already says `steps.test.retry`");
    space.write(FILE, &TEXT.replace("id = \"test\"", "id = \"check\""));
    refused(&space, &["recommendations", "apply", &id, "--yes"], 2, "has no step `test`");
    space.write(FILE, &TEXT.replace("formula = \"ci\"", "formula = \"other\""));
    refused(&space, &["recommendations", "apply", &id, "--yes"], 2, "no workflow file here is `ci`");

    space.write(FILE, TEXT);
    space.meow_ok(&["recommendations", "apply", &id, "--yes"]);
    let edited = space.read(FILE) + "# a person was here\n";
    space.write(FILE, &edited);
    refused(&space, &["recommendations", "undo", &id], 2, "has changed since");
    // A checkout that lost the change, or a power cut between decision and file.
    space.write(FILE, TEXT);
    space.meow_ok(&["recommendations", "undo", &id]);
    assert_eq!(space.read(FILE), TEXT);
    assert_eq!(listed(&space, false)["recommendations"][0]["life"], "undone");
}

#[test]
fn what_cannot_be_written_leaves_no_half_decision() {
    let (space, id) = project();
    let path = space.root().join(FILE);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o444)).expect("read-only");
    refused(&space, &["recommendations", "apply", &id, "--yes"], 3, "cannot be written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("writable");
    space.write(".meow/actions", "a file where the folder should be\n");
    refused(&space, &["recommendations", "apply", &id, "--yes"], 3, "cannot be");
    fs::remove_file(space.root().join(".meow/actions")).expect("removed");
    space.meow_ok(&["recommendations", "apply", &id, "--yes"]);
    assert_eq!(fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o755, "the mode stays");
    fs::remove_file(&path).expect("removed");
    let outside = space.home().join("ci.toml");
    fs::write(&outside, TEXT).expect("written");
    std::os::unix::fs::symlink(&outside, &path).expect("a link");
    refused(&space, &["recommendations", "undo", &id], 2, "leads out of the project");
}

#[test]
fn dismissed_ones_are_hidden_until_that_is_taken_back() {
    let (space, id) = project();
    space.meow_ok(&["recommendations", "dismiss", &id, "--reason", "known and \u{1b}[31mfine"]);
    let count = |all| listed(&space, all)["recommendations"].as_array().expect("a list").len();
    assert_eq!((count(false), count(true)), (0, 1));
    let page = listed(&space, true);
    assert_eq!(page["recommendations"][0]["life"], "dismissed");
    assert_eq!(page["decisions"][0]["reason"], "known and \u{1b}[31mfine");
    assert!(!space.meow_ok(&["recommendations", "list", "--all"]).contains('\u{1b}'));
    space.meow_ok(&["recommendations", "undo", &id[..8]]);
    assert_eq!(count(false), 1);
    space.write(".meow/actions/20200101T000000Z-000000000000.toml", "<<<<<<< ours\n");
    let said = space.meow(&["recommendations"]);
    assert_eq!(said.code, 0);
    assert!(said.err.contains("merge conflict"), "{}", said.err);
}

/// Returns records of executions after every decision, in which each failed `test` ended so at its second attempt; and how
/// many there are.
fn later(ended: Outcome) -> (Vec<Record>, usize) {
    let mut later = records(12, 77);
    let mut turned = 0;
    for place in 0..later.len() {
        let record = &mut later[place];
        let execution = Arc::make_mut(&mut record.execution);
        execution.started_at = execution.started_at.checked_add((100 * 24).hours()).expect("in range");
        execution.outcome = Outcome::Passed;
        if record.attempt.step == "test" && record.attempt.outcome == Outcome::Failed {
            let mut second = record.clone();
            second.attempt.attempt = 2;
            second.attempt.outcome = ended;
            later.push(second);
            turned += 1;
        }
    }
    (later, turned)
}

/// Commits the first `count` executions of these records.
fn remember(space: &Space, records: &[Record], count: usize) {
    let mut ids: Vec<_> = records.iter().map(|record| (record.execution.started_at, record.execution.id)).collect();
    ids.sort();
    ids.dedup();
    let wanted = |record: &&Record| ids[..count].iter().any(|(_, id)| *id == record.execution.id);
    let part: Vec<Record> = records.iter().filter(wanted).cloned().collect();
    let bytes = segment::encode(&part).expect("encoded");
    let place = segment::place(&part, "b1b2c3d4e5f6", part[0].execution.started_at, &bytes);
    let file = space.root().join(".meow").join(place);
    fs::create_dir_all(file.parent().expect("a folder")).expect("folders");
    fs::write(&file, bytes).expect("written");
    space.git(&["add", "."]);
    space.git(&["commit", "--quiet", "--message=more"]);
}

/// Returns a project with an applied recommendation that twelve executions have verified.
pub fn verified() -> Space {
    let (space, id) = project();
    space.meow_ok(&["recommendations", "apply", &id, "--yes"]);
    remember(&space, &later(Outcome::Passed).0, 12);
    space
}

#[test]
fn ten_executions_later_the_gain_that_came_is_stated() {
    let (space, id) = project();
    space.meow_ok(&["recommendations", "apply", &id, "--yes"]);
    let (later, turned) = later(Outcome::Passed);
    assert!(turned > 0, "the seed has failures");
    for (count, verified) in [(9, false), (12, true)] {
        remember(&space, &later, count);
        let page = listed(&space, true);
        let verification = &page["decisions"][0]["verification"];
        assert_eq!(verification["executions"], count as u64, "{page:#}");
        assert_eq!(verification["realised"].is_object(), verified, "{page:#}");
        if verified {
            let (gain, learnt) = (&verification["realised"], space.meow_ok(&["learn"]));
            let number = |key: &str| gain[key].as_f64().expect("a number");
            assert!(number("low") <= number("median") && number("median") <= number("high") && number("median") > 0.0);
            assert!(learnt.contains("realised a week") && learnt.contains("retry `test`"), "{learnt}");
            let learnt: Value = serde_json::from_str(&space.meow_ok(&["learn", "--json"])).expect("JSON");
            assert_eq!(&learnt["decisions"][0]["verification"]["realised"], gain);
        }
    }
}

#[test]
fn retries_that_came_to_nothing_are_stated_as_a_loss() {
    let (space, id) = project();
    space.meow_ok(&["recommendations", "apply", &id, "--yes"]);
    remember(&space, &later(Outcome::Failed).0, 12);
    let realised = &listed(&space, true)["decisions"][0]["verification"]["realised"];
    let number = |key: &str| realised[key].as_f64().expect("a number");
    assert!(number("low") <= number("median") && number("median") < 0.0, "{realised}");
}

#[test]
fn a_time_limit_is_worth_what_stopped_attempts_took_before() {
    let mut shape = chain(132, 0.1, 0.0, 0.0);
    shape.steps[1].hangs = 0.1;
    let mut records = history(&shape, &mut Draw::new(5));
    let mut starts: Vec<_> = records.iter().map(|record| (record.execution.started_at, record.execution.id)).collect();
    starts.sort();
    starts.dedup();
    let (at, _) = starts[119];
    let stopped_at = |stops: usize, records: &mut Vec<Record>| {
        for record in records.iter_mut().filter(|record| record.execution.started_at > at) {
            let place = starts.iter().position(|(_, id)| *id == record.execution.id).expect("known") - 120;
            if record.attempt.step == "test" {
                record.attempt.timed_out = place < stops;
                record.attempt.outcome = if place < stops { Outcome::Failed } else { Outcome::Passed };
                record.attempt.duration_ms = Some(if place < stops { 90_000.0 } else { 20_000.0 });
            }
        }
        let history = History::from_records("project", records.iter());
        let knowledge = learn_from(State::default(), &history).1;
        let empty = Digest::of(b"");
        let edit = Edit {
            file: FILE.into(),
            key: "steps.test.timeout".into(),
            value: "\"90s\"".into(),
            before: empty,
            after: empty,
            place: 0,
            old: String::new(),
            new: String::new(),
        };
        let (workflow, step) = ("ci".to_owned(), Some("test".to_owned()));
        let action = Action { kind: ActionKind::Applied, at, workflow, step, edit: Some(edit), ..Action::default() };
        let found = verify(&action, &knowledge, &history);
        assert_eq!(found.executions, 12);
        (found.realised.expect("enough executions"), knowledge.workflows["ci"].executions_per_week)
    };
    let (gain, weekly) = stopped_at(3, &mut records);
    // Each hung an hour longer than the 20 s that the step takes.
    let expected = weekly * 3.0 / 12.0 * (3_620.0 - 90.0) / 60.0;
    assert!((gain.median / expected - 1.0).abs() < 0.02, "{gain:?}, {expected}");
    assert!(gain.low < gain.median && gain.median < gain.high, "{gain:?}");
    let (gain, _) = stopped_at(0, &mut records);
    assert!(gain.low.abs() < 1e-9 && gain.median.abs() < 1e-9 && gain.high > 0.0, "{gain:?}");
}

#[test]
fn a_level_is_accepted_for_what_is_recorded_and_taken_back() {
    let (space, _) = project();
    let said = space.meow_ok(&["recommendations", "accept-change", "ci", "test", "--reason", "twice the tests"]);
    assert!(said.contains("`test` of `ci`"), "{said}");
    let action = &actions(&space)[0];
    let text = space.read(&format!(".meow/actions/{action}"));
    assert!(text.contains("kind = \"accepted\"") && text.contains("metric = \"duration_ms\""), "{text}");
    refused(&space, &["recommendations", "accept-change", "ci", "tset"], 2, "no step `tset`");
    refused(&space, &["recommendations", "accept-change", "cii"], 2, "no execution of a workflow `cii`");
    space.meow_ok(&["recommendations", "undo", action.trim_end_matches(".toml")]);
    assert_eq!(actions(&space).len(), 2);
}
