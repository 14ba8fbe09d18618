//! How deeply a TOML text nests, asked before it is parsed: a parser that calls itself for each depth ends the process
//! where that is too much.
//!
//! The parser of the `toml` crate has a limit of its own, but counts a bracket that closes nothing as one depth less
//! (`toml_parser` 1.1.5), so that a text with enough of them nests as deeply as it likes.

use toml_parser::Source;
use toml_parser::lexer::TokenKind;

/// The limit of the `toml` crate, and the two brackets of a table's name.
const DEEPEST: usize = 82;

/// Returns the byte at which a text nests deeper than any file of meow's; `None` where it never does.
///
/// A bracket that closes another kind than the innermost open one closes nothing, as for the parser: what that has open is
/// never more than what is counted here.
pub fn too_deep(text: &str) -> Option<usize> {
    // Most files do not hold so many brackets at all.
    if text.bytes().filter(|byte| matches!(byte, b'[' | b'{')).count() <= DEEPEST {
        return None;
    }
    let mut open = Vec::with_capacity(DEEPEST);
    for token in Source::new(text).lex() {
        match token.kind() {
            TokenKind::LeftSquareBracket => open.push(TokenKind::RightSquareBracket),
            TokenKind::LeftCurlyBracket => open.push(TokenKind::RightCurlyBracket),
            kind if open.last() == Some(&kind) => drop(open.pop()),
            _ => {}
        }
        if open.len() > DEEPEST {
            return Some(token.span().start());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_that_close_nothing_take_no_depth_away() {
        let deep = |before: &str, part: &str, times: usize| format!("a = {before}{}", part.repeat(times));
        for (text, found) in [
            (deep("", "[", 80), false),
            (deep("", "[", 83), true),
            (deep("", "{a=", 83), true),
            (deep("{", "[],", 10_000), false),
            (deep(&format!("{{{}a=", "[]".repeat(10_000)), "{a=", 100), true),
            (deep(&"[}".repeat(50), "[", 50), true),
            (deep("", "'''[[[{{{'''\na1 = ", 1_000), false),
            ("[[steps]]\nneeds = [\"a\"]\nenv = { A = \"{{[\" }\n".repeat(10_000), false),
        ] {
            let at = too_deep(&text);
            assert_eq!(at.is_some(), found, "{} bytes from {:?}", text.len(), &text[..20]);
            assert!(at.is_none_or(|at| matches!(text.as_bytes()[at], b'[' | b'{')));
        }
    }
}
