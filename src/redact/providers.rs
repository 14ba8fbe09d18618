//! The provider rules of gitleaks 8.30.1 (MIT): which texts are somebody's token by their shape.
//!
//! Reading the rules takes a few milliseconds and compiling all of them a good part of a second, so the first happens
//! at the first text and the second for a rule whose keyword a text holds. A rule that cannot be used withholds every
//! text that it asks for.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::{LazyLock, OnceLock};

use aho_corasick::{AhoCorasick, AhoCorasickBuilder};
use regex::bytes::{Regex, RegexBuilder};
use serde::Deserialize;

use super::redactor::Unchecked;

/// The default configuration of gitleaks, unchanged.
const RULES: &str = include_str!("gitleaks/gitleaks.toml");

static PROVIDERS: LazyLock<Option<Rules>> = LazyLock::new(|| Rules::read(RULES));

/// Returns where `text` holds a secret by the rules.
///
/// # Errors
/// The rules, or one that the text asks for, cannot be used.
pub(super) fn find(text: &str) -> Result<Vec<Range<usize>>, Unchecked> {
    PROVIDERS.as_ref().ok_or(Unchecked)?.find(text)
}

/// The parts of gitleaks' file that text alone can be judged by; descriptions and the paths of rules are left out.
#[derive(Debug, Deserialize)]
struct File {
    allowlist: Allowed,
    rules: Vec<Rule>,
}

/// What a rule finds and yet is no secret.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Allowed {
    /// `AND` where everything named must hold, otherwise one of it is enough.
    condition: String,
    paths: Vec<String>,
    commits: Vec<String>,
    regex_target: String,
    regexes: Vec<Pattern>,
    stopwords: Vec<String>,
}

/// One kind of secret.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Rule {
    /// Absent from rules about names of files.
    regex: Option<Pattern>,
    #[serde(default)]
    keywords: Vec<String>,
    /// The least Shannon entropy of a secret, in bits a byte.
    #[serde(default)]
    entropy: f64,
    #[serde(default)]
    secret_group: usize,
    #[serde(default)]
    allowlists: Vec<Allowed>,
}

/// A regular expression that is compiled when it is first needed.
#[derive(Debug, Deserialize)]
#[serde(from = "String")]
struct Pattern {
    text: String,
    compiled: OnceLock<Option<Regex>>,
}

impl From<String> for Pattern {
    fn from(text: String) -> Self {
        Self { text, compiled: OnceLock::new() }
    }
}

impl Pattern {
    /// Returns the expression, or nothing where it cannot be compiled.
    ///
    /// Letters are ASCII, as in Go, whose expressions these are.
    fn get(&self) -> Option<&Regex> {
        self.compiled
            .get_or_init(|| RegexBuilder::new(&literal_braces(&self.text)).unicode(false).build().ok())
            .as_ref()
    }

    /// Returns whether it matches; one that cannot be compiled excuses nothing.
    fn excuses(&self, text: &[u8]) -> bool {
        self.get().is_some_and(|regex| regex.is_match(text))
    }
}

/// Returns Go's expression with `\{` for a brace that opens no count: Go reads it as itself, this crate refuses it.
fn literal_braces(text: &str) -> String {
    let mut written = String::with_capacity(text.len() + 8);
    let (mut escaped, mut in_class) = (false, false);
    for (at, letter) in text.char_indices() {
        let count = || {
            let inner = text[at + 1..].split('}').next().unwrap_or_default();
            let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
            let (least, most) = inner.split_once(',').unwrap_or((inner, ""));
            !least.is_empty() && digits(least) && digits(most)
        };
        if letter == '{' && !escaped && !in_class && !count() {
            written.push('\\');
        }
        in_class = if escaped { in_class } else { letter == '[' || (in_class && letter != ']') };
        escaped = letter == '\\' && !escaped;
        written.push(letter);
    }
    written
}

/// All rules behind one search for their keywords.
struct Rules {
    file: File,
    keywords: AhoCorasick,
    /// By keyword: the rules that it asks for.
    asks: Vec<usize>,
    /// Rules without keywords.
    always: Vec<usize>,
}

impl Rules {
    fn read(text: &str) -> Option<Self> {
        let file: File = toml::from_str(text).ok()?;
        let numbered = || file.rules.iter().enumerate().filter(|(_, rule)| rule.regex.is_some());
        let words: Vec<(usize, &str)> =
            numbered().flat_map(|(at, rule)| rule.keywords.iter().map(move |word| (at, word.as_str()))).collect();
        let keywords =
            AhoCorasickBuilder::new().ascii_case_insensitive(true).build(words.iter().map(|(_, word)| word)).ok()?;
        let asks = words.iter().map(|(at, _)| *at).collect();
        let always = numbered().filter(|(_, rule)| rule.keywords.is_empty()).map(|(at, _)| at).collect();
        Some(Self { file, keywords, asks, always })
    }

    fn find(&self, text: &str) -> Result<Vec<Range<usize>>, Unchecked> {
        let asked = self.keywords.find_overlapping_iter(text).map(|found| self.asks[found.pattern().as_usize()]);
        let asked: BTreeSet<usize> = asked.chain(self.always.iter().copied()).collect();
        let mut spans = Vec::new();
        for rule in asked {
            self.apply(&self.file.rules[rule], text.as_bytes(), &mut spans)?;
        }
        Ok(spans)
    }

    fn apply(&self, rule: &Rule, text: &[u8], spans: &mut Vec<Range<usize>>) -> Result<(), Unchecked> {
        let Some(pattern) = &rule.regex else { return Ok(()) };
        for found in pattern.get().ok_or(Unchecked)?.captures_iter(text) {
            let whole = found.get_match();
            let group = match rule.secret_group {
                0 => found.iter().skip(1).flatten().find(|group| !group.is_empty()),
                number => found.get(number),
            };
            let secret = group.unwrap_or(whole);
            let allowed = |list: &Allowed| {
                let target = match list.regex_target.as_str() {
                    "match" => whole.as_bytes(),
                    "line" => line(text, whole.range()),
                    _ => secret.as_bytes(),
                };
                list.excuses(target, secret.as_bytes())
            };
            let random = rule.entropy <= 0.0 || entropy(secret.as_bytes()) > rule.entropy;
            if random && !allowed(&self.file.allowlist) && !rule.allowlists.iter().any(allowed) {
                spans.push(secret.range());
            }
        }
        Ok(())
    }
}

impl Allowed {
    fn excuses(&self, target: &[u8], secret: &[u8]) -> bool {
        let secret = String::from_utf8_lossy(secret).to_lowercase();
        let word = || self.stopwords.iter().any(|word| secret.contains(&word.to_lowercase()));
        let text = || self.regexes.iter().any(|pattern| pattern.excuses(target));
        if self.condition != "AND" {
            return word() || text();
        }
        // A text alone stands in no file and no commit, so what is asked of those does not hold.
        self.paths.is_empty()
            && self.commits.is_empty()
            && (self.stopwords.is_empty() || word())
            && (self.regexes.is_empty() || text())
    }
}

/// Returns the whole lines around a range.
fn line(text: &[u8], range: Range<usize>) -> &[u8] {
    let start = text[..range.start].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let end = text[range.end..].iter().position(|byte| *byte == b'\n').map_or(text.len(), |at| range.end + at);
    &text[start..end]
}

/// Returns Shannon's entropy of the bytes, in bits a byte (Shannon 1948, section 6).
fn entropy(bytes: &[u8]) -> f64 {
    let mut counts = [0_u32; 256];
    for byte in bytes {
        counts[usize::from(*byte)] += 1;
    }
    let total: f64 = counts.iter().map(|count| f64::from(*count)).sum();
    let share = |count: &u32| f64::from(*count) / total;
    -counts.iter().filter(|count| **count > 0).map(|count| share(count) * share(count).log2()).sum::<f64>()
}

#[cfg(test)]
mod tests {
    use proptest::strategy::{Strategy, ValueTree};
    use proptest::string::string_regex;
    use proptest::test_runner::TestRunner;

    use super::*;

    #[test]
    fn every_rule_can_be_used() {
        let rules = PROVIDERS.as_ref().expect("read");
        assert_eq!(rules.file.rules.len(), 222);
        let all = rules.file.rules.iter().flat_map(|rule| {
            let allowed = rule.allowlists.iter().flat_map(|list| &list.regexes);
            rule.regex.iter().chain(allowed)
        });
        for pattern in all.chain(&rules.file.allowlist.regexes) {
            assert!(pattern.get().is_some(), "{}", pattern.text);
        }
    }

    #[test]
    fn a_rule_that_cannot_be_used_lets_nothing_through() {
        let broken = "[allowlist]\n[[rules]]\nregex = '(unclosed'\nkeywords = ['acme_']\n";
        let rules = Rules::read(broken).expect("read");
        assert_eq!(rules.find("nothing of theirs"), Ok(vec![]));
        assert_eq!(rules.find("ACME_key"), Err(Unchecked));
        assert!(Rules::read("rules = 3").is_none());
    }

    /// gitleaks makes most of its own positive samples from the expressions, with random letters; so does this.
    #[test]
    fn what_a_rule_describes_is_found_by_way_of_its_keyword() {
        let rules = PROVIDERS.as_ref().expect("read");
        let mut random = TestRunner::deterministic();
        let (mut drawn, mut missed) = (0, Vec::new());
        for rule in &rules.file.rules {
            let Some(pattern) = &rule.regex else { continue };
            // Borders of words and lines describe no letters.
            let described = literal_braces(&pattern.text)
                .replace("\\b", "")
                .replace("\\B", "")
                .replace('$', "\\n")
                .replace("(?i)", "");
            let Ok(strategy) = string_regex(&described.replace('^', "")) else { continue };
            for _ in 0..4 {
                let sample = strategy.new_tree(&mut random).expect("drawn").current();
                let mut alone = Vec::new();
                rules.apply(rule, sample.as_bytes(), &mut alone).expect("usable");
                let keyword = rule.keywords.iter().any(|word| sample.to_lowercase().contains(&word.to_lowercase()));
                if let Some(secret) = alone.first().filter(|_| keyword || rule.keywords.is_empty()) {
                    drawn += 1;
                    let found = rules.find(&sample).expect("usable");
                    if !found.contains(secret) {
                        missed.push(sample);
                    }
                }
            }
        }
        assert!(drawn > 300, "{drawn} samples");
        assert!(missed.is_empty(), "{missed:#?}");
    }

    #[test]
    fn what_is_allowed_in_certain_files_only_is_allowed_in_no_text() {
        for (list, allowed) in [
            ("regexes = ['abc']", true),
            ("regexes = ['abc']\nstopwords = ['xyz']", true),
            ("condition = 'AND'\nregexes = ['abc']\nstopwords = ['def']", true),
            ("condition = 'AND'\nregexes = ['abc']\nstopwords = ['xyz']", false),
            ("condition = 'AND'\npaths = ['\\.inc$']\nregexes = ['abc']", false),
            ("paths = ['\\.inc$']", false),
        ] {
            let rules = format!("[allowlist]\n[[rules]]\nregex = 'abcdef'\n[[rules.allowlists]]\n{list}\n");
            let found = Rules::read(&rules).expect("read").find("abcdef").expect("usable");
            assert_eq!(found.is_empty(), allowed, "{list}");
        }
    }

    #[test]
    fn braces_that_count_nothing_are_themselves() {
        for (go, here) in
            [("a{2,3}b{4}c{5,}", "a{2,3}b{4}c{5,}"), ("{{x}}", "\\{\\{x}}"), ("[{]\\{", "[{]\\{"), ("a{,2}", "a\\{,2}")]
        {
            assert_eq!(literal_braces(go), here);
        }
    }

    #[test]
    fn entropy_is_shannons() {
        assert!(entropy(b"aaaa").abs() < 1e-9);
        assert!((entropy(b"abcd") - 2.0).abs() < 1e-9);
    }
}
