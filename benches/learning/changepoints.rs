//! Scores change detection on annotated series, each also with constants chosen on the others, and times it on streams.
//!
//! The annotated series are read from `../shared/data/tcpd.json` where it exists.

use std::collections::BTreeSet;
use std::path::Path;

use meow::learn::change::watch::Watch;
use meow::learn::change::{Constants, changes_by};

use crate::clock::Clock;

/// Distance within which a found point counts, as in `TCPDBench` (van den Burg and Williams 2020).
const MARGIN: usize = 5;

struct Series {
    name: String,
    values: Vec<f64>,
    annotations: Vec<BTreeSet<usize>>,
}

/// Prints the scores, each also without the series in the choice of constants, and how fast the online detector is.
pub fn table() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/tcpd.json");
    match std::fs::read_to_string(&path) {
        Ok(text) => annotated(&load(&text)),
        Err(error) => println!("annotated series skipped: {}: {error}", path.display()),
    }
    streams();
}

fn load(text: &str) -> Vec<Series> {
    let data: serde_json::Value = serde_json::from_str(text).expect("JSON");
    let mut series = Vec::new();
    for (name, one) in data.as_object().expect("an object") {
        let raw = one["series"]["series"][0]["raw"].as_array().expect("numbers");
        let values: Option<Vec<f64>> = raw.iter().map(serde_json::Value::as_f64).collect();
        let people = one["annotations"].as_object().expect("annotators").values();
        let places = |person: &serde_json::Value| -> BTreeSet<usize> {
            let places = person.as_array().expect("places").iter();
            places.map(|place| usize::try_from(place.as_u64().expect("a place")).expect("small")).collect()
        };
        if let (Some(values), Some(1)) = (values, one["series"]["n_dim"].as_u64()) {
            series.push(Series { name: name.clone(), values, annotations: people.map(places).collect() });
        }
    }
    series
}

fn annotated(series: &[Series]) {
    let mut grid = Vec::new();
    for change in [3.0, 4.0, 5.0, 6.0] {
        for floor in [0.1, 0.2, 0.3] {
            for most_correlation in [0.3, 0.5, 0.7] {
                grid.push(Constants { change, floor, most_correlation });
            }
        }
    }
    let scores: Vec<Vec<(f64, f64)>> =
        grid.iter().map(|constants| series.iter().map(|one| score(one, &found(one, *constants))).collect()).collect();
    let mut rows = Vec::new();
    println!(
        "{:22} {:>5} {:>7} {:>7} {:>9} {:>9}  chosen on the others",
        "series", "n", "F1", "cover", "F1 out", "cover out"
    );
    for (place, one) in series.iter().enumerate() {
        let own = score(one, &found(one, Constants::default()));
        let others = |scores: &[(f64, f64)]| -> f64 {
            scores.iter().enumerate().filter(|(at, _)| *at != place).map(|(_, (f1, cover))| f1 + cover).sum()
        };
        let best = (0..grid.len()).max_by(|a, b| others(&scores[*a]).total_cmp(&others(&scores[*b]))).expect("a grid");
        let out = scores[best][place];
        let Constants { change, floor, most_correlation } = grid[best];
        println!(
            "{:22} {:5} {:7.3} {:7.3} {:9.3} {:9.3}  change {change}, floor {floor}, correlation {most_correlation}",
            one.name,
            one.values.len(),
            own.0,
            own.1,
            out.0,
            out.1
        );
        rows.push([own.0, own.1, out.0, out.1]);
    }
    let mean = |column: usize| rows.iter().map(|row| row[column]).sum::<f64>() / float(rows.len());
    println!("{:22} {:5} {:7.3} {:7.3} {:9.3} {:9.3}", "mean", "", mean(0), mean(1), mean(2), mean(3));
    println!("best published defaults on these series: F1 .730, cover .691\n");
}

fn found(one: &Series, constants: Constants) -> BTreeSet<usize> {
    changes_by(&one.values, constants).into_iter().map(|change| change.at).collect()
}

/// Returns F1 and covering of van den Burg and Williams 2020, equations 5 to 8.
fn score(one: &Series, found: &BTreeSet<usize>) -> (f64, f64) {
    let with_start = |points: &BTreeSet<usize>| points.iter().copied().chain([0]).collect::<BTreeSet<usize>>();
    let found = with_start(found);
    let people: Vec<BTreeSet<usize>> = one.annotations.iter().map(with_start).collect();
    let all: BTreeSet<usize> = people.iter().flatten().copied().collect();
    let precision = float(hits(&all, &found)) / float(found.len());
    let recall = people.iter().map(|person| float(hits(person, &found)) / float(person.len())).sum::<f64>()
        / float(people.len());
    let n = one.values.len();
    let mut cover = 0.0;
    for person in &people {
        for (from, to) in segments(person, n) {
            let overlap =
                |(a, b): (usize, usize)| float(to.min(b).saturating_sub(from.max(a))) / float(to.max(b) - from.min(a));
            cover += float(to - from) * segments(&found, n).into_iter().map(overlap).fold(0.0, f64::max);
        }
    }
    (2.0 * precision * recall / (precision + recall), cover / float(n) / float(people.len()))
}

fn hits(truth: &BTreeSet<usize>, found: &BTreeSet<usize>) -> usize {
    let mut left = found.clone();
    truth
        .iter()
        .filter(|place| {
            let near = left.iter().copied().filter(|other| other.abs_diff(**place) <= MARGIN);
            let nearest = near.min_by_key(|other| (other.abs_diff(**place), *other));
            nearest.is_some_and(|nearest| left.remove(&nearest))
        })
        .count()
}

fn segments(points: &BTreeSet<usize>, n: usize) -> Vec<(usize, usize)> {
    let edges: Vec<usize> = points.iter().copied().filter(|point| *point < n).chain([n]).collect();
    edges.windows(2).map(|edge| (edge[0], edge[1])).collect()
}

/// Times 10,000 streams of 1,000 numbers, of which every tenth rises by two deviations in the middle.
fn streams() {
    let mut seed = 1_u64;
    let mut unit = || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        f64::from((seed >> 33) as u32) / f64::from(1_u32 << 31)
    };
    let noise: Vec<f64> = (0..1_000_003).map(|_| unit() + unit() + unit() + unit() - 2.0).collect();
    let began = Clock::start();
    let (mut alarms, mut right) = (0, 0);
    for stream in 0..10_000_usize {
        let mut watch = Watch::default();
        for at in 0..1_000_usize {
            let rise = if stream % 10 == 0 && at >= 500 { 2.0 * 0.577 } else { 0.0 };
            if let Some(place) = watch.push(noise[(stream * 1_009 + at) % noise.len()] + rise) {
                alarms += 1;
                right += usize::from(stream % 10 == 0 && place.abs_diff(500) <= 10);
            }
        }
    }
    println!(
        "10,000 streams of 1,000 numbers: {}; {right} of 1,000 rises of two deviations found within 10, {} other alarms",
        began.told(),
        alarms - right
    );
}

#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
fn float(n: usize) -> f64 {
    n as f64
}
