//! The forms in which programs write a value: base64, hex, URL, JSON, quoted.

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// Shortest part of an encoded value that is looked for, in characters; shorter ones stand in any text.
const SHORTEST: usize = 6;

const HEX: &[u8; 16] = b"0123456789abcdef";

/// Returns the value as it is and escaped, in the ways of JSON, HTML, shells and URLs.
pub(super) fn written(value: &str) -> BTreeSet<String> {
    let json = serde_json::to_string(value).unwrap_or_default();
    let json = json.trim_start_matches('"').strip_suffix('"').unwrap_or_default().to_owned();
    let ascii: String = json.chars().map(escaped_in_json).collect();
    let for_script = ascii.replace('&', "\\u0026").replace('<', "\\u003c").replace('>', "\\u003e");
    let html = value.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;");
    let every = |mark: fn(u8) -> String| value.bytes().map(mark).collect::<String>();
    let forms = [
        value.to_owned(),
        json.replace('/', "\\/"),
        json,
        ascii,
        for_script,
        html.replace('\'', "&#39;"),
        html.replace('\'', "&#x27;"),
        html,
        value.replace('\'', "'\\''"),
        value.escape_default().to_string(),
        value.escape_debug().to_string(),
        every(|byte| percent(byte, false, "%20")),
        every(|byte| percent(byte, true, "%20")),
        every(|byte| percent(byte, false, "+")),
        every(|byte| if b"!*'()".contains(&byte) { char::from(byte).into() } else { percent(byte, false, "%20") }),
    ];
    let doubled = forms[1..4].iter().map(|json| json.replace('\\', "\\\\")).collect::<Vec<_>>();
    forms.into_iter().chain(doubled).filter(|form| !form.is_empty()).collect()
}

/// Returns the value in hex of both cases.
pub(super) fn hex(value: &str) -> [String; 2] {
    let small = value.bytes().fold(String::new(), |mut hex, byte| {
        hex.push(char::from(HEX[usize::from(byte >> 4)]));
        hex.push(char::from(HEX[usize::from(byte & 15)]));
        hex
    });
    [small.to_ascii_uppercase(), small]
}

/// Returns the characters that base64 gives for the value in any text around it: one form for each of three places in
/// a group of three bytes, less the characters that its neighbours decide; in both alphabets.
pub(super) fn base64(value: &str) -> BTreeSet<String> {
    let mut forms = BTreeSet::new();
    for before in 0..3 {
        let bytes: Vec<u8> = std::iter::repeat_n(0, before).chain(value.bytes()).collect();
        let (first, past) = ((before * 8).div_ceil(6), bytes.len() * 8 / 6);
        if past < first + SHORTEST {
            continue;
        }
        for text in [STANDARD_NO_PAD.encode(&bytes), URL_SAFE_NO_PAD.encode(&bytes)] {
            forms.insert(text[first..past].to_owned());
        }
    }
    forms
}

fn escaped_in_json(letter: char) -> String {
    if letter.is_ascii() {
        return letter.into();
    }
    let units: Vec<String> = letter.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect();
    units.concat()
}

/// RFC 3986, section 2.3: all but letters, digits and four marks.
fn percent(byte: u8, small: bool, space: &str) -> String {
    match byte {
        b' ' => space.to_owned(),
        _ if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) => char::from(byte).into(),
        _ if small => format!("%{byte:02x}"),
        _ => format!("%{byte:02X}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_found_wherever_it_starts() {
        let forms = base64("correct horse");
        for around in ["", "a", "ab", "abc", "user:"] {
            let text = STANDARD_NO_PAD.encode(format!("{around}correct horse{around}"));
            assert!(forms.iter().any(|form| text.contains(form.as_str())), "{text}: {forms:?}");
        }
    }
}
