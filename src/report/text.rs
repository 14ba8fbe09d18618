//! A page as plain text for a terminal.

use comfy_table::{CellAlignment, Table as Grid, presets};

use super::document::{Block, Document, Line, Piece, Table};
use crate::redact::inert;

/// Returns the page as text with a line end; names can do nothing to a terminal.
pub fn text(document: &Document) -> String {
    let blocks: Vec<String> = document.blocks.iter().map(block).collect();
    format!("{}\n", blocks.join("\n\n"))
}

fn block(block: &Block) -> String {
    match block {
        Block::Title(title) | Block::Paragraph(title) | Block::Note(title) => line(title),
        Block::Lead(lines) => lines.iter().map(line).collect::<Vec<_>>().join("\n"),
        Block::Table(table) => grid(table),
        Block::Details(summary, inner) => {
            let inner: Vec<String> = inner.iter().map(self::block).collect();
            format!("{}\n{}", line(summary), inner.join("\n\n"))
        }
    }
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
