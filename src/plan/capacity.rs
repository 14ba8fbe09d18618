//! What more or fewer slots would bring: makespan, bounds and utilisation by number of slots.

use super::graph::Plan;
use super::policy::to_end;
use super::predict::Draws;
use super::timeline::simulate;

/// More slots stop paying where the makespan is within this share of the shortest.
const NEAR: f64 = 0.05;

/// What a number of slots would bring.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Load {
    /// Attempts that may run at once.
    pub slots: u32,
    /// From the first start to the last end in milliseconds; the median where durations vary.
    pub makespan_ms: f64,
    /// Exceeded by one execution in ten; absent where durations are given.
    pub p90_ms: Option<f64>,
    /// No order of the steps could be faster: the longer of critical path and work divided by slots.
    pub lower_bound_ms: f64,
    /// The share of the slots' time that is worked, 0 to 1.
    pub utilisation: f64,
}

/// What an execution consists of.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Work {
    /// The sum of all durations, in milliseconds.
    pub total_ms: f64,
    /// The longest chain of steps, in milliseconds.
    pub critical_path_ms: f64,
}

/// Returns what a plan's steps amount to if each took `durations_ms` (by index).
pub fn work(plan: &Plan, durations_ms: &[f64]) -> Work {
    let took: Vec<f64> =
        (0..plan.steps.len())
            .map(|at| {
                if plan.steps[at].skip.is_some() { 0.0 } else { durations_ms.get(at).copied().unwrap_or(0.0).max(0.0) }
            })
            .collect();
    Work { total_ms: took.iter().sum(), critical_path_ms: to_end(plan, &took).into_iter().fold(0.0, f64::max) }
}

/// Returns what each number of slots would bring if steps took exactly `durations_ms` (by index).
///
/// A machine of that many processors is assumed where the plan's has fewer.
pub fn loads(plan: &Plan, durations_ms: &[f64], slots: &[u32]) -> Vec<Load> {
    let whole = work(plan, durations_ms);
    slots.iter().map(|&slots| load(whole, slots, makespan(plan, durations_ms, slots), None)).collect()
}

/// Returns the same for durations as they are likely to be: sampled from what is known of each step.
pub fn likely_loads(plan: &Plan, slots: &[u32]) -> Vec<Load> {
    let draws = Draws::of(plan);
    let work: Vec<Work> = draws.each().map(|drawn| work(plan, drawn)).collect();
    let middle = |of: fn(&Work) -> f64| quantile(work.iter().map(of).collect(), 5);
    let whole = Work { total_ms: middle(|work| work.total_ms), critical_path_ms: middle(|work| work.critical_path_ms) };
    let one = |&slots: &u32| {
        let totals: Vec<f64> = draws.each().map(|drawn| makespan(plan, drawn, slots)).collect();
        load(whole, slots, quantile(totals.clone(), 5), Some(quantile(totals, 9)))
    };
    slots.iter().map(one).collect()
}

/// Returns the fewest slots with which nine of ten executions take at most `target_ms`; `None` where no number does.
///
/// Looked for by halving up to as many slots as the plan has steps: more can make single executions longer (Graham
/// 1969), hardly ever the ninth of ten.
pub fn slots_for(plan: &Plan, target_ms: f64) -> Option<u32> {
    let draws = Draws::of(plan);
    let reaches =
        |slots: u32| quantile(draws.each().map(|drawn| makespan(plan, drawn, slots)).collect(), 9) <= target_ms;
    let (mut low, mut high) = (1, u32::try_from(plan.steps.len()).unwrap_or(u32::MAX).max(1));
    if !reaches(high) {
        return None;
    }
    while low < high {
        let middle = low + (high - low) / 2;
        if reaches(middle) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    Some(high)
}

/// Returns the fewest slots whose makespan comes within 5 % of the shortest: from there on more hardly pay.
pub fn knee(loads: &[Load]) -> Option<u32> {
    let best = loads.iter().map(|load| load.makespan_ms).fold(f64::INFINITY, f64::min);
    loads.iter().filter(|load| load.makespan_ms <= best * (1.0 + NEAR)).map(|load| load.slots).min()
}

fn makespan(plan: &Plan, durations_ms: &[f64], slots: u32) -> f64 {
    simulate(plan, durations_ms, slots).duration_ms()
}

fn load(work: Work, slots: u32, makespan_ms: f64, p90_ms: Option<f64>) -> Load {
    let slot_ms = f64::from(slots.max(1)) * makespan_ms;
    Load {
        slots,
        makespan_ms,
        p90_ms,
        lower_bound_ms: work.critical_path_ms.max(work.total_ms / f64::from(slots.max(1))),
        utilisation: if slot_ms > 0.0 { (work.total_ms / slot_ms).min(1.0) } else { 0.0 },
    }
}

/// Returns the value that `tenths` of ten lie below.
pub(super) fn quantile(mut values: Vec<f64>, tenths: usize) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get((tenths * values.len().saturating_sub(1) + 5) / 10).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::graph::tests::{limits, medians, workflow};
    use crate::plan::{Hints, Interval, Policy, plan};
    use crate::workflow::StepId;

    #[test]
    fn bounds_utilisation_and_the_knee() {
        let lines = ["long", "a", "b", "c", "d", "e", "last:long"];
        let durations = [40.0, 10.0, 10.0, 10.0, 10.0, 10.0, 10.0];
        let plan = plan(&workflow(&lines), &Hints::default(), &limits(1)).expect("a plan");
        let plan = plan.ordered(Policy::True, &durations);
        let found = loads(&plan, &durations, &[1, 2, 3, 4]);
        let shown: Vec<_> = found.iter().map(|load| (load.makespan_ms, load.lower_bound_ms)).collect();
        assert_eq!(shown, [(100.0, 100.0), (50.0, 50.0), (50.0, 50.0), (50.0, 50.0)]);
        assert!((found[1].utilisation - 1.0).abs() < 1e-9 && (found[3].utilisation - 0.5).abs() < 1e-9);
        assert_eq!(knee(&found), Some(2));
        assert_eq!(knee(&[]), None);
    }

    #[test]
    fn orders_differ_as_their_names_say() {
        // Two slots: the long chain is declared last and has fewer steps than the short one.
        let lines = ["a", "b:a", "c:b", "d", "e", "long"];
        let durations = [1.0, 1.0, 1.0, 4.0, 4.0, 9.0];
        let whole = plan(&workflow(&lines), &medians(&[("long", 9.0)]), &limits(2)).expect("a plan");
        for (policy, expected) in [(Policy::Fifo, 13.0), (Policy::True, 11.0)] {
            let found = loads(&whole.clone().ordered(policy, &durations), &durations, &[2])[0].makespan_ms;
            assert!((found - expected).abs() < 1e-9, "{policy:?}: {found}");
        }
    }

    #[test]
    fn capacity_for_a_target() {
        let mut hints = Hints::default();
        for step in ["a", "b", "c", "d"] {
            let known = Interval { p10: 80.0, p50: 100.0, p90: 150.0, n: 30 };
            hints.steps.entry(StepId(step.to_owned())).or_default().duration_ms = Some(known);
        }
        let plan = plan(&workflow(&["a", "b", "c", "d"]), &hints, &limits(1)).expect("a plan");
        let rows = likely_loads(&plan, &[1, 2, 4]);
        for row in &rows {
            let p90 = row.p90_ms.expect("sampled");
            assert!(p90 > row.makespan_ms, "{row:?}");
            assert_eq!(slots_for(&plan, p90), Some(row.slots), "{row:?}");
        }
        assert_eq!(slots_for(&plan, 1.0), None);
    }
}
