//! Options that carry a credential without saying so, by program, as their manuals have them.

use std::ops::Range;

use super::words::Command;
use super::{credible, names};

/// How programs are handed a credential.
struct Way {
    /// Starts of program names; one that ends in a blank is a whole name.
    programs: &'static [&'static str],
    /// A word that has to come between program and option; nothing where any will do.
    after: &'static str,
    /// Options whose next word is the credential.
    next: &'static [&'static str],
    /// Options that the credential is written right behind.
    attached: &'static [&'static str],
    /// Options whose next word, or rest, is `user` and the credential, with what parts them.
    pair: &'static [(&'static str, char)],
}

const NONE: Way = Way { programs: &[], after: "", next: &[], attached: &[], pair: &[] };

const WAYS: [Way; 22] = [
    Way { programs: &["mysql", "mariadb", "mycli "], attached: &["-p"], ..NONE },
    Way { programs: &["sshpass "], next: &["-p"], attached: &["-p"], ..NONE },
    Way { programs: &["7z", "7za ", "7zr ", "rar ", "unrar "], attached: &["-p", "-hp"], ..NONE },
    Way { programs: &["zip ", "unzip ", "zipcloak "], next: &["-P"], attached: &["-P"], ..NONE },
    Way {
        programs: &[
            "docker ", "podman ", "nerdctl ", "buildah ", "skopeo ", "helm ", "crane ", "oras ", "oc ", "cf ", "az ",
            "argocd ",
        ],
        after: "login",
        next: &["-p"],
        ..NONE
    },
    Way {
        programs: &["mongo", "cqlsh ", "influx ", "clickhouse", "twine ", "security ", "couchbase-cli ", "expect "],
        next: &["-p"],
        ..NONE
    },
    Way {
        programs: &["sqlcmd ", "bcp ", "osql ", "tsql ", "ipmitool ", "mosquitto_", "impala-shell "],
        next: &["-P"],
        attached: &["-P"],
        ..NONE
    },
    Way { programs: &["redis-cli ", "valkey-cli "], next: &["-a"], ..NONE },
    Way { programs: &["ldap"], next: &["-w"], attached: &["-w"], ..NONE },
    Way { programs: &["snmp"], next: &["-A", "-X"], ..NONE },
    Way { programs: &["gh "], after: "secret", next: &["-b", "--body"], ..NONE },
    Way {
        programs: &["codecov ", "vercel ", "doctl ", "fly ", "flyctl ", "netlify ", "surge "],
        next: &["-t"],
        ..NONE
    },
    Way { programs: &["dotnet ", "nuget ", "gem "], after: "push", next: &["-k", "--key"], ..NONE },
    Way {
        programs: &["cargo ", "vault ", "npx ", "snyk ", "hub ", "railway "],
        after: "login",
        next: &["login"],
        ..NONE
    },
    Way { programs: &["snyk "], next: &["auth"], ..NONE },
    Way { programs: &["bw "], next: &["unlock"], ..NONE },
    Way { programs: &["useradd ", "usermod "], next: &["-p"], ..NONE },
    Way { programs: &["curl "], pair: &[("-u", ':'), ("-U", ':'), ("--user", ':'), ("--proxy-user", ':')], ..NONE },
    Way { programs: &["http ", "https ", "xh "], pair: &[("-a", ':'), ("--auth", ':')], ..NONE },
    Way { programs: &["smbclient ", "rpcclient ", "smbget ", "net "], pair: &[("-U", '%'), ("--user", '%')], ..NONE },
    Way { programs: &["lftp "], pair: &[("-u", ','), ("--user", ',')], ..NONE },
    Way {
        programs: &["skopeo ", "buildah ", "podman ", "oras ", "conda ", "restic ", "ab ", "siege "],
        pair: &[("--creds", ':'), ("--src-creds", ':'), ("--dest-creds", ':'), ("--cred", ':'), ("-A", ':')],
        ..NONE
    },
];

/// Returns the credentials among the words of one line's commands.
pub(super) fn find(text: &str, line: &[Command]) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    for (at, command) in line.iter().enumerate() {
        for way in &WAYS {
            found.extend(way.find(text, &command.words));
        }
        found.extend(positional(text, &command.words));
        if let Some(next) = line.get(at + 1) {
            found.extend(piped(text, command, next));
        }
    }
    found.retain(|range| credible(&text[range.clone()]));
    found
}

impl Way {
    fn find(&self, text: &str, words: &[Range<usize>]) -> Vec<Range<usize>> {
        let is = |word: &Range<usize>| {
            let name = text[word.clone()].rsplit('/').next().unwrap_or_default().trim_end_matches(".exe");
            let whole =
                |program: &str| program.strip_suffix(' ').map_or(name.starts_with(program), |whole| whole == name);
            self.programs.iter().any(|program| whole(program))
        };
        let Some(program) = words.iter().position(is) else { return Vec::new() };
        let words = &words[program + 1..];
        let from = match self.after {
            "" => 0,
            after => match words.iter().position(|word| &text[word.clone()] == after) {
                Some(at) => at,
                None => return Vec::new(),
            },
        };
        let mut found = Vec::new();
        for (at, word) in words.iter().enumerate().skip(from) {
            let said = &text[word.clone()];
            let next = words.get(at + 1);
            if self.next.contains(&said) {
                found.extend(next.cloned());
            }
            let attached = |option: &&str| said.len() > option.len() && said.starts_with(option);
            if let Some(option) = self.attached.iter().find(|option| attached(option)) {
                found.push(word.start + option.len()..word.end);
            }
            for (option, parts) in self.pair {
                let pair = match said.strip_prefix(option) {
                    Some("") => next.cloned(),
                    Some(rest) if !option.starts_with("--") || rest.starts_with('=') => {
                        Some(word.end - rest.trim_start_matches('=').len()..word.end)
                    }
                    _ => None,
                };
                let second = |pair: Range<usize>| Some(pair.start + text[pair.clone()].find(*parts)? + 1..pair.end);
                found.extend(pair.and_then(second));
            }
        }
        found
    }
}

/// Returns credentials that stand at a place of their own: `set NAME VALUE`, and those of a few programs.
fn positional(text: &str, words: &[Range<usize>]) -> Vec<Range<usize>> {
    let said = |at: usize| words.get(at).map_or("", |word| &text[word.clone()]);
    let mut found = Vec::new();
    for at in 0..words.len() {
        let verb = said(at);
        if verb == "set" && names::secret(said(at + 1)) {
            found.extend(words.get(at + 2).cloned());
        }
        let user_and_password = match verb {
            "add_user" | "change_password" | "authenticate_user" => said(at.wrapping_sub(1)).ends_with("rabbitmqctl"),
            "config" => said(at + 1).starts_with("http-basic."),
            _ => false,
        };
        if user_and_password {
            found.extend(words.get(at + 2 + usize::from(verb == "config")).cloned());
        }
        // htpasswd(1): with -b the password is the last word.
        if verb.ends_with("htpasswd") && words[at..].iter().any(|word| is_batch(&text[word.clone()])) {
            found.extend(words.last().cloned());
        }
        // mc(1): alias set NAME ADDRESS ACCESS SECRET.
        if verb == "alias" && said(at + 1) == "set" && said(at + 3).contains("://") {
            found.extend(words.get(at + 5).cloned());
        }
        // sqlplus(1): user/password@database.
        if verb.ends_with("sqlplus")
            && let Some(login) = words[at + 1..].iter().find(|word| text[(*word).clone()].contains('/'))
        {
            let login_text = &text[login.clone()];
            let start = login.start + login_text.find('/').map_or(0, |slash| slash + 1);
            let end = login_text.rfind('@').map_or(login.end, |sign| login.start + sign);
            found.extend((start < end).then_some(start..end));
        }
    }
    found
}

fn is_batch(word: &str) -> bool {
    word.strip_prefix('-').is_some_and(|letters| !letters.starts_with('-') && letters.contains('b'))
}

/// Returns what is echoed into a command that reads a credential.
fn piped(text: &str, command: &Command, next: &Command) -> Vec<Range<usize>> {
    let said = |word: &Range<usize>| &text[word.clone()];
    let reads = next.words.iter().map(said).any(|word| {
        word.ends_with("-stdin") || matches!(word, "--stdin" | "chpasswd" | "--with-token" | "-S" | "--passphrase-fd")
    });
    let Some(echo) = command.words.iter().position(|word| matches!(said(word), "echo" | "printf")).filter(|_| reads)
    else {
        return Vec::new();
    };
    let spoken = command.words[echo + 1..].iter().filter(|word| !matches!(said(word), "-n" | "-e" | "%s" | "%s\\n"));
    spoken.cloned().collect()
}
