//! `meow config`: every setting with its value and who set it, and what is wrong in the files.

use serde::Serialize;

use super::Context;
use super::settings::files::Origin;
use super::settings::hooks;
use super::settings::keys::KEYS;
use crate::error::Result;
use crate::report;
use crate::report::document::{Block, Document, Table, name, words};

/// Show every setting with its origin, or check the files
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  meow config --list
  meow config --validate

A flag comes before MEOW_* variables, those before .meow/config.toml of the repository, that before meow/config.toml in \
the user's folder for settings (XDG_CONFIG_HOME, or ~/.config). What is wrong in a file is named and has no effect.")]
pub struct Args {
    /// Show every setting with its value and origin (this is the default)
    #[arg(long)]
    list: bool,
    /// Check the files; exit code 2 where something is wrong
    #[arg(long, conflicts_with = "list")]
    validate: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// The page: settings, and what is wrong in the files.
#[derive(Serialize)]
struct Page<'a> {
    schema_version: u32,
    settings: Vec<Row>,
    wrong: &'a [String],
}

#[derive(Serialize)]
struct Row {
    key: String,
    /// As text; absent where nobody set it. A secret is never shown.
    value: Option<String>,
    origin: Origin,
    place: Option<String>,
    default: &'static str,
    meaning: &'static str,
}

/// Prints the settings, or what is wrong.
///
/// # Errors
/// The output fails.
pub fn run(args: &Args, context: &Context) -> Result<u8> {
    let wrong = context.settings.wrong.as_slice();
    let code = if args.validate && !wrong.is_empty() { 2 } else { 0 };
    let rows = KEYS.iter().map(|key| {
        let resolved = &context.settings.resolved[key.name];
        let value = resolved.value.clone();
        Row {
            key: key.name.to_owned(),
            value: if key.name == "key" { value.map(|_| "(secret)".to_owned()) } else { value },
            origin: resolved.origin,
            place: resolved.place.clone(),
            default: key.default,
            meaning: key.meaning,
        }
    });
    let hooks = context.settings.hooks.iter().map(|(event, (workflow, place))| Row {
        key: format!("{}.{event}", hooks::TABLE),
        value: Some(workflow.clone()),
        origin: Origin::Repo,
        place: Some(place.clone()),
        default: "nothing",
        meaning: "The workflow that runs at this git event, once `meow trust` and `meow hooks install` were typed.",
    });
    let page = Page { schema_version: 1, settings: rows.chain(hooks).collect(), wrong };
    if args.json {
        context.terminal.result(&report::json(&page))?;
    } else if !args.validate {
        context.terminal.result(&report::text(&document(&page), context.terminal.width))?;
        for wrong in wrong {
            context.terminal.warn(wrong);
        }
    } else if wrong.is_empty() {
        context.terminal.result("the settings are valid")?;
    } else {
        context.terminal.result(&wrong.join("\n"))?;
    }
    Ok(code)
}

fn document(page: &Page) -> Document {
    let mut table = Table::new(&["key", "value", "origin", "from", "meaning"]);
    for row in &page.settings {
        table.row([
            name(&row.key),
            row.value.as_ref().map_or_else(|| words(row.default), name),
            words(row.origin.word()),
            row.place.as_ref().map_or_else(|| words("–"), name),
            words(row.meaning),
        ]);
    }
    Document::default().with(Block::Table(table))
}
