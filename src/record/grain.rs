//! The grain of stored numbers: no finer than what was measured is sure, in binary fractions, so that the bits that
//! would be noise are zeros that compress.

/// Returns a measured time in milliseconds to 16 significant bits, at most to a sixteenth of a millisecond.
///
/// Starting a process varies by more than that, and 16 bits are 0.001 % of anything longer.
pub fn measured_ms(ms: f64) -> f64 {
    significant((ms * 16.0).round() / 16.0, 16)
}

/// Returns a predicted quantity to 10 significant bits, which is 0.1 %.
pub fn predicted(value: f64) -> f64 {
    significant(value, 10)
}

/// Rounds to `bits` significant bits; what is not finite stays as it is.
fn significant(value: f64, bits: u32) -> f64 {
    let noise = 52 - bits;
    let half = 1_u64 << (noise - 1);
    if value.is_finite() {
        // A carry out of the mantissa goes into the exponent, which is just what rounding up means there.
        f64::from_bits((value.to_bits() + half) >> noise << noise)
    } else {
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_to_the_grain() {
        let check = |ms: f64, expected: f64| assert_eq!(measured_ms(ms).to_bits(), expected.to_bits(), "{ms}");
        check(0.0, 0.0);
        check(0.02, 0.0);
        check(46.072_437, 46.0625);
        check(1_023.99, 1_024.0);
        check(600_123.456, 600_120.0);
        assert!(measured_ms(f64::NAN).is_nan());
        for value in [1e-9, 0.2, 0.95, 17.3, 1e12] {
            assert!((predicted(value) / value - 1.0).abs() < 0.001, "{value}");
            assert_eq!(predicted(value).to_bits().trailing_zeros().min(42), 42, "{value}");
        }
    }
}
