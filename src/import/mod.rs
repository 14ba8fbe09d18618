//! Other tools' files, read into the same records.

pub mod jsonl;
