//! The table `[hooks]` of a repository's settings: which workflow runs at which git event.

use serde_json::{Value, json};
use toml::de::DeValue;

use super::files::{Layer, Origin};
use crate::error::Error;
use crate::workflow::did_you_mean;

/// The table's name.
pub const TABLE: &str = "hooks";

/// The events at which a workflow may run: those of the person's own commits, branches and pushes (githooks(5)).
pub const EVENTS: [&str; 13] = [
    "applypatch-msg",
    "commit-msg",
    "post-applypatch",
    "post-checkout",
    "post-commit",
    "post-merge",
    "post-rewrite",
    "pre-applypatch",
    "pre-commit",
    "pre-merge-commit",
    "pre-push",
    "pre-rebase",
    "prepare-commit-msg",
];

/// Events of git that are refused, each with the reason.
const REFUSED: [(&str, &str); 3] = [
    (
        "reference-transaction",
        "git runs it for every reference that changes; an empty one took a fetch of 100 tags from 66 to 843 ms",
    ),
    ("post-index-change", "git runs it at nearly every command, also those that only look"),
    ("fsmonitor-watchman", "git runs it at nearly every command, also those that only look"),
];

/// Reads the table into a layer of settings; what is wrong has no effect.
pub(super) fn read(
    value: &DeValue<'_>,
    place_of: &dyn Fn(usize) -> String,
    place: &str,
    origin: Origin,
    layer: &mut Layer,
) {
    if origin != Origin::Repo {
        let what = format!("{place}: `{TABLE}` is ignored: a repository's own file says what runs at its git events");
        layer.wrong.push(what);
        return;
    }
    let Some(table) = value.as_table() else {
        layer.wrong.push(format!("{place}: `{TABLE}` has to be a table such as [{TABLE}] with pre-push = \"check\""));
        return;
    };
    for (name, value) in table {
        let place = place_of(name.span().start);
        let event = name.get_ref().as_ref();
        match (known(event), value.get_ref().as_str().filter(|name| is_name(name))) {
            (Ok(event), Some(workflow)) => {
                layer.hooks.insert(event, (workflow.to_owned(), place));
            }
            (Ok(event), None) => layer.wrong.push(format!(
                "{place}: `{TABLE}.{event}` has to be the name of a workflow in a workflow folder, not a path"
            )),
            (Err(error), _) => {
                let hint = error.hint_text().map_or_else(String::new, |hint| format!("; {hint}"));
                layer.wrong.push(format!("{place}: {}{hint}", error.what()));
            }
        }
    }
}

/// Returns an event at which a workflow may run.
///
/// # Errors
/// It is none, or one that is refused; the reason is named.
pub fn known(event: &str) -> Result<&'static str, Error> {
    if let Some(known) = EVENTS.into_iter().find(|known| *known == event) {
        return Ok(known);
    }
    if let Some((_, reason)) = REFUSED.into_iter().find(|(refused, _)| *refused == event) {
        return Err(Error::request(format!("`{TABLE}.{event}` is ignored: {reason}")));
    }
    let error =
        Error::request(format!("`{TABLE}.{}` is no git event at which a workflow may run", event.escape_debug()));
    Err(did_you_mean(error, event, EVENTS))
}

/// Returns whether a text names a workflow rather than a path.
fn is_name(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    !text.is_empty() && text.chars().all(plain) && !text.starts_with('.') && !text.to_lowercase().ends_with(".toml")
}

/// Returns the part of the JSON Schema that describes the table.
pub(super) fn schema() -> Value {
    let events = EVENTS.map(|event| {
        let workflow = json!({ "type": "string", "pattern": "^[A-Za-z0-9_-][A-Za-z0-9._-]*$" });
        (event.to_owned(), workflow)
    });
    json!({
        "description": "Which workflow runs at which git event, once `meow trust` and `meow hooks install` were typed. \
            Only in a repository's own file.",
        "type": "object",
        "properties": events.into_iter().collect::<serde_json::Map<_, _>>(),
        "additionalProperties": false,
    })
}
