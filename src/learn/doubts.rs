//! Steps that failed on the sources as they are and pass on others: a rerun would tell flaky from broken.

use std::collections::BTreeMap;

use super::flaky::{MOST_RERUNS, is_rerun_worth_it, reruns_to_settle, teaches};
use super::window::KEPT;
use crate::record::{Digest, Outcome};
use crate::scan::{History, Name};

/// What steps run on now.
#[derive(Debug, Clone)]
pub struct Inputs<'a> {
    /// The workflow.
    pub workflow: &'a str,
    /// The tree that committing the work tree would give.
    pub tree: Digest,
    /// The machine class.
    pub machine: &'a str,
    /// By step the hash of its command, and what else it is given (see [`given`](crate::record::columns::given)).
    pub commands: BTreeMap<&'a str, (Digest, Option<Digest>)>,
}

/// A step in doubt, and what is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doubt {
    /// The step.
    pub step: String,
    /// Failures of the latest 200 attempts, failed reruns on these inputs left out.
    pub failed: u64,
    /// The attempts among which they are.
    pub tried: u64,
    /// Failed reruns on these inputs so far.
    pub repeated: u32,
    /// Whether one passed.
    pub passed: bool,
}

impl Doubt {
    /// Returns whether one more rerun is worth its time.
    pub fn is_open(&self) -> bool {
        !self.passed && is_rerun_worth_it(self.failed, self.tried, self.repeated)
    }

    /// Returns how much the next rerun is likely to teach: the probability that it passes, which would settle it.
    pub fn teaches(&self) -> f64 {
        teaches(self.failed, self.tried, self.repeated)
    }

    /// Returns how many more failed reruns would settle that it is broken.
    pub fn left(&self) -> u32 {
        reruns_to_settle(self.failed, self.tried, self.repeated)
    }
}

/// Returns the steps in doubt on these inputs: they failed on them, never passed on them, and passed on others.
pub fn doubts(history: &History, on: &Inputs<'_>) -> Vec<Doubt> {
    let (executions, attempts) = (&history.executions, &history.attempts);
    let Some(workflow) = history.names.find(on.workflow) else { return Vec::new() };
    let mut rows: BTreeMap<Name, Vec<usize>> = BTreeMap::new();
    for row in 0..attempts.len() {
        let known = executions.workflow[attempts.execution[row] as usize] == workflow;
        if known && attempts.outcome[row] != Outcome::Cancelled {
            rows.entry(attempts.step[row]).or_default().push(row);
        }
    }
    let machine = history.names.find(on.machine);
    let doubt = |(step, rows): (Name, Vec<usize>)| {
        let step = history.names.text(step);
        let (command, given) = on.commands.get(step)?;
        let same = |row: usize| {
            let place = attempts.execution[row] as usize;
            executions.tree[place] == Some(on.tree)
                && executions.machine[place] == machine
                && attempts.command[row] == Some(*command)
                && attempts.given[row] == *given
        };
        let latest = &rows[rows.len().saturating_sub(KEPT)..];
        let failed = |row: &usize| attempts.outcome[*row] == Outcome::Failed;
        let here: Vec<usize> = latest.iter().copied().filter(|row| same(*row)).collect();
        if here.is_empty() || !here.iter().all(failed) {
            return None;
        }
        let repeated = here.len() as u64 - 1;
        let failed = latest.iter().filter(|row| failed(row)).count() as u64 - repeated;
        let tried = latest.len() as u64 - repeated;
        let repeated = u32::try_from(repeated).unwrap_or(MOST_RERUNS).min(MOST_RERUNS);
        let doubt = Doubt { step: step.to_owned(), failed, tried, repeated, passed: false };
        (failed < tried && doubt.is_open()).then_some(doubt)
    };
    rows.into_iter().filter_map(doubt).collect()
}
