//! Looks into what is written in percent signs, escapes, base64 or hex.

use std::ops::Range;

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::redactor::{Span, Unchecked, Why};

/// Shortest run of base64 or hex that is decoded, in characters.
const SHORTEST: usize = 24;

/// Base64 whose last bits and padding are as they come: what was cut off from a log is decoded too.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Returns what `find` finds in decoded views of `text`, in the places of `text` that hold it.
///
/// # Errors
/// Whatever `find` says.
pub(super) fn spans(text: &str, find: impl Fn(&str) -> Result<Vec<Span>, Unchecked>) -> Result<Vec<Span>, Unchecked> {
    let mut spans = Vec::new();
    for (mark, decode) in [('%', percent as fn(&str) -> (String, Vec<usize>)), ('\\', escapes)] {
        if !text.contains(mark) {
            continue;
        }
        let (view, places) = decode(text);
        if view != text {
            spans.extend(find(&view)?.into_iter().map(|(range, why)| (placed(&range, &places), why)));
        }
    }
    for range in runs(text) {
        if let Some(view) = decoded(&text[range.clone()])
            && !find(&view)?.is_empty()
        {
            spans.push((range, Why::Secret));
        }
    }
    Ok(spans)
}

/// Returns the range of the text that a range of its view came from; letters decoded together go together.
fn placed(range: &Range<usize>, places: &[usize]) -> Range<usize> {
    let last = places[range.end.saturating_sub(1)];
    let end = places[range.end..].iter().copied().find(|place| *place > last);
    places[range.start]..end.unwrap_or(last)
}

/// Returns `text` without percent signs (RFC 3986), and for each of its bytes, and its end, the place in `text`.
///
/// What decodes to no UTF-8 stays as it is.
pub(super) fn percent(text: &str) -> (String, Vec<usize>) {
    decode(text, |rest| {
        let mut bytes = Vec::new();
        let mut used = 0;
        while rest[used..].first() == Some(&b'%') {
            let Some(byte) = rest.get(used + 1..used + 3).and_then(byte) else { break };
            bytes.push(byte);
            used += 3;
        }
        String::from_utf8(bytes).ok().map(|letters| (letters, used))
    })
}

/// Returns `text` without the escapes of JSON and most languages, and the places as [`percent`] does.
fn escapes(text: &str) -> (String, Vec<usize>) {
    decode(text, |rest| {
        if rest.first() != Some(&b'\\') {
            return None;
        }
        let letter = match rest.get(1)? {
            b'n' | b'r' => '\n',
            b't' => '\t',
            b'u' => char::from_u32(u32::from(byte(rest.get(2..4)?)?) << 8 | u32::from(byte(rest.get(4..6)?)?))?,
            b'x' => char::from(byte(rest.get(2..4)?).filter(u8::is_ascii)?),
            sign @ (b'"' | b'\'' | b'\\' | b'/' | b'`' | b'$' | b'&' | b'=' | b':' | b' ') => char::from(*sign),
            _ => return None,
        };
        Some((
            letter.into(),
            match rest[1] {
                b'u' => 6,
                b'x' => 4,
                _ => 2,
            },
        ))
    })
}

/// Writes what `step` makes of the bytes at each place, or the letter that stands there.
fn decode(text: &str, step: impl Fn(&[u8]) -> Option<(String, usize)>) -> (String, Vec<usize>) {
    let (mut view, mut places) = (String::with_capacity(text.len()), Vec::with_capacity(text.len() + 1));
    let mut at = 0;
    while let Some(letter) = text[at..].chars().next() {
        let (letters, used) = step(&text.as_bytes()[at..])
            .filter(|(_, used)| *used > 0)
            .unwrap_or_else(|| (letter.into(), letter.len_utf8()));
        places.extend(std::iter::repeat_n(at, letters.len()));
        view.push_str(&letters);
        at += used;
    }
    places.push(text.len());
    (view, places)
}

fn byte(digits: &[u8]) -> Option<u8> {
    u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

/// Returns the runs of characters that may be base64 or hex.
fn runs(text: &str) -> Vec<Range<usize>> {
    let mut runs = Vec::new();
    let mut start = 0;
    let bytes = text.as_bytes();
    for at in 0..=bytes.len() {
        if bytes.get(at).is_some_and(|byte| byte.is_ascii_alphanumeric() || b"+/-_".contains(byte)) {
            continue;
        }
        if at - start >= SHORTEST {
            let padding = bytes[at..].iter().take(2).take_while(|byte| **byte == b'=').count();
            runs.push(start..at + padding);
        }
        start = at + 1;
    }
    runs
}

/// Returns the text in a run of hex or base64, where it is one that people read.
fn decoded(run: &str) -> Option<String> {
    let run = run.trim_end_matches('=');
    let hex = run.bytes().all(|byte| byte.is_ascii_hexdigit()).then(|| {
        let pairs = run.as_bytes().chunks_exact(2);
        pairs.filter_map(byte).collect::<Vec<u8>>()
    });
    let standard: String = run
        .chars()
        .map(|letter| {
            if letter == '-' {
                '+'
            } else if letter == '_' {
                '/'
            } else {
                letter
            }
        })
        .collect();
    // One character of a group of four holds no byte.
    let whole = &standard[..standard.len() - usize::from(standard.len() % 4 == 1)];
    let readable = |bytes: &Vec<u8>| {
        bytes.iter().all(|byte| (b' '..=b'~').contains(byte) || b"\r\n\t".contains(byte) || *byte >= 0x80)
    };
    let candidates = hex.into_iter().chain(LENIENT.decode(whole).ok());
    candidates.filter(readable).find_map(|bytes| String::from_utf8(bytes).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_point_into_the_text() {
        for (text, view) in [("a%2Fb%C3%BC%zz%4", "a/bü%zz%4"), ("%ff", "%ff"), ("100%", "100%")] {
            let (got, places) = percent(text);
            assert_eq!(got, view);
            assert_eq!(places.len(), got.len() + 1);
        }
        let (view, places) = escapes("say \\\"hi\\\" \\u0026 \\q");
        assert_eq!(view, "say \"hi\" & \\q");
        assert_eq!(places[view.find('h').expect("there")], 6);
    }

    #[test]
    fn only_text_is_decoded() {
        assert_eq!(decoded("dGhpcyBpcyByZWFkYWJsZSB0ZXh0").as_deref(), Some("this is readable text"));
        assert_eq!(decoded("7468697320697320726561"), Some("this is rea".to_owned()));
        assert_eq!(decoded("usr/local/lib/python3/site-packages/x"), None);
        assert_eq!(decoded("da39a3ee5e6b4b0d3255bfef95601890afd80709"), None);
    }
}
