//! The plan of an execution: what history hints at, checked against the graph, and who starts next.

pub mod capacity;
pub mod dispatch;
mod early;
pub mod graph;
pub mod hints;
pub mod pace;
pub mod policy;
pub mod predict;
pub mod resume;
pub mod timeline;

pub use dispatch::{Dispatcher, Known, Start, Verdict};
pub use graph::{Plan, PlannedStep, Selection, Skip, StepIndex, TimeLimit};
pub use hints::{Hints, Interval, Odds, StepHint, Transient};
pub use pace::Pace;
pub use policy::Policy;
pub use predict::Prediction;
pub use resume::Resumed;
pub use timeline::{GRAIN_MS, Run, Timeline, WAIT_MS, simulate};

use crate::error::Result;
use crate::workflow::Workflow;

/// What the machine allows.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Limits {
    /// Attempts that may run at once; 0 counts as 1.
    pub slots: u32,
    /// Processors that steps declaring `resources.cpu` share; the slots where absent.
    pub cpus: Option<f64>,
    /// Memory that running steps share, in bytes.
    pub memory_bytes: Option<u64>,
}

/// Returns the plan of one execution of `workflow`, every step selected.
///
/// # Errors
/// A need names no step, two steps share an id, or the needs form a cycle.
pub fn plan(workflow: &Workflow, hints: &Hints, limits: &Limits) -> Result<Plan> {
    let mut plan = graph::build(workflow, hints, limits)?;
    plan.measure();
    Ok(plan)
}
