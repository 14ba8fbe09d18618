//! JSON Schema, the part of it that this project writes: what in a value goes against a schema.

use meow::workflow;
use serde_json::Value;

use crate::golden::golden;

/// Returns what in `value` goes against `schema`, each with its place; nothing where it is valid.
pub fn wrong(schema: &Value, value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    check(schema, schema, value, "", &mut found);
    found
}

fn check(root: &Value, schema: &Value, value: &Value, place: &str, found: &mut Vec<String>) {
    if let Some(name) = schema["$ref"].as_str() {
        let target = root.pointer(name.trim_start_matches('#')).unwrap_or_else(|| panic!("{name} leads nowhere"));
        return check(root, target, value, place, found);
    }
    let mut expect = |holds: bool, what: String| {
        if !holds {
            found.push(format!("{place}: {what}"));
        }
    };
    match &schema["type"] {
        Value::Null => {}
        Value::Array(kinds) => {
            expect(kinds.iter().any(|kind| is(kind, value)), format!("{value} is none of {kinds:?}"));
        }
        kind => expect(is(kind, value), format!("{value} is no {kind}")),
    }
    if let Some(allowed) = schema["enum"].as_array() {
        expect(allowed.contains(value), format!("{value} is none of {allowed:?}"));
    }
    if let Some(only) = schema.get("const") {
        expect(only == value, format!("{value} is not {only}"));
    }
    if let (Some(least), Some(number)) = (schema["minimum"].as_f64(), value.as_f64()) {
        expect(number >= least, format!("{number} is below {least}"));
    }
    if let (Some(most), Some(number)) = (schema["maximum"].as_f64(), value.as_f64()) {
        expect(number <= most, format!("{number} is above {most}"));
    }
    if let (Some(pattern), Some(text)) = (schema["pattern"].as_str(), value.as_str()) {
        expect(regex::Regex::new(pattern).expect("a pattern").is_match(text), format!("`{text}` is not {pattern}"));
    }
    if let Some(ways) = schema["anyOf"].as_array() {
        let fits = |way: &Value| {
            let mut inner = Vec::new();
            check(root, way, value, place, &mut inner);
            inner.is_empty()
        };
        expect(ways.iter().any(fits), format!("{value} fits no way"));
    }
    for key in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        expect(!value.is_object() || value.get(key).is_some(), format!("`{key}` is missing"));
    }
    for (key, inner) in value.as_object().into_iter().flatten() {
        let place = format!("{place}/{key}");
        match (schema["properties"].get(key), schema.get("additionalProperties")) {
            (Some(known), _) => check(root, known, inner, &place, found),
            (None, Some(Value::Bool(false))) => found.push(format!("{place}: unknown key")),
            (None, Some(other @ Value::Object(_))) => check(root, other, inner, &place, found),
            _ => {}
        }
    }
    if let Some(items) = schema.get("items") {
        for (at, item) in value.as_array().into_iter().flatten().enumerate() {
            check(root, items, item, &format!("{place}/{at}"), found);
        }
    }
}

fn is(kind: &Value, value: &Value) -> bool {
    match kind.as_str().expect("the name of a type") {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        other => panic!("unknown type {other}"),
    }
}

#[test]
fn the_schema_of_workflows_is_written_from_the_known_keys_and_fits_real_files() {
    let text = workflow::schema::json();
    golden("schema/workflow.schema.json", &text);
    let schema: Value = serde_json::from_str(&text).expect("JSON");
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = vec![root.join(".meow/workflows/ci.toml")];
    for entry in std::fs::read_dir(root.join("examples")).expect("examples") {
        let path = entry.expect("an entry").path();
        files.extend(path.extension().is_some_and(|extension| extension == "toml").then_some(path));
    }
    assert!(files.len() > 3, "{files:?}");
    for file in files {
        let text = std::fs::read_to_string(&file).expect("readable");
        let value: Value = toml::from_str(&text).expect("TOML");
        assert_eq!(wrong(&schema, &value), Vec::<String>::new(), "{}", file.display());
    }
    let step = |line: &str| format!("formula = \"x\"\n[[steps]]\nid = \"a\"\n{line}\n");
    for (text, what) in [
        ("description = \"x\"\n".to_owned(), "`formula` is missing"),
        (step("comand = \"x\""), "/steps/0/comand: unknown key"),
        (step("needs = \"b\""), "/steps/0/needs: \"b\" is no \"array\""),
        (step("retry = { attempts = 0 }"), "/steps/0/retry/attempts: 0 is below 1"),
        (step("[vars]\nx = { enum = 3 }"), "/vars/x: {\"enum\":3} fits no way"),
        ("formula = \"../x\"\n".to_owned(), "/formula: `../x` is not"),
    ] {
        let found = wrong(&schema, &toml::from_str(&text).expect("TOML"));
        assert!(found.iter().any(|found| found.contains(what)), "{text}: {found:?}");
    }
}
