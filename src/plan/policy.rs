//! Which of several ready steps starts first.

use serde::Serialize;

use super::graph::{Plan, StepIndex};

/// Which of several ready steps starts first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Policy {
    /// The one with the longest path to the end of the workflow, by what is known of durations.
    #[default]
    Learned,
    /// The one that has been ready for longest.
    Fifo,
    /// The one with the longest path to the end counted in steps.
    Unit,
    /// The one with the longest path to the end by durations that only a simulation can know.
    True,
}

impl Plan {
    /// Returns the plan with another order; [`Policy::True`] goes by `durations_ms` (by index of the step).
    #[must_use]
    pub fn ordered(mut self, policy: Policy, durations_ms: &[f64]) -> Self {
        self.policy = policy;
        let weight = |at: usize| match policy {
            _ if self.steps[at].skip.is_some() => 0.0,
            Policy::Learned | Policy::Fifo => self.steps[at].assumed_ms,
            Policy::Unit => 1.0,
            Policy::True => durations_ms.get(at).copied().unwrap_or(0.0),
        };
        let weights: Vec<f64> = (0..self.steps.len()).map(weight).collect();
        rank(&mut self, &weights);
        self
    }
}

/// Returns the policy that what is known deserves: learnt durations decide unless their back-test does not show that they
/// tell the longer of two attempts better than a coin (5 % quantile). Where nothing is known, first come is first served.
///
/// Simulating both orders beforehand and taking the better one was tried, by medians and by draws, and left out: it takes 11
/// to 37 points of the gap that learnt durations close (`cargo bench --bench scheduling -- --guard`).
pub(super) fn trusted(plan: &Plan) -> Policy {
    let known = plan.steps.iter().any(|step| step.skip.is_none() && step.hint.duration_ms.is_some());
    if known && plan.order_odds.is_none_or(|odds| odds.low > 0.5) { Policy::Learned } else { Policy::Fifo }
}

/// Ranks steps by their longest path to the end (Kelley 1961; as a priority of list scheduling: Hu 1961). Ties go to
/// the step that is more likely to fail, since failing early costs nothing there, then to the one that is declared first.
pub(super) fn rank(plan: &mut Plan, weights: &[f64]) {
    let remaining = to_end(plan, weights);
    let fails = |at: usize| plan.steps[at].hint.failure.map_or(0.0, |odds| odds.mean);
    let mut ranked: Vec<usize> = (0..plan.steps.len()).collect();
    ranked.sort_by(|&a, &b| {
        remaining[b].total_cmp(&remaining[a]).then_with(|| fails(b).total_cmp(&fails(a))).then(a.cmp(&b))
    });
    for (rank, at) in ranked.into_iter().enumerate() {
        plan.steps[at].rank = StepIndex::new(rank).0;
    }
}

/// Returns the longest path from the start of each step to the end of the workflow, in the weights' unit.
pub(super) fn to_end(plan: &Plan, weights: &[f64]) -> Vec<f64> {
    let mut remaining = vec![0.0; plan.steps.len()];
    for &index in plan.order.iter().rev() {
        let after = plan.steps[index.at()].dependents.iter().map(|next| remaining[next.at()]).fold(0.0, f64::max);
        remaining[index.at()] = weights[index.at()] + after;
    }
    remaining
}
