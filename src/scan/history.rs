//! The history of many repositories as columns: what learning reads.

use serde::{Deserialize, Serialize};

pub use crate::record::columns::{Attempts, Executions, Name, Names};
use crate::record::{Digest, PARTIAL};

/// Everything recorded in a set of repositories, each record once.
///
/// Executions are sorted by start, then id; attempts by their execution's place, then start.
#[derive(Debug, Clone, Default)]
pub struct History {
    /// The repositories it was read from.
    pub repositories: Vec<RepositoryFacts>,
    /// The text behind every [`Name`].
    pub names: Names,
    /// One entry an execution in each column.
    pub executions: Executions,
    /// One entry an attempt in each column.
    pub attempts: Attempts,
    /// Commits with what they touch, of the ranges or executions that were asked for; empty until then.
    pub changes: Vec<Change>,
}

/// A commit and what it touches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Its id.
    pub commit: Digest,
    /// Those it follows.
    pub parents: Vec<Digest>,
    /// When it was made, seconds since 1970.
    pub time_s: i64,
    /// How many paths differ from its first parent, without meow's own data.
    pub files: u32,
    /// The paths that differ from its first parent, sorted, without meow's own data; empty past 1,000.
    pub paths: Vec<String>,
}

impl History {
    /// Returns whether an execution ran only steps that were selected: its end and its wall time say nothing of the
    /// whole workflow.
    pub fn is_partial(&self, execution: usize) -> bool {
        self.names.text(self.executions.trigger[execution]) == PARTIAL
    }
}

/// What is known of one repository that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepositoryFacts {
    /// How people call it: the name of its folder without `.git`.
    pub name: String,
    /// Its first commit, which tells clones of one project from other projects.
    pub root: Option<Digest>,
    /// Records it gave that no repository before it had given.
    pub records: usize,
    /// What was skipped, damaged or absent, in words for people.
    pub warnings: Vec<String>,
}
