//! Repositories looked at and not read yet: enough to tell whether anything in them changed.

use rayon::prelude::*;

use super::repository::{Gathered, Listing};
use super::{Collector, History};
use crate::git::Repository;
use crate::record::Digest;

/// Repositories a thread that are read at once, so that few of them are in memory beside the history.
const AT_ONCE: usize = 8;

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

    /// Reads the history: some repositories at once, while those before them are taken in.
    pub fn read(self) -> History {
        let all = self.0.len();
        let (mut collector, mut waiting) = (Collector::default(), Vec::new());
        let add = |gathered: Vec<Gathered>, collector: &mut Collector| {
            for one in gathered {
                collector.expect(1, all);
                one.add_to(collector);
            }
        };
        let mut rest = self.0.into_iter();
        while !rest.as_slice().is_empty() {
            let window: Vec<Listing> = rest.by_ref().take(AT_ONCE * rayon::current_num_threads()).collect();
            let gather = || window.into_par_iter().map(Listing::gather).collect::<Vec<_>>();
            let ((), gathered) = rayon::join(|| add(std::mem::take(&mut waiting), &mut collector), gather);
            waiting = gathered;
        }
        add(waiting, &mut collector);
        collector.finish()
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
