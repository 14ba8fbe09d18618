//! Predictions: no look into the future, the same through every door, and better than plain rules where there is
//! something to learn.

use meow::learn::predictor::Forecaster;
use meow::learn::replay::{Predicted, Trace};

use crate::null::Draw;
use crate::space::Space;

/// Returns interchange rows: 8 steps of `runs` executions on two machines, one of them half as fast; durations follow
/// the size of inputs for half of the steps and change their level for good in the middle for one.
fn rows(runs: u32) -> Vec<String> {
    let mut draw = Draw::new(7);
    let mut rows = Vec::new();
    for run in 0..runs {
        let (hour, minute) = (run / 60, run % 60);
        let (machine, slow) = if draw.unit() < 0.5 { ("quick", 1.0) } else { ("slow", 2.0) };
        for step in 0..8_u32 {
            let bytes = (1e6 * (1.0 + 9.0 * draw.unit())).round();
            let size = if step < 4 { bytes / 1e6 } else { 4.0 };
            let level = if step == 7 && run > runs / 2 { 3.0 } else { 1.0 };
            let duration = 1000.0 * slow * size * level * (0.05 * draw.normal()).exp();
            let outcome = if draw.unit() < 0.05 { "failed" } else { "passed" };
            rows.push(format!(
                r#"{{"execution":"e{run}","workflow":"ci","step":"s{step}","attempt":1,"started_at":"2026-01-{:02}T{:02}:{minute:02}:00Z","duration_ms":{duration},"outcome":"{outcome}","machine":"{machine}","inputs_bytes":{bytes}}}"#,
                1 + hour / 24,
                hour % 24,
            ));
        }
    }
    rows
}

fn said(rows: &[String]) -> Vec<Predicted> {
    let rows = meow::import::jsonl::rows(rows.join("\n").as_bytes(), "rows").expect("rows");
    Trace::from_rows(&rows, &[]).replay(&mut Forecaster::default())
}

#[test]
fn what_comes_later_changes_no_prediction() {
    let rows = rows(120);
    let whole = said(&rows);
    for cut in [1, 100, 500, 959] {
        assert_eq!(said(&rows[..cut]), whole[..cut], "cut after {cut} attempts");
    }
    assert!(whole[8..].iter().all(|said| said.duration_ms.is_some()));
}

#[test]
fn odd_durations_never_break_a_prediction() {
    let odd = ["0", "1e-300", "1e300", "null", "5", "5", "5", "5", "5", "5", "5", "1e300", "0", "5", "1e12", "5"];
    let rows: Vec<String> = (0..)
        .zip(odd)
        .map(|(place, duration)| {
            format!(
                r#"{{"execution":"e{place}","workflow":"w","step":"s","attempt":1,"started_at":"2026-01-01T00:{place:02}:00Z","duration_ms":{duration},"outcome":"passed","inputs_bytes":{place}}}"#
            )
        })
        .collect();
    for said in said(&rows).into_iter().filter_map(|said| said.duration_ms) {
        assert!(said.p10.is_finite() && said.p90.is_finite() && said.p10 >= 0.0, "{said:?}");
        assert!(said.p10 <= said.p50 && said.p50 <= said.p90, "{said:?}");
    }
}

#[test]
fn score_beats_the_plain_rules_where_machines_and_inputs_matter() {
    let space = Space::empty();
    space.write("rows.jsonl", &rows(200).join("\n"));
    let out = space.meow_ok(&["score", "--data", "rows.jsonl", "--predictions", "out.csv", "--format", "json"]);
    let page: serde_json::Value = serde_json::from_str(&out).expect("json");
    assert_eq!((&page["schema_version"], &page["attempts"]), (&1.into(), &1600.into()));
    let methods = page["durations"]["methods"].as_array().expect("methods");
    let error = |method: &serde_json::Value| method["geo_mase"].as_f64().expect("a number");
    let (meow, rules) = methods.split_last().expect("methods");
    assert_eq!(meow["name"], "meow");
    let best = rules.iter().map(error).fold(f64::INFINITY, f64::min);
    assert!(error(meow) < 0.4 * best, "{} against {best}", error(meow));
    let csv = space.read("out.csv");
    assert_eq!(csv.lines().count(), 1601);
    assert!(csv.lines().skip(100).all(|line| line.split(',').count() == 8 && line.contains("\"ci\"")), "{csv}");
}

#[test]
fn score_of_a_repository_without_history_says_so() {
    let space = Space::repository();
    assert!(space.meow_ok(&["score"]).contains("Not enough history"));
    let said = space.meow(&["score", "--data", "nothing.jsonl"]);
    assert_eq!(said.code, 2);
    assert!(said.err.contains("nothing.jsonl cannot be read"), "{}", said.err);
}
