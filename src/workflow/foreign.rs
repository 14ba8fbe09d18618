//! What formulas of the Gas Town family have beside steps: children, convoys, and building blocks that are no workflows.

use super::document::{At, Table};
use super::draft::Draft;
use crate::error::Result;

/// Deepest nesting of children.
const DEEPEST: usize = 16;

/// Reads a step and its children: they wait for what it needs, and it, which holds them, waits for them.
pub(super) fn with_children(
    table: &Table<'_, '_>,
    outer: &[At<String>],
    depth: usize,
    drafts: &mut Vec<Draft>,
) -> Result<()> {
    let mut draft = Draft::read(table)?;
    draft.needs.extend(outer.iter().cloned());
    let place = drafts.len();
    drafts.push(draft);
    if table.page.own() {
        return Ok(());
    }
    if depth > DEEPEST {
        return Err(table.wrong("children", "are nested too deep"));
    }
    let needs = drafts[place].needs.clone();
    for child in table.tables("children")? {
        let next = drafts.len();
        with_children(&child, &needs, depth + 1, drafts)?;
        let need = At { value: drafts[next].id.clone(), line: child.line };
        drafts[place].needs.push(need);
    }
    Ok(())
}

/// Reads a convoy: legs side by side, and a synthesis that waits for those it depends on.
pub(super) fn convoy(root: &Table<'_, '_>) -> Result<Vec<Draft>> {
    let mut drafts: Vec<Draft> = root.tables("legs")?.iter().map(Draft::read).collect::<Result<_>>()?;
    if let Some(synthesis) = root.table("synthesis")? {
        synthesis.only(&["title", "description", "depends_on"])?;
        let placed = |key: &str| -> Result<Option<At<String>>> {
            Ok(synthesis.text(key)?.map(|value| At { value, line: synthesis.line_of(key) }))
        };
        drafts.push(Draft {
            file: std::sync::Arc::clone(&root.page.name),
            own: false,
            line: synthesis.line,
            id: "synthesis".to_owned(),
            title: placed("title")?,
            description: placed("description")?,
            run: None,
            needs: synthesis.texts("depends_on", false)?,
            condition: None,
            timeout: None,
            retry: None,
            resources: super::Resources::default(),
            locks: Vec::new(),
            inputs: Vec::new(),
            inputs_bytes: None,
            series: None,
            env: std::collections::BTreeMap::new(),
            undo: None,
            confinement: super::Confinement::default(),
        });
    }
    Ok(drafts)
}

/// Refuses what would be another workflow than its author meant: blocks that only mean something inside another one,
/// and workflows that are put together from such blocks.
pub(super) fn refuse(root: &Table<'_, '_>, kind: &str, line: usize) -> Result<()> {
    let what = match kind {
        "expansion" => Some("an expansion is a building block, not a workflow: it stands in for a step of another one"),
        "aspect" => Some("an aspect is a building block, not a workflow: it adds steps around those of another one"),
        _ => None,
    };
    if let Some(what) = what {
        return Err(root.page.error(line, what).hint("name a workflow that is whole in itself"));
    }
    if let Some(compose) = root.table("compose")? {
        let parts = [("expand", "steps put in place of others"), ("aspects", "steps woven in by an aspect")];
        let parts: Vec<String> = parts
            .iter()
            .filter(|(key, _)| compose.has(key))
            .map(|(key, meaning)| format!("`compose.{key}` ({meaning})"))
            .collect();
        if !parts.is_empty() {
            let what = format!("{} is not supported, and without it steps would be missing", parts.join(" and "));
            return Err(root
                .page
                .error(compose.line, what)
                .hint("execute the workflow it extends, or write the added steps out under [[steps]]"));
        }
    }
    Ok(())
}
