//! Workflow files on disk: found by name in their folders or by path, and read with those they extend.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::project::Project;
use crate::error::{Error, Result};
use crate::workflow::content::Content;
use crate::workflow::{self, Definition, Dialect, Source, Workflow, did_you_mean};

/// Where workflows are, relative to the project, first found first taken; and how files are called there.
pub const FOLDERS: [(&str, &[&str]); 3] = [
    (".meow/workflows", &[".toml"]),
    ("formulas", &[".toml", ".formula.toml"]),
    (".beads/formulas", &[".formula.toml"]),
];
/// Most files of one folder that are looked at.
const MOST_FILES: usize = 10_000;

/// A workflow file that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The name by which it is executed: its file's name without `.toml` or `.formula.toml`.
    pub name: String,
    /// The file.
    pub path: PathBuf,
    /// The file as messages name it: relative to the project where it is inside.
    pub file: String,
    /// Whose rules it follows.
    pub dialect: Dialect,
}

/// Returns the workflow file that `name` means: a path ending in `.toml`, relative to the current folder, or the name of a
/// file in one of the workflow folders, or else the `formula` in one.
///
/// # Errors
/// There is no such file.
pub fn find(project: &Project, name: &str) -> Result<Found> {
    let is_path = Path::new(name).extension().is_some_and(|extension| extension.eq_ignore_ascii_case("toml"));
    if is_path {
        let path = project.directory.join(name);
        if path.is_file() {
            return Ok(found(project, path));
        }
        return Err(Error::request(format!("there is no workflow file {}", name.escape_debug()))
            .hint("`meow list` shows the workflows of this project"));
    }
    let known = list(project)?;
    if let Some(found) = known.iter().find(|found| found.name == name) {
        return Ok(found.clone());
    }
    if let Some(found) = by_formula(&known, name) {
        return Ok(found);
    }
    let error = Error::request(format!("there is no workflow `{}`", name.escape_debug()));
    if known.is_empty() {
        return Err(error.hint(format!("looked in {}; `meow init` writes a first one", looked())));
    }
    let named = did_you_mean(error, name, known.iter().map(|found| found.name.as_str()));
    let hint = named.hint_text().map_or_else(
        || format!("looked in {}; `meow list` shows what is there", looked()),
        |near| format!("{near} (looked in {})", looked()),
    );
    Err(named.hint(hint))
}

fn looked() -> String {
    FOLDERS.map(|(folder, _)| folder).join(", ")
}

/// Returns the workflow files of a project, sorted by name within each folder; a name that an earlier folder has hides later
/// ones.
///
/// # Errors
/// A folder is there and cannot be read.
pub fn list(project: &Project) -> Result<Vec<Found>> {
    let mut seen: Vec<Found> = Vec::new();
    for found in all(project)? {
        if seen.iter().all(|earlier| earlier.name != found.name) {
            seen.push(found);
        }
    }
    Ok(seen)
}

/// Returns the files of every workflow folder, also those that an earlier folder hides.
///
/// # Errors
/// A folder is there and cannot be read.
pub fn all(project: &Project) -> Result<Vec<Found>> {
    let mut all = Vec::new();
    for (folder, endings) in FOLDERS {
        all.extend(files(project, &project.root.join(folder), endings)?);
    }
    Ok(all)
}

fn files(project: &Project, folder: &Path, endings: &[&str]) -> Result<Vec<Found>> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let unreadable =
        |error: std::io::Error| Error::request(format!("the folder {} cannot be read", folder.display())).cause(error);
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)?.take(MOST_FILES) {
        let path = entry.map_err(unreadable)?.path();
        let wanted =
            path.file_name().is_some_and(|name| endings.iter().any(|end| name.to_string_lossy().ends_with(end)));
        if wanted && path.is_file() {
            files.push(found(project, path));
        }
    }
    files.sort_by(|left, right| left.name.cmp(&right.name).then(left.path.cmp(&right.path)));
    Ok(files)
}

fn found(project: &Project, path: PathBuf) -> Found {
    let inside = path.strip_prefix(&project.root).unwrap_or(&path);
    let foreign = path.to_string_lossy().ends_with(".formula.toml")
        || inside.components().any(|part| part.as_os_str() == "formulas");
    let file = inside.to_string_lossy();
    let file = if file.contains(char::is_control) { file.escape_debug().to_string() } else { file.into_owned() };
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let name = name.strip_suffix(".formula.toml").or_else(|| name.strip_suffix(".toml")).unwrap_or(&name).to_owned();
    Found { name, file, dialect: if foreign { Dialect::Foreign } else { Dialect::Own }, path }
}

/// Returns the workflow file that calls itself `name`, which is how its executions are recorded.
///
/// # Errors
/// A folder of workflows cannot be read.
pub fn recorded_as(project: &Project, name: &str) -> Result<Option<Found>> {
    Ok(by_formula(&list(project)?, name))
}

fn by_formula(known: &[Found], name: &str) -> Option<Found> {
    let says = |found: &&Found| read(found).ok().and_then(|source| workflow::formula(&source)).as_deref() == Some(name);
    known.iter().find(says).cloned()
}

/// Returns a found file's content.
///
/// # Errors
/// It cannot be read.
pub fn read(found: &Found) -> Result<Source> {
    let mut bytes = Vec::new();
    fs::File::open(&found.path)
        // One byte more than allowed, so that a larger file is refused and not read.
        .and_then(|file| file.take(workflow::MAX_BYTES as u64 + 1).read_to_end(&mut bytes))
        .map_err(|error| Error::request(format!("workflow file {} cannot be read", found.file)).cause(error))?;
    Ok(Source { file: found.file.clone(), dialect: found.dialect, bytes })
}

/// Returns what a workflow file states, with those it extends: they are looked for beside it first, by file name and then by
/// `formula`, and then in the workflow folders.
///
/// # Errors
/// It is no workflow.
pub fn parse(project: &Project, found: &Found) -> Result<Definition> {
    parse_seen(project, found, &mut |_| Ok(()))
}

/// Returns the same, after every file's bytes were shown to `see`, which may refuse them.
fn parse_seen(project: &Project, found: &Found, see: &mut dyn FnMut(&Source) -> Result<()>) -> Result<Definition> {
    let beside = found.path.parent().map(PathBuf::from).unwrap_or_default();
    let mut neighbours: Option<Vec<Found>> = None;
    let source = read(found)?;
    see(&source)?;
    workflow::parse(&source, &mut |name, _from| {
        if neighbours.is_none() {
            neighbours = Some(files(project, &beside, &[".toml"])?);
        }
        let neighbours = neighbours.as_deref().unwrap_or_default();
        let by_name = neighbours.iter().find(|neighbour| neighbour.name == name).cloned();
        let found = match by_name.or_else(|| by_formula(neighbours, name)) {
            Some(found) => found,
            None => find(project, name)?,
        };
        let source = read(&found)?;
        see(&source)?;
        Ok(source)
    })
}

/// Returns the workflow that `name` means (see [`find`]), with the given values of its variables.
///
/// # Errors
/// There is none, or it is wrong, or a variable's value is missing or wrong.
pub fn load(project: &Project, name: &str, variables: &BTreeMap<String, String>) -> Result<Workflow> {
    parse(project, &find(project, name)?)?.fill(variables)
}

/// Returns the same, put together from bytes that `content` holds and from nothing else.
///
/// # Errors
/// As for [`load`]; or a file that it is made of is not in `content`, or has other bytes by now.
pub fn load_trusted(
    project: &Project,
    name: &str,
    variables: &BTreeMap<String, String>,
    content: &Content,
) -> Result<Workflow> {
    let mut see = |source: &Source| {
        if content.holds(&source.file, &source.bytes) {
            return Ok(());
        }
        Err(Error::request(format!("{} is not among the files that are trusted", source.file))
            .hint("what runs unasked is read from the workflow folders of the project alone"))
    };
    parse_seen(project, &find(project, name)?, &mut see)?.fill(variables)
}
