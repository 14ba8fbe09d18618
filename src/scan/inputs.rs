//! The size of what a step reads: bytes of the files that its declared inputs name.

use std::path::{Path, PathBuf};

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use walkdir::WalkDir;

use crate::error::{Error, Result};

/// Files and folders that are looked at for one step; what is larger has no size, rather than a long wait for it.
const MOST_ENTRIES: usize = 100_000;

/// Returns the bytes of the files below `root` that any of the patterns names; `None` past 100,000 files and folders.
///
/// A pattern is a file, a folder with all below it, or has `*`, `?`, `[…]` and `{…}` within a name and `**` for any
/// folders. Links are not followed, and `.git` is left out.
///
/// # Errors
/// A pattern is none.
pub fn bytes(root: &Path, patterns: &[String]) -> Result<Option<u64>> {
    let set = globs(patterns)?;
    let mut starts: Vec<PathBuf> = patterns.iter().map(|pattern| root.join(start(pattern))).collect();
    starts.sort();
    // A folder comes before what lies in it.
    starts.dedup_by(|below, above| below.starts_with(above));
    let (mut seen, mut bytes) = (0, 0);
    for start in starts {
        let walk = WalkDir::new(start).into_iter().filter_entry(|entry| entry.file_name() != ".git");
        // What cannot be read has no size, and a declared input that is not there none either.
        for entry in walk.filter_map(std::result::Result::ok) {
            seen += 1;
            if seen > MOST_ENTRIES {
                return Ok(None);
            }
            let named = entry.path().strip_prefix(root).is_ok_and(|path| set.is_match(path));
            if named && entry.file_type().is_file() {
                bytes += entry.metadata().map_or(0, |facts| facts.len());
            }
        }
    }
    Ok(Some(bytes))
}

fn globs(patterns: &[String]) -> Result<GlobSet> {
    let mut set = GlobSetBuilder::new();
    let wrong = |pattern: &str, error: globset::Error| {
        Error::request(format!("the input `{}` is no pattern", pattern.escape_debug())).cause(error)
    };
    for pattern in patterns {
        let pattern = pattern.trim_start_matches("./").trim_end_matches('/');
        for text in [pattern.to_owned(), format!("{pattern}/**")] {
            let glob = GlobBuilder::new(&text).literal_separator(true).build();
            set.add(glob.map_err(|error| wrong(pattern, error))?);
        }
    }
    set.build().map_err(|error| wrong(&patterns.join("`, `"), error))
}

/// Returns the folders of a pattern up to the first name that is not plain.
fn start(pattern: &str) -> PathBuf {
    let plain = |part: &&str| !part.contains(['*', '?', '[', '{', '\\']);
    pattern.split('/').filter(|part| !part.is_empty() && *part != ".").take_while(plain).collect()
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test makes the files it reads")]
mod tests {
    use super::*;

    #[test]
    fn files_folders_and_stars_are_counted_once() {
        let folder = tempfile::tempdir().expect("a folder");
        for (path, bytes) in [("src/a.rs", 10), ("src/deep/b.rs", 20), ("src/deep/c.txt", 40), ("Cargo.lock", 80)] {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            std::fs::write(path, vec![b'x'; bytes]).expect("written");
        }
        let check = |patterns: &[&str], expected: u64| {
            let patterns: Vec<String> = patterns.iter().map(|pattern| (*pattern).to_owned()).collect();
            assert_eq!(bytes(folder.path(), &patterns).expect("patterns"), Some(expected), "{patterns:?}");
        };
        check(&["src"], 70);
        check(&["src/", "./src/deep"], 70);
        check(&["src/*.rs"], 10);
        check(&["src/**/*.rs"], 30);
        check(&["**/*.{rs,lock}"], 110);
        check(&["Cargo.lock", "Cargo.*", "absent"], 80);
        check(&["*"], 150);
        check(&[], 0);
        assert!(bytes(folder.path(), &["src/[".to_owned()]).is_err());
    }
}
