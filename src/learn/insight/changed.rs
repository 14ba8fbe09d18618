//! Insights that need no further test: changes that were tested already, and flaky steps, which a contradiction proves.

use std::collections::BTreeMap;

use super::view::View;
use super::worth::weeks;
use super::{Certainty, Finding, Insight, Measure};
use crate::learn::flaky::Trials;
use crate::learn::state;
use crate::learn::{Trend, Verdict};
use crate::record::Digest;

const DAY_MS: i64 = 24 * 3_600_000;

/// Returns the changes of a history; those of one workflow that may have come together are one insight, led by the one
/// worth most.
///
/// They may where the spans in which each of them happened have a moment in common: from the last execution before it to
/// the first after it, and as long again on both sides since its place may be off by one; where no commit says it better,
/// the whole days of these.
pub(super) fn changes(views: &[View], trends: &[Trend]) -> Vec<Insight> {
    let span = |trend: &Trend| {
        let (from, to) = (trend.last_before.started_ms, trend.first_after.started_ms);
        let day = |ms: i64| ms.div_euclid(DAY_MS) * DAY_MS;
        let known = trend.first_after.commit.is_some();
        if known { (from - (to - from), to + (to - from)) } else { (day(from), day(to) + DAY_MS) }
    };
    let mut order: Vec<&Trend> = trends.iter().collect();
    order.sort_by_key(|trend| (&trend.repository, &trend.workflow, span(trend).1));
    let mut groups: Vec<Vec<&Trend>> = Vec::new();
    for trend in order {
        let joins = |group: &&mut Vec<&Trend>| {
            let first = group[0];
            let same = first.repository == trend.repository && first.workflow == trend.workflow;
            same && span(trend).0 < span(first).1
        };
        match groups.last_mut().filter(joins) {
            Some(group) => group.push(trend),
            None => groups.push(vec![trend]),
        }
    }
    groups.into_iter().filter_map(|group| together(views, &group)).collect()
}

/// Returns changes that may have come together as one insight.
fn together(views: &[View], group: &[&Trend]) -> Option<Insight> {
    let mut found: Vec<Insight> = group.iter().map(|trend| insight(views, trend)).collect();
    let size = |insight: &Insight| match insight.finding {
        Finding::Changed { before, after, .. } if before > 0.0 && after > 0.0 => (after / before).ln().abs(),
        _ => 0.0,
    };
    found.sort_by(|a, b| b.worth().total_cmp(&a.worth()).then(size(b).total_cmp(&size(a))).then(super::before(a, b)));
    let mut rest = found.into_iter();
    let mut first = rest.next()?;
    first.with = rest.collect();
    Some(first)
}

fn insight(views: &[View], trend: &Trend) -> Insight {
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
        weekly_ms: weekly_ms(views, trend),
        at_ms: trend.first_after.started_ms,
        evidence: vec![trend.first_after.execution.clone(), trend.last_before.execution.clone()],
        n: trend.n as u64,
        certainty: Certainty { measure: Measure::PValue, value: trend.p_value },
        with: Vec::new(),
    }
}

/// Returns what a change of durations or of failures costs a week, from the attempts since; `None` for other measures.
fn weekly_ms(views: &[View], trend: &Trend) -> Option<f64> {
    let view = views.iter().find(|view| view.workflow == trend.workflow && view.is_of(&trend.repository))?;
    let executions = &view.history.executions;
    let since: Vec<usize> = view
        .steps
        .get(trend.step.as_str())?
        .iter()
        .copied()
        .filter(|row| {
            let at = view.execution(*row);
            let machine = executions.machine[at].map(|machine| view.history.names.text(machine));
            executions.started_ms[at] >= trend.first_after.started_ms && machine == trend.machine.as_deref()
        })
        .collect();
    let weeks = weeks(view, &since.iter().map(|row| view.execution(*row)).collect::<Vec<_>>());
    #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
    let count = |rows: usize| rows as f64;
    let more = trend.after - trend.before;
    match trend.measure.as_str() {
        "duration_ms" => Some(more * count(since.iter().filter(|row| view.passed(**row)).count()) / weeks),
        "failed" => {
            let failed: f64 = since.iter().filter(|row| !view.passed(**row)).map(|row| view.spent(*row)).sum();
            let each = failed / count(since.iter().filter(|row| !view.passed(**row)).count()).max(1.0);
            Some(more * count(since.len()) * each / weeks)
        }
        _ => None,
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
