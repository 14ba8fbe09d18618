//! Drawings by own hand: places in per cent of the width, so that they fit every screen while letters keep their size.

/// A linear scale from values to per cent of a length.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scale {
    /// The value at 0 %.
    pub from: f64,
    /// The value at 100 %.
    pub to: f64,
}

impl Scale {
    /// Returns the scale from 0 to a value, which is above 0.
    pub fn up_to(value: f64) -> Self {
        Self { from: 0.0, to: if value > 0.0 { value } else { 1.0 } }
    }

    /// Returns the place of a value, from 0 to 100; beyond the ends it stays at the end.
    pub fn percent(&self, value: f64) -> f64 {
        ((value - self.from) / (self.to - self.from) * 100.0).clamp(0.0, 100.0)
    }
}

/// Returns a number for an attribute: three digits after the point, no more than are needed.
pub fn short(value: f64) -> String {
    let text = format!("{value:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Returns round values from 0 to at most `most`, about `wanted` of them, for durations in milliseconds.
///
/// Steps are those of clocks: 1, 2 and 5 with powers of ten below a minute, then parts of minutes and hours.
pub fn ticks(most: f64, wanted: f64) -> Vec<f64> {
    let clock = [15e3, 30e3, 60e3, 120e3, 300e3, 600e3, 900e3, 1_800e3, 3_600e3, 7_200e3, 14_400e3, 21_600e3, 43_200e3];
    let decimal = |unit: f64| [1.0, 2.0, 5.0].map(|step| step * unit);
    let seconds = (-3..5).flat_map(|power| decimal(10_f64.powi(power))).filter(|step| *step <= 10e3);
    let days = (0..6).flat_map(|power| decimal(86_400e3 * 10_f64.powi(power)));
    let mut steps = seconds.chain(clock).chain(days);
    let step = steps.find(|step| most / step <= wanted).unwrap_or(most);
    let mut found = Vec::new();
    let mut value = 0.0;
    while value <= most && step > 0.0 && found.len() < 50 {
        found.push(value);
        value += step;
    }
    found
}

/// Returns what stands beside a tick: `500 ms`, `30 s`, `1 h 30 min`, `2 d`.
pub fn label(ms: f64) -> String {
    let whole =
        |unit: f64, word: &str| (ms >= unit && (ms / unit).fract() < 1e-9).then(|| format!("{:.0} {word}", ms / unit));
    let hours = || (ms > 3_600e3).then(|| format!("{:.0} h {:.0} min", (ms / 3_600e3).floor(), ms % 3_600e3 / 60e3));
    if ms == 0.0 {
        return "0".to_owned();
    }
    whole(86_400e3, "d")
        .or_else(|| whole(3_600e3, "h"))
        .or_else(hours)
        .or_else(|| whole(60e3, "min"))
        .or_else(|| whole(1e3, "s"))
        .unwrap_or_else(|| format!("{} ms", short(ms)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round() {
        for (most, wanted, expected) in [
            (1_000.0, 5.0, vec![0.0, 200.0, 400.0, 600.0, 800.0, 1_000.0]),
            (95e3, 4.0, vec![0.0, 30e3, 60e3, 90e3]),
            (7_300e3, 3.0, vec![0.0, 3_600e3, 7_200e3]),
            (0.0, 3.0, vec![0.0]),
        ] {
            assert_eq!(ticks(most, wanted), expected, "{most}");
        }
        assert!(ticks(1e15, 4.0).len() < 60 && ticks(f64::INFINITY, 4.0).len() < 60);
    }

    #[test]
    fn ticks_have_short_labels() {
        let labels = [0.0, 0.5, 200.0, 30e3, 120e3, 3_600e3, 5_400e3, 172_800e3].map(label);
        assert_eq!(labels, ["0", "0.5 ms", "200 ms", "30 s", "2 min", "1 h", "1 h 30 min", "2 d"]);
    }

    #[test]
    fn scales_stay_within_their_ends() {
        let scale = Scale::up_to(200.0);
        assert_eq!([-5.0, 0.0, 50.0, 900.0].map(|value| short(scale.percent(value))), ["0", "0", "25", "100"]);
        assert_eq!(short(33.333_333), "33.333");
        assert_eq!(short(Scale::up_to(0.0).percent(0.0)), "0");
    }
}
