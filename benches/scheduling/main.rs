//! What learnt durations are worth to the order of steps, on recorded DAG runs.
//!
//! `cargo bench --bench scheduling` simulates; with `-- --failing` only the time until the first failure, with `-- --guard`
//! what simulating both orders first would bring; with `-- --real` ten of the runs go for real, which takes seven minutes.
//! `../shared/data/wfinstances.jsonl.gz` has to be there.
#![expect(clippy::print_stdout, clippy::disallowed_methods, reason = "a bench reads files and prints")]

mod failing;
mod guard;
mod instances;
mod real;
mod score;

use std::path::Path;

fn main() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/wfinstances.jsonl.gz");
    let mut apps = instances::read(&file);
    // The names of applications may be given, to look at these alone.
    let wanted: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    apps.retain(|app, _| wanted.is_empty() || wanted.contains(app));
    if std::env::args().any(|word| word == "--failing") {
        return failing::table();
    }
    if apps.is_empty() {
        println!("nothing to simulate: {} is not there", file.display());
        return;
    }
    if std::env::args().any(|word| word == "--guard") {
        guard::table(&apps);
    } else if std::env::args().any(|word| word == "--real") {
        real::table(&apps);
    } else {
        score::table(&apps);
        failing::table();
    }
}
