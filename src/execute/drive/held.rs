//! What running attempts hold of memory and processes: looked at by the first thread, and kept to what was declared where
//! no control group does that.

use std::sync::Arc;
use std::time::Duration;

use rustix::process::Signal;

use super::{Drive, Running, State};
use crate::execute::cgroup::Leaf;
use crate::execute::event::{Ending, Resource};
use crate::execute::process::Process;
use crate::execute::tree::{self, Member};
use crate::workflow::Resources;

/// When memory that is not limited is first looked at, and how often from then on: short steps cost nothing, and tell
/// of their largest process when they are reaped.
const UNLIMITED: Duration = Duration::from_secs(1);
/// How often memory that is limited is looked at.
const LIMITED: Duration = Duration::from_millis(250);
/// The same, where at its present growth it is about to reach its limit.
const SOON: Duration = Duration::from_millis(20);

/// What is known of an attempt's memory and processes.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Held {
    /// The most memory that it may hold, where it has to be looked at for that.
    limit: Option<u64>,
    /// The same of its processes and their threads.
    most: Option<u64>,
    /// The most memory that was seen, in bytes.
    pub peak: u64,
    last: (Duration, u64),
    /// When it is looked at next.
    pub next: Duration,
}

impl Held {
    /// Returns what is known at the start.
    pub(super) fn new(started: Duration, declared: &Resources) -> Self {
        let (limit, most) = (declared.memory_bytes, declared.processes);
        let held = Self { limit, most, peak: 0, last: (started, 0), next: Duration::ZERO };
        let first = if limit.is_some() || most.is_some() { SOON } else { UNLIMITED };
        Self { next: started + first, ..held }
    }

    /// Leaves to a control group what that keeps it to. That it ran out of processes still has to be seen: it is refused
    /// more of them and goes on.
    pub(super) fn by(&mut self, leaf: &Leaf) {
        self.limit = self.limit.filter(|_| leaf.memory.is_none());
    }

    /// Returns how often it is looked at while it does not grow.
    fn pace(&self) -> Duration {
        if self.limit.is_some() || self.most.is_some() { LIMITED } else { UNLIMITED }
    }

    /// Takes what is held now, and sets when to look again.
    fn see(&mut self, now: Duration, bytes: u64) {
        let (then, before) = self.last;
        self.last = (now, bytes);
        self.peak = self.peak.max(bytes);
        self.next = now
            + match self.limit {
                None => self.pace(),
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

/// An attempt to look at.
struct Look {
    slot: u32,
    process: Process,
    leaf: Option<Arc<Leaf>>,
    held: Held,
}

impl Drive<'_> {
    /// Looks at the attempts whose time for it has come, and ends those that hold more than they declared.
    pub(super) fn look_at_what_is_held(&self) {
        let now = self.clock.elapsed();
        let due: Vec<Look> = {
            let mut state = self.state();
            let due = state.running.iter_mut().filter(|(_, running)| running.held.next <= now);
            due.filter_map(|(slot, running)| {
                // One that a person does, or whose process is not there yet or any more, is looked at again later.
                running.held.next = now + running.held.pace();
                let (process, leaf) = (running.process()?, running.leaf());
                Some(Look { slot: *slot, process, leaf, held: running.held })
            })
            .collect()
        };
        for look in due {
            let members = tree::of(look.process.id());
            let (bytes, over) = look.at(&members);
            let is_over = over.is_some();
            if saw(&mut self.state(), &look, now, bytes, over) && is_over {
                // Those that left its group; it is not reaped before it has ended, so that these are its own.
                tree::signal(&members, Signal::KILL);
            }
        }
    }
}

impl Look {
    /// Returns the memory that these processes hold, and the limit that they exceed.
    fn at(&self, members: &[Member]) -> (u64, Option<Ending>) {
        let mut bytes = tree::resident_bytes(members);
        let Held { limit, most, .. } = self.held;
        if limit.is_some_and(|limit| bytes > limit) {
            // Pages that are shared were counted more than once.
            bytes = tree::proportional_bytes(members);
        }
        let over = |resource, limit, used| Some(Ending::OverLimit { resource, limit, used });
        if let Some(limit) = limit.filter(|limit| bytes > *limit) {
            return (bytes, over(Resource::Memory, limit, Some(bytes)));
        }
        let Some(most) = most else { return (bytes, None) };
        if let Some(leaf) = self.leaf.as_ref().filter(|leaf| leaf.processes.is_some()) {
            return (bytes, over(Resource::Processes, most, None).filter(|_| leaf.out_of_processes()));
        }
        let threads = tree::threads(members);
        (bytes, over(Resource::Processes, most, Some(threads)).filter(|_| threads > most))
    }
}

/// Takes what an attempt holds, and why it has to end, if it has; returns whether it was still there.
fn saw(state: &mut State, look: &Look, now: Duration, bytes: u64, over: Option<Ending>) -> bool {
    let is_same = |running: &&mut Running| running.process() == Some(look.process);
    let Some(running) = state.running.get_mut(&look.slot).filter(is_same) else {
        return false;
    };
    running.held.see(now, bytes);
    if let Some(over) = over {
        running.end(over, now);
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
        let mut memory = Held::new(Duration::ZERO, &Resources::default());
        assert_eq!(memory.next, UNLIMITED);
        memory.see(Duration::from_secs(1), 500);
        memory.see(Duration::from_secs(2), 300);
        assert_eq!((memory.peak, memory.next), (500, Duration::from_secs(3)));
    }
}
