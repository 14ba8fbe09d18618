//! A command's text to a program and its arguments: plain words start the program itself, anything else goes through `/bin/sh -c`.

/// Words that mean something to the shell alone, or something else to it than to a program of that name.
const SHELL_WORDS: [&str; 58] = [
    ".", ":", "[[", "alias", "bg", "break", "case", "cd", "command", "continue", "declare", "do", "done", "elif",
    "else", "enable", "esac", "eval", "exec", "exit", "export", "fc", "fg", "fi", "for", "function", "getopts", "hash",
    "if", "in", "jobs", "let", "local", "pushd", "popd", "read", "readonly", "return", "select", "set", "shift",
    "shopt", "source", "suspend", "then", "time", "times", "trap", "type", "typeset", "ulimit", "umask", "unalias",
    "unset", "until", "wait", "while", "kill",
];

/// The shell for everything that is more than words.
pub(super) const SHELL: &str = "/bin/sh";

/// Returns the program and its arguments for a command's text. Saves the shell (about a millisecond, and a process
/// between meow and the program that signals would have to pass) where it has nothing to do.
pub(super) fn of(text: &str) -> Vec<&str> {
    words(text).unwrap_or_else(|| shell(text))
}

/// Returns the program and its arguments that hand a command's text to the shell.
pub(super) fn shell(text: &str) -> Vec<&str> {
    vec![SHELL, "-c", text]
}

/// Returns whether a command's text is left to the shell.
pub(super) fn needs_shell(text: &str) -> bool {
    words(text).is_none()
}

/// Returns the words of a command that a shell would take as they are, or `None` where it would not.
fn words(text: &str) -> Option<Vec<&str>> {
    let plain = |c: char| c.is_ascii_alphanumeric() || " \t_-./:=,+@%".contains(c);
    if !text.chars().all(plain) {
        return None;
    }
    let words: Vec<&str> = text.split_ascii_whitespace().collect();
    let first = words.first()?;
    (!first.contains('=') && !SHELL_WORDS.contains(first)).then_some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_words_go_without_the_shell() {
        let check = |text: &str, expected: Option<&[&str]>| assert_eq!(words(text).as_deref(), expected, "{text}");
        check("cargo test --locked", Some(&["cargo", "test", "--locked"]));
        check("  ./run.sh\ta=b  ", Some(&["./run.sh", "a=b"]));
        check("rsync -a user@host:/x /y,z", Some(&["rsync", "-a", "user@host:/x", "/y,z"]));
        for shell in [
            "",
            "  ",
            "A=1 make",
            "exit 3",
            "cd x",
            ":",
            ". ./env",
            "a && b",
            "a; b",
            "a | b",
            "a > b",
            "a &",
            "echo $HOME",
            "echo `id`",
            "echo 'a b'",
            "echo \"a\"",
            "ls *.rs",
            "ls ~",
            "a\nb",
            "! a",
            "a #b",
            "(a)",
            "{ a }",
            "a\\b",
            "é",
        ] {
            check(shell, None);
        }
    }
}
