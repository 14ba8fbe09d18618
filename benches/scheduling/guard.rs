//! Whether simulating both orders beforehand and taking the better one keeps runs from being slower than first come, first
//! served: by the median over durations drawn from what is foreseen, not by the medians of the steps. They do not pay: what
//! makes fewer runs slower takes 11 to 37 points of the gap.

use std::collections::BTreeMap;

use meow::plan::capacity::{likely_loads, loads, work};
use meow::plan::{Limits, Policy, plan};

use crate::instances::{Instance, learnt};
use crate::score::geo;

const SLOTS: [u32; 4] = [2, 4, 8, 16];

/// How much sooner first come, first served must be expected to end to be taken; without a guard never.
const GUARDS: [f64; 4] = [f64::INFINITY, 0.0, 0.01, 0.03];

/// Makespans of one run: first come, first served, true durations, and learnt durations behind each guard.
type Row = ([f64; 2], [f64; GUARDS.len()]);

/// Prints the gap that is left to each guard, and how many runs are slower.
pub fn table(apps: &BTreeMap<String, Vec<Instance>>) {
    println!(
        "| slots | expected to be so much slower | gap closed | > 1 % slower than fifo | worst |\n|---|---|---|---|---|"
    );
    let mut rows: BTreeMap<u32, Vec<(bool, Row)>> = BTreeMap::new();
    for instances in apps.values() {
        for place in 0..instances.len() {
            for slots in SLOTS {
                rows.entry(slots).or_default().push((instances.len() > 1, row(instances, place, slots)));
            }
        }
    }
    for (slots, rows) in rows {
        for (at, guard) in GUARDS.iter().enumerate() {
            let mean = |of: &dyn Fn(&Row) -> f64| {
                let taught: Vec<f64> = rows.iter().filter(|(taught, _)| *taught).map(|(_, row)| of(row)).collect();
                geo(taught.into_iter())
            };
            let (fifo, truth, own) = (mean(&|row| row.0[0]), mean(&|row| row.0[1]), mean(&|row| row.1[at]));
            let ratios: Vec<f64> = rows.iter().map(|(_, row)| row.1[at] / row.0[0]).collect();
            println!(
                "| {slots} | {} | {:.1} % | {} of {} | {:.3} |",
                if guard.is_finite() { format!("{:.0} %", 100.0 * guard) } else { "no guard".to_owned() },
                100.0 * (fifo - own) / (fifo - truth),
                ratios.iter().filter(|ratio| **ratio > 1.01).count(),
                ratios.len(),
                ratios.iter().copied().fold(0.0, f64::max),
            );
        }
    }
}

fn row(instances: &[Instance], place: usize, slots: u32) -> Row {
    let instance = &instances[place];
    let durations = instance.durations();
    let limits = Limits { slots, cpus: None, memory_bytes: None };
    let learnt = plan(&instance.workflow(1.0), &learnt(instances, place), &limits).expect("a plan");
    let fifo = learnt.clone().ordered(Policy::Fifo, &durations);
    let whole = work(&learnt, &durations);
    let bound = whole.critical_path_ms.max(whole.total_ms / f64::from(slots));
    let took = |plan| loads(plan, &durations, &[slots])[0].makespan_ms / bound;
    let likely = |plan| likely_loads(plan, &[slots])[0].makespan_ms;
    let truth = learnt.clone().ordered(Policy::True, &durations);
    let (slow, fast) = (likely(&fifo), likely(&learnt));
    let (own, plain) = (took(&learnt), took(&fifo));
    ([plain, took(&truth)], GUARDS.map(|guard| if slow * (1.0 + guard) < fast { plain } else { own }))
}
