//! Pages from made-up histories: what they claim, how they read, and that strangers' names stay names.

use meow::learn::Knowledge;
use meow::record::{Outcome, Record};
use meow::report::compare::{Change, DurationVerdict, FailureVerdict};
use meow::report::{Accepted, Comparison, Names, Side, compare};
use meow::scan::History;

use crate::null::{self, Draw, Made, Shape, null_history};

fn names() -> Names {
    Names { base: "main".into(), head: "this branch".into() }
}

/// Compares the executions from place `from` on with those before.
fn split(records: &[Record], from: usize) -> Comparison {
    let history = History::from_records("project", records);
    let sides: Vec<Option<Side>> =
        (0..history.executions.len()).map(|place| Some(if place < from { Side::Base } else { Side::Head })).collect();
    compare(&history, &sides, names(), &Knowledge::default(), &[], &Accepted::new())
}

/// Returns a chain of `steps` steps of four seconds, all on one machine class.
fn chain(steps: usize, executions: usize, sigma: f64) -> Shape {
    let made = |place: usize| {
        let needs: Vec<usize> = (0..place).rev().take(1).collect();
        Made::new(&format!("step-{place}"), &needs, 4_000.0)
    };
    Shape {
        steps: (0..steps).map(made).collect(),
        executions,
        sigma,
        machines: vec![("linux-x86_64-8c-16g", 1.0)],
        slots: 4,
        repeats: (0.0, 0.0),
        every_minutes: 60.0,
    }
}

/// Returns the records with one change in the executions from `from` on.
fn changed(mut records: Vec<Record>, from: usize, change: impl Fn(&mut Record)) -> Vec<Record> {
    let mut order: Vec<_> = records.iter().map(|record| (record.execution.started_at, record.execution.id)).collect();
    order.sort();
    order.dedup();
    let first = order[from].0;
    records.iter_mut().filter(|record| record.execution.started_at >= first).for_each(change);
    records
}

#[test]
fn nothing_is_claimed_where_nothing_changed() {
    let claims = |split_of: &dyn Fn(&mut Draw, usize) -> usize| {
        (0..100_u64)
            .filter(|seed| {
                let records = null_history(*seed);
                let executions = History::from_records("project", &records).executions.len();
                let from = split_of(&mut Draw::new(seed + 7_000), executions);
                split(&records, from).claims()
            })
            .collect::<Vec<u64>>()
    };
    let place = |share: f64, executions: usize| {
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a place"
        )]
        let place = (share * executions as f64) as usize;
        place.clamp(1, executions - 1)
    };
    let anywhere = claims(&|draw, executions| place(draw.unit(), executions));
    let short_branch = claims(&|draw, executions| executions - draw.one(&[1, 2, 3, 4, 5]).min(executions - 1));
    println!("claims without any effect: {anywhere:?} of 100 split anywhere, {short_branch:?} of 100 with few runs");
    assert!(anywhere.len() <= 5, "{anywhere:?}");
    assert!(short_branch.len() <= 5, "{short_branch:?}");
}

#[test]
fn a_slowdown_is_found() {
    let found = (0..100_u64)
        .filter(|seed| {
            let records = null::history(&chain(6, 20, 0.1), &mut Draw::new(*seed));
            let slower = changed(records, 10, |record| {
                if record.attempt.step == "step-3" {
                    record.attempt.duration_ms = record.attempt.duration_ms.map(|ms| ms * 1.3);
                }
            });
            let page = split(&slower, 10);
            page.workflows[0]
                .steps
                .iter()
                .any(|step| step.step == "step-3" && step.change.duration == DurationVerdict::Slower)
        })
        .count();
    println!("a slowdown of 30 % found in {found} of 100");
    assert!(found >= 90, "{found}");
}

#[test]
fn a_single_run_is_unusual_only_where_people_would_care() {
    // Durations that hardly vary: a hundredth of a per cent would stand out.
    let records = null::history(&chain(2, 21, 0.000_01), &mut Draw::new(5));
    let verdict = |factor: f64| {
        let longer = changed(records.clone(), 20, |record| {
            record.attempt.duration_ms = record.attempt.duration_ms.map(|ms| ms * factor);
        });
        split(&longer, 20).workflows[0].steps[0].change.duration
    };
    for (factor, expected) in [
        (1.04, DurationVerdict::FewRuns),
        (1.06, DurationVerdict::UnusuallyLong),
        (0.97, DurationVerdict::FewRuns),
        (0.9, DurationVerdict::UnusuallyShort),
    ] {
        assert_eq!(verdict(factor), expected, "{factor}");
    }
}

#[test]
fn a_step_that_begins_to_fail_is_always_found() {
    let found = (0..100_u64)
        .filter(|seed| {
            let records = null::history(&chain(6, 30, 0.3), &mut Draw::new(*seed));
            let failing = changed(records, 24, |record| {
                if record.attempt.step == "step-5" {
                    record.attempt.outcome = Outcome::Failed;
                }
            });
            let page = split(&failing, 24);
            page.workflows[0]
                .steps
                .iter()
                .any(|step| step.step == "step-5" && step.change.failure == FailureVerdict::NewFailure)
        })
        .count();
    println!("a step that begins to fail found in {found} of 100");
    assert_eq!(found, 100);
}

#[test]
fn an_accepted_level_is_the_norm_from_then_on() {
    let records = null::history(&chain(2, 60, 0.05), &mut Draw::new(3));
    let slower = changed(records, 20, |record| {
        record.attempt.duration_ms = record.attempt.duration_ms.map(|ms| ms * 2.0);
    });
    let history = History::from_records("project", &slower);
    let sides: Vec<Option<Side>> =
        (0..60).map(|place| Some(if place < 40 { Side::Base } else { Side::Head })).collect();
    let verdicts = |accepted: &Accepted| {
        let page = compare(&history, &sides, names(), &Knowledge::default(), &[], accepted);
        page.workflows[0].steps.iter().map(|step| step.change.clone()).collect::<Vec<_>>()
    };
    let since = history.executions.started_ms[20];
    let key = |step: &str| ("ci".to_owned(), Some(step.to_owned()));
    let (before, after) = (verdicts(&Accepted::new()), verdicts(&Accepted::from([(key("step-1"), since)])));
    let runs = |change: &Change| change.base.duration_ms.expect("measured").n;
    assert_eq!(before.iter().map(runs).collect::<Vec<_>>(), [40, 40]);
    assert_eq!(after.iter().map(runs).collect::<Vec<_>>(), [40, 20], "the other step keeps its base");
    assert_eq!(after[1].duration, DurationVerdict::Unchanged);
    assert_eq!(after[1].base.runs, 40, "failures are compared with all of the base");
}
