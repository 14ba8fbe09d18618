//! Where the output of an attempt goes: one file, named so that no step's id can leave the folder or hit another's.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use crate::workflow::StepId;

/// Longest part of a step's id in a file name, in bytes.
const LONGEST: usize = 80;

/// Returns the log file of an attempt below `folder`.
pub fn path(folder: &Path, step: &StepId, attempt: u32) -> PathBuf {
    named(folder, step, &attempt.to_string(), "log")
}

/// Returns the log file of a step's `undo` below `folder`.
pub fn undo_path(folder: &Path, step: &StepId) -> PathBuf {
    named(folder, step, "undo", "log")
}

/// Returns the last `bytes` of an attempt's output; empty where there is none.
pub fn tail(folder: &Path, step: &StepId, attempt: u32, bytes: u64) -> Vec<u8> {
    let read = || -> io::Result<Vec<u8>> {
        let mut file = File::open(path(folder, step, attempt))?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(bytes)))?;
        let mut text = Vec::new();
        file.take(bytes).read_to_end(&mut text)?;
        Ok(text)
    };
    read().unwrap_or_default()
}

/// Creates a log.
pub(super) fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

/// Returns the file of an attempt (its number, or `undo`) with this ending.
pub(super) fn named(folder: &Path, step: &StepId, attempt: &str, ending: &str) -> PathBuf {
    folder.join(format!("{}.{attempt}.{ending}", file_name(step.as_str())))
}

/// Keeps plain ids as they are; any other gets its odd characters replaced and a hash of the whole.
fn file_name(id: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if !id.is_empty() && id.len() <= LONGEST && id.chars().all(plain) && !id.starts_with('.') {
        return id.to_owned();
    }
    let kept: String = id.chars().take(LONGEST).map(|c| if plain(c) { c } else { '_' }).collect();
    format!("_{}-{}", kept, &blake3::hash(id.as_bytes()).to_hex()[..8])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_in_the_folder_and_apart() {
        for plain in ["build", "step.1_a-b", "0"] {
            assert_eq!(file_name(plain), plain);
        }
        for odd in ["", ".", "..", "../../etc/passwd", "a/b", "a_b/", "é", "\n", &"x".repeat(5_000)] {
            let name = file_name(odd);
            assert!(!name.contains(['/', '\n']) && name.starts_with('_') && name.len() < 120, "{name}");
        }
        assert_ne!(file_name("a/b"), file_name("a:b"));
    }
}
