//! `meow optimize`: lines that history supports, written one decision each, and needs that are named and left alone.

use serde_json::Value;

use crate::learn::{chain, remembers};
use crate::null::{Draw, history};
use crate::space::Space;

const FILE: &str = ".meow/workflows/ci.toml";

/// Returns a project with a history of three steps in a row, and a workflow file with comments and a need too many.
fn project() -> Space {
    let space = remembers("one", &history(&chain(60, 0.2, 0.05, 0.3), &mut Draw::new(11)));
    space.write(
        FILE,
        "# the workflow\nformula = \"ci\"\n\n[[steps]]\nid = \"build\" # first\nrun = \"true\"\n\n[[steps]]\nid = \"test\"\nneeds = [\"build\"]\n\
        run = \"true\"\n\n[[steps]]\nid = \"package\"\nneeds = [\"build\", \"test\"]\nrun = \"true\"\n",
    );
    space
}

fn optimized(space: &Space, args: &[&str]) -> Value {
    let args: Vec<&str> = ["optimize", "ci", "--json"].iter().chain(args).copied().collect();
    serde_json::from_str(&space.meow_ok(&args)).expect("JSON")
}

#[test]
fn lines_are_shown_written_and_taken_back() {
    let space = project();
    let before = space.read(FILE);
    let page = optimized(&space, &[]);
    let lines = page["lines"].as_array().expect("lines");
    assert!(lines.iter().any(|line| line["key"] == "steps.test.timeout"), "{page:#}");
    assert!(
        lines.iter().all(|line| line["gain_ms"].is_number() && line["diff"].as_str().expect("a diff").contains("\n+"))
    );
    assert_eq!(page["needs"][0]["need"], "build", "{page:#}");
    assert_eq!((&page["needs"][0]["step"], &page["needs"][0]["implied"]), (&"package".into(), &true.into()));
    assert_eq!(page["groups"], serde_json::json!([["build"], ["test"], ["package"]]));
    assert_eq!(space.read(FILE), before, "nothing is written unasked");

    let page = optimized(&space, &["--write"]);
    let after = space.read(FILE);
    let written: Vec<&str> =
        page["written"].as_array().expect("ids").iter().map(|id| id.as_str().expect("an id")).collect();
    assert_eq!(written.len(), lines.len());
    assert!(after.contains("# the workflow\n") && after.contains("id = \"build\" # first\n"), "{after}");
    assert!(after.contains("timeout = \"") && after.contains("needs = [\"build\", \"test\"]"), "{after}");
    space.meow_ok(&["list"]);
    assert_eq!(optimized(&space, &[])["lines"], serde_json::json!([]), "what is said is not said again");
    for id in written.iter().rev() {
        space.meow_ok(&["recommendations", "undo", id]);
    }
    assert_eq!(space.read(FILE), before);
}

#[test]
fn without_history_there_is_nothing_to_say() {
    let space = Space::repository();
    space.write(FILE, "formula = \"ci\"\n[[steps]]\nid = \"a\"\nrun = \"true\"\n");
    let text = space.meow_ok(&["optimize", "ci", "--write"]);
    assert!(text.contains("history supports no line that the file does not say"), "{text}");
    let said = space.meow(&["optimize", "nothing"]);
    assert!(said.code == 2 && said.err.contains("there is no workflow `nothing`"), "{}", said.err);
}
