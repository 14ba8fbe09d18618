//! `meow export trace` against the trace event format, and back in through `meow import chrome-trace`.

use std::collections::BTreeMap;

use meow::store::spool::Spool;
use serde_json::Value;

use crate::space::Space;

const CI: &str = r#"
formula = "ci"
[[steps]]
id = "build"
run = "sleep 0.05; echo size=12.5 >> $MEOW_METRICS"
[[steps]]
id = "lint"
run = "sleep 0.02"
[[steps]]
id = "flaky"
needs = ["build"]
run = "sleep 0.03; test $MEOW_ATTEMPT = 2"
retry = { attempts = 2, backoff = "20ms" }
[[steps]]
id = "last"
needs = ["flaky", "lint"]
run = "sleep 0.01"
"#;

/// Returns the events of the last execution's trace.
fn events(space: &Space) -> Vec<Value> {
    let trace: Value = serde_json::from_str(&space.meow_ok(&["export", "trace"])).expect("JSON");
    trace["traceEvents"].as_array().expect("a list").clone()
}

/// Checks what the format demands of every kind of event ("Trace Event Format", Google, 2016).
fn check(events: &[Value]) {
    let mut open: BTreeMap<String, Vec<(String, f64)>> = BTreeMap::new();
    let mut lanes: BTreeMap<u64, f64> = BTreeMap::new();
    for event in events {
        for key in ["name", "cat", "ph"] {
            assert!(event[key].as_str().is_some_and(|text| !text.is_empty()), "{key} of {event}");
        }
        assert!(event["pid"].is_u64() && event["tid"].is_u64() && event["args"].is_object(), "{event}");
        let ts = event["ts"].as_f64().expect("a time");
        let key = || format!("{} {}", event["cat"], event["id"].as_str().expect("an id"));
        match event["ph"].as_str().expect("a phase") {
            "M" => assert!(event["args"]["name"].is_string(), "{event}"),
            "X" => {
                let dur = event["dur"].as_f64().filter(|dur| *dur >= 0.0).expect("a duration");
                let lane = lanes.entry(event["tid"].as_u64().expect("a slot")).or_default();
                assert!(ts >= *lane - 1_000.0, "slices of one slot do not overlap, but for what clocks round: {event}");
                *lane = ts + dur;
            }
            begin @ ("b" | "s") => {
                open.entry(key()).or_default().push((begin.to_owned(), ts));
            }
            end @ ("e" | "f") => {
                let (begun, since) = open.get_mut(&key()).and_then(Vec::pop).expect("an end has its beginning");
                assert!(since <= ts && (begun == "b") == (end == "e"), "{event}");
                assert!(end == "e" || event["bp"] == "e", "{event}");
            }
            other => panic!("{other} is not written"),
        }
    }
    assert!(open.values().all(Vec::is_empty), "a beginning without an end: {open:?}");
}

#[test]
fn a_trace_is_as_the_format_says_and_comes_back() {
    let space = Space::repository();
    space.write(".meow/workflows/ci.toml", CI);
    space.meow_ok(&["execute", "-j1"]);
    let events = events(&space);
    check(&events);
    let slices: Vec<&Value> = events.iter().filter(|event| event["ph"] == "X").collect();
    let named = |name: &str| slices.iter().filter(|slice| slice["name"] == name).copied().collect::<Vec<_>>();
    assert_eq!((slices.len(), named("flaky").len()), (5, 2), "every attempt is a slice");
    assert_eq!(named("build")[0]["args"]["metrics"]["size"], 12.5);
    assert_eq!(named("flaky")[0]["args"]["outcome"], "failed");
    assert_eq!(named("flaky")[1]["args"]["attempt"], 2);
    assert!(named("last")[0]["args"]["critical"] == true && named("last")[0]["cat"] == "step,critical");
    let of = |cat: &str| events.iter().filter(|event| event["cat"] == cat).count();
    assert_eq!(of("retry"), 2, "one arrow");
    assert!(of("wait") >= 2, "one slot: something waited");
    assert!(of("critical") >= 4, "the path has arrows");

    space.meow_ok(&["export", "trace", "-o", "trace.json"]);
    space.meow_ok(&["import", "chrome-trace", "trace.json", "--workflow", "again"]);
    let log: Value = serde_json::from_str(&space.meow_ok(&["log", "--workflow", "ci", "--json"])).expect("JSON");
    let (records, _) = Spool::new(&space.root().join(".git/meow")).records().expect("the spool");
    assert_eq!(log["total"], 1);
    let back = crate::import_formats::records(&space);
    assert_eq!(back.len(), 4, "one record a step");
    for record in back {
        let own = records.iter().filter(|own| own.attempt.step == record.attempt.step);
        let took: f64 = own.filter_map(|own| own.attempt.duration_ms).sum();
        let found = record.attempt.duration_ms.expect("a duration");
        assert!((found - took).abs() < 0.01, "{}: {found} against {took}", record.attempt.step);
        let apart = record.execution.started_at.duration_since(records[0].execution.started_at);
        assert!(apart.as_secs().abs() <= 1, "{apart}");
    }
}

#[test]
fn without_an_execution_there_is_no_trace() {
    let space = Space::repository();
    let said = space.meow(&["export", "trace"]);
    assert_eq!((said.code, said.out.as_str()), (2, ""), "{}", said.err);
    assert!(said.err.contains("meow execute"), "{}", said.err);
}
