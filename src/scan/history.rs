//! The history of many repositories as columns: what learning reads.

use std::collections::HashMap;

use crate::record::{Digest, ExecutionId, Outcome, PARTIAL};

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
    /// Commits with what they touch, of the ranges that were asked for; empty until then.
    pub changes: Vec<Change>,
}

/// A commit and what it touches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Its id.
    pub commit: Digest,
    /// Those it follows.
    pub parents: Vec<Digest>,
    /// When it was made, seconds since 1970.
    pub time_s: i64,
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

/// A text that occurs many times, as a small number; see [`Names`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name(pub u32);

/// Texts by number and numbers by text.
#[derive(Debug, Clone, Default)]
pub struct Names {
    texts: Vec<Box<str>>,
    numbers: HashMap<Box<str>, u32>,
}

impl Names {
    /// Returns the name of `text`, new or known.
    ///
    /// # Panics
    /// Past 2³² different texts.
    pub fn intern(&mut self, text: &str) -> Name {
        if let Some(number) = self.numbers.get(text) {
            return Name(*number);
        }
        let number = u32::try_from(self.texts.len()).expect("fewer than 2^32 names");
        self.texts.push(text.into());
        self.numbers.insert(text.into(), number);
        Name(number)
    }

    /// Returns the name of `text` where it is known.
    pub fn find(&self, text: &str) -> Option<Name> {
        self.numbers.get(text).copied().map(Name)
    }

    /// Returns the text behind `name`.
    pub fn text(&self, name: Name) -> &str {
        &self.texts[name.0 as usize]
    }

    /// Returns how many names there are.
    pub fn len(&self) -> usize {
        self.texts.len()
    }

    /// Returns whether there is no name.
    pub fn is_empty(&self) -> bool {
        self.texts.is_empty()
    }
}

/// Columns of executions, all of one length.
#[derive(Debug, Clone, Default)]
pub struct Executions {
    /// Ids.
    pub id: Vec<ExecutionId>,
    /// Index into [`History::repositories`].
    pub repository: Vec<u32>,
    /// Workflow names.
    pub workflow: Vec<Name>,
    /// Start, milliseconds since 1970.
    pub started_ms: Vec<i64>,
    /// Wall time in milliseconds; NaN where it is unknown.
    pub duration_ms: Vec<f64>,
    /// How each ended.
    pub outcome: Vec<Outcome>,
    /// What started each.
    pub trigger: Vec<Name>,
    /// Machine classes.
    pub machine: Vec<Option<Name>>,
    /// Slots; 0 where it is unknown.
    pub slots: Vec<u32>,
    /// Commits checked out.
    pub commit: Vec<Option<Digest>>,
    /// Trees executed.
    pub tree: Vec<Option<Digest>>,
    /// Patch-ids of the commits checked out, or of what dirty work trees would become.
    pub patch: Vec<Option<Digest>>,
    /// Patch-ids of everything since the merge base with the default branch.
    pub range_patch: Vec<Option<Digest>>,
    /// Whether the work tree differed from the commit.
    pub dirty: Vec<Option<bool>>,
    /// Branches, by name or keyed hash.
    pub branch: Vec<Option<Name>>,
}

/// Columns of attempts, all of one length.
#[derive(Debug, Clone, Default)]
pub struct Attempts {
    /// Index into [`Executions`].
    pub execution: Vec<u32>,
    /// Step ids.
    pub step: Vec<Name>,
    /// Attempt numbers, from 1.
    pub attempt: Vec<u32>,
    /// When ready, in milliseconds since the execution began; NaN where it is unknown.
    pub ready_ms: Vec<f64>,
    /// When started, in milliseconds since the execution began.
    pub started_ms: Vec<f64>,
    /// Durations in milliseconds; NaN where unknown.
    pub duration_ms: Vec<f64>,
    /// How each ended.
    pub outcome: Vec<Outcome>,
    /// Whether meow stopped it at its time limit.
    pub timed_out: Vec<bool>,
    /// Processor time, user and kernel together, in milliseconds; NaN where it is unknown.
    pub cpu_ms: Vec<f64>,
    /// Peak memory in bytes; NaN where it is unknown.
    pub peak_memory_bytes: Vec<f64>,
    /// Input bytes known at the start; NaN where unknown.
    pub inputs_bytes: Vec<f64>,
    /// Predicted p10 in milliseconds; NaN where nothing was predicted.
    pub predicted_p10_ms: Vec<f64>,
    /// Predicted p50 in milliseconds; NaN where nothing was predicted.
    pub predicted_p50_ms: Vec<f64>,
    /// Predicted p90 in milliseconds; NaN where nothing was predicted.
    pub predicted_p90_ms: Vec<f64>,
    /// The slot each ran in, from 0.
    pub slot: Vec<Option<u32>>,
    /// Command hashes.
    pub command: Vec<Option<Digest>>,
    /// The steps each waited for: index into `needs_lists`.
    pub needs: Vec<u32>,
    /// Lists of step names, each list once.
    pub needs_lists: Vec<Vec<Name>>,
    /// Metrics of each attempt: (metric, value), sorted by name; most are empty.
    pub metrics: Vec<Box<[(Name, f64)]>>,
}

impl Executions {
    /// Returns the number of executions.
    pub fn len(&self) -> usize {
        self.id.len()
    }

    /// Returns whether there is none.
    pub fn is_empty(&self) -> bool {
        self.id.is_empty()
    }
}

impl Attempts {
    /// Returns the number of attempts.
    pub fn len(&self) -> usize {
        self.step.len()
    }

    /// Returns whether there is none.
    pub fn is_empty(&self) -> bool {
        self.step.is_empty()
    }
}
