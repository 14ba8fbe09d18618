//! The project that a command works on: its folder, its repository, and where meow keeps things in both.

use std::path::PathBuf;

use super::settings::Settings;
use crate::error::Result;
use crate::git::Repository;

/// A folder with or without a repository around it.
#[derive(Debug)]
pub struct Project {
    /// The work tree's top, or the current folder outside a repository.
    pub root: PathBuf,
    /// The folder that the person works in; paths are relative to it.
    pub directory: PathBuf,
    /// The repository; without one nothing is remembered.
    pub repository: Option<Repository>,
}

impl Project {
    /// Returns the project around the settings' folder.
    ///
    /// # Errors
    /// There is a repository, and it cannot be opened.
    pub fn find(settings: &Settings) -> Result<Self> {
        let repository = Repository::discover(&settings.directory)?;
        let root = repository
            .as_ref()
            .and_then(|repository| repository.work_dir().map(PathBuf::from))
            .unwrap_or_else(|| settings.directory.clone());
        Ok(Self { root, directory: settings.directory.clone(), repository })
    }

    /// Returns the folder that is committed with the code.
    pub fn meow(&self) -> PathBuf {
        self.root.join(".meow")
    }
}
