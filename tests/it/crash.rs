//! Killed or refused at every file-system call: nothing acknowledged is lost, nothing is torn, nobody is blocked.
//!
//! `strace` ends a process at the k-th call of one kind, or makes that call fail; then a person goes on.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "the points are a table to be read")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use crate::sealing::execute;
use crate::space::{Said, Space};

/// Calls that change files or make them last, and those by which files are reached.
const CALLS: &str = "open,openat,creat,write,pwrite64,writev,fsync,fdatasync,ftruncate,rename,renameat,renameat2,\
    link,linkat,symlink,symlinkat,unlink,unlinkat,mkdir,mkdirat,rmdir,chmod,fchmod,fchmodat,flock,\
    stat,lstat,newfstatat,statx,fstat,read,pread64,getdents64,mmap,close,access,faccessat2,readlink,readlinkat";

/// Calls that only look: an error there is one place as good as another, so that every tenth is enough.
const LOOKING: [&str; 18] = [
    "stat",
    "lstat",
    "newfstatat",
    "statx",
    "fstat",
    "read",
    "pread64",
    "getdents64",
    "mmap",
    "close",
    "access",
    "faccessat2",
    "readlink",
    "readlinkat",
    "open",
    "openat",
    "chmod",
    "fchmod",
];

/// What takes longer than this hangs.
const PATIENCE: Duration = Duration::from_mins(1);

/// One thing that meow does, and the state of the world before it.
struct Scenario {
    name: &'static str,
    before: Space,
    args: &'static [&'static str],
    /// Runs through `git commit` and its hook, not by itself.
    hook: bool,
}

/// What was found wrong, by kind.
type Wrong = BTreeMap<&'static str, Vec<String>>;

fn shop() -> Space {
    let space = Space::repository();
    let bare = space.home().join("remote.git");
    space.git(&["clone", "--quiet", "--bare", ".", bare.to_str().expect("plain")]);
    // Relative, so that a copy of all this has a remote of its own.
    space.git(&["remote", "add", "origin", "../home/remote.git"]);
    space.git(&["fetch", "--quiet", "origin"]);
    space.git(&["branch", "--quiet", "--set-upstream-to=origin/main"]);
    space.write(".meow/workflows/ci.toml", "formula = \"ci\"\n\n[[steps]]\nid = \"one\"\nrun = \"echo one >> ran\"\n\n[[steps]]\nid = \"two\"\nneeds = [\"one\"]\nrun = \"echo two >> ran; exit 7\"\n");
    space.write(".gitignore", "ran\n");
    space.git(&["add", "."]);
    space.git(&["commit", "--quiet", "--message=ci"]);
    space.git(&["push", "--quiet", "origin", "main"]);
    space
}

/// Returns a shop with two executions in a commit and two more that wait.
fn busy() -> Space {
    let space = shop();
    for number in 1..=4 {
        execute(&space.root(), number);
        if number == 2 {
            space.meow_ok(&["commit"]);
        }
    }
    space
}

fn scenarios() -> Vec<Scenario> {
    let hooked = busy();
    hooked.meow_ok(&["hooks", "install"]);
    let chained = busy();
    chained.write(".git/hooks/pre-commit", "#!/bin/sh\nexit 0\n");
    let hook = chained.root().join(".git/hooks/pre-commit");
    fs::set_permissions(hook, fs::Permissions::from_mode(0o755)).expect("executable");
    let uninstall = chained.copy();
    uninstall.meow_ok(&["hooks", "install"]);
    let fold = busy();
    fold.meow_ok(&["push"]);
    // The hook of the person's next commit is who removes what a killed git and a killed meow leave.
    fold.meow_ok(&["hooks", "install"]);
    let scenario = |name, before, args| Scenario { name, before, args, hook: false };
    vec![
        scenario("execute", shop(), &["execute", "ci"] as &[&str]),
        scenario("record", busy(), &["record", "--name", "deploy", "--duration", "3s", "--outcome", "passed"]),
        scenario("commit", busy(), &["commit"]),
        scenario("push", busy(), &["push"]),
        scenario("fold", fold, &["fold"]),
        scenario("prune", busy(), &["store", "prune", "--before", "2025-12-31"]),
        scenario("install", chained, &["hooks", "install"]),
        scenario("uninstall", uninstall, &["hooks", "uninstall"]),
        Scenario { name: "hook", before: hooked, args: &[], hook: true },
    ]
}

/// Serves the remotes of all spaces on this machine's own network, as hosts do: a meow that is killed takes no process of
/// the remote with it. Returns the port.
fn host() -> u16 {
    static PORT: OnceLock<u16> = OnceLock::new();
    *PORT.get_or_init(|| {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let stream = stream.expect("a connection");
                let copy = stream.try_clone().expect("a copy");
                let mut serve = Command::new("git");
                serve.args(["daemon", "--inetd", "--export-all", "--enable=receive-pack", "--log-destination=none"]);
                serve.stdin(OwnedFd::from(stream)).stdout(OwnedFd::from(copy)).stderr(Stdio::null());
                let mut served = serve.spawn().expect("git daemon");
                std::thread::spawn(move || served.wait());
            }
        });
        port
    })
}

/// Runs what the scenario says in `space` under strace with `options`.
fn run(scenario: &Scenario, space: &Space, options: &[String]) -> Said {
    let remote = space.home().join("remote.git");
    space.git(&["remote", "set-url", "origin", &format!("git://127.0.0.1:{}{}", host(), remote.display())]);
    // What does not end when asked to is killed, with all of its group.
    let patience = PATIENCE.as_secs().to_string();
    let mut traced: Vec<String> = ["timeout", "-k5", &patience, "strace", "-f", "-qqq"].map(str::to_owned).to_vec();
    traced.extend(options.iter().cloned());
    traced.push(env!("CARGO_BIN_EXE_meow").to_owned());
    if !scenario.hook {
        let mut command = space.command(&space.root(), &traced[0]);
        return Said::from(command.args(&traced[1..]).args(scenario.args).output().expect("strace starts"));
    }
    // The hook finds this one first; the person's git itself is never touched.
    let folder = space.home().join("traced");
    fs::create_dir_all(&folder).expect("folder");
    let script = format!("#!/bin/sh\nexec {} \"$@\"\n", traced.join(" "));
    fs::write(folder.join("meow"), script).expect("written");
    fs::set_permissions(folder.join("meow"), fs::Permissions::from_mode(0o755)).expect("executable");
    space.write("change", "of the person\n");
    space.git(&["add", "change"]);
    let mut command = space.command(&space.root(), "git");
    let path = command.get_envs().find(|(name, _)| *name == "PATH").and_then(|(_, path)| path.map(PathBuf::from));
    let path = format!("{}:{}", folder.display(), path.expect("PATH").display());
    Said::from(command.env("PATH", path).args(["commit", "--quiet", "--message=change"]).output().expect("git starts"))
}

/// Returns how often the busiest process or thread makes each call.
fn count(scenario: &Scenario) -> BTreeMap<String, usize> {
    let space = scenario.before.copy();
    let log = space.home().join("calls");
    run(scenario, &space, &["-o".into(), log.display().to_string(), format!("-etrace={}", known(CALLS))]);
    let mut counts: BTreeMap<(String, String), usize> = BTreeMap::new();
    for line in fs::read_to_string(log).expect("strace wrote").lines() {
        let Some((process, rest)) = line.split_once(' ') else { continue };
        let Some((call, _)) = rest.trim_start().split_once('(') else { continue };
        *counts.entry((call.to_owned(), process.to_owned())).or_default() += 1;
    }
    let mut most: BTreeMap<String, usize> = BTreeMap::new();
    for ((call, _), count) in counts {
        let known = most.entry(call).or_default();
        *known = count.max(*known);
    }
    most
}

/// Lets strace leave out what this architecture does not have.
fn known(calls: &str) -> String {
    calls.split(',').map(|call| format!("?{}", call.trim())).collect::<Vec<_>>().join(",")
}

/// Runs one point and returns what is wrong afterwards.
fn point(scenario: &Scenario, call: &str, at: usize, fault: &str, wrong: &mut Wrong) {
    let space = scenario.before.copy();
    let held = executions(&space);
    let inject = format!("-einject={call}:{fault}:when={at}");
    let began = Instant::now();
    let said = run(scenario, &space, &["-o/dev/null".into(), format!("-etrace={call}"), inject]);
    let place = format!("{} {call} {at} {fault}", scenario.name);
    let mut note = |kind, text: String| {
        // At once, since all points together take long.
        eprintln!("{kind}: {place}: {text}");
        wrong.entry(kind).or_default().push(format!("{place}: {text}"));
    };
    if began.elapsed() >= PATIENCE {
        note("hangs", format!("{said:?}"));
    }
    let acknowledged = said.code == 0;
    grow_old(&space.root().join(".git"));
    grow_old(&space.root().join(".meow"));
    if scenario.name == "execute" && space.has("ran") && space.read("ran").contains("two") {
        // Killed, meow has no exit code to give.
        if said.code != 1 && fault.starts_with("error") {
            note("exit code changed", format!("{said:?}"));
        }
    }
    if scenario.hook && said.code != 0 {
        note("commit stopped by its hook", format!("{said:?}"));
    }
    go_on(&space, &mut note);
    let now = executions(&space);
    let lost: Vec<_> = held.difference(&now).collect();
    // The two that are committed are what `prune` is there to take out.
    if lost.len() > if scenario.name == "prune" { 2 } else { 0 } {
        note("lost", format!("{lost:?}"));
    }
    if acknowledged && matches!(scenario.name, "record") && now.len() != held.len() + 1 && said.err.is_empty() {
        note("lost", format!("acknowledged: {said:?}"));
    }
    let twice = twice(&space);
    if !twice.is_empty() {
        note("sealed twice", format!("{twice:?}"));
    }
    check_files(&space, &mut note);
}

/// Makes everything that is there some hours older: what is young may belong to a process that lives.
fn grow_old(folder: &Path) {
    for entry in fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry")) {
        if entry.file_type().expect("a kind").is_dir() {
            grow_old(&entry.path());
        } else if entry.file_name().to_string_lossy().starts_with('.') {
            let then = std::time::SystemTime::now() - Duration::from_hours(3);
            fs::File::open(entry.path()).and_then(|file| file.set_modified(then)).expect("its time is set");
        }
    }
}

/// Does what a person does next, who knows of nothing.
fn go_on(space: &Space, note: &mut impl FnMut(&'static str, String)) {
    space.write("next", "work\n");
    for args in [&["add", "next"] as &[&str], &["commit", "--quiet", "--message=next"]] {
        let said = space.run_in(&space.root(), "git", args);
        if said.code != 0 {
            note("next commit blocked", format!("{said:?}"));
            return;
        }
    }
    for args in [&["status"] as &[&str], &["commit"], &["push"]] {
        let said = space.meow(args);
        if said.code != 0 {
            note("next call fails", format!("{args:?} {said:?}"));
        }
    }
}

/// Returns the executions that meow finds.
fn executions(space: &Space) -> BTreeSet<String> {
    let said = space.meow(&["log", "--json", "--number", "1000"]);
    let page: serde_json::Value = serde_json::from_str(&said.out).unwrap_or_else(|error| panic!("{error}: {said:?}"));
    let listed = page["executions"].as_array().expect("executions");
    listed.iter().map(|execution| execution["id"].as_str().expect("an id").to_owned()).collect()
}

/// Returns the attempts that stand in more than one segment of the work tree.
fn twice(space: &Space) -> Vec<String> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for segment in meow::store::segments(&space.root().join(".meow")).expect("listed") {
        for record in segment.records().unwrap_or_default() {
            let attempt = &record.attempt;
            let id = format!("{} {} {}", record.execution.id, attempt.step, attempt.attempt);
            *counts.entry(id).or_default() += 1;
        }
    }
    counts.into_iter().filter(|(_, count)| *count > 1).map(|(id, _)| id).collect()
}

fn check_files(space: &Space, note: &mut impl FnMut(&'static str, String)) {
    for folder in [space.root(), space.home().join("remote.git")] {
        let said = space.run_in(&folder, "git", &["fsck", "--full", "--strict", "--no-dangling"]);
        if said.code != 0 {
            note("fsck", format!("{said:?}"));
        }
    }
    let said = space.meow(&["store", "verify"]);
    if said.code != 0 {
        note("torn", format!("{said:?}"));
    }
    let mut left = Vec::new();
    leftovers(&space.root(), &mut left);
    if !left.is_empty() {
        note("left over", format!("{left:?}"));
    }
}

/// Collects files that nobody but a process that died half-way leaves. A journal that was being begun is swept once it
/// is older than a minute.
fn leftovers(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry")) {
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.file_type().expect("a kind").is_dir() {
            leftovers(&entry.path(), found);
        } else if name.starts_with(".unfinished-")
            || name.starts_with(".tmp")
            || name.starts_with(".meow-unfinished-")
            || (Path::new(&name).extension().is_some_and(|extension| extension == "lock") && name != "spool.lock")
        {
            found.push(entry.path());
        }
    }
}

/// Returns the points of a scenario: each call at which something ends or fails, and how.
fn plan(scenario: &Scenario) -> Vec<(String, usize, &'static str)> {
    let mut points = Vec::new();
    for (call, count) in count(scenario) {
        let every = if LOOKING.contains(&call.as_str()) { 10 } else { 1 };
        for at in (1..=count).step_by(every) {
            points.push((call.clone(), at, "signal=KILL"));
            if at % (4 * every) == 1 {
                let errors = ["error=ENOSPC", "error=EIO", "error=EROFS", "error=EACCES"];
                points.extend(errors.map(|error| (call.clone(), at, error)));
            }
        }
    }
    points
}

/// Runs every `stride`-th point of every scenario, or of the one that `MEOW_CRASH` names; returns the table and what was
/// wrong.
fn points(stride: usize) -> (String, Wrong) {
    let (mut table, mut wrong) = (String::new(), Wrong::new());
    let wanted = std::env::var("MEOW_CRASH").ok();
    for scenario in scenarios().into_iter().filter(|one| wanted.as_ref().is_none_or(|name| name == one.name)) {
        let planned = plan(&scenario);
        let chosen: Vec<_> = planned.iter().skip(stride / 2).step_by(stride).collect();
        for (call, at, fault) in &chosen {
            point(&scenario, call, *at, fault, &mut wrong);
        }
        let kills = chosen.iter().filter(|(_, _, fault)| fault.starts_with("signal")).count();
        let errors = chosen.len() - kills;
        writeln!(table, "{:<10} {kills:>5} kills {errors:>5} errors of {:>5} points", scenario.name, planned.len())
            .expect("text grows");
    }
    (table, wrong)
}

/// Returns whether calls of the system can be refused here; says so where they cannot.
pub fn strace_is_there() -> bool {
    let there = Command::new("strace").args(["-f", "-einject=write:error=EIO:when=60000", "true"]).output();
    let there = there.is_ok_and(|output| output.status.success());
    if !there {
        assert!(std::env::var_os("MEOW_REQUIRE_PEERS").is_none(), "strace cannot be used here");
        println!("skipped: strace cannot be used here");
    }
    there
}

fn judge((table, wrong): (String, Wrong)) {
    println!("{table}");
    for (kind, places) in &wrong {
        println!("{kind}: {}", places.len());
        let shown: BTreeSet<&String> = places.iter().take(12).collect();
        for place in shown {
            println!("  {place}");
        }
    }
    assert!(wrong.is_empty(), "{:?}", wrong.iter().map(|(kind, places)| (kind, places.len())).collect::<Vec<_>>());
}

#[test]
fn killed_or_refused_at_some_calls() {
    if strace_is_there() {
        judge(points(101));
    }
}

#[test]
#[ignore = "over 1,000 points, some minutes"]
fn killed_or_refused_at_every_call() {
    if strace_is_there() {
        judge(points(1));
    }
}
