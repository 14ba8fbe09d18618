//! Memory to set aside by the size of what a step reads, where that was the better rule so far.

use super::line::Line;
use super::memory::{SHORTAGE, allocation};

/// The latest attempts that count.
const KEPT: usize = 200;

/// Attempts behind a judgement, at least; as many more are judged at most twice over.
const FEW: usize = 20;

/// The latest attempts that are judged.
const JUDGED: usize = 2 * FEW;

/// The size has to cost less than this share of what the plain rule does.
const BETTER: f64 = 0.95;

/// Sizes beyond those seen count up to this factor in the logarithm: e².
const OUTSIDE: f64 = 2.0;

/// Returns the bytes to set aside for an attempt that reads `size` bytes, from the sizes and peaks, in bytes, of a step's
/// attempts, oldest first. `None` below 20 of them, or where the size did not pay.
///
/// All peaks are moved along the power law of peak in size (least squares in the logarithm) to this size, and then weighed
/// as [`allocation`] weighs them. It pays where over the latest 40, each foreseen from those before it, what was set aside
/// and what ran short together cost less than 95 % of the same without the size.
pub fn allocation_at(known: &[(f64, f64)], size: f64, typical: f64) -> Option<f64> {
    let is_usable = |number: f64| number.is_finite() && number > 0.0;
    let mut known: Vec<(f64, f64)> =
        known.iter().copied().filter(|(size, peak)| is_usable(*size) && is_usable(*peak)).collect();
    known.drain(..known.len().saturating_sub(KEPT));
    if !is_usable(size) || known.len() < FEW {
        return None;
    }
    let price = SHORTAGE * typical;
    let (mut plain, mut sized) = (0.0, 0.0);
    for at in known.len().saturating_sub(JUDGED).max(FEW / 2)..known.len() {
        let (before, (size, peak)) = (&known[..at], known[at]);
        let cost = |amount: f64| amount + if amount < peak { price } else { 0.0 };
        let peaks: Vec<f64> = before.iter().map(|(_, peak)| *peak).collect();
        let amount = allocation(&peaks, typical)?;
        plain += cost(amount);
        sized += cost(moved(before, size, typical).unwrap_or(amount));
    }
    if sized < BETTER * plain { moved(&known, size, typical) } else { None }
}

/// Returns what is set aside where all peaks are moved along their line to this size.
fn moved(known: &[(f64, f64)], size: f64, typical: f64) -> Option<f64> {
    let mut line = Line::default();
    for (size, peak) in known {
        line.add(size.ln(), peak.ln(), 1.0);
    }
    let sizes = known.iter().map(|(size, _)| size.ln());
    let (low, high) = (sizes.clone().fold(f64::INFINITY, f64::min), sizes.fold(f64::NEG_INFINITY, f64::max));
    let here = line.at(size.ln().clamp(low - OUTSIDE, high + OUTSIDE))?;
    let peaks = known.iter().map(|(size, peak)| Some((peak.ln() + here - line.at(size.ln())?).exp()));
    allocation(&peaks.collect::<Option<Vec<f64>>>()?, typical)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns sizes that come in an odd order, with peaks of a law in them, up to 5 % off it.
    fn attempts(law: impl Fn(f64) -> f64) -> Vec<(f64, f64)> {
        let size = |place: u32| 1e6 * f64::from(1 + place * 37 % 101);
        let noise = |place: u32| 1.0 + 0.05 * (f64::from(place * 13 % 21) / 10.0 - 1.0);
        (0..80).map(|place| (size(place), law(size(place)) * noise(place))).collect()
    }

    #[test]
    fn memory_follows_the_size_where_peaks_do() {
        let known = attempts(|size| 4.0 * size);
        for size in [2e6, 50e6, 300e6] {
            let amount = allocation_at(&known, size, 200e6).expect("it pays");
            assert!((1.05..2.0).contains(&(amount / (4.0 * size))), "{size}: {amount}");
        }
    }

    #[test]
    fn where_peaks_do_not_follow_the_plain_rule_speaks() {
        let level = attempts(|_| 2e8);
        assert_eq!(allocation_at(&level, 50e6, 200e6), None);
        let known = attempts(|size| 4.0 * size);
        assert_eq!(allocation_at(&known[..19], 50e6, 200e6), None, "too few");
        assert_eq!(allocation_at(&known, f64::NAN, 200e6), None);
        assert!(allocation_at(&[(1e-300, 1e300); 40], 1e300, f64::NAN).is_none_or(f64::is_finite));
        let one_size: Vec<(f64, f64)> = known.iter().map(|(_, peak)| (5.0, *peak)).collect();
        assert_eq!(allocation_at(&one_size, 5.0, 200e6), None);
    }
}
