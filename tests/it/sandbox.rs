//! Ways out of the sandbox, tried by an unprivileged user, and the label that must not lie.

#![cfg(target_os = "linux")]

use std::fs;
use std::io::{ErrorKind, Write};
use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::space::{Said, Space};

/// The user who tries: `nobody` where the tests run as root.
const NOBODY: &str = "65534";
const SECRET: &str = "the-secret-key";

/// Ways out by name, each as a command of the shell. `$VICTIM` is a process outside, `$PORT` a listener on loopback, `$NAME`
/// an abstract socket, `$OUTSIDE` a folder beside the work tree; `$HOME` is the person's.
const WAYS: [(&str, &str); 24] = [
    ("hook", "echo evil > .git/hooks/pre-commit"),
    ("config", "echo '[core] fsmonitor = evil' >> .git/config"),
    ("head", "echo evil > .git/evil; git commit --allow-empty -qm evil"),
    ("settings", "echo evil > .meow/evil"),
    ("workflow", "echo '# evil' >> tools/ci.toml"),
    ("other-workflow", "echo evil > .beads/formulas/evil.formula.toml"),
    ("home", "echo evil > $HOME/evil"),
    ("ssh", "cat $HOME/.ssh/id > stolen-1"),
    ("kill", "kill -9 $VICTIM"),
    ("ptrace", "perl -e 'exit(syscall(101, 16, $ENV{VICTIM}, 0, 0) == 0 ? 0 : 1)' && touch traced"),
    ("proc-root", "for p in 1 $VICTIM; do cat /proc/$p/root$HOME/.ssh/id; done > stolen-2"),
    ("symlink", "ln -s $HOME/profile link && echo evil >> link"),
    ("mount", "unshare -Urm sh -c 'umount -l .git; mount -o remount,bind,rw .git; echo evil > .git/evil'"),
    ("network", "perl -MIO::Socket::INET -e 'IO::Socket::INET->new(\"127.0.0.1:$ENV{PORT}\") or exit 1'"),
    (
        "terminal",
        "perl -e 'open(T, \"+<\", \"/dev/tty\") or exit 1; exit(ioctl(T, 0x5412, my $k = \"x\") ? 0 : 1)' && touch typed",
    ),
    (
        "abstract",
        "perl -MSocket -e 'socket(S, AF_UNIX, SOCK_STREAM, 0); connect(S, pack(\"S a*\", AF_UNIX, \"\\0$ENV{NAME}\")) or exit 1'",
    ),
    ("socket", "perl -MIO::Socket::UNIX -e 'IO::Socket::UNIX->new(\"$ENV{OUTSIDE}/socket\") or exit 1'"),
    ("setuid", "grep -q 'NoNewPrivs:.*0' /proc/self/status && touch privileged"),
    ("device", "ls /dev/mem /dev/kmsg /dev/fuse /dev/net/tun 2>/dev/null | grep -q . && touch device"),
    ("tmp", "echo evil > $OUTSIDE/evil"),
    ("shm", "echo evil > /dev/shm/$NAME"),
    ("hardlink", "ln .git/config hard && echo evil >> hard"),
    (
        "rename",
        "mv .git .gone && mkdir -p .git/hooks && echo evil > .git/hooks/evil; mv .meow m; mv tools t; mv .beads b; mkdir tools",
    ),
    ("daemon", "setsid sleep 4242 & sleep 0.1"),
];

/// A person's project, with something outside of it to reach.
struct Prison {
    space: Space,
    victim: Child,
    loopback: TcpListener,
    named: UnixListener,
    outside: UnixListener,
    name: String,
}

impl Drop for Prison {
    fn drop(&mut self) {
        let _ = self.victim.kill();
        let _ = self.victim.wait();
        let _ = fs::remove_file(Path::new("/dev/shm").join(&self.name));
    }
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Returns the command for a program run by the unprivileged user.
fn unprivileged(space: &Space, folder: &Path, program: &str) -> Command {
    if !is_root() {
        return space.command(folder, program);
    }
    let mut command = space.command(folder, "setpriv");
    command.args(["--reuid", NOBODY, "--regid", NOBODY, "--clear-groups", "--", program]);
    command
}

/// Returns why the ways out cannot be tried here.
fn impossible() -> Option<String> {
    for (program, args) in [("bwrap", vec!["--version"]), ("perl", vec!["-e", "0"]), ("unshare", vec!["--version"])] {
        let found =
            Command::new(program).args(args).stdout(Stdio::null()).status().is_ok_and(|status| status.success());
        if !found {
            return Some(format!("{program} is not installed"));
        }
    }
    let space = Space::empty();
    give(space.root().parent().expect("a folder"));
    let args = ["--ro-bind", "/", "/", "--unshare-all", "true"];
    let tried = unprivileged(&space, Path::new("/"), "bwrap").args(args).output();
    match tried {
        Ok(output) if output.status.success() => None,
        Ok(output) => Some(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
        Err(error) => Some(error.to_string()),
    }
}

fn say(line: &str) {
    writeln!(std::io::stderr(), "{line}").expect("said");
}

/// Skips with the reason, unless everything has to be there.
fn skipped() -> bool {
    let Some(why) = impossible() else { return false };
    assert!(std::env::var_os("MEOW_REQUIRE_PEERS").is_none(), "the sandbox cannot be tried: {why}");
    say(&format!("skipped: the sandbox cannot be tried: {why}"));
    true
}

/// Gives a folder to the unprivileged user.
fn give(folder: &Path) {
    if is_root() {
        let status = Command::new("chown").args(["-R", &format!("{NOBODY}:{NOBODY}")]).arg(folder).status();
        assert!(status.expect("chown").success());
    }
}

impl Prison {
    /// Returns a project whose workflow holds the ways out; `head` goes above its steps.
    fn new(head: &str) -> Self {
        let space = Space::repository();
        let mut text = format!("formula = \"ways\"\n{head}\n");
        for (name, command) in WAYS {
            text.push_str(&format!("[[steps]]\nid = \"{name}\"\nrun = '''\n{command}\n'''\n"));
        }
        space.write("tools/ci.toml", &text);
        space.write(".meow/config.toml", "slots = 1\n");
        space.write(".beads/formulas/x.formula.toml", "formula = \"x\"\n");
        fs::create_dir(space.home().join(".ssh")).expect("a folder");
        fs::write(space.home().join(".ssh/id"), SECRET).expect("written");
        fs::write(space.home().join("profile"), "mine\n").expect("written");
        let above = space.root().parent().expect("a folder").to_path_buf();
        let name = above.file_name().expect("a name").to_string_lossy().into_owned();
        let loopback = TcpListener::bind("127.0.0.1:0").expect("a listener");
        let address = SocketAddr::from_abstract_name(&name).expect("a name");
        let named = UnixListener::bind_addr(&address).expect("a socket");
        let outside = UnixListener::bind(above.join("socket")).expect("a socket");
        for set in [loopback.set_nonblocking(true), named.set_nonblocking(true), outside.set_nonblocking(true)] {
            set.expect("set");
        }
        give(&above);
        fs::set_permissions(&above, fs::Permissions::from_mode(0o755)).expect("set");
        let victim = unprivileged(&space, &above, "sleep").arg("60").spawn().expect("a victim");
        Self { space, victim, loopback, named, outside, name }
    }

    fn above(&self) -> PathBuf {
        self.space.root().parent().expect("a folder").to_path_buf()
    }

    /// Runs git as the unprivileged user; returns what it says.
    fn git(&self, folder: &Path, args: &[&str]) -> String {
        let said = Said::from(unprivileged(&self.space, folder, "git").args(args).output().expect("it starts"));
        assert_eq!(said.code, 0, "{args:?}: {}", said.err);
        said.out
    }

    /// Runs the workflow in `folder`, on a terminal of its own where one can be had.
    fn run(&self, folder: &Path, sandbox: &str) -> Said {
        let meow = env!("CARGO_BIN_EXE_meow");
        let line = format!(
            "exec '{meow}' execute tools/ci.toml -k -j1 --events jsonl 2>said.err >'{}/events'",
            self.above().display()
        );
        let mut command = unprivileged(&self.space, folder, "script");
        command.args(["-qec", &line, "/dev/null"]);
        command
            .env("MEOW_SANDBOX", sandbox)
            .env("SHELL", "/bin/sh")
            .env("VICTIM", self.victim.id().to_string())
            .env("PORT", self.loopback.local_addr().expect("an address").port().to_string())
            .env("NAME", &self.name)
            .env("OUTSIDE", self.above())
            .stdin(Stdio::null());
        let output = command.output().expect("it starts");
        let mut said = Said::from(output);
        said.out = fs::read_to_string(self.above().join("events")).unwrap_or_default();
        said.err.push_str(&fs::read_to_string(folder.join("said.err")).unwrap_or_default());
        said
    }

    /// Returns the ways that led out, by what is changed outside; `folder` is the work tree, `git` its git directory.
    fn led_out(&mut self, folder: &Path, git: &Path) -> Vec<&'static str> {
        let text = |path: PathBuf| fs::read_to_string(path).unwrap_or_default();
        let evil = |path: PathBuf| text(path).contains("evil");
        let at = |path: &str| folder.join(path);
        let has = |path: &str| at(path).symlink_metadata().is_ok();
        let reached = |error: std::io::Result<()>| !error.is_err_and(|error| error.kind() == ErrorKind::WouldBlock);
        let home = self.space.home();
        let daemon = fs::read_dir("/proc").expect("proc").flatten().any(|process| {
            fs::read(process.path().join("cmdline")).is_ok_and(|line| line == b"sleep\x004242\x00")
                && fs::read_to_string(process.path().join("environ")).is_ok_and(|env| env.contains(&self.name))
        });
        let found = [
            ("hook", evil(git.join("hooks/pre-commit"))),
            ("config", evil(git.join("config"))),
            ("head", git.join("evil").exists() || self.git(folder, &["log", "--format=%s", "-1"]) == "evil\n"),
            ("settings", has(".meow/evil")),
            ("workflow", evil(at("tools/ci.toml")) && text(at("tools/ci.toml")).ends_with("# evil\n")),
            ("other-workflow", has(".beads/formulas/evil.formula.toml")),
            ("home", home.join("evil").exists()),
            ("ssh", text(at("stolen-1")).contains(SECRET)),
            ("kill", self.victim.try_wait().expect("asked").is_some()),
            ("ptrace", has("traced")),
            ("proc-root", text(at("stolen-2")).contains(SECRET)),
            ("symlink", evil(home.join("profile"))),
            ("mount", git.join("evil").exists()),
            ("network", reached(self.loopback.accept().map(drop))),
            ("terminal", has("typed")),
            ("abstract", reached(self.named.accept().map(drop))),
            ("socket", reached(self.outside.accept().map(drop))),
            ("setuid", has("privileged")),
            ("device", has("device")),
            ("tmp", self.above().join("evil").exists()),
            ("shm", Path::new("/dev/shm").join(&self.name).exists()),
            ("hardlink", evil(at("hard")) && evil(git.join("config"))),
            ("rename", has(".gone") || has(".git/hooks/evil") || has("m") || has("t") || has("b")),
            ("daemon", daemon),
        ];
        assert_eq!(found.map(|(name, _)| name), WAYS.map(|(name, _)| name), "each way is looked at");
        found.into_iter().filter(|(_, out)| *out).map(|(name, _)| name).collect()
    }
}

/// Returns the label of every attempt: whether it ran in a sandbox, where one was wanted.
fn labels(said: &Said) -> Vec<Option<f64>> {
    let events = said.out.lines().map(|line| serde_json::from_str::<Value>(line).expect(line));
    let ends = events.filter(|event| event["event"] == "attempt-finished");
    ends.map(|event| event["metrics"]["meow.sandboxed"].as_f64()).collect()
}

#[test]
fn no_way_leads_out() {
    if skipped() {
        return;
    }
    let mut prison = Prison::new("");
    let root = prison.space.root();
    let said = prison.run(&root, "required");
    assert_eq!(labels(&said), vec![Some(1.0); WAYS.len()], "{}", said.err);
    let led_out = prison.led_out(&root, &root.join(".git"));
    say(&format!("{} of {} ways out are blocked", WAYS.len() - led_out.len(), WAYS.len()));
    assert_eq!(led_out, Vec::<&str>::new(), "{}", said.err);
    // What a step is there for works: it writes into the work tree.
    assert!(root.join("stolen-1").exists());
}

#[test]
fn without_a_sandbox_the_ways_lead_out() {
    if skipped() {
        return;
    }
    let mut prison = Prison::new("");
    let root = prison.space.root();
    let said = prison.run(&root, "off");
    assert_eq!(labels(&said), vec![None; WAYS.len()], "no label where no sandbox is wanted: {}", said.err);
    let git = if root.join(".gone").exists() { root.join(".gone") } else { root.join(".git") };
    let led_out = prison.led_out(&root, &git);
    // A terminal that takes no keys, a kernel without the device: some do not exist everywhere.
    assert!(led_out.len() >= 18, "these ways are real: {led_out:?}");
}

#[test]
fn the_common_git_directory_of_a_linked_worktree_is_guarded() {
    if skipped() {
        return;
    }
    let mut prison = Prison::new("sandbox = \"required\"");
    let main = prison.space.root();
    prison.git(&main, &["add", "."]);
    prison.git(&main, &["commit", "--quiet", "--message=all"]);
    prison.git(&main, &["worktree", "add", "--quiet", "../linked", "-b", "linked"]);
    let linked = prison.above().join("linked");
    give(&prison.above());
    let common = "d=$(git rev-parse --git-common-dir); g=$(git rev-parse --git-dir); echo evil > $d/hooks/pre-commit; \
                  echo evil >> $d/config; echo evil > $g/evil; echo gitdir: evil > .git; mv $d $d-gone; touch tried";
    let text =
        format!("formula = \"ways\"\nsandbox = \"required\"\n[[steps]]\nid = \"git\"\nrun = '''\n{common}\n'''\n");
    fs::write(linked.join("tools/ci.toml"), text).expect("written");
    let said = prison.run(&linked, "off");
    assert_eq!(labels(&said), [Some(1.0)], "the workflow asked for it: {}", said.err);
    assert!(linked.join("tried").exists());
    let own = fs::read_to_string(linked.join(".git")).expect("the file");
    assert!(own.contains("worktrees/linked"), "{own}");
    let git = main.join(".git");
    assert!(!git.join("worktrees/linked/evil").exists());
    assert_eq!(prison.led_out(&linked, &git), Vec::<&str>::new());
}

#[test]
fn listed_paths_are_opened_and_grace_reaches_inside() {
    if skipped() {
        return;
    }
    let space = Space::repository();
    fs::create_dir_all(space.home().join(".cache/tool")).expect("a folder");
    fs::create_dir_all(space.home().join(".tool")).expect("a folder");
    fs::write(space.home().join(".tool/rc"), "settings\n").expect("written");
    space.write(
        ".meow/workflows/ci.toml",
        r#"formula = "ci"
sandbox = "required"
reads = ["~/.tool"]
writes = ["~/.cache/tool"]
[[steps]]
id = "open"
run = "grep -q settings ~/.tool/rc && ! touch ~/.tool/x && touch ~/.cache/tool/kept && echo n=1 > $MEOW_METRICS && touch made"
[[steps]]
id = "net"
network = true
run = "grep -q lo: /proc/net/dev"
[[steps]]
id = "grace"
needs = ["open", "net"]
timeout = "500ms"
run = "trap 'touch tidied; exit' TERM; while :; do sleep 0.02; done"
[[steps]]
id = "code"
run = "exit 7"
"#,
    );
    let said = space.meow(&["execute", "-k", "-j1", "--events", "jsonl"]);
    let ends: Vec<Value> = said
        .out
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect(line))
        .filter(|event| event["event"] == "attempt-finished")
        .collect();
    let end = |name: &str| ends.iter().find(|end| end["step"] == name).expect(name);
    assert_eq!(end("open")["ending"]["code"], 0, "{} {}", said.err, said.out);
    assert_eq!(end("open")["metrics"]["n"], 1.0);
    assert_eq!((&end("net")["ending"]["code"], &end("code")["ending"]["code"]), (&0.into(), &7.into()));
    assert_eq!(end("grace")["ending"]["ending"], "timed-out");
    assert!(space.has("made") && space.has("tidied") && space.home().join(".cache/tool/kept").exists(), "{}", said.err);
    assert!(said.err.contains("steps ran in a sandbox: the home folder was empty but for"), "{}", said.err);
    space.write(".meow/workflows/wide.toml", "formula = \"wide\"\nsandbox = \"auto\"\nwrites = [\"~/../home/.cache/..\"]\n[[steps]]\nid = \"a\"\nrun = \"true\"\n");
    let said = space.meow(&["execute", "wide"]);
    assert!(said.code == 2 && said.err.contains("leads upwards"), "{}", said.err);
}

#[test]
fn where_no_sandbox_can_be_made_it_is_said_or_refused() {
    let space = Space::repository();
    let programs = space.home().join("programs");
    fs::create_dir(&programs).expect("a folder");
    symlink("/usr/bin/touch", programs.join("touch")).expect("a link");
    let check = |asks: &str, sandbox: Option<&str>, code: i32, label: &[Option<f64>]| {
        space.write(
            ".meow/workflows/ci.toml",
            &format!("formula = \"ci\"\n[[steps]]\nid = \"a\"\nrun = \"touch ran\"\n{asks}\n"),
        );
        let _ = fs::remove_file(space.root().join("ran"));
        let mut command = space.command(&space.root(), env!("CARGO_BIN_EXE_meow"));
        command.args(["execute", "--events", "jsonl"]).env("PATH", &programs);
        if let Some(sandbox) = sandbox {
            command.env("MEOW_SANDBOX", sandbox);
        }
        let said = Said::from(command.output().expect("it starts"));
        assert_eq!((said.code, space.has("ran")), (code, code == 0), "{asks}: {}", said.err);
        assert_eq!(labels(&said), label, "{asks}: {}", said.err);
        said.err
    };
    assert!(check("sandbox = \"auto\"", None, 0, &[Some(0.0)]).contains("no sandbox, steps run as you"));
    assert!(check("sandbox = \"required\"", None, 2, &[]).contains("a step requires one"));
    assert!(check("", Some("required"), 2, &[]).contains("bubblewrap (bwrap) is not installed"));
    assert!(
        check("sandbox = \"off\"", Some("auto"), 0, &[Some(0.0)]).contains("no sandbox"),
        "the stricter word counts"
    );
    assert!(!check("", None, 0, &[None]).contains("sandbox"));
    space.write(".meow/config.toml", "sandbox = \"off\"\n");
    assert!(check("", None, 0, &[None]).contains("a repository may not set it"));

    // A program of that name which makes no sandbox.
    let fake = "#!/bin/sh\nwhile test \"$1\" != --; do shift; done\nshift\nPATH=/usr/bin:/bin exec \"$@\"\n";
    fs::write(programs.join("bwrap"), fake).expect("written");
    fs::set_permissions(programs.join("bwrap"), fs::Permissions::from_mode(0o755)).expect("set");
    assert!(check("sandbox = \"auto\"", None, 0, &[Some(0.0)]).contains("does not keep its processes apart"));
    assert!(check("sandbox = \"required\"", None, 2, &[]).contains("does not keep its processes apart"));
}
