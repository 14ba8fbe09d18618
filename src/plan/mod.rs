//! The plan of an execution: what history hints at, checked against the graph, and who starts next.

pub mod hints;

pub use hints::{Hints, Interval, Odds, StepHint};
