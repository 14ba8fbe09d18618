//! Memory set aside for steps on a real history: how many attempts would have run short, and how much lay idle.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

use meow::import::jsonl;
use meow::learn::memory::allocation;
use meow::learn::sized::allocation_at;

/// The latest peaks of a step that count, as in what `meow learn` keeps.
const KEPT: usize = 200;

/// An attempt: its series, start and end in milliseconds, peak and requested bytes, and whether it is a first one.
struct Row<'a> {
    series: (&'a str, &'a str),
    start: i64,
    end: i64,
    peak: f64,
    requested: f64,
    size: f64,
    first: bool,
}

/// How a rule did: attempts scored and short, bytes set aside and used.
#[derive(Default)]
struct Score {
    scored: u32,
    short: u32,
    allocated: f64,
    used: f64,
}

/// Prints short and waste of meow's allocation beside those of the plain rules, over the later half of `sizey`.
///
/// One step ahead: an attempt knows the peaks of attempts that ended by its start, and the memory requested for it.
/// Before the first peak, and for retries, every rule allocates what was requested.
pub fn table() {
    of("sizey", |row| row.metrics.get("requested_memory").copied().unwrap_or(f64::NAN), "what was requested");
    #[expect(clippy::cast_precision_loss, reason = "bytes stay far below 2^53")]
    of("lotaru", |row| row.inputs_bytes.map_or(f64::NAN, |bytes| bytes as f64), "the bytes of inputs");
}

fn of(set: &str, size: impl Fn(&jsonl::Row) -> f64, what: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../shared/data/{set}.jsonl.gz"));
    let Ok(file) = File::open(path) else { return };
    let read = jsonl::rows(file, set).expect("interchange rows");
    let metric = |row: &jsonl::Row, name| row.metrics.get(name).copied().unwrap_or(f64::NAN);
    let mut rows: Vec<Row> = read
        .iter()
        .map(|row| Row {
            series: (&row.workflow, &row.step),
            start: row.started_at.as_millisecond(),
            end: row.started_at.as_millisecond() + whole(row.duration_ms.unwrap_or(0.0)).max(1),
            peak: metric(row, "peak_rss"),
            requested: metric(row, "requested_memory"),
            size: size(row),
            first: row.attempt == 1,
        })
        .filter(|row| row.peak > 0.0)
        .collect();
    rows.sort_by_key(|row| row.start);
    println!(
        "\n| memory set aside, {set} ({} attempts) | short | waste | short, once a peak is known | waste |",
        rows.len()
    );
    println!("|---|---|---|---|---|");
    print("what was requested", &rows, |_, _, _| None);
    print("the largest so far", &rows, |known, _, _| known.iter().map(|(_, peak)| *peak).reduce(f64::max));
    print("p90 of the latest 200", &rows, |known, _, _| p90(&latest(known)));
    print("meow", &rows, |known, _, typical| allocation(&latest(known), typical));
    print(&format!("meow, by {what} where that was better"), &rows, |known, size, typical| {
        let known = &known[known.len().saturating_sub(KEPT)..];
        allocation_at(known, size, typical).or_else(|| allocation(&latest(known), typical))
    });
}

/// Returns the latest peaks.
fn latest(known: &[(f64, f64)]) -> Vec<f64> {
    known[known.len().saturating_sub(KEPT)..].iter().map(|(_, peak)| *peak).collect()
}

fn p90(peaks: &[f64]) -> Option<f64> {
    let mut sorted = peaks.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() * 9 / 10).copied()
}

fn print(name: &str, rows: &[Row], rule: impl Fn(&[(f64, f64)], f64, f64) -> Option<f64>) {
    let (all, known) = replay(rows, rule);
    let cells = |score: &Score| {
        let short = 100.0 * f64::from(score.short) / f64::from(score.scored.max(1));
        format!("{short:.2} % of {} | {:.1} %", score.scored, 100.0 * (score.allocated / score.used - 1.0))
    };
    println!("| {name} | {} | {} |", cells(&all), cells(&known));
}

/// Returns the score over the later half, and over those of it for which a peak was known.
fn replay(rows: &[Row], rule: impl Fn(&[(f64, f64)], f64, f64) -> Option<f64>) -> (Score, Score) {
    let mut ends: Vec<(i64, usize)> = rows.iter().map(|row| row.end).zip(0..).collect();
    ends.sort_unstable();
    let mut ended = ends.into_iter().peekable();
    let mut peaks: BTreeMap<(&str, &str), Vec<(f64, f64)>> = BTreeMap::new();
    let (mut sum, mut n) = (0.0, 0.0);
    let (mut all, mut known) = (Score::default(), Score::default());
    let half = rows[rows.len() / 2].start;
    for row in rows {
        while let Some((_, at)) = ended.next_if(|(end, _)| *end <= row.start) {
            peaks.entry(rows[at].series).or_default().push((rows[at].size, rows[at].peak));
            (sum, n) = (sum + rows[at].peak, n + 1.0);
        }
        if row.start < half {
            continue;
        }
        let said = peaks.get(&row.series).filter(|_| row.first).and_then(|known| rule(known, row.size, sum / n));
        let allocated = said.unwrap_or(row.requested).min(row.requested);
        all.add(allocated, row.peak);
        if peaks.contains_key(&row.series) {
            known.add(allocated, row.peak);
        }
    }
    (all, known)
}

impl Score {
    fn add(&mut self, allocated: f64, peak: f64) {
        self.scored += 1;
        self.short += u32::from(allocated < peak);
        self.allocated += allocated;
        self.used += peak;
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a cast of a float saturates")]
fn whole(value: f64) -> i64 {
    value as i64
}
