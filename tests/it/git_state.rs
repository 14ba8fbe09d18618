//! The state of the sources against what git itself says.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use meow::git::{Patches, Repository, State};

use crate::space::Space;

/// Returns the state of the repository in `folder`.
fn state(folder: &Path) -> State {
    let repository = Repository::discover(folder).expect("readable").expect("a repository");
    repository.state().expect("a state")
}

/// Returns the tree that git would commit after `git add --all`, in an index of its own, without meow's data.
fn expected(space: &Space, folder: &Path) -> String {
    let index = space.home().join("other-index");
    let own = space.git_in(folder, &["rev-parse", "--absolute-git-dir"]) + "/index";
    if Path::new(&own).exists() {
        std::fs::copy(own, &index).expect("copied");
    }
    let git = |args: &[&str]| {
        let output = space.command(folder, "git").env("GIT_INDEX_FILE", &index).args(args).output().expect("git");
        assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    };
    git(&["add", "--all"]);
    git(&["rm", "-r", "--cached", "--quiet", "--ignore-unmatch", "-f", ".meow/records", ".meow/patterns"]);
    let tree = git(&["write-tree"]);
    std::fs::remove_file(index).expect("removed");
    tree
}

/// Asserts that the work tree's state is what git would commit.
fn check(space: &Space, dirty: bool) {
    let before = space.git(&["count-objects"]);
    let state = state(&space.root());
    assert_eq!(space.git(&["count-objects"]), before, "nothing is written");
    assert_eq!(state.tree.expect("a tree").to_string(), expected(space, &space.root()));
    assert_eq!(state.dirty, dirty, "{state:?}");
}

fn set_mode(space: &Space, path: &str, mode: u32) {
    std::fs::set_permissions(space.root().join(path), std::fs::Permissions::from_mode(mode)).expect("a mode");
}

#[test]
fn a_clean_work_tree_is_its_commit() {
    let space = Space::repository();
    check(&space, false);
    let state = state(&space.root());
    assert_eq!(state.commit.expect("born").to_string(), space.git(&["rev-parse", "HEAD"]));
    assert_eq!(state.tree.expect("a tree").to_string(), space.git(&["rev-parse", "HEAD^{tree}"]));
    assert_eq!((state.branch.as_deref(), state.default_branch.as_deref()), (Some("main"), Some("main")));
    assert!(state.patch.is_some() && state.range_patch.is_none());
}

#[test]
fn every_kind_of_change_counts_as_git_counts_it() {
    let space = Space::repository();
    space.write(".gitignore", "*.log\n/out/\n");
    for file in ["a/one", "a/two", "b/c/three", "tool", "swap", "folder/inner", "gone/deep/file"] {
        space.write(file, &format!("{file}\n"));
    }
    space.git(&["add", "."]);
    space.git(&["commit", "--quiet", "--message=files"]);
    check(&space, false);
    space.write("noise.log", "ignored\n");
    space.write("out/artefact", "ignored\n");
    check(&space, false);
    let steps: [(&str, &dyn Fn()); 10] = [
        ("modified", &|| space.write("a/one", "changed\n")),
        ("deleted", &|| std::fs::remove_file(space.root().join("a/two")).expect("removed")),
        ("untracked", &|| space.write("new/deep/er/file", "new\n")),
        ("executable", &|| set_mode(&space, "tool", 0o755)),
        ("a link", &|| std::os::unix::fs::symlink("a/one", space.root().join("link")).expect("a link")),
        ("a folder where a file was", &|| {
            std::fs::remove_file(space.root().join("swap")).expect("removed");
            space.write("swap/now/a-folder", "x\n");
        }),
        ("a file where a folder was", &|| {
            std::fs::remove_dir_all(space.root().join("folder")).expect("removed");
            space.write("folder", "now a file\n");
        }),
        ("a folder gone", &|| std::fs::remove_dir_all(space.root().join("gone")).expect("removed")),
        ("staged, then changed again", &|| {
            space.write("b/c/three", "staged\n");
            space.git(&["add", "b"]);
            space.write("b/c/three", "changed again\n");
        }),
        ("intended", &|| {
            space.write("later", "later\n");
            space.git(&["add", "--intent-to-add", "later"]);
        }),
    ];
    for (what, step) in steps {
        step();
        println!("{what}");
        check(&space, true);
    }
}

/// Some hundred files, so that several threads look at them, and random changes of every kind one upon the other.
#[test]
fn random_changes_count_as_git_counts_them() {
    let space = Space::repository();
    let mut random = fastrand::Rng::with_seed(4);
    let files: Vec<String> =
        (0..700).map(|at| format!("{}/{}/{at}.txt", ["a", "a.b", "b-c"][at % 3], at % 7)).collect();
    for file in &files {
        space.write(file, "text\n");
    }
    space.write(".gitignore", "*.log\n!kept.log\n/out/\nbuild/*\n!build/kept\n");
    space.write("a/.gitignore", "ignored-here\n");
    commit_all(&space, "files");
    check(&space, false);
    for round in 0..24 {
        for _ in 0..random.usize(1..4) {
            let file = random.choice(&files).expect("files");
            let folder = file.rsplit_once('/').expect("a folder").0;
            let at = space.root().join(file);
            match random.u8(0..14) {
                // Of the same size, and most often within the grain of the file system's clock.
                0 | 1 if at.exists() => space.write(file, random.choice(["more\n", "less\n", "text\n"]).expect("one")),
                2 if at.exists() => set_mode(&space, file, random.choice([0o644, 0o755]).expect("one")),
                3 if at.exists() => std::fs::remove_file(at).expect("removed"),
                4 => space.write(&format!("{folder}/new-{round}"), "new\n"),
                5 => space.write(&format!("{folder}/deep/er/new-{round}"), "new\n"),
                6 => space.write(&format!("{folder}/{}.log", random.choice(["kept", "noise"]).expect("one")), "said\n"),
                7 => space.write(&format!("build/{}", random.choice(["kept", "lost"]).expect("one")), "made\n"),
                8 => space.write(&format!("{}/ignored-here", random.choice(["a/1", "b-c/1"]).expect("one")), "x\n"),
                9 => std::fs::create_dir_all(space.root().join(folder).join("empty")).expect("a folder"),
                10 => space.write("out/a/b", "made\n"),
                11 => {
                    let link = space.root().join(folder).join(format!("to-{round}"));
                    std::os::unix::fs::symlink("nowhere", link).unwrap_or_default();
                }
                12 => drop(space.git(&["status", "--porcelain"])),
                _ => commit_all(&space, "more"),
            }
        }
        let committed = space.git(&["status", "--porcelain"]).is_empty();
        check(&space, !committed);
        if round % 6 == 5 {
            commit_all(&space, "all of it");
            check(&space, false);
        }
    }
}

#[test]
fn what_hides_a_change_from_a_glance_hides_none() {
    let space = Space::repository();
    for file in ["one", "two", "link", "folder/inner"] {
        space.write(file, "text\n");
    }
    commit_all(&space, "files");
    let at = |path: &str| space.root().join(path);
    // A repository of its own, in a folder that git tracks files of and in one that it does not.
    space.git_in(&at(""), &["init", "--quiet", "nested"]);
    space.write("nested/file", "x\n");
    space.git_in(&at("nested"), &["add", "."]);
    space.git_in(&at("nested"), &["commit", "--quiet", "--message=nested"]);
    check(&space, true);
    std::fs::remove_dir_all(at("nested")).expect("removed");
    check(&space, false);
    // A link to a folder that holds the same files.
    std::fs::rename(at("folder"), at(".git/elsewhere")).expect("moved");
    std::os::unix::fs::symlink(".git/elsewhere", at("folder")).expect("a link");
    check(&space, true);
    std::fs::remove_file(at("folder")).expect("removed");
    std::fs::rename(at(".git/elsewhere"), at("folder")).expect("moved");
    check(&space, false);
    // git is told not to look.
    space.git(&["update-index", "--assume-unchanged", "one"]);
    space.write("one", "more\n");
    check(&space, false);
    space.git(&["update-index", "--no-assume-unchanged", "one"]);
    check(&space, true);
    space.git(&["checkout", "--quiet", "--", "."]);
    // The same numbers, other content: written when the index was, of the same size, with the old time of change.
    let time = std::fs::metadata(at("two")).expect("a file").modified().expect("a time");
    space.git(&["config", "core.trustctime", "false"]);
    space.write("two", "more\n");
    std::fs::File::options().write(true).open(at("two")).expect("a file").set_modified(time).expect("set");
    let index = std::fs::File::options().write(true).open(at(".git/index")).expect("an index");
    index.set_modified(time).expect("set");
    // Not compared with git's answer: the copy of the index that it is asked with is younger.
    assert!(state(&space.root()).dirty);
    // Nothing of this kind is ever a file of git's.
    space.git(&["checkout", "--quiet", "--", "two"]);
    rustix::fs::mknodat(
        rustix::fs::CWD,
        at("pipe"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o600),
        0,
    )
    .expect("a pipe");
    check(&space, false);
}

fn commit_all(space: &Space, message: &str) {
    space.git(&["add", "--all"]);
    space.git(&["commit", "--quiet", "--allow-empty", "--message", message]);
}

#[test]
fn names_with_odd_bytes_and_empty_files() {
    let space = Space::repository();
    for file in ["with space", "ünïcode", "a\nb", "-dash", "empty/.keep", "a.b/c", "a/b/c", "a-b/c"] {
        space.write(file, "");
    }
    check(&space, true);
    space.git(&["add", "."]);
    check(&space, true);
    space.git(&["commit", "--quiet", "--message=odd"]);
    check(&space, false);
}

#[test]
fn meows_own_data_never_counts() {
    let space = Space::repository();
    let before = state(&space.root());
    space.write(".meow/records/month=2026-11/a.parquet", "bytes\n");
    space.write(".meow/patterns/ci.toml", "x = 1\n");
    space.write(".meow/recommendations/a.toml", "x = 1\n");
    space.write(".meow/actions/a.toml", "x = 1\n");
    assert_eq!(state(&space.root()), before);
    space.git(&["add", "."]);
    assert_eq!(state(&space.root()), before);
    space.git(&["commit", "--quiet", "--message=data only"]);
    let after = state(&space.root());
    assert_eq!((after.tree, after.dirty, after.patch), (before.tree, false, None));
    space.write(".meow/workflows/ci.toml", "formula = \"ci\"\n");
    assert!(state(&space.root()).dirty, "workflows are sources");
}

#[test]
fn line_ends_are_converted_and_filters_never_run() {
    let space = Space::repository();
    space.write(".gitattributes", "*.txt text eol=crlf\n*.auto text=auto\n*.f filter=evil\n");
    space.write("a.txt", "one\ntwo\n");
    space.write("b.f", "content\n");
    space.git(&["add", "."]);
    space.git(&["commit", "--quiet", "--message=attributes"]);
    let mark = space.home().join("ran");
    let touch = format!("touch {} && cat", mark.display());
    for (key, value) in [("clean", touch.as_str()), ("process", touch.as_str()), ("required", "true")] {
        space.git(&["config", &format!("filter.evil.{key}"), value]);
    }
    space.git(&["config", "core.fsmonitor", &touch]);
    space.git(&["config", "diff.external", &touch]);
    space.write("a.txt", "one\r\ntwo\r\nthree\r\n");
    space.write("c.auto", "one\r\ntwo\r\n");
    space.write("b.f", "other content\n");
    let state = state(&space.root());
    assert!(!mark.exists(), "reading ran a program of the repository's configuration");
    for (key, _) in [("filter.evil.clean", ""), ("filter.evil.process", ""), ("filter.evil.required", "")] {
        space.git(&["config", "--unset", key]);
    }
    space.git(&["config", "--unset", "core.fsmonitor"]);
    assert_eq!(state.tree.expect("a tree").to_string(), expected(&space, &space.root()));
}

#[test]
fn a_submodule_counts_by_its_commit() {
    let space = Space::repository();
    let library = space.home().join("library");
    space.git(&["clone", "--quiet", ".", &library.display().to_string()]);
    let add =
        ["-c", "protocol.file.allow=always", "submodule", "--quiet", "add", &library.display().to_string(), "lib"];
    space.git(&add);
    check(&space, true);
    space.git(&["commit", "--quiet", "--message=submodule"]);
    check(&space, false);
    space.write("lib/README", "dirty inside\n");
    check(&space, false);
    space.git_in(&space.root().join("lib"), &["commit", "--quiet", "--all", "--message=inside"]);
    check(&space, true);
    let inner = Repository::discover(&space.root().join("lib")).expect("readable").expect("a repository");
    assert_eq!(inner.work_dir(), Some(space.root().join("lib").as_path()));
}

#[test]
fn worktrees_bare_repositories_and_unborn_branches() {
    let space = Space::empty();
    space.git(&["init", "--quiet", "--initial-branch=main"]);
    let unborn = state(&space.root());
    assert_eq!((unborn.commit, unborn.dirty, unborn.branch.as_deref()), (None, false, Some("main")));
    space.write("README", "a project\n");
    check(&space, true);
    space.git(&["add", "."]);
    space.git(&["commit", "--quiet", "--message=first"]);
    let linked = space.home().join("linked");
    space.git(&["worktree", "add", "--quiet", "-b", "topic", &linked.display().to_string()]);
    let repository = Repository::discover(&linked.join("")).expect("readable").expect("a repository");
    assert_eq!(repository.worktree(), "linked");
    assert_eq!(repository.common_dir().canonicalize().expect("exists"), space.root().join(".git"));
    std::fs::write(linked.join("README"), "changed\n").expect("written");
    let there = state(&linked);
    assert_eq!((there.branch.as_deref(), there.dirty), (Some("topic"), true));
    assert_eq!(there.tree.expect("a tree").to_string(), expected(&space, &linked));
    assert!(!state(&space.root()).dirty);
    let bare = space.home().join("bare.git");
    space.git(&["clone", "--quiet", "--bare", ".", &bare.display().to_string()]);
    let bare = Repository::discover(&bare.join("refs")).expect("readable").expect("found from inside");
    assert_eq!(bare.work_dir(), None);
    assert_eq!(bare.state().expect("a state").tree, state(&space.root()).tree);
}

#[test]
fn a_patch_id_survives_a_rebase_and_a_squash() {
    let space = Space::repository();
    let long = (0..40).map(|line| format!("line {line}\n")).collect::<Vec<_>>().concat();
    space.write("long", &long);
    space.git(&["add", "."]);
    space.git(&["commit", "--quiet", "--message=long"]);
    space.git(&["checkout", "--quiet", "-b", "topic"]);
    space.write("long", &long.replace("line 30\n", "line thirty\n"));
    space.git(&["commit", "--quiet", "--all", "--message=thirty"]);
    space.write("new", "new\n");
    space.git(&["add", "."]);
    space.git(&["commit", "--quiet", "--message=new"]);
    let before = state(&space.root());
    space.git(&["checkout", "--quiet", "main"]);
    space.write("long", &long.replace("line 3\n", "line three\nand more\n"));
    space.git(&["commit", "--quiet", "--all", "--message=three"]);
    space.git(&["checkout", "--quiet", "topic"]);
    space.git(&["rebase", "--quiet", "main"]);
    let after = state(&space.root());
    assert_ne!(before.commit, after.commit);
    assert!(before.patch.is_some() && before.range_patch.is_some());
    assert_eq!((before.patch, before.range_patch), (after.patch, after.range_patch));
    space.git(&["checkout", "--quiet", "main"]);
    space.git(&["merge", "--squash", "--quiet", "topic"]);
    space.git(&["commit", "--quiet", "--message=squashed"]);
    assert_eq!(state(&space.root()).patch, before.range_patch, "the squashed commit is the branch");
    assert_ne!(before.patch, before.range_patch);
}

#[test]
fn patch_ids_that_are_known_are_not_looked_for_again() {
    let space = Space::repository();
    let with = |known| {
        let repository = Repository::open(&space.root()).expect("opens");
        repository.state_knowing(known).expect("a state")
    };
    let (found, patches) = with(None);
    let patches = patches.expect("a commit");
    assert_eq!((patches.patch, patches.range_patch), (found.patch, found.range_patch));
    assert!(found.patch.is_some());
    let other = Some(Patches { patch: Some([7; 12]), ..patches });
    assert_eq!(with(other).0.patch, Some([7; 12]));
    space.write("new", "x\n");
    assert_ne!(with(other).0.patch, Some([7; 12]), "of the work tree nothing is known");
    commit_all(&space, "new");
    let (after, patches) = with(other);
    assert_eq!(after.patch, patches.expect("a commit").patch);
    assert_ne!(after.patch, Some([7; 12]), "another commit");
}

#[test]
fn shallow_sha256_and_damage() {
    let space = Space::repository();
    space.write("README", "second\n");
    space.git(&["commit", "--quiet", "--all", "--message=second"]);
    let shallow = space.home().join("shallow");
    let from = format!("file://{}", space.root().display());
    space.git(&["clone", "--quiet", "--depth=1", &from, &shallow.display().to_string()]);
    let repository = Repository::open(&shallow).expect("opens");
    assert!(repository.is_shallow());
    assert_eq!(repository.root_commit().expect("known to be unknown"), None);
    assert_eq!(repository.state().expect("a state").tree, state(&space.root()).tree);
    let first = Repository::open(&space.root()).expect("opens").root_commit().expect("walks").expect("a first commit");
    assert_eq!(first.to_string(), space.git(&["rev-list", "--max-parents=0", "HEAD"]));

    let long = space.home().join("long");
    space.git(&["init", "--quiet", "--object-format=sha256", "--initial-branch=main", &long.display().to_string()]);
    std::fs::write(long.join("file"), "x\n").expect("written");
    let unborn = state(&long);
    assert_eq!(unborn.tree.expect("a tree").to_string(), expected(&space, &long));
    space.git_in(&long, &["add", "."]);
    space.git_in(&long, &["commit", "--quiet", "--message=first"]);
    let born = state(&long);
    assert_eq!(born.commit.expect("born").bytes().len(), 32);
    assert!(!born.dirty && born.patch.is_some());

    let tree = space.git(&["rev-parse", "HEAD^{tree}"]);
    let object = space.root().join(".git/objects").join(&tree[..2]).join(&tree[2..]);
    set_mode(&space, &format!(".git/objects/{}/{}", &tree[..2], &tree[2..]), 0o644);
    std::fs::write(object, "damaged").expect("written");
    let error = Repository::open(&space.root()).expect("opens").state().expect_err("a damaged tree is an error");
    assert_eq!(error.exit_code(), 3, "{error}");
}

#[test]
fn a_reftable_is_named_and_not_read_as_empty() {
    let space = Space::empty();
    let said = space.run_in(&space.root(), "git", &["init", "--quiet", "--ref-format=reftable", "."]);
    if said.code != 0 {
        println!("skipped: this git knows no reftable");
        return;
    }
    let repository = Repository::discover(&space.root()).expect("opens").expect("a repository");
    for error in [repository.tips().map(|_| ()).expect_err("named"), repository.state().map(|_| ()).expect_err("named")]
    {
        assert!(error.to_string().contains("reftable"), "{error}");
    }
    assert_eq!(repository.limits().len(), 1);
}

#[test]
fn an_unresolved_merge_counts_as_it_lies() {
    let space = Space::repository();
    space.git(&["checkout", "--quiet", "-b", "topic"]);
    space.write("README", "theirs\n");
    space.write("only-theirs", "new\n");
    space.git(&["add", "."]);
    space.git(&["commit", "--quiet", "--message=theirs"]);
    space.git(&["checkout", "--quiet", "main"]);
    space.write("README", "ours\n");
    space.git(&["commit", "--quiet", "--all", "--message=ours"]);
    let said = space.run_in(&space.root(), "git", &["merge", "--quiet", "topic"]);
    assert_eq!(said.code, 1, "a conflict: {said:?}");
    check(&space, true);
    std::fs::remove_file(space.root().join("README")).expect("removed");
    check(&space, true);
}

#[test]
fn split_and_sparse_indexes_are_read() {
    let space = Space::repository();
    for file in ["a/one", "b/two", "b/c/three"] {
        space.write(file, "x\n");
    }
    space.git(&["add", "."]);
    space.git(&["commit", "--quiet", "--message=files"]);
    space.git(&["update-index", "--split-index"]);
    space.write("a/one", "changed\n");
    check(&space, true);
    space.git(&["update-index", "--no-split-index"]);
    space.git(&["checkout", "--quiet", "--", "."]);
    space.git(&["sparse-checkout", "set", "--cone", "--no-sparse-index", "a"]);
    assert!(!space.has("b"));
    let head = space.git(&["rev-parse", "HEAD^{tree}"]);
    assert_eq!(state(&space.root()).tree.expect("a tree").to_string(), head, "what is not checked out is not gone");
    space.git(&["sparse-checkout", "reapply", "--sparse-index"]);
    let error = Repository::open(&space.root()).expect("opens").state().expect_err("not read wrongly");
    assert!(error.to_string().contains("sparse index"), "{error}");
}
