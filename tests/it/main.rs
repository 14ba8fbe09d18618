//! All integration tests in one binary, so that arrow, parquet and gix link once.
#![expect(clippy::disallowed_methods, reason = "tests play the person, who may do anything")]

mod change;
mod config;
mod decisions;
mod demo;
mod examples;
mod execute;
mod formulas;
mod git_state;
mod golden;
mod help;
mod hooks;
mod import;
mod import_formats;
mod init;
mod json;
mod keeping;
mod landing;
mod laws;
mod learn;
mod list;
mod null;
mod orders;
mod outputs;
mod pages;
mod reading;
mod recommend;
mod record;
mod remember;
mod report;
mod roads;
mod scanning;
mod schema;
mod sealing;
mod space;
mod store;
