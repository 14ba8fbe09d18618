//! The history that a command works on: this project's, or that of the places a person names.

use std::path::PathBuf;

use super::project::Project;
use super::{Context, decisions, recommendations};
use crate::error::{Error, Result};
use crate::learn::norm;
use crate::scan::{self, History, Looked, ScanOptions};

/// Returns the history of the repositories at or below `paths`, or of this project where none is named.
///
/// What was skipped is said as warnings.
///
/// # Errors
/// A path does not exist, or none is named outside a repository.
pub fn history(paths: &[PathBuf], context: &Context) -> Result<History> {
    Ok(read(look(paths, context)?, context))
}

/// Looks at these repositories, or at this project's, of which nothing is read yet.
///
/// # Errors
/// Those of [`history`].
pub fn look(paths: &[PathBuf], context: &Context) -> Result<Looked> {
    if paths.is_empty() {
        let repository = context.project()?.repository.ok_or_else(|| {
            Error::request(format!("{} is in no git repository", context.settings.directory.display()))
                .hint("change into a repository, or make one with `git init`; commands that take paths read those")
        })?;
        Ok(Looked::at(&repository))
    } else {
        let paths: Vec<PathBuf> = paths.iter().map(|path| context.settings.directory.join(path)).collect();
        scan::look(&paths, &ScanOptions::default())
    }
}

/// Returns the history of what was looked at. What was skipped is said as warnings.
pub fn read(looked: Looked, context: &Context) -> History {
    let history = looked.read();
    if history.repositories.is_empty() {
        context.terminal.warn("no repository was found there");
    }
    for facts in &history.repositories {
        for warning in &facts.warnings {
            context.terminal.warn(&format!("{}: {warning}", facts.name));
        }
    }
    history
}

/// Returns whether nothing was skipped, which would have to be said again with every page.
pub fn is_whole(history: &History) -> bool {
    !history.repositories.is_empty() && history.repositories.iter().all(|facts| facts.warnings.is_empty())
}

/// Returns a project's history as learning takes it: without durations that were accepted to be things of the past.
pub fn normed(history: History, project: &Project, context: &Context) -> History {
    norm::normed(history, &decisions::decisions(project, context).accepted(recommendations::DURATION))
}
