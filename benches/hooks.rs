//! Measures what meow's hooks add to `git commit`, in turn with commits of a repository without hooks.
//!
//! `cargo bench --bench hooks -- [ROUNDS]` prints one row a layout: median and 95th percentile of a commit, what it adds to the
//! commit without hooks of the same round, the ratio of the medians, and the processor time of git, hook and meow together.
#![expect(clippy::disallowed_methods, clippy::print_stdout, reason = "a measurement writes files, runs git and prints")]
#![expect(clippy::cast_precision_loss, reason = "counts are small")]

use std::error::Error;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

type Outcome<T> = Result<T, Box<dyn Error>>;

const MEOW: &str = env!("CARGO_BIN_EXE_meow");
/// Rounds; each is one commit a layout.
const ROUNDS: usize = 60;
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
}

const PLAIN: Layout =
    Layout { name: "no hook", hooks: false, own_hook: false, off: false, workflow: false, waiting: false };

const LAYOUTS: [Layout; 7] = [
    PLAIN,
    Layout { name: "a hook of the shell that does nothing", own_hook: true, ..PLAIN },
    Layout { name: "meow, MEOW=0", hooks: true, off: true, ..PLAIN },
    Layout { name: "meow, empty spool", hooks: true, ..PLAIN },
    Layout { name: "meow, own hook timed and recorded", hooks: true, own_hook: true, ..PLAIN },
    Layout { name: "meow, 10 executions sealed", hooks: true, waiting: true, ..PLAIN },
    Layout { name: "meow, a trusted workflow of one step", hooks: true, workflow: true, ..PLAIN },
];

/// What was measured of one layout, in milliseconds.
#[derive(Default)]
struct Times {
    wall: Vec<f64>,
    added: Vec<f64>,
    processor: f64,
}

fn main() -> Outcome<()> {
    // `cargo bench` adds `--bench`.
    let mut args = std::env::args().skip(1).filter(|arg| arg != "--bench");
    let rounds: usize = args.next().map_or(Ok(ROUNDS), |text| text.parse())?;
    let folder = tempfile::tempdir()?;
    let repositories =
        LAYOUTS.iter().enumerate().map(|(at, layout)| layout.make(folder.path(), at)).collect::<Outcome<Vec<_>>>()?;
    let mut times: Vec<Times> = LAYOUTS.iter().map(|_| Times::default()).collect();
    // The first rounds warm the caches.
    for round in 0..rounds + 3 {
        let mut base = 0.0;
        for (at, layout) in LAYOUTS.iter().enumerate() {
            let (wall, processor) = layout.commit(folder.path(), &repositories[at], round)?;
            if at == 0 {
                base = wall;
            }
            if round >= 3 {
                times[at].wall.push(wall);
                times[at].added.push(wall - base);
                times[at].processor += processor;
            }
        }
    }
    println!("{rounds} commits of one changed file, in turn; milliseconds\n");
    println!(
        "{:38} {:>8} {:>8} {:>10} {:>10} {:>7} {:>9}",
        "git commit with", "p50", "p95", "added p50", "added p95", "ratio", "processor"
    );
    let base = at(&mut times[0].wall.clone(), 0.5);
    for (layout, times) in LAYOUTS.iter().zip(&mut times) {
        let (p50, p95) = (at(&mut times.wall, 0.5), at(&mut times.wall, 0.95));
        let (added, added_p95) = (at(&mut times.added, 0.5), at(&mut times.added, 0.95));
        let processor = times.processor / rounds as f64;
        println!(
            "{:38} {p50:>8.1} {p95:>8.1} {added:>10.1} {added_p95:>10.1} {:>7.2} {processor:>9.1}",
            layout.name,
            p50 / base
        );
    }
    Ok(())
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
            let hook = top.join(".git/hooks/pre-commit");
            fs::create_dir_all(top.join(".git/hooks"))?;
            fs::write(&hook, "#!/bin/sh\nexit 0\n")?;
            fs::set_permissions(&hook, fs::Permissions::from_mode(0o755))?;
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
        fs::write(top.join("file-0"), format!("round {round}\n"))?;
        let mut command = self.command("git", folder, top);
        command.args(["commit", "--quiet", "--all", "--message=work"]);
        let (before, began) = (processor()?, Instant::now());
        run(&mut command)?;
        let wall = began.elapsed().as_secs_f64() * 1e3;
        Ok((wall, processor()? - before))
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

fn run(command: &mut Command) -> Outcome<()> {
    let output = command.output()?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr)).into())
}

/// Returns the processor time of all children so far, in milliseconds (`cutime` and `cstime` of proc(5), in ticks of 10 ms).
fn processor() -> Outcome<f64> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    let fields: Vec<&str> = stat.rsplit_once(") ").map_or("", |(_, fields)| fields).split(' ').collect();
    let ticks = |at: usize| fields.get(at).and_then(|text| text.parse::<f64>().ok()).unwrap_or(0.0);
    Ok((ticks(13) + ticks(14)) * 10.0)
}

/// Returns a quantile by nearest rank.
fn at(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let most = values.len().saturating_sub(1);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rank")]
    let rank = (share * most as f64).round() as usize;
    values.get(rank).copied().unwrap_or_default()
}
