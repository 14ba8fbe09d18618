//! Searches folders for repositories; knows them by their git directory, so that worktrees of one count once.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use walkdir::{DirEntry, WalkDir};

use crate::error::{Error, Result};
use crate::git::{self, Repository};

/// Folders that hold what builds and package managers make: many files, no repositories of the person's own.
const SKIPPED: [&str; 2] = ["target", "node_modules"];

/// A repository that was found.
#[derive(Debug)]
pub struct Found {
    /// It, opened.
    pub repository: Result<Repository>,
    /// How people call it.
    pub name: String,
}

/// Returns the repositories at or below the roots: roots in their order, below each by path, each repository once.
///
/// # Errors
/// A root does not exist or cannot be read.
pub fn repositories(roots: &[PathBuf], depth: usize) -> Result<Vec<Found>> {
    let mut paths = Vec::new();
    for root in roots {
        let wrong = || Error::request(format!("{} cannot be read", root.display()));
        let root = root.canonicalize().map_err(|error| wrong().cause(error))?;
        paths.extend(below(&root, depth));
    }
    let open = |path: PathBuf| {
        let repository = Repository::open(&path);
        (identity(&path, repository.as_ref().ok()), path, repository)
    };
    let opened: Vec<(PathBuf, PathBuf, Result<Repository>)> = paths.into_par_iter().map(open).collect();
    let mut seen = HashSet::new();
    let found: Vec<_> = opened.into_iter().filter(|(identity, ..)| seen.insert(identity.clone())).collect();
    let mut by_name: BTreeMap<String, usize> = BTreeMap::new();
    for (_, path, _) in &found {
        *by_name.entry(name(path)).or_default() += 1;
    }
    let describe = |(_, path, repository): (PathBuf, PathBuf, Result<Repository>)| {
        let short = name(&path);
        // Namesakes are told apart by the folder they lie in.
        let above = path.parent().and_then(Path::file_name).map(|above| above.to_string_lossy().into_owned());
        let name = match above {
            Some(above) if by_name[&short] > 1 => format!("{above}/{short}"),
            _ => short,
        };
        Found { repository, name }
    };
    Ok(found.into_iter().map(describe).collect())
}

/// Returns the repositories at or below a folder; a folder inside a work tree stands for that repository.
fn below(root: &Path, depth: usize) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut walk = WalkDir::new(root).max_depth(depth).sort_by_file_name().into_iter().filter_entry(worth_a_look);
    while let Some(entry) = walk.next() {
        // A folder that may not be read holds no repositories for this person.
        let Ok(entry) = entry else { continue };
        if entry.file_type().is_dir() && git::is_repository(entry.path()) {
            found.push(entry.into_path());
            walk.skip_current_dir();
        }
    }
    if found.is_empty()
        && let Some(around) = root.ancestors().skip(1).find(|folder| git::is_repository(folder))
    {
        found.push(around.to_path_buf());
    }
    found
}

fn worth_a_look(entry: &DirEntry) -> bool {
    entry.depth() == 0 || !SKIPPED.iter().any(|name| entry.file_name() == *name)
}

/// Returns what makes two places the same repository: the common git directory.
fn identity(path: &Path, repository: Option<&Repository>) -> PathBuf {
    let common = repository.and_then(|repository| repository.common_dir().canonicalize().ok());
    common.unwrap_or_else(|| path.to_path_buf())
}

/// Returns the name of the folder, without `.git`.
pub(super) fn name(path: &Path) -> String {
    let folder = if path.file_name().is_some_and(|name| name == ".git") { path.parent().unwrap_or(path) } else { path };
    let name = folder.file_name().map_or_else(|| "/".to_owned(), |name| name.to_string_lossy().into_owned());
    name.strip_suffix(".git").filter(|short| !short.is_empty()).map_or(name.clone(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_is_called_like_its_folder() {
        for (path, expected) in
            [("/a/project", "project"), ("/a/project/.git", "project"), ("/m/mirror.git", "mirror"), ("/", "/")]
        {
            assert_eq!(name(Path::new(path)), expected, "{path}");
        }
    }
}
