//! `meow commit`: records and what was learnt from them, as a commit of their own.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::{Context, seal};
use crate::error::{Error, Result};
use crate::git::{DATA_FOLDERS, FileChange, Oid, Repository};
use crate::store;

/// Folders that `meow learn` writes anew: a file that is gone there is gone from the commit too.
const DERIVED: [&str; 2] = [".meow/patterns/", ".meow/recommendations/"];

/// What was typed behind `meow commit`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  meow execute ci && meow commit    # what you have staged stays staged")]
pub struct Args {
    /// The commit's message; by default it says how many executions it holds
    #[arg(short, long, value_name = "TEXT")]
    message: Option<String>,
}

/// Commits what waits.
///
/// # Errors
/// There is no work tree, a merge or the like is in progress, or git cannot be read or written.
pub fn run(args: &Args, context: &Context) -> Result<u8> {
    let repository = context.project()?.repository.ok_or_else(|| {
        Error::request(format!("{} is in no git repository", context.settings.directory.display()))
            .hint("`git init` makes one")
    })?;
    let top = repository.work_dir().ok_or_else(|| {
        Error::request(format!("{} is a bare repository", repository.common_dir().display()))
            .hint("commit in a clone of it")
    })?;
    repository.nothing_in_progress()?;
    repository.sweep_hooks();
    let waiting = seal::seal(&repository, &context.settings)?;
    for trouble in &waiting.troubles {
        context.terminal.warn(&format!("a journal stays in the spool: {trouble}"));
    }
    let mut changes: BTreeMap<String, Option<Oid>> = changed(&repository, top)?.into_iter().collect();
    changes.extend(waiting.files);
    let changes: Vec<FileChange> = changes.into_iter().collect();
    if changes.is_empty() {
        context.terminal.say("nothing to commit: every record is in git already");
        return Ok(0);
    }
    let words = match waiting.executions {
        0 => "What meow has recorded and learnt".to_owned(),
        1 => "Records of 1 execution".to_owned(),
        executions => format!("Records of {executions} executions"),
    };
    let commit = repository.commit_paths(args.message.as_deref().unwrap_or(&words), &changes)?;
    context.terminal.result(&format!("{commit} {words}"))?;
    Ok(0)
}

/// Returns the files of meow's data folders that differ from HEAD.
pub(super) fn changed(repository: &Repository, top: &Path) -> Result<Vec<FileChange>> {
    let mut committed = BTreeMap::new();
    let head = repository.head()?;
    for folder in DATA_FOLDERS {
        if let Some(head) = head {
            committed.extend(repository.blobs_under(head, folder)?);
        }
    }
    let mut found = BTreeMap::new();
    if top.join(".meow").is_symlink() {
        return Ok(Vec::new());
    }
    for folder in DATA_FOLDERS {
        collect(repository, top, folder, &mut found)?;
    }
    // A sparse checkout may lack the folder; that takes nothing back.
    let derived: Vec<&str> = DERIVED.into_iter().filter(|folder| top.join(folder).is_dir()).collect();
    let gone = committed
        .keys()
        .filter(|path| !found.contains_key(*path) && derived.iter().any(|folder| path.starts_with(folder)));
    let gone: Vec<FileChange> = gone.map(|path| (path.clone(), None)).collect();
    let new = found.into_iter().filter(|(path, blob)| committed.get(path) != Some(blob));
    Ok(new.map(|(path, blob)| (path, Some(blob))).chain(gone).collect())
}

/// Notes the files below `folder`; links are not followed, unfinished files (their names begin with a dot) are left out.
fn collect(repository: &Repository, top: &Path, folder: &str, found: &mut BTreeMap<String, Oid>) -> Result<()> {
    let path = top.join(folder);
    if path.is_symlink() || !path.is_dir() {
        return Ok(());
    }
    store::sweep_old(&path);
    let wrong = |path: &Path| format!("{} cannot be read", path.display());
    for entry in fs::read_dir(&path).map_err(|error| Error::store(wrong(&path)).cause(error))? {
        let entry = entry.map_err(|error| Error::store(wrong(&path)).cause(error))?;
        let kind = entry.file_type().map_err(|error| Error::store(wrong(&entry.path())).cause(error))?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        let below = format!("{folder}/{name}");
        if name.starts_with('.') {
            continue;
        }
        if kind.is_dir() {
            collect(repository, top, &below, found)?;
        } else if kind.is_file() {
            let bytes = fs::read(entry.path()).map_err(|error| Error::store(wrong(&entry.path())).cause(error))?;
            found.insert(below, repository.write_blob(&bytes)?);
        }
    }
    Ok(())
}
