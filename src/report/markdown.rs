//! A page as Markdown for a code review comment: short enough for every forge, strangers' names inert.

use super::document::{Block, Document, Line, Piece, Table};
use crate::redact::inert;

/// The first line of every page, by which a later page finds and replaces an earlier comment.
pub const MARKER: &str = "<!-- meow:report -->";
/// Longest page in characters; GitHub takes 65,536.
pub const LIMIT: usize = 60_000;

/// Returns the page as Markdown of at most [`LIMIT`] characters.
///
/// A page that is too long keeps fewer rows of every table, and then fewer folded parts, and says how many it left out.
pub fn markdown(document: &Document) -> String {
    fitting(document, |page| page.chars().count() <= LIMIT).unwrap_or_else(too_long)
}

/// Returns the page as Markdown of at most so many bytes, cut in the same way; `None` where not even that it was cut
/// fits.
pub fn markdown_within(document: &Document, bytes: usize) -> Option<String> {
    fitting(document, |page| page.len() <= bytes).or_else(|| Some(too_long()).filter(|page| page.len() <= bytes))
}

fn fitting(document: &Document, fits: impl Fn(&str) -> bool) -> Option<String> {
    let rows = [usize::MAX, 1_000, 500, 200, 100, 50, 20, 10, 5, 2, 1, 0];
    rows.iter().map(|most| page(document, *most)).find(|page| fits(page))
}

fn too_long() -> String {
    format!("{MARKER}\nThe page does not fit here; `meow report --format text` shows it.\n")
}

fn page(document: &Document, most: usize) -> String {
    format!("{MARKER}\n{}\n", blocks(&document.blocks, most).join("\n\n"))
}

fn blocks(blocks: &[Block], most: usize) -> Vec<String> {
    let mut shown = Vec::new();
    let mut folded = 0_usize;
    for part in blocks {
        if matches!(part, Block::Details(..)) {
            folded += 1;
            if folded > most {
                continue;
            }
        }
        shown.push(block(part, most));
    }
    if folded > most {
        shown.push(format!("… {} more folded parts", folded - most));
    }
    shown
}

fn block(block: &Block, most: usize) -> String {
    match block {
        Block::Title(title) => format!("### {}", line(title)),
        Block::Lead(lines) if lines.len() == 1 => line(&lines[0]),
        Block::Lead(lines) => lines.iter().map(|one| format!("- {}", line(one))).collect::<Vec<_>>().join("\n"),
        Block::Paragraph(text) => line(text),
        Block::Note(note) => format!("<sub>{}</sub>", line(note)),
        Block::Table(table) => rows(table, most),
        // The blank lines make a forge read what is inside as Markdown again.
        Block::Details(summary, inner) => {
            format!(
                "<details><summary>{}</summary>\n\n{}\n\n</details>",
                html(summary),
                blocks(inner, most).join("\n\n")
            )
        }
    }
}

fn rows(table: &Table, most: usize) -> String {
    let cells = |row: &[Line]| format!("| {} |", row.iter().map(line).collect::<Vec<_>>().join(" | "));
    let titles: Vec<Line> = table.columns.iter().map(|column| column.title.clone()).collect();
    let rule: Vec<&str> = table.columns.iter().map(|column| if column.right { "--:" } else { "---" }).collect();
    let mut lines = vec![cells(&titles), format!("| {} |", rule.join(" | "))];
    lines.extend(table.rows.iter().take(most).map(|row| cells(row)));
    if table.rows.len() > most {
        lines.push(format!("\n… {} more rows", table.rows.len() - most));
    }
    lines.join("\n")
}

fn line(line: &Line) -> String {
    line.iter()
        .map(|piece| match piece {
            Piece::Text(text) => inert::prose(text),
            Piece::Strong(text) => format!("**{}**", inert::prose(text)),
            Piece::Name(text) => inert::markdown(text),
        })
        .collect()
}

/// Within an HTML tag's own line a code span is not read, but entities are.
fn html(line: &Line) -> String {
    line.iter()
        .map(|piece| match piece {
            Piece::Text(text) | Piece::Strong(text) => inert::prose(text),
            Piece::Name(text) => format!("<code>{}</code>", inert::prose(&text.chars().take(100).collect::<String>())),
        })
        .collect()
}
