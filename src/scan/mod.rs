//! Repositories in, one columnar history out: every record once, in order of time.
#![expect(clippy::disallowed_methods, reason = "this room reads what steps declare to read")]

pub mod changes;
pub mod collect;
pub mod find;
pub mod history;
pub mod inputs;
mod known;
mod listed;
mod look;
pub mod repository;
mod segments;
pub mod touched;
mod window;

use std::path::PathBuf;

use rayon::prelude::*;

pub use collect::Collector;
pub use history::{Attempts, Change, Executions, History, Name, Names, RepositoryFacts};
pub use look::Looked;
pub use repository::{removals, removals_of, repository, sources};

use crate::error::Result;
use repository::Listing;

/// Where and how to look for records.
#[derive(Debug, Clone)]
pub struct ScanOptions {
    /// How many folders deep repositories are searched for below a root.
    pub depth: usize,
}

impl Default for ScanOptions {
    fn default() -> Self {
        Self { depth: 4 }
    }
}

/// Looks at all repositories at or below `roots`: work trees, linked worktrees, bare mirrors, folders.
///
/// The worktrees of one repository count once. A repository that cannot be read is in the history's repositories with a
/// warning and without records; so is a damaged segment. Clones of one project give each record once, to the first.
///
/// # Errors
/// A root does not exist or cannot be read.
pub fn look(roots: &[PathBuf], options: &ScanOptions) -> Result<Looked> {
    let found = find::repositories(roots, options.depth)?;
    Ok(Looked::new(found.into_par_iter().map(Listing::found).collect()))
}

/// Returns the history of all repositories at or below `roots`; see [`look`].
///
/// # Errors
/// See [`look`].
pub fn scan(roots: &[PathBuf], options: &ScanOptions) -> Result<History> {
    Ok(look(roots, options)?.read())
}
