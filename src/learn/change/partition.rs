//! The cheapest way to cut a series into segments, where each cut has its price.

use super::count;

/// Places at which a series of up to this many is searched one by one; a longer one is searched on a grid first.
const ONE_BY_ONE: usize = 2_000;

/// Where cuts may lie.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Places {
    /// Points of the series.
    pub n: usize,
    /// Points a segment has at least.
    pub shortest: usize,
}

/// Returns the cuts, in order, that make Σ cost(segment) + price · cuts smallest.
///
/// Optimal partitioning (Jackson et al. 2005) in n²/2 steps. Past 2,000 points, cuts first lie on a grid of 2,000 and then
/// move to the best place within one mesh of it.
pub(crate) fn partition(places: Places, price: f64, cost: impl Fn(usize, usize) -> f64) -> Vec<usize> {
    let Places { n, shortest } = places;
    let mesh = n.div_ceil(ONE_BY_ONE).max(1);
    let grid: Vec<usize> = (0..n).step_by(mesh).chain([n]).collect();
    let mut best = vec![f64::INFINITY; grid.len()];
    let mut from = vec![0; grid.len()];
    best[0] = -price;
    for to in 1..grid.len() {
        for start in 0..to {
            if grid[to] - grid[start] < shortest {
                break;
            }
            let total = best[start] + price + cost(grid[start], grid[to]);
            if total < best[to] {
                best[to] = total;
                from[to] = start;
            }
        }
    }
    let mut cuts = Vec::new();
    let mut at = grid.len() - 1;
    while from[at] > 0 {
        at = from[at];
        cuts.push(grid[at]);
    }
    cuts.reverse();
    if mesh > 1 {
        refine(&mut cuts, places, mesh, &cost);
        thin(&mut cuts, n, price, &cost);
    }
    cuts
}

/// Takes out cuts that only a coarse grid made worth their price.
fn thin(cuts: &mut Vec<usize>, n: usize, price: f64, cost: impl Fn(usize, usize) -> f64) {
    let mut place = 0;
    while place < cuts.len() {
        let before = if place == 0 { 0 } else { cuts[place - 1] };
        let after = cuts.get(place + 1).copied().unwrap_or(n);
        if cost(before, after) <= cost(before, cuts[place]) + cost(cuts[place], after) + price {
            cuts.remove(place);
        } else {
            place += 1;
        }
    }
}

/// Moves each cut to the best place within one mesh, between its neighbours.
fn refine(cuts: &mut [usize], places: Places, mesh: usize, cost: impl Fn(usize, usize) -> f64) {
    for place in 0..cuts.len() {
        let before = if place == 0 { 0 } else { cuts[place - 1] };
        let after = cuts.get(place + 1).copied().unwrap_or(places.n);
        let low = cuts[place].saturating_sub(mesh).max(before + places.shortest);
        let high = (cuts[place] + mesh).min(after.saturating_sub(places.shortest));
        let both = |at: &usize| cost(before, *at) + cost(*at, after);
        cuts[place] = (low..=high).min_by(|a, b| both(a).total_cmp(&both(b))).unwrap_or(cuts[place]);
    }
}

/// Sums up to each point, from which squares around a level or a line come at once.
#[derive(Debug)]
pub(crate) struct Sums {
    /// Σ y, Σ t y, Σ y², Σ t, Σ t², around the middle of each.
    sums: Vec<[f64; 5]>,
}

impl Sums {
    /// Returns the sums of a series.
    pub fn of(series: &[f64]) -> Self {
        let mean = series.iter().sum::<f64>() / count(series.len().max(1));
        let mut sums = vec![[0.0; 5]];
        let mut sum = [0.0; 5];
        for (at, value) in series.iter().enumerate() {
            let (t, y) = (count(at) - count(series.len()) / 2.0, value - mean);
            for (sum, term) in sum.iter_mut().zip([y, t * y, y * y, t, t * t]) {
                *sum += term;
            }
            sums.push(sum);
        }
        Self { sums }
    }

    /// Returns the squares left of the points `from..to` around their mean, and around their best line.
    pub fn squares(&self, from: usize, to: usize) -> (f64, f64) {
        let [y, ty, yy, t, tt] = std::array::from_fn(|term| self.sums[to][term] - self.sums[from][term]);
        let n = count(to - from);
        let level = (yy - y * y / n).max(0.0);
        let (slope, spread) = (ty - t * y / n, tt - t * t / n);
        let line = if spread > 0.0 { (level - slope * slope / spread).max(0.0) } else { level };
        (level, line)
    }
}
