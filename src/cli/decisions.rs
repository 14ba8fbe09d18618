//! Decisions on disk: read from `.meow/actions`, and new ones written there.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::Context;
use super::project::Project;
use crate::error::Result;
use crate::recommend::{Action, Decisions};
use crate::record::Digest;
use crate::store;

const KIND: &str = "actions";

/// Returns what was decided in this project. A file that cannot be read is said, and missing.
pub fn decisions(project: &Project, context: &Context) -> Decisions {
    let meow = project.meow();
    let mut actions = BTreeMap::new();
    let ids = store::list(&meow, KIND).unwrap_or_else(|error| {
        context.terminal.warn(&error.to_string());
        Vec::new()
    });
    for id in ids {
        match store::get::<Action>(&meow, KIND, &id) {
            Ok(Some(action)) => {
                actions.insert(id, action);
            }
            Ok(None) => {}
            Err(error) => context.terminal.warn(&error.to_string()),
        }
    }
    Decisions::of(actions)
}

/// Writes a decision; returns its id, `<time>-<random>`.
///
/// # Errors
/// It cannot be written.
pub fn write(project: &Project, action: &Action, context: &Context) -> Result<String> {
    let random = Digest::from_bytes(context.settings.clock.random()?).to_string();
    let id = format!("{}-{}", compact(action.at), &random[..12]);
    store::toml::add(&project.meow(), KIND, &id, action)?;
    Ok(id)
}

/// Takes away a decision that was written a moment ago and did not come about.
pub fn withdraw(project: &Project, id: &str) {
    let _ = store::toml::remove(&project.meow(), KIND, id);
}

fn compact(at: Timestamp) -> jiff::fmt::strtime::Display<'static> {
    at.strftime("%Y%m%dT%H%M%SZ")
}
