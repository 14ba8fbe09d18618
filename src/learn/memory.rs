//! How much memory to set aside for a step: enough that it seldom runs short, little enough that others fit beside it.

/// What a shortage costs, in typical attempts' memory that is set aside for nothing.
///
/// A step that runs short is killed or drives the machine to swap, and has to run again; what is set aside for nothing
/// keeps a neighbour waiting.
pub(super) const SHORTAGE: f64 = 24.0;

/// How far one peak lets another differ, as the scale of a logistic law in the logarithm; it shrinks with √n.
const WIDTH: f64 = 0.5;

/// Amounts that are weighed, evenly spaced in the logarithm.
const CHOICES: u32 = 48;

/// Returns the bytes to set aside for the next attempt of a step whose latest peaks, in bytes, were `peaks`, beside steps
/// whose typical peak is `typical` bytes. `None` without a positive peak.
///
/// The amount for which `amount + 24 · typical · P(peak > amount)` is least, where the law of peaks is estimated by a
/// kernel with a logistic tail (Parzen 1962, Annals of Mathematical Statistics 33(3)) that is wide for few peaks. So a
/// step of a few megabytes is never short, and one of many gigabytes is not given all that it once took. Of amounts
/// below the median none is weighed.
pub fn allocation(peaks: &[f64], typical: f64) -> Option<f64> {
    let mut logs: Vec<f64> =
        peaks.iter().filter(|peak| peak.is_finite() && **peak > 0.0).map(|peak| peak.ln()).collect();
    logs.sort_by(f64::total_cmp);
    let n = count(logs.len());
    let (middle, largest) = (*logs.get(logs.len() / 2)?, *logs.last()?);
    let width = WIDTH / n.sqrt();
    let bins = bins(&logs, width / 4.0);
    let price = SHORTAGE * if typical.is_finite() { typical.clamp(0.0, f64::MAX / 1e3) } else { 0.0 };
    let top = largest + 6.0 * width;
    let cost = |amount: f64| {
        let above = bins.iter().map(|(log, weight)| weight / (1.0 + ((amount - log) / width).exp()));
        amount.exp() + price * above.sum::<f64>() / n
    };
    let choices = (0..=CHOICES).map(|step| middle + (top - middle) * f64::from(step) / f64::from(CHOICES));
    choices.map(|amount| (cost(amount), amount)).min_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, amount)| amount.exp())
}

/// Returns sorted values as pairs of a value and how many lie within `reach` after it.
fn bins(sorted: &[f64], reach: f64) -> Vec<(f64, f64)> {
    let mut bins: Vec<(f64, f64)> = Vec::new();
    for value in sorted {
        match bins.last_mut() {
            Some((first, weight)) if value - *first <= reach => *weight += 1.0,
            _ => bins.push((*value, 1.0)),
        }
    }
    bins
}

#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
fn count(n: usize) -> f64 {
    n as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_step_is_safe_and_a_large_one_is_not_given_all_it_once_took() {
        let mib = f64::from(1 << 20);
        let mut peaks: Vec<f64> = (0..99).map(|place| 1_000.0 + f64::from(place % 7)).collect();
        peaks.push(3_000.0);
        let scaled = |unit: f64| peaks.iter().map(|peak| peak * unit).collect::<Vec<_>>();
        let small = allocation(&scaled(0.01 * mib), 1_000.0 * mib).expect("known") / mib;
        assert!(small > 30.0, "{small}");
        let large = allocation(&scaled(mib), 100.0 * mib).expect("known") / mib;
        assert!((1_000.0..1_500.0).contains(&large), "{large}");
    }

    #[test]
    fn few_peaks_get_room_and_many_equal_ones_little() {
        let one = allocation(&[100.0], 100.0).expect("known");
        let many = allocation(&[100.0; 200], 100.0).expect("known");
        assert!(one > 2.0 * 100.0, "{one}");
        assert!((100.0..150.0).contains(&many), "{many}");
    }

    #[test]
    fn what_is_no_peak_teaches_nothing() {
        assert_eq!(allocation(&[], 1.0), None);
        assert_eq!(allocation(&[f64::NAN, 0.0, -1.0, f64::INFINITY], 1.0), None);
        assert!(allocation(&[1e-300, 1e300], f64::NAN).is_some_and(f64::is_finite));
        assert!(allocation(&[1e308; 3], 1e308).is_some());
    }
}
