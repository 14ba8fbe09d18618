//! Odds of failure beside the plain rules, on real histories.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::Path;

use meow::import::jsonl;
use meow::learn::predictor::Forecaster;
use meow::learn::replay::Trace;
use meow::learn::verdicts::{self, FailureMethod};
use meow::scan::History;

use crate::made::{Draw, Made, Shape, changed, history};

/// Made-up histories of each kind.
const SEEDS: u32 = 100;

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
    touched();
}

/// Prints what knowing the change is worth in made-up histories: where one folder breaks one step, and where nothing does.
fn touched() {
    println!(
        "\n| 100 histories of 300 executions, of whose commits a quarter touch each of eight folders | told apart: change known / unknown | better than the rate: known / unknown | at least as good with it in |"
    );
    println!("|---|---|---|---|");
    for (name, probability, base) in [
        ("one folder breaks one step in 6 of 10", 0.6, 0.02),
        ("in 3 of 10", 0.3, 0.02),
        ("no folder breaks anything", 0.0, 0.1),
    ] {
        let (mut areas, mut skills, mut as_good) = ([0.0; 2], [0.0; 2], 0);
        for seed in 0..SEEDS {
            let scores = [true, false].map(|is_known| {
                let mut draw = Draw::new(20_000 + u64::from(seed));
                let mut records = history(&shape(base), &mut draw);
                let changes = changed(&mut records, "test", probability, &mut draw);
                let mut history = History::from_records("project", &records);
                history.changes = if is_known { changes } else { Vec::new() };
                let trace = Trace::of(&history, &[]);
                let said = trace.replay(&mut Forecaster::default());
                let scores = verdicts::failures(&trace, &said, None).expect("passes and failures");
                let own = scores.methods.last().expect("meow");
                (own.auc.unwrap_or(0.5), own.skill.unwrap_or(0.0), own.brier)
            });
            for (place, (area, skill, _)) in scores.iter().enumerate() {
                areas[place] += area / f64::from(SEEDS);
                skills[place] += skill / f64::from(SEEDS);
            }
            as_good += u32::from(scores[0].2 <= scores[1].2 * 1.01);
        }
        println!("| {name} | {:.3} / {:.3} | {:.3} / {:.3} | {as_good} |", areas[0], areas[1], skills[0], skills[1]);
    }
}

/// Returns a chain of two steps that fail now and then.
fn shape(base: f64) -> Shape {
    let step = |id: &str, needs: &[usize]| Made { flaky: base, ..Made::new(id, needs, 20_000.0) };
    Shape {
        steps: vec![step("build", &[]), step("test", &[0])],
        executions: 300,
        sigma: 0.1,
        machines: vec![("linux-x86_64-8c-16g", 1.0)],
        slots: 8,
        repeats: (0.1, 0.3),
        every_minutes: 100.0,
    }
}
