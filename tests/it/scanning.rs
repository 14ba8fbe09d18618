//! Many repositories become one history: each record once, and what is broken is named.

use std::fs;
use std::path::{Path, PathBuf};

use meow::git::Repository;
use meow::scan::{self, History, ScanOptions};

use crate::sealing::execute;
use crate::space::Space;

fn history(roots: &[&Path]) -> History {
    let roots: Vec<PathBuf> = roots.iter().map(|root| root.to_path_buf()).collect();
    scan::scan(&roots, &ScanOptions::default()).expect("scanned")
}

/// Returns name and number of records of every repository, in order.
fn facts(history: &History) -> Vec<(&str, usize)> {
    history.repositories.iter().map(|facts| (facts.name.as_str(), facts.records)).collect()
}

fn warnings(history: &History) -> String {
    history.repositories.iter().flat_map(|facts| facts.warnings.clone()).collect::<Vec<_>>().join("\n")
}

/// Commits an execution's records on the branch that is checked out.
fn recorded(space: &Space, number: u8) {
    execute(&space.root(), number);
    space.meow_ok(&["commit"]);
}

fn clone(space: &Space, name: &str, flags: &[&str]) -> PathBuf {
    let to = space.home().join(name);
    let from = format!("file://{}", space.root().display());
    space.git(&[&["clone", "--quiet"], flags, &[&from, &to.display().to_string()]].concat());
    to
}

#[test]
fn every_branch_writer_and_spool_counts_once() {
    let space = Space::repository();
    recorded(&space, 1);
    space.git(&["checkout", "--quiet", "-b", "failing"]);
    recorded(&space, 2);
    space.git(&["checkout", "--quiet", "main"]);
    recorded(&space, 3);
    space.git(&["checkout", "--quiet", "--detach"]);
    recorded(&space, 4);
    space.git(&["update-ref", "refs/meow/w/0123456789ab", "HEAD"]);
    space.git(&["checkout", "--quiet", "main"]);
    execute(&space.root(), 5);
    let all = history(&[&space.root()]);
    assert_eq!(all.executions.len(), 5);
    assert_eq!(facts(&all), [("work", 10)]);
    assert_eq!(warnings(&all), "");
    let sorted: Vec<i64> = all.executions.started_ms.clone();
    assert!(sorted.is_sorted());
    assert_eq!(
        all.repositories[0].root.expect("known").to_string(),
        space.git(&["rev-list", "--max-parents=0", "main"])[..24]
    );
    let repository = Repository::open(&space.root()).expect("opens");
    assert_eq!(facts(&scan::repository(&repository)), [("work", 10)], "alone as among many");
}

#[test]
fn worktrees_count_once_and_clones_give_each_record_once() {
    let space = Space::repository();
    recorded(&space, 1);
    let linked = space.home().join("linked");
    space.git(&["worktree", "add", "--quiet", "-b", "topic", &linked.display().to_string()]);
    execute(&linked, 2);
    let bare = clone(&space, "mirrors/work.git", &["--mirror"]);
    let all = history(&[&space.root(), &linked, &bare]);
    let (ours, mirror) = (&all.repositories[0], &all.repositories[1]);
    assert!(ours.name.ends_with("/work") && mirror.name == "mirrors/work", "namesakes are told apart");
    assert_eq!((all.repositories.len(), ours.records, mirror.records), (2, 4, 0));
    assert_eq!(all.executions.len(), 2);
    assert_eq!(facts(&history(&[&bare])), [("work", 2)], "a bare mirror alone");
    assert_eq!(facts(&history(&[&linked])), [("linked", 4)], "a linked worktree alone");
}

#[test]
fn folders_are_searched_and_links_are_not_followed() {
    let space = Space::repository();
    recorded(&space, 1);
    let far = space.home().join("src");
    for name in ["b", "a", "deep/er/c", "target/hidden", "node_modules/hidden"] {
        clone(&space, &format!("src/{name}"), &[]);
    }
    std::os::unix::fs::symlink(space.root(), far.join("link")).expect("a link");
    fs::create_dir_all(far.join("one/two/three/four/five")).expect("folders");
    let all = history(&[&far]);
    assert_eq!(facts(&all), [("a", 2), ("b", 0), ("c", 0)]);
    assert!(history(&[&far.join("one")]).repositories.is_empty());
    let inside = space.root().join(".meow/records");
    assert_eq!(facts(&history(&[&inside])), [("work", 2)], "a folder inside stands for its repository");
    assert!(scan::scan(&[far.join("absent")], &ScanOptions::default()).is_err());
}

#[test]
fn what_is_broken_is_named_and_the_rest_is_read() {
    let space = Space::repository();
    recorded(&space, 1);
    recorded(&space, 2);
    let good = clone(&space, "src/good", &[]);
    let broken = space.home().join("src/broken/.git");
    fs::create_dir_all(&broken).expect("folders");
    fs::write(broken.join("HEAD"), "nonsense\n").expect("written");
    space.write(".meow/records/month=2026-11/20261101T000000Z-0123456789ab-000000000000.parquet", "no parquet\n");
    space.git(&["add", ".meow"]);
    space.git(&["commit", "--quiet", "--message=damaged"]);
    let all = history(&[&space.root(), &space.home().join("src")]);
    assert_eq!(facts(&all), [("work", 4), ("broken", 0), ("good", 0)]);
    let said = warnings(&all);
    assert!(said.contains("1 segment was skipped") && said.contains("20261101T000000Z"), "{said}");
    assert!(said.contains("skipped: ") && said.contains("broken"), "{said}");

    let path = space.git_in(&good, &["ls-tree", "-r", "--name-only", "HEAD", ".meow/records"]);
    let path = path.lines().next().expect("a segment");
    let blob = space.git_in(&good, &["rev-parse", &format!("HEAD:{path}")]);
    let pack = good.join(".git/objects/pack");
    let packs: Vec<PathBuf> = fs::read_dir(&pack).expect("packs").map(|entry| entry.expect("entry").path()).collect();
    fs::create_dir(good.join("aside")).expect("a folder");
    for file in packs {
        fs::rename(&file, good.join("aside").join(file.file_name().expect("a name"))).expect("moved");
    }
    for file in fs::read_dir(good.join("aside")).expect("packs").map(|entry| entry.expect("entry").path()) {
        if file.extension().is_some_and(|extension| extension == "pack") {
            let unpack = space
                .command(&good, "git")
                .args(["unpack-objects", "-q"])
                .stdin(fs::File::open(file).expect("open"))
                .status();
            assert!(unpack.expect("git").success());
        }
    }
    fs::remove_file(good.join(".git/objects").join(&blob[..2]).join(&blob[2..])).expect("a loose object");
    fs::remove_dir_all(good.join(".meow")).expect("removed");
    let all = history(&[&good]);
    assert_eq!(facts(&all), [("good", 2)], "the other segment is read");
    assert!(warnings(&all).contains("1 segment was skipped"), "{}", warnings(&all));
}

/// Makes a branch of one commit whose only file lies at `path` and holds `content`.
fn planted(space: &Space, branch: &str, path: &str, content: &str) {
    let run = |args: &[&str], index: &Path| {
        let mut command = space.command(&space.root(), "git");
        let said = command.args(args).env("GIT_INDEX_FILE", index).output().expect("git");
        assert!(said.status.success(), "{args:?}: {said:?}");
        String::from_utf8(said.stdout).expect("text").trim().to_owned()
    };
    let index = space.home().join("index");
    let _ = fs::remove_file(&index);
    run(&["update-index", "--add", "--cacheinfo", &format!("100644,{content},{path}")], &index);
    let tree = run(&["write-tree"], &index);
    let commit = run(&["commit-tree", &tree, "-m", branch], &index);
    run(&["update-ref", &format!("refs/heads/{branch}"), &commit], &index);
}

#[test]
fn a_segment_is_found_whatever_an_earlier_branch_has_in_its_place() {
    let space = Space::repository();
    let start = space.git(&["rev-parse", "HEAD"]);
    recorded(&space, 1);
    let listed = space.git(&["ls-tree", "-r", "HEAD", ".meow/records"]);
    let (facts_of, path) = listed.split_once('\t').expect("a segment");
    let (good, other) = (facts_of.split(' ').nth(2).expect("a blob"), space.git(&["rev-parse", "HEAD:README"]));
    let wrong = format!("{}-{}.parquet", &path[..path.rfind('-').expect("a hash")], "0".repeat(24));
    space.git(&["reset", "--quiet", "--hard", &start]);
    for (name, plants, said) in [
        ("another content", [(path, other.as_str()), (path, good)], ""),
        ("another name", [(&wrong, good), (path, good)], "1 segment was skipped"),
        ("both", [(path, &other), (&wrong, good)], "2 segments were skipped"),
        ("itself, elsewhere", [(path, good), (&path.replace("month=", "of="), good)], ""),
    ] {
        for (branch, (path, content)) in ["a", "b"].iter().zip(plants) {
            planted(&space, branch, path, content);
        }
        // Neither what was read before nor the journals, which no branch holds any more.
        let _ = fs::remove_dir_all(space.root().join(".git/meow"));
        let records = if name == "both" { 0 } else { 2 };
        let all = history(&[&space.root()]);
        assert_eq!(facts(&all), [("work", records)], "{name}: {}", warnings(&all));
        assert!(
            warnings(&all).starts_with(said) && warnings(&all).is_empty() == said.is_empty(),
            "{name}: {}",
            warnings(&all)
        );
    }
}

#[test]
fn shallow_partial_sha256_and_reftable() {
    let space = Space::repository();
    recorded(&space, 1);
    let shallow = clone(&space, "shallow", &["--depth=1"]);
    let all = history(&[&shallow]);
    assert_eq!(facts(&all), [("shallow", 2)]);
    assert!(warnings(&all).contains("shallow") && all.repositories[0].root.is_none());

    space.git(&["config", "uploadpack.allowFilter", "true"]);
    let partial = clone(&space, "partial", &["--filter=blob:none", "--no-checkout"]);
    let all = history(&[&partial]);
    assert_eq!(facts(&all), [("partial", 0)]);
    assert!(warnings(&all).contains("partial clone") && warnings(&all).contains("skipped"), "{}", warnings(&all));

    let long = Space::empty();
    long.git(&["init", "--quiet", "--object-format=sha256", "--initial-branch=main"]);
    recorded(&long, 2);
    assert_eq!(facts(&history(&[&long.root()])), [("work", 2)]);

    let table = Space::empty();
    if table.run_in(&table.root(), "git", &["init", "--quiet", "--ref-format=reftable", "."]).code == 0 {
        let all = history(&[&table.root()]);
        assert_eq!(facts(&all), [("work", 0)]);
        assert!(warnings(&all).contains("reftable"), "{}", warnings(&all));
    } else {
        println!("skipped: this git knows no reftable");
    }
}
