//! Workflows at git events: run where they are trusted, stopping git where they fail, and confused by nothing git sets.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::Value;

use crate::space::{Said, Space};
use meow::cli::settings::hooks::EVENTS;
use meow::git::hooks::LOCAL;

/// Returns a repository with a remote, whose workflow `check` runs a command at these events; trusted, hooks in.
fn hooked(events: &[&str], run: &str) -> Space {
    let space = Space::repository();
    space.write(".meow/workflows/check.toml", &check(run));
    let named: Vec<String> = events.iter().map(|event| format!("{event} = \"check\"\n")).collect();
    space.write(".meow/config.toml", &format!("[hooks]\n{}", named.concat()));
    space.write(".gitignore", "ran\n");
    space.git(&["add", "."]);
    space.git(&["commit", "--quiet", "--message=workflow"]);
    space.git(&["init", "--quiet", "--bare", "../home/remote.git"]);
    space.git(&["remote", "add", "origin", "../home/remote.git"]);
    space.meow_ok(&["hooks", "install"]);
    space.meow_ok(&["trust"]);
    space
}

/// Has the person switch off the sandbox that is there for what runs unasked: these steps work outside of the project.
fn without_sandbox(space: &Space) {
    let folder = space.home().join(".config/meow");
    fs::create_dir_all(&folder).expect("folders");
    fs::write(folder.join("config.toml"), "sandbox = \"off\"\n").expect("written");
}

fn check(run: &str) -> String {
    format!("formula = \"check\"\n[[steps]]\nid = \"a\"\nrun = '''\n{run}\n'''\n")
}

fn plant(path: &Path, text: &str) {
    fs::write(path, text).expect("written");
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("a mode");
}

fn push(space: &Space, variables: &[(&str, &str)], args: &[&str]) -> Said {
    let mut command = space.command(&space.root(), "git");
    command.args(["push", "--quiet", "origin", "HEAD:refs/heads/main"]).args(args).envs(variables.iter().copied());
    // Two executions of one push must not draw the same id.
    command.env_remove("MEOW_CLOCK");
    Said::from(command.output().expect("git starts"))
}

fn pushed(space: &Space) -> bool {
    let remote = space.git(&["ls-remote", "origin", "refs/heads/main"]);
    remote.starts_with(&space.git(&["rev-parse", "HEAD"]))
}

fn executions(space: &Space) -> Vec<Value> {
    let log: Value = serde_json::from_str(&space.meow_ok(&["log", "--json"])).expect("JSON");
    log["executions"].as_array().expect("a list").clone()
}

#[test]
fn a_failed_workflow_stops_the_push_and_a_person_may_go_on_without_it() {
    let space = hooked(&["pre-push"], "echo broken; exit 3");
    let said = push(&space, &[], &[]);
    assert!(
        said.code == 1 && said.err.contains("broken") && said.err.contains("pre-push: stopped by `check`"),
        "{said:?}"
    );
    assert!(!pushed(&space) && said.out.is_empty(), "{said:?}");
    let id = executions(&space)[0]["id"].as_str().expect("an id").to_owned();
    let execution: Value = serde_json::from_str(&space.meow_ok(&["status", &id, "--json"])).expect("JSON");
    assert_eq!(execution["trigger"], "hook:pre-push");
    assert_eq!(push(&space, &[], &["--no-verify"]).code, 0);
    assert!(pushed(&space));
    space.git(&["commit", "--quiet", "--allow-empty", "--message=more"]);
    assert_eq!(push(&space, &[("MEOW", "0")], &[]).code, 0);
    assert!(pushed(&space));
}

#[test]
fn what_is_not_trusted_runs_nothing_and_stops_nothing() {
    let space = hooked(&["pre-push", "pre-commit"], "touch ran; exit 1");
    space.write(".meow/workflows/check.toml", &check("touch ran; exit 2"));
    let said = space.run_in(&space.root(), "git", &["commit", "--quiet", "--all", "--message=pulled"]);
    let line =
        "pre-commit: `check` is not run: .meow/workflows/check.toml was changed since this repository was trusted";
    assert!(said.code == 0 && said.err.contains(line) && said.err.lines().count() == 1, "{said:?}");
    let said = push(&space, &[], &[]);
    assert!(said.code == 0 && said.err.contains("meow trust --show") && said.err.lines().count() == 1, "{said:?}");
    space.meow_ok(&["trust", "--revoke"]);
    space.git(&["commit", "--quiet", "--allow-empty", "--message=more"]);
    let said = push(&space, &[], &[]);
    assert!(said.code == 0 && said.err.contains("not trusted") && said.err.lines().count() == 1, "{said:?}");
    assert!(!space.has("ran") && pushed(&space));
    space.meow_ok(&["trust"]);
    space.git(&["commit", "--quiet", "--no-verify", "--allow-empty", "--message=more"]);
    assert!(push(&space, &[], &[]).code == 1 && space.has("ran"), "trusted again, it runs");
}

#[test]
fn the_hook_that_was_there_before_gets_its_input_and_is_timed() {
    let space = hooked(&["pre-push"], "true");
    space.meow_ok(&["hooks", "uninstall"]);
    let hook = space.root().join(".git/hooks/pre-push");
    plant(&hook, "#!/bin/sh\necho \"$@\" > \"$HOME/args\"\ncat > \"$HOME/input\"\n[ ! -e \"$HOME/stop\" ] || exit 5\n");
    space.meow_ok(&["hooks", "install"]);
    assert_eq!(push(&space, &[], &[]).code, 0);
    let read = |name: &str| fs::read_to_string(space.home().join(name)).expect("it ran");
    assert!(
        read("args").contains("origin ") && read("input").starts_with("HEAD "),
        "{}{}",
        read("args"),
        read("input")
    );
    let names = |space: &Space| -> Vec<String> {
        let name = |one: &Value| format!("{} {}", one["workflow"], one["outcome"]).replace('"', "");
        let mut names: Vec<String> = executions(space).iter().map(name).collect();
        names.sort();
        names
    };
    assert_eq!(names(&space), ["check passed", "hook/pre-push passed"]);
    fs::write(space.home().join("stop"), "").expect("written");
    space.git(&["commit", "--quiet", "--allow-empty", "--message=more"]);
    assert_eq!(push(&space, &[], &[]).code, 1);
    let held = ["check passed", "hook/pre-push failed", "hook/pre-push passed"];
    assert_eq!(names(&space), held, "its say comes first, and nothing follows it");
    // The shell's own words for a program that is missing are the hook's here, and it runs once.
    for code in [126, 127] {
        plant(
            &space.root().join(".git/hooks/pre-push.before-meow"),
            &format!("#!/bin/sh\necho >> \"$HOME/times\"\nexit {code}\n"),
        );
        assert_eq!(push(&space, &[], &[]).code, 1);
    }
    assert_eq!(read("times").lines().count(), 2);
}

#[test]
fn every_event_runs_its_workflow() {
    let space = hooked(&EVENTS, "echo \"$MEOW_TRIGGER\" >> \"$HOME/events\"");
    without_sandbox(&space);
    let git = |args: &[&str]| space.git(args);
    let change = |text: &str| {
        space.write("README", text);
        space.git(&["commit", "--quiet", "--all", &format!("--message={}", text.trim())]);
    };
    change("one\n");
    git(&["commit", "--quiet", "--amend", "--no-edit"]);
    git(&["checkout", "--quiet", "-b", "topic", "HEAD~1"]);
    space.write("other", "file\n");
    git(&["add", "."]);
    git(&["commit", "--quiet", "--message=other"]);
    git(&["format-patch", "--quiet", "-1", "--output-directory=../home/patches"]);
    git(&["rebase", "--quiet", "main"]);
    git(&["checkout", "--quiet", "-b", "merge", "main~1"]);
    change("two\n");
    git(&["merge", "--quiet", "--no-edit", "--strategy-option=ours", "topic"]);
    git(&["checkout", "--quiet", "-b", "mail", "main"]);
    let patch =
        fs::read_dir(space.home().join("patches")).expect("a folder").next().expect("one").expect("an entry").path();
    git(&["am", "--quiet", &patch.display().to_string()]);
    assert_eq!(push(&space, &[], &[]).code, 0);
    let seen = fs::read_to_string(space.home().join("events")).expect("they ran");
    let missing: Vec<_> =
        EVENTS.iter().filter(|event| !seen.lines().any(|line| line == format!("hook:{event}"))).collect();
    assert!(missing.is_empty(), "{missing:?} ran nothing:\n{seen}");
}

#[test]
fn a_step_that_works_in_another_repository_is_not_led_back() {
    let listed = Space::empty();
    let listed = listed.git(&["rev-parse", "--local-env-vars"]);
    let unknown: Vec<&str> = listed.lines().filter(|name| !LOCAL.contains(name)).collect();
    assert!(unknown.is_empty(), "this git sets {unknown:?} too");

    let space = hooked(
        &["pre-commit"],
        "cd \"$HOME/other\" && echo >> new && git add new && git commit --quiet --message=theirs",
    );
    without_sandbox(&space);
    space.git(&["init", "--quiet", "--initial-branch=main", "../home/other"]);
    let other = space.home().join("other");
    let linked = space.home().join("linked");
    space.git(&["worktree", "add", "--quiet", "-b", "topic", &linked.display().to_string()]);
    for (at, folder) in [space.root(), linked].into_iter().enumerate() {
        // `--all` hands the hook an index of its own, a linked worktree a git directory too.
        fs::write(folder.join("README"), "changed\n").expect("written");
        let said =
            space.run_in(&folder, "git", &["-c", "core.abbrev=9", "commit", "--quiet", "--all", "--message=ours"]);
        assert_eq!(said.code, 0, "{said:?}");
        assert_eq!(space.git_in(&other, &["rev-list", "--count", "HEAD"]), (at + 1).to_string());
        assert_eq!(space.git_in(&other, &["ls-files"]), "new");
        assert_eq!(space.git_in(&folder, &["log", "-1", "--format=%s"]), "ours");
        assert!(!space.git_in(&folder, &["ls-files"]).contains("new"));
    }
}

#[test]
fn a_workflow_that_commits_does_not_start_itself() {
    let space = hooked(&["post-commit"], "echo >> \"$HOME/times\"\ngit commit --quiet --allow-empty --message=inner");
    without_sandbox(&space);
    space.git(&["commit", "--quiet", "--allow-empty", "--message=outer"]);
    assert_eq!(space.git(&["log", "-2", "--format=%s"]), "inner\nouter");
    assert_eq!(fs::read_to_string(space.home().join("times")).expect("it ran").lines().count(), 1);
}

#[test]
fn git_is_never_stopped_by_a_meow_that_cannot_work() {
    let space = hooked(&["pre-commit"], "true");
    let commit = |variables: &[(&str, &str)]| {
        let mut command = space.command(&space.root(), "git");
        command.args(["commit", "--quiet", "--allow-empty", "--message=more"]).envs(variables.iter().copied());
        Said::from(command.output().expect("git starts"))
    };
    for (name, value) in
        [("MEOW_SLOTS", "many"), ("MEOW_TRIGGER", "No Name"), ("MEOW_CLOCK", "soon"), ("HOME", "/nowhere")]
    {
        let said = commit(&[(name, value)]);
        assert_eq!(said.code, 0, "{name}: {said:?}");
    }
    let bin = space.home().join("bin");
    fs::create_dir(&bin).expect("a folder");
    let path = std::env::var("PATH").expect("a path");
    for broken in ["#!/nowhere/at/all\n", "#!/bin/sh\nexit 127\n"] {
        plant(&bin.join("meow"), broken);
        let said = commit(&[("PATH", &format!("{}:{path}", bin.display()))]);
        assert_eq!(said.code, 0, "{broken}: {said:?}");
    }
    // What the next version of meow writes into a hook is no reason to stop either.
    let said = space.meow(&["hook", "pre-commit", "--next-year", "--", "true"]);
    assert_eq!(said.code, 127, "{said:?}");
}

#[test]
fn with_an_empty_spool_a_commit_starts_no_meow() {
    let space = Space::repository();
    space.meow_ok(&["hooks", "install"]);
    let bin = space.home().join("bin");
    fs::create_dir(&bin).expect("a folder");
    plant(&bin.join("meow"), "#!/bin/sh\ntouch \"$HOME/started\"\n");
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").expect("a path"));
    let started = |space: &Space| {
        let mut command = space.command(&space.root(), "git");
        command.args(["commit", "--quiet", "--allow-empty", "--message=more"]).env("PATH", &path);
        assert!(command.status().expect("git starts").success());
        fs::remove_file(space.home().join("started")).is_ok()
    };
    assert!(!started(&space));
    space.meow_ok(&["record", "--name", "a", "--outcome", "passed"]);
    assert!(started(&space));
    space.git(&["commit", "--quiet", "--allow-empty", "--message=sealed"]);
    space.meow_ok(&["commit"]);
    assert!(!started(&space), "the spool is empty again");
}

#[test]
fn events_that_would_slow_git_down_are_refused_with_the_reason() {
    let space = Space::repository();
    space.write(".meow/config.toml", "[hooks]\nreference-transaction = \"ci\"\npre-push = \"ci\"\n");
    let said = space.meow(&["config", "--validate"]);
    assert!(
        said.code == 2 && said.out.contains("`hooks.reference-transaction` is ignored: git runs it for every"),
        "{said:?}"
    );
    let said = space.meow(&["hooks", "install", "reference-transaction"]);
    assert!(said.code == 2 && said.err.contains("git runs it for every"), "{said:?}");
    space.meow_ok(&["hooks", "install", "post-merge"]);
    let mut hooks: Vec<String> = fs::read_dir(space.root().join(".git/hooks"))
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("a name"))
        .filter(|name| !name.ends_with(".sample"))
        .collect();
    hooks.sort();
    assert_eq!(hooks, ["post-merge", "pre-commit", "pre-push"]);
    let status = space.meow_ok(&["hooks", "status"]);
    assert!(status.contains("pre-push: installed; runs `ci` where `meow trust` trusts it"), "{status}");
    space.write(".meow/config.toml", "[hooks]\npost-merge = \"ci\"\n");
    let status = space.meow_ok(&["hooks", "status"]);
    assert!(status.contains("post-merge: installed; `ci` does not run at it until `meow hooks install`"), "{status}");
}
