//! Time until the first failure, with and without risky cheap steps first, on recorded runs in which a step failed.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

use meow::import::jsonl::{self, Row};
use meow::learn::predictor::Forecaster;
use meow::learn::replay::{Predicted, Trace};
use meow::plan::{Hints, Limits, Odds, Plan, Policy, StepHint, plan, simulate};
use meow::record::Outcome;
use meow::workflow::{Step, StepId, Workflow};

/// Sets whose runs have several steps, some of which failed; durations are real.
const SETS: [&str; 2] = ["bitcoin_jobs", "retrofit_tests"];
const SLOTS: [u32; 3] = [2, 4, 8];

/// A step of a run: what was foreseen of it when the run began, and what came out.
struct Attempt {
    step: String,
    said: Predicted,
    /// Attempts of it that ended before the run began.
    tried: u64,
    duration_ms: f64,
    failed: bool,
}

/// Prints a row a set and number of slots.
pub fn table() {
    println!("\nTime until the first failure, all runs together; whole run as if nothing failed, geometric mean");
    println!(
        "| set | slots | runs with a failure | fifo | learned | risky first | risky first / learned | whole run: risky first / learned | > 1 % slower | worst |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|");
    for set in SETS {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../shared/data/{set}.jsonl.gz"));
        let Ok(file) = File::open(file) else { continue };
        let runs = runs(jsonl::rows(file, set).expect("interchange rows"));
        let failing: Vec<&Vec<Attempt>> =
            runs.iter().filter(|run| run.len() > 2 && run.iter().any(|attempt| attempt.failed)).collect();
        for slots in SLOTS {
            row(set, slots, &failing);
        }
    }
}

/// Returns the runs in order of time, each foreseen as a whole from what had ended before it began.
fn runs(mut rows: Vec<Row>) -> Vec<Vec<Attempt>> {
    rows.retain(|row| {
        row.attempt == 1 && row.outcome != Outcome::Cancelled && row.duration_ms.is_some_and(|ms| ms > 0.0)
    });
    let mut begun = BTreeMap::new();
    for row in &rows {
        let first = begun.entry((row.workflow.clone(), row.execution.clone())).or_insert(row.started_at);
        *first = row.started_at.min(*first);
    }
    for row in &mut rows {
        row.started_at = begun[&(row.workflow.clone(), row.execution.clone())];
    }
    let trace = Trace::from_rows(&rows, &[]);
    let said = trace.replay(&mut Forecaster::default());
    let mut runs: BTreeMap<u32, Vec<Attempt>> = BTreeMap::new();
    let mut tried: BTreeMap<_, u64> = BTreeMap::new();
    for ((known, came), said) in trace.attempts.iter().zip(said) {
        let tried = tried.entry((known.workflow, known.step)).or_default();
        runs.entry(known.execution).or_default().push(Attempt {
            step: trace.names.text(known.step).to_owned(),
            said,
            tried: *tried,
            duration_ms: came.duration_ms,
            failed: came.outcome == Outcome::Failed,
        });
        *tried += 1;
    }
    runs.into_values().collect()
}

fn row(set: &str, slots: u32, failing: &[&Vec<Attempt>]) {
    let (mut first_ms, mut ratios) = ([0.0; 3], Vec::new());
    for run in failing {
        let durations: Vec<f64> = run.iter().map(|attempt| attempt.duration_ms).collect();
        let early = planned(run, slots);
        let plans = [Policy::Fifo, Policy::Learned].map(|policy| early.clone().ordered(policy, &durations));
        let [fifo, learned] = plans;
        let whole = [fifo, learned, early].map(|plan| {
            let timeline = simulate(&plan, &durations, slots);
            let ends = timeline.runs.iter().filter(|one| run[one.step.at()].failed).map(|one| one.ended_ms);
            (ends.fold(f64::INFINITY, f64::min), timeline.duration_ms())
        });
        for (sum, (first, _)) in first_ms.iter_mut().zip(whole) {
            *sum += first / 60_000.0;
        }
        ratios.push(whole[2].1 / whole[1].1);
    }
    #[expect(clippy::cast_precision_loss, reason = "some hundred runs")]
    let mean = (ratios.iter().map(|ratio| ratio.ln()).sum::<f64>() / ratios.len().max(1) as f64).exp();
    println!(
        "| {set} | {slots} | {} | {:.1} min | {:.1} min | {:.1} min | {:.3} | {mean:.4} | {} of {} | {:.3} |",
        ratios.len(),
        first_ms[0],
        first_ms[1],
        first_ms[2],
        first_ms[2] / first_ms[1],
        ratios.iter().filter(|ratio| **ratio > 1.01).count(),
        ratios.len(),
        ratios.iter().copied().fold(0.0, f64::max),
    );
}

/// Returns the plan that meow would have made.
fn planned(run: &[Attempt], slots: u32) -> Plan {
    let steps = run.iter().enumerate().map(|(place, attempt)| Step::new(&id(place, attempt), "true", [""; 0]));
    let workflow = Workflow { name: "run".to_owned(), steps: steps.collect(), ..Workflow::default() };
    let hint = |(place, attempt): (usize, &Attempt)| {
        let odds = |mean| Odds { mean, low: mean, high: mean, n: attempt.tried };
        let failure = attempt.said.failure.filter(|_| attempt.tried > 0).map(odds);
        let hint = StepHint { duration_ms: attempt.said.duration_ms, failure, ..StepHint::default() };
        (StepId(id(place, attempt)), hint)
    };
    let hints = Hints { steps: run.iter().enumerate().map(hint).collect(), order: None };
    plan(&workflow, &hints, &Limits { slots, cpus: None, memory_bytes: None }).expect("a plan")
}

/// The same step may stand twice in a run.
fn id(place: usize, attempt: &Attempt) -> String {
    format!("{} {place}", attempt.step)
}
