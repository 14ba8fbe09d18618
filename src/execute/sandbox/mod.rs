//! The sandbox of a step: what it must not touch, made with bubblewrap, and found out at run time whether that works here.
//!
//! Inside, the work tree is writable but for git's own folder, `.meow` and the workflow files; the rest of the machine can
//! be read; `/home`, `/root`, `/run`, `/tmp` and the home folder are empty ones of its own but for what is listed; other
//! processes are invisible; there is no network unless it is asked for.

mod ground;

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

pub use ground::Ground;

use crate::plan::Plan;
use crate::workflow::{Confinement, Sandbox as Mode, Step};

/// The program.
const BUBBLEWRAP: &str = "bwrap";
/// The namespaces that have to differ inside.
const NAMESPACES: [&str; 4] = ["ipc", "mnt", "pid", "user"];

/// Returns the mode that holds for a step: the stricter of what the workflow asks and of `floor`, which is what the
/// person's own settings ask, or [`Mode::Auto`] for what runs without being asked for.
pub fn mode(step: &Step, floor: Mode) -> Mode {
    step.confinement.sandbox.unwrap_or_default().max(floor)
}

/// Returns the strictest mode among the steps of a plan that will run.
pub fn strictest(plan: &Plan, floor: Mode) -> Mode {
    let steps = plan.steps.iter().filter(|step| step.skip.is_none());
    steps.map(|step| mode(&step.step, floor)).max().unwrap_or_default()
}

/// A sandbox that this machine can make.
#[derive(Debug, Clone)]
pub struct Sandbox {
    program: PathBuf,
    ground: Ground,
}

impl Sandbox {
    /// Returns the sandbox for a project, after one has been made and looked at from within.
    ///
    /// # Errors
    /// Why none can be made here, in words for people.
    pub fn probe(ground: Ground) -> Result<Self, String> {
        if !cfg!(target_os = "linux") {
            return Err("sandboxes are made on Linux alone".to_owned());
        }
        let program = find(&ground).ok_or("bubblewrap (bwrap) is not installed")?;
        let sandbox = Self { program, ground };
        let prefix = sandbox.prefix(&Confinement::default(), None)?;
        let links = NAMESPACES.iter().chain(&["net"]).map(|name| format!("/proc/self/ns/{name}"));
        let links: Vec<String> = links.collect();
        let output = Command::new(&prefix[0])
            .args(&prefix[1..])
            .arg("readlink")
            .args(&links)
            .current_dir(&sandbox.ground.root)
            .stdin(Stdio::null())
            .output()
            .map_err(|error| format!("bubblewrap cannot be started: {error}"))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            let said = said.lines().next().unwrap_or("it does not say why").escape_debug().to_string();
            return Err(format!("bubblewrap cannot make one here: {said}"));
        }
        // A program of that name that only runs the command would be found out here.
        let inside = String::from_utf8_lossy(&output.stdout).into_owned();
        let inside: Vec<&str> = inside.lines().collect();
        let apart = |(link, inside): (&String, &&str)| {
            fs::read_link(link).is_ok_and(|outside| !inside.is_empty() && outside.as_os_str() != OsStr::new(inside))
        };
        if inside.len() != links.len() || !links.iter().zip(&inside).all(apart) {
            return Err(format!("{} does not keep its processes apart", sandbox.program.display()));
        }
        Ok(sandbox)
    }

    /// Returns the words that go in front of a command's words so that it runs inside; `metrics` is a file that is there
    /// and can be written.
    ///
    /// # Errors
    /// What stands against it: a path that would open what must stay closed, or a link where a folder is expected.
    pub fn prefix(&self, confinement: &Confinement, metrics: Option<&Path>) -> Result<Vec<OsString>, String> {
        let mut words = Words::default();
        words.add([self.program.as_os_str()]);
        words.texts(&[
            "--unshare-user",
            "--unshare-ipc",
            "--unshare-pid",
            "--unshare-uts",
            "--unshare-cgroup-try",
            "--die-with-parent",
            // No terminal to push keys into.
            "--new-session",
            "--cap-drop",
            "ALL",
        ]);
        let network = confinement.network.unwrap_or(false);
        if !network {
            words.texts(&["--unshare-net"]);
        }
        words.texts(&["--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc"]);
        for folder in self.ground.emptied() {
            words.on("--tmpfs", &folder);
        }
        words.texts(&["--ro-bind-try", "/run/current-system", "/run/current-system"]);
        if network && let Some(resolver) = self.ground.resolver() {
            words.mount("--ro-bind", &resolver, &resolver);
        }
        for opened in self.ground.opened(confinement)? {
            words.mount(if opened.writable { "--bind" } else { "--ro-bind" }, &opened.from, &opened.to);
        }
        let root = &self.ground.root;
        let (inside, outside) = self.ground.guarded()?;
        for path in &outside {
            words.mount("--ro-bind", path, path);
        }
        words.mount("--bind", root, root);
        for path in &inside {
            words.mount(if path.writable { "--bind" } else { "--ro-bind" }, &path.from, &path.to);
        }
        if let Some(metrics) = metrics {
            words.mount("--bind", metrics, metrics);
        }
        words.texts(&["--setenv", "TMPDIR", "/tmp", "--setenv", "GIT_OPTIONAL_LOCKS", "0"]);
        words.on("--chdir", root);
        words.texts(&["--"]);
        Ok(words.0)
    }
}

/// Returns bubblewrap's file: in the search path, but not one that the project itself brings.
fn find(ground: &Ground) -> Option<PathBuf> {
    std::env::split_paths(&ground.search)
        .filter(|folder| folder.is_absolute())
        .map(|folder| folder.join(BUBBLEWRAP))
        .filter_map(|path| path.canonicalize().ok())
        .find(|path| path.is_file() && !path.starts_with(&ground.root))
}

/// The words of a command.
#[derive(Default)]
struct Words(Vec<OsString>);

impl Words {
    fn add<'a>(&mut self, words: impl IntoIterator<Item = &'a OsStr>) {
        self.0.extend(words.into_iter().map(|word| OsStr::from_bytes(word.as_bytes()).to_owned()));
    }

    fn texts(&mut self, words: &[&str]) {
        self.add(words.iter().map(OsStr::new));
    }

    fn on(&mut self, option: &str, path: &Path) {
        self.add([OsStr::new(option), path.as_os_str()]);
    }

    fn mount(&mut self, option: &str, from: &Path, to: &Path) {
        self.add([OsStr::new(option), from.as_os_str(), to.as_os_str()]);
    }
}
