//! What this user trusts, kept in their own folder for state: one file for a repository's path and a content.

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::cli::settings::Settings;
use crate::error::{Error, Result};
use crate::store::toml;
use crate::workflow::content::{Bound, Content};

/// The folder below the one for state.
const KIND: &str = "trust";
/// Contents of one repository that are kept, so that changing between branches asks for no new trust.
const MOST_CONTENTS: usize = 16;
/// Texts of more than so many bytes together are not kept.
const MOST_TEXT: usize = 128 << 10;

/// One content that a person trusted.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Trusted {
    /// The path that stands for the repository (see [`crate::git::Repository::place`]).
    pub repository: PathBuf,
    /// When.
    pub since: Timestamp,
    files: Vec<Bound>,
}

impl Trusted {
    /// Returns what was trusted.
    pub fn content(&self) -> Content {
        self.files.iter().cloned().collect()
    }
}

/// Returns what is trusted of the repository at `place`, the latest first; what cannot be read counts for nothing.
///
/// # Errors
/// The user's folder for state cannot be read.
pub fn of(settings: &Settings, place: &Path) -> Result<Vec<Trusted>> {
    let found = ids(settings, place)?.into_iter().filter_map(|id| read(settings, &id)).map(|(_, trusted)| trusted);
    let mut found: Vec<Trusted> = found.filter(|trusted| trusted.repository == place).collect();
    found.sort_by_key(|trusted| std::cmp::Reverse(trusted.since));
    Ok(found)
}

/// Remembers that a person trusts `content` of the repository at `place`.
///
/// # Errors
/// The user has no folder for state, or it cannot be written.
pub fn keep(settings: &Settings, place: &Path, content: &Content) -> Result<()> {
    let folder = folder(settings)?;
    let id = format!("{}{}", prefix(place), content.hash());
    let texts: usize = content.files().filter_map(|bound| bound.text.as_deref()).map(str::len).sum();
    let stripped = || content.files().map(|bound| Bound { text: None, ..bound.clone() }).collect();
    let files = if texts <= MOST_TEXT { content.files().cloned().collect() } else { stripped() };
    let trusted = Trusted { repository: place.to_path_buf(), since: settings.clock.now(), files };
    // Control characters grow in TOML; a difference that cannot be shown later is no reason to refuse.
    toml::put(folder, KIND, &id, &trusted)
        .or_else(|_| toml::put(folder, KIND, &id, &Trusted { files: stripped(), ..trusted }))?;
    let mut known: Vec<(Timestamp, String)> = ids(settings, place)?
        .into_iter()
        .filter(|known| *known != id)
        .filter_map(|known| read(settings, &known).map(|(id, trusted)| (trusted.since, id)))
        .collect();
    known.sort();
    for (_, old) in known.iter().rev().skip(MOST_CONTENTS - 1) {
        toml::remove(folder, KIND, old)?;
    }
    Ok(())
}

/// Forgets everything that was trusted of the repository at `place`; returns how many contents that were.
///
/// # Errors
/// A file cannot be removed.
pub fn revoke(settings: &Settings, place: &Path) -> Result<usize> {
    let ids = ids(settings, place)?;
    for id in &ids {
        toml::remove(folder(settings)?, KIND, id)?;
    }
    Ok(ids.len())
}

/// Returns the latest trusted content of every repository, by path.
///
/// # Errors
/// The user's folder for state cannot be read.
pub fn all(settings: &Settings) -> Result<Vec<Trusted>> {
    let mut found: Vec<Trusted> = toml::list(folder(settings)?, KIND)?
        .into_iter()
        .filter_map(|id| read(settings, &id))
        .map(|(_, trusted)| trusted)
        .collect();
    found.sort_by(|a, b| a.repository.cmp(&b.repository).then(b.since.cmp(&a.since)));
    found.dedup_by(|a, b| a.repository == b.repository);
    Ok(found)
}

fn read(settings: &Settings, id: &str) -> Option<(String, Trusted)> {
    let trusted: Trusted = toml::get(folder(settings).ok()?, KIND, id).ok()??;
    // A name that its content does not give was not written here.
    let own = format!("{}{}", prefix(&trusted.repository), trusted.content().hash());
    (own == id).then(|| (id.to_owned(), trusted))
}

fn ids(settings: &Settings, place: &Path) -> Result<Vec<String>> {
    let mut ids = toml::list(folder(settings)?, KIND)?;
    ids.retain(|id| id.starts_with(&prefix(place)));
    Ok(ids)
}

fn prefix(place: &Path) -> String {
    format!("{}-", &blake3::hash(place.as_os_str().as_bytes()).to_hex()[..24])
}

fn folder(settings: &Settings) -> Result<&Path> {
    settings.state.as_deref().ok_or_else(|| {
        Error::store("this user has no folder for state, in which trust is kept").hint("set HOME or XDG_STATE_HOME")
    })
}
