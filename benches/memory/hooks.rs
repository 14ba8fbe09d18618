//! What meow's hooks add to `git commit`, in turn with commits of a repository without hooks.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use super::Outcome;
use super::measure::{at, processor_ms};
use super::place::git;

const MEOW: &str = env!("CARGO_BIN_EXE_meow");
/// Executions that wait in the spool for a commit.
const WAITING: usize = 10;

/// One repository and how its commits are made.
struct Layout {
    name: &'static str,
    hooks: bool,
    own_hook: bool,
    off: bool,
    workflow: bool,
    waiting: bool,
    /// Its own hook puts a file into the index whose blob is there: the least that any hook does which adds one.
    ready: bool,
}

const PLAIN: Layout = Layout {
    name: "no hook",
    hooks: false,
    own_hook: false,
    off: false,
    workflow: false,
    waiting: false,
    ready: false,
};

const LAYOUTS: [Layout; 8] = [
    PLAIN,
    Layout { name: "a hook of the shell that does nothing", own_hook: true, ..PLAIN },
    Layout { name: "a hook of git update-index alone", ready: true, ..PLAIN },
    Layout { name: "meow, MEOW=0", hooks: true, off: true, ..PLAIN },
    Layout { name: "meow, empty spool", hooks: true, ..PLAIN },
    Layout { name: "meow, own hook timed and recorded", hooks: true, own_hook: true, ..PLAIN },
    Layout { name: "meow, 10 executions sealed", hooks: true, waiting: true, ..PLAIN },
    Layout { name: "meow, a trusted workflow of one step", hooks: true, workflow: true, ..PLAIN },
];

/// What was measured of one layout, in milliseconds.
#[derive(Default)]
pub struct Times {
    pub name: &'static str,
    wall: Vec<f64>,
    added: Vec<f64>,
    processor: f64,
}

impl Times {
    /// Returns the median of a commit.
    pub fn median(&self) -> f64 {
        at(&self.wall, 0.5)
    }
}

/// Returns what so many commits of each layout took, the one without hooks first.
pub fn times(folder: &Path, rounds: usize) -> Outcome<Vec<Times>> {
    let repositories =
        LAYOUTS.iter().enumerate().map(|(at, layout)| layout.make(folder, at)).collect::<Outcome<Vec<_>>>()?;
    let mut times: Vec<Times> = LAYOUTS.iter().map(|layout| Times { name: layout.name, ..Times::default() }).collect();
    // The first rounds warm the caches.
    for round in 0..rounds + 3 {
        // In any order: what the one before leaves to the disk is not always on the same account.
        let mut order: Vec<usize> = (0..LAYOUTS.len()).collect();
        fastrand::Rng::with_seed(round as u64).shuffle(&mut order);
        let mut walls = [0.0; LAYOUTS.len()];
        for at in order {
            let (wall, processor) = LAYOUTS[at].commit(folder, &repositories[at], round)?;
            walls[at] = wall;
            if round >= 3 {
                times[at].processor += processor / rounds as f64;
            }
        }
        for (one, wall) in times.iter_mut().zip(walls).filter(|_| round >= 3) {
            one.wall.push(wall);
            one.added.push(wall - walls[0]);
        }
    }
    Ok(times)
}

/// Prints one row a layout: a commit, what it adds to the one without hooks of the same round, the ratio of the medians, and
/// the processor time of git, hook and meow together.
pub fn print(times: &[Times], rounds: usize) {
    println!("{rounds} commits of one changed file, in turn; milliseconds\n");
    println!(
        "{:38} {:>8} {:>8} {:>10} {:>10} {:>7} {:>9}",
        "git commit with", "p50", "p95", "added p50", "added p95", "ratio", "processor"
    );
    for one in times {
        println!(
            "{:38} {:>8.1} {:>8.1} {:>10.1} {:>10.1} {:>7.2} {:>9.1}",
            one.name,
            one.median(),
            at(&one.wall, 0.95),
            at(&one.added, 0.5),
            at(&one.added, 0.95),
            one.median() / times[0].median(),
            one.processor
        );
    }
}

impl Layout {
    fn make(&self, folder: &Path, at: usize) -> Outcome<PathBuf> {
        let top = folder.join(format!("repository-{at}"));
        fs::create_dir_all(top.join(".meow/workflows"))?;
        let step = "formula = \"ci\"\n[[steps]]\nid = \"a\"\nrun = \"true\"\n";
        fs::write(top.join(".meow/workflows/ci.toml"), step)?;
        if self.workflow {
            fs::write(top.join(".meow/config.toml"), "[hooks]\npre-commit = \"ci\"\n")?;
        }
        for file in 0..200 {
            fs::write(top.join(format!("file-{file}")), format!("{file}\n"))?;
        }
        run(self.command("git", folder, &top).args(["init", "--quiet", "--initial-branch=main"]))?;
        run(self.command("git", folder, &top).args(["add", "."]))?;
        run(self.command("git", folder, &top).args(["commit", "--quiet", "--message=first"]))?;
        if self.own_hook {
            write_hook(&top, "exit 0")?;
        }
        if self.hooks {
            run(self.command(MEOW, folder, &top).args(["hooks", "install"]))?;
        }
        if self.workflow {
            run(self.command(MEOW, folder, &top).arg("trust"))?;
        }
        Ok(top)
    }

    /// Makes one commit; returns its wall and processor time in milliseconds.
    fn commit(&self, folder: &Path, top: &Path, round: usize) -> Outcome<(f64, f64)> {
        if self.waiting {
            for _ in 0..WAITING {
                run(self.command(MEOW, folder, top).args(["--quiet", "execute", "ci"]))?;
            }
        }
        if self.ready {
            let file = format!(".meow/records/month=2026-11/{round}.parquet");
            fs::create_dir_all(top.join(".meow/records/month=2026-11"))?;
            let bytes: Vec<u8> = (0..3_000_usize).flat_map(|n| ((n * n * (round + 7)) as u16).to_le_bytes()).collect();
            fs::write(top.join(&file), bytes)?;
            let blob = git(top, &["hash-object", "-w", &file])?;
            write_hook(top, &format!("exec git update-index --add --cacheinfo 100644,{},{file}", blob.trim()))?;
        }
        fs::write(top.join("file-0"), format!("round {round}\n"))?;
        let mut command = self.command("git", folder, top);
        command.args(["commit", "--quiet", "--all", "--message=work"]);
        let (before, began) = (processor_ms()?, Instant::now());
        run(&mut command)?;
        let wall = began.elapsed().as_secs_f64() * 1e3;
        Ok((wall, processor_ms()? - before))
    }

    fn command(&self, program: &str, folder: &Path, top: &Path) -> Command {
        let own = Path::new(MEOW).parent().map(Path::to_path_buf);
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path = std::env::join_paths(own.into_iter().chain(std::env::split_paths(&path))).unwrap_or(path);
        let mut command = Command::new(program);
        command.current_dir(top).env_clear().env("PATH", path).env("HOME", folder).env("GIT_CONFIG_NOSYSTEM", "1");
        for name in ["AUTHOR", "COMMITTER"] {
            command.env(format!("GIT_{name}_NAME"), "A").env(format!("GIT_{name}_EMAIL"), "a@example.com");
        }
        if self.off {
            command.env("MEOW", "0");
        }
        command
    }
}

fn write_hook(top: &Path, line: &str) -> Outcome<()> {
    let hook = top.join(".git/hooks/pre-commit");
    fs::create_dir_all(top.join(".git/hooks"))?;
    fs::write(&hook, format!("#!/bin/sh\n{line}\n"))?;
    Ok(fs::set_permissions(&hook, fs::Permissions::from_mode(0o755))?)
}

fn run(command: &mut Command) -> Outcome<()> {
    let output = command.output()?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr)).into())
}
