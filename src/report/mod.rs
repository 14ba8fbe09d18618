//! Pages as plain data, rendered as text, Markdown, HTML and JSON.

pub mod analysis;
mod annotations;
mod badge;
pub mod changes;
pub mod compare;
pub mod diff;
pub mod document;
pub mod executions;
pub mod gate;
pub mod html;
pub mod insights;
pub mod learning;
pub mod losses;
mod markdown;
pub mod review;
mod series;
pub mod sides;
mod text;
pub mod trace;
mod words;

pub use analysis::{Analysis, analysis};
pub use annotations::annotations;
pub use badge::badge;
pub use compare::{Comparison, Names, compare};
pub use document::Document;
pub use executions::{Log, Single, Status, find, log, single, status};
pub use html::html;
pub use insights::{Insights, insights};
pub use learning::{LearningReport, learning_report};
pub use losses::{Losses, losses};
pub use markdown::{LIMIT, MARKER, markdown, markdown_within};
pub use review::{Review, review};
pub use series::Accepted;
pub use sides::{Found, Landmarks, Side, Sources, by_source, by_week, next_side_ms};
pub use text::{PLAIN, text};
pub use trace::trace;
pub use words::{Extent, far_outside, moment};

pub use crate::recommend::words as format;
use serde::Serialize;

use crate::redact::inert;

/// Returns a page as JSON, two spaces a level, with a line end.
///
/// # Panics
/// Never: pages hold only what JSON can say.
pub fn json(page: &impl Serialize) -> String {
    let text = serde_json::to_string_pretty(page).expect("pages are plain data with text keys");
    inert::json(&text).into_owned() + "\n"
}
