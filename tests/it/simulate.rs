//! `meow simulate`: the same order as the real run, bounds, knee and capacity, from given and from learnt durations.

use serde_json::Value;

use crate::learn::{chain, remembers};
use crate::null::{Draw, history};
use crate::space::Space;

/// Two chains and four loose steps; the long chain is declared last.
const GRAPH: &str = "formula = \"ci\"\n\
    [[steps]]\nid = \"a\"\nrun = \"true\"\n[[steps]]\nid = \"b\"\nrun = \"true\"\n[[steps]]\nid = \"c\"\nrun = \"true\"\n\
    [[steps]]\nid = \"d\"\nrun = \"true\"\n[[steps]]\nid = \"left\"\nrun = \"true\"\ncondition = \"x == y\"\n\
    [[steps]]\nid = \"long\"\nrun = \"true\"\n[[steps]]\nid = \"last\"\nneeds = [\"long\", \"left\"]\nrun = \"true\"\n";

const DURATIONS: &str = "step,duration_ms\na,10000\nb,10000\nc,10000\nd,10000\nlong,30000\nlast,10000\nleft,99999\n";

fn simulated(space: &Space, args: &[&str]) -> Value {
    let args: Vec<&str> = ["simulate"].iter().chain(args).chain(&["--json"]).copied().collect();
    serde_json::from_str(&space.meow_ok(&args)).expect("JSON")
}

fn project() -> Space {
    let space = Space::repository();
    space.write(".meow/workflows/ci.toml", GRAPH);
    space.write("took.csv", DURATIONS);
    space
}

#[test]
fn given_durations_bounds_and_policies() {
    let space = project();
    for (policy, expected) in [("true", 40_000.0), ("fifo", 60_000.0), ("unit", 40_000.0)] {
        let page = simulated(&space, &["ci", "--slots", "2", "--durations", "took.csv", "--policy", policy]);
        let row = &page["slots"][0];
        assert_eq!(row["makespan_ms"], expected, "{policy}: {page}");
        assert_eq!((&row["lower_bound_ms"], &page["critical_path_ms"]), (&40_000.0.into(), &40_000.0.into()));
        assert_eq!(page["work_ms"], 80_000.0);
    }
    let page = simulated(&space, &["ci", "--slots", "1..8", "--durations", "took.csv", "--policy", "true"]);
    let spans: Vec<f64> =
        page["slots"].as_array().expect("rows").iter().map(|row| row["makespan_ms"].as_f64().expect("ms")).collect();
    assert_eq!(spans, [80_000.0, 40_000.0, 40_000.0, 40_000.0, 40_000.0, 40_000.0, 40_000.0, 40_000.0]);
    assert_eq!(page["knee"], 2);
    let text = space.meow_ok(&["simulate", "ci", "--slots", "1..8", "--durations", "took.csv", "--policy", "true"]);
    assert!(text.contains("The 6 larger numbers of slots bring the same."), "{text}");
    assert!(text.contains("2 slots come within 5 % of the shortest makespan"), "{text}");
}

#[test]
fn wrong_requests_are_named() {
    let space = project();
    for (file, reason) in [
        ("step,duration_ms\nlogn,3\n", "line 2: no step `logn`"),
        ("a,-1\n", "line 1: a duration is a number of milliseconds from 0 on"),
        ("a,nan\n", "from 0 on"),
        ("a;3\n", "line 1: no comma"),
        ("a,soon\n", "line 1: the duration is no number"),
    ] {
        space.write("wrong.csv", file);
        let said = space.meow(&["simulate", "ci", "--durations", "wrong.csv"]);
        assert!(said.code == 2 && said.err.contains(reason), "{file}: {}", said.err);
    }
    for (args, reason) in [
        (&["ci", "--policy", "true"][..], "no durations to go by"),
        (&["ci", "--slots", "0"], "from 1 to 4096"),
        (&["ci", "--durations", "absent.csv"], "absent.csv cannot be read"),
        (&["nothing"], "there is no workflow `nothing`"),
    ] {
        let args: Vec<&str> = ["simulate"].iter().chain(args).copied().collect();
        let said = space.meow(&args);
        assert!(said.code == 2 && said.err.contains(reason), "{args:?}: {}", said.err);
    }
}

#[test]
fn learnt_durations_are_sampled_and_a_target_is_met() {
    let space = remembers("one", &history(&chain(40, 0.2, 0.0, 0.0), &mut Draw::new(5)));
    space.write(
        ".meow/workflows/ci.toml",
        "formula = \"ci\"\n[[steps]]\nid = \"build\"\nrun = \"true\"\n[[steps]]\nid = \"test\"\nrun = \"true\"\n",
    );
    let page = simulated(&space, &["ci", "--slots", "1,2", "--target", "20h"]);
    assert!(page["steps_known"].as_u64() > Some(0) && page["n"].as_u64() > Some(20), "{page}");
    for row in page["slots"].as_array().expect("rows") {
        let of = |key: &str| row[key].as_f64().expect(key);
        assert!(of("p90_ms") > of("makespan_ms") && of("makespan_ms") > 0.99 * of("lower_bound_ms"), "{row}");
    }
    assert_eq!(page["target"]["slots"], 1, "{page}");
    let never = simulated(&space, &["ci", "--target", "1ms"]);
    assert_eq!(never["target"]["slots"], Value::Null, "{never}");
    let plan: Value =
        serde_json::from_str(&space.meow_ok(&["execute", "ci", "--dry-run", "--json", "-j", "2"])).expect("JSON");
    let predicted = plan["predicted"]["duration_ms"]["p50"].as_f64().expect("known");
    let simulated = page["slots"][1]["makespan_ms"].as_f64().expect("ms");
    assert!(
        (predicted / simulated - 1.0).abs() < 1e-9,
        "the plan of the real run says the same: {predicted} {simulated}"
    );
}

/// Returns a project whose history has `runs` attempts of the series `work`, which take `took(bytes)` milliseconds, and a
/// workflow of six such steps, the largest last, with the file of their true durations.
fn series(took: fn(u32, u32) -> u32) -> Space {
    let space = Space::repository();
    let mut rows = String::new();
    for run in 0..60 {
        let bytes = 1000 * (1 + run * 7 % 10);
        rows.push_str(&format!(
            "{{\"execution\":\"e{run}\",\"workflow\":\"app\",\"step\":\"work\",\"attempt\":1,\"started_at\":\"2025-11-01T00:{run:02}:00Z\",\"duration_ms\":{},\"outcome\":\"passed\",\"inputs_bytes\":{bytes}}}\n",
            took(run, bytes)
        ));
    }
    space.write("history.jsonl", &rows);
    space.meow_ok(&["import", "jsonl", "history.jsonl"]);
    let (mut workflow, mut durations) = ("formula = \"app\"\n".to_owned(), "step,duration_ms\n".to_owned());
    for (place, size) in [2, 2, 2, 2, 2, 8].into_iter().enumerate() {
        workflow.push_str(&format!(
            "[[steps]]\nid = \"w{place}\"\nrun = \"true\"\n[steps.metadata]\n\"meow.series\" = \"work\"\n\"meow.inputs_bytes\" = \"{}\"\n",
            1000 * size
        ));
        durations.push_str(&format!("w{place},{}\n", 1000 * size));
    }
    space.write(".meow/workflows/app.toml", &workflow);
    space.write("took.csv", &durations);
    space
}

#[test]
fn steps_of_a_series_are_ordered_by_the_size_of_their_inputs() {
    let space = series(|_, bytes| bytes);
    let span = |policy: &str| {
        let page = simulated(&space, &["app", "-j", "2", "--durations", "took.csv", "--policy", policy]);
        page["slots"][0]["makespan_ms"].as_f64().expect("ms")
    };
    assert_eq!((span("fifo"), span("learned"), span("true")), (12_000.0, 10_000.0, 10_000.0));
    let plan: Value = serde_json::from_str(&space.meow_ok(&["execute", "app", "--dry-run", "--json"])).expect("JSON");
    assert_eq!(plan["policy"], "learned");
}

#[test]
fn predictions_that_tell_nothing_decide_nothing() {
    // Durations that have nothing to do with the sizes.
    let space = series(|run, _| 1000 + 4099 * (run * run * 31 % 17) % 3571);
    let text = space.meow_ok(&["execute", "app", "--dry-run"]);
    assert!(text.contains("first come, first served: of two attempts, predictions told the longer one in"), "{text}");
    let plan: Value = serde_json::from_str(&space.meow_ok(&["execute", "app", "--dry-run", "--json"])).expect("JSON");
    assert_eq!(plan["policy"], "fifo");
}
