//! Which names of variables, flags and fields say that their value is a secret.

/// Last words that say where, how long or which, and not the secret itself.
const HARMLESS_ENDS: &str = "file path dir sock askpass url uri host port name user username id ids ttl expiry expires expiration length \
    len size count limit max min type kind version format enabled required policy method mode regex helper stdin fd prompt";

/// Words that say it by themselves, wherever they stand.
const SECRET_WORDS: &str = "password passwd passphrase passwort pass pwd pw secret secrets token credential credentials creds cookie jwt \
    pat bearer otp totp psk dsn auth";

/// Parts of words written together, as in `PGPASSWORD` and `_authToken`.
const SECRET_PARTS: &str =
    "password passwd passphrase secret apikey accesskey privatekey authtoken credential accountkey";

/// Words that end in `pass` and keep nobody out.
const PASSING: &str = "bypass compass trespass surpass overpass underpass encompass";

/// What a key is for, where it is no secret.
const OPEN_KEYS: &str = "public pub cache primary foreign sort partition hot map row group unique index message";

/// Returns whether `word` is in a list of words that blanks part.
pub(super) fn named(words: &str, word: &str) -> bool {
    words.split(' ').any(|known| known == word)
}

/// Returns whether a variable, flag or field of this name holds a secret.
///
/// `TOKEN_FILE` and `MAX_TOKENS` hold none; `KEY` alone does not say so either.
pub(super) fn secret(name: &str) -> bool {
    let words = words(name);
    let Some(last) = words.last() else { return false };
    // Whoever knows the address of a webhook may call it.
    if words.iter().any(|word| word == "webhook") && named("url uri webhook", last) {
        return true;
    }
    if named(HARMLESS_ENDS, last) || last == "tokens" {
        // `AWS_ACCESS_KEY_ID` is one half of a credential.
        return name.to_ascii_lowercase().ends_with("access_key_id");
    }
    if words == ["pwd"] || words == ["oldpwd"] || words == ["old", "pwd"] {
        return false;
    }
    let key = |at: usize| words[at] == "key" && at > 0 && !named(OPEN_KEYS, &words[at - 1]);
    words.iter().enumerate().any(|(at, word)| {
        named(SECRET_WORDS, word)
            || SECRET_PARTS.split(' ').any(|part| word.contains(part))
            || word.ends_with("token")
            || (word.ends_with("pass") && !named(PASSING, word))
            || key(at)
    })
}

/// Returns the words of a name in small letters, parted at `_`, `-`, `.`, `:` and where small letters turn to capitals.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut small = false;
    for letter in name.chars() {
        let parts = !letter.is_alphanumeric();
        if (parts || (small && letter.is_uppercase())) && words.last().is_some_and(|word| !word.is_empty()) {
            words.push(String::new());
        }
        if !parts {
            words.last_mut().expect("one from the start").extend(letter.to_lowercase());
        }
        small = letter.is_lowercase() || letter.is_ascii_digit();
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_what_it_holds() {
        for name in [
            "GITHUB_TOKEN",
            "PGPASSWORD",
            "MYSQL_PWD",
            "AWS_SECRET_ACCESS_KEY",
            "AWS_ACCESS_KEY_ID",
            "MEOW_KEY",
            "apiKey",
            "client_secret",
            "_authToken",
            "api-key",
            "SSH_PRIVATE_KEY",
            "DOCKER_AUTH_CONFIG",
            "REDIS_AUTH",
            "SIGNING_KEY_BASE64",
            "NPM_CONFIG__AUTH",
            "AccountKey",
            "SECRET_KEY_BASE",
            "SENTRY_DSN",
            "SLACK_WEBHOOK_URL",
            "storepass",
        ] {
            assert!(secret(name), "{name}");
        }
        for name in [
            "PWD",
            "OLDPWD",
            "SSH_AUTH_SOCK",
            "GIT_ASKPASS",
            "TOKEN_FILE",
            "MAX_TOKENS",
            "tokens",
            "KEY",
            "CACHE_KEY",
            "PUBLIC_KEY",
            "HOME",
            "PATH",
            "KEYBOARD",
            "PASSWORD_MIN_LENGTH",
            "TOKEN_URL",
            "AUTHOR",
            "",
            "__",
            "passed",
            "tokenizer",
            "bypass",
            "XAUTHORITY",
        ] {
            assert!(!secret(name), "{name}");
        }
    }
}
