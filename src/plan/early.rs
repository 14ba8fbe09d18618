//! Cheap steps that are likely to fail go first where that costs the whole next to nothing: a failure is known sooner.

use std::cmp::Ordering;

use super::graph::{Plan, StepIndex};
use super::policy::Policy;
use super::predict::Draws;
use super::timeline::simulate;

/// So many attempts tell whether a step fails now and then.
const TOLD: u64 = 5;
/// A step that fails less often is as good as the others.
const RISKY: f64 = 0.01;
/// The whole may take so much longer by what is likely: far less than durations are known to.
const SLOWER: f64 = 1.002;
/// Draws of durations that each order is judged by, at most.
const DRAWS: usize = 8;
/// If all that are risky cost too much, a third of them is looked at, and so on, so many times.
const LOOKS: usize = 4;

/// Moves risky steps to the front of the plan's order: those that fail more often than the workflow's steps do on average,
/// by their odds of failing per time they take (the order of least expected time until the first failure on one slot:
/// Smith 1956, Naval Research Logistics 3). As many of them as the simulated whole allows, the best ones first.
///
/// A step that waits for others goes first once it is ready; what it waits for keeps its place.
pub(super) fn fail_early(plan: &mut Plan) {
    if plan.policy != Policy::Learned {
        return;
    }
    let mut risky = risky(plan);
    let draws = Draws::few(plan, DRAWS);
    let mut usual = None;
    for _ in 0..LOOKS {
        if risky.is_empty() {
            return;
        }
        let usual = *usual.get_or_insert_with(|| expected_ms(plan, &draws));
        let before: Vec<u32> = plan.steps.iter().map(|step| step.rank).collect();
        put_first(plan, &risky);
        if expected_ms(plan, &draws) <= usual * SLOWER {
            return;
        }
        for (step, rank) in plan.steps.iter_mut().zip(before) {
            step.rank = rank;
        }
        let fewer = if risky.len() > 1 { (risky.len() / 3).max(1) } else { 0 };
        risky.truncate(fewer);
    }
}

/// Returns the steps that fail more often than the average, those with the highest odds for their time first.
fn risky(plan: &Plan) -> Vec<StepIndex> {
    let odds = |at: usize| {
        let step = &plan.steps[at];
        step.hint.failure.filter(|odds| step.skip.is_none() && odds.n >= TOLD).map(|odds| odds.mean)
    };
    let known: Vec<f64> = (0..plan.steps.len()).filter_map(odds).collect();
    #[expect(clippy::cast_precision_loss, reason = "steps are few")]
    let average = known.iter().sum::<f64>() / known.len().max(1) as f64;
    let worth = |at: usize| odds(at).unwrap_or(0.0) / plan.steps[at].assumed_ms.max(1e-3);
    let is_risky = |at: &usize| {
        let is_timed = plan.steps[*at].hint.duration_ms.is_some();
        is_timed && odds(*at).is_some_and(|odds| odds >= RISKY && odds > average)
    };
    let mut risky: Vec<usize> = (0..plan.steps.len()).filter(is_risky).collect();
    risky.sort_by(|&a, &b| worth(b).total_cmp(&worth(a)).then(a.cmp(&b)));
    risky.into_iter().map(StepIndex::new).collect()
}

/// Gives these steps the first ranks, in this order; the others follow in theirs.
fn put_first(plan: &mut Plan, first: &[StepIndex]) {
    let mut place = vec![None; plan.steps.len()];
    for (rank, step) in first.iter().enumerate() {
        place[step.at()] = Some(rank);
    }
    let mut ranked: Vec<usize> = (0..plan.steps.len()).collect();
    ranked.sort_by(|&a, &b| match (place[a], place[b]) {
        (Some(a), Some(b)) => a.cmp(&b),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => plan.steps[a].rank.cmp(&plan.steps[b].rank),
    });
    for (rank, at) in ranked.into_iter().enumerate() {
        plan.steps[at].rank = StepIndex::new(rank).0;
    }
}

#[expect(clippy::cast_precision_loss, reason = "a few draws")]
fn expected_ms(plan: &Plan, draws: &Draws) -> f64 {
    let totals: Vec<f64> = draws.each().map(|drawn| simulate(plan, drawn, plan.slots).duration_ms()).collect();
    totals.iter().sum::<f64>() / totals.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use crate::plan::graph::tests::{limits, medians, workflow};
    use crate::plan::{Odds, plan};
    use crate::workflow::StepId;

    /// Each step: `id:needs`, its median and its odds of failing. Returns the steps by rank.
    fn check(steps: &[(&str, f64, f64)], slots: u32, expected: &str) {
        let name = |line: &str| line.split(':').next().expect("a name").to_owned();
        let lines: Vec<&str> = steps.iter().map(|step| step.0).collect();
        let names: Vec<String> = lines.iter().map(|line| name(line)).collect();
        let known: Vec<(&str, f64)> = names.iter().zip(steps).map(|(name, step)| (name.as_str(), step.1)).collect();
        let mut hints = medians(&known);
        for (name, step) in names.iter().zip(steps) {
            let odds = Odds { mean: step.2, low: step.2, high: step.2, n: 20 };
            hints.steps.entry(StepId(name.clone())).or_default().failure = Some(odds);
        }
        let plan = plan(&workflow(&lines), &hints, &limits(slots)).expect("a plan");
        let mut ranked: Vec<_> = plan.steps.iter().map(|step| (step.rank, step.id().as_str())).collect();
        ranked.sort_unstable();
        assert_eq!(ranked.into_iter().map(|(_, id)| id).collect::<Vec<_>>().join(" "), expected, "{steps:?}");
    }

    #[test]
    fn what_is_cheap_and_risky_goes_first_where_the_whole_takes_no_longer() {
        // On one slot any order takes the same time.
        check(&[("build", 100.0, 0.02), ("lint", 5.0, 0.2), ("test", 50.0, 0.3)], 1, "lint test build");
        // Nothing is risky where all are alike, or hardly ever fail.
        check(&[("build", 100.0, 0.2), ("lint", 5.0, 0.2), ("test", 50.0, 0.2)], 1, "build test lint");
        check(&[("build", 100.0, 0.001), ("lint", 5.0, 0.009)], 1, "build lint");
        // On two the long one must not wait for both of the others.
        check(&[("build", 100.0, 0.0), ("unit", 40.0, 0.4), ("lint", 10.0, 0.3)], 2, "lint build unit");
        // Both first would keep what takes long from starting; one of them fits beside it.
        let steps = [("set-up", 1.0, 0.0), ("build:set-up", 600.0, 0.0), ("unit", 50.0, 0.4), ("lint", 50.0, 0.4)];
        check(&steps, 2, "unit set-up build lint");
        check(&[("build", 1_000.0, 0.0), ("pack:build", 10.0, 0.5), ("docs", 900.0, 0.0)], 2, "pack build docs");
    }

    #[test]
    fn the_critical_path_stays_what_it_was() {
        let mut hints = medians(&[("a", 100.0), ("b", 10.0), ("c", 1.0)]);
        let odds = |mean| Some(Odds { mean, low: mean, high: mean, n: 20 });
        hints.steps.entry(StepId("c".to_owned())).or_default().failure = odds(0.5);
        hints.steps.entry(StepId("b".to_owned())).or_default().failure = odds(0.01);
        let plan = plan(&workflow(&["a", "b:a", "c:a"]), &hints, &limits(2)).expect("a plan");
        let path: Vec<&str> = plan.critical_path.iter().map(|step| plan.steps[step.at()].id().as_str()).collect();
        assert_eq!(path, ["a", "b"]);
    }
}
