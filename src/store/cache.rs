//! Small JSON files in the private folder that can be made anew at any time: absent, damaged and outdated are the same.

use std::io;
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{disk, files};
use crate::error::{Error, Result};

/// A larger file counts as absent, in bytes.
const MAX_BYTES: usize = 64 << 20;

/// Returns what a file holds, or nothing where it is absent or does not fit the type.
pub fn get<T: DeserializeOwned>(path: &Path) -> Option<T> {
    serde_json::from_slice(&files::read_capped(path, MAX_BYTES).ok()?).ok()
}

/// Writes a file and the folders above it: whole, but not safe from a power cut.
///
/// # Errors
/// The file cannot be written.
pub fn put(path: &Path, value: &impl Serialize) -> Result<()> {
    let attempt = || -> io::Result<()> {
        let bytes = serde_json::to_vec(value)?;
        disk::make_folders(disk::parent(path))?;
        let file = disk::begin(disk::parent(path), ".beginning-")?;
        disk::write(file.as_file(), &bytes)?;
        disk::put(file, path).map(drop)
    };
    attempt().map_err(|error| Error::store(format!("{} cannot be written", path.display())).cause(error))
}
