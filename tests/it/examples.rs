//! The workflows in `examples/`: each is read, planned, listed in its README, and shows what the README says.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use meow::cli::project::Project;
use meow::cli::workflows;
use meow::plan::{self, Hints, Limits};

use crate::space::Space;

#[test]
fn every_example_is_read_planned_and_listed() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let project = Project { root: root.clone(), directory: root.clone(), repository: None };
    let readme = fs::read_to_string(root.join("examples/README.md")).expect("a README");
    let rows: BTreeSet<&str> = readme.lines().filter_map(|line| line.strip_prefix("| [")?.split(']').next()).collect();
    let mut found: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for entry in fs::read_dir(root.join("examples")).expect("examples") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            let file = Path::new("examples").join(&name).display().to_string();
            let workflow = workflows::load(&project, &file, &BTreeMap::new()).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(workflow.warnings, [], "{file}");
            assert!(name.starts_with(&workflow.name), "{file} calls itself {}", workflow.name);
            let limits = Limits { slots: 2, cpus: None, memory_bytes: None };
            plan::plan(&workflow, &Hints::default(), &limits).unwrap_or_else(|error| panic!("{file}: {error}"));
            let manual = workflow.steps.iter().filter(|step| step.run.is_none()).count();
            found.insert(name, (workflow.steps.len(), manual));
        }
    }
    assert_eq!(rows, found.keys().map(String::as_str).collect(), "the README's table");
    let expected = [
        ("archive.toml", (5, 0)),
        ("handoff.toml", (5, 2)),
        ("patient.toml", (4, 0)),
        ("rust-release.toml", (4, 0)),
        ("rust.toml", (3, 0)),
    ];
    assert_eq!(found, expected.map(|(name, counts)| (name.to_owned(), counts)).into());
}

#[test]
fn examples_run_where_their_programs_are_everywhere() {
    let space = Space::repository();
    for (name, flags) in [
        ("archive.toml", &[][..]),
        ("patient.toml", &[]),
        ("handoff.toml", &[]),
        ("rust.toml", &["--dry-run"]),
        ("rust-release.toml", &["--dry-run"]),
    ] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name);
        let text = fs::read_to_string(path).expect("an example");
        space.write(&format!("examples/{name}"), &text);
        space.meow_ok(&[&["execute", &format!("examples/{name}")], flags].concat());
    }
    let log = space.meow_ok(&["log", "--json"]);
    let log: serde_json::Value = serde_json::from_str(&log).expect("JSON");
    assert_eq!(log["executions"].as_array().map(Vec::len), Some(3), "the three that ran are remembered: {log}");
}
