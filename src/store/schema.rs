//! The published contract of the flat table, written from the one list of columns.

use std::fmt::Write;

use super::columns::{ATTEMPT, Cell, Column, EDITION, EXECUTION};
use super::segment::FORMAT;

/// One column as others see it.
struct Line {
    name: &'static str,
    kind: &'static str,
    unit: &'static str,
    nullable: bool,
    since: u32,
    meaning: &'static str,
}

/// Returns `schema/records.md`.
///
/// # Panics
/// Never: text takes what is written into it.
pub fn markdown() -> String {
    let mut text = String::from(
        "# Records\n\nOne row per attempt in `.meow/records/**/*.parquet`. Written from `src/store/columns.rs`; a test keeps it so.\n",
    );
    writeln!(
        text,
        "Format version {FORMAT}, in the footer's key `meow.format`; edition {EDITION} of the columns. `README.md` says what is promised."
    )
    .expect("text grows");
    for (title, lines) in tables() {
        write!(text, "\n## {title}\n\n| column | type | unit | null | since | meaning |\n|---|---|---|---|---|---|\n")
            .expect("text grows");
        for line in lines {
            let null = if line.nullable { "unknown" } else { "never" };
            writeln!(
                text,
                "| `{}` | {} | {} | {null} | {} | {} |",
                line.name, line.kind, line.unit, line.since, line.meaning
            )
            .expect("text grows");
        }
    }
    text
}

/// Returns `schema/records.json`.
///
/// # Panics
/// Never: text and numbers have a JSON form.
pub fn json() -> String {
    let columns: Vec<_> = tables()
        .into_iter()
        .flat_map(|(_, lines)| lines)
        .map(|line| {
            serde_json::json!({
                "name": line.name, "type": line.kind, "unit": line.unit, "nullable": line.nullable,
                "since": line.since, "meaning": line.meaning,
            })
        })
        .collect();
    let schema = serde_json::json!({ "format": FORMAT, "edition": EDITION, "columns": columns });
    serde_json::to_string_pretty(&schema).expect("plain values") + "\n"
}

fn tables() -> [(&'static str, Vec<Line>); 2] {
    [
        ("The execution, the same in all its rows", EXECUTION.iter().map(line).collect()),
        ("The attempt", ATTEMPT.iter().map(line).collect()),
    ]
}

fn line<T>(column: &Column<T>) -> Line {
    Line {
        name: column.name,
        kind: kind(&column.cell),
        unit: column.unit,
        nullable: column.nullable,
        since: column.since,
        meaning: column.meaning,
    }
}

fn kind<T>(cell: &Cell<T>) -> &'static str {
    match cell {
        Cell::Text(..) => "text",
        Cell::Hash(..) => "12 bytes",
        Cell::Time(..) => "timestamp (ms, UTC)",
        Cell::Small(..) => "int32",
        Cell::Whole(..) => "int64",
        Cell::Real(..) => "double",
        Cell::Switch(..) => "boolean",
        Cell::List(..) => "list of text",
        Cell::Words(..) => "map text to text",
        Cell::Numbers(..) => "map text to double",
    }
}
