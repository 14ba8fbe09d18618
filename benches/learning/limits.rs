//! What learnt time limits would have stopped, on real histories.

use std::fs::File;
use std::path::Path;

use meow::import::jsonl;
use meow::learn::limits::{LimitScores, Tried, limits_by};
use meow::learn::replay::Trace;
use meow::learn::{LIMIT, LimitRule};

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
    let rules = rules();
    let mut tried: Vec<(&str, Vec<Tried>)> = Vec::new();
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
        let by_rule = limits_by(&Trace::from_rows(&rows, &[]), &rules);
        let scores = by_rule[0].scores;
        tried.push((set, by_rule));
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
        println!("\nlearnt limits by {} rules met again in {}", rules.len(), clock.told());
        held_out(&rules, &tried);
    }
}

/// Returns meow's own rule, and others around it.
fn rules() -> Vec<LimitRule> {
    let mut rules = vec![LIMIT];
    for samples in [20, 50, 100, 200] {
        for floor_ms in [60_000.0, 300_000.0, 600_000.0] {
            rules.extend([1.5, 3.0, 5.0, 10.0].map(|growth| LimitRule { samples, floor_ms, growth }));
        }
    }
    rules
}

/// Prints what a rule would have done to each set that was chosen on the others: of those that stop no healthy attempt
/// there, the one that stops hangs soonest.
fn held_out(rules: &[LimitRule], tried: &[(&str, Vec<Tried>)]) {
    println!(
        "\n| held out | chosen on the others: attempts, floor, growth | healthy stopped | a hang goes on for: chosen / meow's rule |"
    );
    println!("|---|---|---|---|");
    let (mut stopped, mut with_limit) = (0, 0);
    for (place, (set, own)) in tried.iter().enumerate() {
        let others = || tried.iter().enumerate().filter(|(other, _)| *other != place).map(|(_, (_, all))| all);
        // Every set counts the same, whatever its size.
        let goes_on = |rule: usize| others().map(|all| mean_ms(&all[rule])).sum::<f64>();
        let is_safe = |rule: &usize| others().all(|all| all[*rule].scores.healthy_stopped == 0);
        let chosen = (0..rules.len()).filter(is_safe).min_by(|a, b| goes_on(*a).total_cmp(&goes_on(*b)));
        let Some(chosen) = chosen else { continue };
        let (rule, held) = (rules[chosen], &own[chosen]);
        stopped += held.scores.healthy_stopped;
        with_limit += held.scores.passed;
        println!(
            "| {set} | {}, {:.0} min, {} times | {} of {} | {:.0} min / {:.0} min |",
            rule.samples,
            rule.floor_ms / 60_000.0,
            rule.growth,
            held.scores.healthy_stopped,
            held.scores.passed,
            mean_ms(held) / 60_000.0,
            mean_ms(&own[0]) / 60_000.0,
        );
    }
    println!("| all | | {stopped} of {with_limit} | |");
}

/// Returns how long an attempt that hangs goes on, in milliseconds.
fn mean_ms(tried: &Tried) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
    let attempts = tried.attempts.max(1) as f64;
    tried.hangs_ms / attempts
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
