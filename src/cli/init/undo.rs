//! `meow init --undo`: takes away what meow put into a project; history, and what a person wrote, stay.

use std::fs;
use std::path::{Path, PathBuf};

use super::{agents, write};
use crate::cli::Context;
use crate::cli::project::Project;
use crate::cli::{hooks, trust};
use crate::error::{Error, Result};
use crate::git::DATA_FOLDERS;
use crate::store;

/// Removes every trace outside history and says each.
pub fn undo(project: &Project, force: bool, context: &Context) -> Result<u8> {
    let meow = project.meow();
    let (going, staying) = plan(&meow, force)?;
    if let Some(repository) = &project.repository {
        // First, so that a hook that cannot be taken out stops everything before anything is gone.
        for path in hooks::uninstall(repository)? {
            context.terminal.result(&format!("took out {path}"))?;
        }
    }
    trust::forget(project, &context.settings)?;
    // Pages about many places, this one perhaps among them.
    context.settings.state.as_deref().map_or(Ok(()), store::cache::forget)?;
    let section = agents::take_out(project)?;
    if section {
        context.terminal.result("took meow's section out of AGENTS.md")?;
    }
    let private = project.repository.as_ref().map(crate::git::Repository::private_dir);
    let private = private.filter(|folder| folder.symlink_metadata().is_ok());
    let unsealed =
        private.as_ref().is_some_and(|folder| entries(&folder.join("spool")).is_ok_and(|spool| !spool.is_empty()));
    let nothing = going.is_empty() && private.is_none() && !section;
    for path in going.iter().chain(&private) {
        remove(path)?;
        context.terminal.result(&format!("removed {}", shown(project, path)))?;
    }
    if unsealed {
        context.terminal.say("executions that were in no commit yet are gone with it");
    }
    for folder in [meow.join("workflows"), meow.join(super::SCHEMAS), meow.clone()] {
        // Only an empty folder goes; one that is not there is gone already.
        let _ = fs::remove_dir(folder);
    }
    for path in &staying {
        context.terminal.warn(&format!("{} stays: you wrote or edited it (--force removes it)", shown(project, path)));
    }
    if nothing {
        context.terminal.say("nothing of meow's was left to remove");
    }
    Ok(0)
}

/// Returns what of the folder is removed and what stays: files that are not as meow wrote them.
fn plan(meow: &Path, force: bool) -> Result<(Vec<PathBuf>, Vec<PathBuf>)> {
    let (mut going, mut staying) = (Vec::new(), Vec::new());
    for path in entries(meow)? {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        match name.as_str() {
            "workflows" if !force => {
                for file in entries(&path)? {
                    let ours = fs::read_to_string(&file).is_ok_and(|text| write::is_unchanged(&text));
                    if ours { going.push(file) } else { staying.push(file) }
                }
            }
            super::SCHEMAS if !force => {
                for file in entries(&path)? {
                    let ours = write::schemas().iter().any(|(name, _)| file.file_name() == Some((*name).as_ref()));
                    if ours { going.push(file) } else { staying.push(file) }
                }
            }
            "config.toml" | ".gitattributes" => {
                let text = if name == "config.toml" { write::CONFIG } else { write::ATTRIBUTES };
                let ours = fs::read_to_string(&path).is_ok_and(|held| held == text);
                if ours || force { going.push(path) } else { staying.push(path) }
            }
            name if force || DATA_FOLDERS.contains(&format!(".meow/{name}").as_str()) => going.push(path),
            _ => staying.push(path),
        }
    }
    Ok((going, staying))
}

/// Returns what a folder holds, sorted; what is no folder holds nothing.
fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    if !folder.symlink_metadata().is_ok_and(|found| found.is_dir()) {
        return Ok(Vec::new());
    }
    let wrong = |error: std::io::Error| Error::store(format!("{} cannot be read", folder.display())).cause(error);
    let entries = fs::read_dir(folder).map_err(wrong)?;
    let mut paths =
        entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>().map_err(wrong)?;
    paths.sort();
    Ok(paths)
}

/// Removes a file, a link itself, or a folder with all it holds.
fn remove(path: &Path) -> Result<()> {
    let is_folder = path.symlink_metadata().is_ok_and(|found| found.is_dir());
    let removed = if is_folder { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    removed.map_err(|error| Error::store(format!("{} cannot be removed", path.display())).cause(error))
}

fn shown(project: &Project, path: &Path) -> String {
    path.strip_prefix(&project.root).unwrap_or(path).display().to_string()
}
