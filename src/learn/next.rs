//! How long each step will run next: the kept samples of a project, lived through again by the predictor.

use std::collections::{BTreeMap, HashMap};

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

/// Returns the next durations of every workflow, in the order of the state's workflows.
///
/// Workflows of one project are learnt from together, so that what one says of a machine helps the others.
pub(crate) fn next(state: &State) -> Vec<Next> {
    let mut projects: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (place, (project, _)) in state.workflows.keys().enumerate() {
        projects.entry(project).or_default().push(place);
    }
    let keys: Vec<&(String, String)> = state.workflows.keys().collect();
    let mut found = vec![Next::new(); keys.len()];
    for places in projects.values() {
        let mut trace = trace(state, places.iter().map(|place| keys[*place]));
        let mut forecaster = Forecaster::of_durations();
        trace.replay(&mut forecaster);
        for place in places {
            let workflow = trace.names.intern(&keys[*place].1);
            for key in state.workflows[keys[*place]].steps.keys() {
                let step = trace.names.intern(&key.0);
                let machine = key.1.as_deref().map(|machine| trace.names.intern(machine));
                if let Some(interval) = forecaster.duration(&known((workflow, step), machine, (0, 0))) {
                    found[*place].insert(key.clone(), interval);
                }
            }
        }
    }
    found
}

/// Returns the kept samples of these workflows as attempts in order of their start.
fn trace<'a>(state: &State, workflows: impl Iterator<Item = &'a (String, String)>) -> Trace {
    let mut trace = Trace::default();
    let mut samples: Vec<Sample> = Vec::new();
    for key in workflows {
        let workflow = trace.names.intern(&key.1);
        let steps = &state.workflows[key].steps;
        let mut machines: HashMap<(Moment, Name), Name> = HashMap::new();
        for ((step, machine), series) in steps {
            let Some(machine) = machine else { continue };
            let (step, machine) = (trace.names.intern(step), trace.names.intern(machine));
            machines.extend(series.duration.latest(LIVED).iter().map(|(moment, _)| ((*moment, step), machine)));
        }
        for ((step, _), series) in steps.iter().filter(|((_, machine), _)| machine.is_none()) {
            let step = trace.names.intern(step);
            let sample = |(moment, duration): &(Moment, f64)| {
                (*moment, (workflow, step), machines.get(&(*moment, step)).copied(), *duration)
            };
            samples.extend(series.duration.latest(LIVED).iter().map(sample));
        }
    }
    samples.sort_by_key(|(moment, names, ..)| (*moment, *names));
    for (place, (moment, names, machine, duration_ms)) in (0..).zip(samples) {
        let known = known(names, machine, (place, moment.0));
        trace.attempts.push((known, Came { duration_ms, outcome: Outcome::Passed }));
    }
    trace
}

/// Returns what is known of an attempt that started at a time in milliseconds since 1970.
fn known((workflow, step): (Name, Name), machine: Option<Name>, (execution, started_ms): (u32, i64)) -> Known {
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
