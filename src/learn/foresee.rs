//! What plans go by: the replay's next prediction of each step, made from everything that is recorded by now.

use std::collections::BTreeMap;

use super::beta::odds_around;
use super::predictor::Forecaster;
use super::replay::{Came, Known, Trace};
use crate::plan::{Interval, Odds};
use crate::record::{Digest, Outcome};
use crate::scan::History;

/// The latest attempts of a history that are lived through before a plan; it shall not wait long for what is long past.
const LIVED: usize = 50_000;

/// An execution that is about to start.
#[derive(Debug, Clone, PartialEq)]
pub struct Coming<'a> {
    /// Its workflow.
    pub workflow: &'a str,
    /// The machine class.
    pub machine: Option<&'a str>,
    /// The commit checked out.
    pub commit: Option<Digest>,
    /// The branch, as records name it.
    pub branch: Option<&'a str>,
    /// The time, milliseconds since 1970.
    pub now_ms: i64,
    /// Its steps, each with the bytes of its inputs; NaN where unknown.
    pub steps: Vec<(&'a str, f64)>,
}

/// What is foreseen of the first attempt of a step.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Foreseen {
    /// How long it runs where it passes, in milliseconds.
    pub duration_ms: Option<Interval>,
    /// The odds that it fails; only of steps that passed or failed before.
    pub failure: Option<Odds>,
}

/// Returns what is foreseen of each step of a coming execution, from a history of its repository alone.
///
/// This is the replay of `meow score` with the coming attempts at its end, so that a plan says what a later replay will
/// say it could have. Of a history longer than 50,000 attempts the latest are lived through.
pub fn foresee<'a>(history: &History, coming: &Coming<'a>) -> BTreeMap<&'a str, Foreseen> {
    let mut trace = Trace::of(history, &[]);
    let excess = trace.attempts.len().saturating_sub(LIVED);
    trace.attempts.drain(..excess);
    // What is recorded is known, whatever the clocks of its writers said.
    let last = trace.attempts.iter().map(super::replay::finish_us).filter(|end| *end < i64::MAX).max();
    let now_us = last.unwrap_or(i64::MIN).max(coming.now_ms.saturating_mul(1000));
    let names = &mut trace.names;
    let workflow = names.intern(coming.workflow);
    let machine = coming.machine.map(|machine| names.intern(machine));
    let branch = coming.branch.map(|branch| names.intern(branch));
    let commit = coming.commit.map(|commit| names.intern(&commit.to_string()));
    let execution = u32::try_from(trace.executions.len()).unwrap_or(u32::MAX);
    let at_start = |trace: &mut Trace, step: &str, inputs_bytes: f64| Known {
        execution,
        repository: 0,
        workflow,
        step: trace.names.intern(step),
        attempt: 1,
        started_us: now_us,
        commit,
        branch,
        machine,
        inputs_bytes,
        metrics: Box::default(),
    };
    let mut tried: BTreeMap<_, u64> = BTreeMap::new();
    for (known, came) in &trace.attempts {
        let counts = known.workflow == workflow && known.attempt == 1 && came.outcome != Outcome::Cancelled;
        *tried.entry(known.step).or_default() += u64::from(counts);
    }
    let lived = trace.attempts.len();
    for (step, inputs_bytes) in &coming.steps {
        let known = at_start(&mut trace, step, *inputs_bytes);
        trace.attempts.push((known, Came { duration_ms: f64::NAN, outcome: Outcome::Cancelled }));
    }
    let said = trace.replay(&mut Forecaster::default());
    let asked = trace.attempts[lived..].iter().zip(&said[lived..]).zip(&coming.steps);
    asked
        .map(|(((known, _), said), (step, _))| {
            let n = tried.get(&known.step).copied().unwrap_or(0);
            let failure = said.failure.filter(|_| n > 0).map(|mean| odds_around(mean, n));
            (*step, Foreseen { duration_ms: said.duration_ms, failure })
        })
        .collect()
}
