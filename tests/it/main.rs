//! All integration tests in one binary, so that arrow, parquet and gix link once.
#![expect(clippy::disallowed_methods, reason = "tests play the person, who may do anything")]

mod formulas;
mod git_state;
mod golden;
mod hooks;
mod import;
mod laws;
mod learn;
mod null;
mod record;
mod schema;
mod space;
mod store;
