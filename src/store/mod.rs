//! Records to bytes and back: the journal while an execution runs, Parquet segments for ever, TOML beside them.
#![expect(clippy::disallowed_methods, reason = "this room reads and writes the store's files")]

pub mod cache;
pub mod columns;
mod disk;
mod files;
mod guard;
pub mod history;
pub mod journal;
pub mod removal;
pub mod schema;
pub mod seal;
pub mod segment;
pub mod spool;
pub mod table;
mod taking;
pub mod toml;

pub use files::{Segment, add, segments, sweep_old, write};
pub use toml::{get, keep_only, list, put, texts};
