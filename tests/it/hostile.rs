//! Hostile repositories: commands that only read start nothing, what is unasked runs nothing that is not trusted, what a
//! person asks for runs as with make, and nothing is written outside.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use crate::space::{Said, Space, peer};
use crate::trust::{unasked, workflow};

/// Commands that only read, or write nothing but meow's own files, each of which starts no program.
const READ_ONLY: &str = "list --json; status; log; report; report --base main; report . --json; analyze; learn; recommendations; \
                         score; store size; store verify; trust --show; trust --list; config --list; hooks status; \
                         execute ci --dry-run; execute --dry-run; simulate ci; export trace";

/// What a case allows.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Then {
    /// What is there cannot be trusted, or was changed since: unasked it never runs.
    Never,
    /// Once a person trusts it, the workflow runs unasked, and only the workflow.
    Trusted,
}
use Then::{Never, Trusted};

/// One hostile repository: its name, what a person's trust makes of it, and what the stranger did to a repository with a
/// workflow `ci`. `$EVIL` in what is planted is a program that leaves a mark when it runs.
type Case = (&'static str, Then, fn(&Space, &str) -> Option<PathBuf>);

const CASES: [Case; 44] = [
    ("a workflow changed after trust", Never, |space, evil| {
        space.meow_ok(&["trust"]);
        change(space, ".meow/workflows/ci.toml", "touch ran", &format!("touch ran; {evil} || true"));
        None
    }),
    ("a workflow added after trust", Never, |space, _| {
        space.meow_ok(&["trust"]);
        space.write(".meow/workflows/more.toml", &space.read(".meow/workflows/ci.toml"));
        None
    }),
    ("a parent changed after trust", Never, |space, evil| {
        space.write(".meow/workflows/base.toml", "formula = \"base\"\n[[steps]]\nid = \"b\"\nrun = \"true\"\n");
        change(space, ".meow/workflows/ci.toml", "formula = \"ci\"\n", "formula = \"ci\"\nextends = \"base\"\n");
        space.meow_ok(&["trust"]);
        change(space, ".meow/workflows/base.toml", "true", evil);
        None
    }),
    ("a nearer file of the same name after trust", Never, |space, _| {
        fs::create_dir(space.root().join("formulas")).expect("a folder");
        fs::rename(space.root().join(".meow/workflows/ci.toml"), space.root().join("formulas/ci.toml")).expect("moved");
        space.meow_ok(&["trust"]);
        space.write(".meow/workflows/ci.toml", &space.read("formulas/ci.toml").replace("touch ran", "touch  ran"));
        None
    }),
    ("`extends` outside the tree", Never, |space, evil| extends(space, "../home/outside.toml", evil)),
    ("`extends` by an absolute path", Never, |space, evil| {
        let path = space.home().join("outside.toml").display().to_string();
        extends(space, &path, evil)
    }),
    (".meow is a link", Never, |space, _| moved_behind_a_link(space, ".meow")),
    (".meow/workflows is a link", Never, |space, _| moved_behind_a_link(space, ".meow/workflows")),
    ("the workflow file is a link", Never, |space, _| moved_behind_a_link(space, ".meow/workflows/ci.toml")),
    (".meow/config.toml is a link", Never, |space, _| {
        space.write(".meow/config.toml", "[hooks]\npre-push = \"ci\"\n");
        moved_behind_a_link(space, ".meow/config.toml")
    }),
    ("hooks named after trust", Never, |space, _| {
        space.meow_ok(&["trust"]);
        space.write(".meow/config.toml", "[hooks]\npre-commit = \"ci\"\n");
        None
    }),
    ("keys that widen trust", Never, |space, _| {
        let keys =
            "trust = \"all\"\ntrusted = true\ntrigger = \"person\"\nkey = \"k\"\nstate = \"/tmp\"\nsandboxed = false\n";
        space.write(".meow/config.toml", keys);
        None
    }),
    ("a trust store of its own", Never, |space, _| {
        // What a repository brings is no trust, wherever it puts it.
        space.meow_ok(&["trust"]);
        let store = space.home().join(".local/state/meow");
        for place in [".meow/trust", ".git/meow/trust", "trust"] {
            fs::create_dir_all(space.root().join(place)).expect("folders");
            for file in fs::read_dir(store.join("trust")).expect("a folder") {
                let file = file.expect("an entry");
                fs::copy(file.path(), space.root().join(place).join(file.file_name())).expect("copied");
            }
        }
        fs::remove_dir_all(store).expect("removed");
        None
    }),
    ("a .git file that points at a trusted repository", Never, |space, _| {
        space.meow_ok(&["trust"]);
        let folder = copied(space, "pointer");
        fs::write(folder.join(".git"), format!("gitdir: {}\n", space.root().join(".git").display())).expect("written");
        Some(folder)
    }),
    ("a .git link to a trusted repository", Never, |space, _| {
        space.meow_ok(&["trust"]);
        let folder = copied(space, "link");
        symlink(space.root().join(".git"), folder.join(".git")).expect("a link");
        Some(folder)
    }),
    ("somebody else's ownership", Never, |space, _| {
        space.meow_ok(&["trust"]);
        if std::os::unix::fs::chown(space.root().join(".meow/workflows/ci.toml"), Some(12_345), None).is_err() {
            // Only root may give files away; the same content is then changed instead.
            change(space, ".meow/workflows/ci.toml", "touch ran", "touch  ran");
        }
        None
    }),
    ("core.fsmonitor", Trusted, |space, evil| config(space, &[("core.fsmonitor", evil)])),
    ("core.sshCommand", Trusted, |space, evil| {
        config(space, &[("core.sshCommand", evil), ("remote.origin.url", "ssh://nowhere.invalid/x")])
    }),
    ("core.hooksPath and hooks of its own", Trusted, |space, evil| {
        for event in ["pre-commit", "post-commit", "post-checkout", "reference-transaction", "post-index-change"] {
            space.write(&format!("hooks/{event}"), &format!("#!/bin/sh\n{evil}\n"));
            executable(&space.root().join("hooks").join(event));
        }
        config(space, &[("core.hooksPath", "hooks")])
    }),
    ("pagers and editors", Trusted, |space, evil| {
        let keys = ["core.pager", "core.editor", "sequence.editor", "pager.log", "pager.status", "core.askPass"];
        config(space, &keys.map(|key| (key, evil)))
    }),
    ("diff.external", Trusted, |space, evil| config(space, &[("diff.external", evil)])),
    ("a diff driver with textconv", Trusted, |space, evil| {
        space.write(".gitattributes", "* diff=evil\n");
        config(space, &[("diff.evil.textconv", evil), ("diff.evil.command", evil)])
    }),
    ("clean and smudge filters", Trusted, |space, evil| {
        space.write(".gitattributes", "* filter=evil\n");
        config(space, &[("filter.evil.clean", evil), ("filter.evil.smudge", evil), ("filter.evil.required", "true")])
    }),
    ("a filter process", Trusted, |space, evil| {
        space.write(".gitattributes", "* filter=evil\n");
        config(space, &[("filter.evil.process", evil), ("filter.evil.required", "true")])
    }),
    ("a merge driver", Trusted, |space, evil| {
        space.write(".gitattributes", "* merge=evil\n");
        config(space, &[("merge.evil.driver", evil), ("mergetool.evil.cmd", evil)])
    }),
    ("include.path", Trusted, |space, evil| {
        fs::write(
            space.root().join(".git/more"),
            format!("[core]\n\tfsmonitor = {evil}\n[diff]\n\texternal = {evil}\n"),
        )
        .expect("written");
        config(space, &[("include.path", "more")])
    }),
    ("includeIf", Trusted, |space, evil| {
        fs::write(space.root().join(".git/more"), format!("[core]\n\tfsmonitor = {evil}\n\tpager = {evil}\n"))
            .expect("written");
        config(space, &[("includeIf.gitdir:/.path", "more"), ("includeIf.onbranch:main.path", "more")])
    }),
    ("aliases of git's commands", Trusted, |space, evil| {
        let alias = format!("!{evil}");
        config(space, &["alias.status", "alias.log", "alias.meow", "alias.ls"].map(|key| (key, alias.as_str())))
    }),
    ("credential.helper", Trusted, |space, evil| {
        let helper = format!("!{evil}");
        config(space, &[("credential.helper", &helper), ("remote.origin.url", "https://nowhere.invalid/x")])
    }),
    ("gpg.program", Trusted, |space, evil| {
        config(space, &[("gpg.program", evil), ("gpg.ssh.program", evil), ("log.showSignature", "true")])
    }),
    ("ext:: as protocol", Trusted, |space, evil| {
        let url = format!("ext::{evil}");
        config(space, &[("protocol.ext.allow", "always"), ("remote.origin.url", &url)])
    }),
    ("uploadpack and receivepack", Trusted, |space, evil| {
        config(
            space,
            &[("remote.origin.url", "."), ("remote.origin.uploadpack", evil), ("remote.origin.receivepack", evil)],
        )
    }),
    ("url.insteadOf", Trusted, |space, evil| {
        let key = format!("url.ext::{evil} .insteadOf");
        config(
            space,
            &[("protocol.ext.allow", "always"), (&key, "https:"), ("remote.origin.url", "https://nowhere.invalid/x")],
        )
    }),
    ("a promise of absent objects", Trusted, |space, evil| {
        let url = format!("ext::{evil}");
        config(
            space,
            &[
                ("core.repositoryFormatVersion", "1"),
                ("extensions.partialClone", "origin"),
                ("remote.origin.promisor", "true"),
                ("remote.origin.url", &url),
                ("protocol.ext.allow", "always"),
            ],
        )
    }),
    ("a configuration of the worktree", Trusted, |space, evil| {
        space.git(&["config", "extensions.worktreeConfig", "true"]);
        space.git(&["config", "--worktree", "core.fsmonitor", evil]);
        None
    }),
    ("a bare repository in a sub-folder", Trusted, |space, evil| {
        let bare = space.root().join("sub");
        space.git(&["init", "--quiet", "--bare", "sub"]);
        space.git(&["--git-dir", "sub", "config", "core.fsmonitor", evil]);
        space.git(&["--git-dir", "sub", "config", "core.bare", "false"]);
        space.git(&["--git-dir", "sub", "config", "core.worktree", ".."]);
        fs::write(bare.join("hooks/pre-commit"), format!("#!/bin/sh\n{evil}\n")).expect("written");
        None
    }),
    ("a submodule with commands in it", Trusted, |space, evil| {
        let lines = format!(
            "[submodule \"x\"]\n\tpath = x\n\turl = -u{evil}\n\tupdate = !{evil}\n[submodule \"../../y\"]\n\tpath = y\n\turl = ext::{evil}\n"
        );
        space.write(".gitmodules", &lines);
        let update = format!("!{evil}");
        config(space, &[("submodule.x.update", &update), ("submodule.recurse", "true")])
    }),
    ("a submodule's repository that runs a monitor", Trusted, |space, evil| {
        space.git(&["init", "--quiet", "x"]);
        let inside = space.root().join("x");
        space.git_in(&inside, &["commit", "--quiet", "--allow-empty", "--message=x"]);
        space.git_in(&inside, &["config", "core.fsmonitor", evil]);
        space.git(&["-c", "advice.addEmbeddedRepo=false", "add", "x"]);
        space.git(&["commit", "--quiet", "--message=x"]);
        None
    }),
    ("branches and tags called like commands", Trusted, |space, evil| {
        let evil = evil.replace(' ', "${IFS}");
        for name in [format!("$({evil})"), format!("a;{evil};"), format!("`{evil}`"), "x--output=pwned".to_owned()] {
            space.run_in(&space.root(), "git", &["update-ref", &format!("refs/heads/{name}"), "HEAD"]);
            space.run_in(&space.root(), "git", &["update-ref", &format!("refs/meow/w/{name}"), "HEAD"]);
        }
        None
    }),
    ("a work tree elsewhere", Trusted, |space, _| config(space, &[("core.worktree", "../../work")])),
    ("alternates that lead elsewhere", Trusted, |space, _| {
        let elsewhere = space.home().join("objects");
        fs::create_dir_all(&elsewhere).expect("folders");
        fs::write(space.root().join(".git/objects/info/alternates"), format!("{}\n", elsewhere.display()))
            .expect("written");
        None
    }),
    ("a huge configuration of git", Trusted, |space, evil| {
        let mut text = fs::read_to_string(space.root().join(".git/config")).expect("text");
        for at in 0..40_000 {
            text += &format!("[alias]\n\ta{at} = !{evil}\n");
        }
        fs::write(space.root().join(".git/config"), text).expect("written");
        None
    }),
    ("huge settings", Trusted, |space, _| {
        space.write(".meow/config.toml", &"# nothing\n".repeat(200_000));
        None
    }),
    ("names that speak to terminals", Trusted, |space, _| {
        let name = ".meow/workflows/\u{1b}]0;pwned\u{7}$(touch pwned)\n.toml";
        space.write(name, "formula = \"odd\"\n[[steps]]\nid = \"a\"\nrun = \"true\"\n");
        None
    }),
];

fn change(space: &Space, path: &str, from: &str, to: &str) {
    let text = space.read(path);
    assert!(text.contains(from), "{path} holds no {from}");
    space.write(path, &text.replacen(from, to, 1));
}

fn config(space: &Space, settings: &[(&str, &str)]) -> Option<PathBuf> {
    for (key, value) in settings {
        space.git(&["config", key, value]);
    }
    None
}

/// Has the workflow take its step from a file outside.
fn extends(space: &Space, path: &str, evil: &str) -> Option<PathBuf> {
    let step = "[[steps]]\nid = \"a\"\nrun = \"touch ran\"\n";
    fs::write(space.home().join("outside.toml"), format!("formula = \"outside\"\n{step}")).expect("written");
    let path = path.replace('"', "");
    space.write(".meow/workflows/ci.toml", &format!("formula = \"ci\"\nextends = \"{path}\"\n# {evil}\n"));
    space.meow_ok(&["trust"]);
    None
}

/// Moves a part of the repository out of it, and leads there by a link.
fn moved_behind_a_link(space: &Space, part: &str) -> Option<PathBuf> {
    let (from, to) = (space.root().join(part), space.home().join("behind"));
    fs::rename(&from, &to).expect("moved");
    symlink(&to, &from).expect("a link");
    None
}

/// Returns another folder with the same workflow.
fn copied(space: &Space, name: &str) -> PathBuf {
    let folder = space.home().join(name);
    fs::create_dir_all(folder.join(".meow/workflows")).expect("folders");
    fs::copy(space.root().join(".meow/workflows/ci.toml"), folder.join(".meow/workflows/ci.toml")).expect("copied");
    folder
}

fn executable(path: &Path) {
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("a mode");
}

/// Runs a script of meow's commands; returns the programs that were started, by name, where strace can tell.
fn started(space: &Space, folder: &Path, script: &str) -> Option<BTreeSet<String>> {
    let log = space.home().join("strace");
    let commands: Vec<String> = script.split(';').map(|line| format!("meow {} </dev/null", line.trim())).collect();
    let script = commands.join("\n") + "\n:";
    let traced = peer("strace");
    let log_name = log.display().to_string();
    let args = ["-f", "-qq", "--seccomp-bpf", "-e", "trace=execve,execveat", "-o", &log_name, "sh", "-c", &script];
    let said = if traced { space.run_in(folder, "strace", &args) } else { space.run_in(folder, "sh", &args[8..]) };
    assert!(!said.err.contains("panicked") && !said.err.contains("a bug in meow"), "{}", said.err);
    let text = traced.then(|| fs::read_to_string(&log).expect("a trace"))?;
    let program = |line: &str| Some(line.split_once("execve(\"")?.1.split('"').next()?.rsplit('/').next()?.to_owned());
    // What is not there is not started: the shell looks through the search path.
    Some(text.lines().filter(|line| line.ends_with(" = 0")).filter_map(program).collect())
}

/// Runs the hook of an event as git would.
fn hook(space: &Space, folder: &Path) -> Said {
    space.run_in(folder, env!("CARGO_BIN_EXE_meow"), &["hook", "pre-commit", "--workflow"])
}

#[test]
fn hostile_repositories_run_nothing_that_no_person_asked_for_1_of_4() {
    tried(0);
}

#[test]
fn hostile_repositories_run_nothing_that_no_person_asked_for_2_of_4() {
    tried(1);
}

#[test]
fn hostile_repositories_run_nothing_that_no_person_asked_for_3_of_4() {
    tried(2);
}

#[test]
fn hostile_repositories_run_nothing_that_no_person_asked_for_4_of_4() {
    tried(3);
}

/// Tries every fourth case; the four parts run side by side.
fn tried(part: usize) {
    assert!(CASES.len() >= 25);
    for (name, then, plant) in CASES.into_iter().skip(part).step_by(4) {
        let space = workflow();
        let evil = space.home().join("evil");
        fs::write(&evil, "#!/bin/sh\necho \"$0 $*\" >> \"$(dirname \"$0\")/pwned\"\n").expect("written");
        executable(&evil);
        let folder = plant(&space, &evil.display().to_string()).unwrap_or_else(|| space.root());
        // The names that git itself runs while the case is made are not meow's doing.
        let pwned = || fs::read_to_string(space.home().join("pwned")).ok();
        let _ = fs::remove_file(space.home().join("pwned"));
        let ran = || fs::remove_file(folder.join("ran")).is_ok();
        let _ = ran();

        if let Some(programs) = started(&space, &folder, READ_ONLY) {
            let expected = BTreeSet::from(["meow".to_owned(), "sh".to_owned(), "strace".to_owned()]);
            assert!(programs.is_subset(&expected), "{name}: {programs:?} were started");
        }
        assert!(pwned().is_none() && !ran(), "{name}: a command that reads ran {:?}", pwned());

        for trigger in ["agent", "schedule"] {
            let said = unasked(&space, &folder, trigger, &["execute", "ci"]);
            assert!(
                said.code == 2 && said.err.contains("is not run: ") || said.err.contains("not among"),
                "{name}: {said:?}"
            );
            assert!(!ran() && pwned().is_none(), "{name}: unasked, it ran");
        }
        let said = hook(&space, &folder);
        assert!(said.code == 0 && !ran() && pwned().is_none(), "{name}: at a hook: {said:?}");

        if then == Trusted {
            space.meow_ok(&["trust"]);
            let said = unasked(&space, &folder, "agent", &["execute", "ci"]);
            assert!(said.code == 0 && ran(), "{name}: trusted: {said:?}");
            assert!(pwned().is_none(), "{name}: trusted, and more ran: {:?}", pwned());
        }
        let said = space.run_in(&folder, env!("CARGO_BIN_EXE_meow"), &["execute", "ci"]);
        assert!(said.code == 0 && ran(), "{name}: asked for, it runs as with make: {said:?}");
    }
}

#[test]
fn keys_that_widen_trust_are_ignored_with_a_warning() {
    let space = workflow();
    space.write(
        ".meow/config.toml",
        "trust = \"all\"\nkey = \"k\"\ntrigger = \"person\"\n[hooks]\npre-push = \"../ci.toml\"\n",
    );
    let said = space.meow(&["list"]);
    for what in
        ["unknown key `trust`", "`key` is ignored: a repository may not set it", "unknown key `trigger`", "not a path"]
    {
        assert!(said.code == 0 && said.err.contains(what), "{what}: {said:?}");
    }
}

#[test]
fn a_hooks_path_that_leads_out_of_the_repository_is_refused() {
    let space = workflow();
    let outside = space.home().join("bin");
    for path in [outside.display().to_string(), "../home/bin".to_owned(), "sub/../../home/bin".to_owned()] {
        space.git(&["config", "core.hooksPath", &path]);
        let said = space.meow(&["hooks", "install"]);
        assert!(said.code == 3 && said.err.contains("leads outside of it"), "{path}: {said:?}");
    }
    symlink(space.home(), space.root().join("sly")).expect("a link");
    space.git(&["config", "core.hooksPath", "sly/bin"]);
    assert_eq!(space.meow(&["hooks", "install"]).code, 3);
    assert!(!outside.exists());
}

/// Ten trees that hold each other ten times each stand for ten thousand million files.
#[test]
fn trees_that_multiply_stop_nobody() {
    let space = workflow();
    space.meow_ok(&["-q", "execute", "ci"]);
    space.meow_ok(&["commit"]);
    let id = space.meow_ok(&["log", "--json"]);
    let id: serde_json::Value = serde_json::from_str(&id).expect("JSON");
    let blob = space.git(&["rev-parse", "HEAD:README"]);
    let plant = |entries: String| {
        let mut command = space.command(&space.root(), "git");
        command.arg("mktree").stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
        let mut child = command.spawn().expect("git starts");
        std::io::Write::write_all(&mut child.stdin.take().expect("a pipe"), entries.as_bytes()).expect("written");
        let output = child.wait_with_output().expect("git ends");
        String::from_utf8(output.stdout).expect("text").trim().to_owned()
    };
    let mut tree = plant(format!("100644 blob {blob}\tx.parquet\n"));
    for _ in 0..10 {
        let entries: Vec<String> = (0..10).map(|at| format!("040000 tree {tree}\td{at}\n")).collect();
        tree = plant(entries.concat());
    }
    let notes = tree.clone();
    for name in ["records", ".meow"] {
        tree = plant(format!("040000 tree {tree}\t{name}\n"));
    }
    let commit = space.git(&["commit-tree", &tree, "-m", "many"]);
    space.git(&["update-ref", "refs/meow/w/0123456789ab", &commit]);
    space.git(&["update-ref", "refs/heads/many", &commit]);
    let commit = space.git(&["commit-tree", &notes, "-m", "many"]);
    space.git(&["update-ref", "refs/notes/perf-v3", &commit]);
    let own = id["executions"][0]["id"].as_str().expect("an id").to_owned();
    for (call, code, said) in [
        ("status", 0, ""),
        ("fold", 0, "refs/meow/w/0123456789ab is left"),
        ("store verify", 3, "too many folders"),
        ("store size", 0, "Not counted: records of refs/heads/many"),
        ("import git-perf", 0, "0 records"),
        (&format!("purge {own}"), 0, "refs/heads/many may still hold it"),
        ("commit", 0, ""),
    ] {
        let mut args = vec!["-s", "KILL", "30", env!("CARGO_BIN_EXE_meow")];
        args.extend(call.split(' '));
        let ended = space.run_in(&space.root(), "timeout", &args);
        assert_eq!(ended.code, code, "{call}: {ended:?}");
        assert!(ended.err.contains(said) || ended.out.contains(said), "{call}: {ended:?}");
    }
}
