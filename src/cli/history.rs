//! The history that a command works on: this project's, or that of the places a person names.

use std::path::PathBuf;

use super::project::Project;
use super::{Context, decisions, recommendations};
use crate::error::{Error, Result};
use crate::learn::norm;
use crate::scan::{self, History, ScanOptions};

/// Returns the history of the repositories at or below `paths`, or of this project where none is named.
///
/// What was skipped is said as warnings.
///
/// # Errors
/// A path does not exist, or none is named outside a repository.
pub fn history(paths: &[PathBuf], context: &Context) -> Result<History> {
    let history = if paths.is_empty() {
        let repository = context.project()?.repository.ok_or_else(|| {
            Error::request(format!("{} is in no git repository", context.settings.directory.display()))
                .hint("name the repositories to read, or change into one")
        })?;
        scan::repository(&repository)
    } else {
        let paths: Vec<PathBuf> = paths.iter().map(|path| context.settings.directory.join(path)).collect();
        scan::scan(&paths, &ScanOptions::default())?
    };
    if history.repositories.is_empty() {
        context.terminal.warn("no repository was found there");
    }
    for facts in &history.repositories {
        for warning in &facts.warnings {
            context.terminal.warn(&format!("{}: {warning}", facts.name));
        }
    }
    Ok(history)
}

/// Returns a project's history as learning takes it: without durations that were accepted to be things of the past.
pub fn normed(history: History, project: &Project, context: &Context) -> History {
    norm::normed(history, &decisions::decisions(project, context).accepted(recommendations::DURATION))
}
