//! What of a repository can cause execution, by path and hash, and how it differs from what a person trusted.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// One file that can cause execution.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bound {
    /// Its path from the top, or a name for what stands in no file of its own.
    pub path: String,
    /// The BLAKE3 hash of its bytes: 64 hex digits, because whoever writes a file could find two for a shorter one.
    pub hash: String,
    /// Its text, so that a later difference can be shown; absent where it is too long to keep, or no text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// Everything of a repository that can cause execution.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Content {
    files: BTreeMap<String, Bound>,
}

/// How one file differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Difference {
    /// It is as it was.
    Unchanged,
    /// Its bytes are others.
    Changed,
    /// It was not there.
    Added,
    /// It is not there any more.
    Removed,
}

impl Difference {
    /// Returns the word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Unchanged => "unchanged",
            Self::Changed => "changed",
            Self::Added => "added",
            Self::Removed => "removed",
        }
    }
}

impl Content {
    /// Adds a file.
    ///
    /// # Errors
    /// Another one has the same path, as messages name it: one of the two would go unseen.
    pub fn add(&mut self, path: &str, bytes: &[u8]) -> Result<()> {
        let text = str::from_utf8(bytes).ok().map(str::to_owned);
        let bound = Bound { path: path.to_owned(), hash: hash(bytes), text };
        match self.files.insert(path.to_owned(), bound) {
            None => Ok(()),
            Some(_) => Err(Error::request(format!("two files are called {}", path.escape_debug()))
                .hint("rename one of them, in letters that every system knows")),
        }
    }

    /// Returns whether these are the bytes of the file at `path`.
    pub fn holds(&self, path: &str, bytes: &[u8]) -> bool {
        self.files.get(path).is_some_and(|bound| bound.hash == hash(bytes))
    }

    /// Returns the files by path.
    pub fn files(&self) -> impl Iterator<Item = &Bound> {
        self.files.values()
    }

    /// Returns the hash of all paths and hashes: equal for equal content only.
    pub fn hash(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        for bound in self.files.values() {
            hasher.update(&(bound.path.len() as u64).to_le_bytes());
            hasher.update(bound.path.as_bytes()).update(bound.hash.as_bytes());
        }
        hasher.finalize().to_hex().to_string()
    }

    /// Returns every file of both contents with how it differs from `before`, by path.
    pub fn since<'a>(&'a self, before: &'a Self) -> Vec<(Difference, &'a Bound)> {
        let mut all: BTreeMap<&str, (Difference, &Bound)> = BTreeMap::new();
        for bound in before.files.values() {
            all.insert(&bound.path, (Difference::Removed, bound));
        }
        for bound in self.files.values() {
            let difference = match before.files.get(&bound.path) {
                None => Difference::Added,
                Some(old) if old.hash == bound.hash => Difference::Unchanged,
                Some(_) => Difference::Changed,
            };
            all.insert(&bound.path, (difference, bound));
        }
        all.into_values().collect()
    }

    /// Returns the text of the file at `path`, where it is known.
    pub fn text(&self, path: &str) -> Option<&str> {
        self.files.get(path)?.text.as_deref()
    }
}

impl FromIterator<Bound> for Content {
    fn from_iter<T: IntoIterator<Item = Bound>>(files: T) -> Self {
        Self { files: files.into_iter().map(|bound| (bound.path.clone(), bound)).collect() }
    }
}

fn hash(bytes: &[u8]) -> String {
    blake3::hash(bytes).to_hex().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(files: &[(&str, &str)]) -> Content {
        let mut content = Content::default();
        for (path, text) in files {
            content.add(path, text.as_bytes()).expect("paths differ");
        }
        content
    }

    #[test]
    fn any_difference_gives_another_hash_and_is_named() {
        let trusted = content(&[("a.toml", "one"), ("b.toml", "two")]);
        let check = |files: &[(&str, &str)], expected: &str| {
            let now = content(files);
            let shown: Vec<String> =
                now.since(&trusted).iter().map(|(how, bound)| format!("{} {}", how.word(), bound.path)).collect();
            assert_eq!(shown.join(", "), expected);
            assert_ne!(now.hash(), trusted.hash(), "{expected}");
        };
        let same = content(&[("b.toml", "two"), ("a.toml", "one")]);
        assert_eq!((same.hash(), same.since(&trusted)[0].0), (trusted.hash(), Difference::Unchanged));
        check(&[("a.toml", "one"), ("b.toml", "three")], "unchanged a.toml, changed b.toml");
        check(&[("a.toml", "one")], "unchanged a.toml, removed b.toml");
        check(&[("a.toml", "one"), ("b.toml", "two"), ("c", "")], "unchanged a.toml, unchanged b.toml, added c");
        check(&[("a.toml", "two"), ("b.toml", "one")], "changed a.toml, changed b.toml");
        check(&[], "removed a.toml, removed b.toml");
    }

    #[test]
    fn bytes_are_known_by_path() {
        let content = content(&[("a.toml", "one")]);
        assert!(content.holds("a.toml", b"one"));
        assert!(!content.holds("a.toml", b"two") && !content.holds("b.toml", b"one"));
    }

    #[test]
    fn no_file_goes_unseen_behind_another() {
        let mut content = content(&[("a.toml", "one")]);
        assert!(content.add("a.toml", b"two").is_err());
    }
}
