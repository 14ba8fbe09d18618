//! What a history teaches: patterns of steps and workflows with sample size, spread and confidence.

pub mod knowledge;

pub use knowledge::{Knowledge, Pattern, WorkflowPattern};
