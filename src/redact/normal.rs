//! A line of output without what differs each time it is written: numbers, times, durations, sizes, addresses, ids, folders,
//! temporary names.

use std::sync::LazyLock;

use regex::{Captures, Regex};

use super::cause::pattern;

/// What stands for all that differs.
const GONE: &str = "#";
/// Longest line that is kept, in characters.
const LONGEST: usize = 300;
/// Longest line that is looked at, in bytes.
const READ: usize = 4_000;

/// Makes lines of one project comparable.
pub(super) struct Normaliser<'a> {
    root: &'a str,
}

/// One kind of text that differs each time, and what stands for it.
type Rule = (Regex, &'static str);

/// In this order: what is found first is gone for the later ones.
static RULES: LazyLock<Vec<Rule>> = LazyLock::new(|| {
    let number = r"\d+(?:[.,]\d+)*";
    let month = "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*";
    let clock = r"\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?(?:\s?[AP]M)?";
    let span = format!(
        r"{number}\s?(?:ns|us|µs|μs|ms|msec|s|secs?|seconds?|m|mins?|minutes?|h|hours?|milliseconds?|microseconds?)\b"
    );
    let rules = [
        // A password and what asks for one thing of many go; the place stays.
        (r#"\b([a-z][a-z0-9+.-]*://)(?:[^\s/@'"]*@)?([^\s?#'"`<>)\]]*)(?:[?#][^\s'"`<>)\]]*)?"#.to_owned(), "$1$2"),
        (r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+".to_owned(), GONE),
        (
            format!(
                r"\b(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*,?\s+)?(?:\d{{1,2}}\s+{month}|{month}\s+\d{{1,2}})\b(?:,?\s+\d{{4}})?(?:,?\s+{clock})?(?:\s+[A-Z]{{3,4}}\b)?(?:\s+(?:19|20)\d{{2}})?"
            ),
            GONE,
        ),
        (format!(r"\b\d{{4}}[-/]\d{{2}}[-/]\d{{2}}(?:[T ]{clock})?(?:Z|\s?[+-]\d{{2}}:?\d{{2}})?"), GONE),
        (r"\b\d{1,2}:\d{2}:\d{2}(?:[.,]\d+)?(?:\s?[AP]M)?".to_owned(), GONE),
        (r"\b[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}\b".to_owned(), GONE),
        (r"\b0[xX][0-9a-fA-F]+\b".to_owned(), GONE),
        (r"(?:\[[0-9a-fA-F]*:[0-9a-fA-F:.]*\]|\b\d{1,3}(?:\.\d{1,3}){3}\b)(?::\d+)?".to_owned(), GONE),
        (format!(r"\b{span}(?:\s?{span})*"), GONE),
        (format!(r"\b{number}\s?(?:[KMGT]i?B|[kKMGT]|bytes?|B)\b(?:/s)?"), GONE),
        (format!(r"\b{number}\s?%"), GONE),
        (r"\btmp[._-]?[A-Za-z0-9_]{6,10}\b".to_owned(), GONE),
        // Rulers fill what a headline leaves of the screen.
        (r"[=*~_^-]{3,}".to_owned(), " "),
    ];
    rules.into_iter().map(|(text, with)| (pattern(&text), with)).collect()
});

impl<'a> Normaliser<'a> {
    /// Returns one for output of programs that ran in the folder `root`.
    pub(super) fn new(root: &'a str) -> Self {
        Self { root: root.trim_end_matches('/') }
    }

    /// Returns what of a line stays the same.
    pub(super) fn line(&self, line: &str) -> String {
        static WORD: LazyLock<Regex> = LazyLock::new(|| pattern(r"[A-Za-z0-9_]+"));
        static LIST: LazyLock<Regex> = LazyLock::new(|| pattern(r"#(?:[\s,.:;/+-]*#)+"));
        let end = (0..=line.len().min(READ)).rev().find(|end| line.is_char_boundary(*end)).unwrap_or(0);
        let mut text = self.without_folders(&line[..end]);
        for (rule, with) in &*RULES {
            if rule.is_match(&text) {
                text = rule.replace_all(&text, *with).into_owned();
            }
        }
        let mut code = false;
        let mut last_end = 0;
        let words = WORD.replace_all(&text, |found: &Captures| {
            let word = found.get(0).expect("the whole");
            let far = text[last_end..word.start()].chars().count() > 4;
            last_end = word.end();
            let said = of_word(word.as_str(), code && !far);
            code = names_a_code(word.as_str()) || (code && !far && said.bytes().all(|byte| byte.is_ascii_digit()));
            said
        });
        let words = LIST.replace_all(&words, GONE);
        let spaced = words.split_whitespace().collect::<Vec<_>>().join(" ");
        let start = spaced.find(|c: char| c.is_alphabetic() || "/<'\"`".contains(c)).unwrap_or(0);
        spaced[start..].chars().take(LONGEST).collect()
    }

    fn without_root(&self, line: &str) -> String {
        if self.root.is_empty() {
            return line.to_owned();
        }
        let mut parts = line.split(self.root);
        let mut kept = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            match part.strip_prefix('/') {
                Some(below) => kept.push_str(below),
                // Another folder whose name only begins alike.
                None if part.starts_with(|c: char| c.is_alphanumeric() || "-_".contains(c)) => {
                    kept.push_str(self.root);
                    kept.push_str(part);
                }
                None => {
                    kept.push('.');
                    kept.push_str(part);
                }
            }
        }
        kept
    }

    /// Folders of the project go; of other absolute paths the last name stays, unless it lies right in a temporary folder,
    /// where names are made up.
    fn without_folders(&self, line: &str) -> String {
        static ABSOLUTE: LazyLock<Regex> =
            LazyLock::new(|| pattern(r#"(^|[\s'"`(\[=,<>|@{])(?:~|[A-Za-z]:)?((?:/[^\s/'"`()\[\]:,;<>|{}]+)+)/?"#));
        let own = self.without_root(line);
        let short = |found: &Captures| {
            let names: Vec<&str> = found[2].split('/').filter(|name| !name.is_empty()).collect();
            let is_made_up = match names.as_slice() {
                ["tmp", _] | ["var" | "dev", "tmp" | "shm", _] | ["var", "folders", .., "T", _] => true,
                ["proc" | "private", ..] => names.len() < 4,
                _ => false,
            };
            let last = if is_made_up { GONE } else { names.last().copied().unwrap_or_default() };
            format!("{}/{last}", &found[1])
        };
        ABSOLUTE.replace_all(&own, short).into_owned()
    }
}

/// Returns whether the small number after this word says what went wrong.
fn names_a_code(word: &str) -> bool {
    ["error", "errno", "code", "status", "http", "signal", "exit", "exited"]
        .iter()
        .any(|name| word.eq_ignore_ascii_case(name))
}

/// Returns what of a word of letters, digits and `_` stays the same; `code` says that a number here has a meaning.
fn of_word(word: &str, code: bool) -> String {
    let digits = word.bytes().filter(u8::is_ascii_digit).count();
    if digits == 0 || (code && digits == word.len() && digits <= 3) || is_name(word) {
        return word.to_owned();
    }
    let is_hex = word.len() >= 7 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    let kinds: Vec<bool> = word.bytes().filter(|byte| *byte != b'_').map(|byte| byte.is_ascii_digit()).collect();
    let turns = kinds.windows(2).filter(|pair| pair[0] != pair[1]).count();
    if is_hex || turns >= 3 || (word.len() >= 20 && turns >= 2 && !word.contains('_')) {
        return GONE.to_owned();
    }
    let mut kept = String::with_capacity(word.len());
    for letter in word.chars() {
        if !letter.is_ascii_digit() {
            kept.push(letter);
        } else if !kept.ends_with(GONE) {
            kept.push_str(GONE);
        }
    }
    kept
}

/// Returns whether digits are a part of a word's meaning: `E0308`, `TS2304`, `u64`, `x86_64`.
fn is_name(word: &str) -> bool {
    let letters = word.trim_end_matches(|c: char| c.is_ascii_digit());
    let digits = word.len() - letters.len();
    let is_code = (1..=6).contains(&letters.len())
        && letters.bytes().all(|byte| byte.is_ascii_uppercase())
        && (2..=6).contains(&digits);
    let is_type = matches!(letters, "u" | "i" | "f") && matches!(&word[1..], "8" | "16" | "32" | "64" | "128");
    is_code || is_type || matches!(word, "x86_64" | "utf8" | "utf16" | "sha1" | "sha256" | "sha512")
}
