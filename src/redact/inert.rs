//! Strangers' text made inert: it can be read, but neither a terminal, a CI's log nor a Markdown page obeys it.

use std::borrow::Cow;
use std::fmt::Write;

/// Longest name shown in a page, in characters.
const LONGEST: usize = 100;

/// What opens a group of Buildkite at the start of a log's line.
const GROUPS: [&str; 4] = ["--- ", "+++ ", "~~~ ", "^^^ +++"];

/// What opens a command of GitHub (`##[add-mask]`), Azure (`##vso[`) and `TeamCity` wherever it stands in a log's line.
const COMMAND: &str = "##";

/// Returns `text` as one line that no terminal and no CI obeys and that hides nothing.
///
/// Control characters (line ends and tabs too), characters that turn the direction of text, invisible ones and tag
/// characters are written as `\n` or `\u{1b}`; so is the first letter of what a CI would take for a command: `##`
/// anywhere and `::` at the start.
pub fn terminal(text: &str) -> Cow<'_, str> {
    let start = text.len() - text.trim_start().len();
    let is_command = text[start..].starts_with("::");
    if !is_command && !text.contains(COMMAND) && !text.chars().any(obeyed) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for (at, letter) in text.char_indices() {
        if obeyed(letter) {
            shown.extend(letter.escape_default());
        } else if (is_command && at == start) || text[at..].starts_with(COMMAND) {
            shown.extend(letter.escape_unicode());
        } else {
            shown.push(letter);
        }
    }
    Cow::Owned(shown)
}

/// Returns text of several lines with each of them made inert by [`terminal`], and a space before what a CI obeys at the
/// start of a line only: a name that was harmless within one may have come to stand there.
pub fn lines(text: &str) -> String {
    let groups = |line: &str| GROUPS.iter().any(|group| line.starts_with(group));
    let lines = text.lines().map(terminal);
    lines.map(|line| if groups(&line) { format!(" {line}") } else { line.into_owned() }).collect::<Vec<_>>().join("\n")
}

/// Returns a cell of a CSV file: in quotes (RFC 4180), on one line, and with a `'` before what a spreadsheet would
/// compute (OWASP, CSV Injection).
pub fn cell(text: &str) -> String {
    let text = terminal(text);
    let computed = text.trim_start().starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠']);
    format!("\"{}{}\"", if computed { "'" } else { "" }, text.replace('"', "\"\""))
}

/// Returns JSON that says the same, with what a terminal or a CI would obey as JSON's own escapes.
pub fn json(text: &str) -> Cow<'_, str> {
    let live = |letter: char| letter != '\n' && obeyed(letter);
    if !text.contains(COMMAND) && !text.chars().any(live) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for (at, letter) in text.char_indices() {
        if live(letter) || text[at..].starts_with(COMMAND) {
            for unit in letter.encode_utf16(&mut [0; 2]) {
                let _ = write!(shown, "\\u{unit:04x}");
            }
        } else {
            shown.push(letter);
        }
    }
    Cow::Owned(shown)
}

/// Returns a name as a Markdown code span that keeps its meaning in prose, lists and table cells.
///
/// Within a code span no forge looks for mentions, issue numbers, links or HTML; what could end the span, the cell or
/// open another tool's comment marker is written as `\u{60}`. Longer names end in `…`.
pub fn markdown(text: &str) -> String {
    let mut shown = String::from("`");
    let mut letters = terminal(text).into_owned().chars().collect::<Vec<_>>();
    if letters.len() > LONGEST {
        letters.truncate(LONGEST - 1);
        letters.push('…');
    }
    for (at, letter) in letters.iter().enumerate() {
        let comment = *letter == '<' && letters.get(at + 1) == Some(&'!');
        if matches!(letter, '`' | '|') || comment {
            shown.extend(letter.escape_unicode());
        } else {
            shown.push(*letter);
        }
    }
    // An empty span, or one of spaces only, would be no span.
    if shown.trim_start_matches(['`', ' ']).is_empty() {
        return "`(empty)`".to_owned();
    }
    shown.push('`');
    shown
}

/// Returns a sentence that may quote strangers' names as Markdown text that means only itself.
///
/// Punctuation that Markdown or HTML gives a meaning becomes a numeric entity. Forges look for mentions, issue numbers
/// and addresses in the finished text, so a zero-width space parts those.
pub fn prose(text: &str) -> String {
    let text = terminal(text);
    let mut shown = String::with_capacity(text.len() + 16);
    let mut word = String::new();
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        let active = matches!(
            letter,
            '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '<' | '>' | '#' | '!' | '|' | '~' | '&' | '@' | '$'
        );
        let opens_a_list = matches!(letter, '-' | '+' | '=' | '.' | ')')
            && shown.len() == word.len()
            && letters.peek().is_none_or(|next| next.is_whitespace() || *next == letter)
            && word.chars().all(|letter| letter.is_ascii_digit());
        let parted = matches!(letter, '@' | '#')
            || (letter == ':' && letters.peek() == Some(&'/'))
            || (letter == '.' && word.eq_ignore_ascii_case("www"))
            || (letter == '-' && word.eq_ignore_ascii_case("gh"));
        if active || opens_a_list || parted {
            let _ = write!(shown, "&#{};", u32::from(letter));
        } else {
            shown.push(letter);
        }
        if parted {
            shown.push_str("&#8203;");
        }
        if letter.is_alphanumeric() {
            word.push(letter);
        } else {
            word.clear();
        }
    }
    shown
}

/// Returns whether a terminal obeys the character, or a person cannot see it.
fn obeyed(letter: char) -> bool {
    letter.is_control()
        || matches!(
            letter,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            // The last variation selector is kept: it only asks for an emoji's colours.
            | '\u{3164}' | '\u{fe00}'..='\u{fe0e}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
            | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_obeys_nothing() {
        for (text, shown) in [
            ("cargo test ü 名 ⚠️", "cargo test ü 名 ⚠️"),
            ("a\nb\tc\rd", "a\\nb\\tc\\rd"),
            ("\u{1b}[31mred", "\\u{1b}[31mred"),
            ("\u{1b}]0;title\u{7}", "\\u{1b}]0;title\\u{7}"),
            ("c1\u{9b}31m", "c1\\u{9b}31m"),
            ("abc\u{202e}dcb", "abc\\u{202e}dcb"),
            ("zero\u{200b}width\u{feff}", "zero\\u{200b}width\\u{feff}"),
            ("tag\u{e0041}", "tag\\u{e0041}"),
            (" ::error::x", " \\u{3a}:error::x"),
            ("a ::b C#", "a ::b C#"),
            ("a ##[add-mask]b", "a \\u{23}#[add-mask]b"),
        ] {
            assert_eq!(terminal(text), shown);
        }
    }

    #[test]
    fn json_says_the_same_and_is_obeyed_by_nothing() {
        let said = "\u{9b}1m \u{202e} \u{e0041} ##[group] ### :: ä";
        let text = serde_json::to_string_pretty(&[said]).expect("JSON");
        let shown = json(&text);
        assert!(!shown.contains(COMMAND) && !shown.chars().any(|letter| letter != '\n' && obeyed(letter)), "{shown}");
        assert_eq!(serde_json::from_str::<[String; 1]>(&shown).expect("JSON"), [said]);
        assert_eq!(lines("a\u{1b}\n::b"), "a\\u{1b}\n\\u{3a}:b");
        assert_eq!(lines("+++ a\n--- \n---\n --- b\n^^^ +++\n"), " +++ a\n --- \n---\n --- b\n ^^^ +++");
    }

    #[test]
    fn a_spreadsheet_computes_nothing() {
        for (text, shown) in [
            ("a b", "\"a b\""),
            ("=1+1", "\"'=1+1\""),
            (" @SUM(1)", "\"' @SUM(1)\""),
            ("-2\"+3", "\"'-2\"\"+3\""),
            ("\t+1\r\n=2", "\"\\t+1\\r\\n=2\""),
            ("1-1", "\"1-1\""),
        ] {
            assert_eq!(cell(text), shown);
        }
    }

    #[test]
    fn a_name_stays_a_name_in_markdown() {
        for (text, shown) in [
            ("build", "`build`"),
            ("a|b", "`a\\u{7c}b`"),
            ("a`b``c", "`a\\u{60}b\\u{60}\\u{60}c`"),
            ("<script>alert(1)</script>", "`<script>alert(1)</script>`"),
            ("<!-- other:marker -->", "`\\u{3c}!-- other:marker -->`"),
            ("@team fixes #1", "`@team fixes #1`"),
            ("a\n\n# b", "`a\\n\\n# b`"),
            ("", "`(empty)`"),
            ("  ", "`(empty)`"),
        ] {
            assert_eq!(markdown(text), shown);
        }
        assert!(markdown(&"x".repeat(5_000)).chars().count() <= LONGEST + 2);
    }

    #[test]
    fn a_sentence_means_only_itself() {
        for (text, shown) in [
            ("test fails 3 of 10 times (n = 10)", "test fails 3 of 10 times (n = 10)"),
            ("ask @team", "ask &#64;&#8203;team"),
            ("fixes #1, GH-7", "fixes &#35;&#8203;1, GH&#45;&#8203;7"),
            ("at: http://a.b www.c.d", "at: http&#58;&#8203;//a.b www&#46;&#8203;c.d"),
            ("[x](y) <b> `c` a|b", "&#91;x&#93;(y) &#60;b&#62; &#96;c&#96; a&#124;b"),
            ("&amp; \\ **", "&#38;amp; &#92; &#42;&#42;"),
            ("- a - b", "&#45; a - b"),
            ("12. a 1.5", "12&#46; a 1.5"),
            ("1.5 s", "1.5 s"),
            ("+50 %", "+50 %"),
            ("---", "&#45;--"),
        ] {
            assert_eq!(prose(text), shown);
        }
    }
}
