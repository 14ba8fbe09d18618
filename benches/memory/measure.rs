//! Programs measured from outside, in turn.

use std::fs;
use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use super::Outcome;

/// What a program took in several runs, in milliseconds.
#[derive(Debug, Default)]
pub struct Runs {
    wall: Vec<f64>,
    processor: Vec<f64>,
    /// What it printed last.
    pub said: String,
}

impl Runs {
    /// Runs a program once more, which reads the file `input`.
    pub fn add(&mut self, command: &mut Command, input: Option<&Path>) -> Outcome<()> {
        command.stdin(input.map_or(Ok(Stdio::null()), |path| File::open(path).map(Stdio::from))?);
        let (before, began) = (processor_ms()?, Instant::now());
        let output = command.stderr(Stdio::piped()).spawn()?.wait_with_output()?;
        self.wall.push(began.elapsed().as_secs_f64() * 1e3);
        self.processor.push(processor_ms()? - before);
        if !output.status.success() {
            return Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr)).into());
        }
        self.said = String::from_utf8_lossy(&output.stdout).into_owned();
        Ok(())
    }

    /// Adds a run that was measured from inside.
    pub fn add_wall(&mut self, wall_ms: f64) {
        self.wall.push(wall_ms);
    }

    /// Returns the median of the wall times.
    pub fn wall(&self) -> f64 {
        at(&self.wall, 0.5)
    }

    /// Returns the median of the processor times.
    pub fn processor(&self) -> f64 {
        at(&self.processor, 0.5)
    }
}

/// Returns the processor time of all children so far, in milliseconds (`cutime` and `cstime` of proc(5), in ticks of 10 ms).
pub fn processor_ms() -> Outcome<f64> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    let fields: Vec<&str> = stat.rsplit_once(") ").map_or("", |(_, fields)| fields).split(' ').collect();
    let ticks = |at: usize| fields.get(at).and_then(|text| text.parse::<f64>().ok()).unwrap_or(0.0);
    Ok((ticks(13) + ticks(14)) * 10.0)
}

/// Returns a quantile by nearest rank; NaN of nothing.
pub fn at(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (share * sorted.len().saturating_sub(1) as f64).round() as usize;
    sorted.get(rank).copied().unwrap_or(f64::NAN)
}
