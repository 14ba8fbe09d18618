//! What learnt time limits would have stopped, on real histories.

use std::fs::File;
use std::path::Path;

use meow::import::jsonl;
use meow::learn::limits::{LimitScores, limits};
use meow::learn::replay::Trace;

use crate::clock::Clock;

/// All sets with durations.
const SETS: [&str; 10] = [
    "rust_steps",
    "rust_jobs",
    "bitcoin_jobs",
    "julia_jobs",
    "onegov_tests",
    "retrofit_tests",
    "iofrol_tests",
    "bench_series",
    "sizey",
    "lotaru",
];

/// Prints a row a set and their sum.
pub fn table() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    let mut sum = LimitScores::default();
    let mut sets = 0;
    let clock = Clock::start();
    for set in SETS {
        let Ok(file) = File::open(data.join(format!("{set}.jsonl.gz"))) else { continue };
        let rows = jsonl::rows(file, set).expect("interchange rows");
        if sets == 0 {
            println!(
                "\n| set | passed with a learnt limit | of them stopped | closest to its limit | not passed with a limit | of them beyond it | hours saved | a hang stopped after (median) | within 6 h | passed and watched | of them named slow |"
            );
            println!("|---|---|---|---|---|---|---|---|---|---|---|");
        }
        sets += 1;
        let scores = limits(&Trace::from_rows(&rows, &[])).unwrap_or_default();
        row(set, &scores);
        sum.passed += scores.passed;
        sum.healthy_stopped += scores.healthy_stopped;
        sum.closest = sum.closest.max(scores.closest);
        sum.not_passed += scores.not_passed;
        sum.hung += scores.hung;
        sum.saved_ms += scores.saved_ms;
        sum.watched += scores.watched;
        sum.healthy_named += scores.healthy_named;
    }
    if sets > 0 {
        row("all", &sum);
        println!("\nlearnt limits met again in {}", clock.told());
    }
}

fn row(set: &str, scores: &LimitScores) {
    println!(
        "| {set} | {} | {} | {:.1} % | {} | {} | {:.2} | {} | {} | {} | {} |",
        scores.passed,
        scores.healthy_stopped,
        100.0 * scores.closest,
        scores.not_passed,
        scores.hung,
        scores.saved_ms / 3.6e6,
        if scores.stops_after_ms > 0.0 { format!("{:.0} min", scores.stops_after_ms / 60_000.0) } else { "-".into() },
        if scores.stops_after_ms > 0.0 { format!("{:.1} %", 100.0 * scores.within_six_hours) } else { "-".into() },
        scores.watched,
        scores.healthy_named,
    );
}
