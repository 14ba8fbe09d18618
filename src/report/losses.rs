//! Where time is lost, over many repositories: failed and stopped work, retries, queueing and waiting, a week.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use serde::Serialize;

use crate::recommend::Advice;
use crate::record::Outcome;
use crate::scan::{History, Name};

const WEEK_MS: f64 = 7.0 * 24.0 * 3_600.0 * 1_000.0;

/// The page: where time is lost.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Losses {
    /// The version of this form.
    pub schema_version: u32,
    /// The weeks it covers, from the first to the last execution, at least one.
    pub weeks: f64,
    /// The repositories, most time lost first.
    pub repositories: Vec<RepositoryLoss>,
    /// The steps that lose any time, most first.
    pub steps: Vec<StepLoss>,
    /// Recommendations that are open, most worthwhile first.
    pub recommendations: Vec<Open>,
    /// What was skipped, damaged or absent: the repository and why.
    pub skipped: Vec<Skipped>,
}

/// What one repository loses.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RepositoryLoss {
    /// How people call it.
    pub repository: String,
    /// Its executions.
    pub executions: u64,
    /// How many of them failed.
    pub failed: u64,
    /// What it loses.
    pub lost: Loss,
}

/// What one step loses.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StepLoss {
    /// The repository.
    pub repository: String,
    /// The workflow.
    pub workflow: String,
    /// The step.
    pub step: String,
    /// Its attempts that passed or failed.
    pub attempts: u64,
    /// How many of them failed.
    pub failed: u64,
    /// What it loses.
    pub lost: Loss,
}

/// Time lost, in milliseconds a week.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Loss {
    /// Attempts that failed by themselves and ended their step.
    pub failed_ms: f64,
    /// Attempts that meow stopped at their time limit.
    pub timed_out_ms: f64,
    /// Attempts that were stopped from outside.
    pub cancelled_ms: f64,
    /// Attempts that failed by themselves and were tried again.
    pub retried_ms: f64,
    /// Between a failed attempt and the next one.
    pub waiting_ms: f64,
    /// Ready to start, but without a free slot.
    pub queued_ms: f64,
}

/// Why time is lost, each minute for one cause only.
pub const CAUSES: [&str; 6] = ["failed", "timed out", "cancelled", "retried", "waiting", "queued"];

/// A recommendation in one line.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Open {
    /// Its id.
    pub id: String,
    /// The workflow it is about.
    pub workflow: String,
    /// What to do.
    pub title: String,
    /// Expected gain in minutes a week: 5 % quantile, median, 95 % quantile.
    pub gain_minutes: [f64; 3],
    /// The probability that the gain is above zero, 0 to 1.
    pub confidence: f64,
    /// How many executions or attempts it rests on.
    pub n: u64,
}

/// Something that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Skipped {
    /// The repository.
    pub repository: String,
    /// Why.
    pub reason: String,
}

impl Loss {
    /// Returns everything together.
    pub fn total_ms(&self) -> f64 {
        self.parts().iter().sum()
    }

    /// Returns the time by cause, in the order of [`CAUSES`].
    pub const fn parts(&self) -> [f64; 6] {
        [self.failed_ms, self.timed_out_ms, self.cancelled_ms, self.retried_ms, self.waiting_ms, self.queued_ms]
    }

    pub(super) fn add(&mut self, other: &Self, share: f64) {
        self.failed_ms += other.failed_ms * share;
        self.timed_out_ms += other.timed_out_ms * share;
        self.cancelled_ms += other.cancelled_ms * share;
        self.retried_ms += other.retried_ms * share;
        self.waiting_ms += other.waiting_ms * share;
        self.queued_ms += other.queued_ms * share;
    }
}

/// Returns the page about every repository of the history.
pub fn losses(history: &History, advice: &[Advice]) -> Losses {
    let weeks = weeks(history);
    let mut repositories = repositories(history);
    let mut steps = Vec::new();
    for ((repository, workflow, step), tally) in tally(history, |_| true) {
        let mut lost = Loss::default();
        lost.add(&tally.lost, 1.0 / weeks);
        repositories[repository as usize].lost.add(&lost, 1.0);
        if lost.total_ms() >= 1.0 {
            steps.push(StepLoss {
                repository: history.repositories[repository as usize].name.clone(),
                workflow: history.names.text(workflow).to_owned(),
                step: history.names.text(step).to_owned(),
                attempts: tally.attempts,
                failed: tally.failed,
                lost,
            });
        }
    }
    let name = |step: &StepLoss| (step.repository.clone(), step.workflow.clone(), step.step.clone());
    steps.sort_by(|a, b| b.lost.total_ms().total_cmp(&a.lost.total_ms()).then_with(|| name(a).cmp(&name(b))));
    repositories
        .sort_by(|a, b| b.lost.total_ms().total_cmp(&a.lost.total_ms()).then_with(|| a.repository.cmp(&b.repository)));
    Losses { schema_version: 1, weeks, repositories, steps, recommendations: open(advice), skipped: skipped(history) }
}

/// Returns the recommendations, one line each.
pub(super) fn open(advice: &[Advice]) -> Vec<Open> {
    let line = |advice: &Advice| Open {
        id: advice.id.clone(),
        workflow: advice.workflow.clone(),
        title: advice.title.clone(),
        gain_minutes: [advice.gain.low, advice.gain.median, advice.gain.high],
        confidence: advice.confidence,
        n: advice.n,
    };
    advice.iter().map(line).collect()
}

/// Returns what could not be read in the history's repositories.
pub(super) fn skipped(history: &History) -> Vec<Skipped> {
    let warnings = history.repositories.iter().flat_map(|facts| {
        facts.warnings.iter().map(|reason| Skipped { repository: facts.name.clone(), reason: reason.clone() })
    });
    warnings.collect()
}

fn weeks(history: &History) -> f64 {
    let started = &history.executions.started_ms;
    let span = started.last().zip(started.first()).map_or(0, |(last, first)| last - first);
    (milliseconds(span) / WEEK_MS).max(1.0)
}

fn repositories(history: &History) -> Vec<RepositoryLoss> {
    let empty =
        |name: &String| RepositoryLoss { repository: name.clone(), executions: 0, failed: 0, lost: Loss::default() };
    let mut found: Vec<RepositoryLoss> = history.repositories.iter().map(|facts| empty(&facts.name)).collect();
    let executions = &history.executions;
    for (repository, outcome) in executions.repository.iter().zip(&executions.outcome) {
        found[*repository as usize].executions += 1;
        found[*repository as usize].failed += u64::from(*outcome == Outcome::Failed);
    }
    found
}

/// What one step came to.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Attempts that passed or failed.
    pub attempts: u64,
    /// How many of them failed.
    pub failed: u64,
    /// The time of attempts that passed, in milliseconds.
    pub passed_ms: f64,
    /// What was lost, in milliseconds.
    pub lost: Loss,
}

/// Returns what the steps came to in the executions that are `wanted`, by repository, workflow and step.
pub(super) fn tally(history: &History, wanted: impl Fn(usize) -> bool) -> BTreeMap<(u32, Name, Name), Tally> {
    tally_rows(history, 0..history.attempts.len(), wanted)
}

/// Returns the same of executions that began one after the other; only their attempts are looked at.
pub(super) fn tally_between(history: &History, executions: Range<usize>) -> BTreeMap<(u32, Name, Name), Tally> {
    let before = |end: usize| history.attempts.execution.partition_point(|execution| (*execution as usize) < end);
    tally_rows(history, before(executions.start)..before(executions.end), |_| true)
}

fn tally_rows(
    history: &History,
    rows: Range<usize>,
    wanted: impl Fn(usize) -> bool,
) -> BTreeMap<(u32, Name, Name), Tally> {
    let mut found: BTreeMap<(u32, Name, Name), Tally> = BTreeMap::new();
    let (executions, attempts) = (&history.executions, &history.attempts);
    // The attempt before of the same step in the same execution: attempts are sorted by execution, then start.
    let mut before: HashMap<(u32, Name), usize> = HashMap::new();
    for index in rows {
        let place = attempts.execution[index] as usize;
        if !wanted(place) {
            continue;
        }
        let key = (executions.repository[place], executions.workflow[place], attempts.step[index]);
        let tally = found.entry(key).or_default();
        let failed = attempts.outcome[index] == Outcome::Failed;
        tally.attempts += u64::from(attempts.outcome[index] != Outcome::Cancelled);
        tally.failed += u64::from(failed);
        let spent = known(attempts.duration_ms[index]);
        match attempts.outcome[index] {
            Outcome::Passed => tally.passed_ms += spent,
            Outcome::Failed if attempts.timed_out[index] => tally.lost.timed_out_ms += spent,
            Outcome::Failed => tally.lost.failed_ms += spent,
            Outcome::Cancelled => tally.lost.cancelled_ms += spent,
        }
        if let Some(earlier) = before.insert((attempts.execution[index], attempts.step[index]), index) {
            let earlier_ms = known(attempts.duration_ms[earlier]);
            if attempts.outcome[earlier] == Outcome::Failed && !attempts.timed_out[earlier] {
                tally.lost.failed_ms -= earlier_ms;
                tally.lost.retried_ms += earlier_ms;
            }
            tally.lost.waiting_ms += known(attempts.started_ms[index] - attempts.started_ms[earlier] - earlier_ms);
        } else {
            tally.lost.queued_ms += known(attempts.started_ms[index] - attempts.ready_ms[index]);
        }
    }
    found
}

/// Returns a span of time, 0 where it is unknown or negative.
fn known(ms: f64) -> f64 {
    if ms.is_finite() { ms.max(0.0) } else { 0.0 }
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds stay far below 2^53")]
fn milliseconds(value: i64) -> f64 {
    value as f64
}
