//! Probabilities of failures and widths of intervals: the beta distribution, and Student's t through it.

use std::cell::RefCell;
use std::collections::HashMap;

use crate::plan::Odds;

/// So many quantiles are remembered a thread: series of few attempts ask for the same ones again and again.
const REMEMBERED: usize = 4_096;

/// Returns the odds of something that happened in `happened` of `trials`.
///
/// The posterior under Jeffreys' prior Beta(½, ½), whose interval covers close to its name even for few trials
/// (Brown, `Cai` and `DasGupta` 2001, Statistical Science 16(2), section 4.3).
pub fn odds(happened: u64, trials: u64) -> Odds {
    let (a, b) = posterior(happened, trials);
    Odds { mean: a / (a + b), low: quantile(0.05, a, b), high: quantile(0.95, a, b), n: trials }
}

/// Returns the odds around a probability that was learnt from `trials`, with the interval of a beta posterior of that mean
/// and as many trials; no posterior is narrower towards 0 or 1 than after trials that all ended alike.
pub fn odds_around(mean: f64, trials: u64) -> Odds {
    #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
    let worth = trials as f64 + 1.0;
    let (a, b) = ((mean * worth).max(0.5), ((1.0 - mean) * worth).max(0.5));
    Odds { mean, low: quantile(0.05, a, b).min(mean), high: quantile(0.95, a, b).max(mean), n: trials }
}

/// Returns the quantile `p` of the probability of something that happened in `happened` of `trials`.
pub fn posterior_quantile(p: f64, happened: u64, trials: u64) -> f64 {
    let (a, b) = posterior(happened, trials);
    quantile(p, a, b)
}

/// Returns the probability that something that happened in `happened` of `trials` has a rate above `rate`.
pub fn above(rate: f64, happened: u64, trials: u64) -> f64 {
    let (a, b) = posterior(happened, trials);
    1.0 - cumulative(rate, a, b)
}

#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
fn posterior(happened: u64, trials: u64) -> (f64, f64) {
    let happened = happened.min(trials);
    (happened as f64 + 0.5, (trials - happened) as f64 + 0.5)
}

/// Returns the quantile `p` (½ < p < 1) of Student's t with `freedom` degrees of freedom.
///
/// Through the beta distribution: I(ν / (ν + t²); ν/2, ½) = 2 (1 − p) (Abramowitz and Stegun 26.7.1).
pub fn student_quantile(p: f64, freedom: f64) -> f64 {
    let x = quantile(2.0 * (1.0 - p), freedom / 2.0, 0.5);
    (freedom * (1.0 - x) / x.max(f64::MIN_POSITIVE)).sqrt()
}

/// Returns the probability that Student's t with `freedom` degrees of freedom exceeds `t` ≥ 0.
pub fn student_tail(t: f64, freedom: f64) -> f64 {
    cumulative(freedom / (freedom + t * t), freedom / 2.0, 0.5) / 2.0
}

/// Returns the quantile `p` of Beta(a, b).
pub fn quantile(p: f64, a: f64, b: f64) -> f64 {
    thread_local! {
        static KNOWN: RefCell<HashMap<[u64; 3], f64>> = RefCell::default();
    }
    KNOWN.with_borrow_mut(|known| {
        if known.len() >= REMEMBERED {
            known.clear();
        }
        *known.entry([p, a, b].map(f64::to_bits)).or_insert_with(|| searched(p, a, b))
    })
}

/// Returns the same by Newton's steps inside a bracket that halves when a step leaves it.
fn searched(p: f64, a: f64, b: f64) -> f64 {
    let (mut low, mut high) = (0.0_f64, 1.0_f64);
    let mut x = a / (a + b);
    let scale = ln_beta(a, b);
    for _ in 0..100 {
        let miss = cumulative(x, a, b) - p;
        if miss > 0.0 {
            high = x;
        } else {
            low = x;
        }
        let density = ((a - 1.0) * x.ln() + (b - 1.0) * (-x).ln_1p() - scale).exp();
        let step = x - miss / density;
        let next = if step > low && step < high { step } else { f64::midpoint(low, high) };
        if (next - x).abs() <= 1e-12 * x {
            return next;
        }
        x = next;
    }
    x
}

/// Returns the regularised incomplete beta function I(x; a, b), the probability of at most `x`.
pub fn cumulative(x: f64, a: f64, b: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if x >= 1.0 {
        return 1.0;
    }
    let front = (a * x.ln() + b * (-x).ln_1p() - ln_beta(a, b)).exp();
    if x < (a + 1.0) / (a + b + 2.0) {
        front * fraction(x, a, b) / a
    } else {
        1.0 - front * fraction(1.0 - x, b, a) / b
    }
}

/// Returns the continued fraction of the incomplete beta function (DLMF 8.17.22) by the modified Lentz method
/// (Press et al., Numerical Recipes, 3rd edition, section 6.4).
fn fraction(x: f64, a: f64, b: f64) -> f64 {
    let nonzero = |value: f64| if value.abs() < 1e-300 { 1e-300 } else { value };
    let mut above = 1.0;
    let mut below = 1.0 / nonzero(1.0 - (a + b) * x / (a + 1.0));
    let mut result = below;
    let mut m = 1.0;
    while m < 10_000.0 {
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        for term in [even, odd] {
            below = 1.0 / nonzero(1.0 + term * below);
            above = nonzero(1.0 + term / above);
            result *= below * above;
        }
        if (below * above - 1.0).abs() < 1e-15 {
            break;
        }
        m += 1.0;
    }
    result
}

fn ln_beta(a: f64, b: f64) -> f64 {
    ln_gamma(a) + ln_gamma(b) - ln_gamma(a + b)
}

/// Returns ln Γ(x) for x > 0: Stirling's series (DLMF 5.11.1) after shifting x above 10 by the recurrence.
pub(crate) fn ln_gamma(x: f64) -> f64 {
    let (mut x, mut product) = (x, 1.0);
    while x < 10.0 {
        product *= x;
        x += 1.0;
    }
    let inverse = 1.0 / x;
    let square = inverse * inverse;
    let series = inverse * (1.0 / 12.0 - square * (1.0 / 360.0 - square * (1.0 / 1260.0 - square / 1680.0)));
    (x - 0.5) * x.ln() - x + 0.5 * std::f64::consts::TAU.ln() + series - product.ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(value: f64, expected: f64) {
        assert!((value - expected).abs() < 1e-6 * expected.abs().max(1.0), "{value} is not {expected}");
    }

    #[test]
    fn closed_forms() {
        // I(x; 1, b) = 1 - (1-x)^b; I(x; a, 1) = x^a; Beta(½, ½) is the arcsine law.
        for x in [0.001, 0.1, 0.5, 0.9, 0.999_f64] {
            near(cumulative(x, 1.0, 7.0), 1.0 - (1.0 - x).powi(7));
            near(cumulative(x, 5.0, 1.0), x.powi(5));
            near(cumulative(x, 0.5, 0.5), std::f64::consts::FRAC_2_PI * x.sqrt().asin());
        }
    }

    #[test]
    fn jeffreys_intervals_in_closed_form() {
        // No trial: sin²(π p / 2).
        near(odds(0, 0).low, (std::f64::consts::FRAC_PI_2 * 0.05).sin().powi(2));
        near(odds(0, 0).high, (std::f64::consts::FRAC_PI_2 * 0.95).sin().powi(2));
        let all = odds(10, 10);
        near(all.low, 1.0 - odds(0, 10).high);
        near(all.mean, 10.5 / 11.0);
    }

    #[test]
    fn odds_around_a_mean_hold_it() {
        let plain = odds(3, 20);
        let around = odds_around(plain.mean, 20);
        near(around.low, plain.low);
        near(around.high, plain.high);
        for mean in [1e-5, 0.5, 1.0 - 1e-5] {
            let odds = odds_around(mean, 1_000_000);
            assert!(odds.low <= mean && mean <= odds.high && odds.low >= 0.0 && odds.high <= 1.0, "{odds:?}");
        }
    }

    #[test]
    fn student_from_the_tables() {
        for (p, freedom, expected) in [
            (0.9, 1.0, 3.077_683_5),
            (0.95, 2.0, 2.919_985_6),
            (0.9, 10.0, 1.372_183_6),
            (0.975, 30.0, 2.042_272_5),
            (0.9, 1e6, 1.281_552_4),
        ] {
            near(student_quantile(p, freedom), expected);
        }
    }

    #[test]
    fn quantiles_invert_the_distribution() {
        for (a, b) in [(0.5, 0.5), (0.5, 10.5), (3.5, 200.5), (1000.5, 3.5), (50_000.5, 70_000.5), (0.5, 1e6)] {
            for p in [0.001, 0.05, 0.5, 0.95, 0.999] {
                near(cumulative(quantile(p, a, b), a, b), p);
            }
        }
    }
}
