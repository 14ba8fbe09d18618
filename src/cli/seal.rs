//! Sealing wired to git: ended executions become a segment, and what is sealed becomes part of a commit.

use std::fs;
use std::path::Path;

use super::settings::Settings;
use super::stamp;
use crate::error::{Error, Result};
use crate::git::{FileChange, Oid, Repository};
use crate::store::seal::SealInto;
use crate::store::segment;
use crate::store::spool::Spool;

/// What waits to be committed.
#[derive(Debug, Default)]
pub struct Waiting {
    /// Segments that no commit holds yet, with their paths from the top and their blobs.
    pub files: Vec<FileChange>,
    /// Executions sealed just now.
    pub executions: usize,
    /// Journals that could not be read and stay where they are.
    pub troubles: Vec<Error>,
}

/// So many segments wait to be freed before a hook does it: `meow execute` does it off the way of a commit.
const MOST_SEALED: usize = 8;

/// Frees what git holds, seals what has ended in this worktree or in one that is gone, and returns what waits.
///
/// # Errors
/// The work tree's `.meow` leads elsewhere, or spool, references or objects cannot be read or written; every journal
/// is still there then.
pub fn seal(repository: &Repository, settings: &Settings) -> Result<Waiting> {
    let spool = Spool::new(&repository.private_dir());
    if spool.list()?.is_empty() {
        return Ok(Waiting::default());
    }
    let heads = settle(repository, &spool)?;
    let waits = |place: &str| !heads.iter().any(|head| holds(repository, *head, place));
    add(repository, settings, &spool, &waits)
}

/// Seals likewise while a commit waits: what git holds is freed another time, unless there is nothing new, much has
/// gathered, or something that was sealed is not here.
///
/// # Errors
/// Those of [`seal`].
pub fn seal_for_hook(repository: &Repository, settings: &Settings) -> Result<Waiting> {
    let spool = Spool::new(&repository.private_dir());
    let sealed = spool.sealed()?;
    let here = |place: &String| repository.work_dir().is_some_and(|top| top.join(".meow").join(place).is_file());
    let marked = spool.sealed_executions(&|_| true)?;
    let has_new = spool.list()?.iter().any(|journal| !marked.contains(&journal.execution));
    if !has_new || sealed.len() >= MOST_SEALED || !sealed.iter().all(here) {
        return seal(repository, settings);
    }
    add(repository, settings, &spool, &|_| true)
}

/// Seals, and returns the segments of this work tree that `waits` names.
fn add(repository: &Repository, settings: &Settings, spool: &Spool, waits: &dyn Fn(&str) -> bool) -> Result<Waiting> {
    let top = repository.work_dir().ok_or_else(|| Error::git("a bare repository has no work tree to seal into"))?;
    let meow = top.join(".meow");
    leads_nowhere_else(&meow)?;
    let living: Vec<String> = repository.worktrees()?.iter().map(Repository::worktree).collect();
    let own = repository.worktree();
    let wanted = |worktree: &str| worktree == own || !living.iter().any(|living| living == worktree);
    let writer = spool.writer(&settings.clock)?;
    let into = SealInto { meow: &meow, writer: &writer, now: stamp::now(Some(repository), settings)? };
    let sealed = spool.seal(&into, &wanted)?;
    let mut waiting = Waiting { files: Vec::new(), executions: sealed.executions, troubles: sealed.troubles };
    for place in spool.sealed()? {
        let file = meow.join(&place);
        let new = sealed.places.contains(&place);
        if file.is_file() && (new || waits(&place)) {
            let wrong = || format!("segment {} cannot be read", file.display());
            let bytes = fs::read(&file).map_err(|error| Error::store(wrong()).cause(error))?;
            waiting.files.push((format!(".meow/{place}"), Some(repository.write_blob(&bytes)?)));
        }
    }
    Ok(waiting)
}

/// Frees what git holds, once an execution is over.
///
/// # Errors
/// Those of [`settle`].
pub(super) fn free(repository: &Repository) -> Result<()> {
    let spool = Spool::new(&repository.private_dir());
    if spool.sealed()?.is_empty() { Ok(()) } else { settle(repository, &spool).map(drop) }
}

/// Frees the journals whose segments git holds, and forgets segments that were thrown away; returns the commits that
/// keep a segment for good.
///
/// # Errors
/// References cannot be read, or a journal cannot be removed.
pub(super) fn settle(repository: &Repository, spool: &Spool) -> Result<Vec<Oid>> {
    repository.sweep_objects();
    let worktrees = repository.worktrees()?;
    let heads = repository.keepers()?;
    let reached = |place: &str| heads.iter().any(|head| keeps(repository, *head, place));
    let present = |place: &str| {
        let lies_in =
            |worktree: &Repository| worktree.work_dir().is_some_and(|top| top.join(".meow").join(place).is_file());
        worktrees.iter().any(lies_in)
    };
    spool.settle(&reached, &present)?;
    Ok(heads)
}

/// Returns whether a commit holds a segment that is whole and on the disk, so that its journals may go: git's own commits
/// are left to the system to write.
fn keeps(repository: &Repository, commit: Oid, place: &str) -> bool {
    let found = repository.lasting_file(commit, &format!(".meow/{place}"), segment::MAX_BYTES);
    found.is_ok_and(|bytes| bytes.is_some_and(|bytes| segment::is_named(place, &bytes)))
}

/// Returns whether a commit holds a segment; one that cannot be read holds nothing.
pub(super) fn holds(repository: &Repository, commit: Oid, place: &str) -> bool {
    repository.has_file(commit, &format!(".meow/{place}")).unwrap_or(false)
}

/// Checks that a repository does not lead its records out of itself by a link.
pub(super) fn leads_nowhere_else(meow: &Path) -> Result<()> {
    for folder in [meow.to_path_buf(), meow.join("records")] {
        if folder.is_symlink() {
            return Err(Error::store(format!("{} is a link; records are not written through it", folder.display())));
        }
    }
    Ok(())
}
