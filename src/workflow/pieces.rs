//! A long file in pieces, since a parsed TOML text takes fifty times its bytes while it is read.

use std::ops::Range;

/// Bytes from which on a piece of a file ends where it can.
pub(super) const ENOUGH: usize = 32 << 10;

/// A line that begins so starts a step, unless it stands within a text over several lines.
const STEP: &str = "\n[[steps]]";

/// Returns the pieces of a long text: what stands before its first step, and then steps, `enough` bytes or a little more
/// each. `None` where one is enough.
///
/// If the pieces before a cut are valid TOML by themselves, the cut does not stand within a text over several lines, and
/// tables that follow it mean the same as they do in the whole. What means something else there is for the reader to
/// see: steps in the first piece, anything but steps in others.
pub(super) fn of(text: &str, enough: usize) -> Option<Vec<Range<usize>>> {
    if text.len() < 2 * enough {
        return None;
    }
    let mut ends: Vec<usize> = Vec::new();
    for (newline, _) in text.match_indices(STEP) {
        let end = newline + 1;
        if ends.last().is_none_or(|last| end - last >= enough) {
            ends.push(end);
        }
    }
    let begins = [0].into_iter().chain(ends.iter().copied());
    let pieces: Vec<Range<usize>> = begins.zip(ends.iter().copied().chain([text.len()])).map(|(a, b)| a..b).collect();
    (pieces.len() > 1).then_some(pieces)
}
