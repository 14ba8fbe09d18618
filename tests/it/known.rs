//! What a scan keeps for the next one: derived, never needed, and never other than what the segments say.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;
use meow::git::Repository;
use meow::record::columns::{Attempts, Executions, Name};
use meow::record::{Columns, Record};
use meow::scan::{self, History};
use meow::store::{self, segment};
use proptest::prelude::*;

use crate::sealing::execute;
use crate::space::Space;
use crate::store::{attempt, execution};

/// Returns every value of every column as text; the numbers of names and lists do not matter.
fn told(history: &History) -> String {
    let mut texts: Vec<&str> = history.names.texts().collect();
    texts.sort_unstable();
    let number = |name: &str| Name(u32::try_from(texts.binary_search(&name).expect("one of them")).expect("few"));
    let names: Vec<Name> = history.names.texts().map(number).collect();
    let mut executions = Executions::default();
    executions.append(&history.executions, 0..history.executions.len(), &names);
    let mut attempts = Attempts::default();
    attempts.append(&history.attempts, 0..history.attempts.len(), &names);
    let needs: Vec<Vec<Name>> = std::mem::take(&mut attempts.needs)
        .into_iter()
        .map(|list| history.attempts.needs_lists[list as usize].iter().map(|name| names[name.0 as usize]).collect())
        .collect();
    let text = |name: &Name| texts[name.0 as usize];
    let steps: Vec<&str> = attempts.step.iter().map(text).collect();
    let workflows: Vec<&str> = executions.workflow.iter().map(text).collect();
    format!("{:?}\n{executions:?}\n{attempts:?}\n{needs:?}\n{steps:?}\n{workflows:?}", history.repositories)
}

fn of(columns: Columns) -> History {
    let mut collector = scan::Collector::default();
    let repository = collector.repository("work");
    collector.add_all(repository, columns);
    collector.finish()
}

fn scanned(space: &Space) -> String {
    told(&scan::repository(&Repository::open(&space.root()).expect("opens")))
}

fn file(space: &Space) -> PathBuf {
    space.root().join(".git/meow/cache/history")
}

/// Commits segments of one execution each.
fn recorded(space: &Space, numbers: std::ops::Range<u8>) {
    for number in numbers {
        execute(&space.root(), number);
        space.meow_ok(&["commit"]);
    }
}

#[test]
fn what_is_kept_says_what_the_segments_say() {
    let space = Space::repository();
    recorded(&space, 1..3);
    let few = scanned(&space);
    assert!(!file(&space).exists(), "two segments are read quickly");
    recorded(&space, 3..7);
    let first = scanned(&space);
    assert!(file(&space).exists() && first.len() > few.len());
    assert_eq!(scanned(&space), first);
    // What is new comes on top: of a commit, of the work tree, of the spool.
    recorded(&space, 7..8);
    execute(&space.root(), 8);
    let more = scanned(&space);
    fs::remove_file(file(&space)).expect("removed");
    assert_eq!(scanned(&space), more);
    // Without the rest of the git directory it would say nothing new: nothing of it is ever committed.
    assert!(!space.git(&["status", "--porcelain", "--ignored"]).contains("cache"));
}

#[test]
fn a_damaged_file_is_as_good_as_none_and_made_anew() {
    let space = Space::repository();
    recorded(&space, 1..6);
    let first = scanned(&space);
    let bytes = fs::read(file(&space)).expect("read");
    for at in (0..bytes.len()).step_by(61) {
        let mut changed = bytes.clone();
        changed[at] ^= 4;
        fs::write(file(&space), changed).expect("written");
        assert_eq!(scanned(&space), first, "byte {at}");
    }
    for damaged in [&bytes[..bytes.len() / 2], b"", b"meow history 0 0 0.0.0\n"] {
        fs::write(file(&space), damaged).expect("written");
        assert_eq!(scanned(&space), first);
        assert_eq!(fs::read(file(&space)).expect("read").len(), bytes.len());
    }
    // A file that cannot be written costs time only.
    fs::remove_dir_all(space.root().join(".git/meow/cache")).expect("removed");
    fs::write(space.root().join(".git/meow/cache"), "in the way").expect("written");
    assert_eq!(scanned(&space), first);
}

#[test]
fn nothing_that_a_hostile_file_claims_is_believed() {
    let space = Space::repository();
    recorded(&space, 1..6);
    let first = scanned(&space);
    let bytes = fs::read(file(&space)).expect("read");
    let body = bytes.iter().position(|byte| *byte == b'\n').expect("a first line") + 1;
    let end = bytes.len() - 32;
    let mut tried = 0;
    for at in body..end {
        for value in [0, 1, 255] {
            let mut changed = bytes.clone();
            changed[at] = value;
            let hash = blake3::hash(&changed[body..end]);
            changed[end..].copy_from_slice(hash.as_bytes());
            fs::write(file(&space), changed).expect("written");
            // Whatever is read: the process lives, and every name and place is one of those that there are.
            if let Some((_, columns)) = store::history::load(&space.root().join(".git/meow")) {
                let _ = told(&of(columns));
            }
            tried += 1;
        }
    }
    assert!(tried > 1_000);
    fs::remove_file(file(&space)).expect("removed");
    assert_eq!(scanned(&space), first);
}

#[test]
fn what_is_gone_is_gone_from_what_is_kept() {
    let space = Space::repository();
    recorded(&space, 1..6);
    space.git(&["checkout", "--quiet", "-b", "topic"]);
    recorded(&space, 6..7);
    space.git(&["checkout", "--quiet", "main"]);
    scanned(&space);
    let id = "030303030303030303030303";
    let kept = |space: &Space| {
        let bytes = fs::read(file(space)).unwrap_or_default();
        bytes.windows(12).any(|window| window == [3; 12])
    };
    assert!(kept(&space));
    space.write(".git/meow/cache/learnt", "what that execution taught");
    space.meow_ok(&["purge", id]);
    assert!(!space.has(".git/meow/cache/learnt"));
    // The other branch still holds its segment, which is cut at every reading.
    for _ in 0..2 {
        assert!(!kept(&space) && !scanned(&space).contains(id));
    }
    assert!(scanned(&space).contains("060606060606060606060606"));
    space.git(&["branch", "--quiet", "-D", "topic"]);
    // Its journal waits for a commit that HEAD reaches.
    fs::remove_dir_all(space.root().join(".git/meow/spool")).expect("removed");
    let without = scanned(&space);
    assert!(!without.contains("060606060606060606060606"), "a branch that is gone gives nothing");
    assert!(!kept(&space));
    let _ = fs::remove_file(file(&space));
    assert_eq!(scanned(&space), without);
}

#[test]
fn many_scans_at_once_find_the_same() {
    let space = Space::repository();
    recorded(&space, 1..6);
    let first = scanned(&space);
    let root = space.root();
    let scan = |number: u8| {
        for _ in 0..4 {
            if number.is_multiple_of(3) {
                let _ = fs::remove_file(root.join(".git/meow/cache/history"));
            }
            assert_eq!(told(&scan::repository(&Repository::open(&root).expect("opens"))), first);
        }
    };
    std::thread::scope(|scope| {
        for number in 0..8 {
            let scan = &scan;
            scope.spawn(move || scan(number));
        }
    });
    assert_eq!(scanned(&space), first);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn columns_say_what_records_say(
        seeds in prop::collection::vec((0_u8..6, 0_u8..90, any::<bool>()), 0..40),
        text in "\\PC{0,6}",
        real in prop::num::f64::ANY,
    ) {
        let executions: Vec<_> = (0..6_u8).map(|seed| {
            let full = execution(seed);
            Arc::new(if seed < 3 { full } else {
                meow::record::Execution {
                    duration_ms: None, machine: None, slots: None, source: meow::record::Source::default(),
                    workflow: text.clone(), ..full
                }
            })
        }).collect();
        let records: Vec<Record> = seeds.iter().map(|(execution, step, bare)| {
            let full = attempt(*step);
            let attempt = if *bare {
                meow::record::Attempt { started_ms: 7, ..meow::record::Attempt::new(format!("{text}{step}"), 1) }
            } else {
                meow::record::Attempt { metrics: [(text.clone(), real), ("b".to_owned(), 1.0)].into(), ..full }
            };
            Record { execution: Arc::clone(&executions[usize::from(*execution)]), attempt }
        }).collect();
        let bytes = segment::encode(&records).expect("encoded");
        let name = segment::place(&records, "0123456789ab", Timestamp::UNIX_EPOCH, &bytes);
        let columns = segment::columns(&name, &bytes).expect("read");
        let decoded = segment::open(&name, &bytes).expect("read");
        let expected = told(&of(Columns::of(&decoded)));
        prop_assert_eq!(&told(&of(columns.clone())), &expected);
        prop_assert_eq!(&told(&of(Columns::of(&records))), &expected, "doubles and order do not matter");
        // Several segments at once say what each says; one execution may lie in two of them.
        let parts: Vec<(String, Vec<u8>)> = records.chunks(3).map(|part| {
            let bytes = segment::encode(part).expect("encoded");
            (segment::place(part, "0123456789ab", Timestamp::UNIX_EPOCH, &bytes), bytes)
        }).collect();
        let named: Vec<(&str, &[u8])> = parts.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
        let mut one_by_one = scan::Collector::default();
        let repository = one_by_one.repository("work");
        for (name, bytes) in &named {
            one_by_one.add_all(repository, segment::columns(name, bytes).expect("read"));
        }
        // What every row lacks of the later columns is no column of that file.
        if let Some(together) = segment::columns_of_all(&named) {
            prop_assert_eq!(told(&of(together)), told(&one_by_one.finish()));
        } else {
            let has_inputs = |part: &[Record]| part.iter().any(|record| record.attempt.inputs.is_some());
            let has: Vec<bool> = records.chunks(3).map(has_inputs).collect();
            prop_assert!(has.contains(&true) && has.contains(&false));
        }
        if let Some((first, bytes)) = named.first() {
            let flipped: Vec<u8> = bytes.iter().map(|byte| byte ^ 1).collect();
            let damaged: Vec<(&str, &[u8])> =
                [(*first, flipped.as_slice())].into_iter().chain(named[1..].iter().copied()).collect();
            prop_assert!(segment::columns_of_all(&damaged).is_none());
        }
        // Through the file and back.
        let folder = tempfile::tempdir().expect("a folder");
        let read = store::history::Cached::default();
        store::history::save(folder.path(), &read, &mut columns.clone()).expect("written");
        let (kept, columns) = store::history::load(folder.path()).expect("just written");
        prop_assert_eq!(kept, read);
        prop_assert_eq!(told(&of(columns)), expected);
    }
}
