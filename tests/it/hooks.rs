//! The pre-commit hook's life: put in, chained, taken out byte for byte.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::space::Space;

fn plant(path: &Path, text: &str, mode: u32) {
    fs::create_dir_all(path.parent().expect("a folder")).expect("folders");
    fs::write(path, text).expect("written");
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("a mode");
}

/// Returns name, bytes and mode of everything in a folder.
fn snapshot(folder: &Path) -> Vec<(String, Vec<u8>, u32)> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut found: Vec<_> = entries
        .map(|entry| {
            let entry = entry.expect("entry");
            let mode = fs::symlink_metadata(entry.path()).expect("metadata").permissions().mode();
            (entry.file_name().to_string_lossy().into_owned(), fs::read(entry.path()).expect("bytes"), mode)
        })
        .collect();
    found.sort();
    found
}

#[test]
fn uninstall_restores_byte_for_byte() {
    for (what, hook) in [
        ("none", None),
        ("a plain one", Some(("#!/bin/sh\nexit 0\n", 0o755))),
        ("one that is switched off", Some(("#!/bin/sh\nexit 1\n", 0o644))),
        ("odd bytes", Some(("#!/bin/sh\r\n\u{1} no line end", 0o700))),
    ] {
        let space = Space::repository();
        let folder = space.root().join(".git/hooks");
        if let Some((text, mode)) = hook {
            plant(&folder.join("pre-commit"), text, mode);
        }
        let before = snapshot(&folder);
        assert!(space.meow_ok(&["hooks", "status"]).contains("not installed"), "{what}");
        assert!(space.meow_ok(&["hooks", "install"]).contains("installed"), "{what}");
        let installed = snapshot(&folder);
        space.meow_ok(&["hooks", "install"]);
        assert_eq!(snapshot(&folder), installed, "twice is once: {what}");
        assert_ne!(installed, before, "{what}");
        space.meow_ok(&["hooks", "uninstall"]);
        assert_eq!(snapshot(&folder), before, "{what}");
        assert!(space.meow_ok(&["hooks", "uninstall"]).contains("no hook of meow's"), "{what}");
    }
}

#[test]
fn an_existing_hook_keeps_its_arguments_and_its_say() {
    let space = Space::repository();
    let hook = "#!/bin/sh\necho \"called: $# $*\" > hook-log\n[ ! -e stop ] || exit 3\n";
    plant(&space.root().join(".git/hooks/pre-commit"), hook, 0o755);
    space.meow_ok(&["hooks", "install"]);
    let said = space.run_in(&space.root(), ".git/hooks/pre-commit", &["one", "two words"]);
    assert_eq!((said.code, space.read("hook-log").trim()), (0, "called: 2 one two words"));
    space.write("stop", "");
    assert_eq!(space.run_in(&space.root(), ".git/hooks/pre-commit", &[]).code, 3, "its own exit code");
    space.write("README", "changed\n");
    let said = space.run_in(&space.root(), "git", &["commit", "--all", "--message=stopped"]);
    assert_eq!(said.code, 1, "{said:?}");
    fs::remove_file(space.root().join("stop")).expect("removed");
    space.git(&["commit", "--quiet", "--all", "--message=passes"]);
}

#[test]
fn a_hook_of_the_shell_that_asks_for_its_name_is_told_it() {
    for shell in ["#!/bin/sh\n", "#!/usr/bin/env bash\n", ""] {
        let space = Space::repository();
        let hook = format!("{shell}echo \"$(basename \"$0\") in $(dirname \"$0\"): $*\" > hook-log\nexit 3\n");
        plant(&space.root().join(".git/hooks/pre-commit"), &hook, 0o755);
        space.meow_ok(&["hooks", "install"]);
        for meow in ["1", "0"] {
            let mut command = space.command(&space.root(), ".git/hooks/pre-commit");
            let status = command.args(["one", "two words"]).env("MEOW", meow).status().expect("it starts");
            assert_eq!(status.code(), Some(3), "{shell}");
            assert_eq!(space.read("hook-log"), "pre-commit in .git/hooks: one two words\n", "{shell}");
        }
    }
}

#[test]
fn hooks_path_is_respected() {
    let space = Space::repository();
    space.git(&["config", "core.hooksPath", "my-hooks"]);
    space.meow_ok(&["hooks", "install"]);
    assert!(space.has("my-hooks/pre-commit") && !space.has(".git/hooks/pre-commit"));
    space.meow_ok(&["hooks", "uninstall"]);
    space.git(&["config", "--unset", "core.hooksPath"]);
    space.git(&["config", "--global", "core.hooksPath", "~/all-hooks"]);
    let said = space.meow(&["hooks", "install"]);
    assert!(said.code == 0 && said.err.contains("core.hooksPath"), "{said:?}");
    assert!(space.home().join("all-hooks/pre-commit").exists());
    space.git(&["config", "--global", "core.hooksPath", "/dev/null"]);
    let said = space.meow(&["hooks", "status"]);
    assert!(said.code == 3 && said.err.contains("switched off"), "{said:?}");
}

#[test]
fn a_file_called_head_makes_no_git_directory() {
    let space = Space::repository();
    space.git(&["config", "core.hooksPath", ".githooks"]);
    space.meow_ok(&["hooks", "install"]);
    space.write("HEAD", "of the project's own\n");
    crate::sealing::execute(&space.root(), 1);
    space.git(&["add", "HEAD"]);
    space.git(&["commit", "--quiet", "--message=work"]);
    assert_eq!(crate::sealing::segments(&space, "HEAD").len(), 1);
}

#[test]
fn what_cannot_be_chained_is_refused_and_untouched() {
    let space = Space::repository();
    let folder = space.root().join(".git/hooks");
    plant(
        &folder.join("pre-commit"),
        "#!/usr/bin/perl\nuse File::Basename;\nexec 'dispatcher', basename($0);\n",
        0o755,
    );
    let before = snapshot(&folder);
    let said = space.meow(&["hooks", "install"]);
    assert!(said.code == 3 && said.err.contains("meow hook pre-commit"), "{said:?}");
    assert_eq!(snapshot(&folder), before);
    plant(&folder.join("pre-commit"), "#!/bin/sh\n", 0o755);
    space.meow_ok(&["hooks", "install"]);
    let edited = fs::read_to_string(folder.join("pre-commit")).expect("text") + "echo mine\n";
    plant(&folder.join("pre-commit"), &edited, 0o755);
    let said = space.meow(&["hooks", "uninstall"]);
    assert!(said.code == 3 && said.err.contains("edited"), "{said:?}");
}

#[test]
fn a_linked_worktree_shares_the_hook() {
    let space = Space::repository();
    let linked = space.home().join("linked");
    space.git(&["worktree", "add", "--quiet", "-b", "topic", &linked.display().to_string()]);
    let said = space.run_in(&linked, env!("CARGO_BIN_EXE_meow"), &["hooks", "install"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(space.has(".git/hooks/pre-commit"));
}

#[test]
fn without_a_repository_it_says_so() {
    let space = Space::empty();
    let said = space.meow(&["hooks", "status"]);
    assert!(said.code == 2 && said.err.contains("no git repository"), "{said:?}");
}
