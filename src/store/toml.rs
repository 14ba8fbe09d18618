//! Small documents beside the records: `.meow/<kind>/<id>.toml`, deterministic, all or nothing.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::files;
use crate::error::{Error, Result};
use crate::record::Digest;
use crate::workflow::nesting;

/// A larger document is refused.
pub const MAX_BYTES: usize = 256 << 10;

/// A longer name of a document, in bytes without its ending, is cut.
const MOST_NAME: usize = 240;
/// Stands behind what is left of such a name, and in no other.
const CUT: char = '~';

/// Writes `.meow/<kind>/<id>.toml`; `meow` is the folder `.meow`. Returns its path. The same value gives the same bytes;
/// a file that already holds them is left alone.
///
/// # Errors
/// The value has no TOML form, is too large, or the file cannot be written.
pub fn put(meow: &Path, kind: &str, id: &str, value: &impl Serialize) -> Result<PathBuf> {
    let path = place(meow, kind, id);
    files::no_link(meow, &path)?;
    let refuse = || Error::store(format!("{} cannot be written", path.display()));
    let text = ::toml::to_string(value).map_err(|error| refuse().cause(error))?;
    if text.len() > MAX_BYTES {
        return Err(refuse().cause(format!("it would be larger than {} KiB", MAX_BYTES >> 10)));
    }
    let held = files::read_capped(&path, MAX_BYTES).ok();
    if held.as_deref() != Some(text.as_bytes()) {
        files::write_whole(&path, text.as_bytes())?;
    }
    Ok(path)
}

/// Writes `.meow/<kind>/<id>.toml`, which is never changed afterwards. Returns its path.
///
/// # Errors
/// There is one already, the value has no TOML form or is too large, or the file cannot be written.
pub fn add(meow: &Path, kind: &str, id: &str, value: &impl Serialize) -> Result<PathBuf> {
    let path = place(meow, kind, id);
    files::no_link(meow, &path)?;
    let refuse = || Error::store(format!("{} cannot be written", path.display()));
    let text = ::toml::to_string(value).map_err(|error| refuse().cause(error))?;
    if text.len() > MAX_BYTES {
        return Err(refuse().cause(format!("it would be larger than {} KiB", MAX_BYTES >> 10)));
    }
    if files::write_new(&path, text.as_bytes())? { Ok(path) } else { Err(refuse().cause("it is there already")) }
}

/// Returns the document, or `None` where there is none.
///
/// # Errors
/// It cannot be read, is too large, holds the marks of a merge conflict, or does not fit the type.
pub fn get<T: DeserializeOwned>(meow: &Path, kind: &str, id: &str) -> Result<Option<T>> {
    let path = place(meow, kind, id);
    if !path.exists() {
        return Ok(None);
    }
    let refuse = || Error::store(format!("{} is ignored", path.display()));
    let bytes = files::read_capped(&path, MAX_BYTES)?;
    let text = String::from_utf8(bytes).map_err(|error| refuse().cause(error))?;
    let is_conflict = text.lines().any(|line| line.starts_with("<<<<<<< ") || line.starts_with(">>>>>>> "));
    if is_conflict {
        return Err(refuse().cause("it holds the marks of a merge conflict").hint("run `meow learn` to write it anew"));
    }
    if nesting::too_deep(&text).is_some() {
        return Err(refuse().cause("it nests too deeply").hint("run `meow learn` to write it anew"));
    }
    ::toml::from_str(&text).map(Some).map_err(|error| refuse().cause(error).hint("run `meow learn` to write it anew"))
}

/// Returns the texts of all documents of a kind, by id; one that cannot be read is left out.
pub fn texts(meow: &Path, kind: &str) -> Vec<String> {
    let read = |id: String| String::from_utf8(files::read_capped(&place(meow, kind, &id), MAX_BYTES).ok()?).ok();
    list(meow, kind).unwrap_or_default().into_iter().filter_map(read).collect()
}

/// Returns the ids of all documents of a kind, sorted; those whose name does not say its whole id are left out.
///
/// # Errors
/// The folder cannot be read; an absent one is empty.
pub fn list(meow: &Path, kind: &str) -> Result<Vec<String>> {
    let mut ids = Vec::new();
    for file in files::entries(&meow.join(kind))? {
        let name = file.file_name();
        let id = name.to_str().and_then(|name| name.strip_suffix(".toml")).and_then(files::id_of);
        ids.extend(id);
    }
    ids.sort();
    Ok(ids)
}

/// Removes the documents of a kind but those with these ids.
///
/// # Errors
/// The folder cannot be read, or one cannot be removed.
pub fn keep_only<'a>(meow: &Path, kind: &str, ids: impl Iterator<Item = &'a str>) -> Result<()> {
    let kept: BTreeSet<PathBuf> = ids.map(|id| place(meow, kind, id)).collect();
    for file in files::entries(&meow.join(kind))? {
        let name = file.file_name();
        let stem = name.to_str().and_then(|name| name.strip_suffix(".toml"));
        let is_cut = |stem: &str| stem.rsplit_once(CUT).is_some_and(|(_, hash)| hash.parse::<Digest>().is_ok());
        let is_own = stem.is_some_and(|stem| is_cut(stem) || files::id_of(stem).is_some());
        if is_own && !kept.contains(&file.path()) {
            files::no_link(meow, &file.path())?;
            files::remove(&file.path())?;
        }
    }
    Ok(())
}

/// Removes the document; one that is not there is removed already.
///
/// # Errors
/// It cannot be removed.
pub fn remove(meow: &Path, kind: &str, id: &str) -> Result<()> {
    let path = place(meow, kind, id);
    files::no_link(meow, &path)?;
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::store(format!("{} cannot be removed", path.display())).cause(error))
        }
        _ => Ok(()),
    }
}

/// Returns where a document lies. File systems take names of 255 bytes: a longer one is cut, and its hash tells it from others
/// that begin alike.
fn place(meow: &Path, kind: &str, id: &str) -> PathBuf {
    let mut name = files::safe_name(id);
    if name.len() > MOST_NAME {
        name.truncate(MOST_NAME / 2);
        name.push(CUT);
        name.push_str(&Digest::of(id.as_bytes()).to_string());
    }
    meow.join(kind).join(format!("{name}.toml"))
}
