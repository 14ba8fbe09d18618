//! The same DAGs for real: sleeps scaled to about 20 seconds on 8 slots, beside the simulation and beside ninja.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use meow::plan::capacity::{loads, work};
use meow::plan::{Hints, Limits, Policy, plan};
use serde_json::{Value, json};

use crate::instances::{Instance, rows};

/// How many DAGs are run.
const DAGS: usize = 10;

/// What each should take, in milliseconds.
const TARGET_MS: f64 = 20_000.0;

const SLOTS: &str = "8";

/// Runs ten DAGs of different applications and prints simulated and measured makespans.
pub fn table(apps: &BTreeMap<String, Vec<Instance>>) {
    println!("| run | steps | bound | simulated | meow | meow / simulated | ninja | meow / ninja |");
    println!("|---|---|---|---|---|---|---|---|");
    let has_ninja = Command::new("ninja").arg("--version").output().is_ok_and(|said| said.status.success());
    let most = apps.values().map(Vec::len).max().unwrap_or(0);
    // One of each application, then a second one, and so on; the smaller ones, since a sleep of a millisecond is none.
    let mut picked: Vec<(&String, usize)> = Vec::new();
    for round in 0..most {
        for (app, instances) in apps.iter().filter(|(_, instances)| instances.len() > 1) {
            let mut by_size: Vec<usize> = (0..instances.len()).collect();
            by_size.sort_by_key(|place| instances[*place].tasks.len());
            picked.extend(by_size.get(round).map(|place| (app, *place)));
        }
    }
    let mut ratios = Vec::new();
    for (app, place) in picked.into_iter().take(DAGS) {
        ratios.push(one(app, &apps[app], place, has_ninja));
    }
    let worst = ratios.iter().map(|(simulated, _)| (simulated - 1.0).abs()).fold(0.0, f64::max);
    println!("\nfarthest from its simulation: {:.1} %", 100.0 * worst);
    let against: Vec<f64> = ratios.iter().filter_map(|(_, ninja)| *ninja).collect();
    if !against.is_empty() {
        #[expect(clippy::cast_precision_loss, reason = "ten")]
        let mean = (against.iter().map(|ratio| ratio.ln()).sum::<f64>() / against.len() as f64).exp();
        println!("meow / ninja, geometric mean: {mean:.3}");
    }
}

/// Runs one DAG; returns measured / simulated, and meow / ninja.
fn one(app: &str, instances: &[Instance], place: usize, has_ninja: bool) -> (f64, Option<f64>) {
    let instance = &instances[place];
    let durations = instance.durations();
    let bare =
        plan(&instance.workflow(1.0), &Hints::default(), &Limits { slots: 8, ..Limits::default() }).expect("a plan");
    let true_order = bare.ordered(Policy::True, &durations);
    let scale = TARGET_MS / loads(&true_order, &durations, &[8])[0].makespan_ms;
    let whole = work(&true_order, &durations);
    let bound = scale * whole.critical_path_ms.max(whole.total_ms / 8.0);

    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path();
    let took = |task: &crate::instances::Task| (task.duration_ms * scale).max(1.0);
    let mut csv = "step,duration_ms\n".to_owned();
    let (mut workflow, mut ninja) =
        (format!("formula = {app:?}\n"), "rule sleep\n  command = sleep $time\n".to_owned());
    for task in &instance.tasks {
        let needs: Vec<&str> = task.needs.iter().map(|need| instance.tasks[*need].id.as_str()).collect();
        let seconds = took(task) / 1000.0;
        csv.push_str(&format!("{},{:.3}\n", task.id, took(task)));
        workflow.push_str(&format!(
            "[[steps]]\nid = {:?}\nneeds = {needs:?}\nrun = \"sleep {seconds:.3}\"\n[steps.metadata]\n\"meow.series\" = {:?}\n\"meow.inputs_bytes\" = \"{}\"\n",
            task.id, task.series, task.inputs_bytes.round()
        ));
        ninja.push_str(&format!("build {}: sleep {}\n  time = {seconds:.3}\n", task.id, needs.join(" ")));
    }
    fs::create_dir_all(root.join(".meow/workflows")).expect("a folder");
    for (file, text) in [
        (".meow/workflows/dag.toml", workflow),
        ("build.ninja", ninja),
        ("took.csv", csv),
        ("history.jsonl", rows(app, instances, place)),
    ] {
        fs::write(root.join(file), text).expect("written");
    }
    run(root, "git", &["init", "--quiet"]);
    run(root, env!("CARGO_BIN_EXE_meow"), &["-q", "import", "jsonl", "history.jsonl"]);
    let simulate = ["simulate", "dag", "-j", SLOTS, "--durations", "took.csv", "--json"];
    let simulated = said(root, &simulate)["slots"][0]["makespan_ms"].as_f64().expect("ms");
    let measured = said(root, &["-q", "execute", "dag", "-j", SLOTS, "--json"])["duration_ms"].as_f64().expect("ms");
    let beside = has_ninja.then(|| {
        let start = Instant::now();
        run(root, "ninja", &["-j", SLOTS, "--quiet"]);
        start.elapsed().as_secs_f64() * 1e3
    });
    println!(
        "| {app} {place} | {} | {:.2} s | {:.2} s | {:.2} s | {:.3} | {} | {} |",
        instance.tasks.len(),
        bound / 1e3,
        simulated / 1e3,
        measured / 1e3,
        measured / simulated,
        beside.map_or("–".to_owned(), |ms| format!("{:.2} s", ms / 1e3)),
        beside.map_or("–".to_owned(), |ms| format!("{:.3}", measured / ms)),
    );
    (measured / simulated, beside.map(|ms| measured / ms))
}

fn said(root: &Path, args: &[&str]) -> Value {
    let output = command(root, env!("CARGO_BIN_EXE_meow"), args).output().expect("it runs");
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{args:?}: {error}: {}", String::from_utf8_lossy(&output.stderr)))
}

fn run(root: &Path, program: &str, args: &[&str]) {
    let status = command(root, program, args).stdout(Stdio::null()).status().expect("it runs");
    assert!(status.success(), "{program} {args:?}");
}

fn command(root: &Path, program: &str, args: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.current_dir(root).args(args).env("HOME", root).env_remove("XDG_STATE_HOME").env_remove("XDG_RUNTIME_DIR");
    command
}

/// Returns an interchange row.
pub fn row(execution: &str, app: &str, task: &crate::instances::Task, started_at: jiff::Timestamp) -> Value {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "sizes of files")]
    let bytes = task.inputs_bytes.round() as u64;
    let mut row = json!({
        "execution": execution,
        "workflow": app,
        "step": task.series,
        "attempt": 1,
        "started_at": started_at.to_string(),
        "duration_ms": task.duration_ms,
        "outcome": "passed",
        "inputs_bytes": bytes,
    });
    if let Some(machine) = &task.machine {
        row["machine"] = json!(machine);
    }
    row
}
