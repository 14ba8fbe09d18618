//! A page as plain text for a terminal.

use comfy_table::{CellAlignment, Table as Grid, presets};

use super::document::{Block, Document, Line, Piece, Table};
use crate::redact::inert;

/// The width of a plain terminal; prose is no wider on any.
pub const PLAIN: usize = 80;

/// What numbers have beside names that fill a terminal alone.
const BESIDE: usize = 30;

/// Cells of words are made no narrower.
const NARROW: usize = 12;

/// What is not parted from the number before it.
const UNITS: [&str; 9] = ["%", "ms", "s", "min", "h", "B", "KiB", "MiB", "GiB"];

/// Returns the page as text with a line end, its tables at most so many characters wide where names allow it; names can
/// do nothing to a terminal.
pub fn text(document: &Document, width: usize) -> String {
    let blocks: Vec<String> = document.blocks.iter().map(|one| block(one, width)).collect();
    inert::lines(&blocks.join("\n\n")) + "\n"
}

fn block(block: &Block, width: usize) -> String {
    match block {
        Block::Title(title) => line(title),
        Block::Paragraph(text) | Block::Note(text) => wrapped(&line(text), "", width.min(PLAIN)),
        Block::Lead(lines) => lines.iter().map(|one| sentence(one, width)).collect::<Vec<_>>().join("\n"),
        Block::Table(table) => grid(table, width),
        Block::Details(summary, inner) => {
            let inner: Vec<String> = inner.iter().map(|one| self::block(one, width)).collect();
            format!("{}\n{}", line(summary), inner.join("\n\n"))
        }
    }
}

/// Returns a line of its own; what is but a name, such as a line of a file, is not broken.
fn sentence(one: &Line, width: usize) -> String {
    let text = line(one);
    if matches!(one[..], [Piece::Name(_)]) { text } else { wrapped(&text, "  ", width.min(PLAIN)) }
}

/// Returns words in lines of at most `most` characters where they allow it, the later ones indented.
fn wrapped(text: &str, indent: &str, most: usize) -> String {
    let mut lines = vec![String::new()];
    let mut width = 0;
    for (place, word) in text.split(' ').fold(Vec::new(), with_units).into_iter().enumerate() {
        let length = word.chars().count();
        if place > 0 && width + 1 + length > most {
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
fn grid(table: &Table, width: usize) -> String {
    let lead: Vec<usize> = (0..table.columns.len()).take_while(|place| !table.columns[*place].right).collect();
    let all: Vec<usize> = (0..table.columns.len()).map(|place| widest(table, place)).collect();
    let beside = if lead.len() < all.len() { BESIDE } else { 0 };
    let fitted = fitted(table, &all[..lead.len()], width.saturating_sub(beside), width);
    let names: usize = fitted.iter().sum();
    let room = width.max(names + BESIDE);
    let mut parts = vec![lead.clone()];
    let mut used = names;
    for (place, own) in all.iter().enumerate().skip(lead.len()) {
        if used + own > room + 1 && used > names {
            parts.push(lead.clone());
            used = names;
        }
        parts.last_mut().expect("one part at least").push(place);
        used += own;
    }
    parts.iter().map(|columns| part(table, columns, &fitted)).collect::<Vec<_>>().join("\n\n")
}

/// Returns the characters that a column takes, with one space at each side.
fn widest(table: &Table, place: usize) -> usize {
    let cells = table.rows.iter().filter_map(|row| row.get(place)).map(|cell| line(cell).chars().count());
    cells.chain([line(&table.columns[place].title).chars().count()]).max().unwrap_or(0) + 2
}

/// Returns how wide the first columns are drawn: as they are, or where they fill more than the page, the widest narrower as
/// far as their words allow.
fn fitted(table: &Table, own: &[usize], goal: usize, page: usize) -> Vec<usize> {
    let mut widths = own.to_vec();
    if widths.iter().sum::<usize>() <= page {
        return widths;
    }
    let least: Vec<usize> = (0..own.len())
        .map(|place| {
            let cells = table.rows.iter().filter_map(|row| row.get(place)).map(line);
            let words = cells.chain([line(&table.columns[place].title)]);
            let longest = |cell: String| cell.split(' ').map(|word| word.chars().count()).max().unwrap_or(0);
            words.map(longest).max().unwrap_or(0).max(NARROW) + 2
        })
        .collect();
    while widths.iter().sum::<usize>() > goal {
        let open = (0..widths.len()).filter(|place| widths[*place] > least[*place]);
        let Some(place) = open.max_by_key(|place| widths[*place]) else { break };
        widths[place] -= 1;
    }
    widths
}

/// Returns some columns of a table, the first ones in cells of these widths.
fn part(table: &Table, columns: &[usize], fitted: &[usize]) -> String {
    let mut grid = Grid::new();
    grid.load_style(presets::NOTHING);
    grid.set_header(columns.iter().map(|place| line(&table.columns[*place].title)));
    for row in &table.rows {
        grid.add_row(columns.iter().map(|place| {
            let cell = row.get(*place).map_or_else(String::new, line);
            match fitted.get(*place) {
                Some(width) if cell.chars().count() + 2 > *width => wrapped(&cell, "", width - 2),
                _ => cell,
            }
        }));
    }
    for (place, column) in columns.iter().enumerate() {
        if let (true, Some(cells)) = (table.columns[*column].right, grid.column_mut(place)) {
            cells.set_cell_alignment(CellAlignment::Right);
        }
    }
    // One space at each side of every cell is comfy-table's padding; the first one only indents.
    grid.trim_fmt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::document::words;

    fn check(titles: &[&str], row: &[&str], width: usize, expected: &str) {
        let mut table = Table::new(titles);
        table.rows.push(row.iter().map(|cell| vec![words(*cell)]).collect());
        let lines: Vec<String> = grid(&table, width).lines().map(|line| line.trim_end().to_owned()).collect();
        assert_eq!(lines.join("\n"), expected);
        assert!(lines.iter().all(|line| line.chars().count() <= width), "{lines:?}");
    }

    #[test]
    fn a_table_is_as_wide_as_the_page() {
        let titles = ["step", ">median", ">memory", ">processor"];
        let row = ["a-step-with-a-name", "12 min 30 s", "1.0 GiB", "8.5 s"];
        let below = " step                     median   memory\n a-step-with-a-name  12 min 30 s  1.0 GiB\n\n \
                     step                processor\n a-step-with-a-name      8.5 s";
        check(&titles, &row, 50, below);
        let beside = " step                     median   memory  processor\n a-step-with-a-name  12 min 30 s  1.0 GiB      8.5 s";
        check(&titles, &row, 60, beside);
    }

    #[test]
    fn sentences_are_broken_and_lines_of_files_are_not() {
        let long = "+run = \"a b\" ".repeat(10);
        let shown =
            |piece: Piece| text(&Document::default().with(Block::Lead(vec![vec![piece]])), PLAIN).lines().count();
        assert_eq!((shown(words(long.clone())), shown(Piece::Name(long))), (2, 1));
    }

    #[test]
    fn words_that_fill_more_than_the_page_go_on_below() {
        let (titles, row) = (["key", "meaning"], ["slots", "Steps that may run at once, by default the processors"]);
        check(
            &titles,
            &row,
            40,
            " key    meaning\n slots  Steps that may run at once, by\n        default the processors",
        );
    }
}
