//! Chrome's trace event format: what compilers, bundlers and browsers write for `about:tracing` and Perfetto.

use std::collections::BTreeMap;
use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::batch::{About, Batch, Try};
use super::{Options, Whole};
use crate::record::{Digest, Outcome};

/// Microseconds from here on count from 1970 (this is 2001); smaller ones from some other start.
const ABSOLUTE_US: f64 = 1e15;

/// The larger of the format's two shapes, an object with a list in it; the other is the list alone.
#[derive(Deserialize)]
struct Trace {
    #[serde(rename = "traceEvents")]
    events: Vec<Slice>,
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
    pid: Id,
    #[serde(default)]
    tid: Id,
}

/// A process or a thread: a number or a text. What is neither is read past, so that it takes no memory.
#[derive(Default)]
struct Id(String);

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Either)
    }
}

struct Either;

impl<'de> Visitor<'de> for Either {
    type Value = Id;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number or a text")
    }

    fn visit_i64<E>(self, number: i64) -> Result<Id, E> {
        Ok(Id(number.to_string()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Id, E> {
        Ok(Id(number.to_string()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Id, E> {
        Ok(Id(number.to_string()))
    }

    fn visit_str<E>(self, text: &str) -> Result<Id, E> {
        Ok(Id(format!("{text:?}")))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Id, E> {
        Ok(Id::default())
    }

    fn visit_unit<E>(self) -> Result<Id, E> {
        Ok(Id::default())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Id, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Id::default())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Id, A::Error> {
        while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Id::default())
    }
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
pub(super) fn read(file: &Whole<'_>, options: &Options<'_>, batch: &mut Batch<'_>) -> crate::error::Result<()> {
    let events = if file.text.trim_start().starts_with('[') {
        serde_json::from_str(&file.text)
    } else {
        serde_json::from_str(&file.text).map(|trace: Trace| trace.events)
    };
    let events: Vec<Slice> = events.map_err(|error| file.wrong(error))?;
    let mut sums = BTreeMap::<String, Sum>::new();
    let mut open = BTreeMap::<String, Vec<(String, f64)>>::new();
    let (mut first_us, mut last_us) = (f64::INFINITY, 0.0_f64);
    for event in events {
        let thread = || format!("{} {}", event.pid.0, event.tid.0);
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
