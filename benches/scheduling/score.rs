//! Simulated makespans of orders by what was learnt, beside first come, first served and an order by the true durations.

use std::collections::BTreeMap;

use meow::plan::capacity::{loads, work};
use meow::plan::{Limits, Plan, Policy, plan};

use crate::instances::{Instance, learnt};

/// Numbers of slots.
const SLOTS: [u32; 4] = [2, 4, 8, 16];

/// The orders that are compared.
const METHODS: [&str; 4] = ["fifo", "unit", "true", "meow"];

/// What one run took on one number of slots by each method, in multiples of its lower bound.
type Row = [f64; METHODS.len()];

/// Prints the scores of all runs.
pub fn table(apps: &BTreeMap<String, Vec<Instance>>) {
    let mut rows: BTreeMap<u32, Vec<(&str, bool, Row)>> = BTreeMap::new();
    for (app, instances) in apps {
        for place in 0..instances.len() {
            for (slots, row) in scores(instances, place) {
                rows.entry(slots).or_default().push((app, instances.len() > 1, row));
            }
        }
    }
    println!("Makespan / lower bound, geometric mean over runs of applications with other runs to learn from");
    println!(
        "| slots | runs | fifo | unit | true times | meow | gap closed | by application | all runs: > 1 % slower than fifo | worst / fifo | true times: > 1 % slower |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|");
    for (slots, rows) in &rows {
        let taught: Vec<&(&str, bool, Row)> = rows.iter().filter(|(_, taught, _)| *taught).collect();
        let closed = |rows: &[&(&str, bool, Row)]| {
            let mean: Vec<f64> = (0..METHODS.len()).map(|method| geo(rows.iter().map(|row| row.2[method]))).collect();
            let gap = (mean[0] - mean[3]) / (mean[0] - mean[2]);
            (mean, gap)
        };
        let (mean, gap) = closed(&taught);
        let mut by_app: Vec<String> = Vec::new();
        for app in apps.keys().filter(|app| apps[*app].len() > 1) {
            let own: Vec<&(&str, bool, Row)> = taught.iter().copied().filter(|row| row.0 == app).collect();
            let (mean, _) = closed(&own);
            by_app.push(format!("{app} {:.3} → {:.3} ({:.3})", mean[0], mean[3], mean[2]));
        }
        let slower = |method: usize| rows.iter().filter(|row| row.2[method] > 1.01 * row.2[0]).count();
        let worst = rows.iter().map(|row| row.2[3] / row.2[0]).fold(0.0, f64::max);
        println!(
            "| {slots} | {} | {:.4} | {:.4} | {:.4} | {:.4} | {:.1} % | {} | {} of {} | {worst:.3} | {} |",
            taught.len(),
            mean[0],
            mean[1],
            mean[2],
            mean[3],
            100.0 * gap,
            by_app.join(", "),
            slower(3),
            rows.len(),
            slower(2),
        );
    }
}

fn scores(instances: &[Instance], place: usize) -> Vec<(u32, Row)> {
    let instance = &instances[place];
    let durations = instance.durations();
    let limits = Limits { slots: 16, cpus: None, memory_bytes: None };
    let learnt = plan(&instance.workflow(1.0), &learnt(instances, place), &limits).expect("a plan");
    let ordered = |policy| learnt.clone().ordered(policy, &durations);
    let plans: [Plan; 4] = [ordered(Policy::Fifo), ordered(Policy::Unit), ordered(Policy::True), learnt.clone()];
    let whole = work(&learnt, &durations);
    SLOTS
        .map(|slots| {
            let bound = whole.critical_path_ms.max(whole.total_ms / f64::from(slots));
            (slots, plans.each_ref().map(|plan| loads(plan, &durations, &[slots])[0].makespan_ms / bound))
        })
        .to_vec()
}

/// Returns the geometric mean.
pub fn geo(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "few")]
    let n = values.len() as f64;
    (values.map(f64::ln).sum::<f64>() / n).exp()
}
