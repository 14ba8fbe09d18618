//! A look at the sources that goes on while the execution is planned.

use std::path::PathBuf;
use std::thread::JoinHandle;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Kind, Result};
use crate::git::{Oid, Patches, Repository, State};
use crate::record::Digest;
use crate::store::cache;

/// The look of a thread of its own; no step may start before it is over.
pub(super) struct Looking(Option<JoinHandle<Result<State>>>);

impl Looking {
    /// Begins to look at a repository's sources.
    pub(super) fn at(repository: &Repository) -> Self {
        let repository = repository.clone();
        let thread = std::thread::Builder::new().name("sources".to_owned());
        Self(thread.spawn(move || look(&repository)).ok())
    }

    /// Waits for what was seen.
    pub(super) fn seen(self, repository: &Repository) -> Result<State> {
        match self.0.map(JoinHandle::join) {
            Some(Ok(seen)) => seen,
            Some(Err(_)) => Err(Error::new(Kind::Bug, "the thread that looked at the sources panicked")),
            // There was no thread to be had.
            None => repository.state(),
        }
    }
}

/// Looks at the sources with the patch-ids that an earlier execution on the same commit has found.
fn look(repository: &Repository) -> Result<State> {
    let file = place(repository);
    let known = cache::get::<Kept>(&file).and_then(Kept::patches);
    let (state, patches) = repository.state_knowing(known)?;
    // Where something is absent they may be found later.
    let is_whole = |patches: &Patches| patches.patch.is_some() && repository.limits().is_empty();
    if let Some(patches) = patches.filter(|patches| known.as_ref() != Some(patches)).filter(is_whole) {
        // What is not kept is found again.
        let _ = cache::put(&file, &Kept::of(&patches));
    }
    Ok(state)
}

/// The patch-ids of the last commit that something was executed on in a worktree.
#[derive(Serialize, Deserialize)]
struct Kept {
    /// The version of meow that found them.
    by: String,
    commit: String,
    default_tip: Option<String>,
    patch: Option<Digest>,
    range_patch: Option<Digest>,
}

impl Kept {
    fn of(patches: &Patches) -> Self {
        Self {
            by: env!("CARGO_PKG_VERSION").to_owned(),
            commit: patches.commit.to_string(),
            default_tip: patches.default_tip.map(|tip| tip.to_string()),
            patch: patches.patch.map(Digest::from_bytes),
            range_patch: patches.range_patch.map(Digest::from_bytes),
        }
    }

    fn patches(self) -> Option<Patches> {
        let default_tip = match self.default_tip {
            Some(tip) => Some(Oid::from_hex(&tip)?),
            None => None,
        };
        Some(Patches {
            commit: Oid::from_hex(&self.commit).filter(|_| self.by == env!("CARGO_PKG_VERSION"))?,
            default_tip,
            patch: self.patch.map(|patch| *patch.bytes()),
            range_patch: self.range_patch.map(|patch| *patch.bytes()),
        })
    }
}

fn place(repository: &Repository) -> PathBuf {
    let name = Digest::of(repository.worktree().as_bytes());
    repository.private_dir().join(cache::FOLDER).join("patches").join(format!("{name}.json"))
}
