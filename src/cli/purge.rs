//! `meow purge`: one execution goes from the branch, from this writer's ref and from this clone, and stays away.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use super::history::history;
use super::{Context, push, seal, stamp};
use crate::error::{Error, Result};
use crate::git::writers::reference_of;
use crate::git::{DATA_FOLDERS, FileChange, Oid, Repository};
use crate::record::{ExecutionId, RecordId};
use crate::report::{self, format::count};
use crate::store;
use crate::store::removal::{ACTIONS, Left, Removal, Removals};
use crate::store::segment;
use crate::store::spool::Spool;

/// Take one execution out of what is recorded, for good
///
/// Its segments are replaced by ones without it, in one commit, and a tombstone of its record ids keeps it from being
/// read or folded wherever it still lies. Commits that were made before hold its bytes until history is rewritten.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  meow log -n 5 && meow purge 3fa9")]
pub struct Args {
    /// The start of the execution's id
    #[arg(value_name = "EXECUTION")]
    execution: String,
}

/// Purges an execution.
///
/// # Errors
/// There is no such execution, it still runs, there is no work tree, a merge or the like is in progress, or git or the
/// store cannot be written.
pub fn run(args: &Args, context: &Context) -> Result<u8> {
    let repository = push::repository(context)?;
    let top = repository.work_dir().ok_or_else(|| {
        Error::request(format!("{} is a bare repository", repository.common_dir().display()))
            .hint("purge in a clone of it")
    })?;
    repository.nothing_in_progress()?;
    let meow = top.join(".meow");
    seal::leads_nowhere_else(&meow)?;
    let (execution, records) = records(&args.execution, context)?;
    let spool = Spool::new(&repository.private_dir());
    seal::settle(&repository, &spool)?;
    spool.forget(execution)?;

    let tombstones = Removal::purge(stamp::now(Some(&repository), &context.settings)?, &records);
    let removals: Removals = tombstones.iter().collect();
    let (mut changes, mut written) = (Vec::<FileChange>::new(), Vec::new());
    for tombstone in &tombstones {
        let id = tombstone.id()?;
        let file = store::put(&meow, ACTIONS, &id, tombstone)?;
        let bytes = read(&file)?;
        written.push(file);
        changes.push((format!("{}/{id}.toml", DATA_FOLDERS[3]), Some(repository.write_blob(&bytes)?)));
    }
    let replaced = match repository.head()? {
        Some(head) => replaced(&repository, head, &removals)?,
        None => BTreeMap::new(),
    };
    for (path, left) in &replaced {
        changes.push((path.clone(), None));
        if let Some((place, bytes)) = left {
            store::write(&meow, place, bytes)?;
            written.push(meow.join(place));
            changes.push((format!(".meow/{place}"), Some(repository.write_blob(bytes)?)));
        }
    }
    // A tombstone that stays behind hides the execution from whoever tries again.
    let take_back = |_: &Error| written.iter().for_each(|file| drop(fs::remove_file(file)));
    let commit = repository.commit_paths("One execution purged", &changes).inspect_err(take_back)?;
    for path in replaced.keys() {
        // A file that is not checked out is gone already.
        let _ = fs::remove_file(top.join(path));
    }
    for worktree in repository.worktrees()? {
        if let Some(meow) = worktree.work_dir().map(|top| top.join(".meow")) {
            seal::leads_nowhere_else(&meow).and_then(|()| uncommitted(&worktree, &meow, &spool, &removals))?;
        }
    }
    repository.forget_remotes()?;
    own_ref(&repository, &spool, &removals, context)?;
    store::cache::forget(&repository.private_dir())?;
    // Pages about many repositories.
    context.settings.state.as_deref().map_or(Ok(()), store::cache::forget)?;
    let _ = fs::remove_dir_all(repository.private_dir().join("logs").join(execution.to_string()));
    let (records, segments) = (count(records.len() as u64, "record"), count(replaced.len() as u64, "segment"));
    context.terminal.result(&format!("{commit} {execution} purged: {records}, {segments} replaced"))?;
    say_what_stays(&repository, &removals, context)
}

/// Returns the execution that is meant, and the ids of its records.
fn records(prefix: &str, context: &Context) -> Result<(ExecutionId, BTreeSet<RecordId>)> {
    let history = history(&[], context)?;
    let place = report::find(&history, prefix)?;
    let id = history.executions.id[place];
    let attempts = &history.attempts;
    let own = (0..attempts.len()).filter(|row| attempts.execution[*row] as usize == place);
    let record = |row: usize| RecordId::of(id, history.names.text(attempts.step[row]), attempts.attempt[row]);
    Ok((id, own.map(record).collect()))
}

type Replaced = BTreeMap<String, Option<(String, Vec<u8>)>>;

/// Returns the segments of a commit that hold what is removed, by path, with what is left of each.
fn replaced(repository: &Repository, commit: Oid, removals: &Removals) -> Result<Replaced> {
    let mut replaced = BTreeMap::new();
    for (path, blob) in repository.blobs_under(commit, DATA_FOLDERS[0])? {
        let Some(bytes) = repository.blob_within(blob, segment::MAX_BYTES)? else { continue };
        // A damaged segment is read by nobody, and nor is one that is too large.
        match removals.leave(push::place(&path), &bytes) {
            Ok(Left::Part(place, bytes)) => drop(replaced.insert(path, Some((place, bytes)))),
            Ok(Left::Nothing) => drop(replaced.insert(path, None)),
            Ok(Left::Whole | Left::Newer) | Err(_) => {}
        }
    }
    Ok(replaced)
}

/// Returns why a segment stays as it is, as a sentence.
pub(super) fn newer(path: &str) -> String {
    let path = path.escape_debug();
    format!("segment {path} has columns that only a newer meow knows, and is not written anew by this one; update meow")
}

/// Says which segments of a commit hold what was purged and stay as they are.
fn say_what_is_newer(repository: &Repository, commit: Oid, removals: &Removals, context: &Context) -> Result<()> {
    for (path, blob) in repository.blobs_under(commit, DATA_FOLDERS[0])? {
        let Some(bytes) = repository.blob_within(blob, segment::MAX_BYTES)? else { continue };
        if let Ok(Left::Newer) = removals.leave(push::place(&path), &bytes) {
            context.terminal.warn(&format!("no longer read, but stays: {}", newer(&path)));
        }
    }
    Ok(())
}

/// Takes the records out of segments that lie in a work tree and not in the commit that is checked out there.
fn uncommitted(repository: &Repository, meow: &Path, spool: &Spool, removals: &Removals) -> Result<()> {
    let marked = spool.sealed()?;
    let head = repository.head()?;
    for segment in store::segments(meow)? {
        if head.is_some_and(|head| seal::holds(repository, head, &segment.place)) {
            continue;
        }
        let left = removals.leave(&segment.place, &read(&segment.path)?).unwrap_or(Left::Whole);
        if matches!(left, Left::Whole | Left::Newer) {
            continue;
        }
        let path = format!(".meow/{}", segment.place);
        let mut files: Vec<FileChange> = Vec::new();
        if repository.blob_in_index(&path, None)?.is_some() {
            files.push((path, None));
        }
        if let Left::Part(place, bytes) = left
            // What still has its journals is sealed anew from them.
            && !marked.contains(&segment.place)
        {
            store::write(meow, &place, &bytes)?;
        }
        fs::remove_file(&segment.path)
            .map_err(|error| Error::store(format!("{} cannot be removed", segment.path.display())).cause(error))?;
        repository.put_in_index(&files, None)?;
    }
    Ok(())
}

/// Starts this writer's ref anew without the records; nothing that it held before is its history any more.
fn own_ref(repository: &Repository, spool: &Spool, removals: &Removals, context: &Context) -> Result<()> {
    let name = reference_of(&spool.writer(&context.settings.clock)?)?;
    let Some(held) = repository.reference(&name)? else { return Ok(()) };
    let replaced = replaced(repository, held, removals)?;
    let mut files = Vec::<FileChange>::new();
    for (path, blob) in repository.blobs_under(held, DATA_FOLDERS[0])? {
        match replaced.get(&path) {
            None => files.push((path, Some(blob))),
            Some(Some((place, bytes))) => files.push((format!(".meow/{place}"), Some(repository.write_blob(bytes)?))),
            Some(None) => {}
        }
    }
    // Also where its tip is clean: its history may not be.
    if files.is_empty() {
        return repository.delete_reference(&name, held);
    }
    let seconds = stamp::now(Some(repository), &context.settings)?.as_second();
    repository.commit_to(&name, (Some(held), None), "Records\n", &files, seconds).map(drop)
}

/// Says in plain words where the bytes still are.
fn say_what_stays(repository: &Repository, removals: &Removals, context: &Context) -> Result<u8> {
    let mut holders = Vec::new();
    if let Some(head) = repository.head()? {
        say_what_is_newer(repository, head, removals, context)?;
    }
    for tip in repository.tips()? {
        match replaced(repository, tip.commit, removals) {
            Ok(replaced) if replaced.is_empty() => {}
            Ok(_) => holders.push(tip.name),
            Err(error) => context.terminal.warn(&format!("{} may still hold it: {error}", tip.name)),
        }
    }
    if !holders.is_empty() {
        let shown: Vec<&str> = holders.iter().take(5).map(String::as_str).collect();
        let more = if holders.len() > 5 { format!(" and {} more", holders.len() - 5) } else { String::new() };
        context.terminal.warn(&format!("{}{more} still hold it; meow does not read it there", shown.join(", ")));
    }
    context.terminal.say(
        "Commits made before this one, and every clone and fork that has them, still hold its bytes. The tombstone keeps \
         meow from reading them; only rewriting history (git filter-repo) and pushing that by force takes them away. \
         `meow push` replaces this writer's ref on the remote; `meow learn` writes anew what was learnt from it.",
    );
    Ok(0)
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).map_err(|error| Error::store(format!("{} cannot be read", path.display())).cause(error))
}
