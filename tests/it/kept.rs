//! Pages that are kept: shown again as long as nothing they say has changed, and never longer.

use std::path::{Path, PathBuf};

use crate::space::Space;

/// Stands in a page that was shown again and in no page that was made anew.
const MARK: &str = "shown again";

/// Returns a repository with a workflow that ran twice and was committed.
fn space() -> Space {
    let space = Space::repository();
    space.write(".meow/workflows/ci.toml", "formula = \"ci\"\n[[steps]]\nid = \"test\"\nrun = \"true\"\n");
    for _ in 0..2 {
        space.meow_ok(&["execute", "ci"]);
    }
    space.meow_ok(&["commit"]);
    space.git(&["add", "."]);
    space.git(&["commit", "--quiet", "--message=workflow"]);
    space
}

/// Writes the mark into every page that is kept below a folder of meow's; returns how many there are.
fn mark(meow: &Path) -> usize {
    let Ok(pages) = std::fs::read_dir(meow.join("cache/pages")) else { return 0 };
    let pages: Vec<PathBuf> = pages.map(|entry| entry.expect("an entry").path()).collect();
    for page in &pages {
        let text = std::fs::read_to_string(page).expect("a page");
        let mut kept: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        kept["page"] = MARK.into();
        std::fs::write(page, kept.to_string()).expect("written");
    }
    pages.len()
}

/// Checks that a page is shown again at once, is made anew after `change`, and is shown again after that.
fn check(words: &[&str], name: &str, change: impl FnOnce(&Space)) {
    let space = space();
    let folder =
        if words.contains(&".") { space.home().join(".local/state/meow") } else { space.root().join(".git/meow") };
    let first = space.meow_ok(words);
    assert_eq!(space.meow_ok(words), first, "{words:?} twice");
    assert_eq!(mark(&folder), 1, "{words:?} is kept");
    assert_eq!(space.meow_ok(words).trim_end(), MARK, "{words:?}");
    change(&space);
    let after = space.meow_ok(words);
    assert!(!after.contains(MARK), "{words:?} after {name}: {after}");
    assert_eq!(space.meow_ok(words), after, "{words:?} twice after {name}");
}

#[test]
fn a_page_is_made_anew_after_every_change() {
    let pages: [&[&str]; 3] = [&["status"], &["report", "--format", "text"], &["report", "."]];
    for words in pages {
        check(words, "an execution", |space| drop(space.meow_ok(&["execute", "ci"])));
        check(words, "a commit of an execution", |space| {
            space.meow_ok(&["execute", "ci"]);
            space.meow_ok(words);
            mark(&space.root().join(".git/meow"));
            mark(&space.home().join(".local/state/meow"));
            space.meow_ok(&["commit"]);
        });
        check(words, "a purge", |space| {
            let log: serde_json::Value = serde_json::from_str(&space.meow_ok(&["log", "--json"])).expect("JSON");
            space.meow_ok(&["purge", log["executions"][0]["id"].as_str().expect("an id")]);
            assert!(!space.root().join(".git/meow/cache").exists(), "purged");
            assert!(!space.home().join(".local/state/meow/cache").exists(), "purged");
        });
        check(words, "another form", |space| {
            let mut json = words.to_vec();
            json.retain(|word| !["--format", "text"].contains(word));
            json.push("--json");
            assert!(space.meow_ok(&json).starts_with('{'), "{json:?}");
        });
        check(words, "damage", |space| {
            for folder in [space.root().join(".git/meow"), space.home().join(".local/state/meow")] {
                for page in std::fs::read_dir(folder.join("cache/pages")).into_iter().flatten() {
                    std::fs::write(page.expect("an entry").path(), "{").expect("written");
                }
            }
        });
    }
}

#[test]
fn a_report_is_made_anew_after_what_only_it_depends_on() {
    let words = &["report", "--format", "text"];
    check(words, "an edit", |space| space.write("README", "more\n"));
    check(words, "a branch", |space| {
        space.git(&["switch", "--quiet", "--create", "work"]);
        space.git(&["commit", "--quiet", "--allow-empty", "--message=more"]);
    });
    check(&["report", "--base", "HEAD"], "a base that moved", |space| {
        space.git(&["commit", "--quiet", "--allow-empty", "--message=more"]);
    });
    check(words, "a decision", |space| {
        let action =
            "kind = \"accepted\"\ntarget = \"ci/test/duration_ms\"\nat = \"2025-11-22T10:15:00Z\"\nby = \"me\"\n";
        space.write(".meow/actions/20251122T101500Z-000000000000.toml", action);
        space.meow(words);
    });
}

#[test]
fn a_week_ends_without_a_new_record() {
    let space = space();
    let at = |moment: &str| {
        let mut command = space.command(&space.root(), env!("CARGO_BIN_EXE_meow"));
        let said = command.env("MEOW_CLOCK", format!("{moment}#7")).args(["report", "--format", "text"]).output();
        String::from_utf8(said.expect("meow starts").stdout).expect("text")
    };
    let first = at("2025-11-23T00:00:00Z");
    assert_eq!(mark(&space.root().join(".git/meow")), 1);
    assert_eq!(at("2025-11-28T00:00:00Z").trim_end(), MARK);
    // The clock was set back, or an execution of this week is one of last week's by now.
    for moment in ["2025-11-22T23:00:00Z", "2025-11-29T12:00:00Z", "2025-12-07T00:00:00Z"] {
        let page = at(moment);
        assert!(!page.contains(MARK) && !page.is_empty(), "{moment}: {page}");
        assert_eq!(mark(&space.root().join(".git/meow")), 1);
        assert_eq!(at(moment).trim_end(), MARK);
    }
    assert!(!first.contains(MARK));
}

#[test]
fn what_is_skipped_is_said_each_time() {
    let space = space();
    let damaged = ".meow/records/month=2025-11/20251122T101500Z-000000000000-000000000000000000000000.parquet";
    space.write(damaged, "no segment");
    for _ in 0..2 {
        for words in [&["status"][..], &["report"], &["report", "."]] {
            let said = space.meow(words);
            assert!(said.err.contains("1 segment was skipped"), "{words:?}: {}", said.err);
        }
    }
}
