//! Predictions: no look into the future, the same through every door, and better than plain rules where there is
//! something to learn.

use meow::learn::Coming;
use meow::learn::predictor::Forecaster;
use meow::learn::replay::{Came, Known, Predicted, Trace};
use meow::record::{Outcome, Record};
use meow::scan::History;

use crate::null::{Draw, null_history};
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
fn intervals_hold_what_they_say_of_skewed_times_and_after_a_drift() {
    let mut draw = Draw::new(23);
    let (mut rows, mut took) = (Vec::new(), Vec::new());
    for run in 0..300 {
        for step in 0..8 {
            let level = if run > 150 { 1_500.0 } else { 1_000.0 };
            // An exponential tail above a floor.
            let duration = level * (1.0 - 0.5 * draw.unit().ln());
            took.push(duration);
            rows.push(format!(
                r#"{{"execution":"e{run}","workflow":"ci","step":"s{step}","attempt":1,"started_at":"2026-01-{:02}T{:02}:00:00Z","duration_ms":{duration},"outcome":"passed"}}"#,
                1 + run / 24,
                run % 24,
            ));
        }
    }
    let said = said(&rows);
    let later = said.iter().zip(&took).skip(8 * 100).filter_map(|(said, took)| Some((said.duration_ms?, *took)));
    let later: Vec<_> = later.collect();
    let share = |holds: &dyn Fn(&meow::plan::Interval, f64) -> bool| {
        let held = u32::try_from(later.iter().filter(|(said, took)| holds(said, *took)).count()).expect("few");
        f64::from(held) / 1_600.0
    };
    assert_eq!(later.len(), 1_600);
    let (below, inside) =
        (share(&|said, took| took <= said.p90), share(&|said, took| said.p10 <= took && took <= said.p90));
    assert!((0.87..0.93).contains(&below) && (0.76..0.84).contains(&inside), "{below} {inside}");
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
    let covered = |part: &str| meow[part].as_f64().expect("a share");
    let (below, within) = (covered("coverage_p90"), covered("coverage_p10_p90"));
    assert!((0.86..0.94).contains(&below) && (0.74..0.86).contains(&within), "{below} {within}");
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

#[test]
fn a_plan_says_what_the_replay_says() {
    for seed in 0..20 {
        let records = null_history(seed);
        let history = History::from_records("project", &records);
        let trace = Trace::of(&history, &[]);
        let said = trace.replay(&mut Forecaster::default());
        let executions = &history.executions;
        for place in [executions.len() / 2, executions.len() - 1] {
            let id = executions.id[place];
            let started_ms = executions.started_ms[place];
            let before: Vec<&Record> =
                records.iter().filter(|record| record.execution.started_at.as_millisecond() < started_ms).collect();
            let before = History::from_records("project", before);
            // The first attempt of an execution is predicted where a plan is made: before anything of it has run.
            let (first, (known, _)) = trace
                .attempts
                .iter()
                .enumerate()
                .find(|(_, (known, _))| known.execution as usize == place)
                .expect("an attempt");
            let name = |name: Option<meow::scan::Name>| name.map(|name| trace.names.text(name));
            let step = trace.names.text(known.step);
            let coming = Coming {
                workflow: "ci",
                machine: name(known.machine),
                commit: executions.commit[place],
                touched: None,
                branch: name(known.branch),
                now_ms: known.started_us / 1000,
                steps: vec![(step, f64::NAN)],
            };
            let foreseen = meow::learn::foresee(&before, &coming).steps[0];
            assert_eq!(foreseen.duration_ms, said[first].duration_ms, "seed {seed}, execution {id}");
            if let Some(odds) = foreseen.failure {
                assert_eq!(Some(odds.mean), said[first].failure, "seed {seed}, execution {id}");
                assert!(odds.low <= odds.mean && odds.mean <= odds.high && odds.n > 0, "{odds:?}");
            }
        }
    }
}

#[test]
fn a_plan_sets_memory_aside_by_the_size_of_inputs_where_peaks_follow_it() {
    let mib = 1_u64 << 20;
    let foreseen = |follows: bool, size: u64| {
        let mut records = crate::null::history(&crate::learn::chain(60, 0.1, 0.0, 0.0), &mut Draw::new(3));
        for (place, record) in (0..).zip(&mut records) {
            let bytes = (1 + place * 37 % 101) * mib;
            record.attempt.inputs_bytes = Some(bytes);
            record.attempt.peak_memory_bytes = Some(if follows { 4 * bytes } else { 200 * mib + place % 7 });
        }
        let step = records[0].attempt.step.clone();
        #[expect(clippy::cast_precision_loss, reason = "a few mebibytes")]
        let coming = Coming {
            workflow: "ci",
            machine: None,
            commit: None,
            touched: None,
            branch: None,
            now_ms: 0,
            steps: vec![(&step, (size * mib) as f64), (&step, f64::NAN)],
        };
        let [sized, unknown] = meow::learn::foresee(History::from_records("project", &records), &coming).steps[..]
        else {
            panic!("two answers");
        };
        assert_eq!(unknown.memory_bytes, None);
        sized.memory_bytes.map(|bytes| bytes / f64::from(1 << 20))
    };
    for size in [10, 80] {
        let amount = foreseen(true, size).expect("it pays");
        let needed = 4.0 * f64::from(u32::try_from(size).expect("small"));
        assert!(amount > needed && amount < 2.0 * needed, "{size}: {amount}");
        assert_eq!(foreseen(false, size), None, "the plain rule speaks");
    }
}

#[test]
fn a_plan_knows_the_size_of_inputs() {
    let space = Space::repository();
    let step = "inputs = [\"data/**\"]\nrun = \"true\"";
    space.write(".meow/workflows/ci.toml", &format!("formula = \"ci\"\n[[steps]]\nid = \"read\"\n{step}\n"));
    let rows: Vec<String> = [1_000, 4_000, 1_500, 8_000, 2_000, 6_000, 3_000, 5_000, 1_200, 7_000]
        .into_iter()
        .enumerate()
        .map(|(place, bytes)| {
            format!(
                r#"{{"execution":"e{place}","workflow":"ci","step":"read","attempt":1,"started_at":"2026-01-01T0{place}:00:00Z","duration_ms":{bytes},"outcome":"passed","inputs_bytes":{bytes}}}"#
            )
        })
        .collect();
    space.write("rows.jsonl", &rows.join("\n"));
    space.meow_ok(&["import", "jsonl", "rows.jsonl"]);
    let planned = |size: usize| {
        space.write("data/in", &"x".repeat(size));
        let plan: serde_json::Value =
            serde_json::from_str(&space.meow_ok(&["execute", "--dry-run", "--json"])).expect("JSON");
        plan["steps"][0]["duration_ms"]["p50"].as_f64().expect("a median")
    };
    let (small, large) = (planned(1_000), planned(16_000));
    assert!(small < 1_500.0 && large > 10_000.0, "{small} ms for 1 kB, {large} ms for 16 kB");
    space.meow_ok(&["execute"]);
    let log = space.meow_ok(&["score", "--predictions", "out.csv"]);
    assert!(log.contains("11 attempts"), "{log}");
    space.write(
        ".meow/workflows/ci.toml",
        "formula = \"ci\"\n[[steps]]\nid = \"read\"\nrun = \"true\"\ninputs = [\"../x\"]\n",
    );
    let said = space.meow(&["execute"]);
    assert_eq!(said.code, 2);
    assert!(said.err.contains("an input of step `read` is `../x`"), "{}", said.err);
}

/// Returns a number that may be anything a damaged file or a broken clock gives.
fn odd() -> impl proptest::strategy::Strategy<Value = f64> {
    use proptest::prelude::*;
    let any =
        [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.0, -0.0, -1.0, 1e-308, 5e-324, 1e-6, 1.0, 1e9, 1e300, f64::MAX];
    prop_oneof![4 => 0.5..2e6_f64, 1 => proptest::sample::select(any.to_vec())]
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(48))]
    #[test]
    fn no_number_breaks_learning(
        rows in proptest::collection::vec((odd(), odd(), odd(), 0..40_u32, 0..3_u32, 0..4_u8), 1..120),
        constant in proptest::prelude::any::<bool>(),
    ) {
        let mut trace = Trace::default();
        let names: Vec<meow::scan::Name> = ["a", "b", "c", "metric"].iter().map(|name| trace.names.intern(name)).collect();
        for (place, (duration, inputs, metric, when, step, outcome)) in rows.into_iter().enumerate() {
            let execution = u32::try_from(place).expect("few");
            trace.executions.push(place.to_string());
            let started_us = match when { 0 => i64::MIN, 1 => i64::MAX, when => i64::from(when) * 1_000_000 };
            let known = Known {
                execution,
                repository: step % 2,
                workflow: names[0],
                step: names[step as usize],
                attempt: u32::from(outcome) % 3,
                started_us,
                commit: (outcome == 1).then_some(names[1]),
                branch: (outcome > 1).then_some(names[2]),
                machine: (step > 0).then_some(names[step as usize]),
                inputs_bytes: inputs,
                metrics: Box::new([(names[3], metric)]),
                touch: None,
            };
            let duration_ms = if constant { 5.0 } else { duration };
            let outcome = [Outcome::Passed, Outcome::Failed, Outcome::Cancelled, Outcome::Passed][usize::from(outcome)];
            trace.attempts.push((known, Came { duration_ms, outcome }));
        }
        trace.attempts.sort_by_key(|(known, _)| known.started_us);
        let said = trace.replay(&mut Forecaster::default());
        for said in &said {
            if let Some(said) = said.duration_ms {
                proptest::prop_assert!(said.p10 >= 0.0 && said.p90.is_finite(), "{:?}", said);
                proptest::prop_assert!(said.p10 <= said.p50 && said.p50 <= said.p90, "{:?}", said);
            }
            proptest::prop_assert!(said.failure.is_some_and(|odds| odds > 0.0 && odds < 1.0), "{:?}", said);
        }
        let _ = meow::learn::score::durations(&trace, &said, None);
        let _ = meow::learn::newcomers::newcomers(&trace, &said);
        if let Some(scores) = meow::learn::verdicts::failures(&trace, &said, None) {
            proptest::prop_assert!(scores.methods.iter().all(|method| method.brier.is_finite()));
        }
    }
}

/// Returns six repositories whose builds, tests and lints take alike; names are as `called` in each.
fn six_alike(called: impl Fn(u32, &str) -> String) -> Trace {
    let mut trace = Trace::default();
    let mut draw = Draw::new(3);
    for execution in 0..180_u32 {
        let repository = execution / 30;
        for (place, (step, median_ms)) in (0..).zip([("build", 60_000.0), ("test", 20_000.0), ("lint", 1_000.0)]) {
            let known = Known {
                execution,
                repository,
                workflow: trace.names.intern(&called(repository, "ci")),
                step: trace.names.intern(&called(repository, step)),
                attempt: 1,
                started_us: 1_000_000_000 * i64::from(execution) + place,
                commit: None,
                branch: None,
                machine: None,
                inputs_bytes: f64::NAN,
                metrics: Box::default(),
                touch: None,
            };
            let duration_ms = median_ms * (0.2 * draw.normal()).exp();
            trace.attempts.push((known, Came { duration_ms, outcome: Outcome::Passed }));
        }
    }
    trace.executions = (0..180).map(|execution: u32| execution.to_string()).collect();
    trace
}

#[test]
fn a_new_repository_starts_from_what_the_others_know_by_name_or_by_the_same_hash() {
    let hash = |key: &str, name: &str| meow::record::Digest::of(format!("{key}{name}").as_bytes()).to_string();
    let plain = six_alike(|_, name| name.to_owned());
    let one_key = six_alike(|_, name| hash("team", name));
    for trace in [plain, one_key] {
        let said = trace.replay(&mut Forecaster::default());
        let found = meow::learn::newcomers::newcomers(&trace, &said).expect("six repositories");
        assert_eq!((found.repositories, found.attempts), (6, 360));
        assert!(found.with.predicted > 0.99 && found.without.predicted < 0.99, "{found:?}");
        // The first build of the second repository takes a minute too.
        let first = trace.attempts.iter().position(|(known, _)| known.repository == 1).expect("a second repository");
        let said = said[first].duration_ms.expect("kin");
        assert!((30_000.0..120_000.0).contains(&said.p50) && said.p90 > said.p50, "{said:?}");
    }
    // Hashes of other keys have nothing in common: nothing is known of the first build.
    let trace = six_alike(|repository, name| hash(&repository.to_string(), name));
    let said = trace.replay(&mut Forecaster::default());
    let first = trace.attempts.iter().position(|(known, _)| known.repository == 1).expect("a second repository");
    assert_eq!(said[first].duration_ms, None);
}
