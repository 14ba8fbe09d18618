//! One workflow file by itself: its keys read, what it extends only named.

use std::collections::BTreeMap;
use std::ops::Range;

use super::confinement::{self, Confinement};
use super::document::{self, At, Page, Source, Table};
use super::draft::{self, Draft};
use super::variables::{self, Variable};
use super::{Warning, definition, foreign, pieces};
use crate::error::Result;

pub(super) const KEYS: [&str; 12] = [
    "formula",
    "description",
    "version",
    "type",
    "vars",
    "steps",
    "extends",
    "undo",
    "sandbox",
    "network",
    "writes",
    "reads",
];
/// Keys of the Gas Town family that are read.
const FOREIGN_KEYS: [&str; 8] =
    ["inputs", "legs", "synthesis", "compose", "template", "advice", "pointcuts", "prompts"];
/// Keys of that family about how its own tools keep and hand out work: nothing is lost without them.
const HOUSEKEEPING: [&str; 6] = ["phase", "pour", "squash", "review_only", "output", "presets"];

/// What one file says.
#[derive(Debug, Default)]
pub(super) struct Sheet {
    pub name: String,
    pub description: String,
    pub extends: Vec<At<String>>,
    pub variables: BTreeMap<String, Variable>,
    pub drafts: Vec<Draft>,
    pub undo: Option<bool>,
    pub confinement: Confinement,
    pub warnings: Vec<Warning>,
}

/// Reads one file.
///
/// # Errors
/// It is no workflow file; file, line and key are named.
pub(super) fn read(source: &Source) -> Result<Sheet> {
    let text = document::text(source)?;
    // What is wrong, or stands where a piece may not have it, is told by the reading of the whole.
    let in_pieces = pieces::of(text, pieces::ENOUGH).and_then(|pieces| read_pieces(source, text, &pieces).ok());
    let whole = 0..text.len();
    in_pieces.map_or_else(|| read_pieces(source, text, std::slice::from_ref(&whole)), Ok)
}

/// Reads one file of which the first piece has all but steps, where there are others, and these have steps alone.
fn read_pieces(source: &Source, text: &str, pieces: &[Range<usize>]) -> Result<Sheet> {
    let page = Page::new(source, text);
    let inner = document::parse(&page, &text[pieces[0].clone()], 0)?;
    let root = Table::root(&page, &inner, 0);
    let mut known = KEYS.to_vec();
    if !page.own() {
        known.extend(FOREIGN_KEYS.iter().chain(&HOUSEKEEPING));
    }
    root.only(&known)?;
    let name = name(&root)?;
    let kind = kind(&root)?;
    foreign::refuse(&root, &kind, root.line_of("type"))?;
    if root.has("version") && root.whole("version")?.is_some_and(|version| version < 1) {
        return Err(root.wrong("version", "must be 1 or more"));
    }
    let mut variables = BTreeMap::new();
    for key in if page.own() { &["vars"][..] } else { &["inputs", "vars"] } {
        if let Some(table) = root.table(key)? {
            variables.extend(variables::read(&table)?);
        }
    }
    let mut drafts = definition::drafts(&root)?;
    let mut stray = (pieces.len() > 1 && root.has("steps")).then(|| root.line_of("steps"));
    for piece in &pieces[1..] {
        let inner = document::parse(&page, &text[piece.clone()], piece.start)?;
        let steps = Table::root(&page, &inner, piece.start);
        stray = stray.or(steps.keys().find(|key| key.value != "steps").map(|key| key.line));
        drafts.extend(definition::drafts(&steps)?);
    }
    if let Some(line) = stray {
        return Err(page.error(line, "stands in another piece than its like"));
    }
    if kind == "convoy" {
        drafts.extend(foreign::convoy(&root)?);
    }
    let description = root.text("description")?.unwrap_or_default();
    let extends = root.texts("extends", true)?;
    let undo = root.switch("undo")?;
    let confinement = confinement::read(&root)?;
    Ok(Sheet { name, description, extends, variables, drafts, undo, confinement, warnings: page.warnings() })
}

/// Returns the name that a file gives itself, if it is a workflow file at all.
pub fn formula(source: &Source) -> Option<String> {
    let text = document::text(source).ok()?;
    let page = Page::new(source, text);
    Table::root(&page, &document::parse(&page, text, 0).ok()?, 0).text("formula").ok()?
}

fn name(root: &Table<'_, '_>) -> Result<String> {
    let missing = || {
        let error = root.page.error(1, "the key `formula` is missing");
        if root.has("steps") {
            error.hint("name the workflow in the first line: formula = \"ci\"")
        } else {
            error.hint("is this a workflow file? One has `formula = \"<name>\"` and [[steps]]")
        }
    };
    let name = root.text("formula")?.ok_or_else(missing)?;
    draft::name(&name).map_err(|what| root.wrong("formula", what))?;
    Ok(name)
}

fn kind(root: &Table<'_, '_>) -> Result<String> {
    let kind = root.text("type")?.unwrap_or_else(|| "workflow".to_owned());
    let known: &[&str] = if root.page.own() { &["workflow"] } else { &["workflow", "convoy", "expansion", "aspect"] };
    if known.contains(&kind.as_str()) {
        return Ok(kind);
    }
    Err(root.wrong("type", format!("is `{}`; known is `{}`", kind.escape_debug(), known.join("`, `"))))
}

#[cfg(test)]
mod tests {
    use super::super::document::Dialect;
    use super::*;

    /// A long workflow with one odd step in the middle, before what stands at its end.
    fn long(head: &str, odd: &str, end: &str) -> Source {
        let step = |at: usize| format!("[[steps]]\nid = \"s{at}\"\nrun = \"true\"\n[steps.env]\nN = \"{at}\"\n\n");
        let steps = |from: usize| (from..from + 20).map(step).collect::<String>();
        let text = format!("{head}\n{}[[steps]]\nid = \"odd\"\n{odd}\n{}{end}", steps(0), steps(100));
        Source { file: "ci.toml".to_owned(), dialect: Dialect::Own, bytes: text.into_bytes() }
    }

    #[test]
    fn a_file_says_the_same_in_pieces_and_as_a_whole() {
        let head = "formula = \"ci\"\n[vars]\na = \"1\"";
        let lure = format!("description = '''{}'''", "\n[[steps]]\nid = 1\n".repeat(40));
        for (head, odd, end, in_pieces) in [
            (head, "", "", true),
            (head, "run = \"x\" # [[steps]]\n[ steps . env ]\nB = \"2\"", "", true),
            (head, "\n\r\n[[ steps ]]\nid = \"more\"", "[['steps']]\nid = \"last\"", true),
            (head, &lure, "", false),
            (head, "", "[vars]\nb = \"2\"", false),
            ("formula = \"ci\"", "", "[vars]\nb = \"2\"", false),
            ("formula = \"ci\"\nsteps = []", "", "", false),
            ("formula = \"ci\"\n[[ steps ]]\nid = \"first\"", "", "", false),
            (head, "", "[steps]\n", false),
            (head, "", "id = 3\nid = 4", false),
            (head, "comand = \"x\"", "", false),
        ] {
            let source = long(head, odd, end);
            let text = document::text(&source).expect("a text");
            let pieces = pieces::of(text, 200).expect("a long text");
            assert!(pieces.len() > 2 && pieces.iter().map(Range::len).sum::<usize>() == text.len());
            let found = read_pieces(&source, text, &pieces);
            let whole = 0..text.len();
            let whole = read_pieces(&source, text, std::slice::from_ref(&whole));
            assert_eq!(found.is_ok(), in_pieces, "{head} {end}: {:?}", found.err());
            if in_pieces {
                assert_eq!(format!("{found:?}"), format!("{whole:?}"), "{head} {end}");
            }
        }
        let source = long(head, &lure.repeat(100), "");
        assert!(read(&source).is_err(), "the key stands twice");
        let source = long(head, &lure.replace('1', &"1".repeat(2_000)), "");
        assert_eq!(read(&source).expect("a workflow").drafts.len(), 41);
    }
}
