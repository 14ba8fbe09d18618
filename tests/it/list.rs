//! `meow list` and how workflows are found by name.

use std::collections::BTreeMap;

use meow::cli::project::Project;
use meow::cli::workflows;
use meow::error::Kind;

use crate::space::Space;

const STEPS: &str = "[[steps]]\nid = \"a\"\nrun = \"true\"\n[[steps]]\nid = \"b\"\n";

fn space() -> Space {
    let space = Space::repository();
    space.write(".meow/workflows/ci.toml", &format!("formula = \"ci\"\ndescription = \"Checks.\\nMore.\"\n{STEPS}"));
    space.write(".meow/workflows/broken.toml", "formula = \"broken\"\nstep = 1\n");
    space.write("formulas/ci.toml", "formula = \"hidden\"\n");
    space.write(
        "formulas/town.formula.toml",
        &format!("formula = \"mol-town\"\nodd = 1\nvars = {{ who = {{ required = true }} }}\n{STEPS}"),
    );
    space.write(".beads/formulas/rel.formula.toml", &format!("formula = \"rel\"\nextends = [\"mol-town\"]\n{STEPS}"));
    space.write("sub/folder/x.toml", &format!("formula = \"x\"\n{STEPS}"));
    space
}

#[test]
fn list_shows_every_workflow_and_why_one_is_none() {
    let space = space();
    let table = space.meow_ok(&["list"]);
    let rows: Vec<Vec<&str>> = table.lines().take(5).map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(
        rows,
        [
            ["workflow", "steps", "last", "predicted", "file"],
            ["broken", "–", "–", "–", ".meow/workflows/broken.toml"],
            ["ci", "2", "–", "–", ".meow/workflows/ci.toml"],
            ["town", "2", "–", "–", "formulas/town.formula.toml"],
            ["rel", "2", "–", "–", ".beads/formulas/rel.formula.toml"],
        ],
        "{table}"
    );
    assert!(table.contains("cannot be executed: line 2: unknown key `step`"), "{table}");
    assert!(!table.contains("More."), "one line a workflow");
    let json: serde_json::Value = serde_json::from_str(&space.meow_ok(&["list", "--json"])).expect("JSON");
    assert_eq!(json["schema_version"], 1);
    assert_eq!(json["workflows"][2]["workflow"], "mol-town");
    assert_eq!(json["workflows"][2]["required"][0], "who");
    assert_eq!(json["workflows"][1]["commands"], 1);
    let nothing = Space::repository().meow(&["list"]);
    assert_eq!((nothing.code, nothing.out.as_str()), (0, ""));
    assert!(nothing.err.contains("meow init"), "{}", nothing.err);
}

#[test]
fn list_shows_how_the_last_execution_ended_and_what_to_expect() {
    let space = space();
    for number in 1..=9 {
        crate::sealing::execute(&space.root(), number);
    }
    let table = space.meow_ok(&["list"]);
    let row = table.lines().find(|line| line.trim_start().starts_with("ci ")).expect("a row");
    assert!(row.contains("passed") && row.contains("1.0 s") && row.contains("n 9"), "{table}");
    let json: serde_json::Value = serde_json::from_str(&space.meow_ok(&["list", "--json"])).expect("JSON");
    let past = &json["workflows"][1]["past"];
    assert_eq!((&past["outcome"], &past["started_at"]), (&"passed".into(), &"2025-11-22T10:15:09Z".into()));
    assert_eq!(past["predicted_ms"]["p50"], 1005.0);
    assert_eq!(json["workflows"][0].get("past"), None, "what never ran has no past");
}

#[test]
fn a_name_finds_a_file_and_a_wrong_one_says_where_it_looked() {
    let space = space();
    let root = space.root();
    let project = Project { root: root.clone(), directory: root.join("sub"), repository: None };
    for (name, expected) in [
        ("ci", Ok(".meow/workflows/ci.toml")),
        ("town", Ok("formulas/town.formula.toml")),
        ("mol-town", Ok("formulas/town.formula.toml")),
        ("rel", Ok(".beads/formulas/rel.formula.toml")),
        ("folder/x.toml", Ok("sub/folder/x.toml")),
        ("x.toml", Err("there is no workflow file x.toml")),
        ("tow", Err("there is no workflow `tow`")),
        ("../workflows/ci", Err("there is no workflow `../workflows/ci`")),
    ] {
        match (workflows::find(&project, name), expected) {
            (Ok(found), Ok(file)) => assert_eq!(found.file, file, "{name}"),
            (Err(error), Err(what)) => assert_eq!((error.kind(), error.what()), (Kind::Request, what), "{name}"),
            (found, expected) => panic!("{name}: {found:?}, expected {expected:?}"),
        }
    }
    let hint = workflows::find(&project, "tow").expect_err("no such name");
    let hint = hint.hint_text().unwrap_or_default();
    assert!(hint.contains("did you mean `town`?") && hint.contains(".beads/formulas"), "{hint}");
}

#[test]
fn a_workflow_is_loaded_with_those_it_extends_from_another_folder() {
    let space = space();
    let project = Project { root: space.root(), directory: space.root(), repository: None };
    let who = BTreeMap::from([("who".to_owned(), "me".to_owned())]);
    let workflow = workflows::load(&project, "rel", &who).expect("valid");
    assert_eq!((workflow.name.as_str(), workflow.steps.len()), ("rel", 2));
    assert_eq!(workflow.warnings.len(), 1, "{:?}", workflow.warnings);
    space.write(".meow/workflows/big.toml", &"#".repeat(10 << 20));
    let error = workflows::load(&project, "big", &BTreeMap::new()).expect_err("10 MB").to_string();
    assert_eq!(error, ".meow/workflows/big.toml is larger than the limit of 512 KiB for a workflow file");
}
