//! Seeded damage: bytes, numbers, words, brackets and repetitions, as a stranger would do it who knows the format.

use std::ops::Range;

use fastrand::Rng;

/// Mutants grow no further, in bytes.
pub const LARGEST: usize = 1 << 20;

/// Numbers at which readers stumble.
const NUMBERS: [&str; 14] = [
    "0",
    "-1",
    "1e999",
    "-0.0",
    "1e-320",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551616",
    "4294967295",
    "2147483648",
    "99999999999999999999999999999999999999",
    "0x7fffffffffffffff",
    "nan",
    "inf",
];

/// Bytes that mean something to some format.
const WORDS: [&[u8]; 34] = [
    b"\0",
    b"\xff",
    b"\n",
    b"\r",
    b"\t",
    b"\"",
    b"'",
    b"\"\"\"",
    b"\\u0000",
    b"\\ud800",
    b"\xef\xbb\xbf",
    "\u{202e}".as_bytes(),
    "\u{1b}]0;x\u{7}".as_bytes(),
    b"[",
    b"]",
    b"{",
    b"}",
    b"[[",
    b"=",
    b",",
    b":",
    b"{{",
    b"}}",
    b"{{a}}",
    b"null",
    b"true",
    b"<a>",
    b"</testsuite>",
    b"<!DOCTYPE a [<!ENTITY b \"c\">]>",
    b"&b;",
    b"<![CDATA[",
    b"\x1f\x8b\x08\0\0\0\0\0",
    b"# ninja log v7\n",
    b"PAR1",
];

/// Returns `sample`, changed one to six times; `other` is a second sample to take parts of.
pub fn mutate(sample: &[u8], other: &[u8], random: &mut Rng) -> Vec<u8> {
    let mut bytes = sample.to_vec();
    for _ in 0..random.usize(1..=6) {
        change(&mut bytes, other, random);
        bytes.truncate(LARGEST);
    }
    bytes
}

fn change(bytes: &mut Vec<u8>, other: &[u8], random: &mut Rng) {
    let at = place(bytes, random);
    let range = at..(at + random.usize(1..=64)).min(bytes.len());
    match random.u8(0..12) {
        0 | 1 if !range.is_empty() => bytes[at] ^= 1 << random.u8(0..8),
        2 if !range.is_empty() => bytes[at] = *random.choice(&[0, 1, 0x7f, 0x80, 0xff, b'0', b'9']).expect("some"),
        // Four bytes that count something huge, or go on for ever.
        3 if range.len() >= 5 => bytes[at..at + 5].copy_from_slice(&[0xff, 0xff, 0xff, 0xff, random.u8(0..0x80)]),
        4 => drop(bytes.drain(range)),
        5 => bytes.truncate(at),
        6 => {
            let from = place(other, random);
            let taken = &other[from..(from + random.usize(1..=200)).min(other.len())];
            replace(bytes, at..at, taken);
        }
        7 | 8 => {
            let word = random.choice(WORDS).expect("some");
            replace(bytes, at..at, word);
        }
        9 => number(bytes, at, random),
        10 => repeat(bytes, range, random),
        _ => nest(bytes, at, random),
    }
}

/// Returns a place; often near the end, where a segment keeps its footer.
fn place(bytes: &[u8], random: &mut Rng) -> usize {
    let from = if random.bool() { bytes.len().saturating_sub(4_000) } else { 0 };
    random.usize(from..=bytes.len())
}

/// Puts another number for the next one.
fn number(bytes: &mut Vec<u8>, at: usize, random: &mut Rng) {
    let Some(start) = bytes[at..].iter().position(u8::is_ascii_digit).map(|start| at + start) else { return };
    let end = bytes[start..].iter().position(|byte| !byte.is_ascii_digit()).map_or(bytes.len(), |end| start + end);
    let number = random.choice(NUMBERS).expect("some");
    replace(bytes, start..end, number.as_bytes());
}

/// Repeats a part, few or very many times.
fn repeat(bytes: &mut Vec<u8>, range: Range<usize>, random: &mut Rng) {
    let part = bytes[range.clone()].to_vec();
    let room = LARGEST.saturating_sub(bytes.len()) / part.len().max(1);
    let times = if random.u8(0..8) == 0 { room } else { random.usize(1..20).min(room) };
    replace(bytes, range.end..range.end, &part.repeat(times));
}

/// Opens something very often.
fn nest(bytes: &mut Vec<u8>, at: usize, random: &mut Rng) {
    let opening: &[u8] =
        random.choice([&b"["[..], b"{\"a\":", b"[[", b"{a=", b"a.", b"<a>", b"{{", b"("]).expect("some");
    let times = *random.choice(&[3, 90, 130, 2_000, 60_000]).expect("some");
    let part = opening.repeat(times.min(LARGEST / opening.len()));
    replace(bytes, at..at, &part);
}

/// Puts `part` in place of a range; as whole pieces, for byte by byte is slow in a build that is not optimised.
fn replace(bytes: &mut Vec<u8>, range: Range<usize>, part: &[u8]) {
    let rest = bytes.split_off(range.end);
    bytes.truncate(range.start);
    bytes.extend_from_slice(part);
    bytes.extend_from_slice(&rest);
}
