//! Where the time of a report over many repositories goes.

use std::path::Path;
use std::time::Instant;

use meow::scan::{self, ScanOptions};
use meow::{recommend, report};

use super::Outcome;

/// Prints what each stage takes on the repositories below `top`, in this process.
pub fn print(top: &Path) -> Outcome<()> {
    let mut began = Instant::now();
    let mut stage = |name: &str| {
        println!("{name:10} {:>8.1} ms", began.elapsed().as_secs_f64() * 1e3);
        began = Instant::now();
    };
    let looked = scan::look(&[top.to_path_buf()], &ScanOptions::default())?;
    stage("look");
    let mark = looked.mark();
    stage("mark");
    let history = looked.read();
    stage("read");
    let advice = recommend::recommend_from(&history);
    stage("recommend");
    let page = report::text(&report::losses(&history, &advice).document(), report::PLAIN);
    stage("page");
    println!(
        "{} rows, {} bytes of page, {}",
        history.attempts.len(),
        page.len(),
        if mark.is_some() { "whole" } else { "not whole" }
    );
    Ok(())
}
