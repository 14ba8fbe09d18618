//! Chrome's trace event format: what compilers, bundlers and browsers write for `about:tracing` and Perfetto.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::Value;

use super::batch::{About, Batch, Try};
use super::{Options, Whole};
use crate::error::Result;
use crate::record::{Digest, Outcome};

/// Microseconds from here on count from 1970 (this is 2001); smaller ones from some other start.
const ABSOLUTE_US: f64 = 1e15;

/// The two shapes of the format: an object with a list in it, or the list alone.
#[derive(Deserialize)]
#[serde(untagged)]
enum Trace {
    Object {
        #[serde(rename = "traceEvents")]
        events: Vec<Slice>,
    },
    List(Vec<Slice>),
}

#[derive(Deserialize)]
struct Slice {
    #[serde(default)]
    name: String,
    ph: String,
    /// Microseconds.
    #[serde(default)]
    ts: f64,
    #[serde(default)]
    dur: f64,
    #[serde(default)]
    pid: Value,
    #[serde(default)]
    tid: Value,
}

/// All events of one name.
#[derive(Default)]
struct Sum {
    first_us: f64,
    total_us: f64,
    count: f64,
}

/// Reads a trace: one execution, one step a name. Complete events (`X`) and pairs (`B`, `E`) of one name are summed, and
/// the metric `events` says how many there were; what runs within itself counts twice.
///
/// A trace whose clock does not count from 1970 ends when its file was written.
///
/// # Errors
/// It is no whole JSON trace.
pub(super) fn read(file: &Whole<'_>, options: &Options<'_>, batch: &mut Batch<'_>) -> Result<()> {
    let trace: Trace = serde_json::from_str(&file.text).map_err(|error| file.wrong(error))?;
    let (Trace::Object { events } | Trace::List(events)) = trace;
    let mut sums = BTreeMap::<String, Sum>::new();
    let mut open = BTreeMap::<String, Vec<(String, f64)>>::new();
    let (mut first_us, mut last_us) = (f64::INFINITY, 0.0_f64);
    for event in events {
        let thread = || format!("{} {}", event.pid, event.tid);
        let (name, start_us, end_us) = match event.ph.as_str() {
            "X" => (event.name, event.ts, event.ts + event.dur),
            "B" => {
                open.entry(thread()).or_default().push((event.name, event.ts));
                continue;
            }
            "E" => {
                let Some((name, start_us)) = open.entry(thread()).or_default().pop() else {
                    batch.skip("an end without a beginning");
                    continue;
                };
                (name, start_us, event.ts)
            }
            _ => {
                batch.skip("an event that is no slice of time");
                continue;
            }
        };
        (first_us, last_us) = (first_us.min(start_us), last_us.max(end_us));
        let sum = sums.entry(name).or_insert(Sum { first_us: start_us, ..Sum::default() });
        sum.first_us = sum.first_us.min(start_us);
        sum.total_us += end_us - start_us;
        sum.count += 1.0;
    }
    for _ in open.values().flatten() {
        batch.skip("a beginning without an end");
    }
    let about = About { workflow: options.workflow.unwrap_or("trace"), ..About::default() };
    let place = batch.execution(&Digest::of(file.text.as_bytes()).to_string(), about);
    let origin = if first_us >= ABSOLUTE_US { Timestamp::UNIX_EPOCH } else { after(file.written_at, -last_us) };
    for (name, sum) in &sums {
        let metrics = [("events", sum.count)];
        let one = Try::new(name, after(origin, sum.first_us), Some(sum.total_us / 1000.0), Outcome::Passed);
        batch.attempt(place, &Try { metrics: &metrics, ..one });
    }
    Ok(())
}

fn after(at: Timestamp, microseconds: f64) -> Timestamp {
    SignedDuration::try_from_secs_f64(microseconds / 1e6).ok().and_then(|time| at.checked_add(time).ok()).unwrap_or(at)
}
