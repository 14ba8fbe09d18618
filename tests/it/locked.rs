//! An index that another program holds: meow neither takes its lock away nor makes a commit that the index knows nothing of.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::sealing::{execute, segments};
use crate::space::Space;

/// A repository with one execution that waits, and the segments that it will become are in no commit.
fn waiting() -> Space {
    let space = Space::repository();
    execute(&space.root(), 1);
    space
}

#[test]
fn a_commit_of_records_waits_for_the_index_and_is_not_taken_back() {
    let space = waiting();
    let head = space.git(&["rev-parse", "HEAD"]);
    space.write(".git/index.lock", "");
    let said = space.meow(&["commit"]);
    assert!(said.code == 3 && said.err.contains("index.lock"), "{said:?}");
    assert!(space.has(".git/index.lock"), "it is another program's");
    assert_eq!(space.git(&["rev-parse", "HEAD"]), head, "the index knows nothing of such a commit");
    fs::remove_file(space.root().join(".git/index.lock")).expect("removed");
    space.meow_ok(&["commit"]);
    space.write("more", "of the person's\n");
    space.git(&["add", "more"]);
    space.git(&["commit", "--quiet", "--message=more"]);
    assert_eq!(segments(&space, "HEAD").len(), 1);
    assert_eq!(space.git(&["status", "--porcelain"]), "");
}

#[test]
fn a_lock_that_another_program_takes_first_stays() {
    let space = waiting();
    let git = space.run_in(&space.root(), "sh", &["-c", "command -v git"]).out;
    // The other one comes in between: after meow looked for a lock, and before its git takes it.
    for (number, (command, lock)) in [("update-index", "index"), ("update-ref", "HEAD")].into_iter().enumerate() {
        let path = space.home().join(format!("bin-{number}"));
        fs::create_dir(&path).expect("a folder");
        let script = format!(
            "#!/bin/sh\ncase \"$*\" in *{command}*) echo another > .git/{lock}.lock;; esac\nexec {} \"$@\"\n",
            git.trim()
        );
        fs::write(path.join("git"), script).expect("written");
        fs::set_permissions(path.join("git"), fs::Permissions::from_mode(0o755)).expect("set");
        let mut meow = space.command(&space.root(), env!("CARGO_BIN_EXE_meow"));
        let before = std::env::var("PATH").expect("PATH");
        let said = meow.arg("commit").env("PATH", format!("{}:{before}", path.display())).env("LANG", "de_DE.UTF-8");
        let said = said.output().expect("meow starts");
        assert_eq!(said.status.code(), Some(3), "{command}: {}", String::from_utf8_lossy(&said.stderr));
        let lock = space.root().join(format!(".git/{lock}.lock"));
        assert_eq!(fs::read_to_string(&lock).expect("still there"), "another\n", "{command}");
        fs::remove_file(lock).expect("removed");
        assert_eq!(space.git(&["status", "--porcelain"]), "?? .meow/", "{command}: nothing has happened");
    }
    assert_eq!(space.git(&["rev-list", "--count", "HEAD"]), "1");
    space.meow_ok(&["commit"]);
    assert_eq!(segments(&space, "HEAD").len(), 1);
}

#[test]
fn a_purge_that_git_refuses_can_be_tried_again() {
    let space = waiting();
    execute(&space.root(), 2);
    space.meow_ok(&["commit"]);
    let held = segments(&space, "HEAD");
    space.write(".git/index.lock", "");
    assert_eq!(space.meow(&["purge", "0202"]).code, 3);
    assert_eq!(space.meow(&["store", "prune", "--before", "2026-01-01"]).code, 3);
    fs::remove_file(space.root().join(".git/index.lock")).expect("removed");
    assert_eq!(space.git(&["status", "--porcelain"]), "", "nothing stays that hides it or takes its place");
    assert_eq!(segments(&space, "HEAD"), held);
    space.meow_ok(&["purge", "0202"]);
    assert_ne!(segments(&space, "HEAD"), held);
    assert_eq!(space.git(&["status", "--porcelain"]), "");
}
