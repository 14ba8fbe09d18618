//! Insights: none without an effect, and each pattern where its effect was put into a history.

use std::collections::BTreeMap;
use std::sync::Arc;

use meow::learn::insight::{Finding, Measure, slot_uses};
use meow::learn::{Insight, State, Verdict, insights, learn, trends};
use meow::recommend::recommend;
use meow::record::{Attempt, Digest, Execution, Outcome, PARTIAL, Record};
use meow::report::{self, Extent};
use meow::scan::History;
use meow::workflow::{Dialect, Source, Workflow, parse};

use crate::null::{Draw, Made, Shape, history, null_history};

fn told(records: &[Record], workflows: &BTreeMap<String, Workflow>) -> Vec<Insight> {
    let history = History::from_records("project", records);
    insights(&history, &trends(&history), workflows)
}

fn made(id: &str, needs: &[usize], median_ms: f64) -> Made {
    Made { broken_trees: 0.02, ..Made::new(id, needs, median_ms) }
}

/// Returns a build with three steps after it, in which nothing stands out.
fn ordinary() -> Shape {
    Shape {
        steps: vec![
            made("build", &[], 60_000.0),
            made("test", &[0], 60_000.0),
            made("lint", &[0], 60_000.0),
            made("docs", &[0], 60_000.0),
        ],
        executions: 150,
        sigma: 0.2,
        machines: vec![("linux-x86_64-8c-16g", 1.0)],
        slots: 8,
        repeats: (0.1, 0.5),
        every_minutes: 240.0,
    }
}

/// Changes every execution with its attempts.
pub fn edit(records: &[Record], mut change: impl FnMut(&mut Execution, &mut Vec<Attempt>)) -> Vec<Record> {
    let mut edited = Vec::new();
    for records in records.chunk_by(|a, b| a.execution.id == b.execution.id) {
        let mut execution = (*records[0].execution).clone();
        let mut attempts: Vec<Attempt> = records.iter().map(|record| record.attempt.clone()).collect();
        change(&mut execution, &mut attempts);
        let execution = Arc::new(execution);
        edited.extend(attempts.into_iter().map(|attempt| Record { execution: Arc::clone(&execution), attempt }));
    }
    edited
}

/// Puts a failed try before the passed attempts of a step in a share of the executions; the second one fails too with a
/// probability.
fn retried(records: &[Record], step: &str, share: f64, again: f64, draw: &mut Draw) -> Vec<Record> {
    edit(records, |execution, attempts| {
        let Some(place) = attempts.iter().position(|attempt| attempt.step == step) else { return };
        if attempts[place].outcome == Outcome::Passed && draw.happens(share) {
            let mut first = attempts[place].clone();
            first.outcome = Outcome::Failed;
            attempts[place].attempt = 2;
            attempts[place].started_ms += 70_000;
            attempts[place].ready_ms = Some(attempts[place].started_ms);
            if draw.happens(again) {
                attempts[place].outcome = Outcome::Failed;
                execution.outcome = Outcome::Failed;
            }
            attempts.insert(place, first);
        }
    })
}

/// Returns a workflow file's declarations of `test`.
fn declares(keys: &str) -> BTreeMap<String, Workflow> {
    let text = format!("formula = \"ci\"\n[[steps]]\nid = \"test\"\nrun = \"true\"\n{keys}\n");
    let source = Source { file: "ci.toml".into(), dialect: Dialect::Own, bytes: text.into_bytes() };
    let workflow = parse(&source, &mut |name, _| panic!("{name} is asked for"));
    let workflow = workflow.and_then(|definition| definition.fill(&BTreeMap::new())).expect("a workflow");
    BTreeMap::from([("ci".to_owned(), workflow)])
}

const SEEDS: u64 = 10;

/// What costs time wherever it is found.
const COSTS: [&str; 8] = [
    "always-red",
    "cold-cache-mornings",
    "fails-late",
    "idle-slots",
    "memory-collision",
    "retry-storm",
    "serial-chain",
    "vain-retries",
];

/// Asserts that in at least 9 of 10 seeded histories the pattern is told of the step, with its proof, and that nothing
/// else is told but what `also` names as belonging to the effect.
fn found(
    name: &str,
    of: Option<&str>,
    also: &[&str],
    workflows: &BTreeMap<String, Workflow>,
    make: impl Fn(&mut Draw) -> Vec<Record>,
) {
    let (mut hits, mut strays) = (0, Vec::new());
    for seed in 0..SEEDS {
        let records = make(&mut Draw::new(5_000 + seed));
        let said = told(&records, workflows);
        let (right, wrong): (Vec<&Insight>, Vec<&Insight>) =
            said.iter().partition(|one| one.finding.name() == name && one.step.as_deref() == of);
        hits += usize::from(!right.is_empty());
        for one in right {
            let known = |id: &String| records.iter().any(|record| record.execution.id.to_string() == *id);
            assert!(!one.evidence.is_empty() && one.evidence.len() <= 10 && one.evidence.iter().all(known), "{one:?}");
            assert!(!COSTS.contains(&name) || one.weekly_ms > Some(0.0), "{one:?}");
            assert!(one.n > 0 && (0.0..=1.0).contains(&one.certainty.value), "{one:?}");
        }
        let strange = wrong.into_iter().filter(|one| !also.contains(&one.finding.name()));
        strays.extend(strange.map(|one| format!("{seed}: {:?} {:?}", one.step, one.finding)));
    }
    assert!(hits >= 9, "{name}: {hits} of {SEEDS}; instead {strays:#?}");
    assert!(strays.len() <= 2, "{strays:#?}");
}

fn none() -> BTreeMap<String, Workflow> {
    BTreeMap::new()
}

#[test]
fn nothing_is_told_without_an_effect() {
    let mut by_claim: BTreeMap<String, usize> = BTreeMap::new();
    let mut histories = 0;
    for seed in 0..100 {
        let history = History::from_records("project", &null_history(seed));
        let knowledge = learn(State::default(), &history).1;
        let mut said: Vec<String> = insights(&history, &trends(&history), &none())
            .iter()
            .map(|one| format!("{} {:?}", one.finding.name(), one))
            .collect();
        said.extend(recommend(&knowledge, &history).into_iter().map(|advice| advice.rule));
        let steps = knowledge.workflows.values().flat_map(|workflow| &workflow.steps);
        let flaky = steps.filter(|step| step.flakiness.is_some_and(|known| known.verdict == Verdict::Flaky));
        said.extend(flaky.map(|step| format!("flaky {}", step.step)));
        histories += usize::from(!said.is_empty());
        for one in said {
            *by_claim.entry(one).or_default() += 1;
        }
    }
    println!("{histories} of 100 histories without an effect have a claim: {by_claim:#?}");
    assert!(histories <= 5, "{by_claim:#?}");
}

#[test]
fn sensible_declarations_are_not_blamed() {
    let workflows = declares(
        "timeout = \"10m\"\nretry = { attempts = 2, backoff = \"2s\" }\nresources = { cpu = 1, memory = \"64MiB\" }",
    );
    let mut claims = Vec::new();
    for seed in 0..100 {
        let mut draw = Draw::new(9_000 + seed);
        let mut shape = ordinary();
        shape.executions = draw.one(&[20, 60, 120]);
        shape.steps[1].broken_trees = 0.05;
        let said = told(&history(&shape, &mut draw), &workflows);
        claims.extend(said.first().map(|one| format!("{seed}: {one:?}")));
    }
    println!("{} of 100", claims.len());
    assert!(claims.len() <= 5, "{claims:#?}");
}

#[test]
fn retry_storms_and_what_retries_bring_are_found() {
    let storm = |draw: &mut Draw| {
        let records = history(&ordinary(), draw);
        retried(&records, "test", 0.4, 0.0, draw)
    };
    found("retry-storm", Some("test"), &["retries-pay", "flaky"], &none(), storm);
    found("retries-pay", Some("test"), &["retry-storm", "flaky"], &none(), storm);
    let vain = |draw: &mut Draw| {
        let records = history(&ordinary(), draw);
        retried(&records, "test", 0.4, 1.0, draw)
    };
    found("vain-retries", Some("test"), &["retry-storm", "fails-late", "flaky"], &none(), vain);
}

#[test]
fn unused_retries_are_found() {
    let workflows = declares("retry = { attempts = 3, backoff = \"2s\" }");
    found("unused-retries", Some("test"), &[], &workflows, |draw| {
        let mut shape = ordinary();
        shape.executions = 600;
        shape.steps[1].broken_trees = 0.0;
        history(&shape, draw)
    });
}

#[test]
fn a_step_that_is_always_red_is_found() {
    found("always-red", Some("docs"), &["fails-late"], &none(), |draw| {
        let mut shape = ordinary();
        shape.steps[3].broken_trees = 1.0;
        history(&shape, draw)
    });
    let mut shape = ordinary();
    shape.steps[3].broken_trees = 1.0;
    let said = told(&history(&shape, &mut Draw::new(5_000)), &none());
    let red = said.iter().find(|one| one.finding.name() == "always-red").expect("told");
    assert_eq!(red.certainty.measure, Measure::Posterior, "nothing passed before that it could be tested against");
    assert!(red.certainty.value > 0.98, "{red:?}");
}

#[test]
fn failures_that_come_late_and_soon_are_found() {
    found("fails-late", Some("docs"), &["bottleneck"], &none(), |draw| {
        let mut shape = ordinary();
        shape.steps[3] = Made { needs: vec![1], median_ms: 9_000.0, broken_trees: 0.3, ..shape.steps[3].clone() };
        history(&shape, draw)
    });
    found("fails-fast", None, &[], &none(), |draw| {
        let mut shape = ordinary();
        shape.steps.iter_mut().for_each(|step| step.broken_trees = 0.005);
        shape.steps[0] = Made { median_ms: 9_000.0, broken_trees: 0.4, ..shape.steps[0].clone() };
        shape.steps[2].needs = vec![1];
        shape.steps[3].needs = vec![2];
        history(&shape, draw)
    });
}

#[test]
fn a_time_limit_near_the_median_is_found() {
    let stop = |draw: &mut Draw, limit: f64| {
        let mut shape = ordinary();
        shape.sigma = 0.3;
        shape.executions = 300;
        edit(&history(&shape, draw), |execution, attempts| {
            for attempt in attempts.iter_mut().filter(|attempt| attempt.step == "test") {
                if attempt.duration_ms.is_some_and(|ms| ms > limit) {
                    attempt.duration_ms = Some(limit);
                    attempt.outcome = Outcome::Failed;
                    attempt.timed_out = true;
                    execution.outcome = Outcome::Failed;
                }
            }
        })
    };
    found("timeout-near-median", Some("test"), &["flaky"], &none(), |draw| stop(draw, 90_000.0));
    let workflows = declares("timeout = \"95s\"");
    found("timeout-near-median", Some("test"), &["flaky"], &workflows, |draw| stop(draw, 95_000.0));
}

#[test]
fn a_need_that_nobody_needs_is_found() {
    found("serial-chain", Some("test"), &[], &none(), |draw| {
        let mut shape = ordinary();
        shape.steps[2..].iter_mut().for_each(|step| step.median_ms = 5_000.0);
        let mut place = 0_u8;
        edit(&history(&shape, draw), |execution, attempts| {
            place += 1;
            if place.is_multiple_of(3) {
                execution.trigger = PARTIAL.into();
                execution.source.tree = Some(Digest::of(&[place]));
                attempts.retain(|attempt| attempt.step == "test");
            }
        })
    });
}

#[test]
fn steps_that_do_not_fit_beside_each_other_are_found() {
    found("memory-collision", Some("test"), &["flaky", "queueing"], &none(), |draw| {
        let crowd = |draw: &mut Draw, slots: usize, fails: f64| {
            let mut shape = ordinary();
            shape.slots = slots;
            shape.executions = 80;
            let records = history(&shape, draw);
            edit(&records, |execution, attempts| {
                for attempt in attempts.iter_mut() {
                    attempt.peak_memory_bytes = Some(6 << 30);
                    if attempt.step == "test" && draw.happens(fails) {
                        attempt.outcome = Outcome::Failed;
                        execution.outcome = Outcome::Failed;
                    }
                }
            })
        };
        let mut records = crowd(draw, 8, 0.4);
        records.extend(crowd(draw, 1, 0.0));
        records
    });
}

#[test]
fn cold_caches_after_a_pause_are_found() {
    found("cold-cache-mornings", Some("build"), &[], &none(), |draw| {
        let mut end = 0;
        edit(&history(&ordinary(), draw), |execution, attempts| {
            let start = execution.started_at.as_second();
            let took = execution.duration_ms.unwrap_or(0.0) / 1000.0;
            if end > 0 && start - end > 6 * 3_600 {
                attempts.iter_mut().filter(|one| one.step == "build").for_each(|one| {
                    one.duration_ms = one.duration_ms.map(|ms| ms * 1.4);
                });
            }
            #[expect(clippy::cast_possible_truncation, reason = "seconds of one execution")]
            let seconds = took as i64;
            end = start + seconds;
        })
    });
}

#[test]
fn resources_that_do_not_fit_what_is_used_are_found() {
    let cpu = declares("resources = { cpu = 4 }");
    found("oversized-cpu", Some("test"), &[], &cpu, |draw| history(&ordinary(), draw));
    let much = declares("resources = { memory = \"1GiB\" }");
    found("oversized-memory", Some("test"), &[], &much, |draw| history(&ordinary(), draw));
    let little = declares("resources = { memory = \"46MiB\" }");
    found("undersized-memory", Some("test"), &[], &little, |draw| history(&ordinary(), draw));
}

#[test]
fn what_holds_up_the_others_is_found() {
    found("bottleneck", Some("test"), &[], &none(), |draw| {
        let mut shape = ordinary();
        shape.steps[1].median_ms *= 6.0;
        history(&shape, draw)
    });
    found("queueing", None, &[], &none(), |draw| {
        let mut shape = ordinary();
        shape.slots = 1;
        history(&shape, draw)
    });
}

/// Returns a workflow file in which `test` and `lint` share a lock.
fn locked() -> BTreeMap<String, Workflow> {
    let text = "formula = \"ci\"\n[[steps]]\nid = \"test\"\nrun = \"true\"\nlocks = [\"target\"]\n[[steps]]\nid = \"lint\"\nrun = \"true\"\nlocks = [\"target\"]\n";
    let source = Source { file: "ci.toml".into(), dialect: Dialect::Own, bytes: text.as_bytes().to_vec() };
    let workflow = parse(&source, &mut |name, _| panic!("{name} is asked for"));
    let workflow = workflow.and_then(|definition| definition.fill(&BTreeMap::new())).expect("a workflow");
    BTreeMap::from([("ci".to_owned(), workflow)])
}

/// Makes `lint` start only when `test` has ended.
fn one_after_the_other(records: &[Record]) -> Vec<Record> {
    edit(records, |execution, attempts| {
        let test = attempts.iter().find(|one| one.step == "test").cloned();
        if let (Some(test), Some(lint)) = (test, attempts.iter_mut().find(|one| one.step == "lint")) {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "milliseconds of one execution"
            )]
            let took = test.duration_ms.unwrap_or(0.0) as u64;
            lint.started_ms = test.started_ms + took + 1;
            #[expect(clippy::cast_precision_loss, reason = "milliseconds of one execution")]
            let end = lint.started_ms as f64 + lint.duration_ms.unwrap_or(0.0);
            execution.duration_ms = execution.duration_ms.map(|all| all.max(end));
        }
    })
}

#[test]
fn the_time_of_slots_adds_up_and_says_why_they_were_idle() {
    for seed in 0..40 {
        let mut draw = Draw::new(700 + seed);
        let shape = Shape { slots: draw.one(&[1, 2, 3, 8]), executions: 30, ..ordinary() };
        let records = retried(&history(&shape, &mut draw), "test", 0.3, 0.2, &mut Draw::new(seed));
        let records = if seed % 2 == 0 { one_after_the_other(&records) } else { records };
        let known = slot_uses(&History::from_records("project", &records), &locked());
        assert_eq!(known.len(), 1);
        let used = &known[0];
        let idle = used.unready_ms + used.backoff_ms + used.locks_ms + used.memory_ms + used.processors_ms;
        let parts = used.worked_ms + idle + used.other_ms;
        assert!((parts - used.slot_ms).abs() < 1e-6 * used.slot_ms, "{used:?}");
        let wide = shape.slots >= 3;
        assert!(used.retried_ms > 0.0 && (used.backoff_ms > 0.0 || !wide), "{used:?}");
        assert!(used.locks_ms > 1_000.0 || seed % 2 == 1 || shape.slots == 1, "{used:?}");
        let unlocked = &slot_uses(&History::from_records("project", &records), &none())[0];
        assert!(unlocked.locks_ms == 0.0 && (unlocked.held_ms() - used.held_ms()).abs() < 1e-3, "{used:?}");
        assert!(used.queued_ms < 1.0 || shape.slots < 8, "{used:?}");
        assert!(used.queued_ms > 1.0 || shape.slots > 1, "{used:?}");
    }
}

#[test]
fn slots_that_are_idle_though_a_step_is_ready_are_found() {
    found("idle-slots", None, &["fails-late"], &locked(), |draw| {
        let shape = Shape { slots: 2, ..ordinary() };
        one_after_the_other(&history(&shape, draw))
    });
    let shape = Shape { slots: 2, ..ordinary() };
    let said = told(&one_after_the_other(&history(&shape, &mut Draw::new(5_001))), &locked());
    let idle = said.iter().find(|one| one.finding.name() == "idle-slots").expect("told");
    let Finding::IdleSlots { held_ms, .. } = idle.finding else { panic!("{idle:?}") };
    // Every four hours an execution: some forty a week, most of which pass.
    let each_week = idle.weekly_ms.expect("it costs time") / held_ms;
    assert!((30.0..50.0).contains(&each_week), "{each_week}");
}

#[test]
fn queueing_says_how_many_slots_are_enough() {
    let shape = Shape { slots: 1, machines: vec![("linux-x86_64-8c-16g", 1.0)], ..ordinary() };
    let said = told(&history(&shape, &mut Draw::new(5_000)), &none());
    let Some(Finding::Queueing { capacity: Some(known), .. }) =
        said.iter().map(|one| &one.finding).find(|finding| finding.name() == "queueing")
    else {
        panic!("{said:#?}")
    };
    // After the build three equal steps run side by side.
    assert_eq!((known.slots, known.enough), (1, 3), "{known:?}");
    assert!(known.enough_p90_ms < 0.7 * known.p90_ms && known.saved_ms > 60_000.0, "{known:?}");
}

#[test]
fn changes_of_one_moment_are_one_insight_and_the_costly_come_first() {
    let records = history(&Shape { executions: 200, ..ordinary() }, &mut Draw::new(77));
    let ids: Vec<_> = records.chunk_by(|a, b| a.execution.id == b.execution.id).map(|of| of[0].execution.id).collect();
    let (middle, late) = (ids[100], ids[160]);
    let (mut after, mut last) = (false, false);
    let records = edit(&records, |execution, attempts| {
        after |= execution.id == middle;
        last |= execution.id == late;
        for one in attempts.iter_mut() {
            let factor = match one.step.as_str() {
                "test" if after => 3.0,
                "lint" if after => 1.6,
                "docs" if last => 0.5,
                _ => 1.0,
            };
            one.duration_ms = one.duration_ms.map(|ms| ms * factor);
        }
    });
    let said = told(&records, &none());
    let changes: Vec<&Insight> = said.iter().filter(|one| one.finding.name() == "changed").collect();
    let steps = |one: &Insight| one.step.clone().expect("a step");
    assert_eq!(changes.iter().map(|one| steps(one)).collect::<Vec<_>>(), ["test", "docs"], "{changes:#?}");
    assert_eq!(changes[0].with.iter().map(steps).collect::<Vec<_>>(), ["lint"], "{changes:#?}");
    assert!(changes[0].weekly_ms > Some(0.0) && changes[1].weekly_ms < Some(0.0), "{changes:#?}");
    assert!(said.windows(2).all(|pair| pair[0].worth() >= pair[1].worth()), "{said:#?}");
}

#[test]
fn what_is_not_shown_is_counted() {
    let records: Vec<Record> = (0..8)
        .flat_map(|place| {
            let draw = &mut Draw::new(100 + place);
            let shape = Shape { executions: 80, ..ordinary() };
            let mut at = 0;
            edit(&history(&shape, draw), |execution, attempts| {
                at += 1;
                execution.workflow = format!("ci-{place}");
                let factor = if at > 40 { 2.0 } else { 1.0 };
                for one in attempts.iter_mut() {
                    one.duration_ms = one.duration_ms.map(|ms| ms * factor);
                }
            })
        })
        .collect();
    let history = History::from_records("project", &records);
    let found = insights(&history, &trends(&history), &none());
    let page = report::insights(&found, history.executions.len(), Some("changed"), None);
    let (top, all) = (
        report::text(&page.document(Extent::Top), report::PLAIN),
        report::text(&page.document(Extent::All), report::PLAIN),
    );
    let told = |text: &str| text.matches(" changed: ").count();
    let every: usize = page.insights.iter().map(|one| 1 + one.with.len()).sum();
    assert!(page.insights.len() > 5, "{top}");
    assert_eq!((told(&top), told(&all)), (5, every), "{top}\n{all}");
    let left: usize = page.insights.iter().skip(5).map(|one| 1 + one.with.len()).sum();
    assert!(top.contains(&format!("{left} more: meow insights --all")) && !all.contains("--all"), "{top}");
}

#[test]
fn a_flaky_step_is_told() {
    found("flaky", Some("test"), &[], &none(), |draw| {
        let mut shape = ordinary();
        shape.steps[1].flaky = 0.2;
        history(&shape, draw)
    });
}

#[test]
fn a_single_attempt_far_outside_is_found() {
    found("far-outside", Some("lint"), &["far-outside"], &none(), |draw| {
        let mut place = 0;
        edit(&history(&ordinary(), draw), |execution, attempts| {
            place += 1;
            if place == 145 {
                for attempt in attempts.iter_mut().filter(|one| one.step == "lint") {
                    attempt.outcome = Outcome::Passed;
                    attempt.duration_ms = attempt.duration_ms.map(|ms| ms * 12.0);
                    execution.duration_ms = execution.duration_ms.zip(attempt.duration_ms).map(|(all, own)| all + own);
                }
            }
        })
    });
}

#[test]
fn the_same_history_tells_the_same() {
    let mut draw = Draw::new(3);
    let records = history(&Shape { slots: 1, ..ordinary() }, &mut draw);
    let mut turned = records.clone();
    turned.reverse();
    assert_eq!(told(&records, &none()), told(&turned, &none()));
    assert!(told(&[], &none()).is_empty());
}
