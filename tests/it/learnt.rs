//! What was learnt is kept, and says the same as learning from nothing whatever came in between.

use std::collections::BTreeSet;

use meow::learn::{Learnt, State, hints, learn, outlook};
use meow::record::{ExecutionId, Record};
use meow::scan::History;
use meow::store::cache;
use tempfile::TempDir;

use crate::learn::chain;
use crate::null::{Draw, history, null_history};
use crate::space::Space;

/// Learns the history of some executions, keeps that in a file, and goes on from there with all of them.
///
/// Returns whether what was kept was of use.
fn check(records: &[Record], first: &BTreeSet<ExecutionId>, what: &str) {
    let folder = TempDir::new().expect("a folder");
    let file = folder.path().join("learnt");
    let part = records.iter().filter(|record| first.contains(&record.execution.id));
    let (kept, _) = Learnt::after(None, &History::from_records("project", part));
    cache::put_packed(&file, "test", &kept).expect("written");
    let back: Learnt = cache::packed(&file, "test").expect("what was written");
    assert_eq!(back, kept, "{what}");

    let whole = History::from_records("project", records);
    let (learnt, new) = Learnt::after(Some(back), &whole);
    let (nothing, _) = Learnt::after(None, &whole);
    assert_eq!(learnt, nothing, "{what}");
    assert_eq!(learnt.knowledge(), learn(State::default(), &whole).1, "{what}");
    assert_eq!(new > 0, first.len() < whole.executions.len(), "{what}");
    assert_eq!(Learnt::after(Some(learnt), &whole).1, 0, "{what}: the same history teaches nothing new");
}

#[test]
fn any_part_first_and_then_the_whole_is_the_whole() {
    for seed in 0..12 {
        let mut draw = Draw::new(seed);
        let records = if seed % 3 == 0 { history(&chain(60, 0.3, 0.05, 0.1), &mut draw) } else { null_history(seed) };
        let order = History::from_records("project", &records).executions.id;
        // Up to a time, as histories grow; without a few, which then come late; and any other part.
        let early: BTreeSet<ExecutionId> =
            order.iter().take(draw.one(&[0, 1, order.len() / 2, order.len() - 1, order.len()])).copied().collect();
        check(&records, &early, &format!("seed {seed}, the start"));
        let late = draw.one(&order);
        let without = order.iter().copied().filter(|id| *id != late).collect();
        check(&records, &without, &format!("seed {seed}, one that comes late"));
        let some = order.iter().copied().filter(|_| draw.happens(0.5)).collect();
        check(&records, &some, &format!("seed {seed}, any part"));
    }
}

#[test]
fn what_a_plan_asks_is_what_the_patterns_say() {
    for seed in 0..6 {
        let mut draw = Draw::new(seed);
        let records = if seed % 2 == 0 { history(&chain(250, 0.3, 0.05, 0.1), &mut draw) } else { null_history(seed) };
        let history = History::from_records("project", &records);
        let knowledge = learn(State::default(), &history).1;
        let machines: BTreeSet<_> =
            records.iter().map(|record| record.execution.machine.clone().unwrap_or_default()).collect();
        assert!(!knowledge.workflows.is_empty());
        for (workflow, pattern) in &knowledge.workflows {
            for machine in machines.iter().map(String::as_str).chain(["a machine that is new"]) {
                let mut asked = outlook(&history, workflow, machine);
                let said = hints(pattern, machine);
                assert_eq!(asked.steps.len(), said.steps.len(), "{seed} {workflow}");
                for (step, said) in &said.steps {
                    let asked = asked.steps.get_mut(step).expect("known");
                    assert_eq!(asked.duration_ms.is_some(), said.duration_ms.is_some(), "{seed} {workflow}");
                    // How long the next attempt runs, the replay says.
                    asked.duration_ms = said.duration_ms;
                }
                assert_eq!(asked, said, "{seed} {workflow} {machine}");
            }
        }
        assert_eq!(outlook(&history, "no such workflow", "").steps.len(), 0);
    }
}

#[test]
fn what_changed_or_went_is_forgotten() {
    let mut records = null_history(3);
    let (kept, _) = Learnt::after(None, &History::from_records("project", &records));
    let bytes = |learnt: &Learnt| format!("{learnt:?}");
    let before = bytes(&kept);
    let middle = records.len() / 2;
    records[middle].attempt.duration_ms = Some(987_654.0);
    let changed = History::from_records("project", &records);
    let (learnt, new) = Learnt::after(Some(kept), &changed);
    assert!(new > 0 && bytes(&learnt) != before);
    assert_eq!(learnt, Learnt::after(None, &changed).0);
    records.truncate(middle);
    let fewer = History::from_records("project", &records);
    assert_eq!(Learnt::after(Some(learnt), &fewer).0, Learnt::after(None, &fewer).0);
}

#[test]
fn commands_say_the_same_with_what_was_kept_without_it_and_with_damage() {
    let row = |place: u32| {
        let (second, minute, hour) = (place % 60, place / 60 % 60, place / 3600);
        let duration = 1_000 + place * 7919 % 300;
        format!(
            "{{\"execution\":\"e{}\",\"workflow\":\"ci\",\"step\":\"s{}\",\"attempt\":1,\
             \"started_at\":\"2026-01-01T{hour:02}:{minute:02}:{second:02}Z\",\"duration_ms\":{duration},\"outcome\":\"passed\"}}\n",
            place / 5,
            place % 5
        )
    };
    let rows = |from: u32, to: u32| (from..to).map(row).collect::<String>();
    let space = Space::repository();
    let patterns = |space: &Space| space.meow_ok(&["learn", "--json"]);
    space.write("rows.jsonl", &rows(0, 1_000));
    space.meow_ok(&["import", "jsonl", "rows.jsonl"]);
    patterns(&space);
    assert!(!space.has(".git/meow/cache/learnt"), "little is learnt from nothing");
    space.write("rows.jsonl", &rows(0, 2_400));
    space.meow_ok(&["import", "jsonl", "rows.jsonl"]);
    let first = patterns(&space);
    let file = space.root().join(".git/meow/cache/learnt");
    let kept = std::fs::read(&file).expect("kept");
    assert_eq!(patterns(&space), first);
    let mut damaged = kept.clone();
    damaged[kept.len() / 2] ^= 1;
    for bytes in [&damaged[..], &kept[..100], b""] {
        std::fs::write(&file, bytes).expect("written");
        assert_eq!(patterns(&space), first);
        assert_eq!(std::fs::read(&file).expect("kept anew"), kept);
    }
    space.write("rows.jsonl", &rows(0, 2_500));
    space.meow_ok(&["import", "jsonl", "rows.jsonl"]);
    let more = patterns(&space);
    std::fs::remove_file(&file).expect("removed");
    assert_eq!(patterns(&space), more);
    assert_ne!(more, first);
}
