//! How long `meow import` takes for a million rows and how much memory, measured by `meow execute`: once when all are
//! new, once when all are known. `cargo bench --bench import` prints one table.
#![expect(clippy::print_stdout, reason = "a benchmark prints its table")]
#![expect(clippy::disallowed_methods, reason = "a bench plays the person, who may do anything")]

use std::error::Error;
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// Executions of ten steps each.
const EXECUTIONS: u32 = 100_000;
/// What an import of a million rows may take at most.
const LIMIT: (f64, f64) = (30.0, 500.0);

fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let git = |arguments: &[&str]| Command::new("git").args(arguments).current_dir(folder.path()).output();
    git(&["init", "--quiet", "--initial-branch=main"])?;
    git(&["-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "--quiet", "--allow-empty", "--message=first"])?;
    std::fs::write(folder.path().join("rows.jsonl"), rows()?)?;
    println!("{:<24} {:>9} {:>9} {:>11}", "import of 1,000,000 rows", "wall s", "cpu s", "memory MB");
    for name in ["new", "known"] {
        let [wall, cpu, memory] = measure(folder.path(), name)?;
        println!("{name:<24} {wall:>9.1} {cpu:>9.1} {memory:>11.0}");
    }
    println!("{:<24} {:>9.1} {:>9} {:>11.0}", "at most", LIMIT.0, "", LIMIT.1);
    Ok(())
}

/// Returns wall time and processor time in seconds, and the peak of memory in megabytes.
fn measure(folder: &Path, name: &str) -> Result<[f64; 3], Box<dyn Error>> {
    let meow = env!("CARGO_BIN_EXE_meow");
    let run = |arguments: &[&str]| Command::new(meow).args(arguments).current_dir(folder).output();
    let workflows = folder.join(".meow/workflows");
    std::fs::create_dir_all(&workflows)?;
    let step = format!("[[steps]]\nid = \"import\"\nrun = '\"{meow}\" --quiet import jsonl rows.jsonl'\n");
    std::fs::write(workflows.join(format!("{name}.toml")), format!("formula = \"{name}\"\n{step}"))?;
    let said = run(&["--quiet", "execute", name])?;
    if !said.status.success() {
        return Err(String::from_utf8_lossy(&said.stderr).into_owned().into());
    }
    let json =
        |arguments: &[&str]| -> Result<Value, Box<dyn Error>> { Ok(serde_json::from_slice(&run(arguments)?.stdout)?) };
    let log = json(&["log", "--number", "1", "--workflow", name, "--json"])?;
    let id = log["executions"][0]["id"].as_str().ok_or("it was not recorded")?.to_owned();
    let attempt = json(&["status", &id, "--json"])?["attempts"][0].take();
    let number = |key: &str| attempt[key].as_f64().unwrap_or(f64::NAN);
    Ok([number("duration_ms") / 1e3, number("cpu_ms") / 1e3, number("peak_memory_bytes") / 1e6])
}

/// Returns interchange rows whose durations wander and of which one in fifty failed.
fn rows() -> Result<String, std::fmt::Error> {
    let mut text = String::with_capacity(160 << 20);
    for execution in 0..EXECUTIONS {
        let at =
            jiff::Timestamp::UNIX_EPOCH + jiff::SignedDuration::from_secs(1_700_000_000 + 600 * i64::from(execution));
        for step in 0..10_u32 {
            let draw = (execution * 10 + step).wrapping_mul(2_654_435_761) >> 8;
            let (took, outcome) = (1_000 + draw % 89_000, if draw % 50 == 0 { "failed" } else { "passed" });
            writeln!(
                text,
                "{{\"execution\":\"e{execution}\",\"workflow\":\"ci\",\"step\":\"step-{step}\",\"attempt\":1,\"started_at\":\"{at}\",\
                 \"duration_ms\":{took},\"outcome\":\"{outcome}\",\"machine\":\"m{}\"}}",
                execution % 3
            )?;
        }
    }
    Ok(text)
}
