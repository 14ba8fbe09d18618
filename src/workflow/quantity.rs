//! Quantities as people write them: `20m`, `1h 30m`, `2GiB`.

use std::time::Duration;

use jiff::SignedDuration;

/// Longest time that a file may ask for: 30 days.
const LONGEST: Duration = Duration::from_hours(30 * 24);

/// Returns the duration that a text such as `90s`, `20m`, `1h 30m` or `500ms` means.
///
/// # Errors
/// What is wrong, as a fragment that follows the key's name.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("is `{}`, a time such as \"90s\", \"20m\" or \"1h 30m\" is expected", text.escape_debug());
    if text.starts_with('P') || text.len() > 64 {
        return Err(wrong());
    }
    let signed: SignedDuration = text.parse().map_err(|_| wrong())?;
    let duration = Duration::try_from(signed).map_err(|_| wrong())?;
    if duration > LONGEST { Err(format!("is `{text}`, longer than the limit of 30 days")) } else { Ok(duration) }
}

/// Returns the bytes that a text such as `2GiB`, `512MiB` or `1.5 GB` means.
///
/// # Errors
/// What is wrong, as a fragment that follows the key's name.
pub(super) fn bytes(text: &str) -> Result<u64, String> {
    let wrong = || format!("is `{}`, a size such as \"512MiB\" or \"2GiB\" is expected", text.escape_debug());
    let end = text.find(|char: char| !char.is_ascii_digit() && char != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let factor: f64 = match unit.trim() {
        "B" => 1.0,
        "kB" | "KB" => 1e3,
        "MB" => 1e6,
        "GB" => 1e9,
        "TB" => 1e12,
        "KiB" => 1024.0,
        "MiB" => 1024.0 * 1024.0,
        "GiB" => 1024.0 * 1024.0 * 1024.0,
        "TiB" => 1024.0 * 1024.0 * 1024.0 * 1024.0,
        _ => return Err(wrong()),
    };
    let bytes = number.parse::<f64>().map_err(|_| wrong())? * factor;
    if !(1.0..=1e15).contains(&bytes) {
        return Err(wrong());
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 1 and 1e15 by the check")]
    Ok(bytes.round() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        for (text, seconds) in [
            ("90s", Some(90.0)),
            ("20m", Some(1200.0)),
            ("1h 30m", Some(5400.0)),
            ("1h30m", Some(5400.0)),
            ("500ms", Some(0.5)),
            ("0s", Some(0.0)),
            ("-5s", None),
            ("20", None),
            ("", None),
            ("soon", None),
            ("PT5S", None),
            ("9999h", None),
        ] {
            assert_eq!(duration(text).ok().map(|duration| duration.as_secs_f64()), seconds, "{text}");
        }
    }

    #[test]
    fn sizes() {
        for (text, size) in [
            ("2GiB", Some(2 << 30)),
            ("512 MiB", Some(512 << 20)),
            ("1.5GB", Some(1_500_000_000)),
            ("100B", Some(100)),
            ("2", None),
            ("GiB", None),
            ("1.2.3GiB", None),
            ("-1GiB", None),
            ("0B", None),
            ("99999999TiB", None),
            ("2gib", None),
        ] {
            assert_eq!(bytes(text).ok(), size, "{text}");
        }
    }
}
