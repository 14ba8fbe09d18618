//! The store: bytes and back, journals of the living and the dead, sealing.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use jiff::Timestamp;
use meow::clock::Clock;
use meow::record::{Attempt, Digest, Execution, ExecutionId, Outcome, Predicted, Record, Source};
use meow::store::journal::{self, Journal, State};
use meow::store::seal::SealInto;
use meow::store::spool::Spool;
use meow::store::{segment, segments};
use proptest::prelude::*;

const WRITER: &str = "0123456789ab";

fn digest(seed: u8) -> Digest {
    Digest::from_bytes(std::array::from_fn(|at| seed.wrapping_mul(31).wrapping_add(u8::try_from(at).expect("small"))))
}

/// Returns an execution in which no two values are equal and none is a default.
pub fn execution(seed: u8) -> Execution {
    let n = f64::from(seed);
    Execution {
        id: ExecutionId::from_bytes(*digest(seed.wrapping_add(100)).bytes()),
        workflow: format!("workflow-{seed}"),
        started_at: Timestamp::from_second(1_763_806_500 + i64::from(seed) * 61).expect("in range"),
        duration_ms: Some(10_000.5 + n),
        outcome: Outcome::WORDS[usize::from(seed) % 3].0,
        trigger: format!("hook:{seed}"),
        machine: Some(format!("linux-x86_64-{seed}c-16g")),
        slots: Some(2 + u32::from(seed)),
        variables: [("profile".to_owned(), format!("dev {seed}")), ("ä".to_owned(), "☃\n".to_owned())].into(),
        source: Source {
            commit: Some(digest(seed.wrapping_add(1))),
            tree: Some(digest(seed.wrapping_add(2))),
            patch: Some(digest(seed.wrapping_add(3))),
            range_patch: Some(digest(seed.wrapping_add(4))),
            tracked: Some(digest(seed.wrapping_add(5))),
            dirty: Some(seed.is_multiple_of(2)),
            branch: Some(format!("branch-{seed}")),
        },
        resumes: Some(ExecutionId::from_bytes(*digest(seed.wrapping_add(6)).bytes())),
    }
}

/// Returns an attempt in which no two values are equal and none is a default.
pub fn attempt(seed: u8) -> Attempt {
    let (n, r) = (u64::from(seed), f64::from(seed));
    Attempt {
        step: format!("step {seed}"),
        attempt: 2 + u32::from(seed),
        ready_ms: Some(1_000 + n),
        started_ms: 2_000 + n,
        duration_ms: Some(3_000.123 + r),
        outcome: Outcome::WORDS[usize::from(seed + 1) % 3].0,
        exit_code: Some(-4 - i32::from(seed)),
        signal: Some(300 + i32::from(seed)),
        timed_out: seed % 2 == 1,
        user_ms: Some(5_000 + n),
        system_ms: Some(6_000 + n),
        peak_memory_bytes: Some(7_000_000_000 + n),
        read_bytes: Some(8_000_000_000_000 + n),
        written_bytes: Some(9_000 + n),
        slot: Some(700 + u32::from(seed)),
        needs: vec![format!("need {seed}"), "other".to_owned()],
        command: Some(digest(seed.wrapping_add(50))),
        filled: Some(digest(seed.wrapping_add(51))),
        error: Some(digest(seed.wrapping_add(52))),
        undone: Some(Outcome::WORDS[usize::from(seed + 2) % 3].0),
        inputs_bytes: Some(11_000 + n),
        inputs: Some(digest(seed.wrapping_add(53))),
        predicted: Some(Predicted { p10_ms: 12.5 + r, p50_ms: 13.25 + r, p90_ms: 14.125 + r, failure: 0.1 + r / 1e4 }),
        metrics: [("tokens".to_owned(), 0.1 + r), ("cost".to_owned(), -r)].into(),
    }
}

fn sparse(step: &str) -> Attempt {
    let full = attempt(9);
    Attempt { started_ms: full.started_ms, outcome: full.outcome, ..Attempt::new(step, 1) }
}

/// Returns `steps` records for each of `executions`, in the order of a segment.
fn records(executions: u8, steps: u8) -> Vec<Record> {
    let mut records = Vec::new();
    for seed in 0..executions {
        let execution = Arc::new(execution(seed));
        records.extend((0..steps).map(|step| Record { execution: Arc::clone(&execution), attempt: attempt(step) }));
    }
    records
}

#[test]
fn store_every_column_survives_the_bytes() {
    let mut given = records(3, 4);
    let bare = Execution {
        duration_ms: None,
        machine: None,
        slots: None,
        variables: std::collections::BTreeMap::new(),
        source: Source::default(),
        resumes: None,
        ..execution(9)
    };
    given.push(Record { execution: Arc::new(bare), attempt: sparse("z") });
    let bytes = segment::encode(&given).expect("encoded");
    let read = segment::decode(&bytes).expect("decoded");
    assert_eq!(read, given);
    assert!(Arc::ptr_eq(&read[0].execution, &read[3].execution), "one execution, one place in memory");
    assert!(segment::decode(&segment::encode(&[]).expect("empty")).expect("empty").is_empty());
}

#[test]
fn store_same_records_same_bytes_in_any_order() {
    let mut given = records(4, 5);
    let bytes = segment::encode(&given).expect("encoded");
    given.reverse();
    given.rotate_left(7);
    given.push(given[3].clone());
    assert_eq!(segment::encode(&given).expect("encoded"), bytes);
    assert!(String::from_utf8_lossy(&bytes).contains("meow.format"));
}

#[test]
fn store_every_changed_byte_is_found() {
    let given = records(1, 2);
    let bytes = segment::encode(&given).expect("encoded");
    let name = segment::place(&given, WRITER, given[0].execution.started_at, &bytes);
    assert!(name.starts_with("records/month=2025-11/20251122T101500Z-0123456789ab-"), "{name}");
    assert_eq!(segment::open(&name, &bytes).expect("whole"), given);
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 1 << (at % 8);
        let error = segment::open(&name, &changed).expect_err("changed");
        assert!(error.to_string().contains(&name), "{error}");
    }
    assert!(segment::open("records/month=2025-11/x.parquet", &bytes).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn store_property_encode_then_decode(
        seeds in prop::collection::btree_set(0_u8..100, 1..6),
        text in "\\PC{0,12}",
        number in prop::num::f64::NORMAL | prop::num::f64::ZERO | prop::num::f64::SUBNORMAL | prop::num::f64::INFINITE,
        whole in 0..=u64::try_from(i64::MAX).expect("positive"),
        absent in any::<bool>(),
    ) {
        let execution = Arc::new(Execution { workflow: text.clone(), duration_ms: Some(number), ..execution(3) });
        let given: Vec<Record> = seeds.iter().map(|seed| Record {
            execution: Arc::clone(&execution),
            attempt: Attempt {
                step: format!("{seed:03}{text}"),
                duration_ms: (!absent).then_some(number),
                started_ms: whole,
                read_bytes: absent.then_some(whole),
                metrics: [(text.clone(), number)].into(),
                ..attempt(*seed)
            },
        }).collect();
        let read = segment::decode(&segment::encode(&given).expect("encoded")).expect("decoded");
        prop_assert_eq!(read, given);
    }

    #[test]
    fn store_property_damaged_bytes_never_panic(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        cut in any::<prop::sample::Index>(),
        is_cut in any::<bool>(),
        noise in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let mut bytes = segment::encode(&records(2, 3)).expect("encoded");
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if is_cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        let _ = segment::decode(&bytes);
        prop_assert!(segment::decode(&noise).is_err());
    }
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder")
}

fn began(seed: u8) -> Execution {
    Execution { duration_ms: None, outcome: Outcome::Cancelled, ..execution(seed) }
}

/// Leaves a finished journal of `steps` attempts in the spool.
fn spool_one(spool: &Spool, worktree: &str, seed: u8, steps: u8) {
    let journal = spool.create(worktree, &began(seed)).expect("created");
    (0..steps).for_each(|step| journal.append(&attempt(step)).expect("appended"));
    journal.close(&execution(seed)).expect("closed");
}

#[test]
fn store_journal_of_the_living_the_finished_and_the_dead() {
    let folder = folder();
    let open = Journal::create(folder.path(), &began(1)).expect("created");
    assert!(Journal::create(folder.path(), &began(1)).is_err(), "an execution has one journal");
    open.started(&sparse("a")).expect("started");
    open.append(&Attempt { duration_ms: Some(7.0), ..sparse("a") }).expect("appended");
    open.started(&sparse("b")).expect("started");
    open.sync().expect("synced");
    let path = open.path().to_path_buf();
    let running = journal::read(&path).expect("read");
    assert_eq!((running.state, running.closed, running.torn), (State::Running, false, 0));
    assert_eq!(journal::state(&path).expect("read"), State::Running);

    drop(open);
    let dead = journal::read(&path).expect("read");
    assert_eq!((dead.state, journal::state(&path).expect("read")), (State::Interrupted, State::Interrupted));
    assert_eq!(dead.execution.outcome, Outcome::Cancelled);
    let ends: Vec<_> = dead.attempts.iter().map(|a| (a.step.as_str(), a.duration_ms, a.outcome)).collect();
    assert_eq!(ends, [("a", Some(7.0), sparse("a").outcome), ("b", None, Outcome::Cancelled)]);

    let open = Journal::create(folder.path(), &began(2)).expect("created");
    let path = open.path().to_path_buf();
    open.append(&attempt(5)).expect("appended");
    open.close(&execution(2)).expect("closed");
    let finished = journal::read(&path).expect("read");
    assert_eq!((finished.state, finished.closed, finished.torn), (State::Finished, true, 0));
    assert_eq!(journal::state(&path).expect("read"), State::Finished);
    assert_eq!(finished.execution, execution(2));
    assert_eq!(finished.attempts, [attempt(5)]);
}

#[test]
fn store_journal_torn_anywhere_keeps_what_was_whole() {
    let folder = folder();
    let open = Journal::create(folder.path(), &began(1)).expect("created");
    open.append(&attempt(1)).expect("appended");
    open.append(&attempt(2)).expect("appended");
    let path = open.path().to_path_buf();
    drop(open);
    let whole = std::fs::read(&path).expect("read");
    let ends: Vec<usize> = whole.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at).collect();
    for length in 0..whole.len() {
        std::fs::write(&path, &whole[..length]).expect("torn");
        if length < ends[1] {
            assert!(journal::read(&path).is_err(), "no first line at {length}");
            continue;
        }
        let read = journal::read(&path).expect("read");
        // Every line stands between two line ends of its own.
        let attempts = usize::from(length >= ends[3]) + usize::from(length >= ends[5]);
        let torn = (length > ends[2] + 1 && length < ends[3]) || (length > ends[4] + 1 && length < ends[5]);
        assert_eq!((read.attempts.len(), read.torn), (attempts, usize::from(torn)), "{length}");
    }
    let mut changed = whole.clone();
    changed[ends[2] + 40] ^= 1;
    std::fs::write(&path, &changed).expect("changed");
    let read = journal::read(&path).expect("read");
    assert_eq!((read.attempts, read.torn), (vec![attempt(2)], 1));
}

fn everywhere(_: &str) -> bool {
    true
}

fn seal(spool: &Spool, meow: &Path) -> meow::store::seal::Sealed {
    let now = Timestamp::from_second(1_763_900_000).expect("in range");
    spool.seal(&SealInto { meow, writer: WRITER, now }, &everywhere).expect("sealed")
}

#[test]
fn store_sealing_happens_once_and_never_to_the_living() {
    let folder = folder();
    let (spool, meow) = (Spool::new(&folder.path().join("git")), folder.path().join(".meow"));
    assert!(seal(&spool, &meow).places.is_empty());
    spool_one(&spool, "main", 1, 3);
    spool_one(&spool, "gone/away", 2, 2);
    let alive = spool.create("main", &began(3)).expect("created");
    alive.append(&attempt(1)).expect("appended");
    let first = seal(&spool, &meow);
    assert_eq!((first.executions, first.records), (2, 5));
    let [place] = &first.places[..] else { panic!("one segment: {first:?}") };
    assert!(seal(&spool, &meow).places.is_empty(), "sealed twice");
    let found = segments(&meow).expect("listed");
    assert_eq!(found.iter().map(|segment| &segment.place).collect::<Vec<_>>(), [place]);
    assert_eq!(found[0].records().expect("whole").len(), 5);

    drop(alive);
    let second = seal(&spool, &meow);
    assert_eq!((second.executions, second.records), (1, 1), "the dead are sealed as interrupted");
    assert_eq!(spool.records().expect("read").0.len(), 6, "nothing is freed by sealing");
    assert_eq!(segments(&meow).expect("listed").len(), 2);
}

#[test]
fn store_a_journal_is_freed_only_when_its_segment_is_reached() {
    let folder = folder();
    let (spool, meow) = (Spool::new(&folder.path().join("git")), folder.path().join(".meow"));
    spool_one(&spool, "main", 1, 3);
    let place = seal(&spool, &meow).places.pop().expect("a segment");
    let present = |place: &str| meow.join(place).exists();
    assert_eq!(spool.settle(&|_| false, &present).expect("settled"), 0);
    assert_eq!(spool.list().expect("listed").len(), 1);
    assert_eq!(spool.sealed().expect("marks"), std::slice::from_ref(&place));

    // An aborted commit that was cleaned away: the segment vanished, so the executions are sealed anew.
    std::fs::remove_file(meow.join(&place)).expect("removed");
    assert_eq!(spool.settle(&|_| false, &present).expect("settled"), 0);
    assert_eq!(seal(&spool, &meow).places, std::slice::from_ref(&place), "the same records give the same file");

    assert_eq!(spool.settle(&|reached| reached == place, &present).expect("settled"), 1);
    assert!(spool.list().expect("listed").is_empty());
    assert!(spool.sealed().expect("marks").is_empty());
    assert!(seal(&spool, &meow).places.is_empty());
}

#[test]
fn store_a_journal_of_which_nothing_reached_the_disk_is_named_no_more() {
    let folder = folder();
    let (spool, meow) = (Spool::new(&folder.path().join("private")), folder.path().join(".meow"));
    for seed in 1..=3 {
        spool_one(&spool, "main", seed, 2);
    }
    let paths: Vec<_> = spool.list().expect("listed").into_iter().map(|spooled| spooled.path).collect();
    let whole = std::fs::read(&paths[2]).expect("read");
    std::fs::write(&paths[0], b"").expect("cut");
    std::fs::write(&paths[1], [&[0; 4096], &whole[..40]].concat()).expect("cut");
    // The first line is lost, and others are not.
    let second = whole.iter().enumerate().filter(|(_, byte)| **byte == b'\n').nth(1).expect("lines").0;
    std::fs::write(&paths[2], &whole[second..]).expect("cut");
    let sealed = seal(&spool, &meow);
    assert_eq!((sealed.executions, sealed.troubles.len()), (0, 1), "{:?}", sealed.troubles);
    assert!(sealed.troubles[0].to_string().contains(paths[2].to_str().expect("plain")));
    assert_eq!(paths.iter().map(|path| path.exists()).collect::<Vec<_>>(), [false, false, true]);
}

#[test]
fn store_many_sealing_at_once_seal_once() {
    let folder = folder();
    let (spool, meow) = (Spool::new(&folder.path().join("git")), folder.path().join(".meow"));
    (0..12).for_each(|seed| spool_one(&spool, "main", seed, 2));
    let sealed: usize = std::thread::scope(|scope| {
        let calls: Vec<_> = (0..8).map(|_| scope.spawn(|| seal(&spool, &meow).records)).collect();
        calls.into_iter().map(|call| call.join().expect("no panic")).sum()
    });
    assert_eq!(sealed, 24);
    assert_eq!(segments(&meow).expect("listed").len(), 1);
}

#[test]
fn store_writer_is_drawn_once_for_a_clone() {
    let folder = folder();
    let spool = Spool::new(&folder.path().join("git"));
    let clock = Clock::system();
    let ids: Vec<String> = std::thread::scope(|scope| {
        let calls: Vec<_> = (0..8).map(|_| scope.spawn(|| spool.writer(&clock).expect("drawn"))).collect();
        calls.into_iter().map(|call| call.join().expect("no panic")).collect()
    });
    assert!(ids.iter().all(|id| id == &ids[0] && id.len() == 12), "{ids:?}");
    std::fs::write(folder.path().join("git/writer"), "../../x\n").expect("written");
    assert!(spool.writer(&clock).is_err(), "a writer id becomes part of a path");
}

#[test]
fn store_documents_are_deterministic_and_named_safely() {
    let folder = folder();
    let value: std::collections::BTreeMap<String, f64> = [("b".to_owned(), 2.0), ("a".to_owned(), 1.5)].into();
    for id in ["ci", "../../etc/passwd", ".hidden", "a/b\\c", "ä b", "con.trol", "%2e", ""] {
        let path = meow::store::put(folder.path(), "patterns", id, &value).expect("written");
        assert_eq!(path.parent(), Some(folder.path().join("patterns").as_path()), "{id}");
        let read = meow::store::get::<std::collections::BTreeMap<String, f64>>(folder.path(), "patterns", id);
        assert_eq!(read.expect("read"), Some(value.clone()), "{id}");
    }
    let listed = meow::store::list(folder.path(), "patterns").expect("listed");
    assert_eq!(listed, ["", "%2e", "../../etc/passwd", ".hidden", "a/b\\c", "ci", "con.trol", "ä b"]);
    assert_eq!(std::fs::read_to_string(folder.path().join("patterns/ci.toml")).expect("text"), "a = 1.5\nb = 2.0\n");

    std::fs::write(folder.path().join("patterns/ci.toml"), "<<<<<<< HEAD\na = 1\n=======\na = 2\n>>>>>>> b\n")
        .expect("w");
    let error = meow::store::get::<toml::Table>(folder.path(), "patterns", "ci").expect_err("a conflict");
    assert!(error.hint_text().is_some_and(|hint| hint.contains("meow learn")), "{error}");
    std::fs::write(folder.path().join("patterns/ci.toml"), "a = 1 #".to_owned() + &" ".repeat(300 << 10)).expect("w");
    assert!(meow::store::get::<toml::Table>(folder.path(), "patterns", "ci").is_err());
    assert_eq!(meow::store::get::<toml::Table>(folder.path(), "patterns", "absent").expect("none"), None);
}

/// Plays a process that appends until it is killed; started by the test below, in this same binary.
#[test]
#[ignore = "the victim of store_a_killed_process_loses_no_appended_attempt"]
fn store_victim() {
    let Some(folder) = std::env::var_os("VICTIM_FOLDER") else { return };
    let journal = Journal::create(Path::new(&folder), &began(1)).expect("created");
    for number in 1.. {
        journal.started(&Attempt { attempt: number, ..sparse("s") }).expect("started");
        journal.append(&Attempt { attempt: number, duration_ms: Some(1.0), ..sparse("s") }).expect("appended");
        // Through a file, since the test harness keeps standard output to itself.
        std::fs::write(Path::new(&folder).join("count"), number.to_string()).expect("counted");
    }
}

#[test]
fn store_a_killed_process_loses_no_appended_attempt() {
    let folder = folder();
    let count =
        || std::fs::read_to_string(folder.path().join("count")).ok().and_then(|text| text.parse::<usize>().ok());
    let mut victim = Command::new(std::env::current_exe().expect("this binary"))
        .args(["--exact", "store::store_victim", "--ignored"])
        .env("VICTIM_FOLDER", folder.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("started");
    while count().is_none_or(|count| count < 50) {
        assert!(victim.try_wait().expect("asked").is_none(), "the victim died by itself");
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    let path = folder.path().join(format!("{}.journal", began(1).id));
    assert_eq!(journal::read(&path).expect("read").state, State::Running);
    victim.kill().expect("killed");
    victim.wait().expect("reaped");
    let read = journal::read(&path).expect("read");
    assert_eq!((read.state, read.closed), (State::Interrupted, false));
    let passed = read.attempts.iter().filter(|attempt| attempt.duration_ms.is_some()).count();
    assert!(passed >= count().unwrap_or(50), "{passed} attempts of {:?}", count());
    assert!(read.torn <= 1);
}

#[test]
fn store_segments_answer_sql() {
    let space = crate::space::Space::empty();
    let spool = Spool::new(&space.root().join("git"));
    (0..5).for_each(|seed| spool_one(&spool, "main", seed, 2));
    seal(&spool, &space.root().join(".meow"));
    let query = "import duckdb\n\
        q = \"SELECT step, count(*), median(duration_ms), max(metrics['tokens']), max(hex(execution)), max(needs[1]), \
        max(variables['ä']) FROM '.meow/records/**/*.parquet' GROUP BY step ORDER BY step\"\n\
        print(duckdb.sql(q).fetchall())";
    let python = Command::new("python3").args(["-c", "import duckdb"]).output();
    if !python.is_ok_and(|output| output.status.success()) {
        assert!(std::env::var_os("MEOW_REQUIRE_PEERS").is_none(), "python3 with duckdb is required and missing");
        println!("skipped: python3 has no duckdb (pip install duckdb)");
        return;
    }
    let output = Command::new("python3").args(["-c", query]).current_dir(space.root()).output().expect("python3");
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    let id = execution(4).id.max(execution(0).id).to_string().to_uppercase();
    assert!(said.contains("('step 0', 5, 3000.123, 0.1,"), "{said}");
    assert!(said.contains("('step 1', 5, 3001.123, 1.1,"), "{said}");
    assert!(said.contains("'need 1'") && said.contains("'☃\\n'") && said.contains(&id[..4]), "{said}");
}
