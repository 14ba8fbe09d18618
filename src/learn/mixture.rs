//! How much each of several experts is listened to: the more, the less it lost lately, here and everywhere.

/// The same over all series: a memory of about 5,000.
const POOL_FORGET: f64 = 0.9998;

/// The discounted losses of N experts on one series.
#[derive(Debug, Clone)]
pub(crate) struct Losses<const N: usize> {
    sums: [f64; N],
    weight: f64,
    /// The mean loss of an expert, which makes series comparable.
    scale: f64,
}

/// The discounted losses of N experts over all series, each in units of its series' mean loss.
#[derive(Debug, Clone)]
pub(crate) struct Pooled<const N: usize> {
    sums: [f64; N],
    weight: f64,
}

/// How losses are weighed against each other.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Manner {
    /// How many losses of its own outweigh those of all other series.
    pub own: f64,
    /// How sharply worse experts are left out: the weight is e^(-sharpness · relative loss above the best).
    pub sharpness: f64,
    /// A single loss counts as at most so many mean losses, so that outliers do not decide.
    pub cap: f64,
    /// What a series keeps of its past losses at every step: .95 is a memory of about 20.
    pub forget: f64,
    /// The mean loss moves by at least this share of a new one.
    pub slowest: f64,
}

impl<const N: usize> Default for Losses<N> {
    fn default() -> Self {
        Self { sums: [0.0; N], weight: 0.0, scale: 0.0 }
    }
}

impl<const N: usize> Default for Pooled<N> {
    fn default() -> Self {
        Self { sums: [0.0; N], weight: 0.0 }
    }
}

impl<const N: usize> Losses<N> {
    /// Learns the losses of one attempt, the `n`th of its series.
    pub fn learn(&mut self, losses: &[f64; N], n: f64, manner: Manner, pooled: &mut Pooled<N>) {
        let mean = losses.iter().sum::<f64>() / count(N);
        if self.scale > 0.0 {
            self.weight = manner.forget * self.weight + 1.0;
            pooled.weight = POOL_FORGET * pooled.weight + 1.0;
            let cap = manner.cap * self.scale;
            for (place, loss) in losses.iter().enumerate() {
                let loss = loss.min(cap);
                self.sums[place] = manner.forget * self.sums[place] + loss;
                pooled.sums[place] = POOL_FORGET * pooled.sums[place] + loss / self.scale;
            }
            let mean = mean.min(2.0 * cap);
            self.scale += (1.0 / n.max(1.0)).max(manner.slowest) * (mean - self.scale);
        } else {
            self.scale = mean;
        }
    }

    /// Returns what the experts say together.
    ///
    /// Exponential weights on discounted losses (Cesa-Bianchi and Lugosi 2006, Prediction, Learning, and Games, section
    /// 2.11), those of all series standing in for a number of own ones, as in empirical Bayes.
    pub fn mix(&self, said: &[f64; N], manner: Manner, pooled: &Pooled<N>) -> f64 {
        let everywhere = |place: usize| if pooled.weight > 0.0 { pooled.sums[place] / pooled.weight } else { 1.0 };
        let own = |place: usize| if self.scale > 0.0 { self.sums[place] / self.scale } else { 0.0 };
        let losses: [f64; N] =
            std::array::from_fn(|place| (own(place) + manner.own * everywhere(place)) / (self.weight + manner.own));
        let best = losses.iter().copied().fold(f64::INFINITY, f64::min);
        let (mut sum, mut weights) = (0.0, 0.0);
        for (said, loss) in said.iter().zip(losses) {
            let weight = (-manner.sharpness * (loss - best) / best.max(1e-3)).exp();
            sum += weight * said;
            weights += weight;
        }
        sum / weights
    }
}

#[expect(clippy::cast_precision_loss, reason = "a few experts")]
fn count(n: usize) -> f64 {
    n as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_better_expert_is_heard_and_an_outlier_decides_nothing() {
        let manner = Manner { own: 10.0, sharpness: 15.0, cap: 5.0, forget: 0.95, slowest: 0.05 };
        let (mut losses, mut pooled) = (Losses::<2>::default(), Pooled::default());
        assert!((losses.mix(&[1.0, 3.0], manner, &pooled) - 2.0).abs() < 1e-9, "unknown experts are equals");
        for n in 1..30_u8 {
            losses.learn(&[0.1, 0.4], n.into(), manner, &mut pooled);
        }
        assert!((losses.mix(&[1.0, 3.0], manner, &pooled) - 1.0).abs() < 1e-3);
        losses.learn(&[1e9, 0.4], 30.0, manner, &mut pooled);
        assert!(losses.mix(&[1.0, 3.0], manner, &pooled) < 1.7);
        let fresh = Losses::<2>::default();
        assert!(fresh.mix(&[1.0, 3.0], manner, &pooled) < 1.7, "a new series starts from what others taught");
    }
}
