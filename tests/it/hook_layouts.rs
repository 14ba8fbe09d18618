//! meow's hooks beside those of people and of other tools: put in, at work, taken out byte for byte, in either order.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::space::{Space, peer};

/// What every hook that is not meow's does.
const THEIRS: &str = "touch \"$HOME/theirs\"\n";

/// A place that hooks are in already.
struct Layout {
    name: &'static str,
    /// The program without which it cannot be tried.
    peer: Option<&'static str>,
    /// Makes it; returns the folder in which a person works.
    make: fn(&Space) -> PathBuf,
}

const LAYOUTS: [Layout; 8] = [
    Layout { name: "none", peer: None, make: |space| space.root() },
    Layout { name: "own hook", peer: None, make: own },
    Layout { name: "husky", peer: Some("husky"), make: husky },
    Layout { name: "lefthook", peer: Some("lefthook"), make: lefthook },
    Layout { name: "pre-commit", peer: Some("pre-commit"), make: pre_commit },
    Layout { name: "global core.hooksPath", peer: None, make: global },
    Layout { name: "linked worktree", peer: None, make: linked },
    Layout { name: "bare", peer: None, make: bare },
];

fn plant(path: &Path) {
    fs::create_dir_all(path.parent().expect("a folder")).expect("folders");
    fs::write(path, format!("#!/bin/sh\n{THEIRS}")).expect("written");
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("a mode");
}

fn own(space: &Space) -> PathBuf {
    plant(&space.root().join(".git/hooks/pre-commit"));
    space.root()
}

fn husky(space: &Space) -> PathBuf {
    space.write("package.json", "{}\n");
    tool(space, "husky", &[]);
    space.write(".husky/pre-commit", THEIRS);
    space.root()
}

fn lefthook(space: &Space) -> PathBuf {
    let run = "      run: touch \"$HOME/theirs\"\n";
    let hook = |event: &str| format!("{event}:\n  commands:\n    theirs:\n{run}");
    space.write("lefthook.yml", &(hook("pre-commit") + &hook("pre-push")));
    tool(space, "lefthook", &["install"]);
    space.root()
}

fn pre_commit(space: &Space) -> PathBuf {
    let hook = "- repo: local\n  hooks:\n  - id: theirs\n    name: theirs\n    language: system\n    always_run: true\n    \
                pass_filenames: false\n    entry: sh -c 'touch \"$HOME/theirs\"'\n";
    space.write(".pre-commit-config.yaml", &format!("repos:\n{hook}"));
    tool(space, "pre-commit", &["install"]);
    space.root()
}

fn global(space: &Space) -> PathBuf {
    space.git(&["config", "--global", "core.hooksPath", "~/all-hooks"]);
    plant(&space.home().join("all-hooks/pre-commit"));
    space.root()
}

fn linked(space: &Space) -> PathBuf {
    own(space);
    let linked = space.home().join("linked");
    space.git(&["worktree", "add", "--quiet", "-b", "topic", &linked.display().to_string()]);
    linked
}

fn bare(space: &Space) -> PathBuf {
    let bare = space.home().join("bare.git");
    space.git(&["clone", "--quiet", "--bare", ".", &bare.display().to_string()]);
    plant(&bare.join("hooks/pre-commit"));
    bare
}

fn tool(space: &Space, program: &str, args: &[&str]) {
    let said = space.run_in(&space.root(), program, args);
    assert_eq!(said.code, 0, "{program} {args:?}: {said:?}");
}

fn meow(space: &Space, folder: &Path, args: &[&str]) -> String {
    let said = space.run_in(folder, env!("CARGO_BIN_EXE_meow"), args);
    assert_eq!(said.code, 0, "{args:?}: {said:?}");
    said.out
}

/// Returns path, mode and bytes of every hook and every file that says where hooks are.
fn state(space: &Space) -> Vec<(PathBuf, u32, Vec<u8>)> {
    let (git, home) = (space.root().join(".git"), space.home());
    let mut waiting =
        ["hooks", "config", "info", "worktrees/linked/config.worktree"].map(|name| git.join(name)).to_vec();
    waiting.extend(["all-hooks", ".gitconfig", "bare.git/hooks", "bare.git/config"].map(|name| home.join(name)));
    waiting.extend([".husky", "lefthook.yml", ".pre-commit-config.yaml"].map(|name| space.root().join(name)));
    let mut found = Vec::new();
    while let Some(path) = waiting.pop() {
        let Ok(metadata) = path.symlink_metadata() else { continue };
        let bytes = if metadata.is_dir() {
            waiting.extend(fs::read_dir(&path).expect("a folder").map(|entry| entry.expect("an entry").path()));
            Vec::new()
        } else {
            fs::read(&path).expect("bytes")
        };
        found.push((path, metadata.permissions().mode(), bytes));
    }
    found.sort();
    found
}

/// Fails where two states differ, and names how.
fn assert_restored(what: &str, before: &[(PathBuf, u32, Vec<u8>)], after: &[(PathBuf, u32, Vec<u8>)]) {
    let lacks = |one: &[(PathBuf, u32, Vec<u8>)], other: &[(PathBuf, u32, Vec<u8>)]| -> Vec<String> {
        one.iter().filter(|file| !other.contains(file)).map(|(path, ..)| path.display().to_string()).collect()
    };
    let (gone, come) = (lacks(before, after), lacks(after, before));
    assert!(gone.is_empty() && come.is_empty(), "{what}: gone or changed {gone:?}, come or changed {come:?}");
}

#[test]
fn eight_layouts_are_restored_byte_for_byte_and_work_meanwhile() {
    let mut restored = 0;
    for layout in LAYOUTS {
        if !layout.peer.is_none_or(peer) {
            continue;
        }
        let space = Space::repository();
        space.write(".meow/workflows/ci.toml", "formula = \"ci\"\n[[steps]]\nid = \"a\"\nrun = \"true\"\n");
        space.write(".meow/config.toml", "[hooks]\npre-push = \"ci\"\n");
        space.git(&["add", "."]);
        space.git(&["commit", "--quiet", "--message=workflow"]);
        let folder = (layout.make)(&space);
        let before = state(&space);
        let said = meow(&space, &folder, &["hooks", "install"]);
        assert!(said.contains("installed"), "{}: {said}", layout.name);
        assert_ne!(state(&space), before, "{}", layout.name);
        if layout.name != "bare" {
            at_work(&space, &folder, layout.name);
        }
        meow(&space, &folder, &["hooks", "uninstall"]);
        assert_restored(layout.name, &before, &state(&space));
        restored += 1;
    }
    println!("{restored} of {} layouts restored byte for byte", LAYOUTS.len());
}

/// Commits and pushes; looks for what meow's hooks and the others should have done.
fn at_work(space: &Space, folder: &Path, name: &str) {
    meow(space, folder, &["-q", "execute", "ci"]);
    meow(space, folder, &["trust"]);
    fs::write(folder.join("README"), "changed\n").expect("written");
    space.git_in(folder, &["commit", "--quiet", "--all", "--message=work"]);
    assert!(space.git_in(folder, &["show", "--stat", "HEAD"]).contains(".parquet"), "{name}: nothing was sealed");
    assert_eq!(space.home().join("theirs").exists(), name != "none", "{name}: the other hook");
    let log = meow(space, folder, &["log"]);
    assert_eq!(log.contains("hook/pre-commit"), name != "none", "{name}: {log}");
    let remote = space.home().join("remote.git");
    space.git_in(folder, &["init", "--quiet", "--bare", &remote.display().to_string()]);
    let said = space.run_in(folder, "git", &["push", "--quiet", &remote.display().to_string(), "HEAD:refs/heads/main"]);
    assert!(said.code == 0 && said.err.contains("ci passed"), "{name}: {said:?}");
}

#[test]
fn other_tools_put_in_before_or_after_leave_what_was_there_in_either_order() {
    for program in ["pre-commit", "lefthook"] {
        if !peer(program) {
            continue;
        }
        for order in ["+meow +tool -tool -meow", "+meow +tool -meow -tool", "+tool +meow -meow -tool"] {
            let space = Space::repository();
            space.write("lefthook.yml", "pre-commit:\n  commands:\n    theirs:\n      run: \"true\"\n");
            space.write(".pre-commit-config.yaml", "repos: []\n");
            own(&space);
            // What only these tools keep beside, such as a checksum, is theirs to remove.
            let hooks = |space: &Space| -> Vec<_> {
                state(space)
                    .into_iter()
                    .filter(|(path, ..)| !path.components().any(|part| part.as_os_str() == "info"))
                    .collect()
            };
            let before = hooks(&space);
            for step in order.split(' ') {
                match step {
                    "+meow" => drop(space.meow_ok(&["hooks", "install"])),
                    "-meow" => drop(space.meow_ok(&["hooks", "uninstall"])),
                    "+tool" => tool(&space, program, &["install"]),
                    _ => tool(&space, program, &["uninstall"]),
                }
            }
            assert_restored(&format!("{program}, {order}"), &before, &hooks(&space));
        }
    }
}

#[test]
fn a_hook_that_another_tool_moved_is_found_and_put_in_again() {
    for (program, called) in [("pre-commit", true), ("lefthook", false)] {
        if !peer(program) {
            continue;
        }
        let space = Space::repository();
        space.write("lefthook.yml", "pre-commit:\n  commands:\n    theirs:\n      run: \"true\"\n");
        space.write(".pre-commit-config.yaml", "repos: []\n");
        tool(&space, program, &["install"]);
        let before = state(&space);
        space.meow_ok(&["hooks", "install"]);
        tool(&space, program, &["install"]);
        let said = space.meow_ok(&["hooks", "status"]);
        assert!(said.contains(if called { "called by" } else { "not called any more" }), "{program}: {said}");
        let said = space.meow_ok(&["hooks", "install"]);
        assert!(said.contains("installed"), "{program}: {said}");
        space.meow_ok(&["hooks", "uninstall"]);
        if called {
            // pre-commit keeps what it found until it is itself taken out.
            tool(&space, program, &["uninstall"]);
            tool(&space, program, &["install"]);
        }
        let hooks = |state: &[(PathBuf, u32, Vec<u8>)]| -> Vec<_> {
            state.iter().filter(|(path, ..)| path.to_string_lossy().contains("hooks")).cloned().collect::<Vec<_>>()
        };
        assert_restored(program, &hooks(&before), &hooks(&state(&space)));
    }
}

/// What `hooks install` says about tools that write their hooks anew is tried as it is said.
#[test]
fn what_is_said_about_tools_that_write_their_hooks_anew_stays() {
    for program in ["husky", "lefthook"] {
        if !peer(program) {
            continue;
        }
        let space = Space::repository();
        space.write(".meow/workflows/ci.toml", "formula = \"ci\"\n[[steps]]\nid = \"a\"\nrun = \"true\"\n");
        space.write(".gitignore", "node_modules\n");
        let anew: &[&str] = if program == "husky" { &[] } else { &["install"] };
        if program == "husky" {
            husky(&space)
        } else {
            lefthook(&space)
        };
        let said = space.meow(&["hooks", "install"]).err;
        let (_, told) = said.split_once("stays:\n").unwrap_or_else(|| panic!("{program}: {said}"));
        let told: String = told.lines().map(|line| line.strip_prefix("  ").unwrap_or(line).to_owned() + "\n").collect();
        if program == "husky" {
            space.write(".husky/pre-commit", &(THEIRS.to_owned() + &told));
        } else {
            space.write("lefthook.yml", &told);
        }
        tool(&space, program, anew);
        let status = space.meow_ok(&["hooks", "status"]);
        assert!(status.contains("not installed") || status.contains("not called"), "{program}: {status}");
        space.meow_ok(&["-q", "execute", "ci"]);
        space.git(&["add", "."]);
        space.git(&["commit", "--quiet", "--message=work"]);
        assert!(space.git(&["show", "--stat", "HEAD"]).contains(".parquet"), "{program}: nothing was sealed");
        // Where there is no meow, nobody is stopped.
        let mut command = space.command(&space.root(), "git");
        command.env("PATH", std::env::var_os("PATH").expect("PATH"));
        command.args(["commit", "--quiet", "--allow-empty", "--message=without"]);
        let output = command.output().expect("git starts");
        assert!(output.status.success(), "{program}: {output:?}");
    }
}
