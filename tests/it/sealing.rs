//! Records on their way into commits, with real git: none lost, none in the way.

use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use meow::git::Repository;
use meow::record::{Attempt, Execution, ExecutionId, Outcome, Source};
use meow::scan::{self, ScanOptions};
use meow::store::spool::Spool;
use rustix::fs::{FlockOperation, flock};

use crate::space::{Said, Space};

/// Leaves an ended execution of two attempts in the spool of the worktree at `folder`.
pub fn execute(folder: &Path, number: u8) {
    let repository = Repository::discover(folder).expect("readable").expect("a repository");
    let execution = Execution {
        id: ExecutionId::from_bytes([number; 12]),
        workflow: "ci".to_owned(),
        started_at: jiff::Timestamp::from_second(1_763_806_500 + i64::from(number)).expect("in range"),
        duration_ms: Some(1_000.0 + f64::from(number)),
        outcome: Outcome::Passed,
        trigger: "person".to_owned(),
        machine: None,
        slots: Some(2),
        variables: std::collections::BTreeMap::new(),
        source: Source::default(),
        resumes: None,
    };
    let journal = Spool::new(&repository.private_dir()).create(&repository.worktree(), &execution).expect("a journal");
    for step in ["build", "test"] {
        journal.append(&attempt(step)).expect("appended");
    }
    journal.close(&execution).expect("closed");
}

fn attempt(step: &str) -> Attempt {
    Attempt {
        ready_ms: Some(0),
        started_ms: 3,
        duration_ms: Some(400.0),
        outcome: Outcome::Passed,
        exit_code: Some(0),
        slot: Some(0),
        metrics: std::collections::BTreeMap::new(),
        ..Attempt::new(step, 1)
    }
}

/// Returns a repository with the hook in.
pub fn hooked() -> Space {
    let space = Space::repository();
    space.meow_ok(&["hooks", "install"]);
    space
}

/// Returns the segments that a commit holds.
pub fn segments(space: &Space, commit: &str) -> Vec<String> {
    let listed = space.git(&["ls-tree", "-r", "--name-only", commit, ".meow/records"]);
    listed.lines().map(str::to_owned).collect()
}

/// Returns how many executions and records a fresh bare clone holds: what git keeps, without any spool.
fn kept(space: &Space) -> (usize, usize) {
    let clone = space.home().join("kept.git");
    space.git(&["clone", "--quiet", "--bare", ".", &clone.display().to_string()]);
    let history = scan::scan(std::slice::from_ref(&clone), &ScanOptions::default()).expect("scanned");
    assert_eq!(history.repositories[0].warnings, Vec::<String>::new());
    fs::remove_dir_all(clone).expect("removed");
    (history.executions.len(), history.attempts.len())
}

/// Returns how many journals wait.
pub fn waiting(space: &Space) -> usize {
    Spool::new(&space.root().join(".git/meow")).list().expect("listed").len()
}

/// Commits everything tracked and expects a silent success.
fn commit(space: &Space, args: &[&str]) -> Said {
    let said = space.run_in(&space.root(), "git", &[&["commit", "--quiet", "--message=work"], args].concat());
    assert_eq!((said.code, said.err.as_str()), (0, ""), "{said:?}");
    said
}

#[test]
fn the_hook_seals_into_the_very_commit() {
    let space = hooked();
    execute(&space.root(), 1);
    execute(&space.root(), 2);
    space.write("README", "changed\n");
    commit(&space, &["--all"]);
    assert_eq!(segments(&space, "HEAD").len(), 1, "one segment a commit");
    assert_eq!(segments(&space, "HEAD~1").len(), 0);
    assert_eq!(space.git(&["status", "--porcelain"]), "", "index and work tree agree");
    assert_eq!(kept(&space), (2, 4));
    assert_eq!(waiting(&space), 2, "freed only when the commit is seen to be there");
    space.write("README", "again\n");
    commit(&space, &["--all"]);
    assert_eq!((waiting(&space), segments(&space, "HEAD").len()), (0, 1), "nothing new: no new segment");
    space.git(&["fsck", "--strict"]);
}

#[test]
fn a_meow_that_stands_still_holds_up_no_commit() {
    let space = hooked();
    execute(&space.root(), 1);
    let lock = File::create(space.root().join(".git/meow/spool.lock")).expect("a lock");
    flock(&lock, FlockOperation::LockExclusive).expect("locked");
    space.write("README", "changed\n");
    let said = space.run_in(&space.root(), "git", &["commit", "--quiet", "--all", "--message=work"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.err.contains("spool.lock cannot be locked"), "{said:?}");
    assert_eq!((segments(&space, "HEAD").len(), waiting(&space)), (0, 1), "it is left for the next commit");
    drop(lock);
    space.write("README", "again\n");
    commit(&space, &["--all"]);
    assert_eq!(segments(&space, "HEAD").len(), 1);
}

#[test]
fn an_execution_frees_what_git_holds_once_it_is_there_in_full() {
    let space = hooked();
    space.write(".meow/workflows/ci.toml", "formula = \"ci\"\n\n[[steps]]\nid = \"one\"\nrun = \"true\"\n");
    execute(&space.root(), 1);
    space.write("README", "changed\n");
    commit(&space, &["--all"]);
    let path = segments(&space, "HEAD").remove(0);
    let blob = space.git(&["rev-parse", &format!("HEAD:{path}")]);
    let file = space.root().join(".git/objects").join(&blob[..2]).join(&blob[2..]);
    // As after a power cut: the name is there, the bytes never came to the disk.
    let whole = fs::read(&file).expect("loose");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).expect("writable");
    fs::write(&file, "").expect("torn");
    space.meow_ok(&["execute", "ci"]);
    assert_eq!(waiting(&space), 2, "no journal goes while git's copy is torn");
    fs::write(&file, whole).expect("mended");
    space.meow_ok(&["execute", "ci"]);
    assert_eq!(waiting(&space), 2, "the two that are new");
}

#[test]
fn a_lock_of_a_killed_move_goes_and_that_of_another_stays() {
    let space = hooked();
    let lock = space.root().join(".git/HEAD.lock");
    let note = |space: &Space| {
        let found = lock.metadata().expect("a lock");
        let held = (&lock, found.ino(), found.ctime(), found.ctime_nsec());
        space.write(".git/meow/moving", &serde_json::to_string(&[held]).expect("JSON"));
    };
    fs::write(&lock, "").expect("locked");
    note(&space);
    space.write("README", "changed\n");
    commit(&space, &["--all"]);
    assert!(!lock.exists() && space.read(".git/meow/moving").is_empty());
    // Somebody else locks under the same name since.
    fs::write(&lock, "").expect("locked");
    note(&space);
    fs::remove_file(&lock).expect("unlocked");
    fs::write(space.root().join("other"), "").expect("a number taken");
    fs::write(&lock, "").expect("locked again");
    space.write("README", "again\n");
    let said = space.run_in(&space.root(), "git", &["commit", "--quiet", "--all", "--message=work"]);
    assert!(said.code != 0 && said.err.contains("HEAD.lock") && lock.exists(), "{said:?}");
    fs::remove_file(&lock).expect("unlocked");
    // Whoever holds the note lives: nothing of theirs is touched.
    fs::write(&lock, "").expect("locked");
    note(&space);
    let holder = File::open(space.root().join(".git/meow/moving")).expect("the note");
    flock(&holder, FlockOperation::LockExclusive).expect("held");
    let said = space.run_in(&space.root(), "git", &["commit", "--quiet", "--all", "--message=work"]);
    assert!(said.code != 0 && lock.exists(), "{said:?}");
    drop(holder);
    commit(&space, &["--all"]);
}

#[test]
fn staged_commits_amends_and_empty_ones() {
    let space = hooked();
    execute(&space.root(), 1);
    space.write("a", "staged\n");
    space.write("README", "not staged\n");
    space.git(&["add", "a"]);
    commit(&space, &[]);
    assert_eq!(space.git(&["status", "--porcelain"]), " M README", "what is not staged stays so");
    assert_eq!(segments(&space, "HEAD").len(), 1);
    execute(&space.root(), 2);
    commit(&space, &["--amend"]);
    assert_eq!(segments(&space, "HEAD").len(), 2);
    commit(&space, &["--amend", "--all"]);
    assert_eq!((kept(&space), waiting(&space)), ((2, 4), 0));
    space.git(&["fsck", "--strict"]);
}

#[test]
fn a_partial_commit_is_left_alone() {
    let space = hooked();
    execute(&space.root(), 1);
    space.write("README", "changed\n");
    commit(&space, &["README"]);
    assert_eq!(space.git(&["diff", "--name-only", "HEAD~1", "HEAD"]), "README");
    assert_eq!((segments(&space, "HEAD").len(), waiting(&space)), (0, 1));
    assert_eq!(space.git(&["status", "--porcelain"]), "");
    space.write("README", "more\n");
    commit(&space, &["--all"]);
    assert_eq!(kept(&space), (1, 2));
}

#[test]
fn an_aborted_commit_loses_nothing() {
    for flags in [&["--all"][..], &[]] {
        let space = hooked();
        execute(&space.root(), 1);
        space.write(".git/hooks/commit-msg", "#!/bin/sh\nexit 1\n");
        space.run_in(&space.root(), "chmod", &["+x", ".git/hooks/commit-msg"]);
        space.write("README", "changed\n");
        space.git(&["add", "README"]);
        for _ in 0..2 {
            let said = space.run_in(&space.root(), "git", &[&["commit", "--message=no"], flags].concat());
            assert_eq!(said.code, 1, "{said:?}");
        }
        fs::remove_file(space.root().join(".git/hooks/commit-msg")).expect("removed");
        execute(&space.root(), 2);
        commit(&space, flags);
        assert_eq!(kept(&space), (2, 4), "{flags:?}");
        let total: usize = segments(&space, "HEAD").len();
        assert_eq!(total, 2, "what was sealed is used, not sealed again: {flags:?}");
        assert_eq!(space.git(&["status", "--porcelain"]), "");
        space.git(&["fsck", "--strict"]);
    }
}

#[test]
fn a_segment_that_was_thrown_away_is_sealed_anew() {
    let space = hooked();
    execute(&space.root(), 1);
    space.write("README", "changed\n");
    commit(&space, &["--all"]);
    space.git(&["reset", "--quiet", "--hard", "HEAD~1"]);
    assert!(!space.has(".meow"));
    space.write("README", "other\n");
    commit(&space, &["--all"]);
    assert_eq!(kept(&space), (1, 2));
}

#[test]
fn hooks_stay_quiet_when_switched_off_or_in_trouble() {
    let space = hooked();
    execute(&space.root(), 1);
    space.write("README", "changed\n");
    let mut off = space.command(&space.root(), "git");
    let said =
        Said::from(off.env("MEOW", "0").args(["commit", "--quiet", "--all", "--message=off"]).output().expect("git"));
    assert_eq!((said.code, said.err.as_str()), (0, ""));
    assert_eq!((segments(&space, "HEAD").len(), waiting(&space)), (0, 1));

    space.write(".meow", "a file stands where the folder belongs\n");
    space.write("README", "more\n");
    let said = space.run_in(&space.root(), "git", &["commit", "--quiet", "--all", "--message=trouble"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(said.err.lines().count(), 1, "one line: {said:?}");
    assert_eq!(waiting(&space), 1);

    fs::remove_file(space.root().join(".meow")).expect("removed");
    std::os::unix::fs::symlink(space.home(), space.root().join(".meow")).expect("a link");
    space.write("README", "even more\n");
    let said = space.run_in(&space.root(), "git", &["commit", "--quiet", "--all", "--message=link"]);
    assert!(said.code == 0 && said.err.contains("is a link"), "{said:?}");
    assert!(!space.home().join("records").exists());

    let mut gone = space.command(&space.root(), "git");
    space.write("README", "without meow\n");
    let output = gone.env("PATH", "/usr/bin:/bin").args(["commit", "--quiet", "--all", "--message=gone"]).output();
    let said = Said::from(output.expect("git"));
    assert_eq!((said.code, said.err.as_str()), (0, ""), "a missing meow is silence");
}

#[test]
fn a_linked_worktree_seals_its_own() {
    let space = hooked();
    let linked = space.home().join("linked");
    space.git(&["worktree", "add", "--quiet", "-b", "topic", &linked.display().to_string()]);
    execute(&space.root(), 1);
    execute(&linked, 2);
    fs::write(linked.join("README"), "changed there\n").expect("written");
    space.git_in(&linked, &["commit", "--quiet", "--all", "--message=there"]);
    assert_eq!(segments(&space, "topic").len(), 1);
    assert_eq!(space.git_in(&linked, &["status", "--porcelain"]), "");
    assert_eq!(kept(&space), (1, 2));
    space.git(&["worktree", "remove", "--force", &linked.display().to_string()]);
    space.git(&["branch", "-D", "topic"]);
    space.write("README", "changed here\n");
    commit(&space, &["--all"]);
    assert_eq!(kept(&space), (2, 4), "a worktree that is gone loses nothing");
}

#[test]
fn branches_merge_without_conflicts() {
    let space = hooked();
    space.git(&["checkout", "--quiet", "-b", "topic"]);
    for (branch, number) in [("topic", 1), ("main", 2), ("topic", 3), ("main", 4)] {
        space.git(&["checkout", "--quiet", branch]);
        execute(&space.root(), number);
        space.write(branch, &number.to_string());
        space.git(&["add", branch]);
        commit(&space, &[]);
    }
    space.git(&["checkout", "--quiet", "main"]);
    space.git(&["merge", "--quiet", "--no-edit", "topic"]);
    assert_eq!(kept(&space), (4, 8));
    space.git(&["fsck", "--strict"]);
}

#[test]
fn meow_commit_takes_meows_data_and_nothing_else() {
    let space = Space::repository();
    assert!(space.meow(&["commit"]).err.contains("nothing to commit"));
    execute(&space.root(), 1);
    space.write("README", "staged\n");
    space.git(&["add", "README"]);
    space.write("new", "untracked\n");
    space.write(".meow/patterns/ci.toml", "x = 1\n");
    space.write(".meow/workflows/ci.toml", "formula = \"ci\"\n");
    assert!(space.meow_ok(&["commit"]).contains("Records of 1 execution"));
    assert_eq!(space.git(&["status", "--porcelain"]), "M  README\n?? .meow/workflows/\n?? new");
    assert_eq!(segments(&space, "HEAD").len(), 1);
    assert_eq!(
        space.git(&["log", "-1", "--format=%an <%ae> %s"]),
        "A Person <person@example.com> Records of 1 execution"
    );
    assert_eq!(kept(&space), (1, 2));
    assert!(space.meow(&["commit"]).err.contains("nothing to commit"));
    assert_eq!(waiting(&space), 0);
    fs::remove_file(space.root().join(".meow/patterns/ci.toml")).expect("removed");
    space.write(".meow/patterns/other.toml", "x = 1\n");
    space.meow_ok(&["commit", "--message", "learnt"]);
    assert_eq!(space.git(&["log", "-1", "--format=%s"]), "learnt");
    assert_eq!(space.git(&["ls-tree", "-r", "--name-only", "HEAD", ".meow/patterns"]), ".meow/patterns/other.toml");
    space.git(&["fsck", "--strict"]);
}

#[test]
fn meow_commit_on_unborn_detached_and_unfinished() {
    let space = Space::empty();
    space.git(&["init", "--quiet", "--initial-branch=main"]);
    execute(&space.root(), 1);
    space.meow_ok(&["commit"]);
    assert_eq!(space.git(&["rev-parse", "--abbrev-ref", "HEAD"]), "main");
    assert_eq!(space.git(&["status", "--porcelain"]), "");
    space.git(&["checkout", "--quiet", "--detach"]);
    execute(&space.root(), 2);
    space.meow_ok(&["commit"]);
    assert_eq!(space.git(&["rev-list", "--count", "HEAD"]), "2");
    assert_eq!(space.git(&["rev-list", "--count", "main"]), "1");
    space.git(&["checkout", "--quiet", "main"]);
    execute(&space.root(), 3);
    space.write(".git/MERGE_HEAD", &(space.git(&["rev-parse", "main"]) + "\n"));
    let said = space.meow(&["commit"]);
    assert!(said.code == 3 && said.err.contains("a merge is in progress"), "{said:?}");
    assert!(said.err.contains("finish or abort"), "{said:?}");
    space.git(&["fsck", "--strict"]);
}
