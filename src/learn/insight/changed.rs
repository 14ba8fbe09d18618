//! Insights that need no further test: changes that were tested already, and flaky steps, which a contradiction proves.

use std::collections::BTreeMap;

use super::view::View;
use super::{Certainty, Finding, Insight, Measure};
use crate::learn::flaky::Trials;
use crate::learn::state;
use crate::learn::{Trend, Verdict};
use crate::record::Digest;

/// Returns the changes of a history.
pub(super) fn changes(trends: &[Trend]) -> Vec<Insight> {
    trends.iter().map(insight).collect()
}

fn insight(trend: &Trend) -> Insight {
    let lower_is_better = matches!(trend.measure.as_str(), "duration_ms" | "peak_memory_bytes" | "failed");
    Insight {
        finding: Finding::Changed {
            measure: trend.measure.clone(),
            machine: trend.machine.clone(),
            before: trend.before,
            after: trend.after,
            better: lower_is_better.then_some(trend.after < trend.before),
            low: trend.ratio.map(|ratio| ratio.low),
            high: trend.ratio.map(|ratio| ratio.high),
        },
        repository: trend.repository.clone(),
        workflow: trend.workflow.clone(),
        step: Some(trend.step.clone()),
        at_ms: trend.first_after.started_ms,
        evidence: vec![trend.first_after.execution.clone(), trend.last_before.execution.clone()],
        n: trend.n as u64,
        certainty: Certainty { measure: Measure::PValue, value: trend.p_value },
    }
}

/// Returns the flaky steps of a workflow.
pub(super) fn flaky(view: &View) -> Vec<Insight> {
    let found = view.steps.iter().filter_map(|(step, rows)| {
        let mut trials = Trials::default();
        let mut by_inputs: BTreeMap<Digest, Vec<usize>> = BTreeMap::new();
        for row in rows {
            let inputs = state::inputs(view.history, *row);
            trials.add(state::attempt_moment(view.history, *row), inputs, !view.passed(*row));
            by_inputs.entry(inputs).or_default().push(*row);
        }
        trials.merge(Trials::default());
        let known = trials.flakiness().filter(|known| known.verdict == Verdict::Flaky)?;
        let rate = known.failure?;
        let contradicted = by_inputs
            .values()
            .filter(|rows| rows.iter().any(|row| view.passed(*row)) && rows.iter().any(|row| !view.passed(*row)));
        let proof = contradicted.flatten().filter(|row| !view.passed(**row)).map(|row| view.execution(*row)).collect();
        let finding =
            Finding::Flaky { contradicted: known.contradicted, rate: rate.mean, low: rate.low, high: rate.high };
        let certainty = Certainty { measure: Measure::LowerBound, value: rate.low };
        view.insight(Some((*step).to_owned()), finding, proof, rate.n, certainty)
    });
    found.collect()
}
