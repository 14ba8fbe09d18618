//! One execution as a trace for Perfetto and about:tracing: slices by slot, waits, retries, the critical path.
//!
//! The format: "Trace Event Format", Google, 2016. Slices are complete events, waits nestable async events, and what led
//! to what are flow events.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::executions::rows;
use crate::learn::timeline::Timeline;
use crate::record::Outcome;
use crate::scan::{History, Name};

/// A wait shorter than this is not drawn, in milliseconds.
const WAIT_MS: f64 = 1.0;

/// A trace, the object form of the format.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Trace {
    /// The version of what meow puts into it.
    pub schema_version: u32,
    /// The unit that viewers show.
    #[serde(rename = "displayTimeUnit")]
    pub display_time_unit: &'static str,
    /// What was traced: the execution's id, workflow, machine class and outcome.
    #[serde(rename = "otherData")]
    pub other_data: Value,
    /// The events, in order of time behind those that name things.
    #[serde(rename = "traceEvents")]
    pub events: Vec<TraceEvent>,
}

/// One event. Times are microseconds since 1970.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TraceEvent {
    /// The step, or what is named.
    pub name: String,
    /// Categories, parted by commas.
    pub cat: String,
    /// The phase: `X` complete, `b` and `e` async, `s` and `f` flow, `M` metadata.
    pub ph: &'static str,
    /// When it begins.
    pub ts: f64,
    /// How long it takes; complete events only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dur: Option<f64>,
    /// Always 1: one execution.
    pub pid: u32,
    /// The slot, from 1.
    pub tid: u32,
    /// Joins the events of one wait or flow.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The binding point of a flow's end: the slice around it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bp: Option<&'static str>,
    /// The colour, by its reserved name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cname: Option<&'static str>,
    /// What is known besides.
    pub args: Map<String, Value>,
}

/// An attempt that can be drawn.
struct Slice {
    row: usize,
    step: Name,
    lane: u32,
    start_us: f64,
    end_us: f64,
    critical: bool,
}

/// Returns the trace of the execution at `place`. Attempts without a start or a duration are left out.
pub fn trace(history: &History, place: usize) -> Trace {
    let executions = &history.executions;
    let text = |name: Name| history.names.text(name);
    let slices = slices(history, place);
    let id = executions.id[place].to_string();
    let mut events = names(text(executions.workflow[place]), &id, &slices);
    let mut drawn: Vec<TraceEvent> = Vec::new();
    for slice in &slices {
        drawn.push(slice.event(history));
        drawn.extend(slice.wait(history, place));
    }
    drawn.extend(retries(history, &slices));
    drawn.extend(path(history, &slices));
    drawn.sort_by(|a, b| a.ts.total_cmp(&b.ts));
    events.extend(drawn);
    let other_data = json!({
        "execution": id,
        "workflow": text(executions.workflow[place]),
        "outcome": executions.outcome[place],
        "machine": executions.machine[place].map(text),
        "slots": executions.slots[place],
    });
    Trace { schema_version: 1, display_time_unit: "ms", other_data, events }
}

fn slices(history: &History, place: usize) -> Vec<Slice> {
    let attempts = &history.attempts;
    let roles = Timeline::of(history, rows(history, place)).roles();
    let drawn = |row: &usize| attempts.started_ms[*row].is_finite() && attempts.duration_ms[*row].is_finite();
    let mut lanes: BTreeMap<u32, f64> = BTreeMap::new();
    rows(history, place)
        .filter(drawn)
        .map(|row| {
            let start_us = microseconds(history, place, attempts.started_ms[row]);
            let end_us = start_us + attempts.duration_ms[row].max(0.0) * 1e3;
            let lane = attempts.slot[row].map_or_else(|| free_lane(&lanes, start_us), |slot| slot + 1);
            lanes.insert(lane, end_us);
            let step = attempts.step[row];
            let critical = roles.get(&step).is_some_and(|role| role.critical);
            Slice { row, step, lane, start_us, end_us, critical }
        })
        .collect()
}

/// Returns the first lane in which nothing runs at `start_us`; what other tools recorded knows no slot.
fn free_lane(lanes: &BTreeMap<u32, f64>, start_us: f64) -> u32 {
    let idle = lanes.iter().find(|(_, ends)| **ends <= start_us).map(|(lane, _)| *lane);
    idle.unwrap_or_else(|| lanes.last_key_value().map_or(1, |(last, _)| last + 1))
}

#[expect(clippy::cast_precision_loss, reason = "exact to a quarter of a microsecond for a hundred years")]
fn microseconds(history: &History, place: usize, since_began_ms: f64) -> f64 {
    history.executions.started_ms[place] as f64 * 1e3 + since_began_ms * 1e3
}

impl TraceEvent {
    fn new(ph: &'static str, name: &str, cat: &str, ts: f64, tid: u32) -> Self {
        Self {
            name: name.to_owned(),
            cat: cat.to_owned(),
            ph,
            ts,
            dur: None,
            pid: 1,
            tid,
            id: None,
            bp: None,
            cname: None,
            args: Map::new(),
        }
    }
}

impl Slice {
    fn event(&self, history: &History) -> TraceEvent {
        let attempts = &history.attempts;
        let outcome = attempts.outcome[self.row];
        let cat = if self.critical { "step,critical" } else { "step" };
        let mut event = TraceEvent::new("X", history.names.text(self.step), cat, self.start_us, self.lane);
        event.dur = Some(self.end_us - self.start_us);
        event.cname = Some(match outcome {
            Outcome::Passed => "good",
            Outcome::Failed => "terrible",
            Outcome::Cancelled => "grey",
        });
        let needs = &attempts.needs_lists[attempts.needs[self.row] as usize];
        event.args = object(&json!({
            "attempt": attempts.attempt[self.row],
            "outcome": outcome,
            "timed_out": attempts.timed_out[self.row],
            "critical": self.critical,
            "needs": needs.iter().map(|need| history.names.text(*need)).collect::<Vec<_>>(),
        }));
        let numbers = [
            ("predicted_p50_ms", attempts.predicted_p50_ms[self.row]),
            ("predicted_p90_ms", attempts.predicted_p90_ms[self.row]),
            ("cpu_ms", attempts.cpu_ms[self.row]),
            ("peak_memory_bytes", attempts.peak_memory_bytes[self.row]),
        ];
        for (name, number) in numbers.into_iter().filter(|(_, number)| number.is_finite()) {
            event.args.insert(name.to_owned(), json!(number));
        }
        let metrics = attempts.metrics[self.row].iter();
        let metrics: Map<String, Value> =
            metrics.map(|(name, value)| (history.names.text(*name).to_owned(), json!(value))).collect();
        if !metrics.is_empty() {
            event.args.insert("metrics".to_owned(), Value::Object(metrics));
        }
        event
    }

    /// Returns the time between readiness and start, if there was some: for a slot, a lock, processors or memory.
    fn wait(&self, history: &History, place: usize) -> Vec<TraceEvent> {
        let ready_us = microseconds(history, place, history.attempts.ready_ms[self.row]);
        let waited_us = self.start_us - ready_us;
        if waited_us.is_nan() || waited_us <= WAIT_MS * 1e3 {
            return Vec::new();
        }
        let name = history.names.text(self.step);
        let id = format!("wait {name} {}", history.attempts.attempt[self.row]);
        let end = |ph, ts| TraceEvent { id: Some(id.clone()), ..TraceEvent::new(ph, name, "wait", ts, self.lane) };
        vec![end("b", ready_us), end("e", self.start_us)]
    }

    /// Returns the two ends of an arrow from this slice to a later one.
    fn arrow(&self, to: &Slice, name: &str, cat: &str, id: &str) -> [TraceEvent; 2] {
        // Inside of both slices, since an arrow binds to what is around its ends.
        let leaves = self.end_us - (self.end_us - self.start_us).min(2.0) / 2.0;
        let from = TraceEvent::new("s", name, cat, leaves, self.lane);
        let reaches = TraceEvent { bp: Some("e"), ..TraceEvent::new("f", name, cat, to.start_us.max(leaves), to.lane) };
        [from, reaches].map(|end| TraceEvent { id: Some(id.to_owned()), ..end })
    }
}

/// Returns an arrow from each failed attempt to the next one at its step.
fn retries(history: &History, slices: &[Slice]) -> Vec<TraceEvent> {
    let mut last: BTreeMap<Name, &Slice> = BTreeMap::new();
    let mut events = Vec::new();
    for slice in slices {
        if let Some(earlier) = last.insert(slice.step, slice) {
            let name = history.names.text(slice.step);
            let id = format!("retry {name} {}", history.attempts.attempt[slice.row]);
            events.extend(earlier.arrow(slice, "retry", "retry", &id));
        }
    }
    events
}

/// Returns an arrow along each part of the critical path.
fn path(history: &History, slices: &[Slice]) -> Vec<TraceEvent> {
    let mut last: BTreeMap<Name, &Slice> = BTreeMap::new();
    for slice in slices.iter().filter(|slice| slice.critical) {
        last.insert(slice.step, slice);
    }
    let mut steps: Vec<&Slice> = last.into_values().collect();
    steps.sort_by(|a, b| a.end_us.total_cmp(&b.end_us));
    let arrow = |pair: &[&Slice]| {
        let id = format!("critical {}", history.names.text(pair[1].step));
        pair[0].arrow(pair[1], "critical path", "critical", &id)
    };
    steps.windows(2).flat_map(arrow).collect()
}

/// Returns the events that name the execution and its slots.
fn names(workflow: &str, id: &str, slices: &[Slice]) -> Vec<TraceEvent> {
    let mut lanes: Vec<u32> = slices.iter().map(|slice| slice.lane).collect();
    lanes.sort_unstable();
    lanes.dedup();
    let named = |what: &str, tid: u32, name: String| {
        let args = object(&json!({ "name": name }));
        TraceEvent { args, ..TraceEvent::new("M", what, "__metadata", 0.0, tid) }
    };
    let process = named("process_name", 0, format!("{workflow} {}", &id[..8.min(id.len())]));
    std::iter::once(process)
        .chain(lanes.into_iter().map(|lane| named("thread_name", lane, format!("slot {lane}"))))
        .collect()
}

fn object(value: &Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap_or_default()
}
