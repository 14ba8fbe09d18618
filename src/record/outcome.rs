//! How an attempt or an execution ended.

use serde::{Deserialize, Serialize};

/// How an attempt or an execution ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It did what it should.
    Passed,
    /// It ran and failed: exit code, signal, timeout, or it could not start.
    Failed,
    /// It was stopped from outside, or never came to its end.
    Cancelled,
}

impl Outcome {
    /// Every outcome with its word, as it stands in files and columns.
    pub const WORDS: [(Self, &str); 3] =
        [(Self::Passed, "passed"), (Self::Failed, "failed"), (Self::Cancelled, "cancelled")];

    /// Returns the outcome's word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Returns the outcome with this word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::WORDS.iter().find(|(_, known)| *known == word).map(|(outcome, _)| *outcome)
    }
}
