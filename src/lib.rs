//! meow runs a project's workflows, remembers every execution in git, and plans the next one with what it learnt.
//!
//! The rooms stand in the order of the sentence; each looks left only.

pub mod error;

pub mod clock;

pub mod git;

pub mod redact;

pub mod workflow;

pub mod plan;

pub mod execute;

pub mod record;

pub mod import;

pub mod store;

pub mod scan;

pub mod learn;

pub mod recommend;

pub mod report;

pub mod cli;
