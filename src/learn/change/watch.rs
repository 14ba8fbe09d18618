//! A stream of numbers watched for a change: bounded memory, a bounded number of steps a number.

use std::collections::VecDeque;

use super::noise::{Noise, median};
use super::{MOST_CORRELATION, count};

/// The latest numbers kept, to measure the noise and to begin anew after a change.
const KEPT: usize = 64;

/// Numbers before anything is claimed.
const WARM: usize = 32;

/// Candidates kept a side; noise alone leaves about ln n of them.
const CANDIDATES: usize = 32;

/// Deviations at which a number's influence ends.
const OUTLYING: f64 = 3.0;

/// What the gain must pass: this + 4 ln n, for places and for looking after every number.
const THRESHOLD: f64 = 8.0;

/// A place, and the sum up to it.
type Point = (f64, f64);

/// Watches one stream for changes of its level.
///
/// The likelihood ratio of a change at any place since the last one, over an unknown level before it, is largest at a
/// corner of the convex hull of the running sums; each number adds a corner and removes those it hides (Romano, Eckley,
/// Fearnhead and Rigaill 2023, Journal of Machine Learning Research 24(81)). Corners beyond 32 a side are
/// thinned, oldest first.
#[derive(Debug, Clone, Default)]
pub struct Watch {
    /// Numbers seen at all.
    seen: usize,
    recent: VecDeque<f64>,
    noise: Option<Noise>,
    origin: f64,
    n: f64,
    sum: f64,
    /// Corners below the running sums, from where the level may have risen, and above, from where it may have fallen.
    below: Vec<Point>,
    above: Vec<Point>,
}

impl Watch {
    /// Takes in the next number; returns the 0-based place of the first number after a change once one is sure.
    ///
    /// Numbers that are not finite are counted and otherwise passed over.
    pub fn push(&mut self, value: f64) -> Option<usize> {
        self.seen += 1;
        if !value.is_finite() {
            return None;
        }
        if self.recent.len() == KEPT {
            self.recent.pop_front();
        }
        self.recent.push_back(value);
        if self.n < 1.0 {
            if self.recent.len() == WARM {
                self.begin(WARM);
            }
            return None;
        }
        self.add(value);
        let at = self.change()?;
        let since = (0..KEPT).rev().find(|back| count(*back) <= self.n - at).unwrap_or(0).min(self.recent.len());
        self.begin(since);
        Some(self.seen - since)
    }

    /// Begins a segment with the latest numbers, `since` of them.
    fn begin(&mut self, since: usize) {
        let latest: Vec<f64> = self.recent.iter().skip(self.recent.len() - since).copied().collect();
        self.origin = median(&latest);
        (self.n, self.sum) = (0.0, 0.0);
        self.below = vec![(0.0, 0.0)];
        self.above = vec![(0.0, 0.0)];
        for value in latest {
            self.add(value);
        }
    }

    fn add(&mut self, value: f64) {
        // Measured anew at 32, 64, 128, …: as the stream goes on, it costs ever less a number.
        let places = [count(WARM), count(KEPT)];
        if self.noise.is_none() || places.contains(&self.n) || (self.n > count(KEPT) && self.n.log2().fract() == 0.0) {
            let latest: Vec<f64> = self.recent.iter().copied().collect();
            self.noise = Noise::of(&latest, MOST_CORRELATION).or(self.noise);
        }
        let Some(noise) = self.noise else { return };
        let middle = if self.n > 0.0 { self.sum / self.n } else { 0.0 };
        let reach = OUTLYING * noise.deviation;
        self.sum += (value - self.origin).clamp(middle - reach, middle + reach);
        self.n += 1.0;
        let point = (self.n, self.sum);
        push_corner(&mut self.below, point, 1.0);
        push_corner(&mut self.above, point, -1.0);
    }

    /// Returns how many numbers of the segment come before the likeliest change, where one is sure.
    fn change(&self) -> Option<f64> {
        let variance = self.noise?.variance;
        let threshold = THRESHOLD + 4.0 * self.n.ln();
        // The same comparison without a division, which is all that most numbers cost.
        let sure = |&(at, sum): &Point| {
            let away = sum * self.n - at * self.sum;
            away * away > threshold * variance * self.n * at * (self.n - at)
        };
        if !self.below.iter().chain(&self.above).any(sure) {
            return None;
        }
        let gain = |&(at, sum): &Point| {
            let away = sum - at / self.n * self.sum;
            away * away * self.n / (at * (self.n - at)) / variance
        };
        let corners = self.below.iter().chain(&self.above).filter(|(at, _)| *at > 0.0 && *at < self.n);
        let (gain, at) = corners.map(|corner| (gain(corner), corner.0)).max_by(|a, b| a.0.total_cmp(&b.0))?;
        (gain > threshold).then_some(at)
    }
}

/// Adds a corner to a hull that is convex from below (`side` 1) or above (-1).
fn push_corner(hull: &mut Vec<Point>, point: Point, side: f64) {
    while let [.., a, b] = hull[..] {
        let turn = (b.0 - a.0) * (point.1 - a.1) - (b.1 - a.1) * (point.0 - a.0);
        if turn * side > 0.0 {
            break;
        }
        hull.pop();
    }
    hull.push(point);
    if hull.len() > CANDIDATES {
        let mut place = 0;
        hull.retain(|_| {
            place += 1;
            place > CANDIDATES / 2 || place % 2 == 1
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns near-normal numbers that depend on the seed alone.
    fn normal(seed: &mut u64) -> f64 {
        let mut sum = -6.0;
        for _ in 0..12 {
            *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            sum += f64::from((*seed >> 33) as u32) / f64::from(1_u32 << 31);
        }
        sum
    }

    #[test]
    fn few_false_alarms_and_a_prompt_true_one() {
        let (mut false_alarms, mut found, mut delay) = (0, 0, 0);
        for stream in 0..200 {
            let mut seed = stream * 7919 + 1;
            let mut watch = Watch::default();
            false_alarms += (0..1_000).filter(|_| watch.push(100.0 + normal(&mut seed)).is_some()).count();
            for late in 1..=30 {
                if let Some(at) = watch.push(103.0 + normal(&mut seed)) {
                    found += usize::from(at.abs_diff(1_000) <= 5);
                    delay += late;
                    break;
                }
            }
        }
        println!("false alarms {false_alarms} of 200 x 1,000; found {found} of 200, mean delay {}", delay / 200);
        assert!(false_alarms <= 4, "{false_alarms}");
        assert!(found >= 190, "{found}");
    }

    #[test]
    fn outliers_and_constants_do_not_alarm_and_steps_without_noise_do() {
        let check = |name: &str, numbers: Vec<f64>, expected: Option<usize>| {
            let mut watch = Watch::default();
            let found = numbers.into_iter().find_map(|number| watch.push(number));
            assert_eq!(found, expected, "{name}");
        };
        let mut seed = 5;
        let mut spiky: Vec<f64> = (0..200).map(|_| normal(&mut seed)).collect();
        (spiky[60], spiky[120], spiky[150]) = (1e9, f64::NAN, -1e300);
        check("spikes", spiky, None);
        check("constant", vec![7.0; 500], None);
        let mut wide: Vec<f64> = (0..200).map(|_| normal(&mut seed)).collect();
        wide.iter_mut().skip(100).for_each(|number| *number += 50.0);
        check("a step", wide, Some(100));
    }
}
