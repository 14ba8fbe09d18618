//! How long each step will run next: the kept samples of a project, lived through again by the predictor.

use std::collections::{BTreeMap, HashMap};

use rayon::prelude::*;

use super::predictor::Forecaster;
use super::replay::{Came, Known, Trace};
use super::state::State;
use super::window::Moment;
use crate::plan::Interval;
use crate::record::Outcome;
use crate::scan::Name;

/// The latest attempts of a step that are lived through: what the predictor keeps of mistakes.
const LIVED: usize = 60;

/// The next duration of a workflow's steps in milliseconds, by step and machine class; `None` is over all of them.
pub(crate) type Next = BTreeMap<(String, Option<String>), Interval>;

/// A kept sample: when, workflow and step, on which machine class, and how long in milliseconds.
type Sample = (Moment, (Name, Name), Option<Name>, f64);

/// Returns the next durations of every workflow, in the order of the state's workflows; those for which `known` has them
/// are taken as they are.
///
/// Each workflow is lived through by itself, so that what one more execution teaches costs what its workflow does and not
/// what the whole history does. Plans, which live through everything, also hear what other workflows say of a machine.
pub(crate) fn next(state: &State, known: impl Fn(&(String, String)) -> Option<Next> + Sync) -> Vec<Next> {
    let keys: Vec<&(String, String)> = state.workflows.keys().collect();
    keys.into_par_iter().map(|key| known(key).unwrap_or_else(|| of_workflow(state, key))).collect()
}

fn of_workflow(state: &State, key: &(String, String)) -> Next {
    let mut trace = trace(state, key);
    let mut forecaster = Forecaster::of_durations();
    trace.replay(&mut forecaster);
    let workflow = trace.names.intern(&key.1);
    let mut found = Next::new();
    for key in state.workflows[key].steps.keys() {
        let step = trace.names.intern(&key.0);
        let machine = key.1.as_deref().map(|machine| trace.names.intern(machine));
        if let Some(interval) = forecaster.duration(&at_start((workflow, step), machine, (0, 0))) {
            found.insert(key.clone(), interval);
        }
    }
    found
}

/// Returns the kept samples of a workflow as attempts in order of their start.
fn trace(state: &State, key: &(String, String)) -> Trace {
    let mut trace = Trace::default();
    let workflow = trace.names.intern(&key.1);
    let steps = &state.workflows[key].steps;
    let mut machines: HashMap<(Moment, Name), Name> = HashMap::new();
    for ((step, machine), series) in steps {
        let Some(machine) = machine else { continue };
        let (step, machine) = (trace.names.intern(step), trace.names.intern(machine));
        machines.extend(series.duration.latest(LIVED).iter().map(|(moment, _)| ((*moment, step), machine)));
    }
    let mut samples: Vec<Sample> = Vec::new();
    for ((step, _), series) in steps.iter().filter(|((_, machine), _)| machine.is_none()) {
        let step = trace.names.intern(step);
        let sample = |(moment, duration): &(Moment, f64)| {
            (*moment, (workflow, step), machines.get(&(*moment, step)).copied(), *duration)
        };
        samples.extend(series.duration.latest(LIVED).iter().map(sample));
    }
    samples.sort_by_key(|(moment, names, ..)| (*moment, *names));
    for (place, (moment, names, machine, duration_ms)) in (0..).zip(samples) {
        let known = at_start(names, machine, (place, moment.0));
        trace.attempts.push((known, Came { duration_ms, outcome: Outcome::Passed }));
    }
    trace
}

/// Returns what is known of an attempt that started at a time in milliseconds since 1970.
fn at_start((workflow, step): (Name, Name), machine: Option<Name>, (execution, started_ms): (u32, i64)) -> Known {
    Known {
        execution,
        repository: 0,
        workflow,
        step,
        attempt: 1,
        started_us: started_ms.saturating_mul(1000),
        commit: None,
        branch: None,
        machine,
        inputs_bytes: f64::NAN,
        metrics: Box::default(),
        touch: None,
    }
}
