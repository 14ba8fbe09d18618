//! Executions replayed from real ones: names, durations and machines are theirs, every other column is filled as meow's own
//! would be.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use meow::import;
use meow::record::{Attempt, Digest, Execution, ExecutionId, Predicted, Record, Source, grain};

use super::Outcome;

/// Real executions, again and again with new ids and times.
pub struct Replay {
    groups: Vec<Vec<Record>>,
    number: u64,
}

impl Replay {
    /// Reads the rows of `../shared/data/rust_steps.jsonl.gz`, or makes irregular ones where that is not there.
    pub fn new() -> Outcome<Self> {
        let file = file();
        let rows: Vec<Record> = if file.exists() {
            let options = import::Options { workflow: None, branch: &|branch| Some(branch.to_owned()) };
            import::read_rows(fs::File::open(file)?, "rows", &options)?.executions().flatten().collect()
        } else {
            generated(2_000)
        };
        let mut grouped = BTreeMap::<(Timestamp, ExecutionId), Vec<Record>>::new();
        for row in rows {
            grouped.entry((row.execution.started_at, row.execution.id)).or_default().push(row);
        }
        Ok(Self { groups: grouped.into_values().collect(), number: 0 })
    }

    /// Returns the next execution, of up to `steps` steps.
    pub fn next(&mut self, steps: usize) -> Vec<Record> {
        let at = usize::try_from(self.number).unwrap_or(0) % self.groups.len();
        complete(&self.groups[at], steps, &mut self.number)
    }

    /// Returns the records of the next executions; they have 8.2 steps on average.
    pub fn batch(&mut self, executions: usize) -> Vec<Record> {
        (0..executions).flat_map(|_| self.next(if self.number.is_multiple_of(5) { 9 } else { 8 })).collect()
    }
}

/// Says where the rows come from.
pub fn origin() -> &'static str {
    if file().exists() { "../shared/data/rust_steps.jsonl.gz" } else { "rows made up here" }
}

fn file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/rust_steps.jsonl.gz")
}

fn complete(rows: &[Record], steps: usize, number: &mut u64) -> Vec<Record> {
    *number += 1;
    let mut chance = Chance(*number);
    let first = &rows[0].execution;
    let commit = Digest::of(&(*number / 2).to_le_bytes());
    let execution = Arc::new(Execution {
        id: ExecutionId::from_bytes(*Digest::of(&number.to_be_bytes()).bytes()),
        started_at: Timestamp::from_second(
            1_763_806_500 + i64::try_from(*number * 900 + chance.below(800)).unwrap_or(0),
        )
        .expect("in range"),
        trigger: "person".to_owned(),
        machine: Some("linux-x86_64-8c-32g".to_owned()),
        slots: Some(8),
        source: Source {
            commit: Some(commit),
            tree: Some(Digest::of(&[1, chance.below(255) as u8, *number as u8])),
            patch: Some(Digest::of(commit.bytes())),
            range_patch: Some(Digest::of(&[2, chance.below(255) as u8, *number as u8])),
            tracked: (chance.below(3) == 0).then(|| Digest::of(&[3, chance.below(255) as u8, *number as u8])),
            dirty: Some(chance.below(3) == 0),
            branch: Some(if chance.below(2) == 0 {
                "main".to_owned()
            } else {
                Digest::of(&[*number as u8 / 9]).to_string()
            }),
        },
        ..(**first).clone()
    });
    let (mut started, mut previous) = (0, Vec::new());
    // The steps that take longest are the ones that a person would have made steps.
    let mut longest: Vec<&Record> = rows.iter().collect();
    longest.sort_by(|a, b| b.attempt.duration_ms.partial_cmp(&a.attempt.duration_ms).expect("finite"));
    longest.truncate(steps);
    longest.sort_by(|a, b| a.attempt.step.cmp(&b.attempt.step));
    let attempts = longest.into_iter().enumerate().map(|(at, row)| {
        let duration = row.attempt.duration_ms.unwrap_or(1.0);
        let near =
            |chance: &mut Chance, share: f64| (duration * share * (0.7 + chance.below(1000) as f64 / 1600.0)) as u64;
        let name: String = row.attempt.step.chars().take_while(|c| *c != '{').filter(|c| *c != ' ').collect();
        let step = format!("{}-{at}", name.to_lowercase());
        let attempt = Attempt {
            ready_ms: Some(started),
            started_ms: started + chance.below(9),
            duration_ms: Some(grain::measured_ms(duration + chance.below(1000) as f64 / 1000.0)),
            exit_code: Some(0),
            user_ms: Some(near(&mut chance, 2.5)),
            system_ms: Some(near(&mut chance, 0.2)),
            peak_memory_bytes: Some((near(&mut chance, 9.0) + 9000) * 4096),
            read_bytes: Some(near(&mut chance, 30_000.0)),
            written_bytes: Some(near(&mut chance, 9_000.0)),
            slot: Some(u32::try_from(chance.below(8)).unwrap_or(0)),
            needs: std::mem::replace(&mut previous, vec![step.clone()]),
            command: Some(Digest::of(step.as_bytes())),
            predicted: Some(Predicted {
                p10_ms: grain::predicted(duration * 0.8),
                p50_ms: grain::predicted(duration),
                p90_ms: grain::predicted(duration * 1.3),
                failure: grain::predicted(0.02),
            }),
            step,
            ..row.attempt.clone()
        };
        started += duration as u64;
        Record { execution: Arc::clone(&execution), attempt }
    });
    let records: Vec<Record> = attempts.collect();
    let wall = Execution { duration_ms: Some(started as f64 + 0.125), ..(*execution).clone() };
    let wall = Arc::new(wall);
    records.into_iter().map(|record| Record { execution: Arc::clone(&wall), attempt: record.attempt }).collect()
}

/// Irregular rows for machines without the real ones.
fn generated(most: usize) -> Vec<Record> {
    let mut chance = Chance(7);
    let mut text = String::new();
    for execution in 0..most {
        for step in 0..10 + chance.below(4) as usize {
            let duration = 50 * (step as u64 + 1) * (50 + chance.below(100));
            writeln!(
                text,
                "{{\"execution\":\"{execution}\",\"workflow\":\"ci-{}\",\"step\":\"Step{step} {{\",\"attempt\":1,\
                 \"started_at\":\"2026-01-01T00:00:00Z\",\"duration_ms\":{duration},\"outcome\":\"passed\"}}",
                execution % 5
            )
            .expect("text grows");
        }
    }
    let options = import::Options { workflow: None, branch: &|_| None };
    import::read_rows(text.as_bytes(), "generated", &options).expect("own rows").executions().flatten().collect()
}

/// A small generator (xorshift*, Marsaglia 2003), so that every run measures the same rows.
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(0x1234_5678_9ABC_DEF1);
        let mut x = self.0;
        x ^= x >> 29;
        x = x.wrapping_mul(0xBF58_476D_1CE4_E5B9);
        (x ^ (x >> 32)) % end
    }
}
