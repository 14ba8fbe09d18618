//! Wall and processor time: on a busy machine the second tells more.

use std::time::Instant;

/// A moment.
#[derive(Debug)]
pub struct Clock {
    wall: Instant,
    processor_s: Option<f64>,
}

impl Clock {
    /// Returns the moment now.
    pub fn start() -> Self {
        Self { wall: Instant::now(), processor_s: processor_s() }
    }

    /// Returns the processor time since in seconds, the wall time where the system does not tell.
    pub fn processor_s(&self) -> f64 {
        let known = self.processor_s.zip(processor_s()).map(|(before, now)| now - before);
        known.unwrap_or_else(|| self.wall.elapsed().as_secs_f64())
    }

    /// Returns the time since in words.
    pub fn told(&self) -> String {
        let wall = self.wall.elapsed().as_secs_f64();
        match (self.processor_s, processor_s()) {
            (Some(before), Some(now)) => format!("{wall:.2} s ({:.2} s of processor)", now - before),
            _ => format!("{wall:.2} s"),
        }
    }
}

/// Returns the processor time of this thread in seconds, where the system tells.
fn processor_s() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    text.split(' ').next()?.parse::<f64>().ok().map(|nanoseconds| nanoseconds / 1e9)
}
