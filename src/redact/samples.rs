//! gitleaks' own samples, held against what meow makes of them.

use proptest::strategy::{Strategy, ValueTree};
use proptest::string::string_regex;
use proptest::test_runner::TestRunner;

use super::Redactor;
use super::providers;

/// How often letters are drawn for a sample that has some.
const DRAWS: usize = 8;

/// A text that gitleaks says holds a secret, or none.
struct Sample {
    rule: &'static str,
    secret: bool,
    text: String,
    /// The parts that were drawn.
    drawn: Vec<String>,
}

/// Returns all samples of `gitleaks/samples.txt`, whose head says how it is written.
fn samples() -> Vec<Sample> {
    let mut random = TestRunner::deterministic();
    let mut samples = Vec::new();
    let lines = include_str!("gitleaks/samples.txt").lines().filter(|line| !line.starts_with('#'));
    for line in lines {
        let mut cells = line.split('\t');
        let (rule, sign) = (cells.next().expect("a rule"), cells.next().expect("a sign"));
        let parts: Vec<&str> = cells.collect();
        let draws = if line.contains("\t/") { DRAWS } else { 1 };
        for _ in 0..draws {
            let mut sample = Sample { rule, secret: sign == "+", text: String::new(), drawn: Vec::new() };
            for part in &parts {
                sample.add(part, &mut random);
            }
            samples.push(sample);
        }
    }
    samples
}

impl Sample {
    fn add(&mut self, part: &str, random: &mut TestRunner) {
        if let Some(digits) = part.strip_prefix("hex:") {
            let pairs = digits.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).expect("digits"));
            let bytes = pairs.map(|pair| u8::from_str_radix(pair, 16).expect("a byte")).collect();
            self.text.push_str(&String::from_utf8(bytes).expect("text"));
        } else if let Some(expression) = part.strip_prefix('/').and_then(|part| part.strip_suffix('/')) {
            let letters = string_regex(expression).expect("an expression").new_tree(random).expect("drawn").current();
            self.text.push_str(&letters);
            self.drawn.push(letters);
        } else {
            self.text.push_str(&serde_json::from_str::<String>(part).expect("a text in quotes"));
        }
    }
}

/// Samples that meow takes otherwise than gitleaks 8.16.0 says, and why.
const OTHERWISE: [(&str, bool, &str, &str); 3] = [
    (
        "gcp-service-account",
        true,
        "service_account",
        "names a kind of file and is no secret; the rule is gone from 8.30.1",
    ),
    ("generic-api-key", true, "client_id", "a client's id is no secret; the rule of 8.30.1 leaves it, too"),
    ("telegram-bot-api-token", false, "_api_token", "no bot's token, and yet something is assigned to an api_token"),
];

#[test]
fn secrets_of_gitleaks_samples_go_and_the_rest_of_them_stays() {
    let redactor = Redactor::default();
    let (mut texts, mut secrets, mut otherwise) = (0, 0, [0; OTHERWISE.len()]);
    for Sample { rule, secret, text, drawn } in samples() {
        let cleaned = redactor.clean(&text);
        let gone = cleaned != text && !drawn.iter().any(|part| cleaned.contains(part));
        texts += 1;
        secrets += usize::from(secret);
        let why = |(of, expected, mark, _): &(&str, bool, &str, &str)| {
            *of == rule && *expected == secret && text.contains(mark)
        };
        if let Some(at) = OTHERWISE.iter().position(why) {
            assert_eq!(gone, !secret, "{rule} is as gitleaks says after all: {text:?}");
            otherwise[at] += 1;
        } else if secret {
            assert!(gone, "{rule}: {text:?} became {cleaned:?}");
        } else {
            assert_eq!(cleaned, text, "{rule}");
        }
    }
    assert_eq!((texts, secrets), (1_293, 1_275));
    assert_eq!(otherwise, [1, 1, 2 * DRAWS]);
}

/// The argument pass takes most samples by the name of what they are assigned to; these are what the rules do by
/// themselves. Those of 8.30.1 ask for more than those of 8.16.0 did.
#[test]
fn the_rules_alone_find_what_they_still_ask_for() {
    let stricter = [
        ("gcp-api-key", "draws letters that no key has"),
        ("gcp-service-account", "gone"),
        ("generic-api-key", "a client's id is left"),
        ("private-key", "asks for 64 letters"),
        ("square-secret", "gone"),
        ("sumologic-access-id", "asks for capitals and entropy"),
        ("telegram-bot-api-token", "asks for the word before it"),
    ];
    let all = samples();
    let missed = all.iter().filter(|sample| sample.secret && providers::find(&sample.text).expect("usable").is_empty());
    let rules: std::collections::BTreeSet<&str> = missed.map(|sample| sample.rule).collect();
    assert_eq!(rules.into_iter().collect::<Vec<_>>(), stricter.map(|(rule, _)| rule));
}
