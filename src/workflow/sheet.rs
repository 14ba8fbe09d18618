//! One workflow file by itself: its keys read, what it extends only named.

use std::collections::BTreeMap;

use super::confinement::{self, Confinement};
use super::document::{self, At, Page, Source, Table};
use super::draft::{self, Draft};
use super::variables::{self, Variable};
use super::{Warning, definition, foreign};
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
    let page = Page::new(source, text);
    let inner = document::parse(&page, text)?;
    let root = Table::root(&page, &inner);
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
    Table::root(&page, &document::parse(&page, text).ok()?).text("formula").ok()?
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
