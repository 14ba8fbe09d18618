//! The learning report: intervals that add up, the same numbers in all forms, and health whose parts make its score.

use meow::learn::news::{What, news};
use meow::learn::{State, health, insights, learn, trends};
use meow::record::Outcome;
use meow::report::format::duration;
use meow::report::{self, LearningReport, learning_report, losses};
use meow::scan::History;

use crate::golden::golden;
use crate::insight::edit;
use crate::null::{Draw, Made, Shape, history};

fn page(days: u32) -> LearningReport {
    let step =
        |id: &str, needs: &[usize], flaky: f64| Made { broken_trees: 0.05, flaky, ..Made::new(id, needs, 60_000.0) };
    let shape = Shape {
        steps: vec![step("build", &[], 0.0), step("test", &[0], 0.2), step("lint", &[0], 0.0)],
        executions: 120,
        sigma: 0.2,
        machines: vec![("linux-x86_64-2c-16g", 1.0)],
        slots: 1,
        repeats: (0.1, 0.5),
        every_minutes: 300.0,
    };
    let history = History::from_records("project", &history(&shape, &mut Draw::new(11)));
    let known = learn(State::default(), &history).1;
    let found = insights(&history, &trends(&history), &std::collections::BTreeMap::new());
    let health = health(&history, &known);
    let last = *history.executions.started_ms.last().expect("executions");
    let now = jiff::Timestamp::from_millisecond(last + 3_600_000).expect("a time");
    let before = history.clone().until(report::learning::begins_ms(now, days));
    let learnt = news(&learn(State::default(), &before).1, &known);
    learning_report(history, &found, health, learnt, now, days)
}

#[test]
fn what_is_dated_ahead_or_never_ended_is_not_of_the_page() {
    let shape = Shape {
        steps: vec![Made::new("build", &[], 60_000.0)],
        executions: 20,
        sigma: 0.2,
        machines: vec![("linux-x86_64-2c-16g", 1.0)],
        slots: 1,
        repeats: (0.1, 0.5),
        every_minutes: 60.0,
    };
    let records = history(&shape, &mut Draw::new(12));
    let records = edit(&records, |execution, attempts| {
        execution.outcome = Outcome::Cancelled;
        for attempt in attempts {
            attempt.outcome = Outcome::Cancelled;
        }
    });
    let history = History::from_records("project", &records);
    let known = learn(State::default(), &history).1;
    let now = jiff::Timestamp::from_millisecond(history.executions.started_ms[9]).expect("a time");
    let learnt = news(&meow::learn::Knowledge::default(), &known);
    assert_eq!((learnt.known, learnt.news.len()), (0, 0), "{learnt:?}");
    assert_eq!(health(&history, &known), []);
    let page = learning_report(history, &[], Vec::new(), learnt, now, 7);
    assert_eq!((page.executions, page.by_hour.iter().sum::<u64>()), (10, 10));
    assert!(!report::text(&page.document(), report::PLAIN).contains("Health"));
}

#[test]
fn causes_add_up_and_forms_agree() {
    let page = page(14);
    let (all, causes) = page.lost.split_last().expect("causes");
    assert!(all.low_ms < all.mean_ms && all.mean_ms < all.high_ms, "{all:?}");
    let ends: [fn(&report::learning::Cause) -> f64; 3] =
        [|cause| cause.low_ms, |cause| cause.mean_ms, |cause| cause.high_ms];
    for end in ends {
        let sum: f64 = causes.iter().map(end).sum();
        assert!((sum - end(all)).abs() < 1e-6 * sum, "{sum} {all:?}");
    }
    let document = page.document();
    let forms = [report::text(&document, report::PLAIN), report::markdown(&document), report::html(&document)];
    for form in &forms {
        for cause in &page.lost {
            let shown = form.contains(&duration(cause.mean_ms)) && form.contains(&duration(cause.high_ms));
            assert_eq!(shown, cause.high_ms >= 1.0, "{} {form}", cause.cause);
        }
        for health in &page.health {
            assert!(form.contains(&format!("{:.0}", health.score)), "{form}");
        }
        assert!(page.insights.insights.iter().all(|one| form.contains(&one.evidence[0][..8])), "{form}");
    }
    golden("tests/pages/learning.txt", &forms[0]);
    golden("tests/pages/learning.md", &forms[1]);
    golden("tests/pages/learning.json", &report::json(&page));
}

#[test]
fn health_is_its_parts_by_weight() {
    for health in page(7).health {
        assert!((0.0..=100.0).contains(&health.score) && health.at_least <= health.score, "{health:?}");
        let parts = [Some(health.success), health.time, health.steady, health.predictions];
        let weights = health::WEIGHTS.map(|(_, weight)| weight);
        let known: Vec<(f64, f64)> =
            parts.iter().zip(weights).filter_map(|(part, weight)| Some(((*part)?, weight))).collect();
        let all: f64 = known.iter().map(|(_, weight)| weight).sum();
        let score = 100.0 * known.iter().map(|(part, weight)| part * weight).sum::<f64>() / all;
        assert!((score - health.score).abs() <= 0.05 + 1e-9, "{health:?}");
    }
}

#[test]
fn each_lost_minute_has_one_cause() {
    let shape = Shape {
        steps: vec![Made { broken_trees: 0.1, hangs: 0.2, ..Made::new("test", &[], 60_000.0) }],
        executions: 100,
        sigma: 0.2,
        machines: vec![("linux-x86_64-2c-16g", 1.0)],
        slots: 1,
        repeats: (0.1, 0.5),
        every_minutes: 300.0,
    };
    let mut records = history(&shape, &mut Draw::new(5));
    let mut expected = [0.0; 3];
    for (place, record) in records.iter_mut().enumerate() {
        let attempt = &mut record.attempt;
        let cause = match attempt.outcome {
            Outcome::Passed => continue,
            Outcome::Cancelled => 2,
            Outcome::Failed => usize::from(place % 2 == 0),
        };
        attempt.timed_out = cause == 1;
        expected[cause] += attempt.duration_ms.expect("it ran");
    }
    assert!(expected.iter().all(|ms| *ms > 0.0), "{expected:?}");
    let page = losses(&History::from_records("project", &records), &[]);
    let lost = page.repositories[0].lost;
    for (ms, expected) in [lost.failed_ms, lost.timed_out_ms, lost.cancelled_ms].into_iter().zip(expected) {
        assert!((ms * page.weeks - expected).abs() < 1e-6 * expected, "{lost:?} {expected}");
    }
    assert_eq!((lost.retried_ms, lost.waiting_ms), (0.0, 0.0));
}

#[test]
fn what_is_new_and_what_moved_is_learnt_and_the_rest_is_not() {
    let step = |id: &str| Made::new(id, &[], 60_000.0);
    let shape = Shape {
        steps: vec![step("steady"), step("slower"), step("fails"), step("new")],
        executions: 160,
        sigma: 0.1,
        machines: vec![("linux-x86_64-2c-16g", 1.0)],
        slots: 8,
        repeats: (0.0, 0.0),
        every_minutes: 300.0,
    };
    let mut at = 0;
    let mut cut_ms = 0;
    let records = edit(&history(&shape, &mut Draw::new(21)), |execution, attempts| {
        at += 1;
        if at == 101 {
            cut_ms = execution.started_at.as_millisecond();
        }
        attempts.retain(|one| at > 100 || one.step != "new");
        for one in attempts.iter_mut().filter(|_| at > 100) {
            if one.step == "slower" {
                one.duration_ms = one.duration_ms.map(|ms| ms * 4.0);
            }
            if one.step == "fails" && at % 2 == 0 {
                one.outcome = Outcome::Failed;
            }
        }
    });
    let all = History::from_records("project", &records);
    let before = all.clone().until(cut_ms);
    assert_eq!((before.executions.len(), all.clone().since(cut_ms).executions.len()), (100, 60));
    let known = |history: &History| learn(State::default(), history).1;
    let learnt = news(&known(&before), &known(&all));
    let of = |step: &str| learnt.news.iter().filter(|one| one.step.as_deref() == Some(step)).collect::<Vec<_>>();
    assert!(of("steady").is_empty(), "{learnt:#?}");
    assert!(matches!(of("new")[..], [one] if matches!(one.what, What::New { n: 60, .. })), "{learnt:#?}");
    let slower = |what: &What| matches!(what, What::Time { before_ms, after_ms } if after_ms / before_ms > 3.0);
    assert!(of("slower").iter().any(|one| slower(&one.what)), "{learnt:#?}");
    let fails = |what: &What| matches!(what, What::Failure { before, after } if after > before);
    assert!(of("fails").iter().any(|one| fails(&one.what)), "{learnt:#?}");
    assert_eq!((learnt.known, learnt.new), (5, 1), "{learnt:#?}");
    assert_eq!(news(&known(&all), &known(&all)).news, [], "the same teaches nothing");
}
