//! `meow fold`: what writers pushed becomes part of the branch, and refs that have landed can go.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::push::{self, landed, paths};
use super::{Context, purge, seal};
use crate::error::{Error, Result};
use crate::git::refs::{BRANCH, THEIRS, WRITERS};
use crate::git::{DATA_FOLDERS, FileChange, Lease, Oid, Pushed, Repository};
use crate::report::format::count;
use crate::scan;
use crate::store::removal::Left;
use crate::store::{self, segment};

/// Bring what other clones pushed into this branch, as one commit
///
/// Every segment keeps its name and its bytes, so two clones that fold the same refs make the same files. `meow fetch`
/// gets the refs. With --delete, refs whose records the remote branch holds already are deleted, here and there; so push
/// the commit first, and delete with the next fold.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  meow fetch && meow fold && git push && meow fold --delete")]
pub struct Args {
    /// The remote, by name or address [default: origin, or the only one]
    #[arg(value_name = "REMOTE")]
    remote: Option<String>,
    /// Delete the refs that have landed on the remote branch
    #[arg(long)]
    delete: bool,
}

/// Folds, and deletes what has landed.
///
/// # Errors
/// There is no work tree, a merge or the like is in progress, git cannot be read or written, or the remote cannot be
/// reached.
pub fn run(args: &Args, context: &Context) -> Result<u8> {
    let repository = push::repository(context)?;
    let top = repository.work_dir().ok_or_else(|| {
        Error::request(format!("{} is a bare repository", repository.common_dir().display()))
            .hint("fold in a clone of it")
    })?;
    repository.nothing_in_progress()?;
    repository.sweep_remotes();
    let meow = top.join(".meow");
    seal::leads_nowhere_else(&meow)?;
    let files = gather(&repository, context)?;
    if files.is_empty() {
        context.terminal.say("nothing to fold: this branch holds every segment");
    } else {
        let words = format!("Records of {} folded", count(files.len() as u64, "segment"));
        let commit = commit(&repository, &meow, &files, &words)?;
        context.terminal.result(&format!("{commit} {words}"))?;
    }
    if args.delete {
        let remote = args.remote.clone().map_or_else(|| repository.default_remote(), Ok)?;
        delete(&repository, &remote, context)?;
    }
    Ok(0)
}

/// Returns the segments of all writers that HEAD lacks, by path.
fn gather(repository: &Repository, context: &Context) -> Result<BTreeMap<String, Vec<u8>>> {
    let tip = repository.head()?;
    let held = tip.map_or_else(|| Ok(BTreeSet::default()), |tip| paths(repository, tip))?;
    let removals = scan::removals(repository, tip);
    let mut files = BTreeMap::new();
    for tip in repository.writers()? {
        let found = repository.blobs_under(tip.commit, DATA_FOLDERS[0]).unwrap_or_else(|error| {
            context.terminal.warn(&format!("{} is left: {error}", tip.name));
            Vec::new()
        });
        for (path, blob) in found {
            if held.contains(&path) || files.contains_key(&path) {
                continue;
            }
            let place = push::place(&path).to_owned();
            let too_large = || Error::store(format!("{path} is too large"));
            let bytes = repository.blob_within(blob, segment::MAX_BYTES).and_then(|bytes| bytes.ok_or_else(too_large));
            match bytes.and_then(|bytes| Ok((removals.leave(&place, &bytes)?, bytes))) {
                Ok((Left::Whole, bytes)) => drop(files.insert(path, bytes)),
                Ok((Left::Part(place, bytes), _)) => drop(files.insert(format!(".meow/{place}"), bytes)),
                Ok((Left::Nothing, _)) => {}
                Ok((Left::Newer, _)) => {
                    context.terminal.warn(&format!("left in {}: {}", tip.name, purge::newer(&path)));
                }
                Err(error) => context.terminal.warn(&format!("left in {}: {error}", tip.name)),
            }
        }
    }
    files.retain(|path, _| !held.contains(path));
    Ok(files)
}

/// Writes segments into the work tree and commits them, and nothing else.
fn commit(repository: &Repository, meow: &Path, files: &BTreeMap<String, Vec<u8>>, words: &str) -> Result<Oid> {
    let mut changes: Vec<FileChange> = Vec::new();
    for (path, bytes) in files {
        store::write(meow, push::place(path), bytes)?;
        changes.push((path.clone(), Some(repository.write_blob(bytes)?)));
    }
    repository.commit_paths(words, &changes)
}

/// Deletes the refs whose records a commit of the remote branch holds, on the remote and here.
fn delete(repository: &Repository, remote: &str, context: &Context) -> Result<()> {
    let may_ask = context.settings.watched;
    let branch = repository.default_branch()?.ok_or_else(|| Error::git("there is no default branch"))?;
    let refspecs = [format!("+refs/heads/{branch}:{BRANCH}"), format!("+{WRITERS}*:{THEIRS}*")];
    repository.fetch(remote, &refspecs, true, may_ask)?;
    let tip = repository.reference(BRANCH)?.ok_or_else(|| Error::git(format!("{remote} has no {branch}")))?;
    let (mut gone, mut kept) = (0, 0);
    let mut names: Vec<String> = repository.writers()?.into_iter().map(|tip| tip.name).collect();
    names.sort();
    for name in names {
        let Some(here) = repository.reference(&name)? else { continue };
        let theirs = repository.reference(&name.replacen(WRITERS, THEIRS, 1))?;
        // What cannot be looked through has not landed.
        let mut ready = landed(repository, here, tip).unwrap_or(false);
        if let Some(theirs) = theirs {
            ready = ready && landed(repository, theirs, tip).unwrap_or(false);
            // The lease: a writer that pushed more in the meantime keeps its ref.
            ready = ready && repository.push(remote, None, &name, Lease::Exactly(theirs), may_ask)? == Pushed::Done;
        }
        if ready {
            repository.delete_reference(&name, here)?;
            gone += 1;
        } else {
            kept += 1;
        }
    }
    context.terminal.result(&format!("{} deleted: {remote}/{branch} holds what it held", count(gone, "ref")))?;
    if kept > 0 {
        let kept = count(kept, "ref");
        context
            .terminal
            .say(&format!("{kept} kept: push the folded commit to {branch}, then fold with --delete again"));
    }
    Ok(())
}
