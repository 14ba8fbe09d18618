//! Executions of a branch are found again on the commits that it landed as, after a rebase or a squash.

use serde_json::Value;

use crate::space::Space;

/// Commits on the branch.
const COMMITS: usize = 6;

/// How many executions of a landed branch were recognised, and by what.
#[derive(Debug, PartialEq)]
struct Landed {
    all: u64,
    found: u64,
    commit: u64,
    tree: u64,
    patch: u64,
    range_patch: u64,
    branch: u64,
}

fn record(space: &Space) {
    space.meow_ok(&["record", "--name", "check", "--duration", "1s", "--outcome", "passed"]);
}

/// Makes a branch whose work is recorded before each commit and after it (only around the last one, where `tip_only`),
/// lands it, throws the branch away, and asks a fresh clone.
fn land(squash: bool, moved: bool, tip_only: bool) -> Landed {
    let space = Space::repository();
    let long = (0..100).map(|line| format!("line {line}\n")).collect::<Vec<_>>().concat();
    space.write("long", &long);
    space.git(&["add", "."]);
    space.git(&["commit", "--quiet", "--message=long"]);
    space.meow_ok(&["hooks", "install"]);
    space.git(&["checkout", "--quiet", "-b", "topic"]);
    let mut text = long;
    for number in 0..COMMITS {
        text = text.replace(&format!("line {}\n", 20 + 10 * number), "changed\nand more\n");
        space.write("long", &text);
        space.write(&format!("new-{number}"), "new\n");
        let recorded = !tip_only || number + 1 == COMMITS;
        if recorded {
            record(&space);
        }
        space.git(&["add", "."]);
        space.git(&["commit", "--quiet", &format!("--message=work {number}")]);
        if recorded {
            record(&space);
        }
    }
    space.meow_ok(&["commit"]);
    space.git(&["checkout", "--quiet", "main"]);
    if moved {
        space.write("long", &space.read("long").replace("line 3\n", "moved on\n"));
        space.write("other", "other\n");
        space.git(&["add", "."]);
        space.git(&["commit", "--quiet", "--message=moved on"]);
    }
    if squash {
        space.git(&["merge", "--quiet", "--squash", "topic"]);
        space.git(&["commit", "--quiet", "--message=squashed"]);
    } else {
        space.git(&["checkout", "--quiet", "topic"]);
        space.git(&["rebase", "--quiet", "--force-rebase", "main"]);
        space.git(&["checkout", "--quiet", "main"]);
        space.git(&["merge", "--quiet", "--ff-only", "topic"]);
    }
    space.git(&["branch", "-D", "topic"]);
    let clone = space.home().join("clone");
    space.git(&["clone", "--quiet", "--no-local", ".", clone.to_str().expect("plain")]);
    space.git_in(&clone, &["checkout", "--quiet", "-b", "next"]);
    std::fs::write(clone.join("next"), "next\n").expect("written");
    space.git_in(&clone, &["add", "."]);
    space.git_in(&clone, &["commit", "--quiet", "--message=next"]);
    let said = space.run_in(&clone, env!("CARGO_BIN_EXE_meow"), &["report", "--base", "main", "--json"]);
    let page: Value = serde_json::from_str(&said.out).unwrap_or_else(|error| panic!("{error}: {said:?}"));
    let number = |value: &Value| value.as_u64().unwrap_or_else(|| panic!("no number in {page}"));
    let found = |way: &str| number(&page["found"][way]);
    assert_eq!(number(&page["head_executions"]), 0, "{page}");
    Landed {
        all: number(&page["base_executions"]) + number(&page["left_out"]),
        found: number(&page["base_executions"]),
        commit: found("commit"),
        tree: found("tree"),
        patch: found("patch"),
        range_patch: found("range_patch"),
        branch: found("branch"),
    }
}

#[test]
fn a_rebased_branch_is_found_by_tree_or_patch() {
    for moved in [false, true] {
        let landed = land(false, moved, false);
        println!("rebase, main {}: {landed:?}", if moved { "moved" } else { "unmoved" });
        assert_eq!((landed.all, landed.found), (2 * COMMITS as u64, 2 * COMMITS as u64), "{landed:?}");
        let by = if moved { landed.patch } else { landed.tree };
        assert_eq!(by, landed.found, "{landed:?}");
    }
}

#[test]
fn a_squashed_branch_is_found_by_tree_or_range() {
    for moved in [false, true] {
        let landed = land(true, moved, true);
        println!("squash, main {}: {landed:?}", if moved { "moved" } else { "unmoved" });
        assert_eq!((landed.all, landed.found), (2, 2), "what landed: {landed:?}");
        let by = if moved { landed.range_patch } else { landed.tree };
        assert_eq!(by, 2, "{landed:?}");
        let landed = land(true, moved, false);
        println!("squash with intermediate states, main {}: {landed:?}", if moved { "moved" } else { "unmoved" });
        // No id of the states in between is one of the commit that landed: they go with the last one of their branch.
        let all = 2 * COMMITS as u64;
        assert_eq!((landed.all, landed.found, landed.branch), (all, all, all - 2), "{landed:?}");
    }
}

#[test]
fn a_shallow_clone_says_how_many_commits_it_lacks() {
    let space = Space::repository();
    space.meow_ok(&["hooks", "install"]);
    for number in 0..3 {
        record(&space);
        space.write("work", &format!("{number}\n"));
        space.git(&["add", "."]);
        space.git(&["commit", "--quiet", &format!("--message=work {number}")]);
    }
    let clone = space.home().join("clone");
    let address = format!("file://{}", space.root().display());
    space.git(&["clone", "--quiet", "--depth=2", &address, clone.to_str().expect("plain")]);
    std::fs::write(clone.join("next"), "next\n").expect("written");
    let said = space.run_in(&clone, env!("CARGO_BIN_EXE_meow"), &["report", "--base", "main"]);
    assert!(said.code == 0 && said.err.contains("2 executions ran on commits that this clone lacks"), "{said:?}");
}
