//! Repositories in, one columnar history out: every record once, in order of time.

pub mod collect;
pub mod history;

pub use collect::Collector;
pub use history::{Attempts, Executions, History, Name, Names, RepositoryFacts};
