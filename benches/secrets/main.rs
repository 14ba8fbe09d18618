//! Measures how many secrets of a seeded corpus are taken out, and how many lines without one are altered.
//!
//! `cargo bench --bench secrets -- [--misses] [ROUNDS]` prints shares by kind, for shapes and lines that were looked at
//! while rules were written, for those that were held out, and for a second seed of both; by place; and the same for
//! `gitleaks` where that program is found, on the same lines. `--misses` shows what is missed among the former only.
#![expect(clippy::disallowed_methods, clippy::print_stdout, reason = "a measurement runs a program and prints")]

mod corpus;
mod score;

use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use corpus::{Case, Kind};
use score::{Share, cleaned, share, well};

/// The seed that rules may be judged by while they are written.
const SEED: u64 = 1;
/// The one that judges them afterwards.
const HELD_OUT_SEED: u64 = 20_261_123;
/// How often every shape, command and line comes.
const ROUNDS: usize = 16;

type Judged = Vec<(Case, String)>;

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let rounds = args.iter().find_map(|arg| arg.parse().ok()).unwrap_or(ROUNDS);
    let started = Instant::now();
    let seeds: Vec<Judged> = [SEED, HELD_OUT_SEED].map(|seed| judged(corpus::corpus(seed, rounds), cleaned)).into();
    let took = started.elapsed();
    if args.iter().any(|arg| arg == "--misses") {
        for (case, cleaned) in seeds[0].iter().filter(|(case, cleaned)| !case.held_out && !well(case, cleaned)) {
            println!("{:?} {} | {}\n    {}\n    {cleaned}", case.kind, case.shape, case.place, case.text);
        }
        return Ok(());
    }
    let lines: usize = seeds.iter().map(Vec::len).sum();
    println!("{lines} lines of seeds {SEED} and {HELD_OUT_SEED}, {rounds} rounds, cleaned in {took:.1?}\n");
    table("meow", &seeds);
    by_place(&seeds[1]);
    match peer(rounds)? {
        Some(peer) => table("gitleaks alone", &peer),
        None => println!("\ngitleaks is not here: not compared"),
    }
    Ok(())
}

fn judged(cases: Vec<Case>, clean: impl Fn(&Case) -> String) -> Judged {
    cases.into_iter().map(|case| (clean(&case), case)).map(|(cleaned, case)| (case, cleaned)).collect()
}

/// Prints the shares of one program by kind, apart for what was held out.
fn table(who: &str, seeds: &[Judged]) {
    println!("\n{who:<34} {:>16} {:>16} {:>16} {:>16}", "seen shapes", "other seed", "held-out shapes", "other seed");
    for (kind, what) in [
        (Kind::Provider, "provider tokens taken out"),
        (Kind::CommandLine, "command-line credentials taken out"),
        (Kind::Known, "values of variables taken out"),
        (Kind::Benign, "benign lines left as they are"),
    ] {
        print!("{what:<34}");
        for held_out in [false, true] {
            for cases in seeds {
                let chosen = cases.iter().filter(|(case, _)| case.kind == kind && case.held_out == held_out);
                print!(" {:>16}", shown(share(chosen)));
            }
        }
        println!();
    }
}

fn by_place(cases: &Judged) {
    let mut places: BTreeMap<&str, Vec<&(Case, String)>> = BTreeMap::new();
    for judged in cases.iter().filter(|(case, _)| case.kind != Kind::Benign) {
        places.entry(judged.0.place).or_default().push(judged);
    }
    println!("\nmeow by place, other seed, all shapes");
    for (place, cases) in places {
        println!("{place:<34} {:>16}", shown(share(cases.into_iter())));
    }
}

fn shown(share: Share) -> String {
    format!("{:.2} % of {}", share.value() * 100.0, share.of)
}

/// Returns the lines of both seeds as gitleaks leaves them when each secret it reports is taken out.
fn peer(rounds: usize) -> Result<Option<Vec<Judged>>, Box<dyn Error>> {
    if Command::new("gitleaks").arg("version").output().is_err() {
        return Ok(None);
    }
    let mut seeds = Vec::new();
    for seed in [SEED, HELD_OUT_SEED] {
        let folder = tempfile::tempdir()?;
        let cases = corpus::corpus(seed, rounds);
        std::fs::create_dir(folder.path().join("lines"))?;
        for (at, case) in cases.iter().enumerate() {
            std::fs::write(folder.path().join(format!("lines/{at}.txt")), &case.text)?;
        }
        let found = findings(folder.path())?;
        seeds.push(
            cases
                .into_iter()
                .enumerate()
                .map(|(at, case)| {
                    let secrets = found.get(&at.to_string());
                    let left = secrets
                        .into_iter()
                        .flatten()
                        .fold(case.text.clone(), |text, secret| text.replace(secret.as_str(), "[secret]"));
                    (case, left)
                })
                .collect(),
        );
    }
    Ok(Some(seeds))
}

fn findings(folder: &Path) -> Result<BTreeMap<String, Vec<String>>, Box<dyn Error>> {
    let report = folder.join("report.json");
    let mut command = Command::new("gitleaks");
    command.args(["dir", "lines", "--no-banner", "--log-level=error", "--exit-code=0", "--report-format=json"]);
    command.arg("--report-path").arg(&report).current_dir(folder).status()?;
    let document: serde_json::Value = serde_json::from_slice(&std::fs::read(report)?)?;
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for finding in document.as_array().into_iter().flatten() {
        let (Some(file), Some(secret)) = (finding["File"].as_str(), finding["Secret"].as_str()) else { continue };
        let name = Path::new(file).file_stem().unwrap_or_default().to_string_lossy().into_owned();
        found.entry(name).or_default().push(secret.to_owned());
    }
    Ok(found)
}
