//! What a coding agent has to know of meow: a section of `AGENTS.md` between two marks, put in and taken out again.

use std::fs;
use std::path::Path;

use crate::cli::project::Project;
use crate::error::{Error, Result};

const FILE: &str = "AGENTS.md";
const BEGIN: &str = "<!-- meow:begin, written by `meow init --agents` -->";
const END: &str = "<!-- meow:end -->";
const SECTION: &str = "\
## Workflows: meow

This project's checks are workflows that meow runs and remembers. Instead of calling the tools one by one:

- `meow list --json`: the workflows, their last outcome, the time to expect
- `meow execute ci --json`: run all checks; exit code 0 passed, 1 a step failed, 2 the request was wrong
- `meow execute ci --only STEP --json`: run one step again
- `meow status --json`: the last executions; `meow status EXECUTION --json` names each step's outcome and log
- `meow report --base main --json`: what this branch changes in time and failures

Do not edit below `.meow/records`, `.meow/patterns`, `.meow/recommendations` and `.meow/actions`: meow writes there.
";

/// Puts the section into `AGENTS.md`, or in the place of the one that is there; returns whether anything changed.
///
/// # Errors
/// The file is no readable text, has only one of the marks, or cannot be written.
pub fn put(project: &Project) -> Result<bool> {
    let path = project.root.join(FILE);
    let held = read(&path)?.unwrap_or_default();
    let section = format!("{BEGIN}\n{SECTION}{END}\n");
    let text = match parts(&held)? {
        Some((before, after)) => format!("{before}{section}{after}"),
        None if held.is_empty() => section,
        None => format!("{held}{}\n{section}", if held.ends_with('\n') { "" } else { "\n" }),
    };
    if text == held {
        return Ok(false);
    }
    write(&path, &text).map(|()| true)
}

/// Takes the section out, and the file with it where nothing else is in it; returns whether there was one.
///
/// # Errors
/// As for [`put`].
pub fn take_out(project: &Project) -> Result<bool> {
    let path = project.root.join(FILE);
    let Some(held) = read(&path)? else { return Ok(false) };
    let Some((before, after)) = parts(&held)? else { return Ok(false) };
    // The empty line above the section came with it.
    let before = if after.is_empty() { before.strip_suffix('\n').unwrap_or(before) } else { before };
    let text = format!("{before}{after}");
    if text.is_empty() {
        fs::remove_file(&path).map_err(|error| Error::store(format!("{FILE} cannot be removed")).cause(error))?;
        return Ok(true);
    }
    write(&path, &text).map(|()| true)
}

/// Returns what stands before and after the section, if there is one.
fn parts(text: &str) -> Result<Option<(&str, &str)>> {
    let begin = text.find(BEGIN);
    let end = text.find(END);
    match (begin, end) {
        (None, None) => Ok(None),
        (Some(begin), Some(end)) if begin < end => {
            let after = &text[end + END.len()..];
            Ok(Some((&text[..begin], after.strip_prefix('\n').unwrap_or(after))))
        }
        _ => Err(Error::request(format!("{FILE} has only one of meow's two marks"))
            .hint(format!("take out the lone line `{BEGIN}` or `{END}`"))),
    }
}

fn read(path: &Path) -> Result<Option<String>> {
    if path.is_symlink() {
        return Err(Error::request(format!("{FILE} is a link; nothing is written through it"))
            .hint("put the section into the file that it leads to: `meow init --agents` in another folder writes it"));
    }
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::request(format!("{} cannot be read", path.display())).cause(error)),
    }
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).map_err(|error| Error::store(format!("{} cannot be written", path.display())).cause(error))
}
