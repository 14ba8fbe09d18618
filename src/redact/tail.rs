//! The last lines of a step's output, readable and inert, for the place where a failure is told.

use super::{Redactor, inert};

/// Longest line shown, in characters.
const LONGEST: usize = 400;

/// Returns the last `count` lines of `output` that hold text, cleaned, without colours, each inert on a terminal.
///
/// Of a line that redraws itself with carriage returns only the last drawing is kept. Bytes that are no UTF-8 become
/// the replacement character; a line longer than 400 characters keeps its start. All of `output` is cleaned before
/// anything of it is cut away, for half a secret is recognised by nobody.
pub fn last_lines(output: &[u8], count: usize, redactor: &Redactor) -> Vec<String> {
    let text = String::from_utf8_lossy(output);
    let drawn: Vec<String> = text.lines().map(drawn).collect();
    let cleaned = redactor.clean(&drawn.join("\n")).into_owned();
    let mut lines: Vec<String> =
        cleaned.lines().rev().map(readable).filter(|line| !line.trim().is_empty()).take(count).collect();
    lines.reverse();
    lines
}

/// Returns what is left on the screen of a line: its last drawing, without colours.
pub(super) fn drawn(line: &str) -> String {
    let line = line.trim_end_matches('\r');
    without_sequences(line.rsplit('\r').next().unwrap_or(line))
}

fn readable(line: &str) -> String {
    let plain = line.replace('\t', "    ");
    let shown = inert::terminal(plain.trim_end());
    match shown.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &shown[..end]),
        None => shown.into_owned(),
    }
}

/// Takes out whole terminal sequences (ECMA-48: CSI to its final byte, OSC to BEL or ST); a torn one stays and is
/// escaped later.
fn without_sequences(line: &str) -> String {
    let mut kept = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = rest.find('\u{1b}') {
        kept.push_str(&rest[..at]);
        let sequence = &rest[at..];
        let length = sequence_length(sequence);
        if length == 0 {
            kept.push('\u{1b}');
            rest = &sequence[1..];
        } else {
            rest = &sequence[length..];
        }
    }
    kept.push_str(rest);
    kept
}

/// Returns the bytes of the sequence at the start of `text`, or 0 where it has no end.
fn sequence_length(text: &str) -> usize {
    let body = &text[1..];
    if let Some(parameters) = body.strip_prefix('[') {
        let end = parameters.find(|letter: char| !(' '..='?').contains(&letter));
        return end.filter(|end| (b'@'..=b'~').contains(&parameters.as_bytes()[*end])).map_or(0, |end| end + 3);
    }
    if let Some(command) = body.strip_prefix(']') {
        let bell = command.find('\u{7}').map(|end| end + 3);
        let terminator = command.find("\u{1b}\\").map(|end| end + 4);
        return bell.into_iter().chain(terminator).min().unwrap_or(0);
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_readable_and_inert() {
        for (output, shown) in [
            (&b"one\ntwo\n\nthree\n"[..], vec!["two", "three"]),
            (b"\x1b[1;31merror\x1b[0m: no\n", vec!["error: no"]),
            (b"\x1b]8;;http://x\x1b\\link\x1b]8;;\x07\n", vec!["link"]),
            (b"10%\r50%\r100%\r\ndone", vec!["100%", "done"]),
            (b"torn \x1b[31", vec!["torn \\u{1b}[31"]),
            (b"a\tb\xff\x00", vec!["a    b\u{fffd}\\u{0}"]),
            (b"", vec![]),
            // The token of a GitHub user, with colours in the middle of it.
            (b"ghp_\x1b[1m0a1B2c3D4e5F6g7H8i9J\x1b[0m0k1L2m3N4o5P6q7R end", vec!["[secret] end"]),
        ] {
            assert_eq!(last_lines(output, 2, &Redactor::default()), shown);
        }
        assert_eq!(last_lines("ü".repeat(1_000).as_bytes(), 1, &Redactor::default())[0].chars().count(), LONGEST + 1);
    }
}
