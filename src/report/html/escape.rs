//! Strangers' text made inert in HTML: it is read, and never obeyed.

use crate::redact::inert;

/// Longest name shown, in characters; the whole name stands in a title.
const LONGEST: usize = 60;

/// Returns `text` for the inside of an element or of a quoted attribute.
///
/// Control characters, invisible ones and those that turn the direction of text are written as `\u{1b}` first, so that
/// nothing hides; then what HTML gives a meaning becomes an entity.
pub fn text(text: &str) -> String {
    let shown = inert::terminal(text);
    let mut escaped = String::with_capacity(shown.len() + 8);
    for letter in shown.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

/// Returns a name that someone else gave, set apart from the words around it: `bdi` keeps its direction to itself.
///
/// A long one is cut, and told whole where one points at it.
pub fn name(given: &str) -> String {
    if given.trim().is_empty() {
        return "<bdi class=\"name\">(empty)</bdi>".to_owned();
    }
    if given.chars().count() <= LONGEST {
        return format!("<bdi class=\"name\">{}</bdi>", text(given));
    }
    let cut: String = given.chars().take(LONGEST - 1).collect();
    let whole: String = given.chars().take(1_000).collect();
    format!("<bdi class=\"name\" title=\"{}\">{}…</bdi>", text(&whole), text(&cut))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_obeyed() {
        for (given, shown) in [
            ("build", "build"),
            ("</title><script>alert(1)</script>", "&lt;/title&gt;&lt;script&gt;alert(1)&lt;/script&gt;"),
            ("\" onload=\"x", "&quot; onload=&quot;x"),
            ("' x='", "&#39; x=&#39;"),
            ("&lt;", "&amp;lt;"),
            ("a\nb\u{1b}[31m", "a\\nb\\u{1b}[31m"),
            ("abc\u{202e}dcb\u{200b}", "abc\\u{202e}dcb\\u{200b}"),
            ("ü 名", "ü 名"),
        ] {
            assert_eq!(text(given), shown);
        }
        assert_eq!(name(" "), "<bdi class=\"name\">(empty)</bdi>");
        assert_eq!(name("a<b"), "<bdi class=\"name\">a&lt;b</bdi>");
        let long = name(&"<".repeat(5_000));
        assert!(long.ends_with("…</bdi>") && long.len() < 6_000, "{}", long.len());
    }
}
