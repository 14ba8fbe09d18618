//! Flaky or broken: how many flaky tests a few reruns find, with outcomes drawn from measured failure rates.
//!
//! Rates are read from `../shared/data/flaky.csv.gz` where that is there; generated ones
//! stand in where it is not. Each test runs 100 times on inputs of its own; each that failed is rerun on the inputs of
//! its last failure while that is worth it, at most 10 times.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use flate2::read::GzDecoder;
use meow::learn::flaky::is_rerun_worth_it;

const ORDINARY: u64 = 100;
const SEEDS: u64 = 20;

/// Draws numbers that depend on the seed alone (`SplitMix64`; Steele, Lea and Flood 2014).
struct Draw(u64);

impl Draw {
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
    fn happens(&mut self, probability: f64) -> bool {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (((bits ^ (bits >> 31)) >> 11) as f64) / ((1_u64 << 53) as f64) < probability
    }
}

#[derive(Default)]
struct Counts {
    failed_flaky: u32,
    found: u32,
    flagged: u32,
    always_flagged: u32,
    failed: u32,
    reruns: u32,
}

/// Prints recall, precision and the reruns that they cost.
pub fn table() {
    let (rates, origin) = measured().map_or_else(|| (generated(), "generated"), |rates| (rates, "measured"));
    println!("\n{} tests with {origin} failure rates, {ORDINARY} ordinary runs, {SEEDS} seeds", rates.len());
    let mut all = Counts::default();
    for seed in 0..SEEDS {
        simulate(&rates, &mut Draw(seed.wrapping_mul(0x5851_f42d_4c95_7f2d)), &mut all);
    }
    println!(
        "recall     {:.4}  ({} of {} flaky tests that failed)",
        share(all.found, all.failed_flaky),
        all.found,
        all.failed_flaky
    );
    println!("precision  {:.4}  ({} flagged)", share(all.found, all.flagged), all.flagged);
    println!("always-failing tests flagged: {}", all.always_flagged);
    println!("reruns of a test that failed: {:.2} on average", share(all.reruns, all.failed));
}

fn share(part: u32, whole: u32) -> f64 {
    f64::from(part) / f64::from(whole)
}

fn simulate(rates: &[f64], draw: &mut Draw, counts: &mut Counts) {
    for rate in rates {
        let failures = (0..ORDINARY).filter(|_| draw.happens(*rate)).count() as u64;
        if failures == 0 {
            continue;
        }
        let (mut repeated, mut passed) = (0, false);
        while !passed && is_rerun_worth_it(failures, ORDINARY, repeated) {
            counts.reruns += 1;
            passed = !draw.happens(*rate);
            repeated += u32::from(!passed);
        }
        let flaky = *rate < 1.0;
        counts.failed += 1;
        counts.failed_flaky += u32::from(flaky);
        counts.flagged += u32::from(passed);
        counts.found += u32::from(passed && flaky);
        counts.always_flagged += u32::from(passed && !flaky);
    }
}

/// Returns the share of failing reruns of each test that ever failed or passed in the shared data.
fn measured() -> Option<Vec<f64>> {
    let file = File::open(Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/flaky.csv.gz")).ok()?;
    let mut text = String::new();
    GzDecoder::new(file).read_to_string(&mut text).ok()?;
    let rate = |line: &str| {
        let mut cells = line.rsplit(',').skip(3);
        let (passing, failing): (f64, f64) = (cells.next()?.parse().ok()?, cells.next()?.parse().ok()?);
        Some(failing / (failing + passing))
    };
    Some(text.lines().skip(1).filter_map(rate).collect())
}

/// Returns rates like those of large suites: most never fail, some always do, the flaky ones mostly rarely.
fn generated() -> Vec<f64> {
    let flaky = (0..372_u32).map(|place| 0.5 * (f64::from(place + 1) / 372.0).powi(6));
    (0..7000).map(|_| 0.0).chain((0..120).map(|_| 1.0)).chain(flaky).collect()
}
