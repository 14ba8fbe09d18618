//! Object ids, of either hash.

use std::fmt;

/// The id of a commit, tree or blob: 20 bytes, or 32 in a SHA-256 repository.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Oid(pub(super) gix::ObjectId);

impl Oid {
    /// Returns the bytes.
    pub fn bytes(&self) -> &[u8] {
        self.0.as_slice()
    }

    /// Returns the id of these bytes, or `None` where they are too few or too many.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        gix::ObjectId::try_from(bytes).ok().map(Self)
    }

    /// Returns the id written in full hexadecimal.
    pub fn from_hex(text: &str) -> Option<Self> {
        gix::ObjectId::from_hex(text.as_bytes()).ok().map(Self)
    }
}

impl fmt::Display for Oid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Oid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
