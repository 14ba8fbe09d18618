//! What is recommended: nothing where there is nothing to find, the right thing where there is.

use meow::learn::{State, learn};
use meow::recommend::{Advice, recommend, recommend_from};
use meow::record::{Digest, Record};
use meow::scan::{Collector, History};

use crate::null::{Draw, Made, Shape, history, null_history};

fn advice(records: &[Record]) -> Vec<Advice> {
    said(&History::from_records("project", records))
}

/// Returns what is recommended, which is the same where no more is learnt than the rules ask for.
fn said(history: &History) -> Vec<Advice> {
    let said = recommend(&learn(State::default(), history).1, history);
    assert_eq!(recommend_from(history), said);
    said
}

fn made(id: &str, needs: &[usize]) -> Made {
    Made { broken_trees: 0.02, ..Made::new(id, needs, 60_000.0) }
}

/// Returns a build with three steps after it, in which nothing stands out yet.
fn ordinary(draw: &mut Draw) -> Shape {
    Shape {
        steps: vec![made("build", &[]), made("test", &[0]), made("lint", &[0]), made("docs", &[0])],
        executions: draw.one(&[80, 120, 200]),
        sigma: draw.one(&[0.05, 0.2, 0.4]),
        machines: vec![("linux-x86_64-8c-16g", 1.0)],
        slots: 8,
        repeats: (0.1, 0.8),
        every_minutes: 120.0,
    }
}

/// Asserts that in at least 90 of 100 seeded histories with this effect the rule speaks about the step, and about
/// nothing else that was not done to the history.
fn found(rule: &str, step: Option<&str>, effect: impl Fn(&mut Shape, &mut Draw)) -> (usize, usize) {
    let (mut hits, mut strays) = (0, Vec::new());
    for seed in 0..100 {
        let mut draw = Draw::new(1000 + seed);
        let mut shape = ordinary(&mut draw);
        effect(&mut shape, &mut draw);
        let said = advice(&history(&shape, &mut draw));
        let (right, wrong): (Vec<_>, Vec<_>) =
            said.into_iter().partition(|advice| advice.rule == rule && advice.step.as_deref() == step);
        hits += right.len();
        strays.extend(wrong.into_iter().map(|advice| format!("{seed}: {}", advice.title)));
    }
    assert!(hits >= 90, "{rule}: {hits} of 100");
    assert!(strays.len() <= 5, "{strays:#?}");
    (hits, strays.len())
}

#[test]
fn nothing_is_claimed_without_an_effect() {
    let claims: Vec<String> = (0..100)
        .filter_map(|seed| {
            let said = advice(&null_history(seed));
            (!said.is_empty()).then(|| format!("{seed}: {}", said[0].rationale))
        })
        .collect();
    println!("claims in {} of 100 histories without an effect", claims.len());
    assert!(claims.len() <= 5, "{claims:#?}");
}

#[test]
fn a_flaky_step_is_found() {
    let (hits, strays) = found("retry", Some("test"), |shape, draw| {
        shape.steps[1].flaky = draw.one(&[0.2, 0.3]);
        shape.steps[1].broken_trees = 0.01;
        // Who repeats a broken tree again and again makes a retry cost what it saves.
        shape.repeats = (0.1, 0.6);
    });
    println!("retry: {hits} of 100 found, {strays} strays");
}

#[test]
fn a_step_that_always_fails_is_found() {
    let (hits, strays) = found("always-fails", Some("docs"), |shape, _| shape.steps[3].broken_trees = 1.0);
    println!("always-fails: {hits} of 100 found, {strays} strays");
}

#[test]
fn a_dominating_step_is_found() {
    let (hits, strays) =
        found("dominant-step", Some("test"), |shape, draw| shape.steps[1].median_ms *= draw.one(&[6.0, 12.0]));
    println!("dominant-step: {hits} of 100 found, {strays} strays");
}

#[test]
fn a_hanging_step_is_found() {
    let (hits, strays) = found("timeout", Some("lint"), |shape, draw| shape.steps[2].hangs = draw.one(&[0.06, 0.1]));
    println!("timeout: {hits} of 100 found, {strays} strays");
}

#[test]
fn too_few_slots_are_found() {
    let (hits, strays) = found("slots", None, |shape, draw| shape.slots = draw.one(&[1, 2]));
    println!("slots: {hits} of 100 found, {strays} strays");
}

#[test]
fn selected_steps_say_nothing_of_the_slots_of_all() {
    let mut draw = Draw::new(1000);
    let mut shape = ordinary(&mut draw);
    shape.slots = 1;
    let records = history(&shape, &mut draw);
    let slots = |records: &[Record]| advice(records).iter().filter(|advice| advice.rule == "slots").count();
    assert_eq!(slots(&records), 1);
    let parts = crate::insight::edit(&records, |execution, _| execution.trigger = meow::record::PARTIAL.into());
    assert_eq!(slots(&parts), 0);
}

#[test]
fn of_a_step_that_was_renamed_nothing_is_left_to_mend() {
    let mut draw = Draw::new(1001);
    let mut shape = ordinary(&mut draw);
    shape.steps[3].broken_trees = 1.0;
    let records = history(&shape, &mut draw);
    let told = |renamed: usize| {
        let executions = History::from_records("project", &records).executions.len();
        let mut place = 0;
        let records = crate::insight::edit(&records, |_, attempts| {
            place += 1;
            let docs = attempts.iter_mut().filter(|attempt| attempt.step == "docs" && place > executions - renamed);
            docs.for_each(|attempt| {
                attempt.step = "pages".into();
                attempt.outcome = meow::record::Outcome::Passed;
            });
        });
        let history = History::from_records("project", &records);
        let insights = meow::learn::insights(&history, &[], &std::collections::BTreeMap::new());
        let red = insights.iter().any(|one| one.finding.name() == "always-red" && one.step.as_deref() == Some("docs"));
        let mend = advice(&records).iter().any(|advice| advice.rule == "always-fails");
        assert_eq!(red, mend, "{renamed}");
        mend
    };
    // Failed trees before it leave it out now and then.
    assert_eq!([0, 5, 40].map(told), [true, true, false]);
}

#[test]
fn many_projects_are_told_apart() {
    let mut collector = Collector::default();
    for (seed, name) in (0..).zip(["b/one", "a/one", "a/one", "two"]) {
        let mut draw = Draw::new(3000 + seed);
        let mut shape = ordinary(&mut draw);
        shape.steps[3].broken_trees = 1.0;
        let repository = collector.repository(name);
        // The second and the third are folders of one name, the fourth is a clone of the first.
        let root = if name == "two" { 0 } else { seed };
        collector.facts(repository).root = Some(Digest::of(&root.to_le_bytes()));
        for record in history(&shape, &mut draw) {
            collector.add(repository, &record);
        }
    }
    let workflows: std::collections::BTreeSet<String> =
        said(&collector.finish()).into_iter().map(|advice| advice.workflow).collect();
    assert_eq!(workflows.len(), 3, "{workflows:?}");
}

#[test]
fn an_advice_keeps_its_id_and_shows_its_proof() {
    let mut draw = Draw::new(7);
    let mut shape = ordinary(&mut draw);
    shape.steps[1].flaky = 0.3;
    shape.executions = 200;
    let records = history(&shape, &mut draw);
    let (early, late) = (advice(&records[..records.len() / 2]), advice(&records));
    let (early, late) = (&early[0], &late[0]);
    assert_eq!(early.id, late.id);
    assert!(late.evidence.len() <= 10 && !late.evidence.is_empty());
    let known = |id: &String| records.iter().any(|record| record.execution.id.to_string() == *id);
    assert!(late.evidence.iter().all(known));
    let gain = late.gain;
    assert!(0.0 < gain.low && gain.low < gain.median && gain.median < gain.high, "{gain:?}");
    assert_eq!(late.change.as_ref().map(|change| change.key.as_str()), Some("steps.test.retry"));
}
