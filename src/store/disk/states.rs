//! Crashes at every call and thousands of states of the disk: what was acknowledged is found, whole files are whole
//! (tests only).

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use fastrand::Rng;
use jiff::Timestamp;

use super::log::{self, Call, calls_of};
use crate::record::{Attempt, Execution, ExecutionId, Outcome, Source};
use crate::store::seal::SealInto;
use crate::store::spool::Spool;
use crate::store::{segments, toml};

const WRITER: &str = "0123456789ab";

pub(in crate::store) fn execution(number: u8) -> Execution {
    Execution {
        id: ExecutionId::from_bytes([number; 12]),
        workflow: "ci".to_owned(),
        started_at: now(number),
        duration_ms: Some(10.0),
        outcome: Outcome::Passed,
        trigger: "person".to_owned(),
        machine: None,
        slots: Some(1),
        variables: BTreeMap::new(),
        source: Source::default(),
        resumes: None,
    }
}

fn now(number: u8) -> Timestamp {
    Timestamp::from_second(1_763_806_500 + 60 * i64::from(number)).expect("in range")
}

fn name(number: u8, step: &str) -> String {
    format!("{} {step}", ExecutionId::from_bytes([number; 12]))
}

/// Does what a clone does on some days: executions, sealings, a commit that frees journals, documents written anew.
fn days(root: &Path, random: &mut Rng) {
    let (private, meow) = (root.join("git/meow"), root.join("work/.meow"));
    let spool = Spool::new(&private);
    for number in 1..=random.u8(1..=3) {
        let journal = spool.create("main", &execution(number)).expect("a journal");
        let mut kept = Vec::new();
        for step in ["one", "two", "three"].iter().take(random.usize(1..=3)) {
            let attempt = Attempt { duration_ms: Some(3.0), outcome: Outcome::Passed, ..Attempt::new(*step, 1) };
            journal.append(&attempt).expect("appended");
            kept.push(name(number, step));
            if random.bool() {
                journal.sync().expect("synced");
                kept.drain(..).for_each(|name| log::log(|| Call::Acknowledged(name)));
            }
        }
        if random.bool() {
            journal.close(&execution(number)).expect("closed");
            kept.drain(..).for_each(|name| log::log(|| Call::Acknowledged(name)));
        } else {
            drop(journal);
        }
        if random.bool() {
            let into = SealInto { meow: &meow, writer: WRITER, now: now(number) };
            spool.seal(&into, &|_| true).expect("sealed");
        }
        let value = BTreeMap::from([("number", i64::from(number)), ("twice", 2 * i64::from(number))]);
        toml::put(&meow, "patterns", "ci", &value).expect("put");
    }
    // Nothing is reached by a commit here, so that nothing may be freed but what was thrown away.
    spool.settle(&|_| false, &|place| meow.join(place).is_file()).expect("settled");
}

/// Returns the attempts that a clone in this state finds, after it sealed what it could.
fn found(root: &Path) -> BTreeSet<String> {
    let (private, meow) = (root.join("git/meow"), root.join("work/.meow"));
    let spool = Spool::new(&private);
    spool.settle(&|_| false, &|place| meow.join(place).is_file()).expect("settled");
    let into = SealInto { meow: &meow, writer: WRITER, now: now(200) };
    spool.seal(&into, &|_| true).expect("sealed");
    let mut found = BTreeSet::new();
    for segment in segments(&meow).expect("listed") {
        for record in segment.records().expect("a segment is whole or absent") {
            found.insert(format!("{} {}", record.execution.id, record.attempt.step));
        }
    }
    found
}

/// Returns a folder on a disk that is quick to sync, where there is one.
fn memory() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a folder")
}

fn check(seed: u64, states: usize) -> usize {
    let mut random = Rng::with_seed(seed);
    let world = memory();
    let calls = calls_of(|| days(world.path(), &mut random));
    for _ in 0..states {
        let after = random.usize(0..=calls.len());
        let left = memory();
        log::crash(&calls[..after], world.path(), left.path(), &mut random);
        let found = found(left.path());
        for call in &calls[..after] {
            if let Call::Acknowledged(name) = call {
                assert!(found.contains(name), "seed {seed}, {after} calls: {name} is lost\n{:#?}", &calls[..after]);
            }
        }
        if let Ok(text) = fs::read_to_string(left.path().join("work/.meow/patterns/ci.toml")) {
            let value: BTreeMap<String, i64> = ::toml::from_str(&text).expect("old or new, never torn");
            assert_eq!(value["twice"], 2 * value["number"], "seed {seed}: {text}");
        }
    }
    states
}

#[test]
fn what_a_crash_leaves_is_old_or_new() {
    let states: usize = (0..40).map(|seed| check(seed, 10)).sum();
    assert_eq!(states, 400);
}

#[test]
#[ignore = "12,000 states, about a minute"]
fn what_twelve_thousand_crashes_leave_is_old_or_new() {
    let states: usize = (0..600).map(|seed| check(seed, 20)).sum();
    assert_eq!(states, 12_000);
}
