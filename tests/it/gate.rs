//! The gate: silent without an effect, exit code 1 with one, and no threshold below the noise.

use meow::learn::Knowledge;
use meow::record::Record;
use meow::report::gate::{Gate, gate};
use meow::report::{Accepted, Names, Side, compare};
use meow::scan::History;

use crate::learn::chain;
use crate::null::{Draw, history};
use crate::space::Space;

/// Returns what the gate says of the executions from place `from` on against those before.
fn gated(records: &[Record], from: usize, threshold: Option<f64>) -> meow::error::Result<Gate> {
    let history = History::from_records("project", records);
    let sides: Vec<Option<Side>> =
        (0..history.executions.len()).map(|place| Some(if place < from { Side::Base } else { Side::Head })).collect();
    let names = Names { base: "main".into(), head: "this branch".into() };
    let accepted = Accepted::new();
    let page = compare(&history, &sides, names, &Knowledge::default(), &[], &accepted);
    gate(&history, &sides, &accepted, &page, threshold)
}

/// Returns executions whose step `test` takes `factor` of its time from place `from` on.
fn slower(seed: u64, from: usize, factor: f64) -> Vec<Record> {
    let mut records = history(&chain(60, 0.1, 0.0, 0.0), &mut Draw::new(seed));
    let mut starts: Vec<_> = records.iter().map(|record| record.execution.started_at).collect();
    starts.sort_unstable();
    starts.dedup();
    let first = starts[from];
    for record in
        records.iter_mut().filter(|record| record.attempt.step == "test" && record.execution.started_at >= first)
    {
        record.attempt.duration_ms = record.attempt.duration_ms.map(|duration| duration * factor);
    }
    records
}

#[test]
fn noise_passes_and_a_slower_step_does_not() {
    let failed = (0..100).filter(|seed| !gated(&slower(*seed, 40, 1.0), 40, None).expect("a gate").passed).count();
    assert!(failed <= 5, "{failed} of 100 histories without an effect failed");
    for seed in 0..20 {
        let gate = gated(&slower(seed, 40, 1.5), 40, None).expect("a gate");
        let failed: Vec<_> =
            gate.series.iter().filter(|series| series.failed).map(|series| series.step.clone()).collect();
        assert!(!gate.passed && failed.contains(&Some("test".to_owned())), "seed {seed}: {gate:?}");
        assert!(gate.series.iter().all(|series| series.false_alarms <= 0.05 && series.noise_floor < 1.3), "{gate:?}");
        assert!(
            gated(&slower(seed, 40, 1.5), 40, Some(2.0)).expect("a gate").passed,
            "a larger threshold lets it pass"
        );
    }
}

#[test]
fn a_threshold_below_the_noise_is_refused() {
    let error = gated(&slower(1, 40, 1.0), 40, Some(1.001)).expect_err("a refusal");
    let said = error.to_string();
    assert!(said.starts_with("a threshold of 0.1 % lies below the noise of "), "{said}");
    assert!(error.hint_text().is_some_and(|hint| hint.starts_with("its noise floor is ")), "{error:?}");
}

/// Returns a project whose step took `slow` times as long in the last week as in the one before, and ended so.
fn two_weeks(slow: f64, outcome: &str) -> Space {
    let day = 24 * 3_600;
    let row = |place: i64| {
        let week = place / 12;
        let (slow, outcome) = if week == 1 { (slow, outcome) } else { (1.0, "passed") };
        let took = (1_000.0 + 10.0 * f64::from(i32::try_from(place % 5).expect("small"))) * slow;
        let at =
            jiff::Timestamp::from_second(1_763_806_500 - (13 - week * 7) * day + place % 12 * 3_600).expect("a time");
        format!(
            r#"{{"execution":"e{place}","workflow":"ci","step":"test","attempt":1,"started_at":"{at}","duration_ms":{took},"outcome":"{outcome}"}}"#
        )
    };
    let space = Space::repository();
    space.write("rows.jsonl", &(0..24).map(|place| row(place) + "\n").collect::<String>());
    space.meow_ok(&["import", "jsonl", "rows.jsonl"]);
    space
}

/// Returns a project whose step fails since a week.
pub fn failing() -> Space {
    two_weeks(1.0, "failed")
}

#[test]
fn the_exit_code_says_what_the_gate_says() {
    let space = two_weeks(1.0, "passed");
    let page = space.meow_ok(&["report", "--gate"]);
    assert!(page.contains("Gate: passed") && page.contains("2 of 2 durations judged\n"), "{page}");
    let space = Space::repository();
    space.meow_ok(&["record", "--name", "x", "--duration", "1s", "--outcome", "passed"]);
    let few = space.meow_ok(&["report", "--gate"]);
    assert!(few.contains("0 of 2 durations judged (a verdict takes five runs on each side"), "{few}");
    let page = Space::repository().meow_ok(&["report", "--gate"]);
    assert!(page.contains("0 of 0 durations judged\n"), "{page}");
    let said = space.meow(&["report", "--gate", "--threshold", "-3"]);
    assert_eq!(said.code, 2, "{}", said.err);
    let said = two_weeks(2.0, "passed").meow(&["report", "--gate", "--json"]);
    assert_eq!(said.code, 1, "{}", said.out);
    let page: serde_json::Value = serde_json::from_str(&said.out).expect("JSON");
    assert_eq!(page["gate"]["passed"], false, "{page}");
    let said = failing().meow(&["report", "--gate", "--json"]);
    assert_eq!(said.code, 1, "{}", said.out);
    let page: serde_json::Value = serde_json::from_str(&said.out).expect("JSON");
    assert_eq!(page["gate"]["failing"], serde_json::json!(["ci/test"]), "{page}");
}
