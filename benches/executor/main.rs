//! Measures what running steps through meow costs, beside ninja, make, just, task and a bare `posix_spawn` loop.
//!
//! `cargo bench --bench executor` prints one table of wall time a step and of ratios, each measured in turn with its peer;
//! then what one step costs in a large repository, what `--version` costs, and how cost and memory grow with the steps.
//! Recording and predictions are on. `-- --rounds N` measures longer (7), `-- --meow FILE` another build. A peer that is
//! absent is left out, unless `MEOW_REQUIRE_PEERS` is set.
#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a measurement writes files, runs programs, reads the clock and prints"
)]
#![expect(clippy::cast_precision_loss, reason = "counts of steps are small")]

mod floor;
mod measure;
mod shape;

use std::error::Error;
use std::path::Path;

use measure::{Bench, Line, Run, in_turn, median};
use shape::{Shape, Variant};

type Outcome<T> = Result<T, Box<dyn Error>>;

/// Executions that are remembered before anything is measured, so that there is something to predict from.
const BEFORE: usize = 9;
/// Rounds against the peers that are only there for orientation.
const FEW: usize = 2;

fn main() -> Outcome<()> {
    // `cargo bench` adds `--bench`.
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args.as_slice() {
        ["nothing"] => Ok(()),
        ["floor", shape, variant] => floor::run(shape.parse()?, variant.parse()?),
        ["floor-kept", shape, variant] => floor::run_kept(shape.parse()?, variant.parse()?),
        ["--rounds", rounds] => all(rounds.parse()?, None),
        ["--meow", file] => all(7, Some(file)),
        [] => all(7, None),
        _ => Err("[--rounds N | --meow FILE]".into()),
    }
}

fn all(rounds: usize, meow: Option<&str>) -> Outcome<()> {
    let folder = tempfile::tempdir()?;
    let bench = Bench::new(folder.path(), meow.unwrap_or(env!("CARGO_BIN_EXE_meow")))?;
    println!("2 slots, medians of {rounds} rounds in turn, after {BEFORE} remembered executions; ms a step,");
    println!(
        "own CPU is what the runner itself uses, without its steps; all CPU is meow's with its steps to the peer's\n"
    );
    println!("{:34} {:>7} {:>8} {:>9} {:>7} {:>8}", "", "wall", "own CPU", "meow/it", "mean", "all CPU");
    for shape in [Shape::Flat(1000), Shape::Chain(300), Shape::Fan(10, 100)] {
        for variant in [Variant::Plain, Variant::Shell] {
            steps(&bench, shape, variant, rounds)?;
        }
    }
    large_repository(&bench, rounds)?;
    version(&bench, rounds)?;
    growth(&bench)
}

/// Measures one shape of workflow against its peers.
fn steps(bench: &Bench, shape: Shape, variant: Variant, rounds: usize) -> Outcome<()> {
    let folder = bench.repository(&format!("{shape}-{variant}"))?;
    shape.write(&folder, variant)?;
    bench.git(&folder, &["add", "--all"])?;
    bench.git(&folder, &["commit", "--quiet", "--message=steps"])?;
    let meow = bench.meow(&folder, &["--quiet", "execute", "steps", "--slots", "2"]);
    for _ in 0..BEFORE {
        bench.run(&meow)?;
    }
    let count = shape.steps() as f64;
    let own = std::env::current_exe()?.display().to_string();
    let (shape_name, variant_name) = (shape.to_string(), variant.to_string());
    let mut peers = vec![("bare posix_spawn", vec![own.as_str(), "floor", &shape_name, &variant_name], rounds)];
    peers.push(("ninja -j2", vec!["ninja", "--quiet", "-j2"], rounds));
    if variant == Variant::Plain {
        let kept = vec![own.as_str(), "floor-kept", &shape_name, &variant_name];
        peers.push(("bare, with what a record takes", kept, rounds));
        peers.push(("make -j2", vec!["make", "--silent", "-j2"], FEW));
        peers.push(("task --concurrency 2", vec!["task", "--silent", "--concurrency", "2"], FEW));
        peers.push(("just (one at a time)", vec!["just", "--quiet"], FEW));
    }
    println!("{shape}, {}", variant.words());
    let mut shown = false;
    for (name, line, rounds) in peers.into_iter().filter(|(_, line, _)| bench.has(line[0])) {
        let peer = Line::of(&folder, &line);
        let (ours, theirs) = in_turn(
            rounds,
            || bench.run(&meow),
            || {
                // It would otherwise know that everything is done.
                let _ = std::fs::remove_file(folder.join(".ninja_log"));
                bench.run(&peer)
            },
        )?;
        if !shown {
            row("meow", &ours, &ours, count);
            shown = true;
        }
        row(name, &theirs, &ours, count);
    }
    if variant == Variant::Plain {
        let plan = bench.meow(&folder, &["--quiet", "execute", "steps", "--slots", "2", "--dry-run"]);
        let starts = (0..rounds).map(|_| bench.run(&plan)).collect::<Outcome<Vec<Run>>>()?;
        let start = median(starts.iter().map(|run| run.wall_ms));
        println!("  {:32} {:7.3}", "of meow: up to the plan", start / count);
    }
    Ok(())
}

/// Prints a runner's medians per step, and meow's ratio to it.
fn row(name: &str, theirs: &[Run], ours: &[Run], steps: f64) {
    let ratios: Vec<f64> = ours.iter().zip(theirs).map(|(ours, theirs)| ours.wall_ms / theirs.wall_ms).collect();
    let wall = median(theirs.iter().map(|run| run.wall_ms / steps));
    let own = theirs.iter().map(|run| run.own_cpu_ms / steps).sum::<f64>() / theirs.len() as f64;
    let mean = ratios.iter().sum::<f64>() / ratios.len() as f64;
    let cpu = median(ours.iter().zip(theirs).map(|(ours, theirs)| ours.cpu_ms / theirs.cpu_ms));
    println!("  {name:32} {wall:7.3} {own:8.3} {:9.2} {mean:7.2} {cpu:8.2}", median(ratios));
}

/// Measures one step in a repository of 10,000 files against `git status` and the same command.
fn large_repository(bench: &Bench, rounds: usize) -> Outcome<()> {
    let folder = bench.repository("large")?;
    for at in 0..10_000 {
        let file = folder.join(format!("source/{}/{}.txt", at / 100, at % 100));
        std::fs::create_dir_all(file.parent().unwrap_or(&folder))?;
        std::fs::write(file, format!("file {at}\n"))?;
    }
    Shape::Flat(1).write(&folder, Variant::Plain)?;
    bench.git(&folder, &["add", "--all"])?;
    bench.git(&folder, &["commit", "--quiet", "--message=files"])?;
    let meow = bench.meow(&folder, &["--quiet", "execute", "steps"]);
    let status = Line::of(&folder, &["git", "status", "--porcelain"]);
    let step = Line::of(&folder, &["true"]);
    let both = || {
        let (one, other) = (bench.run(&status)?, bench.run(&step)?);
        Ok(Run { wall_ms: one.wall_ms + other.wall_ms, cpu_ms: one.cpu_ms + other.cpu_ms, ..one })
    };
    // The index knows by then what it has seen, and files are in memory.
    for _ in 0..3 {
        bench.run(&meow)?;
        both()?;
    }
    let (ours, theirs) = in_turn(rounds.max(11), || bench.run(&meow), both)?;
    compare("one step, 10,000 files, warm", "git status and the command", &ours, &theirs);
    // The floor: what the same step costs where there is next to nothing to look at.
    let empty = bench.repository("empty")?;
    Shape::Flat(1).write(&empty, Variant::Plain)?;
    let small = bench.meow(&empty, &["--quiet", "execute", "steps"]);
    for _ in 0..3 {
        bench.run(&small)?;
    }
    let (ours, theirs) = in_turn(rounds.max(11), || bench.run(&meow), || bench.run(&small))?;
    compare("the same", "meow on that step in an empty repository", &ours, &theirs);
    Ok(())
}

fn version(bench: &Bench, rounds: usize) -> Outcome<()> {
    let meow = bench.meow(Path::new("."), &["--version"]);
    let nothing = Line::of(Path::new("."), &["true"]);
    let (ours, theirs) = in_turn(rounds.max(21), || bench.run(&meow), || bench.run(&nothing))?;
    compare("meow --version", "true", &ours, &theirs);
    let own = std::env::current_exe()?.display().to_string();
    let empty = Line::of(Path::new("."), &[&own, "nothing"]);
    let (ours, theirs) = in_turn(rounds.max(21), || bench.run(&empty), || bench.run(&nothing))?;
    compare("its floor, a Rust program that does nothing", "true", &ours, &theirs);
    Ok(())
}

fn compare(what: &str, peer: &str, ours: &[Run], theirs: &[Run]) {
    let ratio = median(ours.iter().zip(theirs).map(|(ours, theirs)| ours.wall_ms / theirs.wall_ms));
    let cpu = median(ours.iter().zip(theirs).map(|(ours, theirs)| ours.cpu_ms / theirs.cpu_ms));
    let wall = |runs: &[Run]| median(runs.iter().map(|run| run.wall_ms));
    let (ours, theirs) = (wall(ours), wall(theirs));
    println!("\n{what}: {ours:.2} ms, {peer}: {theirs:.2} ms, ratio {ratio:.2}, of CPU {cpu:.2}");
}

/// Measures how the cost of a step and the memory grow with the number of steps, above what the program needs for nothing:
/// most of that are the pages of its own code that were run through, which count wherever they are mapped from.
fn growth(bench: &Bench) -> Outcome<()> {
    let idle = bench.repository("idle")?;
    let version = bench.run(&bench.meow(&idle, &["--version"]))?.peak_memory_mib;
    let status = bench.run(&bench.meow(&idle, &["status"]))?.peak_memory_mib;
    Shape::Flat(1).write(&idle, Variant::Plain)?;
    let one = bench.run(&bench.meow(&idle, &["--quiet", "execute", "steps"]))?.peak_memory_mib;
    println!("\npeak memory: --version {version:.1} MiB, status of nothing {status:.1} MiB, one step {one:.1} MiB");
    println!("independent steps   ms a step   peak memory   the first time   its plan alone");
    for (steps, times) in [(100, 5), (1_000, 3), (10_000, 1)] {
        let folder = bench.repository(&format!("growth-{steps}"))?;
        Shape::Flat(steps).write(&folder, Variant::Plain)?;
        let meow = bench.meow(&folder, &["--quiet", "execute", "steps", "--slots", "2"]);
        let plan = bench.meow(&folder, &["--quiet", "execute", "steps", "--slots", "2", "--dry-run"]);
        let planned = bench.run(&plan)?.peak_memory_mib;
        let first = bench.run(&meow)?.peak_memory_mib;
        let runs = (0..times).map(|_| bench.run(&meow)).collect::<Outcome<Vec<Run>>>()?;
        let wall = median(runs.iter().map(|run| run.wall_ms)) / steps as f64;
        let peak = median(runs.iter().map(|run| run.peak_memory_mib));
        println!("{steps:17} {wall:11.3} {peak:9.1} MiB {first:12.1} MiB {planned:10.1} MiB");
    }
    Ok(())
}
