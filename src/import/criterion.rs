//! Criterion.rs: the messages of `cargo criterion --message-format=json`, and the `estimates.json` of `cargo bench`.

use serde::Deserialize;

use super::batch::{About, Batch, Try};
use super::benchmark_action::milliseconds;
use super::{Options, Whole};
use crate::error::Result;
use crate::record::{Digest, Outcome};

/// A line that cargo-criterion prints.
#[derive(Deserialize)]
struct Message {
    reason: String,
    id: Option<String>,
    typical: Option<Estimate>,
}

#[derive(Deserialize)]
struct Estimate {
    estimate: f64,
    unit: String,
}

/// `target/criterion/<group>/<function>/new/estimates.json`, in nanoseconds.
#[derive(Deserialize)]
struct Estimates {
    mean: Point,
    slope: Option<Point>,
}

#[derive(Deserialize)]
struct Point {
    point_estimate: f64,
}

/// Reads measurements: one execution a file, one step a benchmark, the typical time of one iteration as its duration.
///
/// `estimates.json` does not name its benchmark: the path between `criterion` and `new` does. Typical is the slope where
/// there is one, else the mean, as cargo-criterion has it. Neither says when: it is when the file was written.
///
/// # Errors
/// It is neither.
pub(super) fn read(file: &Whole<'_>, options: &Options<'_>, batch: &mut Batch<'_>) -> Result<()> {
    let about = About { workflow: options.workflow.unwrap_or("benchmarks"), ..About::default() };
    let digest = Digest::of(file.text.as_bytes());
    if let Ok(estimates) = serde_json::from_str::<Estimates>(&file.text) {
        let Some(step) = benchmark(file.name) else {
            return Err(file.wrong("its path does not name the benchmark, as criterion/<benchmark>/new/ would"));
        };
        let nanoseconds = estimates.slope.unwrap_or(estimates.mean).point_estimate;
        let place = batch.execution(&format!("{digest} {step}"), about);
        batch.attempt(place, &Try::new(&step, file.written_at, Some(nanoseconds / 1e6), Outcome::Passed));
        return Ok(());
    }
    let mut messages = 0;
    for message in serde_json::Deserializer::from_str(&file.text).into_iter::<Message>() {
        let message = message.map_err(|error| file.wrong(error))?;
        messages += 1;
        let (Some(id), Some(typical)) = (message.id, message.typical) else {
            batch.skip("a message that is no benchmark's end");
            continue;
        };
        let each = milliseconds(&typical.unit);
        if message.reason != "benchmark-complete" || each.is_none() {
            batch.skip("a measurement that is no time");
            continue;
        }
        let place = batch.execution(&digest.to_string(), about);
        let duration_ms = each.map(|each| typical.estimate * each);
        batch.attempt(place, &Try::new(&id, file.written_at, duration_ms, Outcome::Passed));
    }
    if messages == 0 {
        return Err(file.wrong("there is no message in it"));
    }
    Ok(())
}

/// Returns what stands between `criterion` and `new` or `base` in a path.
fn benchmark(path: &str) -> Option<String> {
    let parts: Vec<&str> = path.split('/').collect();
    let start = parts.iter().rposition(|part| *part == "criterion")? + 1;
    let end = parts.iter().rposition(|part| matches!(*part, "new" | "base"))?;
    parts.get(start..end).filter(|parts| !parts.is_empty()).map(|parts| parts.join("/"))
}
