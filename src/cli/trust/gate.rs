//! The gate before everything that runs unasked: only content that a person trusted gets through.

use std::path::PathBuf;

use super::{content, kept};
use crate::cli::project::Project;
use crate::cli::settings::Settings;
use crate::error::{Error, Result};
use crate::workflow::content::{Content, Difference};

/// How a project stands with its person.
#[derive(Debug)]
pub struct Standing {
    /// The path that stands for the repository.
    pub place: PathBuf,
    /// What can cause execution now.
    pub content: Content,
    /// What was trusted: this very content, or the latest other one. Nothing where nothing of it was ever trusted.
    pub trusted: Option<kept::Trusted>,
}

impl Standing {
    /// Returns how a project stands.
    ///
    /// # Errors
    /// What can cause execution cannot be trusted as it lies there (see `content`), or the user's folder for state cannot
    /// be read.
    pub fn of(project: &Project, settings: &Settings) -> Result<Self> {
        let place = place(project)?;
        let content = content(project, settings)?;
        let hash = content.hash();
        let mut trusted = kept::of(settings, &place)?;
        let at = trusted.iter().position(|trusted| trusted.content().hash() == hash).unwrap_or_default();
        let trusted = if trusted.is_empty() { None } else { Some(trusted.swap_remove(at)) };
        Ok(Self { place, content, trusted })
    }

    /// Returns whether a person trusted what is there now.
    pub fn is_trusted(&self) -> bool {
        self.trusted.as_ref().is_some_and(|trusted| trusted.content().hash() == self.content.hash())
    }
}

/// Returns what may run in this project without being asked for.
///
/// # Errors
/// Nothing may: why, and how to look at it.
pub fn gate(project: &Project, settings: &Settings) -> Result<Content> {
    let standing = Standing::of(project, settings)?;
    if standing.is_trusted() {
        return Ok(standing.content);
    }
    let Some(trusted) = &standing.trusted else {
        return Err(Error::request("this repository is not trusted to run anything unasked")
            .hint("`meow trust --show` shows what it would run, `meow trust` trusts it"));
    };
    let before = trusted.content();
    let all = standing.content.since(&before);
    let mut changed = all.iter().filter(|(how, _)| *how != Difference::Unchanged);
    let first = changed.next().map_or_else(String::new, |(how, bound)| format!("{} was {}", bound.path, how.word()));
    let more = changed.count();
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    Err(Error::request(format!("{first}{more} since this repository was trusted"))
        .hint("`meow trust --show` shows the difference, `meow trust` trusts it"))
}

/// Returns the path under which a project's trust is kept.
pub(super) fn place(project: &Project) -> Result<PathBuf> {
    match &project.repository {
        Some(repository) => repository.place(),
        None => project
            .root
            .canonicalize()
            .map_err(|error| Error::request(format!("{} cannot be followed", project.root.display())).cause(error)),
    }
}
