//! What a project's history teaches, of which the last answer is kept in the git directory: only what is new is learnt.

use super::Context;
use super::decisions;
use super::project::Project;
use super::recommendations::DURATION;
use crate::learn::{self, Knowledge, Learnt, State};
use crate::scan::History;
use crate::store;

/// Attempts below which learning from nothing is as quick as reading what was kept.
const FEW: usize = 2_000;

/// Such a share of the executions has to be new before everything is written anew: learning a few again is quicker.
const SHARE: usize = 32;

/// Returns what a project's own history teaches: the same whether an earlier answer was kept, went or was damaged.
///
/// `normed` tells that durations which were accepted to be things of the past are left out of it.
pub fn knowledge(history: &History, normed: bool, project: &Project, context: &Context) -> Knowledge {
    let repository = project.repository.as_ref().filter(|_| history.attempts.len() >= FEW);
    let Some(repository) = repository else { return learn::learn(State::default(), history).1 };
    // The two histories are alike until something is accepted.
    let differs = normed && !decisions::decisions(project, context).accepted(DURATION).is_empty();
    let name = if differs { "learnt-normed" } else { "learnt" };
    let file = repository.private_dir().join(store::cache::FOLDER).join(name);
    let label = format!("learnt {} of meow {}", learn::FORMAT, env!("CARGO_PKG_VERSION"));
    let (learnt, new) = Learnt::after(store::cache::packed(&file, &label), history);
    if new > learnt.executions() / SHARE
        && let Err(error) = store::cache::put_packed(&file, &label, &learnt)
    {
        context.terminal.detail(&format!("what was learnt is not kept for the next command: {error}"));
    }
    learnt.knowledge()
}
