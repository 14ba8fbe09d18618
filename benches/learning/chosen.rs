//! What the constants of durations owe to the sets they were chosen on: each set scored with those chosen on the others.

use meow::learn::predictor::{Constants, Forecaster};

use crate::durations;

/// Prints a row a set: the error over the best rule's with the constants as they are, and chosen without the set.
///
/// The grid varies the three constants that weigh voices, one at a time: all of a cube would take half an hour.
pub fn table() {
    let Constants { own, sharpness, forget } = Constants::default();
    let grid = [
        Constants::default(),
        Constants { own: own / 2.0, ..Constants::default() },
        Constants { own: own * 2.0, ..Constants::default() },
        Constants { sharpness: sharpness / 2.0, ..Constants::default() },
        Constants { sharpness: sharpness * 2.0, ..Constants::default() },
        Constants { forget: 2.0 * forget - 1.0, ..Constants::default() },
        Constants { forget: f64::midpoint(forget, 1.0), ..Constants::default() },
    ];
    let sets: Vec<(&str, Vec<f64>)> = durations::sets()
        .filter(|(_, _, since)| since.is_none())
        .map(|(set, trace, _)| {
            let ratio = |constants: &Constants| durations::ratio(&trace, &mut Forecaster::by(*constants));
            (set, grid.iter().map(ratio).collect())
        })
        .collect();
    if sets.is_empty() {
        return;
    }
    println!("\n| set | ratio | with constants chosen without it | these: own, sharpness, forget |");
    println!("|---|---|---|---|");
    let (mut shipped, mut left_out) = (0.0, 0.0);
    for (set, ratios) in &sets {
        let others = |place: usize| -> f64 {
            sets.iter().filter(|(other, _)| other != set).map(|(_, ratios)| ratios[place].ln()).sum()
        };
        let best = (0..grid.len()).min_by(|a, b| others(*a).total_cmp(&others(*b))).expect("a grid");
        let Constants { own, sharpness, forget } = grid[best];
        println!("| {set} | {:.3} | {:.3} | {own}, {sharpness}, {forget:.3} |", ratios[0], ratios[best]);
        shipped += ratios[0].ln();
        left_out += ratios[best].ln();
    }
    #[expect(clippy::cast_precision_loss, reason = "a few sets")]
    let n = sets.len() as f64;
    println!(
        "\ngeometric mean {:.3}, with constants chosen without the set {:.3}",
        (shipped / n).exp(),
        (left_out / n).exp()
    );
}
