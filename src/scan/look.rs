//! Repositories looked at and not read yet: enough to tell whether anything in them changed.

use rayon::prelude::*;

use super::History;
use super::repository::{self, Gathered, Listing};
use crate::git::Repository;
use crate::record::Digest;

/// Repositories with lists of what they hold.
#[derive(Debug)]
pub struct Looked(Vec<Listing>);

impl Looked {
    /// Looks at one repository.
    pub fn at(repository: &Repository) -> Self {
        Self(vec![Listing::of(repository.clone())])
    }

    pub(super) fn new(listings: Vec<Listing>) -> Self {
        Self(listings)
    }

    /// Returns a hash that is the same as long as [`Looked::read`] gives the same history; `None` where something cannot
    /// be read, which the history says in words.
    pub fn mark(&self) -> Option<Digest> {
        let mut mark = Mark::default();
        for listing in &self.0 {
            mark.part(listing.mark()?.bytes());
        }
        Some(mark.digest())
    }

    /// Reads the history.
    pub fn read(self) -> History {
        let gathered: Vec<Gathered> = self.0.into_par_iter().map(Listing::gather).collect();
        repository::collect(gathered)
    }
}

/// A hash of parts, each told from its neighbours.
#[derive(Default)]
pub(super) struct Mark(Vec<u8>);

impl Mark {
    /// Adds a part.
    pub fn part(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.extend((bytes.len() as u64).to_le_bytes());
        self.0.extend(bytes);
        self
    }

    /// Returns the hash of all parts.
    pub fn digest(&self) -> Digest {
        Digest::of(&self.0)
    }
}
