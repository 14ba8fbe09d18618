//! The changes of a plain series of numbers, in words.

use super::document::{Block, Document, Table, strong, words};
use super::format;
use crate::learn::change::Change;

/// Returns the page of the changes of a series of `n` numbers.
pub fn document(n: usize, changes: &[Change]) -> Document {
    let found = match changes.len() {
        0 => "No change".to_owned(),
        some => format::count(some as u64, "change"),
    };
    let lead = Block::Lead(vec![vec![strong(found), words(format!(" in {}.", format::count(n as u64, "number")))]]);
    let page = Document::default().with(lead);
    if changes.is_empty() {
        return page;
    }
    let mut table = Table::new(&[">at", ">before", ">after", ">difference", ">90 % interval", ">p-value"]);
    for change in changes {
        table.row([
            words(change.at.to_string()),
            words(number(change.before)),
            words(number(change.after)),
            words(number(change.after - change.before)),
            words(format!("{} – {}", number(change.low), number(change.high))),
            words(p_value(change.p_value)),
        ]);
    }
    page.with(Block::Table(table)).with(Block::Note(vec![words(
        "at: 0-based place of the first number after the change. before, after: medians of the segments on both sides. \
         p-value: at most, over all places.",
    )]))
}

/// Returns a probability as `0.012`, or `< 0.001`.
pub fn p_value(p: f64) -> String {
    if p < 0.001 { "< 0.001".to_owned() } else { format!("{p:.3}") }
}

/// Returns a number with four significant digits, from ten thousand on in groups of three: `13,020,000`.
pub fn number(value: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    if !(1e-4..1e15).contains(&value.abs()) {
        return format!("{value:.3e}");
    }
    let digits = 3 - exponent(value);
    if digits >= 0 {
        return format!("{value:.0$}", usize::try_from(digits).unwrap_or(0));
    }
    let unit = 10_f64.powi(-digits);
    let whole = format!("{:.0}", (value.abs() / unit).round() * unit);
    let mut shown = if value < 0.0 { "-".to_owned() } else { String::new() };
    for (place, digit) in whole.chars().enumerate() {
        if place > 0 && (whole.len() - place).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

#[expect(clippy::cast_possible_truncation, reason = "the exponent of a double fits")]
fn exponent(value: f64) -> i32 {
    if value == 0.0 { 0 } else { value.abs().log10().floor() as i32 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_four_digits() {
        for (value, shown) in [
            (0.0, "0"),
            (1234.5, "1234"),
            (9999.7, "10000"),
            (12_345.6, "12,350"),
            (-3_270_644.0, "-3,271,000"),
            (1.302e7, "13,020,000"),
            (12.3456, "12.35"),
            (-0.012_345, "-0.01235"),
            (2.5e9, "2,500,000,000"),
            (2.5e20, "2.500e20"),
            (1e-9, "1.000e-9"),
        ] {
            assert_eq!(number(value), shown);
        }
        assert_eq!((p_value(0.0123), p_value(1e-9)), ("0.012".to_owned(), "< 0.001".to_owned()));
    }
}
