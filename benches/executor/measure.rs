//! One program measured from outside: wall time, the processor time that is its own, peak memory.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use super::Outcome;

/// What one run took.
#[derive(Debug, Clone, Copy)]
pub struct Run {
    /// From its start to its end.
    pub wall_ms: f64,
    /// User and system time without that of the processes it started, to the nearest 10 ms.
    pub own_cpu_ms: f64,
    /// User and system time with that of the processes it started: what a busy machine does not change much.
    pub cpu_ms: f64,
    /// The largest that it or one of its processes was.
    pub peak_memory_mib: f64,
}

/// A folder in which programs are measured, with an environment of its own.
pub struct Bench {
    folder: PathBuf,
    path: OsString,
    meow: String,
}

/// A program, its arguments, and where it runs.
#[derive(Debug)]
pub struct Line {
    folder: PathBuf,
    words: Vec<String>,
}

impl Line {
    /// Returns a command in a folder.
    pub fn of(folder: &Path, words: &[&str]) -> Self {
        Self { folder: folder.to_path_buf(), words: words.iter().map(|word| (*word).to_owned()).collect() }
    }
}

impl Bench {
    pub fn new(folder: &Path, meow: &str) -> Outcome<Self> {
        fs::create_dir(folder.join("home"))?;
        let path = std::env::var_os("PATH").ok_or("no PATH")?;
        Ok(Self { folder: folder.to_path_buf(), path, meow: meow.to_owned() })
    }

    /// Returns a call of meow in a folder.
    pub fn meow(&self, folder: &Path, args: &[&str]) -> Line {
        let words: Vec<&str> = [self.meow.as_str()].iter().chain(args).copied().collect();
        Line::of(folder, &words)
    }

    /// Makes an empty repository.
    pub fn repository(&self, name: &str) -> Outcome<PathBuf> {
        let folder = self.folder.join(name);
        fs::create_dir(&folder)?;
        self.git(&folder, &["init", "--quiet", "--initial-branch=main"])?;
        Ok(folder)
    }

    pub fn git(&self, folder: &Path, args: &[&str]) -> Outcome<()> {
        let who = ["-c", "user.name=bench", "-c", "user.email=bench@localhost"];
        let status = self.start(folder, "git").args(who).args(args).status()?;
        if status.success() { Ok(()) } else { Err(format!("git {args:?} failed").into()) }
    }

    /// Returns whether a peer is there; with `MEOW_REQUIRE_PEERS` it has to be.
    pub fn has(&self, program: &str) -> bool {
        // A path of its own is joined as it is.
        let found = std::env::split_paths(&self.path).any(|folder| folder.join(program).is_file());
        assert!(found || std::env::var_os("MEOW_REQUIRE_PEERS").is_none(), "{program} is not installed");
        found
    }

    /// Runs a program to its end, which has to be a good one.
    pub fn run(&self, line: &Line) -> Outcome<Run> {
        let mut command = self.start(&line.folder, &line.words[0]);
        command.args(&line.words[1..]).stdin(Stdio::null()).stdout(Stdio::null());
        let began = Instant::now();
        let child = command.spawn()?;
        let id = child.id();
        wait(id)?;
        let wall_ms = began.elapsed().as_secs_f64() * 1e3;
        // It is a zombie by now, whose own times can still be read.
        let own_cpu_ms = own_cpu_ms(&fs::read_to_string(format!("/proc/{id}/stat"))?).ok_or("no times")?;
        let (status, used) = reap(id)?;
        if status != 0 {
            return Err(format!("{:?} ended with status {status}", line.words).into());
        }
        let times = [used.ru_utime, used.ru_stime];
        let cpu_ms = times.iter().map(|time| time.tv_sec as f64 * 1e3 + time.tv_usec as f64 / 1e3).sum();
        Ok(Run { wall_ms, own_cpu_ms, cpu_ms, peak_memory_mib: used.ru_maxrss as f64 / 1024.0 })
    }

    fn start(&self, folder: &Path, program: &str) -> Command {
        let mut command = Command::new(program);
        command.current_dir(folder).env_clear().env("PATH", &self.path).env("HOME", self.folder.join("home"));
        command.env("LANG", "C.UTF-8");
        command
    }
}

/// Runs two programs in turn, the first one first in every second round.
pub fn in_turn(
    rounds: usize,
    mut ours: impl FnMut() -> Outcome<Run>,
    mut theirs: impl FnMut() -> Outcome<Run>,
) -> Outcome<(Vec<Run>, Vec<Run>)> {
    let (mut our_runs, mut their_runs) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        if round % 2 == 0 {
            our_runs.push(ours()?);
            their_runs.push(theirs()?);
        } else {
            their_runs.push(theirs()?);
            our_runs.push(ours()?);
        }
    }
    Ok((our_runs, their_runs))
}

pub fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 { values[middle] } else { f64::midpoint(values[middle - 1], values[middle]) }
}

/// Waits until a process has ended, and leaves it to be reaped.
pub fn wait(id: u32) -> Outcome<()> {
    let pid = rustix::process::Pid::from_raw(i32::try_from(id)?).ok_or("no process id")?;
    let options = rustix::process::WaitIdOptions::EXITED | rustix::process::WaitIdOptions::NOWAIT;
    rustix::process::waitid(rustix::process::WaitId::Pid(pid), options)?;
    Ok(())
}

/// Reaps a process; returns its wait status and what it used with the processes it waited for.
#[expect(unsafe_code, reason = "nothing else tells what a process used")]
fn reap(id: u32) -> Outcome<(i32, libc::rusage)> {
    let mut status = 0;
    // SAFETY: rusage is plain numbers, for which zeros are valid, and both pointers are to live locals.
    let (reaped, used) = unsafe {
        let mut used: libc::rusage = std::mem::zeroed();
        (libc::wait4(id.cast_signed(), &raw mut status, 0, &raw mut used), used)
    };
    if reaped < 0 { Err(std::io::Error::last_os_error().into()) } else { Ok((status, used)) }
}

/// Reads user and system time from a process's `stat` (proc(5), fields 14 and 15), in ticks of 10 ms.
fn own_cpu_ms(stat: &str) -> Option<f64> {
    let fields: Vec<&str> = stat.rsplit_once(") ")?.1.split(' ').collect();
    Some((fields.get(11)?.parse::<f64>().ok()? + fields.get(12)?.parse::<f64>().ok()?) * 10.0)
}
