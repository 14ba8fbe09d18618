//! Small files in the private folder that can be made anew at any time: absent, damaged and outdated are the same.

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
    write(path, serde_json::to_vec(value).map_err(io::Error::from))
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
    let packed = postcard::to_allocvec(value).map_err(io::Error::other).and_then(|packed| {
        let bytes = [&checksum(&packed, label)[..], &packed].concat();
        if bytes.len() <= MAX_BYTES { Ok(bytes) } else { Err(io::Error::other("it would be too large")) }
    });
    write(path, packed)
}

fn checksum(packed: &[u8], label: &str) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&(label.len() as u64).to_le_bytes()).update(label.as_bytes()).update(packed);
    *hasher.finalize().as_bytes()
}

fn write(path: &Path, bytes: io::Result<Vec<u8>>) -> Result<()> {
    let attempt = || -> io::Result<()> {
        let bytes = bytes?;
        disk::make_folders(disk::parent(path))?;
        let file = disk::begin(disk::parent(path), ".beginning-")?;
        disk::write(file.as_file(), &bytes)?;
        disk::put(file, path).map(drop)
    };
    attempt().map_err(|error| Error::store(format!("{} cannot be written", path.display())).cause(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_packed_comes_back_or_nothing_does() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("deep/file");
        let value = (vec![1.5_f64, f64::MIN_POSITIVE], "text".to_owned());
        assert_eq!(packed::<(Vec<f64>, String)>(&path, "one"), None);
        put_packed(&path, "one", &value).expect("written");
        assert_eq!(packed(&path, "one"), Some(value));
        assert_eq!(packed::<(Vec<f64>, String)>(&path, "two"), None);
        let whole = std::fs::read(&path).expect("bytes");
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 4;
            std::fs::write(&path, bytes).expect("written");
            assert_eq!(packed::<(Vec<f64>, String)>(&path, "one"), None, "byte {at}");
            std::fs::write(&path, &whole[..at]).expect("written");
            assert_eq!(packed::<(Vec<f64>, String)>(&path, "one"), None, "{at} bytes");
        }
    }
}
