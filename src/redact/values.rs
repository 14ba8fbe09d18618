//! Values of variables whose name says that they are secret, found in whatever form they are written.

use std::collections::BTreeMap;

use aho_corasick::AhoCorasick;
use serde_json::Value;

use super::redactor::{Span, Why};
use super::{forms, names};

/// Shortest value that is taken for a secret, in bytes; shorter ones stand in every text.
const SHORTEST: usize = 4;
/// Shortest line of a secret of several lines that is looked for alone.
const SHORTEST_LINE: usize = 16;
/// A shorter value goes only where it stands as a word of its own.
const SHORT: usize = 8;

/// Values that keep nobody out, as they stand in manuals and images.
const OPEN: &str = "true false none null undefined test tests testing password passwd pass secret token root admin user guest \
    postgres mysql redis example changeme change-me dummy default local localhost development production \
    required";

/// How a form may stand in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stands {
    /// Anywhere.
    Anywhere,
    /// As a word of its own.
    Alone,
    /// Anywhere; the base64 characters around it are part of it.
    InBase64,
}

/// All forms of all secret values, searched for in one pass.
#[derive(Debug, Default)]
pub(super) struct Values {
    forms: Option<(AhoCorasick, Vec<Stands>)>,
}

impl Values {
    /// Returns the search for what these variables hold in secret.
    pub(super) fn of(variables: &[(String, String)]) -> Self {
        let mut wanted: BTreeMap<String, Stands> = BTreeMap::new();
        for value in variables.iter().flat_map(|(name, value)| secrets(name, value)) {
            let plain = value.bytes().all(|byte| byte.is_ascii_alphanumeric());
            let stands = if value.len() < SHORT && plain { Stands::Alone } else { Stands::Anywhere };
            for form in forms::written(&value) {
                wanted.entry(form).or_insert(stands);
            }
            for form in forms::hex(&value) {
                wanted.entry(form).or_insert(Stands::Anywhere);
            }
            for form in forms::base64(&value) {
                wanted.entry(form).or_insert(Stands::InBase64);
            }
        }
        if wanted.is_empty() {
            return Self::default();
        }
        let (texts, stands): (Vec<String>, Vec<Stands>) = wanted.into_iter().unzip();
        // Only more patterns than a u32 counts make this fail; an environment holds fewer bytes.
        Self { forms: AhoCorasick::new(texts).ok().map(|search| (search, stands)) }
    }

    /// Returns where they stand in `text`.
    pub(super) fn spans(&self, text: &str) -> Vec<Span> {
        let Some((search, stands)) = &self.forms else { return Vec::new() };
        let bytes = text.as_bytes();
        let word = |at: Option<&u8>| at.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte >= 0x80);
        let in_base64 = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/-_=".contains(byte);
        let mut spans = Vec::new();
        for found in search.find_overlapping_iter(text) {
            let (mut start, mut end) = (found.start(), found.end());
            match stands[found.pattern().as_usize()] {
                Stands::Anywhere => {}
                Stands::Alone => {
                    if word(start.checked_sub(1).map(|at| &bytes[at])) || word(bytes.get(end)) {
                        continue;
                    }
                }
                Stands::InBase64 => {
                    start -= bytes[..start].iter().rev().take_while(|byte| in_base64(byte)).count();
                    end += bytes[end..].iter().take_while(|byte| in_base64(byte)).count();
                }
            }
            spans.push((start..end, Why::Secret));
        }
        spans
    }
}

/// Returns what is secret of a variable: its value, the lines of a long one, what a JSON document in it keeps, and the
/// password of an address.
fn secrets(name: &str, value: &str) -> Vec<String> {
    let mut found = Vec::new();
    if names::secret(name) {
        found.push(value.trim().to_owned());
        let lines = value.lines().map(str::trim).filter(|line| line.len() >= SHORTEST_LINE && !line.starts_with("---"));
        found.extend(lines.map(str::to_owned));
    }
    if value.trim_start().starts_with('{')
        && let Ok(document) = serde_json::from_str(value)
    {
        kept(&document, &mut found);
    }
    found.extend(password_of_address(value));
    found.retain(|value| value.len() >= SHORTEST && !names::named(OPEN, &value.to_ascii_lowercase()));
    found
}

/// Collects the texts that a JSON document keeps under names of secrets.
fn kept(document: &Value, found: &mut Vec<String>) {
    match document {
        Value::Object(fields) => {
            for (name, value) in fields {
                match value {
                    Value::String(text) if names::secret(name) => found.extend(secrets(name, text)),
                    _ => kept(value, found),
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|value| kept(value, found)),
        _ => {}
    }
}

/// Returns `pass` of `scheme://user:pass@host`, as written and decoded.
fn password_of_address(value: &str) -> Vec<String> {
    let Some((_, rest)) = value.split_once("://") else { return Vec::new() };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let Some((_, password)) = authority.rsplit_once('@').and_then(|(user, _)| user.split_once(':')) else {
        return Vec::new();
    };
    let (decoded, _) = super::encoded::percent(password);
    [Some(password.to_owned()), Some(decoded)].into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_keeps_what_is_secret_in_it() {
        let document = "{\"type\": \"service\", \"private_key\": \"abcdefghij\", \"a\": [{\"token\": \"t0k3n-in\"}]}";
        for (name, value, found) in [
            ("TOKEN", " abcdef1 ", vec!["abcdef1"]),
            ("TOKEN", "abc", vec![]),
            ("POSTGRES_PASSWORD", "postgres", vec![]),
            ("COLOR", "abcdef1", vec![]),
            ("GOOGLE", document, vec!["t0k3n-in", "abcdefghij"]),
            ("REDIS", "redis://:p%40ssw0rd@host:1/0", vec!["p%40ssw0rd", "p@ssw0rd"]),
            ("HOMEPAGE", "https://example.org/a:b@c", vec![]),
        ] {
            assert_eq!(secrets(name, value), found, "{name}={value}");
        }
    }

    #[test]
    fn a_short_secret_goes_only_as_a_word() {
        let values = Values::of(&[("PASSWORD".to_owned(), "tiger".to_owned())]);
        assert_eq!(values.spans("a tiger, tigers").len(), 1);
    }
}
