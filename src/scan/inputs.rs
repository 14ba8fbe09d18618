//! What a step reads: size and content of the files that its declared inputs name.

use std::fs;
use std::path::{Path, PathBuf};

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use walkdir::{DirEntry, WalkDir};

use crate::error::{Error, Result};

/// Files and folders that are looked at for one step; what is larger has no size, rather than a long wait for it.
const MOST_ENTRIES: usize = 100_000;
/// Bytes that are hashed for one step, likewise.
const MOST_BYTES: u64 = 1 << 30;

/// Returns the bytes of the files below `root` that any of the patterns names; `None` past 100,000 files and folders.
///
/// A pattern is a file, a folder with all below it, or has `*`, `?`, `[…]` and `{…}` within a name and `**` for any
/// folders. Links are not followed, and `.git` is left out.
///
/// # Errors
/// A pattern is none.
pub fn bytes(root: &Path, patterns: &[String]) -> Result<Option<u64>> {
    let mut bytes = 0;
    let whole = each(root, patterns, &mut |_, entry| {
        if entry.file_type().is_file() {
            bytes += entry.metadata().map_or(0, |facts| facts.len());
        }
        true
    })?;
    Ok(whole.then_some(bytes))
}

/// Returns the keyed hash of paths and contents of these files, of the targets of links, and of whether a file can be
/// executed. The project's own `.meow` is left out. `None` where there are no such files, one cannot be read, or they are
/// more than 100,000 files and folders or 1 GiB: of these nothing is known.
///
/// # Errors
/// A pattern is none.
pub fn hash(root: &Path, patterns: &[String], key: &[u8; 32]) -> Result<Option<[u8; 32]>> {
    let mut files: Vec<(PathBuf, PathBuf)> = Vec::new();
    let mut bytes = 0_u64;
    let whole = each(root, patterns, &mut |path, entry| {
        if !path.starts_with(".meow") {
            files.push((path.to_path_buf(), entry.path().to_path_buf()));
            bytes = bytes.saturating_add(entry.metadata().map_or(0, |facts| facts.len()));
        }
        bytes <= MOST_BYTES
    })?;
    if !whole || files.is_empty() {
        return Ok(None);
    }
    files.sort();
    let mut hasher = blake3::Hasher::new_keyed(key);
    for (path, file) in files {
        let Some((kind, content)) = content(&file, key) else { return Ok(None) };
        let path = path.as_os_str().as_encoded_bytes();
        hasher.update(&(path.len() as u64).to_le_bytes()).update(path).update(&[kind]).update(&content);
    }
    Ok(Some(*hasher.finalize().as_bytes()))
}

/// Returns what kind of file it is, and the hash of what it holds.
fn content(file: &Path, key: &[u8; 32]) -> Option<(u8, [u8; 32])> {
    use std::os::unix::fs::PermissionsExt;
    let facts = file.symlink_metadata().ok()?;
    let mut hasher = blake3::Hasher::new_keyed(key);
    let kind = if facts.is_symlink() {
        hasher.update(fs::read_link(file).ok()?.as_os_str().as_encoded_bytes());
        2
    } else {
        // What grows while it is read is read to where it ended.
        let mut opened = std::io::Read::take(fs::File::open(file).ok()?, facts.len());
        hasher.update_reader(&mut opened).ok()?;
        u8::from(facts.permissions().mode() & 0o111 != 0)
    };
    Some((kind, *hasher.finalize().as_bytes()))
}

/// Hands every file and link that a pattern names to `take`, with its path below `root`, until that has enough; returns
/// whether these were all.
fn each(root: &Path, patterns: &[String], take: &mut dyn FnMut(&Path, &DirEntry) -> bool) -> Result<bool> {
    let set = globs(patterns)?;
    let mut starts: Vec<PathBuf> = patterns.iter().map(|pattern| root.join(start(pattern))).collect();
    starts.sort();
    // A folder comes before what lies in it.
    starts.dedup_by(|below, above| below.starts_with(above));
    let mut seen = 0;
    for start in starts {
        let walk = WalkDir::new(start).into_iter().filter_entry(|entry| entry.file_name() != ".git");
        // What cannot be read has no size, and a declared input that is not there none either.
        for entry in walk.filter_map(std::result::Result::ok) {
            seen += 1;
            if seen > MOST_ENTRIES {
                return Ok(false);
            }
            let Ok(path) = entry.path().strip_prefix(root) else { continue };
            let is_file = entry.file_type().is_file() || entry.file_type().is_symlink();
            if is_file && set.is_match(path) && !take(path, &entry) {
                return Ok(false);
            }
        }
    }
    Ok(true)
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
mod tests {
    use super::*;

    #[test]
    fn files_folders_and_stars_are_counted_once() {
        let folder = tempfile::tempdir().expect("a folder");
        for (path, bytes) in [("src/a.rs", 10), ("src/deep/b.rs", 20), ("src/deep/c.txt", 40), ("Cargo.lock", 80)] {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            fs::write(path, vec![b'x'; bytes]).expect("written");
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

    #[test]
    fn the_hash_changes_with_names_contents_and_modes_of_what_is_named_alone() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let folder = tempfile::tempdir().expect("a folder");
        let at = |path: &str| folder.path().join(path);
        let write = |path: &str, text: &str| {
            fs::create_dir_all(at(path).parent().expect("a folder")).expect("made");
            fs::write(at(path), text).expect("written");
        };
        let now = || hash(folder.path(), &["src".to_owned(), "data.*".to_owned()], &[7; 32]).expect("patterns");
        assert_eq!(now(), None, "nothing is there");
        write("src/a", "one");
        write("src/b", "two");
        let first = now().expect("a hash");
        write("other", "no input");
        write("src/a", "one");
        assert_eq!(now(), Some(first), "the same again");
        assert_ne!(hash(folder.path(), &["src".to_owned()], &[8; 32]).expect("patterns"), Some(first), "another key");
        let mut seen = vec![first];
        let mut check = |what: &str| {
            let hash = now().expect("a hash");
            assert!(!seen.contains(&hash), "{what}");
            seen.push(hash);
        };
        write("src/a", "two");
        check("content");
        fs::rename(at("src/b"), at("src/c")).expect("renamed");
        check("a name");
        fs::set_permissions(at("src/a"), fs::Permissions::from_mode(0o755)).expect("set");
        check("a mode");
        symlink("a", at("data.link")).expect("linked");
        check("a link");
        fs::remove_file(at("data.link")).expect("removed");
        symlink("c", at("data.link")).expect("linked");
        check("its target");
        write(".meow/x", "meow's own");
        let all = |root: &Path| hash(root, &["**".to_owned()], &[7; 32]).expect("a pattern").expect("a hash");
        let before = all(folder.path());
        write(".meow/x", "is no input");
        assert_eq!(all(folder.path()), before);
        fs::File::create(at("data.large")).and_then(|file| file.set_len(MOST_BYTES + 1)).expect("sparse");
        assert_eq!(now(), None, "too much");
    }
}
