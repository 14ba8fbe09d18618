//! Takes secrets, users, hosts and home folders out of text that is kept or shown beside the record.

use std::borrow::Cow;
use std::ops::Range;

use super::people::People;
use super::values::Values;
use super::{arguments, encoded, providers};

/// Longest text that is looked through, in bytes; of a longer one nothing is kept.
const LONGEST: usize = 256 * 1024;

/// Stands in place of a text that could not be looked through.
const WITHHELD: &str = "[withheld: it could not be checked for secrets]";

/// What is known of the person, the machine and the work at hand; this room reads no environment itself.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// Variables by name; those with a name such as `API_TOKEN` hold a secret, those such as `USER` a user.
    pub variables: Vec<(String, String)>,
    /// Names of this machine.
    pub hosts: Vec<String>,
}

/// Why a range of a text goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Why {
    Secret,
    Home,
    Host,
    User,
}

/// One range of a text that goes, in bytes.
pub(super) type Span = (Range<usize>, Why);

/// A rule could not be used, so that nobody knows what a text holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unchecked;

/// Cleans texts; made once per run, for it holds an automaton of all values.
#[derive(Debug, Default)]
pub struct Redactor {
    values: Values,
    people: People,
}

impl Redactor {
    /// Returns what takes out these secrets and names, and whatever looks like a secret by itself.
    pub fn new(known: &Known) -> Self {
        Self { values: Values::of(&known.variables), people: People::of(known) }
    }

    /// Returns `text` with `[secret]`, `[user]`, `[host]` and `~` in place of what must not be kept.
    ///
    /// The same text gives the same result, also when it is cleaned twice. A text over 256 KiB, or one that a rule
    /// which cannot be used asks for, is withheld as a whole.
    pub fn clean<'t>(&self, text: &'t str) -> Cow<'t, str> {
        if text.len() > LONGEST {
            return Cow::Borrowed(WITHHELD);
        }
        match self.spans(text) {
            Ok(spans) if spans.is_empty() => Cow::Borrowed(text),
            Ok(spans) => Cow::Owned(replaced(text, spans)),
            Err(Unchecked) => Cow::Borrowed(WITHHELD),
        }
    }

    fn spans(&self, text: &str) -> Result<Vec<Span>, Unchecked> {
        let mut spans = secrets(text)?;
        spans.extend(encoded::spans(text, secrets)?);
        spans.extend(self.values.spans(text));
        spans.extend(self.people.spans(text));
        Ok(spans)
    }
}

/// Returns what looks like a secret to somebody who knows none.
fn secrets(text: &str) -> Result<Vec<Span>, Unchecked> {
    if is_name(text) {
        return Ok(Vec::new());
    }
    let mut found = providers::find(text)?;
    found.extend(arguments::find(text)?);
    Ok(found.into_iter().map(|range| (range, Why::Secret)).collect())
}

/// Returns whether `text` is a name such as `auth::tests::login` or `src/x.rs`: one word without any sign that parts a
/// field from its value, and without a run that looks drawn.
///
/// Imports hold very many of them, which the rules need not be asked about.
fn is_name(text: &str) -> bool {
    let plain = |letter: char| letter.is_alphanumeric() || "_-./:[]()<>#+".contains(letter);
    let drawn = |run: &str| {
        let digits = run.bytes().any(|byte| byte.is_ascii_digit());
        let letters = run.bytes().any(|byte| byte.is_ascii_alphabetic());
        run.len() >= 30 || run.len() >= 16 && digits && letters
    };
    text.chars().all(plain)
        && !text.replace("::", "").contains(':')
        && !text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '-').any(drawn)
}

/// Writes `text` with a word in place of each run of spans; where several meet, the gravest names it.
fn replaced(text: &str, mut spans: Vec<Span>) -> String {
    // Matching works on bytes: what begins within a letter takes the whole letter.
    for (range, _) in &mut spans {
        while !text.is_char_boundary(range.start) {
            range.start -= 1;
        }
        while !text.is_char_boundary(range.end) {
            range.end += 1;
        }
    }
    spans.sort_by_key(|(range, why)| (range.start, *why));
    let mut merged: Vec<Span> = Vec::new();
    for (range, why) in spans {
        match merged.last_mut() {
            Some((last, grave)) if range.start < last.end => {
                last.end = last.end.max(range.end);
                *grave = why.min(*grave);
            }
            _ => merged.push((range, why)),
        }
    }
    let mut cleaned = String::with_capacity(text.len());
    let mut from = 0;
    for (range, why) in merged {
        cleaned.push_str(&text[from..range.start]);
        cleaned.push_str(match why {
            Why::Secret => "[secret]",
            Why::Home => "~",
            Why::Host => "[host]",
            Why::User => "[user]",
        });
        from = range.end;
    }
    cleaned.push_str(&text[from..]);
    cleaned
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redactor() -> Redactor {
        let variables = [
            ("HOME", "/home/wrenfield"),
            ("USER", "wrenfield"),
            ("DEPLOY_TOKEN", "q\"7&Tz/ühnm+pe 4x"),
            ("DATABASE_URL", "postgres://app:s3s4m3-0pen@db/app"),
            ("LANG", "C.UTF-8"),
        ];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        Redactor::new(&Known { variables, hosts: vec!["thrush-7.example.org".to_owned()] })
    }

    #[test]
    fn what_is_known_goes_in_every_form() {
        for (text, cleaned) in [
            ("nothing to hide, C.UTF-8", "nothing to hide, C.UTF-8"),
            ("got q\"7&Tz/ühnm+pe 4x.", "got [secret]."),
            ("got q%227%26Tz%2F%C3%BChnm%2Bpe%204x.", "got [secret]."),
            ("got q%227%26tz", "got q%227%26tz"),
            ("{\"t\": \"q\\\"7&Tz/ühnm+pe 4x\"}", "{\"t\": \"[secret]\"}"),
            ("{\"t\": \"q\\\"7\\u0026Tz/\\u00fchnm+pe 4x\"}", "{\"t\": \"[secret]\"}"),
            ("712237265455a", "712237265455a"),
            ("7122372654 7122372654", "7122372654 7122372654"),
            ("hex 71223726547a2fc3bc686e6d2b7065203478", "hex [secret]"),
            ("b64 cSI3JlR6L8O8aG5tK3BlIDR4", "b64 [secret]"),
            // As `user:secret`, so that it starts in the middle of a group of three.
            ("b64 Ym9iOnEiNyZUei/DvGhubStwZSA0eA==", "b64 [secret]"),
            ("password s3s4m3-0pen refused", "password [secret] refused"),
            ("at /home/wrenfield/work/x.rs:3", "at ~/work/x.rs:3"),
            ("at /home/someone/x", "at /home/[user]/x"),
            ("at /home/runner/x", "at /home/runner/x"),
            ("drwx wrenfield wrenfields", "drwx [user] wrenfields"),
            ("on thrush-7 and THRUSH-7.example.org", "on [host] and [host]"),
        ] {
            assert_eq!(redactor().clean(text), cleaned);
            assert_eq!(redactor().clean(cleaned), cleaned, "cleaned twice");
        }
    }

    #[test]
    fn what_is_too_long_is_withheld() {
        assert_eq!(redactor().clean(&"x".repeat(LONGEST + 1)), WITHHELD);
    }
}
