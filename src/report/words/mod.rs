//! Pages put into words.

mod analysis;
pub(super) mod comparison;
mod executions;
mod gate;
mod insights;
mod learning;
mod losses;

use super::document::{Block, Line, Table, name, words};
use super::losses::{Open, Skipped};

pub use executions::moment;
pub use insights::{Extent, far_outside};
pub(super) use insights::{sentence, sure};

/// Returns the open recommendations as a table, or nothing where there is none.
fn recommendations(open: &[Open]) -> Option<Block> {
    let mut table = Table::new(&["recommendation", "workflow", ">gain a week", ">confidence", ">n", "id"]);
    for advice in open {
        let [low, median, high] = advice.gain_minutes.map(|minutes| super::format::duration(minutes * 60_000.0));
        table.rows.push(vec![
            quoting(&advice.title),
            vec![name(&advice.workflow)],
            vec![words(format!("{median} ({low} – {high})"))],
            vec![words(super::format::percent(advice.confidence))],
            vec![words(advice.n.to_string())],
            vec![name(advice.id.chars().take(8).collect::<String>())],
        ]);
    }
    let title = format!("Open recommendations ({})", open.len());
    (!open.is_empty()).then(|| Block::Details(vec![words(title)], vec![Block::Table(table)]))
}

/// Returns a sentence whose parts between backticks are names.
pub(super) fn quoting(sentence: &str) -> Line {
    let parts = sentence.split('`').enumerate().filter(|(_, part)| !part.is_empty());
    parts.map(|(place, part)| if place % 2 == 1 { name(part) } else { words(part) }).collect()
}

/// Returns what could not be read as a table, or nothing where all could.
fn skipped(skipped: &[Skipped]) -> Option<Block> {
    let mut table = Table::new(&["repository", "why"]);
    for one in skipped {
        table.row([name(&one.repository), words(&one.reason)]);
    }
    let title = format!("Skipped or damaged ({})", skipped.len());
    (!skipped.is_empty()).then(|| Block::Details(vec![words(title)], vec![Block::Table(table)]))
}
