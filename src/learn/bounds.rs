//! Where 80 % of attempts fall: p10 and p90 around a predicted middle, whose coverage is held by feedback.

use super::experts::Windows;
use super::mixture::{Losses, Manner, Pooled};
use super::spread::order_statistic;

/// How many of the latest mistakes of a series are kept.
const KEPT: usize = 60;

/// How many ways to draw a bound there are.
const WAYS: usize = 6;

/// Widths are factors of at most e³ = 20.
const WIDEST: f64 = 3.0;

/// How the ways are weighed.
const MANNER: Manner = Manner { own: 40.0, sharpness: 6.0, cap: 20.0, forget: 0.95, slowest: 0.03 };

/// Mistakes of other series stand in for so many own ones.
const BORROWED: f64 = 20.0;

/// What a deviation of 0.3, a factor of 1.35, is worth before there are mistakes, in attempts.
const BORROWED_DEVIATION: f64 = 5.0;

/// After a mistake beyond so many deviations a bound reaches the last value, which may be the new level.
const SHIFT: f64 = 5.0;

const LEVELS: [f64; 8] = [0.5, 0.7, 0.8, 0.85, 0.9, 0.94, 0.97, 0.99];

/// The latest numbers, in their order and sorted.
#[derive(Debug, Clone, Default)]
struct Kept {
    latest: Vec<f64>,
    sorted: Vec<f64>,
}

impl Kept {
    fn add(&mut self, value: f64) {
        if self.latest.len() == KEPT {
            let oldest = self.latest.remove(0);
            self.sorted.remove(self.sorted.partition_point(|known| *known < oldest));
        }
        self.latest.push(value);
        self.sorted.insert(self.sorted.partition_point(|known| *known < value), value);
    }
}

/// What one series keeps of its mistakes.
#[derive(Debug, Clone, Default)]
pub(crate) struct Mistakes {
    /// In the logarithm, and the same in deviations of their time.
    plain: Kept,
    standard: Kept,
    deviation: f64,
    weight: f64,
    ways: [Losses<WAYS>; 2],
}

/// What all series together know of mistakes.
#[derive(Debug, Clone)]
pub(crate) struct Feedback {
    ways: [Pooled<WAYS>; 2],
    deviation: f64,
    weight: f64,
    /// Quantiles at [`LEVELS`] of mistakes in deviations, above and below the middle.
    quantiles: [[f64; LEVELS.len()]; 2],
    /// What is added to the nominal level of a bound so that it covers what it should.
    levels: [f64; 2],
    n: f64,
}

/// The bounds of one prediction, as distances from its middle in the logarithm: above, then below.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Bounds {
    pub widths: [f64; 2],
    ways: [[f64; WAYS]; 2],
    deviation: f64,
}

impl Default for Feedback {
    fn default() -> Self {
        let start = [0.0, 0.5, 1.0, 1.3, 1.6, 2.2, 3.0, 4.0];
        Self {
            ways: [Pooled::default(), Pooled::default()],
            deviation: 0.3,
            weight: 1.0,
            quantiles: [start; 2],
            levels: [0.0; 2],
            n: 0.0,
        }
    }
}

impl Feedback {
    /// Returns the bounds around `middle`, for a series whose latest values, on this machine's terms, are `values`.
    ///
    /// Ways to draw a bound: the mistakes' quantile in deviations, and plain; that of the latest 10, 20 and 30 values;
    /// the exponentially weighted mean with its standard deviation. They are mixed by their recent pinball loss.
    /// `sized` tells that the middle follows the size of inputs, which the values then do not bound.
    pub fn bounds(&self, of: &Mistakes, middle: f64, values: &[f64], windows: &Windows, sized: bool) -> Bounds {
        let deviation = ((of.deviation + BORROWED_DEVIATION * self.deviation / self.weight)
            / (of.weight + BORROWED_DEVIATION))
            .max(1e-6);
        let mut bounds = Bounds { deviation, ..Bounds::default() };
        let n = count(of.plain.sorted.len());
        let enough = of.plain.sorted.len() >= 5;
        let last = values[values.len() - 1] - middle;
        let highest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max) - middle;
        let (mean, spread) = smooth(values, middle);
        for (side, sign) in [(0, 1.0), (1, -1.0)] {
            let level = (0.9 + self.levels[side]).clamp(0.5, 0.99);
            let quantile = |sorted: &[f64]| sign * order_statistic(sorted, if side == 0 { level } else { 1.0 - level });
            let borrowed = between(&self.quantiles[side], level);
            let blended =
                |own: f64, other: f64| if enough { (n * own + BORROWED * other) / (n + BORROWED) } else { other };
            // Past the highest of ten values lies little, whatever the mistakes were: a step with two speeds would
            // else be expected to go up from its slower one.
            let cap =
                if side == 0 && !sized && values.len() >= 10 { (highest + 0.3 * deviation).max(0.0) } else { WIDEST };
            let width = |width: f64| width.clamp(0.0, WIDEST).min(cap);
            let mistakes = |kept: &Kept| if enough { quantile(&kept.sorted) } else { 0.0 };
            let standard = width(deviation * blended(mistakes(&of.standard), borrowed));
            let ways = &mut bounds.ways[side];
            ways[0] = standard;
            ways[1] = width(blended(mistakes(&of.plain), standard));
            let windowed =
                |n: usize, width: f64| (count(n) * width.clamp(0.0, WIDEST) + 3.0 * standard) / (count(n) + 3.0);
            for (way, sorted) in ways[2..5].iter_mut().zip(windows.sorted()) {
                *way = windowed(sorted.len(), quantile(sorted) - sign * middle);
            }
            // 1.28 deviations at 90 %, more or fewer as an exponential tail would have it.
            let reach = 1.2816 * (1.0 - level).log10().abs();
            ways[5] = windowed(values.len(), sign * (mean + sign * reach * spread).max(1e-3).ln());
            let mixed = of.ways[side].mix(ways, MANNER, &self.ways[side]);
            let shifted = of.standard.latest.last().is_some_and(|mistake| sign * mistake > SHIFT);
            bounds.widths[side] = if shifted { mixed.max((sign * last).min(2.0 * WIDEST)) } else { mixed };
        }
        bounds
    }

    /// Learns that an attempt, the `n`th of its series, missed the middle by `mistake` where `said` was drawn.
    pub fn learn(&mut self, of: &mut Mistakes, mistake: f64, said: &Bounds, n: f64) {
        let standard = (mistake / said.deviation).clamp(-20.0, 20.0);
        self.n += 1.0;
        for (side, sign) in [(0, 1.0), (1, -1.0)] {
            let losses = said.ways[side].map(|width| {
                let reached = (sign * mistake).clamp(-WIDEST, WIDEST);
                // Of p90 a millisecond counts; nobody schedules by p10, so there the logarithm does.
                let over = if side == 0 { reached.exp() - width.exp() } else { reached - width };
                if over >= 0.0 { 0.9 * over } else { -0.1 * over }
            });
            of.ways[side].learn(&losses, n, MANNER, &mut self.ways[side]);
            for (level, quantile) in LEVELS.iter().zip(&mut self.quantiles[side]) {
                // Stochastic gradient of the pinball loss (Gibbs and Candès 2021, section 2).
                let covered = f64::from(sign * standard <= *quantile);
                *quantile += 0.004 * quantile.abs().max(0.3) * (level - covered);
            }
            // Feedback with a step that shrinks (Angelopoulos, Barber and Bates 2024): coverage goes to 90 %.
            let covered = f64::from(sign * mistake <= said.widths[side]);
            let step = (0.04 / self.n.sqrt()).max(1e-4);
            self.levels[side] = (self.levels[side] + step * (0.9 - covered)).clamp(-0.2, 0.08);
        }
        of.plain.add(mistake);
        of.standard.add(standard);
        let size = mistake.abs().min(8.0 * said.deviation).min(WIDEST);
        of.deviation = 0.93 * of.deviation + size;
        of.weight = 0.93 * of.weight + 1.0;
        self.deviation = 0.999 * self.deviation + size;
        self.weight = 0.999 * self.weight + 1.0;
    }
}

/// Returns the exponentially weighted mean of the values over the middle, and their standard deviation.
fn smooth(values: &[f64], middle: f64) -> (f64, f64) {
    let (mut weight, mut sum, mut squares) = (0.0, 0.0, 0.0);
    for value in values {
        let value = (value - middle).clamp(-4.0, 4.0).exp();
        weight += 0.3 * (1.0 - weight);
        sum += 0.3 * (value - sum);
        squares += 0.3 * (value * value - squares);
    }
    let mean = sum / weight;
    (mean, (squares / weight - mean * mean).max(0.0).sqrt())
}

fn between(quantiles: &[f64; LEVELS.len()], level: f64) -> f64 {
    let above = LEVELS.iter().position(|known| *known >= level).unwrap_or(LEVELS.len() - 1).max(1);
    let share = (level - LEVELS[above - 1]) / (LEVELS[above] - LEVELS[above - 1]);
    quantiles[above - 1] + (quantiles[above] - quantiles[above - 1]) * share
}

#[expect(clippy::cast_precision_loss, reason = "a window is small")]
fn count(n: usize) -> f64 {
    n as f64
}
