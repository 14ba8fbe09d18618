//! Pages put into words.

mod analysis;
mod comparison;
mod executions;
mod losses;

use super::document::{Block, Table, name, words};
use super::losses::{Open, Skipped};

/// Returns the open recommendations as a table, or nothing where there is none.
fn recommendations(open: &[Open]) -> Option<Block> {
    let mut table = Table::new(&["recommendation", "workflow", ">gain, minutes a week", ">confidence", ">n", "id"]);
    for advice in open {
        let [low, median, high] = advice.gain_minutes;
        table.row([
            words(&advice.title),
            name(&advice.workflow),
            words(format!("{median:.1} ({low:.1} – {high:.1})")),
            words(super::format::percent(advice.confidence)),
            words(advice.n.to_string()),
            name(advice.id.chars().take(8).collect::<String>()),
        ]);
    }
    let title = format!("Open recommendations ({})", open.len());
    (!open.is_empty()).then(|| Block::Details(vec![words(title)], vec![Block::Table(table)]))
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
