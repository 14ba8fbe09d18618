//! Odds of failure beside the plain rules, on real histories.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::Path;

use meow::import::jsonl;
use meow::learn::predictor::Forecaster;
use meow::learn::replay::Trace;
use meow::learn::verdicts::{self, FailureMethod};

/// Sets with failures, and the metrics that are known at the start; `*` are all of them, which in `travis_builds` are the
/// size of the change, the files that it touches, and the size of the project.
const SETS: [(&str, &[&str]); 6] = [
    ("bitcoin_jobs", &[]),
    ("retrofit_tests", &[]),
    ("iofrol_tests", &[]),
    ("travis_builds", &["*"]),
    ("sizey", &["requested_memory"]),
    ("travis_builds", &[]),
];

/// Prints a row a set: meow's odds and those of the set's best rule among the three that look at the step.
pub fn table() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    let mut gains = Vec::new();
    for (set, known) in SETS {
        let Ok(file) = File::open(data.join(format!("{set}.jsonl.gz"))) else { continue };
        let rows = jsonl::rows(file, set).expect("interchange rows");
        let all: BTreeSet<String> = rows.iter().flat_map(|row| row.metrics.keys().cloned()).collect();
        let known = if known == ["*"] {
            all.into_iter().collect()
        } else {
            known.iter().map(|metric| (*metric).to_owned()).collect::<Vec<String>>()
        };
        let trace = Trace::from_rows(&rows, &known);
        let said = trace.replay(&mut Forecaster::default());
        let Some(scores) = verdicts::failures(&trace, &said, None) else { continue };
        if gains.is_empty() {
            println!(
                "\n| set (rows; failed) | told apart: meow / best rule | gain | better than the rate: meow / best rule | calibration error: meow / best rule |"
            );
            println!("|---|---|---|---|---|");
        }
        let (meow, rules) = scores.methods.split_last().expect("methods");
        let best = |of: fn(&FailureMethod) -> f64| {
            let rules = rules[1..].iter().map(|rule| (of(rule), rule.name));
            rules.max_by(|a, b| a.0.total_cmp(&b.0)).expect("rules")
        };
        let (area, skill) = (best(|rule| rule.auc.unwrap_or(0.0)), best(|rule| rule.skill.unwrap_or(f64::MIN)));
        let calibrated = best(|rule| -rule.calibration_error);
        let own = meow.auc.unwrap_or(0.0);
        let mut name = set.to_owned();
        if set == "travis_builds" && known.is_empty() {
            name.push_str(", nothing known of the change");
        } else {
            gains.push(own - area.0);
        }
        println!(
            "| {name} ({}; {:.2} %) | {own:.3} / {:.3} ({}) | {:+.3} | {:.3} / {:.3} ({}) | {:.4} / {:.4} ({}) |",
            scores.rows,
            100.0 * scores.failed,
            area.0,
            area.1,
            own - area.0,
            meow.skill.unwrap_or(0.0),
            skill.0,
            skill.1,
            meow.calibration_error,
            -calibrated.0,
            calibrated.1,
        );
    }
    if !gains.is_empty() {
        #[expect(clippy::cast_precision_loss, reason = "a few sets")]
        let mean = gains.iter().sum::<f64>() / gains.len() as f64;
        println!("\nmean gain {mean:+.3}");
    }
}
