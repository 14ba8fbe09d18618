//! Numbers as people read them, each with its unit.

/// Returns a time in milliseconds with the unit that suits it.
pub(super) fn span(ms: f64) -> String {
    match ms {
        ms if ms < 1000.0 => format!("{ms:.0} ms"),
        ms if ms < 120_000.0 => format!("{:.1} s", ms / 1000.0),
        ms if ms < 7_200_000.0 => format!("{:.1} min", ms / 60_000.0),
        ms => format!("{:.1} h", ms / 3_600_000.0),
    }
}

/// Returns a share as a percentage.
pub(super) fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_suit_the_size() {
        for (ms, text) in [(0.4, "0 ms"), (999.4, "999 ms"), (1500.0, "1.5 s"), (150_000.0, "2.5 min"), (9e6, "2.5 h")]
        {
            assert_eq!(span(ms), text);
        }
        assert_eq!(percent(0.256), "26 %");
    }
}
