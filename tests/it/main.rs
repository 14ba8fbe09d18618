//! All integration tests in one binary, so that arrow, parquet and gix link once.
#![expect(clippy::disallowed_methods, reason = "tests play the person, who may do anything")]

mod formulas;
mod git_state;
mod golden;
mod hooks;
mod laws;
mod learn;
mod null;
mod scanning;
mod schema;
mod sealing;
mod space;
mod store;
