//! A page as plain text for a terminal.

use comfy_table::{CellAlignment, Table as Grid, presets};

use super::document::{Block, Document, Line, Piece, Table};
use crate::redact::inert;

/// The width of a plain terminal.
const WIDTH: usize = 80;

/// What numbers have beside names that fill a terminal alone.
const BESIDE: usize = 30;

/// What is not parted from the number before it.
const UNITS: [&str; 9] = ["%", "ms", "s", "min", "h", "B", "KiB", "MiB", "GiB"];

/// Returns the page as text with a line end; names can do nothing to a terminal.
pub fn text(document: &Document) -> String {
    let blocks: Vec<String> = document.blocks.iter().map(block).collect();
    inert::lines(&blocks.join("\n\n")) + "\n"
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

/// Returns a table; what does not fit beside its first columns of words goes on below, beside the same.
fn grid(table: &Table) -> String {
    let width = |place: &usize| {
        let cells = table.rows.iter().filter_map(|row| row.get(*place)).map(|cell| line(cell).chars().count());
        // One space at each side.
        cells.chain([line(&table.columns[*place].title).chars().count()]).max().unwrap_or(0) + 2
    };
    let lead: Vec<usize> = (0..table.columns.len()).take_while(|place| !table.columns[*place].right).collect();
    let names: usize = lead.iter().map(width).sum();
    let room = WIDTH.max(names + BESIDE);
    let mut parts = vec![lead.clone()];
    let mut used = names;
    for place in lead.len()..table.columns.len() {
        let own = width(&place);
        if used + own > room + 1 && used > names {
            parts.push(lead.clone());
            used = names;
        }
        parts.last_mut().expect("one part at least").push(place);
        used += own;
    }
    parts.iter().map(|columns| part(table, columns)).collect::<Vec<_>>().join("\n\n")
}

/// Returns some columns of a table.
fn part(table: &Table, columns: &[usize]) -> String {
    let mut grid = Grid::new();
    grid.load_style(presets::NOTHING);
    grid.set_header(columns.iter().map(|place| line(&table.columns[*place].title)));
    for row in &table.rows {
        grid.add_row(columns.iter().map(|place| row.get(*place).map_or_else(String::new, line)));
    }
    for (place, column) in columns.iter().enumerate() {
        if let (true, Some(cells)) = (table.columns[*column].right, grid.column_mut(place)) {
            cells.set_cell_alignment(CellAlignment::Right);
        }
    }
    // One space at each side of every cell is comfy-table's padding; the first one only indents.
    grid.trim_fmt()
}
