//! A page in words before it has a form: headings, lines and tables whose every piece says whether it is a name.

/// A page in words.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Document {
    /// Its parts, in order.
    pub blocks: Vec<Block>,
}

/// One part of a page.
#[derive(Debug, Clone, PartialEq)]
pub enum Block {
    /// The page's title.
    Title(Line),
    /// The sentences that matter most.
    Lead(Vec<Line>),
    /// A paragraph.
    Paragraph(Line),
    /// Small print.
    Note(Line),
    /// A table.
    Table(Table),
    /// Parts that unfold where the form allows it.
    Details(Line, Vec<Block>),
}

/// A line made of pieces.
pub type Line = Vec<Piece>;

/// A piece of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// Words and numbers.
    Text(String),
    /// The same, to be seen first.
    Strong(String),
    /// A name that someone else gave, or a command to type.
    Name(String),
}

/// A table.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Table {
    /// Its columns.
    pub columns: Vec<Column>,
    /// Its rows, the ones to keep first.
    pub rows: Vec<Vec<Line>>,
}

/// A table's column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// What stands above it.
    pub title: Line,
    /// Whether it holds numbers, which stand on the right.
    pub right: bool,
}

impl Document {
    /// Returns the same page with one more part.
    #[must_use]
    pub fn with(mut self, block: Block) -> Self {
        self.blocks.push(block);
        self
    }
}

impl Table {
    /// Returns an empty table with these columns; a title that starts with `>` is of a column of numbers.
    pub fn new(titles: &[&str]) -> Self {
        Self::of(titles)
    }

    /// Returns the same for titles that are put together.
    pub fn of(titles: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        let column =
            |title: &str| Column { title: vec![words(title.trim_start_matches('>'))], right: title.starts_with('>') };
        Self { columns: titles.into_iter().map(|title| column(title.as_ref())).collect(), rows: Vec::new() }
    }

    /// Adds a row of one-piece cells.
    pub fn row(&mut self, cells: impl IntoIterator<Item = Piece>) {
        self.rows.push(cells.into_iter().map(|cell| vec![cell]).collect());
    }

    /// Returns the table without the columns in which every row says nothing but this.
    #[must_use]
    pub fn without(mut self, nothing: &str) -> Self {
        let nothing = vec![words(nothing)];
        for place in (0..self.columns.len()).rev() {
            if !self.rows.is_empty() && self.rows.iter().all(|row| row.get(place) == Some(&nothing)) {
                self.columns.remove(place);
                self.rows.iter_mut().for_each(|row| drop(row.remove(place)));
            }
        }
        self
    }
}

/// Returns a piece of words.
pub fn words(text: impl Into<String>) -> Piece {
    Piece::Text(text.into())
}

/// Returns a piece to be seen first.
pub fn strong(text: impl Into<String>) -> Piece {
    Piece::Strong(text.into())
}

/// Returns a name.
pub fn name(text: impl Into<String>) -> Piece {
    Piece::Name(text.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_that_say_nothing_are_left_out() {
        let mut table = Table::new(&["step", "machine", ">n", ">memory"]);
        assert_eq!(table.clone().without("–").columns.len(), 4, "an empty table keeps its titles");
        table.row([name("all"), words("all"), words("2"), words("–")]);
        table.row([name("all"), words("all"), words("–"), words("–")]);
        let left = table.without("–").without("all");
        assert_eq!(left.columns, Table::new(&["step", ">n"]).columns);
        assert_eq!(left.rows, [[[name("all")], [words("2")]], [[name("all")], [words("–")]]]);
    }
}
