//! Names that say that what follows is a secret: options, assignments, fields of documents, queries and settings.

use std::ops::Range;
use std::sync::LazyLock;

use regex::bytes::{Captures, Regex, RegexBuilder};

use super::{Unchecked, credible, names};

/// A name, what parts it from its value, and the value: quoted, escaped and quoted, or a word.
///
/// The parting sign is `=`, `:=`, `=>` or `:`, or for options a blank or the border of two list items.
static FIELD: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let value = r#""(?P<double>(?:[^"\\]|\\.)*)"|'(?P<single>[^']*)'|(?P<word>[^\s"'`]+)"#;
    let field = format!(
        r#"(?P<dash>--?)?(?P<name>[A-Za-z_][A-Za-z0-9_.-]*)(?P<closed>["']?\]?)(?P<sign>\s{{0,3}}(?::=|=>|==?|:)\s{{0,3}}|['"],\s?|\s{{1,3}})(?:{value})"#
    );
    RegexBuilder::new(&field).unicode(false).build().ok()
});

/// Names that say it only in the query of an address.
const QUERY_NAMES: &str = "key sig signature x-amz-signature x-amz-credential session assertion code";
/// First words of options that ask for a secret, or do without one.
const ASKING: &str = "no ask with without prompt use show skip require disable";

/// Returns where the values of secret names stand.
pub(super) fn find(text: &str) -> Result<Vec<Range<usize>>, Unchecked> {
    let field = FIELD.as_ref().ok_or(Unchecked)?;
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(groups) = field.captures_at(text.as_bytes(), from) {
        let (Some(name), Some(sign)) = (groups.name("name"), groups.name("sign")) else { break };
        match value(text, &groups) {
            Some(range) => {
                from = range.end.max(name.end());
                found.push(range);
            }
            // The value of one name may be another: `--set password=x`.
            None => from = sign.end().max(name.end()),
        }
    }
    found.extend(literals(text));
    Ok(found)
}

/// Returns the value of the field where it is a secret.
fn value(text: &str, groups: &Captures<'_>) -> Option<Range<usize>> {
    let name = groups.name("name")?;
    let said = &text[name.range()];
    let sign = text.get(groups.name("sign")?.range())?;
    let option = groups.name("dash").is_some();
    let before = text[..groups.get_match().start()].chars().next_back();
    let in_query = matches!(before, Some('?' | '&')) && sign == "=";
    let in_list = sign.starts_with(['"', '\'']);
    if !(names::secret(said) || in_query && names::named(QUERY_NAMES, &said.to_ascii_lowercase())) {
        return None;
    }
    let first = said.split(['-', '_']).next().unwrap_or_default();
    if option && names::named(ASKING, first) {
        return None;
    }
    let parted = !sign.trim().is_empty() && !in_list;
    if !parted && !option {
        return None;
    }
    let quoted = groups.name("double").or(groups.name("single")).map(|value| value.range());
    if let Some(range) = quoted {
        return credible(text.get(range.clone())?).then_some(range);
    }
    let word = word(text, groups.name("word")?.range(), in_query);
    let said_value = text.get(word.clone())?;
    let code = said_value.contains(['(', '[']) || said_value.contains("::");
    let prose = match sign.trim() {
        _ if option => false,
        ":" => {
            !sign.ends_with(' ') && groups.name("closed").is_none_or(|closed| closed.is_empty())
                || !(random(said_value) || alone_on_its_line(text, name.start(), word.end))
        }
        _ => code || sign.contains(' ') && !random(said_value),
    };
    (!prose && credible(said_value)).then_some(word)
}

/// Cuts a word where the address, list or sentence around it goes on.
fn word(text: &str, range: Range<usize>, in_query: bool) -> Range<usize> {
    let said = &text[range.clone()];
    let next_field = |at: usize| {
        let rest = &said[at + 1..];
        let name = rest.find(|letter: char| !(letter.is_ascii_alphanumeric() || "_- .".contains(letter)));
        rest.is_empty()
            || name.is_some_and(|end| end > 0 && rest[end..].starts_with(['=', ':']))
            || !rest.contains(' ') && rest.len() < 2
    };
    let cut = said.char_indices().find(|(at, letter)| match letter {
        '&' => in_query || next_field(*at),
        '#' => in_query,
        ';' | ',' => {
            next_field(*at) || text[range.end..].starts_with(' ') && said[at + 1..].chars().all(char::is_alphabetic)
        }
        _ => false,
    });
    let said = cut.map_or(said, |(at, _)| &said[..at]);
    range.start..range.start + said.trim_end_matches([',', ';', ')', '}', ']', '>']).len()
}

/// Returns whether a value is nobody's word: letters with digits, or with signs that names do not have.
fn random(value: &str) -> bool {
    let letters = value.chars().any(char::is_alphabetic);
    let digits = value.chars().any(|letter| letter.is_ascii_digit());
    let signs = value.chars().any(|letter| "!@#$%^&*+~?/=".contains(letter));
    value.len() >= 6 && (letters && (digits || signs) || digits && value.len() >= 8)
}

/// Returns whether nothing stands on the line but name and value, as in a file of settings.
fn alone_on_its_line(text: &str, start: usize, end: usize) -> bool {
    let before = text[..start].rsplit('\n').next().unwrap_or_default();
    let after = text[end..].split('\n').next().unwrap_or_default();
    before.trim_start_matches([' ', '-', '"', '\'']).is_empty()
        && after.trim_matches([' ', ',', '"', '\'', '\r']).is_empty()
}

/// Returns the values of `--from-literal=NAME=VALUE` and of `secrets set NAME=VALUE`, whatever their names.
fn literals(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    for opening in ["--from-literal=", "--from-literal ", "secrets set ", "kv put "] {
        for (at, _) in text.match_indices(opening) {
            let rest = &text[at + opening.len()..];
            let line = rest.split('\n').next().unwrap_or_default();
            let mut start = at + opening.len();
            for word in line.split(' ') {
                if let Some((name, value)) = word.split_once('=') {
                    let from = start + name.len() + 1;
                    let range = from..from + value.len();
                    found.extend(credible(value).then_some(range));
                }
                start += word.len() + 1;
                if opening.starts_with("--") {
                    break;
                }
            }
        }
    }
    found
}
