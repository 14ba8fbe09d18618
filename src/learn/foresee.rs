//! What plans go by: the replay's next prediction of each step, made from everything that is recorded by now.

use std::borrow::Borrow;
use std::collections::BTreeMap;

use super::beta::odds_around;
use super::order::order;
use super::predictor::Forecaster;
use super::replay::{Known, Trace};
use super::sized::allocation_at;
use super::spread::median;
use super::touch::Touches;
use crate::plan::{Interval, Odds};
use crate::record::{Digest, Outcome};
use crate::scan::{History, Name};

/// The latest attempts of a history that are lived through before a plan; it shall not wait long for what is long past.
const LIVED: usize = 50_000;

/// Attempts from which a step's use of processors is known.
const LATEST: usize = 20;

/// Processor time of shorter attempts, in milliseconds, is too coarse to tell how many processors they used.
const SHORTEST_MS: f64 = 100.0;

/// An execution that is about to start.
#[derive(Debug, Clone, PartialEq)]
pub struct Coming<'a> {
    /// Its workflow.
    pub workflow: &'a str,
    /// The machine class.
    pub machine: Option<&'a str>,
    /// The commit checked out.
    pub commit: Option<Digest>,
    /// The paths at which the work tree differs from it; absent where that is unknown.
    pub touched: Option<Vec<String>>,
    /// The branch, as records name it.
    pub branch: Option<&'a str>,
    /// The time, milliseconds since 1970.
    pub now_ms: i64,
    /// Its steps, each with the bytes of its inputs; NaN where unknown. A name may come several times.
    pub steps: Vec<(&'a str, f64)>,
}

/// What is foreseen of the first attempt of a step.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Foreseen {
    /// Attempts of the step itself that it rests on; without any, what is said comes from its kin.
    pub n: u64,
    /// How long it runs where it passes, in milliseconds.
    pub duration_ms: Option<Interval>,
    /// The odds that it fails; only of steps that passed or failed before.
    pub failure: Option<Odds>,
    /// Processors that it keeps busy, as the median of its latest attempts.
    pub cpus: Option<f64>,
    /// Memory to set aside by the size of its inputs, in bytes; absent where that does not beat the plain rule.
    pub memory_bytes: Option<f64>,
}

/// What is foreseen of an execution.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Foresight {
    /// Its steps, in the order in which they were asked about.
    pub steps: Vec<Foreseen>,
    /// The odds that of two attempts of the workflow the one that was predicted to be longer was; absent without any.
    pub order: Option<Odds>,
}

/// Returns what is foreseen of each step of a coming execution, from a history of its repository alone.
///
/// This is the replay of `meow score` with the coming attempts at its end, so that a plan says what a later replay will
/// say it could have. Of a history longer than 50,000 attempts the latest are lived through. A history that is handed over
/// for good goes before that.
pub fn foresee(history: impl Borrow<History>, coming: &Coming) -> Foresight {
    let known = history.borrow();
    let mut trace = Trace::of(known, &[]);
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
    let touch = Touches::of(known, &mut trace.names).coming(coming.commit, coming.touched.as_deref(), &mut trace.names);
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
        touch: touch.clone(),
    };
    let busy = busy(known, coming.workflow);
    let (peaks, typical) = peaks(known, coming.workflow);
    drop(history);
    let mut tried: BTreeMap<_, u64> = BTreeMap::new();
    for (known, came) in &trace.attempts {
        let counts = known.workflow == workflow && known.attempt == 1 && came.outcome != Outcome::Cancelled;
        *tried.entry(known.step).or_default() += u64::from(counts);
    }
    let mut forecaster = Forecaster::default();
    forecaster.expect_steps(tried.len());
    let said = trace.replay_to_end(&mut forecaster);
    let order = order(&trace, &said, workflow);
    drop(said);
    trace.attempts = Vec::new();
    let steps = coming.steps.iter().map(|(step, inputs_bytes)| {
        let known = at_start(&mut trace, step, *inputs_bytes);
        let said = forecaster.ask(&known);
        let n = tried.get(&known.step).copied().unwrap_or(0);
        let failure = said.failure.filter(|_| n > 0).map(|mean| odds_around(mean, n));
        Foreseen {
            n,
            duration_ms: said.duration_ms,
            failure,
            cpus: busy.get(&known.step).and_then(|all| median(all)),
            memory_bytes: peaks.get(&known.step).and_then(|all| allocation_at(all, known.inputs_bytes, typical)),
        }
    });
    Foresight { steps: steps.collect(), order }
}

/// Returns how many processors each step of a workflow kept busy in its latest attempts that passed.
fn busy(history: &History, workflow: &str) -> BTreeMap<Name, Vec<f64>> {
    let (attempts, executions) = (&history.attempts, &history.executions);
    let workflow = history.names.find(workflow);
    let mut busy: BTreeMap<Name, Vec<(i64, f64)>> = BTreeMap::new();
    for row in 0..attempts.len() {
        let place = attempts.execution[row] as usize;
        let (duration_ms, used) = (attempts.duration_ms[row], attempts.cpu_ms[row] / attempts.duration_ms[row]);
        let counts = Some(executions.workflow[place]) == workflow && attempts.outcome[row] == Outcome::Passed;
        if counts && duration_ms >= SHORTEST_MS && used.is_finite() {
            busy.entry(attempts.step[row]).or_default().push((executions.started_ms[place], used));
        }
    }
    let latest = |mut all: Vec<(i64, f64)>| {
        all.sort_by_key(|(started, _)| *started);
        all.iter().rev().take(LATEST).map(|(_, used)| *used).collect()
    };
    busy.into_iter().map(|(step, all)| (step, latest(all))).collect()
}

/// Returns the sizes of inputs and the peaks of each step of a workflow that has both, oldest first, and the mean of all
/// peaks, in bytes.
fn peaks(history: &History, workflow: &str) -> (BTreeMap<Name, Vec<(f64, f64)>>, f64) {
    let attempts = &history.attempts;
    let workflow = history.names.find(workflow);
    let mut peaks: BTreeMap<Name, Vec<(f64, f64)>> = BTreeMap::new();
    let (mut sum, mut n) = (0.0, 0.0);
    for row in 0..attempts.len() {
        let (size, peak) = (attempts.inputs_bytes[row], attempts.peak_memory_bytes[row]);
        if attempts.outcome[row] == Outcome::Cancelled || !(peak.is_finite() && peak > 0.0) {
            continue;
        }
        (sum, n) = (sum + peak, n + 1.0);
        let here = history.executions.workflow[attempts.execution[row] as usize];
        if size > 0.0 && Some(here) == workflow {
            peaks.entry(attempts.step[row]).or_default().push((size, peak));
        }
    }
    (peaks, sum / f64::max(n, 1.0))
}
