//! Numbers with their units, as people read them.

use crate::plan::Interval;

/// Returns a duration given in milliseconds in the unit that fits: `850 ms`, `12.1 s`, `3 min 20 s`, `1 h 05 min`.
pub fn duration(ms: f64) -> String {
    if !ms.is_finite() {
        return "unknown".to_owned();
    }
    let sign = if ms < 0.0 { "-" } else { "" };
    let ms = ms.abs();
    let seconds = whole(ms / 1_000.0);
    if ms < 9.95 {
        format!("{sign}{ms:.1} ms")
    } else if ms < 999.5 {
        format!("{sign}{ms:.0} ms")
    } else if ms < 59_950.0 {
        format!("{sign}{:.1} s", ms / 1_000.0)
    } else if seconds < 3_600 {
        format!("{sign}{} min {:02} s", seconds / 60, seconds % 60)
    } else {
        let minutes = whole(ms / 60_000.0);
        format!("{sign}{} h {:02} min", minutes / 60, minutes % 60)
    }
}

/// Returns median, interval and sample size: `12.1 s (11.2 s – 13.3 s, n 40)`; a dash where nothing is known.
pub fn interval(interval: Option<&Interval>) -> String {
    interval.map_or_else(
        || "–".to_owned(),
        |known| match known.n {
            0 | 1 => format!("{} (n {})", duration(known.p50), known.n),
            n => format!("{} ({} – {}, n {n})", duration(known.p50), duration(known.p10), duration(known.p90)),
        },
    )
}

/// Returns a ratio as a change in per cent, from three on as a factor: 1.31 is `+31 %`, 13.2 is `× 13`. What is left of
/// less than one in a hundred is a factor too, since it is not nothing: 0.002 is `÷ 500`.
pub fn change(ratio: f64) -> String {
    if ratio > 0.0 && ratio < 0.01 {
        let times = 1.0 / ratio;
        return if times < 1e6 { format!("÷ {times:.0}") } else { format!("÷ {times:.0e}") };
    }
    if ratio >= 3.0 {
        return if ratio < 9.95 { format!("× {ratio:.1}") } else { format!("× {ratio:.0}") };
    }
    let percent = (ratio - 1.0) * 100.0;
    match percent.abs() {
        below if below < 0.05 => "+0.0 %".to_owned(),
        below if below < 9.95 => format!("{percent:+.1} %"),
        _ => format!("{percent:+.0} %"),
    }
}

/// Returns a share of one in per cent; what is nearly nothing or nearly everything is not rounded to it.
pub fn percent(share: f64) -> String {
    match share * 100.0 {
        percent if percent > 0.0 && percent < 0.5 => "< 1 %".to_owned(),
        percent if (99.5..100.0).contains(&percent) => "> 99 %".to_owned(),
        percent => format!("{percent:.0} %"),
    }
}

/// Returns bytes in the binary unit that fits: `1.5 GiB`.
pub fn bytes(bytes: f64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut value = bytes;
    let mut unit = 0;
    while value >= 1_023.95 && unit + 1 < units.len() {
        value /= 1_024.0;
        unit += 1;
    }
    if unit == 0 { format!("{value:.0} B") } else { format!("{value:.1} {}", units[unit]) }
}

/// Returns `1 step`, `2 steps`.
pub fn count(number: u64, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a duration is neither negative nor huge")]
fn whole(value: f64) -> u64 {
    value.round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_fit() {
        for (ms, shown) in [
            (0.4, "0.4 ms"),
            (9.96, "10 ms"),
            (850.0, "850 ms"),
            (999.6, "1.0 s"),
            (12_123.0, "12.1 s"),
            (59_960.0, "1 min 00 s"),
            (200_000.0, "3 min 20 s"),
            (3_599_900.0, "1 h 00 min"),
            (3_900_000.0, "1 h 05 min"),
            (-1_500.0, "-1.5 s"),
            (f64::NAN, "unknown"),
        ] {
            assert_eq!(duration(ms), shown);
        }
        assert_eq!((change(1.31), change(0.95)), ("+31 %".to_owned(), "-5.0 %".to_owned()));
        assert_eq!((change(3.04), change(13.24)), ("× 3.0".to_owned(), "× 13".to_owned()));
        assert_eq!([0.9999, 1.0, 0.05, 0.002, 1e-8].map(change), ["+0.0 %", "+0.0 %", "-95 %", "÷ 500", "÷ 1e8"]);
        assert_eq!([0.0, 0.004, 0.256, 0.996, 1.0].map(percent), ["0 %", "< 1 %", "26 %", "> 99 %", "100 %"]);
        assert_eq!((bytes(12.0), bytes(1_610_612_736.0)), ("12 B".to_owned(), "1.5 GiB".to_owned()));
    }
}
