//! A page as plain text for a terminal.

use comfy_table::{CellAlignment, Table as Grid, presets};

use super::document::{Block, Document, Line, Piece, Table};
use crate::redact::inert;

/// The width of a plain terminal.
const WIDTH: usize = 80;

/// What is not parted from the number before it.
const UNITS: [&str; 9] = ["%", "ms", "s", "min", "h", "B", "KiB", "MiB", "GiB"];

/// Returns the page as text with a line end; names can do nothing to a terminal.
pub fn text(document: &Document) -> String {
    let blocks: Vec<String> = document.blocks.iter().map(block).collect();
    format!("{}\n", blocks.join("\n\n"))
}

fn block(block: &Block) -> String {
    match block {
        Block::Title(title) => line(title),
        Block::Paragraph(text) | Block::Note(text) => wrapped(&line(text), ""),
        Block::Lead(lines) => lines.iter().map(|one| wrapped(&line(one), "  ")).collect::<Vec<_>>().join("\n"),
        Block::Table(table) => grid(table),
        Block::Details(summary, inner) => {
            let inner: Vec<String> = inner.iter().map(self::block).collect();
            format!("{}\n{}", line(summary), inner.join("\n\n"))
        }
    }
}

/// Returns words in lines of at most [`WIDTH`] characters where they allow it, the later ones indented.
fn wrapped(text: &str, indent: &str) -> String {
    let mut lines = vec![String::new()];
    let mut width = 0;
    for (place, word) in text.split(' ').fold(Vec::new(), with_units).into_iter().enumerate() {
        let length = word.chars().count();
        if place > 0 && width + 1 + length > WIDTH {
            lines.push(indent.to_owned());
            width = indent.len();
        } else if place > 0 {
            lines.last_mut().expect("one line at least").push(' ');
            width += 1;
        }
        lines.last_mut().expect("one line at least").push_str(&word);
        width += length;
    }
    lines.join("\n")
}

/// Adds a word to a list; a unit stays with its number.
fn with_units(mut words: Vec<String>, word: &str) -> Vec<String> {
    let unit = word.trim_end_matches(|letter: char| letter.is_ascii_punctuation() && letter != '%');
    match words.last_mut() {
        Some(last) if UNITS.contains(&unit) && last.ends_with(|letter: char| letter.is_ascii_digit()) => {
            last.push(' ');
            last.push_str(word);
        }
        _ => words.push(word.to_owned()),
    }
    words
}

fn line(line: &Line) -> String {
    line.iter()
        .map(|piece| match piece {
            Piece::Text(text) | Piece::Strong(text) | Piece::Name(text) => inert::terminal(text),
        })
        .collect()
}

fn grid(table: &Table) -> String {
    let mut grid = Grid::new();
    grid.load_style(presets::NOTHING);
    grid.set_header(table.columns.iter().map(|column| line(&column.title)));
    for row in &table.rows {
        grid.add_row(row.iter().map(line));
    }
    for (place, column) in table.columns.iter().enumerate() {
        if let (true, Some(cells)) = (column.right, grid.column_mut(place)) {
            cells.set_cell_alignment(CellAlignment::Right);
        }
    }
    // One space at each side of every cell is comfy-table's padding; the first one only indents.
    grid.trim_fmt()
}
