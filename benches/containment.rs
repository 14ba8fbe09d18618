//! What a sandbox and a limit cost a step, with and without in turn, and how far memory shoots over its limit.
//!
//! `cargo bench --bench containment [-- PAIRS]`; about a minute by default. Needs bubblewrap.

#![expect(clippy::disallowed_methods, reason = "a bench measures the whole program on a real disk")]

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use serde_json::Value;

/// Steps of one execution.
const STEPS: usize = 50;
/// The declared memory of the step that takes more, in MiB.
const LIMIT_MIB: f64 = 200.0;

#[expect(clippy::print_stdout, reason = "a bench prints its table")]
fn main() {
    let pairs = std::env::args().skip(1).find_map(|arg| arg.parse().ok()).unwrap_or(7);
    let folder = tempfile::tempdir().expect("a folder");
    let project = folder.path().join("project");
    let git = Command::new("git").args(["init", "--quiet"]).arg(&project).status();
    assert!(git.is_ok_and(|status| status.success()), "git is needed");
    println!("{STEPS} steps of `true` one after the other, {pairs} pairs in turn; milliseconds a step, medians");
    println!("{:28} {:>9} {:>9} {:>9}   aim", "", "without", "with", "added");
    for (name, key, aim) in [
        ("sandbox", "sandbox = \"required\"", "≤ 10 ms"),
        ("limits by ulimit", "resources = { open_files = 256, file_size = \"1GiB\" }", ""),
        ("memory that is watched", "resources = { memory = \"1GiB\" }", ""),
    ] {
        let (mut without, mut with, mut added) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..pairs {
            let plain = steps(&project, "");
            let held = steps(&project, key);
            without.push(plain);
            with.push(held);
            added.push(held - plain);
        }
        println!("{name:28} {:9.2} {:9.2} {:9.2}   {aim}", median(without), median(with), median(added));
    }
    floor(pairs);
    println!("\na step that takes 50 MiB every 40 ms, held to {LIMIT_MIB} MiB, {pairs} times");
    let found: Vec<(f64, f64)> = (0..pairs).map(|_| overshoot(&project)).collect();
    let over = median(found.iter().map(|(over, _)| *over).collect());
    let most = found.iter().map(|(over, _)| *over).fold(0.0, f64::max);
    let late = median(found.iter().map(|(_, late)| *late).collect());
    println!(
        "seen above the limit: {over:.1} % (most {most:.1} %), found {late:.0} ms after it was crossed   aim ≤ 10 % or ≤ 250 ms"
    );
}

/// Prints what bubblewrap itself takes: the namespaces alone, over the whole machine read-only, without anything of meow's.
#[expect(clippy::print_stdout, reason = "a bench prints its table")]
fn floor(pairs: usize) {
    let words = "--unshare-user --unshare-ipc --unshare-pid --unshare-uts --unshare-cgroup-try --unshare-net --die-with-parent --new-session --ro-bind / / --dev /dev --proc /proc -- true";
    let one = |program: &str, args: &[&str]| {
        let began = Instant::now();
        for _ in 0..STEPS {
            let status = Command::new(program).args(args).stdin(Stdio::null()).status();
            assert!(status.is_ok_and(|status| status.success()), "{program} {args:?}");
        }
        began.elapsed().as_secs_f64() * 1e3 / f64::from(u32::try_from(STEPS).expect("few"))
    };
    let args: Vec<&str> = words.split(' ').collect();
    let (mut without, mut with, mut added) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..pairs {
        let (bare, held) = (one("true", &[]), one("bwrap", &args));
        without.push(bare);
        with.push(held);
        added.push(held - bare);
    }
    let name = "bubblewrap's namespaces alone";
    println!(
        "{name:28} {:9.2} {:9.2} {:9.2}   the floor of the first line",
        median(without),
        median(with),
        median(added)
    );
}

/// Runs the steps with these keys; returns milliseconds a step, from the first start to the last end.
fn steps(folder: &Path, key: &str) -> f64 {
    let mut text = String::from("formula = \"ci\"\n");
    for at in 0..STEPS {
        text.push_str(&format!("[[steps]]\nid = \"s{at}\"\nrun = \"true\"\n{key}\n"));
    }
    let events = execute(folder, &text, "passed");
    let last = events.iter().find(|event| event["event"] == "finished").expect("an end");
    last["duration_ms"].as_f64().expect("a time") / f64::from(u32::try_from(STEPS).expect("few"))
}

/// Lets a step take more memory than it declares; returns by how many percent it was over when it was found, and how many
/// milliseconds after it had crossed its limit it ended.
fn overshoot(folder: &Path) -> (f64, f64) {
    let take = "$| = 1; my @all; for (1..200) { push @all, 'x' . ('y' x 26_214_400); print time, ' ', $_ * 25, qq(\\n); select undef, undef, undef, 0.02 }";
    let text = format!(
        "formula = \"ci\"\n[[steps]]\nid = \"hog\"\nrun = '''exec perl -MTime::HiRes=time -e \"{}\" > grown'''\nresources = {{ memory = \"{LIMIT_MIB}MiB\" }}\n",
        take.replace('$', "\\$")
    );
    let events = execute(folder, &text, "failed");
    let end = events.iter().find(|event| event["event"] == "attempt-finished").expect("an end");
    assert_eq!(end["ending"]["resource"], "memory", "{end}");
    let used = end["ending"]["used"].as_f64().expect("known");
    let grown = fs::read_to_string(folder.join("grown")).expect("what it wrote");
    let times: Vec<(f64, f64)> = grown
        .lines()
        .filter_map(|line| line.split_once(' '))
        .filter_map(|(at, held)| Some((at.parse().ok()?, held.parse().ok()?)))
        .collect();
    let crossed = times.iter().find(|(_, held)| *held >= LIMIT_MIB).map(|(at, _)| *at);
    let last = times.last().map_or(0.0, |(at, _)| *at);
    ((used / (LIMIT_MIB * 1024.0 * 1024.0) - 1.0) * 100.0, crossed.map_or(0.0, |crossed| (last - crossed) * 1e3))
}

fn execute(folder: &Path, workflow: &str, outcome: &str) -> Vec<Value> {
    let place = folder.join(".meow/workflows");
    fs::create_dir_all(&place).expect("a folder");
    fs::write(place.join("ci.toml"), workflow).expect("written");
    let began = Instant::now();
    let output = Command::new(env!("CARGO_BIN_EXE_meow"))
        .args(["--quiet", "execute", "-j1", "--events", "jsonl"])
        .current_dir(folder)
        .env("MEOW_RECORD", "false")
        .env("HOME", folder.with_file_name("home"))
        .stdin(Stdio::null())
        .output()
        .expect("meow starts");
    let events: Vec<Value> =
        String::from_utf8_lossy(&output.stdout).lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let end = events.iter().find(|event| event["event"] == "finished");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(end.is_some_and(|end| end["outcome"] == outcome), "{said} after {:?}", began.elapsed());
    events
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
