//! What a line's structure says is a credential: options, assignments, headers, addresses, command lines.

mod commands;
mod fields;
mod places;
mod prefixes;
mod words;

use std::ops::Range;

use super::names;
use super::redactor::Unchecked;

/// Returns where `text` holds a credential by its structure.
///
/// # Errors
/// An expression cannot be used.
pub(super) fn find(text: &str) -> Result<Vec<Range<usize>>, Unchecked> {
    let mut found = fields::find(text)?;
    found.extend(places::find(text)?);
    found.extend(prefixes::find(text)?);
    for line in words::lines(text) {
        found.extend(commands::find(text, &line));
    }
    Ok(found)
}

/// Words that stand where a credential would, and are none.
const NO_CREDENTIALS: &str = "true false null none nil undefined yes no on off required optional redacted hidden masked missing empty \
    invalid expired bearer basic digest string ok";

/// Returns whether `value` can be a credential: it is no reference to one, no mask and no word of prose.
fn credible(value: &str) -> bool {
    let value = value.trim_matches(['"', '\'', '`']);
    let inner = value.trim_start_matches(['*', 'x', 'X', '.', '•', '-', '_', '?']);
    // An option stands where its value would, had it one.
    let option = value.strip_prefix('-').is_some_and(|name| {
        name.len() == 1 || name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-' || byte == b'=')
    });
    let percent = value.len() > 2 && value.starts_with('%') && value.ends_with('%');
    let reference =
        ["$", "{{", "<", "[secret]", "[user]", "[host]", "env:", "file:", "env.", "secrets.", "process.env"];
    !inner.is_empty()
        && !option
        && !percent
        && !reference.iter().any(|start| value.starts_with(start))
        && !names::named(NO_CREDENTIALS, &value.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns `text` with `#` in place of each find.
    fn shown(text: &str) -> String {
        let mut marked: Vec<char> = text.chars().collect();
        for range in find(text).expect("usable") {
            marked[range].fill('#');
        }
        let mut shown: String = marked.into_iter().collect();
        while shown.contains("##") {
            shown = shown.replace("##", "#");
        }
        shown
    }

    #[test]
    fn structure_tells_what_is_a_credential() {
        for (text, left) in [
            ("tool --password hunter2 -v", "tool --password # -v"),
            ("tool --api-key='hunter2 x' -v", "tool --api-key='#' -v"),
            ("tool --token $TOKEN --token-file x", "tool --token $TOKEN --token-file x"),
            ("['tool', '--password', 'hunter2']", "['tool', '--password', '#']"),
            ("DB_PASSWORD=hunter2 make", "DB_PASSWORD=# make"),
            ("a?user=3&access_token=hunter2&x=1", "a?user=3&access_token=#&x=1"),
            ("Server=db;Password=hun,ter2;Encrypt=true", "Server=db;Password=#;Encrypt=true"),
            ("{\"password\": \"hunt\\\"er2\", \"user\": \"a\"}", "{\"password\": \"#\", \"user\": \"a\"}"),
            ("  password: hunter", "  password: #"),
            ("error: unexpected token: identifier", "error: unexpected token: identifier"),
            ("let token = next_token();", "let token = next_token();"),
            ("https://app:hunter2@host/x", "https://app:#@host/x"),
            ("http://host:8080/a@b", "http://host:8080/a@b"),
            ("Authorization: Basic YTpi", "Authorization: Basic #"),
            ("-H 'Authorization: Bearer abc.def' x", "-H 'Authorization: Bearer #' x"),
            ("Authorization: Bearer ***", "Authorization: Bearer ***"),
            ("machine host login a password hunter2", "machine host login a password #"),
            ("mysql -uroot -phunter2 db", "mysql -uroot -p# db"),
            ("mysql -uroot -p db", "mysql -uroot -p db"),
            ("['mysql', '-phunter2']", "['mysql', '-p#']"),
            (
                "docker run -p 80:80 x && docker login -u a -p hunter2",
                "docker run -p 80:80 x && docker login -u a -p #",
            ),
            ("curl -u a:hunter2 x", "curl -u a:# x"),
            ("curl -u $A:$B x", "curl -u $A:$B x"),
            ("echo hunter2 | docker login --password-stdin", "echo # | docker login --password-stdin"),
            ("echo done | tee log", "echo done | tee log"),
            ("npm config set //r/:_authToken hunter2", "npm config set //r/:_authToken #"),
            ("openssl rsa -passin pass:hunter2 -in x", "openssl rsa -passin pass:# -in x"),
            (
                "kubectl create secret generic a --from-literal=user=hunter2",
                "kubectl create secret generic a --from-literal=user=#",
            ),
        ] {
            assert_eq!(shown(text), left);
        }
    }

    #[test]
    fn half_a_private_key_is_one() {
        let text = "MIIEowIBAAKCAQEAx\nabcd\n-----END RSA PRIVATE KEY-----\nrest";
        assert_eq!(shown(text), "#\n-----END RSA PRIVATE KEY-----\nrest");
    }
}
