//! What is claimed of histories without any effect, and how large an effect has to be to be found.

use std::collections::BTreeMap;

use meow::learn::change::changes;
use meow::learn::{State, Trend, Verdict, insights, learn, trends};
use meow::record::Record;
use meow::scan::History;

use crate::made::{Draw, Made, Shape, history, null_history};

/// Seeds that are tried of each kind.
const SEEDS: u64 = 100;

/// Prints the claims on histories without effects, then how many of several effects are found.
pub fn table() {
    println!("\n| claimed of 100 histories without any effect | in |");
    println!("|---|---|");
    let histories: Vec<History> = (0..SEEDS).map(|seed| of(&null_history(seed))).collect();
    let count = |claims: &dyn Fn(&History) -> bool| histories.iter().filter(|history| claims(history)).count();
    let is_flaky = |history: &History| {
        let knowledge = learn(State::default(), history).1;
        let mut steps = knowledge.workflows.values().flat_map(|workflow| &workflow.steps);
        steps.any(|step| step.flakiness.is_some_and(|flakiness| flakiness.verdict == Verdict::Flaky))
    };
    let has_changed = |history: &History| !trends(history).is_empty();
    let has_insight = |history: &History| !insights(history, &trends(history), &BTreeMap::new()).is_empty();
    println!("| a flaky step | {} |", count(&is_flaky));
    println!("| a change (slower, faster, more memory, more failures) | {} |", count(&has_changed));
    println!("| an insight (changes are among them) | {} |", count(&has_insight));
    stable();
    let after = [5, 10, 20, 40];
    println!(
        "\n| found in 100 histories of 40 executions, then so many after | {} |",
        after.map(|n| n.to_string()).join(" | ")
    );
    println!("|---|---|---|---|---|");
    for (sigma, factor) in [(0.1, 1.1), (0.1, 1.2), (0.1, 1.5), (0.3, 1.2), (0.3, 1.5), (0.3, 2.0)] {
        let found = after.map(|n| found("duration_ms", sigma, (0.0, 0.0), factor, n));
        println!("| {:+.0} % time, spread {:.0} % | {} |", 100.0 * (factor - 1.0), 100.0 * sigma, found.join(" | "));
    }
    for rate in [0.1, 0.2, 0.4, 0.8] {
        let found = after.map(|n| found("failed", 0.1, (0.02, rate), 1.0, n));
        println!("| 2 % to {:.0} % failures | {} |", 100.0 * rate, found.join(" | "));
    }
}

/// Prints the false alarms on stable series of 500 numbers: normal ones, and lognormal ones.
fn stable() {
    let alarms = |sigma: f64, is_normal: bool| {
        let mut draw = Draw::new(if is_normal { 1 } else { 2 });
        let mut series = || -> Vec<f64> {
            let value = |z: f64| if is_normal { 100.0 + sigma * z } else { 100.0 * (sigma * z).exp() };
            (0..500).map(|_| value(draw.normal())).collect()
        };
        (0..SEEDS).filter(|_| !changes(&series()).is_empty()).count()
    };
    println!("| a change, in 100 stable series of 500 normal numbers | {} |", alarms(5.0, true));
    println!("| a change, in 100 stable series of 500 lognormal numbers | {} |", alarms(0.25, false));
}

/// Returns in how many of the histories, in percent, a change of this measure is found, and only of the step concerned.
fn found(measure: &str, sigma: f64, rates: (f64, f64), factor: f64, after: usize) -> String {
    let is_right = |trend: &Trend| trend.measure == measure && trend.step == "test" && trend.after > trend.before;
    let found = (0..SEEDS).filter(|seed| {
        let mut draw = Draw::new(10_000 + seed);
        let mut records = history(&shape(40, sigma, rates.0, 1.0), &mut draw);
        let last = records.iter().map(|record| record.execution.started_at).max().expect("executions");
        let mut late = history(&shape(after, sigma, rates.1, factor), &mut draw);
        for record in &mut late {
            let execution = std::sync::Arc::make_mut(&mut record.execution);
            execution.started_at += last.duration_since(jiff::Timestamp::from_second(1_760_000_000).expect("a time"));
        }
        // A command that stays the same.
        let commands: BTreeMap<String, _> =
            records.iter().map(|record| (record.attempt.step.clone(), record.attempt.command)).collect();
        for record in &mut late {
            record.attempt.command = commands[&record.attempt.step];
        }
        records.extend(late);
        let told = trends(&of(&records));
        told.iter().any(is_right)
    });
    format!("{} %", found.count())
}

fn of(records: &[Record]) -> History {
    History::from_records("project", records)
}

fn shape(executions: usize, sigma: f64, flaky: f64, factor: f64) -> Shape {
    let step =
        |id: &str, needs: &[usize], flaky: f64, factor: f64| Made { flaky, ..Made::new(id, needs, 20_000.0 * factor) };
    Shape {
        steps: vec![step("build", &[], 0.0, 1.0), step("test", &[0], flaky, factor)],
        executions,
        sigma,
        machines: vec![("linux-x86_64-8c-16g", 1.0)],
        slots: 8,
        repeats: (0.0, 0.0),
        every_minutes: 100.0,
    }
}
