//! What `--json` prints against its published schema: every output of made-up projects is valid, and says no key that the
//! schema does not name. `MEOW_BLESS=1` writes the schemas anew from those outputs.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use meow::record::Predicted;
use serde_json::{Map, Value, json};

use crate::anomalies::steady;
use crate::decisions::{project, verified};
use crate::gate;
use crate::golden::golden;
use crate::insight::edit;
use crate::json::wrong;
use crate::learn::{chain, remembers};
use crate::null::{Draw, Made, history};
use crate::space::Space;

/// Keys whose objects are maps: names of a project's own stand there.
const MAPS: [&str; 3] = ["hooks", "metrics", "workflows"];
/// Keys whose value may be unknown elsewhere, if not here.
const UNKNOWN: [&str; 14] = [
    "commit",
    "cpu_ms",
    "dirty",
    "limit_ms",
    "logs",
    "machine",
    "peak_memory_bytes",
    "predicted_ms",
    "predicted_p50_ms",
    "predicted_p90_ms",
    "read_bytes",
    "system_ms",
    "user_ms",
    "written_bytes",
];

/// Returns what is printed, by the name of its schema.
fn outputs() -> BTreeMap<&'static str, Vec<Value>> {
    let mut found: BTreeMap<&'static str, Vec<Value>> = BTreeMap::new();
    let mut see = |space: &Space, name: &'static str, args: &[&str]| {
        let said = space.meow(args);
        // 3: what `store verify` found damaged is its result.
        assert!(said.code < 2 || (name, said.code) == ("store-verify", 3), "{args:?}: {}", said.err);
        let values: Vec<Value> = if name == "event" {
            said.out.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
        } else {
            vec![serde_json::from_str(&said.out).unwrap_or_else(|error| panic!("{args:?}: {error}"))]
        };
        found.entry(name).or_default().extend(values);
    };
    let [plain, still] = imported();
    let made = [Space::repository(), lived(1), lived(2), project().0, verified(), worked(), branched(), changed()];
    see(&lacking(), "store-size", &["store", "size", "--json"]);
    for space in made.into_iter().chain([plain, still]) {
        see(&space, "analysis", &["analyze", "--json"]);
        see(&space, "insights", &["insights", "--json"]);
        see(&space, "learning-report", &["learning-report", "--days", "60", "--json"]);
        see(&space, "score", &["score", "--format", "json"]);
        see(&space, "settings", &["config", "--list", "--json"]);
        see(&space, "learning", &["learn", "--json"]);
        see(&space, "workflows", &["list", "--json"]);
        see(&space, "log", &["log", "--json"]);
        see(&space, "recommendations", &["recommendations", "list", "--all", "--json"]);
        see(&space, "recommendations", &["recommendations", "--json"]);
        see(&space, "comparison", &["report", "--json"]);
        see(&space, "comparison", &["report", "--gate", "--json"]);
        see(&space, "losses", &["report", ".", "--json"]);
        see(&space, "review", &["report", "--full", "--json"]);
        see(&space, "status", &["status", "--json"]);
        see(&space, "store-size", &["store", "size", "--json"]);
        see(&space, "store-verify", &["store", "verify", "--json"]);
        see(&space, "trust", &["trust", "--json"]);
        let log: Value = serde_json::from_str(&space.meow_ok(&["log", "--json"])).expect("JSON");
        if let Some(id) = log["executions"][0]["id"].as_str() {
            see(&space, "execution", &["status", id, "--json"]);
            see(&space, "trace", &["export", "trace", id]);
        }
        if space.has(".meow/workflows/ci.toml") {
            see(&space, "plan", &["execute", "--dry-run", "--json"]);
            see(&space, "optimization", &["optimize", "--json"]);
            see(&space, "simulation", &["simulate", "--target", "10m", "--json"]);
            see(&space, "simulation", &["simulate", "--target", "1ms", "--json"]);
            see(&space, "outcome", &["execute", "--json"]);
            see(&space, "outcome", &["execute", "--keep-going", "--undo", "--json"]);
            see(&space, "outcome", &["execute", "--only", "build", "--json"]);
            see(&space, "event", &["execute", "--events", "jsonl"]);
            see(&space, "event", &["execute", "--keep-going", "--undo", "--events", "jsonl"]);
        }
    }
    see(&gate::failing(), "comparison", &["report", "--gate", "--json"]);
    let fresh = Space::repository();
    fresh.write(".meow/workflows/ci.toml", "formula = \"ci\"\n[[steps]]\nid = \"a\"\nrun = \"true\"\n");
    see(&fresh, "plan", &["execute", "--dry-run", "--json"]);
    let two = [lived(1), lived(2)].map(|space| (space.root().display().to_string(), space));
    see(&two[0].1, "score", &["score", &two[0].0, &two[1].0, "--format", "json"]);
    let space = Space::empty();
    let numbers = |from: usize| (0..40).map(|at| format!("{}\n", at % 3 + if at < from { 10 } else { 20 })).collect();
    for from in [0, 20] {
        let numbers: Vec<String> = numbers(from);
        space.write("numbers", &numbers.concat());
        see(&space, "detection", &["detect", "numbers"]);
    }
    let space = steady();
    space.write("slow", "");
    see(&space, "outcome", &["execute", "--json"]);
    see(&space, "status", &["status", "--json"]);
    interrupted(&mut |space, name, args| see(space, name, args));
    let space = Space::repository();
    space.write(".meow/workflows/ci.toml", "formula = \"ci\"\n");
    see(&space, "trust", &["trust", "--show", "--json"]);
    space.meow_ok(&["trust"]);
    space.write(".meow/workflows/ci.toml", "formula = \"all\"\n");
    space.write(".meow/config.toml", "[hooks]\npre-push = \"all\"\n");
    see(&space, "trust", &["trust", "--show", "--json"]);
    found
}

/// Looks at a project while a workflow runs there, and after its program was killed.
fn interrupted(see: &mut dyn FnMut(&Space, &'static str, &[&str])) {
    let space = Space::repository();
    space.write(".meow/workflows/ci.toml", "formula = \"ci\"\n[[steps]]\nid = \"a\"\nrun = \"sleep 10\"\n");
    let mut child =
        space.command(&space.root(), env!("CARGO_BIN_EXE_meow")).args(["-q", "execute"]).spawn().expect("it starts");
    let runs = |key: &str| {
        let status: Value = serde_json::from_str(&space.meow_ok(&["status", "--json"])).expect("JSON");
        status[key].as_array().is_some_and(|open| !open.is_empty())
    };
    assert!((0..500).any(|_| runs("running")), "it never ran");
    see(&space, "status", &["status", "--json"]);
    child.kill().expect("killed");
    child.wait().expect("gone");
    assert!((0..500).any(|_| runs("interrupted")), "it is not seen to be dead");
    see(&space, "status", &["status", "--json"]);
}

/// Returns a project with executions on its default branch and on the branch that is checked out.
fn branched() -> Space {
    let space = Space::repository();
    space.write(".meow/workflows/ci.toml", "formula = \"ci\"\n[[steps]]\nid = \"build\"\nrun = \"true\"\n");
    for branch in [None, Some("work")] {
        if let Some(branch) = branch {
            space.git(&["switch", "--quiet", "--create", branch]);
            space.write("new", "file\n");
        }
        space.git(&["add", "."]);
        space.git(&["commit", "--quiet", "--message=more"]);
        for _ in 0..6 {
            space.meow_ok(&["execute"]);
        }
    }
    space
}

/// Returns a project with a history in which a retry pays, one decision of each kind, and files that are wrong.
fn lived(seed: u64) -> Space {
    let space = remembers("one", &history(&chain(80, 0.2, 0.05, 0.3), &mut Draw::new(20 + seed)));
    let page: Value = serde_json::from_str(&space.meow_ok(&["recommendations", "--json"])).expect("JSON");
    if let Some(id) = page["recommendations"][0]["id"].as_str() {
        space.meow_ok(&["recommendations", "dismiss", id, "--reason", "no"]);
    }
    space.meow_ok(&["recommendations", "accept-change", "ci", "test"]);
    space.write(".meow/config.toml", "slot = 3\nslots = 2\n");
    space.write(".meow/workflows/broken.toml", "formula = 3\n");
    space.write(".meow/records/month=2025-11/20251122T101500Z-a1b2c3d4e5f6-000000000000000000000000.parquet", "torn");
    space.git(&["add", "."]);
    space.git(&["commit", "--quiet", "--message=more"]);
    space
}

/// Returns a project with one slot for four steps, three of which became slower at one time, as nothing had predicted.
fn changed() -> Space {
    let mut shape = chain(120, 0.2, 0.0, 0.0);
    shape.slots = 1;
    for id in ["lint", "docs"] {
        shape.steps.push(Made { id: id.into(), ..shape.steps[1].clone() });
    }
    let mut at = 0;
    let records = edit(&history(&shape, &mut Draw::new(31)), |_, attempts| {
        at += 1;
        for (place, attempt) in attempts.iter_mut().enumerate() {
            attempt.predicted = Some(Predicted { p10_ms: 5e3, p50_ms: 6e3, p90_ms: 7e3, failure: 0.1 });
            let factor = if at > 60 && place > 0 { 3.0 } else { 1.0 };
            attempt.duration_ms = attempt.duration_ms.map(|ms| ms * factor);
            attempt.inputs_bytes = Some(1_000 * at);
            if place > 0 {
                (attempt.user_ms, attempt.system_ms, attempt.peak_memory_bytes) = (Some(3), Some(1), Some(5_000 * at));
            }
        }
    });
    remembers("changed", &records)
}

/// Returns a clone that lacks one of the files that it holds records in.
fn lacking() -> Space {
    let space = Space::repository();
    space.meow_ok(&["record", "--name", "x", "--duration", "1s", "--outcome", "passed"]);
    space.meow_ok(&["commit"]);
    let path = space.git(&["ls-tree", "-r", "--name-only", "HEAD", ".meow/records"]);
    let blob = space.git(&["rev-parse", &format!("HEAD:{path}")]);
    let object = space.root().join(".git/objects").join(&blob[..2]).join(&blob[2..]);
    std::fs::remove_file(object).expect("it is loose");
    space
}

/// Returns projects that know of their executions what a foreign file says, and no more: of commits, machines, memory and
/// needs nothing. In the first steps fail, are cancelled, change with their metrics, take unknown times, or hold up all others; in the
/// second they always take the same time, or none.
fn imported() -> [Space; 2] {
    let row = |at: usize, workflow: &str, step: &str, (outcome, duration): (&str, Option<usize>), metric: i32| {
        let duration = duration.map_or_else(|| "null".to_owned(), |duration| duration.to_string());
        format!(
            r#"{{"execution":"{at}","workflow":"{workflow}","step":"{step}","attempt":1,"started_at":"2025-11-{:02}T{:02}:00:00Z","duration_ms":{duration},"outcome":"{outcome}","metrics":{{"m":{metric}}}}}"#,
            1 + at / 24,
            at % 24
        )
    };
    let (mut plain, mut still) = (Vec::new(), Vec::new());
    for at in 0..60 {
        let (late, odd) = (at >= 30, at % 7);
        plain.push(row(at, "failed", "a", ("failed", Some(1_000)), 1));
        plain.push(row(at, "cancelled", "a", ("cancelled", Some(1_000)), 1));
        let changed = if late { (4_000 + odd, -9) } else { (1_000 + odd, -5) };
        plain.push(row(at, "changed", "a", ("passed", Some(changed.0)), changed.1));
        plain.push(row(at, "unmeasured", "a", ("passed", None), changed.1));
        plain.push(row(at, "long", "a", ("passed", Some(900_000 + odd)), 1));
        plain.push(row(at, "long", "b", ("passed", Some(1_000)), 1));
        still.push(row(at, "still", "a", ("passed", Some(0)), 0));
        still.push(row(at, "still", "b", ("passed", Some(5)), 0));
    }
    [plain, still].map(|rows| {
        let space = Space::repository();
        space.write("rows.jsonl", &rows.join("\n"));
        space.meow_ok(&["import", "jsonl", "rows.jsonl"]);
        space
    })
}

/// Returns a project in which workflows really ran, one step failed, and one recommendation is applied.
fn worked() -> Space {
    let space = lived(3);
    let text = r#"
formula = "ci"
[[steps]]
id = "build"
run = "head -c 50000000 /dev/zero | tail | wc -c; echo size=3 >> $MEOW_METRICS"
locks = ["target"]
undo = "exit 4"
[[steps]]
id = "test"
needs = ["build"]
run = "exit 3"
retry = { attempts = 2, backoff = "1ms" }
[[steps]]
id = "look"
[[steps]]
id = "last"
needs = ["test"]
run = "true"
[[steps]]
id = "out"
run = "true"
condition = "a == b"
[[steps]]
id = "killed"
run = "kill -9 $$"
[[steps]]
id = "slow"
run = "sleep 9"
timeout = "100ms"
"#;
    space.write(
        ".meow/workflows/asks.toml",
        "formula = \"asks\"\n[vars]\nx = { required = true }\n[[steps]]\nid = \"a\"\n",
    );
    space.write(".meow/workflows/ci.toml", text);
    space.meow(&["execute"]);
    space
}

#[test]
fn every_output_is_as_its_schema_says() {
    let outputs = outputs();
    let folder = std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("schema/output")).expect("schemas");
    let files = folder.map(|file| file.expect("a file").file_name().to_string_lossy().replace(".schema.json", ""));
    if std::env::var_os("MEOW_BLESS").is_none() {
        assert_eq!(outputs.keys().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>(), files.collect());
    }
    for (name, values) in outputs {
        let path = format!("schema/output/{name}.schema.json");
        if std::env::var_os("MEOW_BLESS").is_some() {
            golden(&path, &(serde_json::to_string_pretty(&page(name, &values)).expect("plain") + "\n"));
        }
        let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(&path));
        let schema: Value =
            serde_json::from_str(&text.unwrap_or_else(|error| panic!("{path}: {error}"))).expect("JSON");
        for value in &values {
            assert_eq!(wrong(&schema, value), Vec::<String>::new(), "{name}");
            assert_eq!(unknown(&schema, value, name), Vec::<String>::new(), "`MEOW_BLESS=1` adds them to {path}");
        }
        let pages = values.iter().filter(|value| name != "event" || value["event"] == "execution");
        assert!(pages.clone().count() > 0 && pages.clone().all(|page| page["schema_version"] == 1), "{name}");
    }
}

#[test]
fn a_wrong_output_would_be_found() {
    let schema =
        page("x", &[json!({ "a": 1, "workflows": { "ci": { "n": 1 } } }), json!({ "a": null, "workflows": {} })]);
    for (value, what) in [
        (json!({ "workflows": {} }), "`a` is missing"),
        (json!({ "a": "1", "workflows": {} }), "is none of"),
        (json!({ "a": 1, "workflows": { "other": { "n": true } } }), "/workflows/other/n"),
        (json!({ "a": 1, "workflows": { "other": {} } }), "`n` is missing"),
    ] {
        assert!(
            wrong(&schema, &value).iter().any(|found| found.contains(what)),
            "{value}: {:?}",
            wrong(&schema, &value)
        );
    }
    assert_eq!(unknown(&schema, &json!({ "a": 1, "b": [] }), "x"), ["x/b"]);
}

/// Returns the keys of a value that its schema does not name.
fn unknown(schema: &Value, value: &Value, place: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (key, inner) in value.as_object().into_iter().flatten() {
        let place = format!("{place}/{key}");
        match schema["properties"].get(key).or_else(|| schema.get("additionalProperties")) {
            Some(known) => found.extend(unknown(known, inner, &place)),
            None => found.push(place),
        }
    }
    for item in value.as_array().into_iter().flatten() {
        found.extend(unknown(schema.get("items").unwrap_or(&Value::Null), item, place));
    }
    found
}

fn page(name: &str, values: &[Value]) -> Value {
    let mut page = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": format!("meow's JSON output: {name}"),
        "description": "Programs leave unknown keys alone: new ones may be added within a schema_version.",
    });
    let inner = of(None, &values.iter().collect::<Vec<_>>());
    page.as_object_mut().expect("an object").extend(inner.as_object().expect("an object").clone());
    page
}

/// Returns the schema that all values have in common; `key` is where they stand.
fn of(key: Option<&str>, values: &[&Value]) -> Value {
    let mut kinds: BTreeSet<&str> = values.iter().map(|value| kind(value)).collect();
    if key.is_some_and(|key| UNKNOWN.contains(&key)) {
        kinds.insert("null");
    }
    let mut schema = Map::new();
    if kinds.len() == 1 && kinds.contains("null") {
        // Nothing is known of what else it may be.
        return Value::Object(schema);
    }
    if let Some(only) = kinds.first().filter(|_| kinds.len() == 1) {
        schema.insert("type".into(), json!(only));
    } else if !kinds.is_empty() {
        schema.insert("type".into(), json!(kinds));
    }
    let objects: Vec<&Map<String, Value>> = values.iter().filter_map(|value| value.as_object()).collect();
    let keys: BTreeSet<&String> = objects.iter().flat_map(|object| object.keys()).collect();
    if objects.is_empty() {
    } else if key.is_some_and(|key| MAPS.contains(&key)) {
        let inner: Vec<&Value> = objects.iter().flat_map(|object| object.values()).collect();
        schema.insert("additionalProperties".into(), of(None, &inner));
    } else {
        let inner = |key: &&String| objects.iter().filter_map(|object| object.get(*key)).collect::<Vec<_>>();
        let properties: Map<String, Value> =
            keys.iter().map(|key| ((*key).clone(), of(Some(key), &inner(key)))).collect();
        let required: Vec<_> = keys.iter().filter(|key| inner(key).len() == objects.len()).collect();
        schema.insert("properties".into(), Value::Object(properties));
        schema.insert("required".into(), json!(required));
    }
    let items: Vec<&Value> = values.iter().filter_map(|value| value.as_array()).flatten().collect();
    if kinds.contains("array") {
        schema.insert("items".into(), of(None, &items));
    }
    Value::Object(schema)
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}
