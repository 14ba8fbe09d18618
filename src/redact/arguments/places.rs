//! Places that hold a credential whatever its name: addresses, headers, netrc, private keys.

use std::ops::Range;
use std::sync::LazyLock;

use regex::bytes::{Regex, RegexBuilder};

use super::{Unchecked, credible};

/// Expressions whose group, the first that took part, is the credential.
const PLACES: [&str; 9] = [
    // RFC 3986, section 3.2.1: `user:password@`.
    r#"(?i)[a-z][a-z0-9+.-]*://[^\s/?#'"`:@]*:([^\s/'"`]+)@"#,
    // A token in the place of the user.
    r#"(?i)\bhttps?://([^\s/?#'"`:@]{8,})@"#,
    // RFC 9110, section 11.6.2, and its like.
    r#"(?i)\b(?:proxy-)?authorization["']?\s*[:=]\s*["']?(?:(?:bearer|basic|token|digest|negotiate|apikey|api-key|aws4-hmac-sha256|splunk|genie-?key|bot|key|pat|ssws)\s+([^\s"'`\\]+)|([^\s"'`\\]*[^\s"'`\\a-z]+[^\s"'`\\]*))"#,
    r#"(?i)\b(?:x-[a-z0-9-]*(?:key|token|auth|secret|signature|password)|private-token|job-token|deploy-token|api-?key|circle-token|dd-api-key|dd-application-key|ocp-apim-subscription-key)["']?\s*:\s*["']?([^\s"'`]+)"#,
    // RFC 6265: names and values of one line.
    r#"(?i)\b(?:set-)?cookie["']?:\s*["']?[^\s=;"']+=([^\s;"']+)"#,
    r#"(?:\s-b|--cookie)[ =]["']?[^\s=;"'@]+=([^\s;"']+)"#,
    r"(?i)\bbearer\s+([a-z0-9._~+/-]{16,}=*)",
    // The GNU netrc page.
    r"\blogin\s+\S+\s+password\s+(\S+)",
    // openssl-passphrase-options(1).
    r#"-pass(?:in|out)?\s+["']?pass:([^\s"']+)"#,
];
/// Half a private key in PEM (RFC 7468): what a cut left of it.
const KEYS: [&str; 2] = [
    r"((?:[A-Za-z0-9+/=]{4,}\s+)+)-----END [A-Z ]*PRIVATE KEY",
    r"-----BEGIN [A-Z ]*PRIVATE KEY[A-Z ]*-----((?:(?:\s|\\n)*[A-Za-z0-9+/=]{4,})+)",
];

static EXPRESSIONS: LazyLock<Option<Vec<Regex>>> = LazyLock::new(|| {
    PLACES.iter().chain(&KEYS).map(|place| RegexBuilder::new(place).unicode(false).build().ok()).collect()
});

/// Returns where they stand; an expression that cannot be used is an error.
pub(super) fn find(text: &str) -> Result<Vec<Range<usize>>, Unchecked> {
    let expressions = EXPRESSIONS.as_ref().ok_or(Unchecked)?;
    let mut found = Vec::new();
    for expression in expressions {
        for groups in expression.captures_iter(text.as_bytes()) {
            let group = groups.iter().skip(1).flatten().next();
            let range = group.map(|group| group.range());
            found.extend(range.filter(|range| text.get(range.clone()).is_none_or(credible)));
        }
    }
    // The border of a key is no part of it.
    for range in &mut found {
        let said = &text.as_bytes()[range.clone()];
        let blank = |byte: &&u8| byte.is_ascii_whitespace();
        let end = range.end - said.iter().rev().take_while(blank).count();
        *range = range.start + said.iter().take_while(blank).count()..end.max(range.start);
    }
    Ok(found)
}
