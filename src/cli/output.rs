//! The file that a person names for output: never in a git directory, never out of the project by one of its links.

use std::path::{Path, PathBuf};

use super::settings::Settings;
use super::settings::files::top_of;
use crate::error::{Error, Result};

/// Returns where the file that was typed lies. What leads out by its own words (`..`, an absolute path) is the person's wish.
///
/// # Errors
/// A part of it is `.git`, in any case; or a link of the project on the way leads out of it.
pub fn place(file: &Path, settings: &Settings) -> Result<PathBuf> {
    let place = settings.directory.join(file);
    let refuse = |why: &str| {
        Error::request(format!("{} is not written: {why}", file.display().to_string().escape_debug()))
            .hint("name another file")
    };
    if file.components().any(|part| part.as_os_str().eq_ignore_ascii_case(".git")) {
        return Err(refuse("it lies in a git directory"));
    }
    let Some(top) = top_of(&settings.directory) else { return Ok(place) };
    let real = top.canonicalize().unwrap_or_else(|_| top.to_path_buf());
    let within = place.ancestors().take_while(|part| part.starts_with(top) && *part != top);
    for link in within.into_iter().filter(|part| part.is_symlink()) {
        if !link.canonicalize().is_ok_and(|target| target.starts_with(&real)) {
            return Err(refuse(&format!("the link {} leads out of the project", link.display())));
        }
    }
    Ok(place)
}
