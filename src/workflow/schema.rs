//! The JSON Schema of a workflow file, for editors, from the lists of keys that the reader knows.

use serde_json::{Map, Value, json};

use super::confinement::Sandbox;
use super::draft::STEP_KEYS;
use super::sheet::KEYS;

/// Returns the schema.
///
/// # Panics
/// Where the reader knows a key that is not described here: a test calls this.
pub fn json() -> String {
    let step = json!({
        "type": "object",
        "properties": properties(&STEP_KEYS, step_key),
        "required": ["id"],
        "additionalProperties": false,
    });
    let mut page = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A workflow of meow: .meow/workflows/<name>.toml",
        "type": "object",
        "properties": properties(&KEYS, file_key),
        "required": ["formula"],
        "additionalProperties": false,
    });
    page["$defs"] = json!({ "step": step });
    serde_json::to_string_pretty(&page).expect("plain data") + "\n"
}

fn properties(keys: &[&str], schema: fn(&str) -> Option<(Value, &'static str)>) -> Map<String, Value> {
    let described = |key: &&str| {
        let (mut value, meaning) = schema(key).expect("every key of the reader is described");
        value["description"] = json!(meaning);
        ((*key).to_owned(), value)
    };
    keys.iter().map(described).collect()
}

fn file_key(key: &str) -> Option<(Value, &'static str)> {
    let name = json!({ "type": "string", "pattern": "^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$" });
    Some(match key {
        "formula" => (name, "The workflow's name."),
        "description" => (json!({ "type": "string" }), "What it is for."),
        "version" => (json!({ "type": "integer", "minimum": 1 }), "The version of the workflow."),
        "type" => (json!({ "const": "workflow" }), "Always `workflow`."),
        "vars" => (
            json!({ "type": "object", "additionalProperties": variable() }),
            "Variables by name, used as {{name}}: a default value, or a table.",
        ),
        "steps" => (json!({ "type": "array", "items": { "$ref": "#/$defs/step" } }), "The steps."),
        "extends" => (
            json!({ "anyOf": [{ "type": "string" }, texts()] }),
            "Workflows whose steps this one takes over; a step with the same id takes the place of theirs.",
        ),
        "undo" => (
            json!({ "type": "boolean" }),
            "Whether an execution that fails runs the `undo` commands of its steps; not by default.",
        ),
        other => return confinement_key(other),
    })
}

fn step_key(key: &str) -> Option<(Value, &'static str)> {
    let text = || json!({ "type": "string" });
    Some(match key {
        "id" => (
            json!({ "type": "string", "pattern": "^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$" }),
            "Its id, unique in the workflow.",
        ),
        "title" => (text(), "A line for people."),
        "description" => (text(), "What a person does in a manual step, or why the step is there."),
        "run" => (json!({ "type": "string", "minLength": 1 }), "The command; a step without one is manual."),
        "needs" => (texts(), "Steps that must pass first."),
        "timeout" => (text(), "The time limit, such as \"90s\" or \"20m\"; learnt where it is absent."),
        "retry" => (
            json!({
                "type": "object",
                "properties": {
                    "attempts": { "type": "integer", "minimum": 1, "maximum": 100 },
                    "backoff": { "type": "string" },
                    "on": { "type": "array", "items": { "type": "string", "pattern": "^(signal|timeout|exit:[0-9]+)$" } },
                },
                "required": ["attempts"],
                "additionalProperties": false,
            }),
            "When and how a failed attempt is tried again.",
        ),
        "resources" => (
            json!({
                "type": "object",
                "properties": {
                    "cpu": { "type": "number", "minimum": 0.01, "maximum": 4096 },
                    "memory": { "type": "string" },
                    "cpu_time": { "type": "string" },
                    "file_size": { "type": "string" },
                    "open_files": { "type": "integer", "minimum": 3, "maximum": 1_048_576 },
                    "processes": { "type": "integer", "minimum": 1, "maximum": 4_194_304 },
                },
                "additionalProperties": false,
            }),
            "What it needs and is held to, as in { cpu = 2, memory = \"2GiB\", cpu_time = \"10m\", file_size = \"1GiB\", open_files = 256, processes = 200 }.",
        ),
        "inputs" => (
            texts(),
            "What it reads, as patterns such as \"src/**/*.rs\"; durations are learnt against the size of these files, and `meow execute --resume` does not run a passed step again while they and its command stay the same.",
        ),
        "locks" => (texts(), "Steps that share a lock never overlap."),
        "env" => {
            (json!({ "type": "object", "additionalProperties": scalar() }), "Variables of the command's environment.")
        }
        "undo" => (text(), "The command that takes this step back when the execution fails."),
        "condition" => (text(), "`a == b`, `a != b`, `a` or `!a`; the step is left out where it does not hold."),
        "metadata" => (
            json!({ "type": "object" }),
            "For other tools; in it `\"meow.run\"` is the command, `\"meow.series\"` what the step is an instance of, and `\"meow.inputs_bytes\"` the size of its inputs.",
        ),
        other => return confinement_key(other),
    })
}

/// The keys that a workflow and a step share; what a step says takes the place of what its workflow says.
fn confinement_key(key: &str) -> Option<(Value, &'static str)> {
    Some(match key {
        "sandbox" => (
            json!({ "enum": Sandbox::ALL.map(|(_, word)| word) }),
            "Whether steps run in a sandbox: `auto` where the machine can make one, `required` or not at all.",
        ),
        "network" => {
            (json!({ "type": "boolean" }), "Whether the network can be reached from a sandbox; not by default.")
        }
        "writes" => (texts(), "Paths besides the work tree that can be written from a sandbox."),
        "reads" => (texts(), "Paths of the home folder, such as caches, that can be read from a sandbox."),
        _ => return None,
    })
}

fn variable() -> Value {
    let table = json!({
        "type": "object",
        "properties": properties(&super::variables::KEYS, variable_key),
        "additionalProperties": false,
    });
    json!({ "anyOf": [scalar(), table] })
}

fn variable_key(key: &str) -> Option<(Value, &'static str)> {
    Some(match key {
        "description" => (json!({ "type": "string" }), "What it is for."),
        "default" => (scalar(), "Its value where none is given."),
        "required" => (json!({ "type": "boolean" }), "Whether a value has to be given."),
        "enum" => (json!({ "type": "array", "items": scalar() }), "The values it may have."),
        "pattern" => (json!({ "type": "string" }), "A regular expression that the whole value matches."),
        "record" => (json!({ "type": "boolean" }), "Whether its value is kept in records."),
        _ => return None,
    })
}

fn scalar() -> Value {
    json!({ "type": ["string", "number", "boolean"] })
}

fn texts() -> Value {
    json!({ "type": "array", "items": { "type": "string" } })
}
