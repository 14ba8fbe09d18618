//! Branches that land in any order and any way: no conflict in records or decisions, every record found once.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use meow::record::ExecutionId;
use meow::scan::{self, ScanOptions};

use crate::null::Draw;
use crate::sealing::execute;
use crate::space::{Said, Space};

const EXECUTIONS: u8 = 5;

/// Returns a repository with branches of five recorded commits each, learning in between, and one execution that was
/// recorded and purged again.
fn branches(number: u8) -> Space {
    let space = Space::repository();
    space.meow_ok(&["hooks", "install"]);
    for branch in 0..number {
        space.git(&["checkout", "--quiet", "-b", &format!("branch-{branch}"), "main"]);
        for number in 0..EXECUTIONS {
            execute(&space.root(), 10 * branch + number);
            space.write(&format!("source-{branch}"), &format!("{number}\n"));
            if number % 2 == 1 {
                space.meow_ok(&["learn"]);
            }
            space.git(&["add", "."]);
            space.git(&["commit", "--quiet", &format!("--message=work {number} on {branch}")]);
        }
        execute(&space.root(), 10 * branch + EXECUTIONS);
        space.meow_ok(&["commit"]);
        space.meow_ok(&["purge", &ExecutionId::from_bytes([10 * branch + EXECUTIONS; 12]).to_string()]);
    }
    space.git(&["checkout", "--quiet", "main"]);
    space
}

/// A clone in which branches land.
struct Landing<'a> {
    space: &'a Space,
    folder: PathBuf,
    /// Conflicts in files that `meow learn` writes, all healed by it.
    derived: usize,
}

impl Landing<'_> {
    fn git(&self, args: &[&str]) -> Said {
        let args = [&["-c", "core.editor=true", "-c", "advice.mergeConflict=false"], args].concat();
        self.space.run_in(&self.folder, "git", &args)
    }

    fn learn(&self) {
        let said = self.space.run_in(&self.folder, env!("CARGO_BIN_EXE_meow"), &["learn"]);
        assert_eq!(said.code, 0, "{said:?}");
    }

    /// Runs git, and has `meow learn` heal what conflicts until `go_on` succeeds.
    fn heal(&mut self, args: &[&str], go_on: &[&str], skip: &[&str]) {
        let mut said = self.git(args);
        for _ in 0..40 {
            if said.code == 0 {
                return;
            }
            let open = self.git(&["diff", "--name-only", "--diff-filter=U"]).out;
            if open.is_empty() {
                // Nothing is left of this commit.
                let skipped = self.git(skip);
                let nothing = self.git(&["status", "--porcelain"]).out.is_empty();
                assert!(skipped.code == 0 || nothing, "{args:?}: {said:?} {skipped:?}");
                said = Said { code: if nothing { 0 } else { skipped.code }, ..skipped };
                continue;
            }
            for path in open.lines() {
                let derived = path.starts_with(".meow/patterns/") || path.starts_with(".meow/recommendations/");
                assert!(derived, "{args:?}: a conflict in {path}");
                self.derived += 1;
            }
            self.learn();
            self.git(&["add", "--all", ".meow"]);
            said = self.git(go_on);
        }
        panic!("{args:?} comes to no end: {said:?}");
    }

    fn land(&mut self, branch: u8, draw: &mut Draw) {
        let tip = format!("origin/branch-{branch}");
        let commit = ["commit", "--quiet", "--no-edit", "--allow-empty"];
        match draw.one(&["merge", "rebase", "squash", "cherry-pick"]) {
            "merge" => self.heal(&["merge", "--quiet", "--no-ff", "--no-edit", &tip], &commit, &commit),
            "rebase" => {
                self.git(&["checkout", "--quiet", "-B", "topic", &tip]);
                self.heal(&["rebase", "--quiet", "main"], &["rebase", "--continue"], &["rebase", "--skip"]);
                self.git(&["checkout", "--quiet", "main"]);
                self.heal(&["merge", "--quiet", "--ff-only", "topic"], &[], &[]);
            }
            "squash" => {
                let commit = ["commit", "--quiet", "--allow-empty", "--message=squashed"];
                self.heal(&["merge", "--quiet", "--squash", &tip], &commit, &commit);
                self.git(&commit);
            }
            _ => {
                let range = format!("origin/main..{tip}");
                let (go_on, skip) = (["cherry-pick", "--continue"], ["cherry-pick", "--skip"]);
                self.heal(&["cherry-pick", "--empty=drop", &range], &go_on, &skip);
            }
        }
    }

    /// Reverts what landed last, and sometimes that too.
    fn revert(&mut self, times: usize) {
        for _ in 0..times {
            let is_merge = self.git(&["rev-parse", "--verify", "--quiet", "HEAD^2"]).code == 0;
            let main_line: &[&str] = if is_merge { &["--mainline", "1"] } else { &[] };
            let args = [&["revert", "--no-edit"], main_line, &["HEAD"]].concat();
            self.heal(&args, &["revert", "--continue"], &["revert", "--skip"]);
        }
    }
}

/// Lands all branches in a random order and way; returns how many derived files were in conflict.
fn one_order(space: &Space, branches: u8, seed: u64) -> usize {
    let folder = space.home().join(format!("order-{seed}"));
    space.git(&["clone", "--quiet", ".", folder.to_str().expect("plain")]);
    let mut draw = Draw::new(seed);
    let mut landing = Landing { space, folder: folder.clone(), derived: 0 };
    let mut left: Vec<u8> = (0..branches).collect();
    while !left.is_empty() {
        let branch = draw.one(&left);
        left.retain(|other| *other != branch);
        landing.land(branch, &mut draw);
        landing.revert(draw.one(&[0, 0, 0, 1, 2]));
        if draw.unit() < 0.3 {
            landing.learn();
            space.run_in(&folder, env!("CARGO_BIN_EXE_meow"), &["commit"]);
        }
    }
    let state = landing.git(&["status", "--porcelain"]);
    assert_eq!(state.out, "", "seed {seed}: everything is committed");
    landing.learn();
    check(&folder, branches, seed);
    let derived = landing.derived;
    space.git_in(&folder, &["fsck", "--strict"]);
    std::fs::remove_dir_all(folder).expect("removed");
    derived
}

/// Checks that every record is found once and no purged one is, and that what was learnt can be read.
fn check(folder: &Path, branches: u8, seed: u64) {
    let history = scan::scan(&[folder.to_path_buf()], &ScanOptions::default()).expect("scanned");
    assert_eq!(history.repositories[0].warnings, Vec::<String>::new(), "seed {seed}");
    let expected: BTreeSet<ExecutionId> = (0..branches)
        .flat_map(|branch| (0..EXECUTIONS).map(move |number| ExecutionId::from_bytes([10 * branch + number; 12])))
        .collect();
    let found: BTreeSet<ExecutionId> = history.executions.id.iter().copied().collect();
    assert_eq!(found, expected, "seed {seed}");
    assert_eq!(history.executions.len(), expected.len(), "seed {seed}: each once");
    assert_eq!(history.attempts.len(), 2 * expected.len(), "seed {seed}: each once");
    let pattern = std::fs::read_to_string(folder.join(".meow/patterns/ci.toml")).expect("a pattern");
    assert!(!pattern.contains("<<<<<<<") && pattern.parse::<toml::Table>().is_ok(), "seed {seed}: {pattern}");
}

/// Lands the branches in one order a seed; returns the conflicts in derived files.
fn orders(number: u8, seeds: std::ops::Range<u64>) -> usize {
    let space = branches(number);
    seeds.map(|seed| one_order(&space, number, seed)).sum()
}

#[test]
fn branches_land_in_any_order_without_conflicts() {
    let derived = orders(4, 0..3);
    println!("3 orders: 0 conflicts in records and actions, {derived} in derived files, all healed by learning");
}

#[test]
#[ignore = "the long form: 200 orders"]
fn branches_land_in_two_hundred_orders_without_conflicts() {
    let derived: usize = std::thread::scope(|scope| {
        let parts: Vec<_> = (0..4_u64).map(|part| scope.spawn(move || orders(8, 50 * part..50 * (part + 1)))).collect();
        parts.into_iter().map(|part| part.join().expect("no panic")).sum()
    });
    println!("200 orders: 0 conflicts in records and actions, {derived} in derived files, all healed by learning");
}
