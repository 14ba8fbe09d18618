//! A weighted straight line through points that come one by one, kept as sums.

/// What older points lose with every new one: a memory of about 100.
const FORGET: f64 = 0.99;

/// The sums of a line; points of less than three different times say nothing.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Line {
    weight: f64,
    x: f64,
    y: f64,
    xx: f64,
    xy: f64,
    n: f64,
}

impl Line {
    /// Learns a point.
    pub fn add(&mut self, x: f64, y: f64, weight: f64) {
        if !(x.is_finite() && y.is_finite() && weight.is_finite()) {
            return;
        }
        for sum in [&mut self.weight, &mut self.x, &mut self.y, &mut self.xx, &mut self.xy, &mut self.n] {
            *sum *= FORGET;
        }
        self.weight += weight;
        self.x += weight * x;
        self.y += weight * y;
        self.xx += weight * x * x;
        self.xy += weight * x * y;
        self.n += 1.0;
    }

    /// Returns the height of the line of least squares at `x`; `None` below three points or where all lie at one `x`.
    pub fn at(&self, x: f64) -> Option<f64> {
        // Three points, the forgetting of two steps taken off.
        if self.n < 1.0 + FORGET + FORGET * FORGET - 1e-9 {
            return None;
        }
        let (mean_x, mean_y) = (self.x / self.weight, self.y / self.weight);
        let variance = self.xx / self.weight - mean_x * mean_x;
        if variance <= 1e-9 * mean_x * mean_x {
            return None;
        }
        let slope = (self.xy / self.weight - mean_x * mean_y) / variance;
        Some(mean_y + slope * (x - mean_x)).filter(|height| height.is_finite())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_comes_back() {
        let mut line = Line::default();
        for x in [1.0, 2.0, 5.0] {
            assert_eq!(line.at(3.0), None);
            line.add(x, 10.0 + 2.0 * x, 1.0 / x);
        }
        line.add(f64::NAN, 1.0, 1.0);
        assert!((line.at(100.0).expect("known") - 210.0).abs() < 1e-6);
        let mut flat = Line::default();
        (0..9).for_each(|y| flat.add(7.0, f64::from(y), 1.0));
        assert_eq!(flat.at(7.0), None);
    }
}
