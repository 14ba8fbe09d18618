//! Paths that lead elsewhere, in workflows, links, references and file names: nothing is written outside.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::space::Space;
use crate::trust::workflow;

/// Returns path and bytes of everything in a folder, links not followed.
fn tree(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut waiting = vec![folder.to_path_buf()];
    while let Some(path) = waiting.pop() {
        let kind = path.symlink_metadata().expect("it is there");
        if kind.is_dir() {
            waiting.extend(fs::read_dir(&path).expect("a folder").map(|entry| entry.expect("an entry").path()));
            found.insert(path, Vec::new());
        } else {
            let bytes = if kind.is_symlink() { Vec::new() } else { fs::read(&path).expect("bytes") };
            found.insert(path, bytes);
        }
    }
    found
}

/// Commands that write, after which nothing outside may have changed.
const WRITING: [&[&str]; 12] = [
    &["init", "--agents"],
    &["execute", "ci"],
    &["record", "--name", "a", "--outcome", "passed"],
    &["import", "jsonl", "rows.jsonl"],
    &["learn"],
    &["commit"],
    &["recommendations", "accept-change", "ci", "a", "--reason", "more"],
    &["store", "prune", "--before", "2030-01-01"],
    &["fold"],
    &["hook", "pre-commit"],
    &["report", "-o", "page.html"],
    &["score", "--predictions", "page.html"],
];

#[test]
fn links_in_a_repository_lead_no_write_out_of_it() {
    for link in [
        ".meow",
        ".meow/workflows",
        ".meow/records",
        ".meow/records/month=2025-11",
        ".meow/patterns",
        ".meow/recommendations",
        ".meow/actions",
        ".meow/config.toml",
        ".meow/.gitattributes",
        ".git/meow",
        ".git/meow/spool",
        ".git/meow/spool/main",
        ".git/meow/sealed",
        ".git/meow/logs",
        ".git/meow/writer",
        "AGENTS.md",
        "page.html",
    ] {
        let space = workflow();
        // The rows travel as a file of the repository.
        let row = r#"{"workflow":"w","step":"a","execution":"e1","started_at":"2025-11-20T10:00:00Z","duration_ms":5,"outcome":"passed"}"#;
        space.write("rows.jsonl", &format!("{row}\n"));
        let (outside, path) = (space.home().join("outside"), space.root().join(link));
        fs::create_dir_all(path.parent().expect("a folder")).expect("folders");
        let is_file = path.extension().is_some_and(|ending| ending != "meow") || link.ends_with("writer");
        if path.exists() {
            fs::rename(&path, &outside).expect("moved");
        } else if is_file {
            fs::write(&outside, "theirs\n").expect("written");
        } else {
            fs::create_dir_all(&outside).expect("folders");
        }
        if outside.is_dir() {
            // What meow might take for its own, and sweep away.
            for name in ["theirs.toml", ".unfinished-theirs", ".beginning-theirs", ".meow-unfinished-theirs"] {
                let file = fs::File::create(outside.join(name)).expect("made");
                let then = std::time::SystemTime::now() - std::time::Duration::from_hours(9_000);
                file.set_modified(then).expect("aged");
            }
        }
        symlink(&outside, &path).expect("a link");
        let before = tree(&outside);
        for args in WRITING {
            let said = space.meow(args);
            assert!(said.code <= 3 && !said.err.contains("panicked"), "{link}: {args:?}: {said:?}");
            assert!(tree(&outside) == before, "{link}: meow {args:?} wrote through the link: {said:?}");
        }
        // An execution that is asked for passes, remembered or not.
        assert_eq!(space.meow(&["execute", "ci"]).code, 0, "{link}");
        assert!(tree(&outside) == before, "{link}");
    }
}

#[test]
fn names_in_workflows_are_names_and_never_paths() {
    for name in ["../x", "/tmp/x", "a/b", ".git", ".GIT/hooks/pre-commit", "..", "a\\u0000b", "a\\nb", "\\u202Eb"] {
        let space = Space::repository();
        let formula = |formula: &str, step: &str| {
            format!("formula = \"{formula}\"\n[[steps]]\nid = \"{step}\"\nrun = \"echo x\"\n")
        };
        let before = tree(&space.home());
        space.write(".meow/workflows/ci.toml", &formula(name, "a"));
        let said = space.meow(&["execute", "ci"]);
        assert_eq!(said.code, 2, "formula {name}: {said:?}");
        space.write(".meow/workflows/ci.toml", &formula("ci", name));
        let said = space.meow(&["execute", "ci"]);
        assert_eq!(said.code, 2, "step {name}: {said:?}");
        let now: BTreeMap<_, _> =
            tree(&space.home()).into_iter().filter(|(path, _)| !path.to_string_lossy().contains(".local")).collect();
        let held: BTreeMap<_, _> =
            before.into_iter().filter(|(path, _)| !path.to_string_lossy().contains(".local")).collect();
        assert!(now == held, "{name}");
        assert!(!space.has(".git/hooks/pre-commit"), "{name}");
    }
}

#[test]
fn names_in_imported_rows_stay_names() {
    let space = workflow();
    let names =
        ["../../x", "/tmp/meow-x", ".git/config", ".GIT/hooks/pre-commit", "..", "a\u{0}b", "a\nb", "con/../../../y"];
    let mut rows = String::new();
    for (at, name) in names.iter().enumerate() {
        for run in 0..6 {
            let row = serde_json::json!({
                "workflow": name, "step": name, "execution": format!("{at}-{run}-{name}"), "attempt": 1,
                "started_at": format!("2025-11-20T1{run}:00:00Z"), "duration_ms": 5.0 + f64::from(run), "outcome": "passed",
            });
            rows += &format!("{row}\n");
        }
    }
    space.write("rows.jsonl", &rows);
    let (home, hooks, config) =
        (tree(&space.home()), tree(&space.root().join(".git/hooks")), space.read(".git/config"));
    space.meow_ok(&["import", "jsonl", "rows.jsonl"]);
    space.meow_ok(&["learn"]);
    space.meow_ok(&["commit"]);
    let written = tree(&space.root().join(".meow"));
    assert!(written.keys().any(|path| path.to_string_lossy().contains("patterns/%2e")), "{:?}", written.keys());
    let log: Value = serde_json::from_str(&space.meow_ok(&["log", "--json", "-n", "100"])).expect("JSON");
    for execution in log["executions"].as_array().expect("a list").iter().take(8) {
        space.meow_ok(&["status", execution["id"].as_str().expect("an id")]);
    }
    assert!(tree(&space.home()) == home && tree(&space.root().join(".git/hooks")) == hooks);
    assert_eq!(space.read(".git/config"), config);
}

#[test]
fn segments_in_a_hostile_tree_are_folded_nowhere_else() {
    let space = workflow();
    space.meow_ok(&["execute", "ci"]);
    space.meow_ok(&["commit"]);
    let list = space.git(&["ls-tree", "-r", "HEAD", ".meow/records"]);
    let (blob, path) =
        list.split_once(' ').and_then(|(_, rest)| rest.split_once(' ')?.1.split_once('\t')).expect("a segment");
    let name = path.rsplit('/').next().expect("a name");
    space.git(&["rm", "--quiet", "-r", ".meow/records"]);
    space.git(&["commit", "--quiet", "--no-verify", "--message=empty"]);
    let tree_of = |entries: &[(&str, &str, &str)]| -> String {
        let mut bytes = Vec::new();
        for (mode, name, id) in entries {
            bytes.extend(format!("{mode} {name}\0").into_bytes());
            let digits: Vec<u8> =
                (0..id.len()).step_by(2).map(|at| u8::from_str_radix(&id[at..at + 2], 16).expect("hex")).collect();
            bytes.extend(digits);
        }
        fs::write(space.home().join("tree"), bytes).expect("written");
        space.git(&["hash-object", "-t", "tree", "-w", "--literally", "../home/tree"])
    };
    let refused = |what: &str, month: &str, file: &str| {
        let months = tree_of(&[("100644", file, blob)]);
        let records = tree_of(&[("40000", month, &months)]);
        let meow = tree_of(&[("40000", "records", &records)]);
        let top = tree_of(&[("40000", ".meow", &meow)]);
        let commit = space.git(&["commit-tree", &top, "-m", "evil"]);
        space.git(&["update-ref", "refs/meow/w/0123456789ab", &commit]);
        let before: Vec<PathBuf> =
            [space.home(), space.root()].iter().flat_map(|folder| tree(folder).into_keys()).collect();
        let said = space.meow(&["fold"]);
        let new: Vec<PathBuf> = [space.home(), space.root()]
            .iter()
            .flat_map(|folder| tree(folder).into_keys())
            .filter(|path| !before.contains(path) && path.extension().is_some_and(|ending| ending == "parquet"))
            .collect();
        assert!(new.is_empty() && !said.err.contains("panicked"), "{what}: {new:?} {said:?}");
    };
    refused("up", "..", name);
    refused("a path as a month", "../../../home", name);
    refused("a git directory", ".git", name);
    refused("in any case", ".GIT", name);
    refused("a path as a name", "month=2025-11", &format!("../../../../home/{name}"));
    refused("an absolute name", "month=2025-11", &format!("{}/{name}", space.home().display()));
    refused("a line end", "month=2025-11", &format!("a\n{name}"));
}

#[test]
fn output_goes_where_the_person_said_and_nowhere_else() {
    let space = workflow();
    space.meow_ok(&["execute", "ci"]);
    fs::write(space.home().join("profile"), "theirs\n").expect("written");
    symlink(space.home().join("profile"), space.root().join("page.html")).expect("a link");
    symlink(space.home(), space.root().join("docs")).expect("a link");
    symlink(space.home().join("new"), space.root().join("dangling")).expect("a link");
    let config = space.read(".git/config");
    for file in [
        "page.html",
        "docs/page.html",
        "dangling",
        ".git/config",
        ".GIT/config",
        "sub/../.git/config",
        "docs/../.Git/x",
    ] {
        for args in [&["report", "-o", file][..], &["score", "--predictions", file], &["export", "trace", "-o", file]] {
            let said = space.meow(args);
            assert!(said.code == 2 && said.err.contains("is not written"), "{args:?}: {said:?}");
        }
    }
    assert_eq!(fs::read_to_string(space.home().join("profile")).expect("text"), "theirs\n");
    assert!(space.read(".git/config") == config && !space.home().join("new").exists());
    fs::create_dir(space.root().join("public")).expect("a folder");
    symlink("public", space.root().join("pages")).expect("a link");
    space.meow_ok(&["report", "-o", "pages/report.md"]);
    space.meow_ok(&["report", "-o", "../home/report.md"]);
    assert!(space.has("public/report.md") && space.home().join("report.md").exists(), "what was typed is meant");
}
