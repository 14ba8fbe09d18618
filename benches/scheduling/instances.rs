//! Recorded DAG runs, prepared as `../shared/score/schedule.py` prepares them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::sync::Arc;

use flate2::read::GzDecoder;
use jiff::Timestamp;
use meow::learn::{Coming, Foreseen, foresee};
use meow::plan::{Hints, StepHint};
use meow::record::{self, Attempt, Execution, ExecutionId, Outcome, Record};
use meow::scan::History;
use meow::workflow::{Dialect, Source, StepId, Workflow, load};
use serde::Deserialize;
use serde_json::Value;

use crate::real;

/// The start of the year 2026, before which all histories lie, microseconds since 1970.
const EPOCH_US: i64 = 1_767_225_600_000_000;

/// A day in microseconds.
const DAY_US: i64 = 86_400_000_000;

#[derive(Deserialize)]
struct Recorded {
    app: String,
    tasks: Vec<RecordedTask>,
}

#[derive(Deserialize)]
struct RecordedTask {
    id: String,
    name: Option<String>,
    prog: Option<String>,
    parents: Vec<String>,
    runtime: Option<f64>,
    inb: Option<f64>,
    machine: Option<String>,
}

/// One recorded run.
pub struct Instance {
    pub app: String,
    pub tasks: Vec<Task>,
}

/// One task of a run; needs by index.
pub struct Task {
    pub id: String,
    pub series: String,
    pub needs: Vec<usize>,
    pub duration_ms: f64,
    pub inputs_bytes: f64,
    pub machine: Option<String>,
}

/// Returns the runs by application, in the order of the file; none where it is not there.
pub fn read(path: &Path) -> BTreeMap<String, Vec<Instance>> {
    let mut apps: BTreeMap<String, Vec<Instance>> = BTreeMap::new();
    let Ok(file) = File::open(path) else { return apps };
    for line in BufReader::new(GzDecoder::new(file)).lines() {
        let recorded: Recorded = serde_json::from_str(&line.expect("text")).expect("a run");
        apps.entry(recorded.app.clone()).or_default().push(Instance::of(recorded));
    }
    apps
}

impl Instance {
    fn of(recorded: Recorded) -> Self {
        let places: BTreeMap<String, usize> = recorded.tasks.iter().map(|task| task.id.clone()).zip(0..).collect();
        let mut seen = BTreeSet::new();
        let task = |task: RecordedTask| Task {
            needs: task.parents.iter().filter_map(|parent| places.get(parent).copied()).collect(),
            duration_ms: (task.runtime.unwrap_or(0.0) * 1000.0).max(1.0),
            inputs_bytes: task.inb.unwrap_or(0.0),
            machine: task.machine,
            series: [task.prog, task.name]
                .into_iter()
                .flatten()
                .find(|name| !name.is_empty())
                .unwrap_or(task.id.clone()),
            id: unique(&task.id, &mut seen),
        };
        Self { app: recorded.app, tasks: recorded.tasks.into_iter().map(task).collect() }
    }

    /// Returns the true durations in milliseconds.
    pub fn durations(&self) -> Vec<f64> {
        self.tasks.iter().map(|task| task.duration_ms).collect()
    }

    /// Returns it as a workflow whose steps sleep for `scale` of their time.
    pub fn workflow(&self, scale: f64) -> Workflow {
        let mut text = format!("formula = {:?}\n", self.app);
        for task in &self.tasks {
            let needs: Vec<&str> = task.needs.iter().map(|need| self.tasks[*need].id.as_str()).collect();
            let seconds = (task.duration_ms * scale / 1000.0).max(0.001);
            text.push_str(&format!("[[steps]]\nid = {:?}\nneeds = {needs:?}\nrun = \"sleep {seconds:.3}\"\n", task.id));
        }
        let source = Source { file: "workflow.toml".into(), dialect: Dialect::Own, bytes: text.into_bytes() };
        let alone = &mut |_: &str, _: &str| panic!("extends nothing");
        load(&source, &BTreeMap::new(), alone).expect("a workflow")
    }

    /// Returns when each task would start on unlimited slots, in milliseconds.
    fn earliest(&self) -> Vec<f64> {
        let mut starts: Vec<Option<f64>> = vec![None; self.tasks.len()];
        let mut waiting: Vec<usize> = (0..self.tasks.len()).rev().collect();
        while let Some(at) = waiting.pop() {
            let open: Vec<usize> =
                self.tasks[at].needs.iter().copied().filter(|need| starts[*need].is_none()).collect();
            if open.is_empty() {
                let ends =
                    self.tasks[at].needs.iter().filter_map(|need| Some(starts[*need]? + self.tasks[*need].duration_ms));
                starts[at] = Some(ends.fold(0.0, f64::max));
            } else {
                waiting.push(at);
                waiting.extend(open);
            }
        }
        starts.into_iter().map(|start| start.unwrap_or(0.0)).collect()
    }
}

/// Returns an id of letters, digits, `-` and `_` that was not given yet.
fn unique(name: &str, seen: &mut BTreeSet<String>) -> String {
    let mut base = String::new();
    for char in name.chars() {
        let char = if char.is_ascii_alphanumeric() || matches!(char, '-' | '_') { char } else { '-' };
        if char != '-' || !base.ends_with('-') {
            base.push(char);
        }
    }
    let base = Some(base.trim_matches('-')).filter(|base| !base.is_empty()).unwrap_or("step").to_owned();
    let mut name = base.clone();
    for number in 2.. {
        if seen.insert(name.clone()) {
            break;
        }
        name = format!("{base}-{number}");
    }
    name
}

/// Returns the other runs of the application as interchange rows, one a line.
pub fn rows(app: &str, instances: &[Instance], left_out: usize) -> String {
    let mut text = String::new();
    for (place, task, start_us) in others(instances, left_out) {
        let started_at = Timestamp::from_microsecond(start_us).expect("a time");
        let row: Value = real::row(&format!("{app}-{place}/{}", task.id), app, task, started_at);
        text.push_str(&row.to_string());
        text.push('\n');
    }
    text
}

/// Returns the tasks of the other runs with the number of their run and their start, microseconds since 1970: a run a day,
/// each as if slots were unlimited.
fn others(instances: &[Instance], left_out: usize) -> impl Iterator<Item = (i64, &Task, i64)> {
    let days = i64::try_from(instances.len()).expect("few");
    let others = (0_i64..).zip(instances).filter(move |(place, _)| usize::try_from(*place) != Ok(left_out));
    others.flat_map(move |(place, instance)| {
        let begin_us = EPOCH_US - (days - place) * DAY_US;
        let starts = instance.earliest();
        instance
            .tasks
            .iter()
            .zip(starts)
            .map(move |(task, start)| (place, task, begin_us.saturating_add(micros(start))))
    })
}

/// Returns what the other runs of the application teach about the steps of run `left_out`, as plans come to know it.
pub fn learnt(instances: &[Instance], left_out: usize) -> Hints {
    let records: Vec<Record> =
        others(instances, left_out).map(|(place, task, start_us)| record(task, place, start_us)).collect();
    let history = History::from_records("app", &records);
    let asked = &instances[left_out].tasks;
    let coming = Coming {
        workflow: "app",
        // Which machine will take a step is not known beforehand.
        machine: None,
        commit: None,
        touched: None,
        branch: None,
        now_ms: EPOCH_US / 1000,
        steps: asked.iter().map(|task| (task.series.as_str(), task.inputs_bytes)).collect(),
    };
    let foresight = foresee(&history, &coming);
    let hint = |(task, said): (&Task, &Foreseen)| {
        (StepId(task.id.clone()), StepHint { duration_ms: said.duration_ms, ..StepHint::default() })
    };
    Hints { steps: asked.iter().zip(&foresight.steps).map(hint).collect(), order: foresight.order }
}

/// Returns a task as the record of an execution of its own, since a run has many of one name.
fn record(task: &Task, run: i64, started_us: i64) -> Record {
    let execution = Execution {
        id: ExecutionId::imported("bench", &format!("{run}/{}", task.id), ""),
        workflow: "app".into(),
        started_at: Timestamp::from_microsecond(started_us).expect("a time"),
        duration_ms: Some(task.duration_ms),
        outcome: Outcome::Passed,
        trigger: "import:bench".into(),
        machine: task.machine.clone(),
        slots: None,
        variables: BTreeMap::new(),
        resumes: None,
        source: record::Source::default(),
    };
    let attempt = Attempt {
        duration_ms: Some(task.duration_ms),
        outcome: Outcome::Passed,
        inputs_bytes: Some(bytes(task.inputs_bytes)),
        ..Attempt::new(task.series.clone(), 1)
    };
    Record { execution: Arc::new(execution), attempt }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a cast of a float saturates")]
fn bytes(size: f64) -> u64 {
    size as u64
}

#[expect(clippy::cast_possible_truncation, reason = "a cast of a float saturates")]
fn micros(ms: f64) -> i64 {
    (ms * 1000.0).round() as i64
}
