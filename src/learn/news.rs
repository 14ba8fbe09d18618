//! What was newly learnt between two moments: what is known now and was not then, and what is known otherwise.

use serde::Serialize;

use super::{Knowledge, Pattern, Verdict, WorkflowPattern};
use crate::plan::{Interval, Odds};

/// Samples behind either side of a number that is called changed, at least.
const FEW: u64 = 5;

/// What was learnt between two moments.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Learnt {
    /// Patterns of steps and workflows that are known now.
    pub known: u64,
    /// How many of them were not known before.
    pub new: u64,
    /// How many say something else than before.
    pub changed: u64,
    /// Each of these, new ones first, then by how far it moved.
    pub news: Vec<News>,
}

/// One thing that was learnt.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct News {
    /// The workflow, as in the knowledge.
    pub workflow: String,
    /// The step; absent where it is about the whole workflow.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// What it is.
    #[serde(flatten)]
    pub what: What,
}

/// What was learnt.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(tag = "what", rename_all = "kebab-case")]
#[expect(missing_docs, reason = "fields are what their names and the line above them say")]
pub enum What {
    /// It was not known before; with what is predicted of it where anything is.
    New { n: u64, p50_ms: Option<f64> },
    /// The predicted time left the interval that was predicted before.
    Time { before_ms: f64, after_ms: f64 },
    /// The usual peak memory left its interval, in bytes.
    Memory { before_bytes: f64, after_bytes: f64 },
    /// The odds of failing: the intervals of before and now have nothing in common.
    Failure { before: f64, after: f64 },
    /// Whether it fails by chance; absent where nothing speaks for it.
    Verdict { before: Option<Verdict>, after: Option<Verdict> },
}

/// Returns what is known now and was not before, or otherwise.
pub fn news(before: &Knowledge, now: &Knowledge) -> Learnt {
    let mut learnt = Learnt::default();
    for (name, workflow) in &now.workflows {
        let old = before.workflows.get(name);
        // Of one that was cancelled each time, or ran in parts alone, nothing is known as a whole.
        if workflow.executions > 0 {
            let old = old.filter(|old| old.executions > 0);
            learnt.see(name, None, old.is_some(), of_workflow(old, workflow));
        }
        for step in workflow.steps.iter().filter(|step| step.machine.is_none()) {
            let old = old.and_then(|old| old.steps.iter().find(|old| old.step == step.step && old.machine.is_none()));
            learnt.see(name, Some(&step.step), old.is_some(), of_step(old, step));
        }
    }
    learnt.news.sort_by(|a, b| b.what.distance().total_cmp(&a.what.distance()));
    learnt
}

impl Learnt {
    fn see(&mut self, workflow: &str, step: Option<&str>, was_known: bool, found: Vec<What>) {
        self.known += 1;
        self.new += u64::from(!was_known);
        self.changed += u64::from(was_known && !found.is_empty());
        let one = |what| News { workflow: workflow.to_owned(), step: step.map(str::to_owned), what };
        self.news.extend(found.into_iter().map(one));
    }
}

impl What {
    /// Returns how far it moved: a ratio in the logarithm for numbers, beyond any for what is new and for verdicts.
    fn distance(&self) -> f64 {
        let ratio = |before: f64, after: f64| (after / before).ln().abs();
        match *self {
            Self::New { .. } => f64::INFINITY,
            Self::Verdict { .. } => f64::MAX,
            Self::Time { before_ms, after_ms } => ratio(before_ms, after_ms),
            Self::Memory { before_bytes, after_bytes } => ratio(before_bytes, after_bytes),
            Self::Failure { before, after } => ratio(before, after),
        }
    }
}

fn of_workflow(old: Option<&WorkflowPattern>, now: &WorkflowPattern) -> Vec<What> {
    let Some(old) = old else {
        return vec![What::New { n: now.executions, p50_ms: now.duration_ms.as_ref().map(|known| known.p50) }];
    };
    let time = moved(old.duration_ms.as_ref(), now.duration_ms.as_ref());
    let failure = parted(old.failure.as_ref(), now.failure.as_ref());
    [
        time.map(|(before_ms, after_ms)| What::Time { before_ms, after_ms }),
        failure.map(|(before, after)| What::Failure { before, after }),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn of_step(old: Option<&Pattern>, now: &Pattern) -> Vec<What> {
    let predicted = |known: &Pattern| known.next_ms.or(known.duration_ms);
    let Some(old) = old else {
        return vec![What::New { n: now.attempts, p50_ms: predicted(now).map(|known| known.p50) }];
    };
    let time = moved(predicted(old).as_ref(), predicted(now).as_ref());
    let memory = moved(old.peak_memory_bytes.as_ref(), now.peak_memory_bytes.as_ref());
    let failure = parted(old.failure.as_ref(), now.failure.as_ref());
    let verdict = |known: &Pattern| known.flakiness.map(|known| known.verdict);
    let (before, after) = (verdict(old), verdict(now));
    [
        (before != after).then_some(What::Verdict { before, after }),
        time.map(|(before_ms, after_ms)| What::Time { before_ms, after_ms }),
        memory.map(|(before_bytes, after_bytes)| What::Memory { before_bytes, after_bytes }),
        failure.map(|(before, after)| What::Failure { before, after }),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Returns the medians where the new one lies outside of what eight of ten were said to be.
fn moved(old: Option<&Interval>, now: Option<&Interval>) -> Option<(f64, f64)> {
    let (old, now) = old.zip(now)?;
    let is_outside = now.p50 < old.p10 || now.p50 > old.p90;
    (is_outside && old.n >= FEW && now.n >= FEW).then_some((old.p50, now.p50))
}

/// Returns the means where the intervals have nothing in common.
fn parted(old: Option<&Odds>, now: Option<&Odds>) -> Option<(f64, f64)> {
    let (old, now) = old.zip(now)?;
    (now.low > old.high || now.high < old.low).then_some((old.mean, now.mean))
}
