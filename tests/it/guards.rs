//! Guards of the memory, each in the one moment in which it is missed: between two commands, in the wrong folder, half-way.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::sealing::{execute, hooked, segments, waiting};
use crate::space::{Said, Space};

/// Returns a repository with a bare remote that has its branch, and that remote.
fn with_remote() -> (Space, PathBuf) {
    let space = Space::repository();
    let bare = space.home().join("remote.git");
    let path = bare.to_str().expect("plain");
    space.git(&["clone", "--quiet", "--bare", ".", path]);
    space.git(&["remote", "add", "origin", path]);
    space.git(&["fetch", "--quiet", "origin"]);
    (space, bare)
}

fn writer(space: &Space) -> String {
    space.git(&["for-each-ref", "--format=%(refname)", "refs/meow/w/"])
}

/// Writes an executable script.
fn script(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().expect("a folder")).expect("folders");
    fs::write(path, format!("#!/bin/sh\n{text}\n")).expect("written");
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("executable");
}

#[test]
fn a_commit_with_other_bytes_under_a_segments_name_frees_no_journal() {
    let space = hooked();
    space.write(".meow/workflows/ci.toml", "formula = \"ci\"\n\n[[steps]]\nid = \"one\"\nrun = \"true\"\n");
    execute(&space.root(), 1);
    space.git(&["commit", "--quiet", "--allow-empty", "--message=sealed"]);
    space.write(&segments(&space, "HEAD")[0], "somebody's merge of a file that is none\n");
    space.git(&["commit", "--quiet", "--all", "--amend", "--no-verify", "--no-edit"]);
    space.meow_ok(&["execute", "ci"]);
    assert_eq!(waiting(&space), 2, "the first one's, and this one's");
}

#[test]
fn a_ref_that_was_pushed_while_fold_looked_at_it_stays() {
    let (space, bare) = with_remote();
    execute(&space.root(), 1);
    space.meow_ok(&["push"]);
    space.meow_ok(&["fold"]);
    space.git(&["push", "--quiet", "origin", "main"]);
    let (name, newer) = (writer(&space), space.git(&["rev-parse", "HEAD"]));
    let git = space.run_in(&space.root(), "sh", &["-c", "command -v git"]).out.trim().to_owned();
    let bin = space.home().join("bin");
    // The other one's push comes after the look at the remote and before the ref is deleted there.
    let push = format!("{git} -C {} update-ref {name} {newer}", bare.display());
    script(&bin.join("git"), &format!("case \"$*\" in *' push '*) {push};; esac\nexec {git} \"$@\""));
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").expect("PATH"));
    let mut fold = space.command(&space.root(), env!("CARGO_BIN_EXE_meow"));
    let said = Said::from(fold.args(["fold", "--delete"]).env("PATH", path).output().expect("meow starts"));
    assert!(said.code == 0 && said.out.contains("0 refs deleted"), "{said:?}");
    assert_eq!(space.git_in(&bare, &["rev-parse", &name]), newer);
}

#[test]
fn a_branch_that_took_something_else_out_lets_no_ref_go() {
    let (space, bare) = with_remote();
    execute(&space.root(), 1);
    space.meow_ok(&["push"]);
    let pruned = "kind = \"pruned\"\nat = \"2025-11-22T00:00:00Z\"\nbefore = \"2001-01-01T00:00:00Z\"\n";
    space.write(".meow/actions/20251122T000000Z-0123456789ab.toml", pruned);
    space.git(&["add", ".meow/actions"]);
    space.git(&["commit", "--quiet", "--message=pruned"]);
    space.git(&["push", "--quiet", "origin", "main"]);
    space.git(&["checkout", "--quiet", "-b", "topic"]);
    let said = space.meow_ok(&["fold", "--delete"]);
    assert!(said.contains("0 refs deleted"), "the fold is on a branch that the remote has not: {said}");
    assert_eq!(space.git_in(&bare, &["for-each-ref", "--format=%(refname)", "refs/meow/"]), writer(&space));
}

#[test]
fn fetch_takes_nothing_back_that_this_clone_has_not_pushed_yet() {
    let (space, bare) = with_remote();
    execute(&space.root(), 1);
    space.meow_ok(&["push"]);
    let name = writer(&space);
    execute(&space.root(), 2);
    fs::rename(&bare, bare.with_extension("away")).expect("away");
    assert_eq!(space.meow(&["push"]).code, 3);
    fs::rename(bare.with_extension("away"), &bare).expect("back");
    let ahead = space.git(&["rev-parse", &name]);
    assert_ne!(space.git_in(&bare, &["rev-parse", &name]), ahead);
    space.meow_ok(&["fetch"]);
    assert_eq!(space.git(&["rev-parse", &name]), ahead);
}

#[test]
fn the_hook_of_another_repository_seals_nothing_of_the_one_around_it() {
    let space = Space::repository();
    execute(&space.root(), 1);
    // As people keep the settings in their home folder: the git directory elsewhere, this folder as its work tree.
    let other = space.home().join("dotfiles.git");
    let (git_dir, work_tree) = (format!("--git-dir={}", other.display()), "--work-tree=.".to_owned());
    space.git(&["init", "--quiet", "--bare", "--initial-branch=main", other.to_str().expect("plain")]);
    script(&other.join("hooks/pre-commit"), "exec meow hook pre-commit");
    space.git(&[&git_dir, &work_tree, "add", "README"]);
    space.git(&[&git_dir, &work_tree, "commit", "--quiet", "--message=mine"]);
    assert_eq!(space.git(&[&git_dir, "ls-tree", "-r", "--name-only", "main"]), "README");
    assert_eq!((waiting(&space), space.git(&["status", "--porcelain"]).as_str()), (1, ""));
}

#[test]
fn nothing_is_folded_into_a_merge_that_waits() {
    let (space, _) = with_remote();
    execute(&space.root(), 1);
    space.meow_ok(&["push"]);
    space.git(&["checkout", "--quiet", "-b", "topic"]);
    for (branch, text) in [("topic", "one"), ("main", "two")] {
        space.git(&["checkout", "--quiet", branch]);
        space.write("README", text);
        space.git(&["commit", "--quiet", "--all", "--message=work"]);
    }
    let head = space.git(&["rev-parse", "HEAD"]);
    assert_ne!(space.run_in(&space.root(), "git", &["merge", "--quiet", "topic"]).code, 0);
    let said = space.meow(&["fold"]);
    assert!(said.code == 3 && said.err.contains("a merge is in progress"), "{said:?}");
    assert_eq!((space.git(&["rev-parse", "HEAD"]), space.has(".meow")), (head, false));
}

#[test]
fn a_commit_of_records_starts_no_hook_of_git() {
    let space = Space::repository();
    for hook in ["pre-commit", "commit-msg", "post-commit", "reference-transaction", "post-index-change"] {
        script(&space.root().join(".git/hooks").join(hook), &format!("echo {hook} >> \"$HOME/ran\""));
    }
    execute(&space.root(), 1);
    space.meow_ok(&["commit"]);
    assert_eq!(segments(&space, "HEAD").len(), 1);
    assert!(!space.home().join("ran").exists(), "{}", fs::read_to_string(space.home().join("ran")).unwrap_or_default());
}

#[test]
fn what_was_kept_of_a_purged_execution_to_read_it_faster_goes_too() {
    let space = Space::repository();
    execute(&space.root(), 1);
    space.meow_ok(&["commit"]);
    space.write(".git/meow/cache/history", "who knows\n");
    space.meow_ok(&["purge", "0101"]);
    assert!(!space.has(".git/meow/cache/history"));
}

#[test]
fn a_commit_of_records_is_signed_where_the_person_signs() {
    let space = Space::repository();
    let program = space.home().join("signs");
    let signature = "-----BEGIN PGP SIGNATURE-----\n-----END PGP SIGNATURE-----";
    script(&program, &format!("cat > /dev/null\necho '{signature}'\necho '[GNUPG:] SIG_CREATED ' >&2"));
    space.git(&["config", "--global", "gpg.program", program.to_str().expect("plain")]);
    space.git(&["config", "--global", "user.signingKey", "0123456789ABCDEF"]);
    space.git(&["config", "--global", "commit.gpgSign", "true"]);
    execute(&space.root(), 1);
    space.meow_ok(&["commit"]);
    assert!(space.git(&["cat-file", "commit", "HEAD"]).contains("gpgsig -----BEGIN PGP SIGNATURE"));
}
