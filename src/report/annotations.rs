//! What a page claims as GitHub's workflow commands: few, short, and inert.

use super::compare::{Comparison, FailureVerdict};
use super::document::{Line, Piece};
use crate::redact::inert;

/// Annotations of one level that GitHub shows of a step (docs.github.com, workflow commands and checks: 10 of each).
const MOST: usize = 10;
/// Longest message in characters; GitHub cuts at 64 KiB, people earlier.
const LONGEST: usize = 300;

/// Returns one command a line for every claim: an error for what fails now or more often, a warning for the others.
///
/// Where there are more than GitHub shows, the last one says how many are not shown.
pub fn annotations(page: &Comparison) -> String {
    let (mut errors, mut warnings) = (Vec::new(), Vec::new());
    for (line, change) in page.claims_in_words() {
        let fails = matches!(change.failure, FailureVerdict::NewFailure | FailureVerdict::MoreFailures);
        if fails { &mut errors } else { &mut warnings }.push(plain(&line));
    }
    [("error", errors), ("warning", warnings)].map(|(level, lines)| commands(level, lines)).concat()
}

fn commands(level: &str, mut lines: Vec<String>) -> String {
    if lines.len() > MOST {
        let more = lines.len() - (MOST - 1);
        lines.truncate(MOST - 1);
        lines.push(format!("{more} more claims stand in the summary"));
    }
    let command = |line: String| format!("::{level} title={}::{}\n", property("meow report"), data(&line));
    lines.into_iter().map(command).collect::<Vec<_>>().concat()
}

/// Returns a message: what ends a line or begins a command is encoded.
fn data(text: &str) -> String {
    let shown: String = inert::terminal(text).chars().take(LONGEST).collect();
    shown.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// Returns the value of a property.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

fn plain(line: &Line) -> String {
    let piece = |piece: &Piece| match piece {
        Piece::Text(text) | Piece::Strong(text) => text.clone(),
        Piece::Name(name) => format!("`{name}`"),
    };
    line.iter().map(piece).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_hold_only_what_they_say() {
        assert_eq!(
            commands("warning", vec!["a\n::error::b 5 %".into()]),
            "::warning title=meow report::a\\n::error::b 5 %25\n"
        );
        assert_eq!(property("a:b,c%\r"), "a%3Ab%2Cc%25\\r");
        let many = commands("error", (0..25).map(|place| format!("claim {place}")).collect());
        assert_eq!(many.lines().count(), 10);
        assert!(many.ends_with("::16 more claims stand in the summary\n"), "{many}");
        assert!(data(&"x".repeat(5_000)).len() <= LONGEST);
    }
}
