//! The parts of a page in words as HTML: headings, sentences and tables that adapt to a narrow screen.

use super::escape;
use crate::report::document::{Block, Line, Piece, Table};

/// Rows of one table; more are counted only.
const ROWS: usize = 500;

/// Returns the parts, one after the other.
pub fn blocks(blocks: &[Block]) -> String {
    let titles = blocks.iter().filter(|block| matches!(block, Block::Title(_))).count();
    let mut first = true;
    let mut shown = String::new();
    for part in blocks {
        // The only title, or the first of several, names the page.
        let level = if std::mem::take(&mut first) && titles > 0 && matches!(part, Block::Title(_)) { 1 } else { 2 };
        shown.push_str(&block(part, level));
    }
    shown
}

fn block(block: &Block, level: u8) -> String {
    match block {
        Block::Title(title) => format!("<h{level}>{}</h{level}>\n", line(title)),
        Block::Lead(lines) if lines.len() == 1 => format!("<p class=\"lead\">{}</p>\n", line(&lines[0])),
        Block::Lead(lines) => {
            let items: Vec<String> = lines.iter().map(line).collect();
            format!("<ul class=\"lead\">\n<li>{}</li>\n</ul>\n", items.join("</li>\n<li>"))
        }
        Block::Paragraph(text) => format!("<p>{}</p>\n", line(text)),
        Block::Note(note) => format!("<p class=\"note\">{}</p>\n", line(note)),
        Block::Table(rows) => table(rows),
        Block::Details(summary, inner) => {
            format!("<details>\n<summary>{}</summary>\n{}</details>\n", line(summary), blocks(inner))
        }
    }
}

/// Returns a table; the first cell of a row names it.
fn table(table: &Table) -> String {
    let side =
        |place: usize| if table.columns.get(place).is_some_and(|column| column.right) { " class=\"n\"" } else { "" };
    let head: Vec<String> = table
        .columns
        .iter()
        .enumerate()
        .map(|(place, column)| format!("<th scope=\"col\"{}>{}</th>", side(place), line(&column.title)))
        .collect();
    let mut shown = format!(
        "<div class=\"scroll\" role=\"region\" aria-label=\"Table\" tabindex=\"0\">\n<table>\n<thead><tr>{}</tr></thead>\n<tbody>\n",
        head.concat()
    );
    for row in table.rows.iter().take(ROWS) {
        let cells: String = row
            .iter()
            .enumerate()
            .map(|(place, cell)| match place {
                0 => format!("<th scope=\"row\">{}</th>", line(cell)),
                _ => format!("<td{}>{}</td>", side(place), line(cell)),
            })
            .collect();
        shown.push_str(&format!("<tr>{cells}</tr>\n"));
    }
    shown.push_str("</tbody>\n</table>\n</div>\n");
    if table.rows.len() > ROWS {
        shown.push_str(&format!("<p class=\"note\">{} more rows are left out.</p>\n", table.rows.len() - ROWS));
    }
    shown
}

/// Returns a line of words and names.
pub fn line(line: &Line) -> String {
    line.iter()
        .map(|piece| match piece {
            Piece::Text(text) => escape::text(text),
            Piece::Strong(text) => format!("<strong>{}</strong>", escape::text(text)),
            Piece::Name(text) => escape::name(text),
        })
        .collect()
}

/// Returns a line as text without markup.
pub(super) fn plain(line: &Line) -> String {
    line.iter()
        .map(|piece| match piece {
            Piece::Text(text) | Piece::Strong(text) | Piece::Name(text) => text.as_str(),
        })
        .collect()
}
