//! What stands around a step's command: its declared limits, and the sandbox where one is wanted.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::OpenOptions;
use std::path::Path;

use super::Drive;
use crate::execute::cgroup::Leaf;
use crate::execute::event::{Ending, Resource, Usage};
use crate::execute::{cgroup, limits, sandbox};
use crate::workflow::{Resources, Sandbox, Step};

/// The metric that says whether an attempt that wanted a sandbox had one: 1 or 0.
const SANDBOXED: &str = "meow.sandboxed";
/// The metric that says whether an attempt that declares memory, processes or processors ran in a control group: 1 or 0.
const GROUPED: &str = "meow.cgroup";

impl Drive<'_> {
    /// Returns the words in front of a step's command; `metrics` is where the step writes its numbers.
    ///
    /// # Errors
    /// Why the step must not be started.
    pub(super) fn front(&self, step: &Step, metrics: &Path) -> Result<Vec<OsString>, String> {
        let mut front = Vec::new();
        match (&self.options.sandbox, sandbox::mode(step, self.options.sandbox_floor)) {
            (_, Sandbox::Off) | (None, Sandbox::Auto) => {}
            (None, Sandbox::Required) => return Err("it requires a sandbox, and there is none".to_owned()),
            (Some(sandbox), _) => {
                // What is not there cannot be mounted.
                let file = OpenOptions::new().create(true).append(true).open(metrics);
                front = sandbox.prefix(&step.confinement, file.is_ok().then_some(metrics))?;
            }
        }
        front.extend(limits::prefix(&step.resources).into_iter().map(OsString::from));
        Ok(front)
    }

    /// Returns whether a step runs in a sandbox; `None` where none is wanted.
    pub(super) fn sandboxed(&self, step: &Step) -> Option<bool> {
        let wanted = sandbox::mode(step, self.options.sandbox_floor) != Sandbox::Off;
        wanted.then_some(self.options.sandbox.is_some())
    }

    /// Adds what meow itself says of an attempt to its metrics.
    pub(super) fn own_metrics(&self, step: &Step, ending: &Ending, grouped: bool, metrics: &mut BTreeMap<String, f64>) {
        if let Some(sandboxed) = self.sandboxed(step) {
            metrics.insert(SANDBOXED.to_owned(), f64::from(u8::from(sandboxed)));
        }
        if cgroup::controllers(&step.resources).next().is_some() {
            metrics.insert(GROUPED.to_owned(), f64::from(u8::from(grouped)));
        }
        if let Ending::OverLimit { resource, limit, .. } = ending {
            metrics.insert(resource.metric().to_owned(), decimal(*limit));
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "bytes and milliseconds stay far below 2^53")]
fn decimal(number: u64) -> f64 {
    number as f64
}

/// Returns an ending with the name of the declared limit that brought it about. A signal that ended a program behind a
/// shell or in a sandbox shows as exit code 128 and its number. A control group tells of its own limits; then `usage` takes
/// what it tells of memory.
pub(super) fn explained(ending: Ending, resources: &Resources, leaf: Option<&Leaf>, usage: &mut Usage) -> Ending {
    if let (Some(leaf), Ending::Signaled { .. } | Ending::Exited { code: 1.. }) = (leaf, &ending) {
        if let Some(limit) = leaf.memory.filter(|_| leaf.out_of_memory()) {
            // What could be given back was by then, so that this is what it needed.
            let used = leaf.peak();
            usage.peak_memory_bytes = usage.peak_memory_bytes.max(used);
            return Ending::OverLimit { resource: Resource::Memory, limit, used };
        }
        if let Some(limit) = leaf.processes.filter(|_| leaf.out_of_processes()) {
            return Ending::OverLimit { resource: Resource::Processes, limit, used: None };
        }
    }
    let signal = match ending {
        Ending::Signaled { signal } => signal,
        Ending::Exited { code } => code - 128,
        _ => return ending,
    };
    let milliseconds = |time: std::time::Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let hit = match signal {
        libc::SIGXCPU => resources.cpu_time.map(|time| (Resource::CpuTime, milliseconds(time))),
        libc::SIGXFSZ => resources.file_bytes.map(|bytes| (Resource::FileSize, bytes)),
        _ => None,
    };
    hit.map_or(ending, |(resource, limit)| Ending::OverLimit { resource, limit, used: None })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_signal_tells_of_the_limit_that_was_declared() {
        let resources = Resources { cpu_time: Some(Duration::from_secs(1)), ..Resources::default() };
        let over = Ending::OverLimit { resource: Resource::CpuTime, limit: 1_000, used: None };
        for (ending, expected) in [
            (Ending::Signaled { signal: libc::SIGXCPU }, over.clone()),
            (Ending::Exited { code: 128 + libc::SIGXCPU }, over),
            (Ending::Signaled { signal: libc::SIGXFSZ }, Ending::Signaled { signal: libc::SIGXFSZ }),
            (Ending::Signaled { signal: libc::SIGKILL }, Ending::Signaled { signal: libc::SIGKILL }),
            (Ending::Exited { code: 1 }, Ending::Exited { code: 1 }),
            (Ending::Cancelled, Ending::Cancelled),
        ] {
            assert_eq!(explained(ending, &resources, None, &mut Usage::default()), expected);
        }
    }
}
