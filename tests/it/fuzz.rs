//! Damaged and hostile files: whatever the bytes, no reader dies, hangs, believes a changed segment or takes much memory.
//!
//! Mutants are seeded: `FUZZ_FROM=<seed> FUZZ_COUNT=1 cargo test fuzz_victim -- --ignored --nocapture` makes one again.
#![expect(clippy::print_stdout, reason = "what became of the mutants is a table to be read")]

mod bombs;
mod heap;
mod mutate;
mod readers;
mod values;

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use fastrand::Rng;
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

use mutate::mutate;
use readers::{Reader, VALUES, readers};

/// The most that a reader may hold for a file of up to a MiB, in bytes.
const MOST_HELD: usize = 64 << 20;
/// Seeds from here on are no bombs.
const MOST_BOMBS: u64 = 10_000;
/// Nobody waits longer for one mutant.
const PATIENCE: Duration = Duration::from_secs(30);

/// What became of one reader's mutants.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Tally {
    mutants: u64,
    /// Changed, and yet of a kind that the reader takes.
    taken: u64,
    /// Time spent in the reader, in seconds.
    seconds: f64,
    /// The most that was held for one, in bytes, and its seed.
    peak: usize,
    peak_seed: u64,
    /// The same for the samples as they are.
    plain_peak: usize,
    /// Seeds at which the reader panicked.
    panics: Vec<u64>,
}

/// Returns the reader of a seed and its mutant; the same seed gives the same. The first seeds are the bombs.
fn mutant(seed: u64, readers: &[Reader], bombs: &[(usize, Vec<u8>)]) -> (usize, Vec<u8>) {
    if let Some(bomb) = usize::try_from(seed).ok().and_then(|seed| bombs.get(seed)) {
        return bomb.clone();
    }
    let mut random = Rng::with_seed(seed);
    let shares: Vec<usize> =
        readers.iter().enumerate().flat_map(|(at, reader)| std::iter::repeat_n(at, reader.share)).collect();
    let at = *random.choice(&shares).expect("readers");
    let samples = &readers[at].samples;
    let (sample, other) = (random.choice(samples).expect("one"), random.choice(samples).expect("one"));
    (at, mutate(sample, other, &mut random))
}

/// Returns every bomb with the reader that it is for.
fn bombs(readers: &[Reader]) -> Vec<(usize, Vec<u8>)> {
    let segment = readers.iter().position(|reader| reader.name == "segment").expect("a reader");
    let texts = bombs::texts();
    let of_text = (0..readers.len()).filter(|at| *at != segment && readers[*at].name != VALUES);
    let of_text = of_text.flat_map(|at| texts.iter().map(move |text| (at, text.clone())));
    bombs::segments().into_iter().map(|bytes| (segment, bytes)).chain(of_text).collect()
}

/// Reads the mutants of a range of seeds; each is written down before it is read.
#[test]
#[ignore = "the victim of the tests below"]
fn fuzz_victim() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let (Some(from), Some(count)) = (number("FUZZ_FROM"), number("FUZZ_COUNT")) else { return };
    let folder = memory();
    let notes = std::env::var_os("FUZZ_NOTES");
    let notes = notes.map_or_else(|| folder.path().join("notes"), Into::into);
    let at_work = File::create(&notes).expect("notes");
    let readers = readers();
    let mut tallies: Vec<Tally> = readers.iter().map(|_| Tally::default()).collect();
    for (reader, tally) in readers.iter().zip(&mut tallies) {
        for sample in &reader.samples {
            let (taken, peak) = heap::peak(|| reader.takes(folder.path(), sample));
            assert!(taken, "{} takes its own sample", reader.name);
            tally.plain_peak = tally.plain_peak.max(peak);
        }
    }
    let bombs = if from < MOST_BOMBS { bombs(&readers) } else { Vec::new() };
    for seed in from..from + count {
        at_work.write_all_at(&seed.to_le_bytes(), 0).expect("noted");
        let (at, bytes) = mutant(seed, &readers, &bombs);
        let (reader, tally) = (&readers[at], &mut tallies[at]);
        tally.mutants += 1;
        let read = || catch_unwind(AssertUnwindSafe(|| reader.takes(folder.path(), &bytes)));
        let started = Instant::now();
        let (taken, peak) = heap::peak(read);
        tally.seconds += started.elapsed().as_secs_f64();
        match taken {
            Ok(taken) => tally.taken += u64::from(taken),
            Err(_) => tally.panics.push(seed),
        }
        if peak > tally.peak {
            (tally.peak, tally.peak_seed) = (peak, seed);
        }
    }
    let all: BTreeMap<&str, &Tally> = readers.iter().map(|reader| reader.name.as_str()).zip(&tallies).collect();
    let text = serde_json::to_string(&all).expect("JSON");
    at_work.write_all_at(text.as_bytes(), 8).expect("noted");
}

/// Reads so many mutants in another process, which may die.
fn survives(from: u64, count: u64) {
    let folder = memory();
    let notes = folder.path().join("notes");
    let mut victim = Command::new(std::env::current_exe().expect("this binary"))
        .args(["--exact", "fuzz::fuzz_victim", "--ignored", "--nocapture"])
        .env("FUZZ_FROM", from.to_string())
        .env("FUZZ_COUNT", count.to_string())
        .env("FUZZ_NOTES", &notes)
        .stdout(Stdio::null())
        .stderr(Stdio::inherit())
        .spawn()
        .expect("started");
    let (mut last, mut since) = (u64::MAX, Instant::now());
    let status = loop {
        if let Some(status) = victim.try_wait().expect("asked") {
            break status;
        }
        std::thread::sleep(Duration::from_millis(20));
        let seed = noted(&notes);
        if seed != last {
            (last, since) = (seed, Instant::now());
        }
        if since.elapsed() > PATIENCE {
            victim.kill().expect("killed");
            victim.wait().expect("reaped");
            panic!("{} hangs: FUZZ_FROM={seed}", named(seed));
        }
    };
    let seed = noted(&notes);
    assert!(status.success(), "{} died ({status}): FUZZ_FROM={seed}", named(seed));
    let text = std::fs::read(&notes).expect("notes");
    let tallies: BTreeMap<String, Tally> = serde_json::from_slice(&text[8..]).expect("tallies");
    println!(
        "{:<26} {:>8} {:>7} {:>9} {:>10} {:>10} {:>9}",
        "reader", "mutants", "taken", "seconds", "held, KiB", "plain, KiB", "at seed"
    );
    for (name, tally) in &tallies {
        let (held, plain) = (tally.peak >> 10, tally.plain_peak >> 10);
        let Tally { mutants, taken, seconds, peak_seed, .. } = tally;
        println!("{name:<26} {mutants:>8} {taken:>7} {seconds:>9.1} {held:>10} {plain:>10} {peak_seed:>9}");
    }
    println!(
        "{} mutants, 0 deaths, 0 changed segments believed under their old name",
        tallies.values().map(|tally| tally.mutants).sum::<u64>()
    );
    for (name, tally) in &tallies {
        assert!(tally.panics.is_empty(), "{name} panics: FUZZ_FROM={:?}", tally.panics);
        assert!(tally.peak <= MOST_HELD, "{name} holds {} MiB: FUZZ_FROM={}", tally.peak >> 20, tally.peak_seed);
    }
}

/// Returns a folder in memory where there is one: a disk waits for each file that is written anew, ten times as long as
/// it is read.
fn memory() -> TempDir {
    let shared = Path::new("/dev/shm");
    if shared.is_dir() { tempfile::tempdir_in(shared) } else { tempfile::tempdir() }.expect("a folder")
}

/// Returns the reader of a seed.
fn named(seed: u64) -> String {
    let readers = readers();
    let bombs = if seed < MOST_BOMBS { bombs(&readers) } else { Vec::new() };
    readers[mutant(seed, &readers, &bombs).0].name.clone()
}

/// Returns the seed that is read.
fn noted(notes: &Path) -> u64 {
    let mut seed = [0; 8];
    let read = File::open(notes).and_then(|file| file.read_exact_at(&mut seed, 0));
    read.map_or(u64::MAX, |()| u64::from_le_bytes(seed))
}

#[test]
fn fuzz_some_mutants_are_survived() {
    survives(MOST_BOMBS, 2_000);
}

#[test]
fn fuzz_bombs_are_survived() {
    let count = bombs(&readers()).len();
    survives(0, count as u64);
}

#[test]
#[ignore = "minutes; MEOW_FUZZ=1000000 for more than 100,000 mutants"]
fn fuzz_100_000_mutants_are_survived() {
    let count = std::env::var("MEOW_FUZZ").ok().and_then(|text| text.parse().ok()).unwrap_or(100_000);
    survives(1_000_000, count);
}
