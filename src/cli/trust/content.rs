//! What of a project can cause execution, read from disk; what could be exchanged behind a person's back is refused.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::cli::project::Project;
use crate::cli::settings::Settings;
use crate::cli::settings::files::Origin;
use crate::cli::workflows::{self, FOLDERS};
use crate::error::{Error, Result};
use crate::workflow::MAX_BYTES;
use crate::workflow::content::Content;

/// The name under which the settings that decide what runs stand beside the files.
const SETTINGS: &str = ".meow/config.toml (what decides execution)";

/// Returns every workflow file of the project, which is all that `extends` may reach unasked, and those settings of the
/// repository that decide what runs.
///
/// # Errors
/// A file or its folder is a link, belongs to another user, is too large or cannot be read.
pub fn content(project: &Project, settings: &Settings) -> Result<Content> {
    let mut content = Content::default();
    own(&project.root)?;
    for (folder, _) in FOLDERS {
        plain(project, &project.root.join(folder))?;
    }
    plain(project, &project.meow().join("config.toml"))?;
    for found in workflows::all(project)? {
        plain(project, &found.path)?;
        let source = workflows::read(&found)?;
        if source.bytes.len() > MAX_BYTES {
            return Err(Error::request(format!("{} is larger than a workflow file may be", found.file)));
        }
        content.add(&found.file, &source.bytes)?;
    }
    let decisive = decisive(settings);
    if !decisive.is_empty() {
        content.add(SETTINGS, decisive.as_bytes())?;
    }
    Ok(content)
}

/// Returns the repository's settings that decide what is executed, one a line.
fn decisive(settings: &Settings) -> String {
    let hooks = settings.hooks.iter().map(|(event, (workflow, _))| format!("hooks.{event} = {workflow}\n"));
    let resolved = &settings.resolved["workflow"];
    let default = resolved.value.iter().filter(|_| resolved.origin == Origin::Repo);
    hooks.chain(default.map(|workflow| format!("workflow = {}\n", workflow.escape_debug()))).collect()
}

/// Checks that neither a path nor a folder above it, up to the top, is a link or somebody else's.
fn plain(project: &Project, path: &Path) -> Result<()> {
    for part in path.ancestors().take_while(|part| *part != project.root) {
        match part.symlink_metadata() {
            Ok(found) if found.is_symlink() => {
                return Err(Error::request(format!("{} is a link", shown(project, part)))
                    .hint("what runs unasked is never read through links"));
            }
            Ok(_) => own(part)?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(Error::request(format!("{} cannot be read", part.display())).cause(error)),
        }
    }
    Ok(())
}

/// Checks that a file is the person's own, or root's, who may do anything anyway.
fn own(path: &Path) -> Result<()> {
    let found = path
        .symlink_metadata()
        .map_err(|error| Error::request(format!("{} cannot be read", path.display())).cause(error))?;
    if found.uid() == 0 || found.uid() == rustix::process::geteuid().as_raw() {
        return Ok(());
    }
    Err(Error::request(format!("{} belongs to another user", path.display()))
        .hint("what another user can change at any moment is never run unasked"))
}

fn shown(project: &Project, path: &Path) -> String {
    path.strip_prefix(&project.root).unwrap_or(path).display().to_string().escape_debug().to_string()
}
