//! The road by ref: many clones push at once, nothing collides, and what is folded is the same everywhere.

use std::fs;
use std::path::{Path, PathBuf};

use meow::git::Repository;
use meow::record::{ExecutionId, RecordId};
use meow::scan::{self, ScanOptions};
use meow::store::spool::Spool;

use crate::sealing::execute;
use crate::space::{Said, Space};

/// Returns a repository with a bare remote that has its branch, and clones of that.
fn cloned(clones: usize) -> (Space, PathBuf, Vec<PathBuf>) {
    let space = Space::repository();
    let bare = space.home().join("remote.git");
    space.git(&["clone", "--quiet", "--bare", ".", text(&bare)]);
    let clones = (0..clones).map(|number| clone(&space, &bare, &format!("clone-{number}"))).collect();
    (space, bare, clones)
}

fn clone(space: &Space, bare: &Path, name: &str) -> PathBuf {
    let folder = space.home().join(name);
    space.git(&["clone", "--quiet", text(bare), text(&folder)]);
    folder
}

fn text(path: &Path) -> &str {
    path.to_str().expect("plain paths")
}

fn meow(space: &Space, folder: &Path, args: &[&str]) -> Said {
    space.run_in(folder, env!("CARGO_BIN_EXE_meow"), args)
}

fn ok(space: &Space, folder: &Path, args: &[&str]) -> String {
    let said = meow(space, folder, args);
    assert_eq!(said.code, 0, "{args:?}: {said:?}");
    said.out
}

/// Returns how many executions and records a repository holds.
fn held(folder: &Path) -> (usize, usize) {
    let history = scan::scan(&[folder.to_path_buf()], &ScanOptions::default()).expect("scanned");
    assert_eq!(history.repositories[0].warnings, Vec::<String>::new());
    (history.executions.len(), history.attempts.len())
}

fn waiting(folder: &Path) -> usize {
    let repository = Repository::open(folder).expect("a repository");
    Spool::new(&repository.private_dir()).list().expect("listed").len()
}

/// Returns the refs of writers, with their commits.
fn writers(space: &Space, folder: &Path) -> Vec<String> {
    let listed = space.git_in(folder, &["for-each-ref", "--format=%(refname)", "refs/meow/w/"]);
    listed.lines().map(str::to_owned).collect()
}

#[test]
fn the_whole_road_there_and_back() {
    let (space, bare, clones) = cloned(2);
    let [one, two] = [&clones[0], &clones[1]];
    execute(one, 1);
    execute(one, 2);
    assert!(ok(&space, one, &["push"]).contains("2 executions new, 1 push"), "first");
    assert_eq!((waiting(one), held(one), held(&bare)), (0, (2, 4), (2, 4)));
    assert_eq!(space.git_in(one, &["status", "--porcelain"]), "", "the work tree is left alone");
    execute(one, 3);
    ok(&space, one, &["push"]);
    execute(two, 4);
    ok(&space, two, &["push"]);
    assert_eq!((writers(&space, &bare).len(), held(&bare)), (2, (4, 8)));
    assert!(ok(&space, two, &["fetch"]).starts_with("2 writers here, 1 with something new"));
    assert_eq!(held(two), (4, 8));

    let folded = ok(&space, two, &["fold"]);
    assert!(folded.contains("Records of 3 segments folded"), "{folded}");
    assert_eq!(space.git_in(two, &["status", "--porcelain"]), "");
    assert!(meow(&space, two, &["fold"]).err.contains("nothing to fold"));
    let early = meow(&space, two, &["fold", "--delete"]);
    assert!(early.code == 0 && early.out.contains("0 refs deleted"), "not before the branch has it: {early:?}");
    assert_eq!(writers(&space, &bare).len(), 2);
    space.git_in(two, &["push", "--quiet", "origin", "main"]);
    execute(one, 5);
    ok(&space, one, &["push"]);
    let late = ok(&space, two, &["fold", "--delete"]);
    assert!(late.contains("1 ref deleted"), "the writer that pushed meanwhile keeps its ref: {late}");
    assert_eq!((writers(&space, &bare).len(), held(&bare)), (1, (5, 10)));

    space.git_in(one, &["pull", "--quiet"]);
    execute(one, 6);
    ok(&space, one, &["push"]);
    assert_eq!(held(&bare), (6, 12));
    for folder in [one, two, &bare] {
        space.git_in(folder, &["fsck", "--full", "--strict"]);
    }
}

#[test]
fn what_a_branch_says_was_taken_out_deletes_no_ref_before_it_is_merged() {
    let (space, bare, clones) = cloned(2);
    let [one, two] = [&clones[0], &clones[1]];
    execute(one, 1);
    ok(&space, one, &["push"]);
    // Anybody who may push a branch may say so.
    space.git_in(two, &["checkout", "--quiet", "-b", "topic"]);
    let actions = two.join(".meow/actions");
    fs::create_dir_all(&actions).expect("a folder");
    let at = "at = \"2025-11-22T00:00:00Z\"";
    let pruned = format!("kind = \"pruned\"\n{at}\nbefore = \"2999-01-01T00:00:00Z\"\n");
    fs::write(actions.join("20251122T000000Z-0123456789ab.toml"), pruned).expect("written");
    let id = |step| RecordId::of(ExecutionId::from_bytes([1; 12]), step, 1);
    let purged = format!("kind = \"purged\"\n{at}\nrecords = [\"{}\", \"{}\"]\n", id("build"), id("test"));
    fs::write(actions.join("20251122T000000Z-0123456789ac.toml"), purged).expect("written");
    space.git_in(two, &["add", ".meow"]);
    space.git_in(two, &["commit", "--quiet", "--message=topic"]);
    space.git_in(two, &["push", "--quiet", "origin", "topic"]);
    space.git_in(two, &["checkout", "--quiet", "main"]);
    ok(&space, two, &["fetch"]);
    assert!(ok(&space, two, &["fold", "--delete"]).contains("0 refs deleted"));
    assert_eq!(writers(&space, &bare).len(), 1, "the only place that has them");
    // Purged records are folded nowhere; what was pruned of another branch is.
    space.git_in(two, &["checkout", "--quiet", "topic"]);
    space.git_in(two, &["rm", "--quiet", ".meow/actions/20251122T000000Z-0123456789ac.toml"]);
    space.git_in(two, &["commit", "--quiet", "--message=pruned only"]);
    space.git_in(two, &["push", "--quiet", "origin", "topic"]);
    assert!(meow(&space, two, &["fold"]).err.contains("nothing to fold"), "pruned here");
    space.git_in(two, &["checkout", "--quiet", "main"]);
    assert!(ok(&space, two, &["fold"]).contains("Records of 1 segment folded"));
    space.git_in(two, &["push", "--quiet", "origin", "main"]);
    assert!(ok(&space, two, &["fold", "--delete"]).contains("1 ref deleted"));
    assert_eq!(held(&bare), (1, 2));
}

#[test]
fn two_clones_fold_to_the_same_bytes_and_merge() {
    let (space, bare, clones) = cloned(4);
    for (number, folder) in clones.iter().take(2).enumerate() {
        execute(folder, u8::try_from(number).expect("few"));
        ok(&space, folder, &["push"]);
    }
    for folder in &clones[2..] {
        ok(&space, folder, &["fetch"]);
        ok(&space, folder, &["fold"]);
    }
    let tree = |folder: &Path| space.git_in(folder, &["rev-parse", "HEAD:.meow"]);
    assert_eq!(tree(&clones[2]), tree(&clones[3]));
    space.git_in(&clones[2], &["push", "--quiet", "origin", "main"]);
    space.git_in(&clones[3], &["pull", "--quiet", "--no-rebase", "--no-edit"]);
    assert_eq!(held(&clones[3]), (2, 4));
    assert_eq!(held(&bare), (2, 4));
}

#[test]
fn a_refused_push_keeps_everything_and_a_copied_clone_is_united() {
    let (space, bare, clones) = cloned(1);
    let one = &clones[0];
    execute(one, 1);
    fs::write(bare.join("hooks/update"), "#!/bin/sh\nexit 1\n").expect("written");
    space.run_in(&bare, "chmod", &["+x", "hooks/update"]);
    fs::write(one.join(".git/hooks/pre-push"), "#!/bin/sh\ntouch ran; exit 1\n").expect("written");
    space.run_in(one, "chmod", &["+x", ".git/hooks/pre-push"]);
    let said = meow(&space, one, &["push"]);
    assert!(said.code == 3 && said.err.contains("in 6 pushes") && said.err.contains("wait in this clone"), "{said:?}");
    assert_eq!((held(one), held(&bare)), ((1, 2), (0, 0)));
    fs::remove_file(bare.join("hooks/update")).expect("removed");

    let copy = space.home().join("copy");
    space.run_in(&space.home(), "cp", &["-r", text(one), text(&copy)]);
    execute(one, 2);
    execute(&copy, 3);
    assert!(ok(&space, one, &["push"]).contains("1 push"), "after the failure");
    assert!(ok(&space, &copy, &["push"]).contains("2 pushes"), "the same writer twice");
    assert!(ok(&space, one, &["push"]).contains("pushes"), "and back");
    assert_eq!((writers(&space, &bare).len(), held(&bare), held(one)), (1, (3, 6), (3, 6)));
    assert!(!one.join("ran").exists(), "no hook runs");
    space.git_in(&bare, &["fsck", "--full", "--strict"]);

    let said = meow(&space, one, &["push", "nowhere"]);
    assert!(said.code == 3 && said.err.contains("nowhere"), "{said:?}");
    let said = meow(&space, &space.root(), &["push"]);
    assert!(said.code == 2 && said.err.contains("has no remote"), "{said:?}");
}

#[test]
fn what_was_sealed_into_the_work_tree_takes_the_road_too() {
    let (space, bare, clones) = cloned(1);
    let one = &clones[0];
    ok(&space, one, &["hooks", "install"]);
    execute(one, 1);
    fs::write(one.join(".git/hooks/commit-msg"), "#!/bin/sh\nexit 1\n").expect("written");
    space.run_in(one, "chmod", &["+x", ".git/hooks/commit-msg"]);
    assert_eq!(space.run_in(one, "git", &["commit", "--allow-empty", "--message=no"]).code, 1);
    execute(one, 2);
    ok(&space, one, &["push"]);
    assert_eq!((waiting(one), held(&bare)), (0, (2, 4)));
}

/// Has `clones` clones push `pushes` times each at the same time; returns records kept and pushes made.
fn all_at_once(clones: usize, pushes: usize) -> (usize, usize) {
    let (space, bare, folders) = cloned(clones);
    let mut work: Vec<Vec<_>> = Vec::new();
    for folder in &folders {
        let commands = (0..pushes).map(|_| space.command(folder, env!("CARGO_BIN_EXE_meow"))).collect();
        work.push(commands);
    }
    let run = |place: usize, folder: &Path, commands: Vec<std::process::Command>| {
        let mut made = 0;
        for (turn, mut command) in commands.into_iter().enumerate() {
            execute(folder, u8::try_from(place * pushes + turn).expect("few"));
            let said = Said::from(command.arg("push").output().expect("meow"));
            assert_eq!(said.code, 0, "{said:?}");
            let words = said.out.trim().rsplit(", ").next().expect("words");
            made += words.split(' ').next().and_then(|number| number.parse::<usize>().ok()).expect("a number");
        }
        made
    };
    let made = std::thread::scope(|scope| {
        let threads: Vec<_> = work
            .into_iter()
            .zip(&folders)
            .enumerate()
            .map(|(place, (commands, folder))| scope.spawn(move || run(place, folder, commands)))
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).sum()
    });
    space.git_in(&bare, &["fsck", "--full", "--strict"]);
    (held(&bare).0, made)
}

#[test]
fn clones_that_push_at_once_do_not_collide() {
    let (kept, pushes) = all_at_once(4, 3);
    println!("4 clones x 3 pushes: {kept} of 12 executions kept in {pushes} pushes");
    assert_eq!((kept, pushes), (12, 12));
}

#[test]
#[ignore = "the long form: 8 clones, 10 pushes each"]
fn eight_clones_push_ten_times_each() {
    let (kept, pushes) = all_at_once(8, 10);
    println!("8 clones x 10 pushes: {kept} of 80 executions kept in {pushes} pushes");
    assert!(kept == 80 && pushes <= 84, "{kept} kept, {pushes} pushes");
}

/// Has `processes` workers record `records` times each in one clone, while others commit and push; returns what is kept.
fn one_clone(processes: usize, records: usize) -> (usize, usize) {
    let (space, bare, clones) = cloned(1);
    let one = &clones[0];
    let work: Vec<Vec<_>> = (0..processes)
        .map(|_| (0..records).map(|_| space.command(one, env!("CARGO_BIN_EXE_meow"))).collect())
        .collect();
    let beside: Vec<_> = (0..records).map(|_| space.command(one, env!("CARGO_BIN_EXE_meow"))).collect();
    std::thread::scope(|scope| {
        for (place, commands) in work.into_iter().enumerate() {
            scope.spawn(move || {
                let name = format!("worker-{place}");
                for mut command in commands {
                    let args = ["record", "--name", &name, "--duration", "1s", "--outcome", "passed"];
                    let said = Said::from(command.args(args).output().expect("meow"));
                    assert_eq!(said.code, 0, "{said:?}");
                }
            });
        }
        scope.spawn(move || {
            for (turn, mut command) in beside.into_iter().enumerate() {
                let said = Said::from(command.arg(["commit", "push"][turn % 2]).output().expect("meow"));
                assert_eq!(said.code, 0, "{said:?}");
            }
        });
    });
    ok(&space, one, &["commit"]);
    ok(&space, one, &["push"]);
    assert_eq!(waiting(one), 0, "everything is in git");
    space.git_in(one, &["push", "--quiet", "origin", "main"]);
    space.git_in(&bare, &["fsck", "--full", "--strict"]);
    held(&bare)
}

#[test]
fn processes_that_record_at_once_lose_nothing() {
    assert_eq!(one_clone(4, 5), (20, 20));
}

#[test]
#[ignore = "the long form: 32 processes, 100 records each"]
fn thirty_two_processes_record_a_hundred_times_each() {
    let (executions, records) = one_clone(32, 100);
    println!("32 processes x 100 records: {records} of 3200 records kept, {executions} executions");
    assert_eq!((executions, records), (3_200, 3_200));
}
