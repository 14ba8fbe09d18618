//! Reading: one repository's history, that of many, and how much memory that takes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use meow::cli::heap;
use meow::git::Repository;
use meow::scan;

use super::measure::Runs;
use super::place::Place;
use super::replay::Replay;
use super::{Outcome, Row};

const MEOW: &str = env!("CARGO_BIN_EXE_meow");
/// The columns that learning reads, of the published contract.
const COLUMNS: &str = "execution, workflow, execution_started_at, execution_duration_ms, execution_outcome, \"trigger\", \
    machine, slots, \"commit\", tree, patch, range_patch, dirty, branch, step, attempt, ready_ms, started_ms, duration_ms, \
    outcome, timed_out, user_ms, system_ms, peak_memory_bytes, inputs_bytes, predicted_p10_ms, predicted_p50_ms, \
    predicted_p90_ms, slot, command, needs, metrics";

/// Reads a repository in this process, and prints rows, milliseconds, bytes of the columns and the largest size in bytes.
pub fn child(top: &Path) -> Outcome<()> {
    // As the program does at its start.
    heap::give_back();
    let began = Instant::now();
    let history = scan::repository(&Repository::open(top)?);
    let took = began.elapsed().as_secs_f64() * 1e3;
    let warnings: Vec<&String> = history.repositories.iter().flat_map(|facts| &facts.warnings).collect();
    assert!(warnings.is_empty(), "{warnings:?}");
    let columns = history.executions.bytes() + history.attempts.bytes();
    let status = fs::read_to_string("/proc/self/status")?;
    let peak =
        status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    println!("{} {took} {columns} {}", history.attempts.len(), peak.unwrap_or(0) * 1024);
    Ok(())
}

fn reading(place: &Place) -> Outcome<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("read").arg(&place.top).stdout(Stdio::piped());
    Ok(command)
}

fn meow(folder: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(MEOW);
    command.args(words).current_dir(folder).env_clear().env("HOME", folder).env("LANG", "C.UTF-8");
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default()).stdout(Stdio::null());
    command
}

/// Returns milliseconds of a query over segments, or `None` where DuckDB is not there; told by itself, without its start.
fn duckdb(query: &str) -> Outcome<Option<f64>> {
    let script = "import duckdb, sys, time\nc = duckdb.connect()\nc.execute('set threads = ' + sys.argv[2])\n\
        c.execute('set enable_progress_bar = false')\n\
        began = time.perf_counter()\nc.execute(sys.argv[1]).fetchall()\nprint((time.perf_counter() - began) * 1e3)";
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get).to_string();
    let output = Command::new("python3").args(["-c", script, query, &threads]).output();
    match output {
        Ok(output) if output.status.success() => {
            Ok(Some(String::from_utf8_lossy(&output.stdout).trim().parse::<f64>()?))
        }
        Ok(output) if !String::from_utf8_lossy(&output.stderr).contains("No module named") => {
            Err(String::from_utf8_lossy(&output.stderr).into())
        }
        _ => {
            assert!(std::env::var_os("MEOW_REQUIRE_PEERS").is_none(), "python3 with duckdb is not installed");
            Ok(None)
        }
    }
}

/// Measures one repository: read from its objects, and looked at again.
pub fn one(folder: &Path, replay: &mut Replay, segments: usize, rounds: usize) -> Outcome<Vec<Row>> {
    let place = Place::make(&folder.join("one"), replay, (segments, 10), true)?;
    let ids = folder.join("ids");
    fs::write(&ids, &place.blobs)?;
    let (mut ours, mut cat, mut duck) = (Runs::default(), Runs::default(), Runs::default());
    let pages: [(&str, &[&str]); 2] = [("status", &["status"]), ("report", &["report"])];
    let mut first = [Runs::default(), Runs::default()];
    let mut second = [Runs::default(), Runs::default()];
    let mut more = [Runs::default(), Runs::default()];
    let query = format!(
        "create or replace table t as select {COLUMNS} from '{}/.meow/records/**/*.parquet'",
        place.top.display()
    );
    for _ in 0..rounds {
        let mut cat_file = Command::new("git");
        cat_file.args(["cat-file", "--batch", "--buffer"]).current_dir(&place.top).stdout(Stdio::null());
        cat.add(&mut cat_file, Some(&ids))?;
        place.without_cache()?;
        ours.add(&mut reading(&place)?, None)?;
        if let Some(took) = duckdb(&query)? {
            duck.add_wall(took);
        }
        for (at, (_, words)) in pages.iter().enumerate() {
            place.without_cache()?;
            first[at].add(&mut meow(&place.top, words), None)?;
            second[at].add(&mut meow(&place.top, words), None)?;
            Runs::default().add(&mut meow(&place.top, &["record", "--", "true"]), None)?;
            more[at].add(&mut meow(&place.top, words), None)?;
        }
    }
    let what = format!("read {} segments of {} rows from objects", place.segments, place.rows);
    let mut rows = vec![
        Row::runs(&what, &ours, "git cat-file --batch --buffer", &cat, 2.0),
        Row::walls("the same", ours.wall(), "DuckDB over the checkout", duck.wall(), 0.5),
    ];
    for (at, (name, _)) in pages.iter().enumerate() {
        rows.push(Row::runs(&format!("second `meow {name}`"), &second[at], "the first", &first[at], 0.1));
        rows.push(Row::runs("after one more execution", &more[at], "the first", &first[at], f64::NAN));
    }
    fs::remove_dir_all(&place.top)?;
    Ok(rows)
}

/// Measures a report over many repositories of 2,000 rows.
pub fn many(folder: &Path, replay: &mut Replay, repositories: usize, rounds: usize) -> Outcome<Vec<Row>> {
    let folder = folder.join("many");
    let places = (0..repositories)
        .map(|number| Place::make(&folder.join(format!("{number:04}")), replay, (24, 10), true))
        .collect::<Outcome<Vec<_>>>()?;
    let (mut cold, mut warm, mut more, mut duck) = <(Runs, Runs, Runs, Runs)>::default();
    let query = format!(
        "select filename.split('/.meow/')[1] as repository, workflow, step, count(*), median(duration_ms), \
         sum(duration_ms), avg((outcome = 'failed')::int) from read_parquet('{}/*/.meow/records/**/*.parquet', \
         filename = true) group by all",
        folder.display()
    );
    let page: &[&str] = &["report", ".", "--format", "text"];
    for _ in 0..rounds {
        for place in &places {
            place.without_cache()?;
        }
        // The page itself is kept in the person's folder.
        let _ = fs::remove_dir_all(folder.join(".local"));
        if let Some(took) = duckdb(&query)? {
            duck.add_wall(took);
        }
        cold.add(&mut meow(&folder, page), None)?;
        warm.add(&mut meow(&folder, page), None)?;
        Runs::default().add(&mut meow(&places[0].top, &["record", "--", "true"]), None)?;
        more.add(&mut meow(&folder, page), None)?;
    }
    let rows: usize = places.iter().map(|place| place.rows).sum();
    let what = format!("`meow report` over {repositories} repositories, {rows} rows, cold");
    fs::remove_dir_all(&folder)?;
    Ok(vec![
        Row::walls(&what, cold.wall(), "DuckDB group by", duck.wall(), 3.0),
        Row::walls("the same from the caches", warm.wall(), "DuckDB group by", duck.wall(), 1.0),
        Row::walls("after one more execution", more.wall(), "DuckDB group by", duck.wall(), f64::NAN),
    ])
}

/// Measures the largest size of a process that reads so many rows, in segments of 1,000 executions.
pub fn peak(folder: &Path, replay: &mut Replay, rows: usize) -> Outcome<Row> {
    let place = Place::make(&folder.join("peak"), replay, (rows.div_ceil(8_200), 1_000), false)?;
    let mut runs = Runs::default();
    runs.add(&mut reading(&place)?, None)?;
    fs::remove_dir_all(&place.top)?;
    let said: Vec<f64> = runs.said.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    let [read, _, columns, peak] = said[..] else { return Err(format!("it said {}", runs.said).into()) };
    let mib = |bytes: f64| format!("{:.0} MiB", bytes / f64::from(1 << 20));
    Ok(Row {
        what: format!("peak memory reading {read} rows"),
        ours: mib(peak),
        peer: "the columns as plain arrays".to_owned(),
        theirs: mib(columns),
        ratio: peak / columns,
        processor: None,
        wanted: 1.5,
    })
}

/// Prints what reading costs by segments, which should grow with them and no faster.
pub fn growth(folder: &Path, replay: &mut Replay, counts: &[usize]) -> Outcome<()> {
    println!("\nreading by segments of 10 executions, cold and from the cache; milliseconds\n");
    println!(
        "{:>9} {:>9} {:>9} {:>14} {:>9} {:>14}",
        "segments", "rows", "cold", "us a segment", "cached", "us a segment"
    );
    for count in counts {
        let place = Place::make(&folder.join("growth"), replay, (*count, 10), false)?;
        let (mut cold, mut warm) = (Runs::default(), Runs::default());
        for _ in 0..3 {
            place.without_cache()?;
            cold.add(&mut reading(&place)?, None)?;
            warm.add(&mut reading(&place)?, None)?;
        }
        let each = |ms: f64| ms * 1e3 / *count as f64;
        let (cold, warm) = (cold.wall(), warm.wall());
        println!("{count:>9} {:>9} {cold:>9.0} {:>14.0} {warm:>9.0} {:>14.1}", place.rows, each(cold), each(warm));
        fs::remove_dir_all(&place.top)?;
    }
    Ok(())
}

/// Makes a repository that stays, to look at.
pub fn make(top: &Path, replay: &mut Replay, segments: usize) -> Outcome<PathBuf> {
    Ok(Place::make(top, replay, (segments, 10), true)?.top)
}
