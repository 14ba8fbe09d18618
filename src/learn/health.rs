//! The health of workflows: a score from 0 to 100 whose parts and weights are told.

use std::collections::BTreeMap;

use serde::Serialize;

use super::beta::odds;
use super::{Knowledge, Verdict, median, state, timeline};
use crate::record::Outcome;
use crate::scan::History;

/// The parts of a score and their weights, which add up to 100.
pub const WEIGHTS: [(&str, f64); 4] = [("success", 40.0), ("time", 25.0), ("steady", 20.0), ("predictions", 15.0)];

/// The health of one workflow, of one repository, or of all.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Health {
    /// The repository; absent over all.
    pub repository: Option<String>,
    /// The workflow; absent over a repository.
    pub workflow: Option<String>,
    /// Executions that passed or failed.
    pub executions: u64,
    /// The score, 0 to 100: the parts by their weights; parts that are unknown are left out.
    pub score: f64,
    /// The same with the 5 % quantile of success in place of its mean.
    pub at_least: f64,
    /// Posterior mean of the share of executions that pass, 0 to 1.
    pub success: f64,
    /// Share of the steps' time that went into attempts that passed.
    pub time: Option<f64>,
    /// Probability that no flaky step fails by chance.
    pub steady: Option<f64>,
    /// One minus the median relative error of what was predicted; absent where nothing was.
    pub predictions: Option<f64>,
}

/// What is counted of a workflow.
#[derive(Default)]
struct Counts {
    passed: u64,
    failed: u64,
    spent_ms: [f64; 2],
    errors: Vec<f64>,
    steady: f64,
}

/// Returns the health of all together, then of each repository, each followed by its workflows. Of what never passed or
/// failed as a whole there is none.
pub fn health(history: &History, knowledge: &Knowledge) -> Vec<Health> {
    let mut by_workflow: BTreeMap<(String, String), Counts> = BTreeMap::new();
    let (executions, attempts) = (&history.executions, &history.attempts);
    for (at, rows) in timeline::rows(history).into_iter().enumerate() {
        let repository = executions.repository[at];
        let workflow = history.names.text(executions.workflow[at]);
        let key = (history.repositories[repository as usize].name.clone(), workflow.to_owned());
        let counts = by_workflow.entry(key).or_insert_with(|| Counts {
            steady: steady(knowledge, &state::project(history, repository), workflow),
            ..Counts::default()
        });
        if !history.is_partial(at) {
            counts.passed += u64::from(executions.outcome[at] == Outcome::Passed);
            counts.failed += u64::from(executions.outcome[at] == Outcome::Failed);
        }
        for row in rows.filter(|row| attempts.outcome[*row] != Outcome::Cancelled) {
            let (took, said) = (attempts.duration_ms[row], attempts.predicted_p50_ms[row]);
            let passed = attempts.outcome[row] == Outcome::Passed;
            if took.is_finite() && took > 0.0 {
                counts.spent_ms[usize::from(passed)] += took;
                if passed && said.is_finite() {
                    counts.errors.push((took - said).abs() / took);
                }
            }
        }
    }
    let mut told = vec![of(None, None, &by_workflow.values().collect::<Vec<_>>())];
    let mut last: Option<&String> = None;
    for ((repository, workflow), counts) in &by_workflow {
        if last != Some(repository) {
            let own = by_workflow.iter().filter(|((name, _), _)| name == repository).map(|(_, counts)| counts);
            told.push(of(Some(repository), None, &own.collect::<Vec<_>>()));
            last = Some(repository);
        }
        told.push(of(Some(repository), Some(workflow), &[counts]));
    }
    told.retain(|health| health.executions > 0);
    told
}

/// Returns the probability that no flaky step of a workflow fails by chance.
fn steady(knowledge: &Knowledge, project: &str, workflow: &str) -> f64 {
    let pattern = knowledge.workflows.values().find(|known| known.project == project && known.workflow == workflow);
    let steps = pattern.into_iter().flat_map(|pattern| &pattern.steps).filter(|step| step.machine.is_none());
    let flaky = steps.filter_map(|step| step.flakiness.filter(|known| known.verdict == Verdict::Flaky)?.failure);
    flaky.map(|failure| 1.0 - failure.mean).product()
}

fn of(repository: Option<&String>, workflow: Option<&String>, counts: &[&Counts]) -> Health {
    let passed: u64 = counts.iter().map(|counts| counts.passed).sum();
    let executions = passed + counts.iter().map(|counts| counts.failed).sum::<u64>();
    let success = odds(passed, executions);
    let spent: f64 = counts.iter().map(|counts| counts.spent_ms[0] + counts.spent_ms[1]).sum();
    let useful: f64 = counts.iter().map(|counts| counts.spent_ms[1]).sum();
    let errors: Vec<f64> = counts.iter().flat_map(|counts| counts.errors.iter().copied()).collect();
    #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
    let weight = |counts: &&Counts| (counts.passed + counts.failed) as f64;
    let weights: f64 = counts.iter().map(weight).sum();
    let steady = counts.iter().map(|counts| weight(counts) * counts.steady).sum::<f64>() / weights;
    let time = (spent > 0.0).then(|| useful / spent);
    let steady = (weights > 0.0).then_some(steady);
    let predictions = median(&errors).map(|error| (1.0 - error).max(0.0));
    let score = |success: f64| {
        let parts = [Some(success), time, steady, predictions];
        let known = parts.iter().zip(WEIGHTS).filter_map(|(part, (_, weight))| Some(((*part)?, weight)));
        let (sum, all) = known.fold((0.0, 0.0), |(sum, all), (part, weight)| (sum + part * weight, all + weight));
        (1_000.0 * sum / all).round() / 10.0
    };
    Health {
        repository: repository.cloned(),
        workflow: workflow.cloned(),
        executions,
        score: score(success.mean),
        at_least: score(success.low),
        success: success.mean,
        time,
        steady,
        predictions,
    }
}
