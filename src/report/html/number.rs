//! Numbers on a page: each says where in the page's JSON it stands, and what it is to the last digit.

use jiff::Timestamp;

use super::escape;
use crate::plan::{Interval, Odds};
use crate::report::format;

/// A place in the JSON of the page (RFC 6901).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct At(String);

impl At {
    /// Returns the place of a key below this one.
    #[must_use]
    pub fn key(&self, key: &str) -> Self {
        Self(format!("{}/{key}", self.0))
    }

    /// Returns the place of an element of this list.
    #[must_use]
    pub fn item(&self, place: usize) -> Self {
        Self(format!("{}/{place}", self.0))
    }

    /// Returns the attribute that names the place.
    pub fn attribute(&self) -> String {
        format!("data-at=\"{}\"", escape::text(&self.0))
    }
}

/// Returns a number with its place; `shown` is what people read.
pub fn number(at: &At, value: f64, shown: &str) -> String {
    format!("<data value=\"{value}\" {}>{}</data>", at.attribute(), escape::text(shown))
}

/// Returns a count.
pub fn count(at: &At, value: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
    number(at, value as f64, &grouped(value))
}

/// Returns a duration, a dash where it is unknown.
pub fn duration(at: &At, ms: Option<f64>) -> String {
    ms.map_or_else(|| "–".to_owned(), |ms| number(at, ms, &shown(ms)))
}

/// Returns a duration in words; nothing is nothing in any unit.
fn shown(ms: f64) -> String {
    if ms == 0.0 { "0 s".to_owned() } else { format::duration(ms) }
}

/// Returns a share of one in per cent, a dash where it is unknown.
pub fn percent(at: &At, share: Option<f64>) -> String {
    share.map_or_else(|| "–".to_owned(), |share| number(at, share, &format::percent(share)))
}

/// Returns the ends of an interval of durations.
pub fn span(at: &At, interval: &Interval) -> String {
    let end = |key: &str, ms: f64| number(&at.key(key), ms, &shown(ms));
    format!("<span class=\"range\">{} – {}</span>", end("p10", interval.p10), end("p90", interval.p90))
}

/// Returns odds in per cent with their interval, a dash where they are unknown.
pub fn odds(at: &At, odds: Option<&Odds>) -> String {
    odds.map_or_else(
        || "–".to_owned(),
        |odds| {
            let part = |key: &str, share: f64| number(&at.key(key), share, &format::percent(share));
            let (low, high) = (part("low", odds.low), part("high", odds.high));
            format!("{} <span class=\"range brief\">{low} – {high}</span>", part("mean", odds.mean))
        },
    )
}

/// Returns a ratio as a change, with the ends of its interval, each by its key; a dash where it is unknown.
pub fn ratio(at: &At, parts: Option<[(&str, f64); 3]>) -> String {
    parts.map_or_else(
        || "–".to_owned(),
        |parts| {
            let [mid, low, high] = parts.map(|(key, ratio)| number(&at.key(key), ratio, &format::change(ratio)));
            format!("{mid} <span class=\"range\">{low} – {high}</span>")
        },
    )
}

/// Returns a moment to the minute, in universal time.
pub fn moment(at: &At, time: Timestamp) -> String {
    time_as(at, time, "%Y-%m-%d %H:%M UTC")
}

/// Returns the day of a moment, in universal time.
pub fn day(at: &At, time: Timestamp) -> String {
    time_as(at, time, "%Y-%m-%d")
}

/// Returns both ends of a span, as days where they differ, else with the time of day.
pub fn ends(first_at: &At, first: Timestamp, last_at: &At, last: Timestamp) -> [String; 2] {
    let day = |time: Timestamp| time.strftime("%Y-%m-%d").to_string();
    if day(first) == day(last) {
        return [moment(first_at, first), time_as(last_at, last, "%H:%M UTC")];
    }
    [self::day(first_at, first), self::day(last_at, last)]
}

fn time_as(at: &At, time: Timestamp, form: &str) -> String {
    format!("<time datetime=\"{time}\" {}>{}</time>", at.attribute(), time.strftime(form))
}

/// Returns a whole number with thin spaces between thousands.
fn grouped(value: u64) -> String {
    let digits = value.to_string();
    let mut shown = String::with_capacity(digits.len() + 4);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) && digits.len() > 4 {
            shown.push('\u{202f}');
        }
        shown.push(digit);
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_say_where_they_stand() {
        let at = At::default().key("repositories").item(3).key("duration_ms");
        assert_eq!(
            duration(&at, Some(1_234.5)),
            "<data value=\"1234.5\" data-at=\"/repositories/3/duration_ms\">1.2 s</data>"
        );
        assert_eq!(duration(&at, None), "–");
        let shown = |value| grouped(value).replace('\u{202f}', " ");
        assert_eq!([shown(7), shown(1_234), shown(12_345), shown(1_234_567)], ["7", "1234", "12 345", "1 234 567"]);
    }
}
