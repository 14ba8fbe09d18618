//! All integration tests in one binary, so that arrow, parquet and gix link once.
#![expect(clippy::disallowed_methods, reason = "tests play the person, who may do anything")]

mod demo;
mod examples;
mod execute;
mod formulas;
mod git_state;
mod golden;
mod hooks;
mod import;
mod init;
mod laws;
mod learn;
mod list;
mod null;
mod pages;
mod reading;
mod recommend;
mod record;
mod remember;
mod report;
mod scanning;
mod schema;
mod score;
mod sealing;
mod space;
mod store;
