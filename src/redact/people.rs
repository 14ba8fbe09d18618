//! Users, hosts and home folders.

use std::collections::BTreeMap;

use aho_corasick::{AhoCorasick, AhoCorasickBuilder};

use super::names::named;
use super::redactor::{Known, Span, Why};

/// Variables that name a person.
const USERS: &str = "USER LOGNAME USERNAME SUDO_USER MAIL_USER GIT_AUTHOR_NAME GIT_AUTHOR_EMAIL GIT_COMMITTER_NAME \
    GIT_COMMITTER_EMAIL EMAIL DEBEMAIL DEBFULLNAME";
/// Variables that name this machine.
const HOSTS: [&str; 3] = ["HOSTNAME", "HOST", "COMPUTERNAME"];
/// Variables that hold a home folder.
const HOMES: [&str; 3] = ["HOME", "USERPROFILE", "SUDO_HOME"];

/// Accounts that images and runners have: they name nobody, and are words besides.
const NOBODY: &str = "root user users runner runneradmin ubuntu debian fedora admin administrator vagrant circleci jenkins travis \
    gitlab-runner buildkite-agent node app build builder vscode codespace docker nobody ec2-user azureuser \
    worker linuxbrew nixbld git shared home";
/// Names by which every machine knows itself.
const HERE: &str = "localhost localhost.localdomain host buildkitsandbox";

/// Folders that hold the homes of people.
const ABOVE_HOMES: [&str; 6] = ["/home/", "/Users/", "\\Users\\", "\\\\Users\\\\", "/var/home/", "%2Fhome%2F"];

/// What names the person and the machine, searched for in one pass, in any case.
#[derive(Debug, Default)]
pub(super) struct People {
    names: Option<(AhoCorasick, Vec<Why>)>,
}

impl People {
    /// Returns the search for these names.
    pub(super) fn of(known: &Known) -> Self {
        let mut wanted: BTreeMap<String, Why> = BTreeMap::new();
        for (name, value) in &known.variables {
            let value = value.trim().trim_end_matches(['/', '\\']);
            if HOMES.contains(&name.as_str()) && value.len() > 1 {
                wanted.insert(value.to_owned(), Why::Home);
                if let Some(user) = value.rsplit(['/', '\\']).next() {
                    person(user, &mut wanted);
                }
            } else if named(USERS, name) {
                person(value, &mut wanted);
            } else if HOSTS.contains(&name.as_str()) {
                machine(value, &mut wanted);
            }
        }
        known.hosts.iter().for_each(|host| machine(host.trim(), &mut wanted));
        if wanted.is_empty() {
            return Self::default();
        }
        let (texts, why): (Vec<String>, Vec<Why>) = wanted.into_iter().unzip();
        let search = AhoCorasickBuilder::new().ascii_case_insensitive(true).build(texts);
        Self { names: search.ok().map(|search| (search, why)) }
    }

    /// Returns where they stand in `text` as whole words, and the names of whoever owns a home folder in it.
    pub(super) fn spans(&self, text: &str) -> Vec<Span> {
        let mut spans = strangers(text);
        let Some((search, why)) = &self.names else { return spans };
        let within = |letter: Option<char>| letter.is_some_and(char::is_alphanumeric);
        for found in search.find_overlapping_iter(text) {
            if !within(text[..found.start()].chars().next_back()) && !within(text[found.end()..].chars().next()) {
                spans.push((found.range(), why[found.pattern().as_usize()]));
            }
        }
        spans
    }
}

fn person(name: &str, wanted: &mut BTreeMap<String, Why>) {
    if name.chars().count() >= 3 && !named(NOBODY, &name.to_lowercase()) {
        wanted.entry(name.to_owned()).or_insert(Why::User);
    }
    // The name within an address of mail is often the account's.
    if let Some((account, _)) = name.split_once('@') {
        person(account, wanted);
    }
}

fn machine(name: &str, wanted: &mut BTreeMap<String, Why>) {
    let short = name.split('.').next().unwrap_or(name);
    for name in [name, short] {
        if name.len() >= 3 && !named(HERE, &name.to_lowercase()) {
            wanted.entry(name.to_owned()).or_insert(Why::Host);
        }
    }
}

/// Returns the names after `/home/` and its like.
fn strangers(text: &str) -> Vec<Span> {
    let mut spans = Vec::new();
    for above in ABOVE_HOMES {
        for (at, _) in text.match_indices(above) {
            // A folder that is called `home` somewhere below another is nobody's.
            if above == "/home/"
                && text[..at].ends_with(|letter: char| letter.is_alphanumeric() || "._-".contains(letter))
            {
                continue;
            }
            let start = at + above.len();
            let name = |letter: char| letter.is_alphanumeric() || "._-+@".contains(letter);
            let end = text[start..].find(|letter| !name(letter)).map_or(text.len(), |length| start + length);
            let (start, end) =
                if text[start..end].trim_matches('.').is_empty() { (start, start) } else { (start, end) };
            if end > start && !named(NOBODY, &text[start..end].to_lowercase()) {
                spans.push((start..end, Why::User));
            }
        }
    }
    spans
}
