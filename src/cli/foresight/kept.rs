//! What an earlier execution foresaw, kept so that foresight never costs more than it is worth: a workflow of half a
//! second does not wait for a long history to be lived through again.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::cli::Context;
use crate::cli::machine::Machine;
use crate::cli::project::Project;
use crate::git::Repository;
use crate::plan::Hints;
use crate::record::Digest;
use crate::scan;
use crate::store;
use crate::workflow::Workflow;

/// The share of the time that the steps are likely to take that learning anew may take.
const SHARE: f64 = 0.02;
/// A history that has grown by this factor is learnt from anew, whatever it takes.
const GROWTH: f64 = 2.0;
/// Behind fewer samples there is little to live through.
const FEW: u64 = 500;

/// What is kept of one workflow.
#[derive(Serialize, Deserialize)]
struct Kept {
    /// What the hints depend on apart from the history.
    key: Digest,
    /// Segments and journals that were known.
    sources: usize,
    /// What learning took, in milliseconds.
    took_ms: f64,
    /// What was learnt.
    hints: Hints,
}

/// Returns what [`super::hints`] says of the workflow's steps, or said of them not long ago, where asking again would
/// take more than a fiftieth of what the steps are likely to take and the history has not doubled.
pub fn hints(project: &Project, workflow: &Workflow, machine: &Machine, context: &Context) -> Hints {
    let class = machine.class();
    let fresh = || super::hints(project, workflow, &class, context);
    let known = project.repository.as_ref().and_then(|repository| {
        let key = key(project, repository, workflow, &class)?;
        Some((place(repository, workflow), key, scan::sources(repository).ok()?))
    });
    let Some((file, key, sources)) = known else { return fresh() };
    let kept = store::cache::get::<Kept>(&file).filter(|kept| kept.key == key && kept.will_do(sources, machine.cores));
    if let Some(kept) = kept {
        return kept.hints;
    }
    let before = context.settings.clock.elapsed();
    let hints = fresh();
    let took_ms = context.settings.clock.elapsed().saturating_sub(before).as_secs_f64() * 1e3;
    let kept = Kept { key, sources, took_ms, hints };
    if kept.samples() >= FEW
        && let Err(error) = store::cache::put(&file, &kept)
    {
        context.terminal.detail(&format!("what was learnt is not kept for the next execution: {error}"));
    }
    kept.hints
}

impl Kept {
    /// Whether it still speaks for a history of so many segments and journals.
    fn will_do(&self, sources: usize, cores: u32) -> bool {
        let known = self.hints.steps.values().filter_map(|hint| hint.duration_ms);
        let work_ms: f64 = known.map(|duration| duration.p50).sum();
        let is_dear = self.took_ms > SHARE * work_ms / f64::from(cores.max(1));
        // Fewer than there were: some were purged, and nothing may speak of them any more.
        let has_grown = sources < self.sources || whole(sources) >= GROWTH * whole(self.sources);
        self.samples() >= FEW && is_dear && !has_grown
    }

    fn samples(&self) -> u64 {
        self.hints.steps.values().filter_map(|hint| hint.duration_ms).map(|duration| duration.n).sum()
    }
}

fn place(repository: &Repository, workflow: &Workflow) -> PathBuf {
    let name = Digest::of(workflow.name.as_bytes());
    repository.private_dir().join(store::cache::FOLDER).join("hints").join(format!("{name}.json"))
}

/// Returns a hash of what the hints depend on apart from the history: steps and their inputs, machine, branch, decisions,
/// meow.
fn key(project: &Project, repository: &Repository, workflow: &Workflow, machine: &str) -> Option<Digest> {
    let branch = repository.branch().ok()?;
    let decisions = store::list(&project.meow(), "actions").ok()?;
    let meow = (env!("CARGO_PKG_VERSION"), crate::learn::FORMAT);
    Some(Digest::of_shown(format_args!("{meow:?} {machine} {branch:?} {decisions:?} {:?}", workflow.steps)))
}

#[expect(clippy::cast_precision_loss, reason = "counts of files stay far below 2^53")]
fn whole(count: usize) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Interval, StepHint};
    use crate::workflow::StepId;

    #[test]
    fn learning_anew_waits_until_it_is_cheap_or_there_is_much_to_learn() {
        let check = |took_ms: f64, p50: f64, n: u64, sources: usize, expected: bool| {
            let duration_ms = Some(Interval { p10: p50, p50, p90: p50, n });
            let mut hints = Hints::default();
            hints.steps.insert(StepId("a".to_owned()), StepHint { duration_ms, ..StepHint::default() });
            let kept = Kept { key: Digest::of(b""), sources: 8, took_ms, hints };
            assert_eq!(kept.will_do(sources, 2), expected, "{took_ms} {p50} {n} {sources}");
        };
        check(50.0, 1_000.0, 900, 8, true);
        check(50.0, 1_000.0, 900, 15, true);
        check(50.0, 1_000.0, 900, 16, false);
        check(50.0, 1_000.0, 900, 7, false);
        check(50.0, 6_000.0, 900, 8, false);
        check(9.0, 1_000.0, 900, 8, false);
        check(50.0, 1_000.0, 400, 8, false);
    }
}
