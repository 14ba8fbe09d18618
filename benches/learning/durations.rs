//! Predictions of durations beside the plain rules, and their speed.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use meow::import::jsonl;
use meow::learn::predictor::Forecaster;
use meow::learn::replay::{Predicted, Trace};
use meow::learn::score::{self, Method};
use meow::learn::{Learnt, State, learn};
use meow::record::{Attempt, Execution, ExecutionId, Outcome, Record, Source};
use meow::scan::History;
use meow::store::cache;

use crate::clock::Clock;

/// The start of the year 2025, from which `lotaru`'s full inputs count, microseconds since 1970.
const FULL_INPUTS_US: i64 = 1_735_689_600_000_000;

/// Sets, the metrics that are known at the start, and from when on attempts are scored.
const SETS: [(&str, &[&str], Option<i64>); 10] = [
    ("rust_steps", &[], None),
    ("rust_jobs", &[], None),
    ("bitcoin_jobs", &[], None),
    ("julia_jobs", &[], None),
    ("onegov_tests", &[], None),
    ("retrofit_tests", &[], None),
    ("bench_series", &[], None),
    ("sizey", &["requested_memory"], None),
    ("lotaru", &[], None),
    ("lotaru", &[], Some(FULL_INPUTS_US)),
];

/// Prints a row a set: meow's errors and those of the set's best rule.
pub fn table() {
    println!(
        "| set (rows / series) | error: meow / best rule | ratio | median error | below p90 | in p10-p90 | loss at p90: meow / best rule |"
    );
    println!("|---|---|---|---|---|---|---|");
    let mut logs: BTreeMap<&str, f64> = BTreeMap::new();
    for (set, trace, since) in sets() {
        let said = trace.replay(&mut Forecaster::default());
        let Some(since) = since else {
            logs.insert(set, row(set, &trace, &said, None).ln());
            continue;
        };
        // What all starts together is no test of intervals: nothing can be learnt from the mistakes. The rest is one.
        let before = trace.attempts.partition_point(|(known, _)| known.started_us < since);
        let cut = score::durations(&trace, &said, None).expect("enough history").since_us;
        let others = Trace { attempts: trace.attempts[..before].to_vec(), ..trace.clone() };
        row(&format!("{set}, the other inputs"), &others, &said[..before], Some(cut));
        row(&format!("{set}, full inputs"), &trace, &said, Some(since));
    }
    if logs.is_empty() {
        let trace = Trace::of(&generated(20_000, 50), &[]);
        row("generated", &trace, &trace.replay(&mut Forecaster::default()), None);
        return;
    }
    #[expect(clippy::cast_precision_loss, reason = "a few sets")]
    let mean = |left_out: &str| {
        let kept: Vec<f64> = logs.iter().filter(|(set, _)| **set != left_out).map(|(_, log)| *log).collect();
        (kept.iter().sum::<f64>() / kept.len() as f64).exp()
    };
    let left: Vec<String> = logs.keys().map(|set| format!("{set} {:.3}", mean(set))).collect();
    println!("\ngeometric mean of the ratios {:.3}; without one set: {}", mean(""), left.join(", "));
}

/// Returns the sets that are there, each with the time from which on attempts are scored where that is not the later half.
pub fn sets() -> impl Iterator<Item = (&'static str, Trace, Option<i64>)> {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    SETS.into_iter().filter_map(move |(set, known, since)| {
        let rows = jsonl::rows(File::open(data.join(format!("{set}.jsonl.gz"))).ok()?, set).expect("interchange rows");
        let known: Vec<String> = known.iter().map(|metric| (*metric).to_owned()).collect();
        Some((set, Trace::from_rows(&rows, &known), since))
    })
}

/// Returns the error of a forecaster over that of the best rule.
pub fn ratio(trace: &Trace, forecaster: &mut Forecaster) -> f64 {
    let scores = score::durations(trace, &trace.replay(forecaster), None).expect("enough history");
    let (own, rules) = scores.methods.split_last().expect("methods");
    let best = rules.iter().filter_map(|rule| rule.geo_mase).fold(f64::INFINITY, f64::min);
    own.geo_mase.expect("errors") / best
}

/// Prints a set's row; returns meow's error over that of the best rule.
fn row(name: &str, trace: &Trace, said: &[Predicted], since: Option<i64>) -> f64 {
    let scores = score::durations(trace, said, since).expect("enough history");
    let (meow, rules) = scores.methods.split_last().expect("methods");
    let best = |of: fn(&Method) -> Option<f64>| {
        rules.iter().filter_map(|rule| Some((of(rule)?, rule.name))).min_by(|a, b| a.0.total_cmp(&b.0)).expect("rules")
    };
    let (error, loss) = (best(|method| method.geo_mase), best(|method| method.pinball_p90));
    let (own_error, own_loss) = (meow.geo_mase.expect("errors"), meow.pinball_p90.expect("losses"));
    println!(
        "| {name} ({} / {}) | {own_error:.3} / {:.3} ({}) | {:.3} | {:.2} % | {:.3} | {:.3} | {own_loss:.3} / {:.3} ({}) |",
        scores.rows,
        scores.series,
        error.0,
        error.1,
        own_error / error.0,
        meow.mdape_percent,
        meow.coverage_p90,
        meow.coverage_p10_p90,
        loss.0,
        loss.1,
    );
    own_error / error.0
}

/// Prints how long learning takes, over ever longer histories, and all at once against in parts.
pub fn speed() {
    println!();
    for (attempts, series) in [(75_000, 750), (150_000, 1_500), (300_000, 3_000)] {
        let history = generated(attempts, series);
        let clock = Clock::start();
        let (_, knowledge) = learn(State::default(), &history);
        let steps: usize = knowledge
            .workflows
            .values()
            .map(|workflow| workflow.steps.iter().filter(|step| step.machine.is_none()).count())
            .sum();
        println!("{attempts} attempts of {steps} steps: learn {}", clock.told());
    }
    for series in [100, 3_000] {
        kept(300_000, series);
    }
    let trace = Trace::of(&generated(300_000, 3_000), &[]);
    let clock = Clock::start();
    let said = trace.replay(&mut Forecaster::default());
    println!("{} attempts predicted, then learnt from, one by one: {}", said.len(), clock.told());
}

/// Prints what it saves to keep what was learnt: of the same history, and of one that has grown by an execution.
fn kept(attempts: usize, series: usize) {
    let (history, grown) = (generated(attempts, series), generated(attempts + 10, series));
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("learnt");
    let learn = |history: &History| {
        let clock = Clock::start();
        let (learnt, new) = Learnt::after(cache::packed(&file, "bench"), history);
        // As `meow learn` does: a few are learnt again rather than all of it written.
        if new > learnt.executions() / 32 {
            cache::put_packed(&file, "bench", &learnt).expect("written");
        }
        let knowledge = learnt.knowledge();
        (knowledge, clock.processor_s())
    };
    let (first, nothing_s) = learn(&history);
    let (again, same_s) = learn(&history);
    let (_, more_s) = learn(&grown);
    assert_eq!(first, again, "what was kept says something else");
    let mib = std::fs::metadata(&file).map_or(0, |file| file.len()) >> 20;
    println!(
        "{attempts} attempts of {series} steps, kept in {mib} MiB: from nothing {nothing_s:.2} s of processor, the same again \
         {same_s:.2} s ({:.0} times as fast), an execution more {more_s:.2} s ({:.1} times as fast)",
        nothing_s / same_s,
        nothing_s / more_s
    );
}

/// Returns a history of executions of ten steps on three machine classes; durations follow a lognormal law.
fn generated(attempts: usize, series: usize) -> History {
    let mut bits = 1_u64;
    let mut unit = || {
        bits = bits.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        f64::from(u32::try_from(bits >> 32).expect("32 bits")) / f64::from(u32::MAX)
    };
    let mut records = Vec::with_capacity(attempts);
    for number in 0..attempts / 10 {
        let workflow = number % (series / 10);
        let machine = (unit() * 3.0).floor();
        let began = i64::try_from(number).expect("few") * 600;
        let execution = Arc::new(Execution {
            id: ExecutionId::imported("bench", &number.to_string(), ""),
            workflow: format!("w{workflow}"),
            started_at: Timestamp::from_second(1_767_225_600 + began).expect("a time"),
            duration_ms: Some(60_000.0),
            outcome: Outcome::Passed,
            trigger: "import:bench".into(),
            machine: Some(format!("machine-{machine}")),
            slots: None,
            variables: BTreeMap::new(),
            source: Source::default(),
            resumes: None,
        });
        for step in 0..10_u32 {
            // A sum of uniform numbers is close to a normal one.
            let noise = (0..4).map(|_| unit()).sum::<f64>() - 2.0;
            let duration = 1000.0 * f64::from(step + 1) * (0.2 * noise + 0.3 * machine).exp();
            records.push(Record { execution: Arc::clone(&execution), attempt: attempt(step, duration) });
        }
    }
    History::from_records("bench", &records)
}

fn attempt(step: u32, duration: f64) -> Attempt {
    Attempt {
        ready_ms: Some(0),
        duration_ms: Some(duration),
        outcome: Outcome::Passed,
        ..Attempt::new(format!("s{step}"), 1)
    }
}
