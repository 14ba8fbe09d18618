//! Small files in the private folder that can be made anew at any time: absent, damaged and outdated are the same.

use std::path::Path;
use std::{fs, io};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{disk, files};
use crate::error::{Error, Result};

/// Where all of them lie, below the private folder.
pub const FOLDER: &str = "cache";

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
    let bytes = serde_json::to_vec(value).map_err(io::Error::from);
    written(path, bytes.and_then(|bytes| write(path, &[&bytes])))
}

/// Returns what a file holds that [`put_packed`] wrote under this label; any other byte or label, and it holds nothing.
pub fn packed<T: DeserializeOwned>(path: &Path, label: &str) -> Option<T> {
    let bytes = files::read_capped(path, MAX_BYTES).ok()?;
    let (check, packed) = bytes.split_first_chunk::<32>()?;
    (*check == checksum(packed, label)).then(|| postcard::from_bytes(packed).ok())?
}

/// Writes many numbers: a checksum, then the value in the postcard format. The label names the form of the value.
///
/// # Errors
/// The file cannot be written, or would be larger than is read.
pub fn put_packed(path: &Path, label: &str, value: &impl Serialize) -> Result<()> {
    let packed = postcard::to_allocvec(value).map_err(io::Error::other);
    let small = packed.and_then(|packed| {
        let fits = packed.len() + 32 <= MAX_BYTES;
        if fits { Ok(packed) } else { Err(io::Error::other("it would be too large")) }
    });
    written(path, small.and_then(|packed| write(path, &[&checksum(&packed, label), &packed])))
}

fn checksum(packed: &[u8], label: &str) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&(label.len() as u64).to_le_bytes()).update(label.as_bytes()).update(packed);
    *hasher.finalize().as_bytes()
}

/// Forgets everything that is kept below the private folder: what was purged stands in none of it.
///
/// # Errors
/// The folder cannot be removed.
pub fn forget(private: &Path) -> Result<()> {
    let folder = private.join(FOLDER);
    match fs::remove_dir_all(&folder) {
        Err(error) if !matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            Err(Error::store(format!("{} cannot be removed", folder.display())).cause(error))
        }
        _ => Ok(()),
    }
}

/// Writes these bytes, one part after the other; see [`write_by`].
fn write(path: &Path, parts: &[&[u8]]) -> io::Result<()> {
    write_by(path, |put| parts.iter().try_for_each(|part| put(part)))
}

/// Writes what `make` puts, piece by piece, and the folders above the file; nothing is written through a link in the
/// private folder.
pub(super) fn write_by(
    path: &Path,
    make: impl FnOnce(&mut dyn FnMut(&[u8]) -> io::Result<()>) -> io::Result<()>,
) -> io::Result<()> {
    let above = path.ancestors().skip(1);
    let private = above.clone().position(|folder| folder.ends_with(FOLDER)).map_or(0, |cache| cache + 2);
    if let Some(link) = above.take(private).find(|folder| folder.is_symlink()) {
        return Err(io::Error::other(format!("{} is a link; nothing is written through it", link.display())));
    }
    disk::make_folders(disk::parent(path))?;
    let file = disk::begin(disk::parent(path), ".beginning-")?;
    make(&mut |bytes| disk::write(file.as_file(), bytes))?;
    disk::put(file, path).map(drop)
}

/// Names the file in what went wrong with it.
pub(super) fn written(path: &Path, how: io::Result<()>) -> Result<()> {
    how.map_err(|error| Error::store(format!("{} cannot be written", path.display())).cause(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_written_through_a_link() {
        let (private, outside) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
        std::os::unix::fs::symlink(outside.path(), private.path().join(FOLDER)).expect("a link");
        for file in ["history", "hints/ci.json"] {
            put(&private.path().join(FOLDER).join(file), &1).expect_err("it leads out");
        }
        assert_eq!(fs::read_dir(outside.path()).expect("listed").count(), 0);
        forget(private.path()).expect("the link goes");
        assert!(outside.path().is_dir() && !private.path().join(FOLDER).is_symlink());
        put(&private.path().join(FOLDER).join("history"), &1).expect("written");
        forget(private.path()).expect("removed");
        forget(private.path()).expect("nothing to remove");
    }

    #[test]
    fn what_was_packed_comes_back_or_nothing_does() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("deep/file");
        let value = (vec![1.5_f64, f64::MIN_POSITIVE], "text".to_owned());
        assert_eq!(packed::<(Vec<f64>, String)>(&path, "one"), None);
        put_packed(&path, "one", &value).expect("written");
        assert_eq!(packed(&path, "one"), Some(value));
        assert_eq!(packed::<(Vec<f64>, String)>(&path, "two"), None);
        let whole = fs::read(&path).expect("bytes");
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 4;
            fs::write(&path, bytes).expect("written");
            assert_eq!(packed::<(Vec<f64>, String)>(&path, "one"), None, "byte {at}");
            fs::write(&path, &whole[..at]).expect("written");
            assert_eq!(packed::<(Vec<f64>, String)>(&path, "one"), None, "{at} bytes");
        }
    }
}
