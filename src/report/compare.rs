//! A branch against its base, step by step: what is slower, faster, unusual or newly failing, and how sure that is.
//!
//! Claims are rare on purpose. All durations of one page share one error probability of 2 %, all failure counts another
//! of 1 %; each is divided by the number of comparisons (Bonferroni). A step is slower or faster only where both sides
//! have five runs, the simultaneous interval of the ratio of medians leaves out 1, and the change is at least 5 % and
//! 10 ms. With fewer runs on the head it may be *unusual*: outside the base's prediction interval at the same error,
//! outside everything the base has seen, and by as much. Runs are only compared within a machine class. Failures are
//! counted by tree, since a broken tree fails however often it runs: Fisher's exact test, one-sided.

use serde::Serialize;

use super::gate::Gate;
use super::losses::{Open, open};
use super::series::{self, Accepted, Runs, Series};
use super::sides::{Found, Side};
use crate::learn::Knowledge;
use crate::learn::statistics;
use crate::plan::Interval;
use crate::recommend::Advice;
use crate::scan::History;

const DURATION_ERROR: f64 = 0.02;
const FAILURE_ERROR: f64 = 0.01;
/// Runs that both sides need before medians are compared.
const FEW: usize = 5;
/// Runs that the base needs before a single run can be unusual.
const FEW_FOR_PREDICTION: usize = 10;
const RELEVANT_SHARE: f64 = 0.05;
const RELEVANT_MS: f64 = 10.0;

/// The page: what changed between two sets of executions.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// The version of this form.
    pub schema_version: u32,
    /// What the two sides are called.
    pub names: Names,
    /// Executions on the base.
    pub base_executions: u64,
    /// Executions on the head.
    pub head_executions: u64,
    /// Executions that belong to neither side.
    pub left_out: u64,
    /// By what the executions were found to belong to a commit, where that is what tells the sides apart.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub found: Option<Found>,
    /// How many durations were compared; the confidence holds for all of them together.
    pub comparisons: u64,
    /// The probability that no duration is claimed wrongly, 0 to 1.
    pub confidence: f64,
    /// The workflows, by name.
    pub workflows: Vec<WorkflowChange>,
    /// Recommendations that are open, most worthwhile first.
    pub recommendations: Vec<Open>,
    /// What the gate says, where one was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gate: Option<Gate>,
}

/// What the two sides are called.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Names {
    /// As in `main` or `last week`.
    pub base: String,
    /// As in `this branch` or `this week`.
    pub head: String,
}

/// What changed in one workflow.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WorkflowChange {
    /// The workflow's name.
    pub workflow: String,
    /// The predicted wall time in milliseconds.
    pub predicted_ms: Option<Interval>,
    /// The workflow as a whole.
    pub whole: Change,
    /// Its steps: claims first, then by name.
    pub steps: Vec<StepChange>,
}

/// What changed in one step.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StepChange {
    /// The step's id.
    pub step: String,
    /// What changed.
    #[serde(flatten)]
    pub change: Change,
}

/// Both sides of one comparison and what it shows.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Change {
    /// The base.
    pub base: SideFacts,
    /// The head.
    pub head: SideFacts,
    /// The ratio of medians with its simultaneous interval, where there are enough runs.
    pub ratio: Option<Ratio>,
    /// What the durations show.
    pub duration: DurationVerdict,
    /// What the failures show.
    pub failure: FailureVerdict,
}

/// What one side measured.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SideFacts {
    /// Executions in which it passed or failed at last.
    pub runs: u64,
    /// How many of them failed.
    pub failed: u64,
    /// Different trees among them.
    pub trees: u64,
    /// How many of those it failed on.
    pub trees_failed: u64,
    /// Durations of passed runs in milliseconds.
    pub duration_ms: Option<Interval>,
}

/// Head over base, with an interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Ratio {
    /// Lower end.
    pub low: f64,
    /// The Hodges–Lehmann estimate.
    pub median: f64,
    /// Upper end.
    pub high: f64,
}

/// What durations show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum DurationVerdict {
    /// Surely slower.
    Slower,
    /// Surely faster.
    Faster,
    /// Few runs, longer than anything expected.
    UnusuallyLong,
    /// Few runs, shorter than anything expected.
    UnusuallyShort,
    /// Enough runs, no relevant change shown.
    Unchanged,
    /// Too few runs to say more than that nothing is unusual.
    FewRuns,
    /// The sides ran on different machine classes.
    OtherMachine,
    /// The base has no run of it.
    New,
    /// The head has no run of it.
    Absent,
}

/// What failures show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureVerdict {
    /// It never failed on the base and surely fails on the head.
    NewFailure,
    /// It surely fails more often than on the base.
    MoreFailures,
    /// It failed on the head, which proves nothing yet.
    Failed,
    /// No failure on the head.
    None,
}

impl Change {
    /// Returns whether the page claims something here, rather than describing.
    pub fn claims(&self) -> bool {
        use DurationVerdict::{Faster, Slower, UnusuallyLong, UnusuallyShort};
        matches!(self.duration, Slower | Faster | UnusuallyLong | UnusuallyShort)
            || matches!(self.failure, FailureVerdict::NewFailure | FailureVerdict::MoreFailures)
    }
}

impl Comparison {
    /// Returns whether the page claims anything.
    pub fn claims(&self) -> bool {
        self.workflows.iter().any(|flow| flow.whole.claims() || flow.steps.iter().any(|step| step.change.claims()))
    }
}

/// Returns the page that sets the head's executions against the base's.
///
/// Where a new level was accepted, the base's durations from before then do not count.
pub fn compare(
    history: &History,
    sides: &[Option<Side>],
    names: Names,
    knowledge: &Knowledge,
    advice: &[Advice],
    accepted: &Accepted,
) -> Comparison {
    let found = series::collect(history, sides, accepted);
    let all = || found.values().flat_map(|steps| steps.values());
    let comparisons = all().filter(|series| testable(series)).count();
    let failing = found.values().flatten().filter(|(step, series)| step.is_some() && fails(series)).count();
    let judge = Judge {
        duration_error: DURATION_ERROR / float(comparisons.max(1)),
        failure_error: FAILURE_ERROR / float(failing.max(1)),
    };
    let workflows = found.iter().map(|(workflow, steps)| workflow_change(workflow, steps, &judge, knowledge)).collect();
    let on = |wanted: Option<Side>| sides.iter().filter(|side| **side == wanted).count() as u64;
    Comparison {
        schema_version: 1,
        names,
        base_executions: on(Some(Side::Base)),
        head_executions: on(Some(Side::Head)),
        left_out: on(None),
        found: None,
        comparisons: comparisons as u64,
        confidence: 1.0 - DURATION_ERROR,
        workflows,
        recommendations: open(advice),
        gate: None,
    }
}

fn workflow_change(
    workflow: &str,
    series: &std::collections::BTreeMap<Option<String>, Series>,
    judge: &Judge,
    knowledge: &Knowledge,
) -> WorkflowChange {
    let whole = judge.whole(series.get(&None).unwrap_or(&Series::default()));
    let mut steps: Vec<StepChange> = series
        .iter()
        .filter_map(|(step, series)| Some(StepChange { step: step.clone()?, change: judge.step(series) }))
        .collect();
    steps.sort_by_key(|step| (!step.change.claims(), step.change.failure == FailureVerdict::None));
    let learnt = knowledge.workflows.get(workflow).and_then(|pattern| pattern.duration_ms);
    // What was learnt before a change says nothing of the time after it.
    let changed = matches!(whole.duration, DurationVerdict::Slower | DurationVerdict::Faster);
    let newest = whole.head.duration_ms.filter(|_| changed);
    WorkflowChange {
        workflow: workflow.to_owned(),
        predicted_ms: newest.or(learnt).or(whole.base.duration_ms),
        whole,
        steps,
    }
}

/// The error probabilities of one comparison.
struct Judge {
    duration_error: f64,
    failure_error: f64,
}

impl Judge {
    fn step(&self, series: &Series) -> Change {
        Change { failure: self.failure(series), ..self.whole(series) }
    }

    /// Judges durations only: a workflow fails because a step does, which is claimed there.
    fn whole(&self, series: &Series) -> Change {
        let pairs = series.comparable();
        let (duration, ratio) = self.duration(series, &pairs);
        let base = if pairs.is_empty() {
            series.base.all_ms()
        } else {
            pairs.iter().flat_map(|pair| pair.0.clone()).collect()
        };
        let head = if pairs.is_empty() {
            series.head.all_ms()
        } else {
            pairs.iter().flat_map(|pair| pair.1.clone()).collect()
        };
        let failure = if series.head.failed > 0 { FailureVerdict::Failed } else { FailureVerdict::None };
        Change { base: facts(&series.base, &base), head: facts(&series.head, &head), ratio, duration, failure }
    }

    fn duration(&self, series: &Series, pairs: &[(Vec<f64>, Vec<f64>)]) -> (DurationVerdict, Option<Ratio>) {
        use DurationVerdict as Verdict;
        if pairs.is_empty() {
            let verdict = match (series.base.ended + series.head.ended, series.base.ended, series.head.ended) {
                (0, ..) | (_, 1.., 1..) => Verdict::OtherMachine,
                (_, 0, _) => Verdict::New,
                _ => Verdict::Absent,
            };
            let silent = series.base.passed_ms.is_empty() || series.head.passed_ms.is_empty();
            return (if verdict == Verdict::OtherMachine && silent { Verdict::FewRuns } else { verdict }, None);
        }
        let logs = logarithms(pairs);
        if enough(pairs) { self.medians(&logs) } else { (self.unusual(&logs), None) }
    }

    fn medians(&self, logs: &[(Vec<f64>, Vec<f64>)]) -> (DurationVerdict, Option<Ratio>) {
        let Some(shift) = statistics::shift(logs, self.duration_error) else {
            return (DurationVerdict::FewRuns, None);
        };
        let ratio = Ratio { low: rounded(shift.low), median: rounded(shift.median), high: rounded(shift.high) };
        let base: Vec<f64> = logs.iter().flat_map(|pair| pair.0.iter().map(|log| log.exp())).collect();
        let moved = statistics::interval(&base).map_or(0.0, |base| (base.p50 * (ratio.median - 1.0)).abs());
        let relevant = shift.median.abs() >= RELEVANT_SHARE.ln_1p() && moved >= RELEVANT_MS;
        let verdict = match (relevant, shift.low > 0.0, shift.high < 0.0) {
            (true, true, _) => DurationVerdict::Slower,
            (true, _, true) => DurationVerdict::Faster,
            _ => DurationVerdict::Unchanged,
        };
        (verdict, Some(ratio))
    }

    /// Judges each machine class by itself: its runs' median against the prediction for one run.
    fn unusual(&self, logs: &[(Vec<f64>, Vec<f64>)]) -> DurationVerdict {
        for (base, head) in logs.iter().filter(|(base, _)| base.len() >= FEW_FOR_PREDICTION) {
            let Some(middle) = statistics::interval(head).map(|head| head.p50) else { continue };
            let (low, high) = statistics::prediction(base, self.duration_error);
            let (least, most) =
                base.iter().fold((f64::MAX, f64::MIN), |(low, high), log| (low.min(*log), high.max(*log)));
            let typical = statistics::interval(base).map_or(middle, |base| base.p50);
            if (middle - typical).abs() < RELEVANT_SHARE.ln_1p() || (middle.exp() - typical.exp()).abs() < RELEVANT_MS {
                continue;
            }
            if middle > high.max(most) {
                return DurationVerdict::UnusuallyLong;
            }
            if middle < low.min(least) {
                return DurationVerdict::UnusuallyShort;
            }
        }
        DurationVerdict::FewRuns
    }

    fn failure(&self, series: &Series) -> FailureVerdict {
        let (base, head) = (&series.base, &series.head);
        if head.failed == 0 {
            return FailureVerdict::None;
        }
        let ((runs, failed), (base_runs, base_failed)) = (head.trees(), base.trees());
        if base_runs == 0 || statistics::fisher(failed, runs, base_failed, base_runs) > self.failure_error {
            return FailureVerdict::Failed;
        }
        if base.failed == 0 { FailureVerdict::NewFailure } else { FailureVerdict::MoreFailures }
    }
}

fn facts(runs: &Runs, durations: &[f64]) -> SideFacts {
    let (trees, trees_failed) = runs.trees();
    let duration_ms = statistics::interval(durations);
    SideFacts { runs: runs.ended, failed: runs.failed, trees, trees_failed, duration_ms }
}

/// Returns whether a duration could be claimed: such comparisons share the error.
fn testable(series: &Series) -> bool {
    let pairs = series.comparable();
    enough(&pairs) || pairs.iter().any(|(base, _)| base.len() >= FEW_FOR_PREDICTION)
}

/// Returns whether a failure could be claimed: without one no test could ever speak (Tarone 1990).
fn fails(series: &Series) -> bool {
    series.base.failed + series.head.failed > 0 && series.base.ended > 0 && series.head.ended > 0
}

fn enough(pairs: &[(Vec<f64>, Vec<f64>)]) -> bool {
    let runs = pairs.iter().fold((0, 0), |(base, head), pair| (base + pair.0.len(), head + pair.1.len()));
    runs.0 >= FEW && runs.1 >= FEW
}

fn logarithms(pairs: &[(Vec<f64>, Vec<f64>)]) -> Vec<(Vec<f64>, Vec<f64>)> {
    let logs = |values: &[f64]| values.iter().map(|value| value.ln()).collect();
    pairs.iter().map(|(base, head)| (logs(base), logs(head))).collect()
}

/// Returns the ratio behind a logarithm, to four places: more would differ between machines.
fn rounded(log: f64) -> f64 {
    (log.exp() * 10_000.0).round() / 10_000.0
}

#[expect(clippy::cast_precision_loss, reason = "counts of steps")]
fn float(value: usize) -> f64 {
    value as f64
}
