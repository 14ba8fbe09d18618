//! The memory of running attempts: looked at by the first thread, and held to what was declared.

use std::time::Duration;

use rustix::process::Signal;

use super::{Drive, State};
use crate::execute::event::{Ending, Resource};
use crate::execute::process::Process;
use crate::execute::tree;

/// When memory that is not limited is first looked at, and how often from then on: short steps cost nothing, and tell
/// of their largest process when they are reaped.
const UNLIMITED: Duration = Duration::from_secs(1);
/// How often memory that is limited is looked at.
const LIMITED: Duration = Duration::from_millis(250);
/// The same, where at its present growth it is about to reach its limit.
const SOON: Duration = Duration::from_millis(20);

/// What is known of an attempt's memory.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Memory {
    limit: Option<u64>,
    /// The most that was seen, in bytes.
    pub peak: u64,
    last: (Duration, u64),
    /// When it is looked at next.
    pub next: Duration,
}

impl Memory {
    /// Returns what is known at the start, `limit` being declared in bytes.
    pub(super) fn new(started: Duration, limit: Option<u64>) -> Self {
        let first = if limit.is_some() { SOON } else { UNLIMITED };
        Self { limit, peak: 0, last: (started, 0), next: started + first }
    }

    /// Takes what is held now, and sets when to look again.
    fn see(&mut self, now: Duration, bytes: u64) {
        let (then, before) = self.last;
        self.last = (now, bytes);
        self.peak = self.peak.max(bytes);
        self.next = now
            + match self.limit {
                None => UNLIMITED,
                Some(limit) => until(limit, bytes, bytes.saturating_sub(before), now.saturating_sub(then)),
            };
    }
}

/// Returns when to look again: half of the time in which the limit is reached at this growth.
#[expect(clippy::cast_precision_loss, reason = "bytes stay far below 2^53")]
fn until(limit: u64, bytes: u64, grown: u64, within: Duration) -> Duration {
    if grown == 0 {
        return LIMITED;
    }
    let share = limit.saturating_sub(bytes) as f64 / grown as f64;
    within.mul_f64((share / 2.0).min(1_000.0)).clamp(SOON, LIMITED)
}

impl Drive<'_> {
    /// Looks at the memory of the attempts whose time for it has come, and ends those that hold more than they declared.
    pub(super) fn look_at_memory(&self) {
        let now = self.clock.elapsed();
        let due: Vec<(u32, Process, Option<u64>)> = {
            let mut state = self.state();
            let due = state.running.iter_mut().filter(|(_, running)| running.memory.next <= now);
            due.filter_map(|(slot, running)| {
                // One that a person does, or whose process is not there yet or any more, is looked at again later.
                running.memory.next = now + if running.memory.limit.is_some() { LIMITED } else { UNLIMITED };
                Some((*slot, running.process()?, running.memory.limit))
            })
            .collect()
        };
        for (slot, process, limit) in due {
            let members = tree::of(process.id());
            let mut bytes = tree::resident_bytes(&members);
            if limit.is_some_and(|limit| bytes > limit) {
                // Pages that are shared were counted more than once.
                bytes = tree::proportional_bytes(&members);
            }
            let over = limit.filter(|limit| bytes > *limit);
            if saw(&mut self.state(), slot, process, now, bytes, over) && over.is_some() {
                // Those that left its group; it is not reaped before it has ended, so that these are its own.
                tree::signal(&members, Signal::KILL);
            }
        }
    }
}

/// Takes what an attempt holds, `over` being its limit where that is exceeded; returns whether it was still there.
fn saw(state: &mut State, slot: u32, process: Process, now: Duration, bytes: u64, over: Option<u64>) -> bool {
    let Some(running) = state.running.get_mut(&slot).filter(|running| running.process() == Some(process)) else {
        return false;
    };
    running.memory.see(now, bytes);
    if let Some(limit) = over {
        running.end(Ending::OverLimit { resource: Resource::Memory, limit, used: Some(bytes) }, now);
        running.kill();
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_grows_fast_is_looked_at_often() {
        let check = |limit, bytes, grown, within: u64, expected: u64| {
            let found = until(limit, bytes, grown, Duration::from_millis(within));
            assert_eq!(found, Duration::from_millis(expected), "{limit} {bytes} {grown}");
        };
        check(1_000, 100, 0, 250, 250);
        check(1_000, 100, 10, 250, 250);
        check(1_000, 800, 400, 240, 60);
        check(1_000, 990, 400, 250, 20);
        check(1_000, 1_100, 400, 250, 20);
    }

    #[test]
    fn the_peak_stays() {
        let mut memory = Memory::new(Duration::ZERO, None);
        assert_eq!(memory.next, UNLIMITED);
        memory.see(Duration::from_secs(1), 500);
        memory.see(Duration::from_secs(2), 300);
        assert_eq!((memory.peak, memory.next), (500, Duration::from_secs(3)));
    }
}
