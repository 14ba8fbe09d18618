//! What a history teaches: patterns of steps and workflows with sample size, spread and confidence.

pub(crate) mod again;
pub(crate) mod asked;
pub mod beta;
mod bounds;
mod by_size;
pub mod causes;
pub mod change;
pub(crate) mod current;
pub mod doubts;
mod experts;
pub mod failure;
pub mod flaky;
mod foresee;
pub mod health;
pub(crate) mod held;
pub mod hints;
pub mod insight;
mod kin;
pub mod knowledge;
mod learnt;
pub mod limits;
mod line;
mod logistic;
mod machines;
pub mod memory;
mod mixture;
mod near;
pub mod newcomers;
pub mod news;
mod next;
pub mod norm;
mod order;
mod outlook;
mod packed;
mod patterns;
pub mod predictor;
pub(crate) mod red;
pub mod replay;
pub mod rules;
pub mod score;
mod signs;
pub mod sized;
mod spread;
pub mod state;
pub(crate) mod statistics;
pub(crate) mod timeline;
pub mod touch;
pub mod transient;
mod trends;
pub mod verdicts;
mod window;

pub use by_size::{BySize, Third, by_size};
pub use foresee::{Coming, Foreseen, Foresight, foresee};
pub use health::{Health, health};
pub use hints::{LIMIT, LimitRule, hints, slow_ms, time_limit_ms};
pub use insight::{Insight, insights};
pub use knowledge::{Flakiness, Knowledge, Pattern, Verdict, WorkflowPattern};
pub use learnt::{FORMAT, Learnt};
pub use outlook::outlook;
pub use spread::median;
pub use state::State;
pub use trends::{Edge, Ratio, Touched, Trend, trends};

use crate::scan::History;

/// Returns the state with a history folded in, and what it all teaches.
///
/// Linear in the history's rows (times the logarithm of their number), the same for any order of records, and the same
/// whether histories are folded in one by one or together, as long as each record, and each execution as a whole, comes
/// once. Only passed attempts teach durations; cancelled ones count for nothing.
pub fn learn(state: State, history: &History) -> (State, Knowledge) {
    let state = state.merge(State::since(history, 0));
    let knowledge = patterns::knowledge(&state, &next::next(&state, |_| None));
    (state, knowledge)
}
