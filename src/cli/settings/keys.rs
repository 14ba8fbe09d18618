//! The settings that files and variables may hold: the one list behind reading, `meow config` and the schema.

use serde_json::{Value, json};

use super::hooks;

/// What a setting may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holds {
    /// A whole number from the first to the second.
    Whole(i64, i64),
    /// `true` or `false`.
    Switch,
    /// Any text but an empty one.
    Text,
    /// One of these words.
    Choice(&'static [&'static str]),
}

/// One setting.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// Its name in files.
    pub name: &'static str,
    /// The variable that holds it.
    pub variable: &'static str,
    /// What it may hold.
    pub holds: Holds,
    /// What holds where nobody says anything, in words.
    pub default: &'static str,
    /// Whether a repository may set it: not where that would widen what strangers may learn or do.
    pub by_repository: bool,
    /// What it is for.
    pub meaning: &'static str,
}

/// Every setting, by name.
pub const KEYS: [Key; 11] = [
    Key {
        name: "color",
        variable: "MEOW_COLOR",
        holds: Holds::Choice(&["auto", "always", "never"]),
        default: "auto",
        by_repository: true,
        meaning: "When to use colour.",
    },
    Key {
        name: "key",
        variable: "MEOW_KEY",
        holds: Holds::Text,
        default: "a random one of this user",
        by_repository: false,
        meaning: "The secret under which names are hashed; a team shares one, so that hashes join.",
    },
    Key {
        name: "logs.days",
        variable: "MEOW_LOGS_DAYS",
        holds: Holds::Whole(1, 36_500),
        default: "30",
        by_repository: true,
        meaning: "Days that the output of steps is kept, that of the ten latest executions apart.",
    },
    Key {
        name: "logs.mebibytes",
        variable: "MEOW_LOGS_MEBIBYTES",
        holds: Holds::Whole(1, 1_048_576),
        default: "1024",
        by_repository: true,
        meaning: "How much output of steps is kept: above it the oldest goes, that of running executions apart.",
    },
    Key {
        name: "privacy.clock",
        variable: "MEOW_PRIVACY_CLOCK",
        holds: Holds::Choice(&["second", "day"]),
        default: "second",
        by_repository: true,
        meaning: "How exactly times are kept: to the second, or the day and a number of order. A repository narrows only.",
    },
    Key {
        name: "project",
        variable: "MEOW_PROJECT",
        holds: Holds::Text,
        default: "found in the history",
        by_repository: true,
        meaning: "The project's first commit, in full, for shallow clones: errors are told apart by fingerprints under it.",
    },
    Key {
        name: "record",
        variable: "MEOW_RECORD",
        holds: Holds::Switch,
        default: "true",
        by_repository: true,
        meaning: "Whether `meow execute` remembers what it runs.",
    },
    Key {
        name: "retry",
        variable: "MEOW_RETRY",
        holds: Holds::Choice(&["learned", "declared"]),
        default: "declared",
        by_repository: true,
        meaning: "With `learned` steps that declare no `retry` are tried again too, after errors that went away by themselves before.",
    },
    Key {
        name: "sandbox",
        variable: "MEOW_SANDBOX",
        holds: Holds::Choice(&["off", "auto", "required"]),
        default: "off, and auto for what runs without being asked for",
        by_repository: false,
        meaning: "Whether steps run in a sandbox, whatever the workflow says; it may ask for more.",
    },
    Key {
        name: "slots",
        variable: "MEOW_SLOTS",
        holds: Holds::Whole(1, 4096),
        default: "the processors of this machine",
        by_repository: true,
        meaning: "Steps that may run at once.",
    },
    Key {
        name: "workflow",
        variable: "MEOW_WORKFLOW",
        holds: Holds::Text,
        default: "ci",
        by_repository: true,
        meaning: "The workflow that `meow execute` runs where none is named.",
    },
];

impl Holds {
    /// Returns what is expected, in words.
    pub fn words(self) -> String {
        match self {
            Self::Whole(least, most) => format!("a whole number from {least} to {most}"),
            Self::Switch => "true or false".to_owned(),
            Self::Text => "a text".to_owned(),
            Self::Choice(words) => format!("one of `{}`", words.join("`, `")),
        }
    }

    /// Returns whether a text is a value.
    pub fn allows(self, text: &str) -> bool {
        match self {
            Self::Whole(least, most) => text.parse().is_ok_and(|number: i64| (least..=most).contains(&number)),
            Self::Switch => matches!(text, "true" | "false"),
            Self::Text => !text.is_empty(),
            Self::Choice(words) => words.contains(&text),
        }
    }

    fn schema(self) -> Value {
        match self {
            Self::Whole(least, most) => json!({ "type": "integer", "minimum": least, "maximum": most }),
            Self::Switch => json!({ "type": "boolean" }),
            Self::Text => json!({ "type": "string", "minLength": 1 }),
            Self::Choice(words) => json!({ "enum": words }),
        }
    }
}

/// Returns the JSON Schema of `config.toml`, for editors.
///
/// # Panics
/// Never: the list holds only what JSON can say.
pub fn schema() -> String {
    let mut properties = serde_json::Map::new();
    for key in KEYS {
        let mut schema = key.holds.schema();
        let only_user = if key.by_repository { "" } else { " Not from a repository: only in the user's own file." };
        schema["description"] = json!(format!("{} Default: {}.{only_user}", key.meaning, key.default));
        match key.name.split_once('.') {
            None => drop(properties.insert(key.name.to_owned(), schema)),
            Some((table, name)) => {
                let table = properties
                    .entry(table)
                    .or_insert_with(|| json!({ "type": "object", "properties": {}, "additionalProperties": false }));
                table["properties"][name] = schema;
            }
        }
    }
    properties.insert(hooks::TABLE.to_owned(), hooks::schema());
    let page = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Settings of meow: .meow/config.toml and the user's meow/config.toml",
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
    });
    serde_json::to_string_pretty(&page).expect("plain data") + "\n"
}
