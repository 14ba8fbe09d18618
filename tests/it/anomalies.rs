//! Times far outside their prediction: named at once by `meow execute` and `meow status`, and only those.

use meow::record::{Predicted, Record};
use meow::report;
use meow::scan::History;
use serde_json::Value;

use crate::learn::{chain, remembers};
use crate::null::{Draw, Shape, history};
use crate::space::Space;

/// The medians of the two steps, and the deviation of their logarithm: wide, for a machine that is busy.
const MEDIAN_MS: f64 = 100.0;
const SIGMA: f64 = 0.5;

fn shape() -> Shape {
    let mut shape = chain(40, SIGMA, 0.0, 0.0);
    shape.machines.truncate(1);
    for step in &mut shape.steps {
        step.median_ms = MEDIAN_MS;
    }
    shape
}

/// Returns a project that knows its steps from 40 executions on a machine of this class; `test` takes 20 times as long as
/// usual where there is a file `slow`.
pub fn steady() -> Space {
    let probe = Space::repository();
    probe.write(".meow/workflows/ci.toml", "formula = \"ci\"\n[[steps]]\nid = \"a\"\nrun = \"true\"\n");
    probe.meow_ok(&["execute"]);
    let log: Value = serde_json::from_str(&probe.meow_ok(&["log", "--json"])).expect("JSON");
    let id = log["executions"][0]["id"].as_str().expect("an id");
    let single: Value = serde_json::from_str(&probe.meow_ok(&["status", id, "--json"])).expect("JSON");
    let machine: &'static str = single["machine"].as_str().expect("a machine").to_owned().leak();
    let space = remembers("steady", &history(&Shape { machines: vec![(machine, 1.0)], ..shape() }, &mut Draw::new(7)));
    let text = "formula = \"ci\"\n[[steps]]\nid = \"build\"\nrun = \"sleep 0.1\"\n[[steps]]\nid = \"test\"\n\
                needs = [\"build\"]\nrun = \"if test -e slow; then sleep 2; else sleep 0.1; fi\"\n";
    space.write(".meow/workflows/ci.toml", text);
    space
}

#[test]
fn a_step_far_slower_than_usual_is_named_at_once() {
    let space = steady();
    let json = |args: &[&str]| -> Value { serde_json::from_str(&space.meow_ok(args)).expect("JSON") };
    for _ in 0..2 {
        let usual = space.meow_ok(&["execute"]);
        assert!(!usual.contains("far outside"), "{usual}");
    }
    assert_eq!(json(&["status", "--json"])["anomalies"], Value::Array(vec![]));
    assert!(!space.meow_ok(&["status"]).contains("far outside"));
    space.write("slow", "");
    let twin = space.copy();
    let said = space.meow_ok(&["execute"]);
    let lines: Vec<&str> = said.lines().filter(|line| line.starts_with("far outside: test took 2")).collect();
    assert!(lines.len() == 1 && !lines[0].contains("build"), "{said}");
    let status = space.meow_ok(&["status"]);
    assert!(status.lines().any(|line| line.starts_with("far outside: ci test took 2")), "{status}");
    let status = json(&["status", "--json"]);
    let far = &status["anomalies"][0];
    assert_eq!(
        (&far["id"], &far["name"], &far["what"]),
        (&status["workflows"][0]["id"], &"test".into(), &"step".into())
    );
    assert!(far["predicted_ms"]["n"].as_u64().is_some_and(|n| n >= 40), "{far}");
    let outcome: Value = serde_json::from_str(&twin.meow_ok(&["execute", "--json"])).expect("JSON");
    assert_eq!(outcome["anomalies"][0]["name"], "test", "{outcome}");
}

/// Returns what is far in the last execution, where the last attempt of `test` took `factor` times as long.
fn last(seed: u64, executions: usize, factor: f64) -> Vec<report::executions::Far> {
    let mut records = history(&Shape { executions, ..shape() }, &mut Draw::new(seed));
    // What one in ten exceeds lies 1.28 deviations above the median.
    let (p50_ms, width) = (MEDIAN_MS, (1.2816 * SIGMA).exp());
    for Record { attempt, .. } in &mut records {
        attempt.predicted = Some(Predicted { p10_ms: p50_ms / width, p50_ms, p90_ms: p50_ms * width, failure: 0.0 });
    }
    let one = &mut records.last_mut().expect("an attempt").attempt;
    one.duration_ms = one.duration_ms.map(|ms| ms * factor);
    report::status(&History::from_records("steady", &records), vec![], vec![], 0).anomalies
}

#[test]
fn ordinary_executions_and_short_histories_name_nothing() {
    let strange: usize = (0..200).map(|seed| usize::from(!last(seed, 40, 1.0).is_empty())).sum();
    // 1 % of 200 are two; six or more come by chance once in sixty.
    assert!(strange <= 5, "{strange} of 200");
    let found = (0..20).filter(|seed| last(*seed, 40, 20.0).iter().any(|far| far.anomaly.name == "test")).count();
    assert!(found >= 18, "{found} of 20");
    assert_eq!(last(1, 8, 1000.0), vec![], "too few executions to know");
}
