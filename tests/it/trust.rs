//! Trust: what runs unasked runs only while it is what a person trusted, and says why where it does not.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use serde_json::Value;

use crate::space::{Said, Space};

/// Runs meow as something that nobody asked for.
pub fn unasked(space: &Space, folder: &Path, trigger: &str, args: &[&str]) -> Said {
    let mut command = space.command(folder, env!("CARGO_BIN_EXE_meow"));
    Said::from(command.args(args).env("MEOW_TRIGGER", trigger).output().expect("the program starts"))
}

/// Returns a repository whose workflow `ci` writes the file `ran`, committed.
pub fn workflow() -> Space {
    let space = Space::repository();
    space.write(".meow/workflows/ci.toml", "formula = \"ci\"\n[[steps]]\nid = \"a\"\nrun = \"touch ran\"\n");
    space.write(".gitignore", "ran\n");
    space.git(&["add", "."]);
    space.git(&["commit", "--quiet", "--message=workflow"]);
    space
}

/// Returns whether the workflow ran since the last look.
fn ran(folder: &Path) -> bool {
    fs::remove_file(folder.join("ran")).is_ok()
}

/// Asserts that an agent's call runs nothing and says why.
fn refused(space: &Space, why: &str) {
    let said = unasked(space, &space.root(), "agent", &["execute", "ci"]);
    assert!(said.code == 2 && said.err.contains("agent: `ci` is not run: ") && said.err.contains(why), "{said:?}");
    assert!(said.err.contains("meow trust") || said.err.contains("links") || said.err.contains("unasked"), "{said:?}");
    assert!(!ran(&space.root()));
}

#[test]
fn only_what_is_trusted_runs_unasked() {
    let space = workflow();
    refused(&space, "not trusted");
    assert!(space.meow_ok(&["trust", "--show"]).contains("not trusted"));
    assert!(space.meow_ok(&["trust"]).contains("trusted since 2025-"));
    let said = unasked(&space, &space.root(), "agent", &["execute", "ci"]);
    assert!(said.code == 0 && ran(&space.root()), "{said:?}");
    let log: Value = serde_json::from_str(&space.meow_ok(&["log", "--json"])).expect("JSON");
    let id = log["executions"][0]["id"].as_str().expect("an id").to_owned();
    let execution: Value = serde_json::from_str(&space.meow_ok(&["status", &id, "--json"])).expect("JSON");
    assert_eq!(execution["trigger"], "agent", "{execution:#}");
    space.meow_ok(&["execute", "ci"]);
    assert!(ran(&space.root()), "a person is not asked for trust");

    let text = space.read(".meow/workflows/ci.toml");
    space.write(".meow/workflows/ci.toml", &text.replace("touch ran", "touch ran; touch more"));
    refused(&space, ".meow/workflows/ci.toml was changed since");
    let shown = space.meow_ok(&["trust", "--show"]);
    assert!(shown.contains("-run = \"touch ran\"\n+run = \"touch ran; touch more\"\n"), "{shown}");
    space.meow_ok(&["execute", "ci"]);
    assert!(ran(&space.root()), "what a person asks for runs as with make");
    space.write(".meow/workflows/ci.toml", &text);
    assert_eq!(unasked(&space, &space.root(), "schedule", &["execute", "ci"]).code, 0, "back to what was trusted");
    assert!(ran(&space.root()));

    space.write("formulas/other.toml", "formula = \"other\"\n");
    refused(&space, "formulas/other.toml was added since");
    space.meow_ok(&["trust"]);
    fs::remove_file(space.root().join("formulas/other.toml")).expect("removed");
    assert_eq!(unasked(&space, &space.root(), "agent", &["execute", "ci"]).code, 0, "trusted before, as on a branch");
    assert!(ran(&space.root()));
    space.write(".meow/config.toml", "color = \"never\"\n");
    assert_eq!(unasked(&space, &space.root(), "agent", &["execute", "ci"]).code, 0, "colours run nothing");
    assert!(ran(&space.root()));
    space.write(".meow/config.toml", "workflow = \"ci\"\n[hooks]\npre-push = \"ci\"\n");
    refused(&space, ".meow/config.toml (what decides execution) was added");

    space.meow_ok(&["trust"]);
    assert!(space.meow_ok(&["trust", "--list"]).contains(".git"));
    assert!(space.meow_ok(&["trust", "--revoke"]).contains("not trusted any more"));
    assert!(space.meow_ok(&["trust", "--revoke"]).contains("was not trusted"));
    refused(&space, "not trusted");
}

#[test]
fn trust_is_for_a_person_to_give_and_stays_outside_the_repository() {
    let space = workflow();
    let said = unasked(&space, &space.root(), "agent", &["trust"]);
    assert!(said.code == 2 && said.err.contains("for a person to give"), "{said:?}");
    refused(&space, "not trusted");
    let before = space.git(&["status", "--porcelain", "--ignored"]);
    space.meow_ok(&["trust"]);
    assert_eq!(space.git(&["status", "--porcelain", "--ignored"]), before);
    assert!(!space.has(".git/meow/trust") && space.home().join(".local/state/meow/trust").is_dir());
    let said = unasked(&space, &space.root(), "no name at all", &["execute", "ci"]);
    assert!(said.code == 2 && said.err.contains("MEOW_TRIGGER"), "{said:?}");
}

#[test]
fn what_was_not_written_by_trust_counts_for_nothing() {
    let space = workflow();
    space.meow_ok(&["trust"]);
    let folder = space.home().join(".local/state/meow/trust");
    let file = fs::read_dir(&folder).expect("a folder").next().expect("one file").expect("an entry").path();
    let text = fs::read_to_string(&file).expect("text");
    space.write(".meow/workflows/ci.toml", "formula = \"ci\"\n[[steps]]\nid = \"a\"\nrun = \"touch ran other\"\n");
    for wrong in [String::new(), text.replace("hash = \"", "hash = \"0"), "<<<<<<< ours\n".to_owned() + &text] {
        fs::write(&file, wrong).expect("written");
        refused(&space, "not trusted");
    }
    fs::write(&file, text).expect("written");
    refused(&space, "was changed since");
}

#[test]
fn a_listed_worktree_shares_the_trust_and_a_pointer_does_not() {
    let space = workflow();
    space.meow_ok(&["trust"]);
    let linked = space.home().join("linked");
    space.git(&["worktree", "add", "--quiet", "-b", "topic", &linked.display().to_string()]);
    let said = unasked(&space, &linked, "agent", &["execute", "ci"]);
    assert!(said.code == 0 && ran(&linked), "{said:?}");
    for pointed in ["a file", "a link", "the worktree's"] {
        let folder = space.home().join(pointed);
        fs::create_dir_all(folder.join(".meow/workflows")).expect("folders");
        fs::copy(space.root().join(".meow/workflows/ci.toml"), folder.join(".meow/workflows/ci.toml")).expect("copied");
        let git = space.root().join(".git");
        match pointed {
            "a link" => symlink(&git, folder.join(".git")).expect("a link"),
            "a file" => fs::write(folder.join(".git"), format!("gitdir: {}\n", git.display())).expect("written"),
            _ => drop(fs::copy(linked.join(".git"), folder.join(".git")).expect("copied")),
        }
        let said = unasked(&space, &folder, "agent", &["execute", "ci"]);
        assert!(said.code == 2 && !ran(&folder), "{pointed}: {said:?}");
        let said = space.run_in(&folder, env!("CARGO_BIN_EXE_meow"), &["execute", "ci"]);
        assert!(said.code == 0 && ran(&folder), "{pointed}: {said:?}");
    }
}

#[test]
fn the_page_as_json_says_what_a_person_has_to_know() {
    let space = workflow();
    space.write(".meow/config.toml", "[hooks]\npre-push = \"ci\"\n");
    let page = |space: &Space| -> Value {
        serde_json::from_str(&space.meow_ok(&["trust", "--show", "--json"])).expect("JSON")
    };
    let untrusted = page(&space);
    assert_eq!((&untrusted["state"], &untrusted["hooks"]["pre-push"]), (&"untrusted".into(), &"ci".into()));
    assert_eq!(untrusted["files"].as_array().expect("a list").len(), 2);
    space.meow_ok(&["trust"]);
    assert_eq!(page(&space)["state"], "trusted");
    fs::remove_file(space.root().join(".meow/workflows/ci.toml")).expect("removed");
    let changed = page(&space);
    assert_eq!(
        (&changed["state"], &changed["files"][1]["state"]),
        (&"changed".into(), &"removed".into()),
        "{changed:#}"
    );
}
