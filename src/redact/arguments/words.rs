//! Lines of text parted into commands and words as a shell, or a list of arguments that somebody printed, parts them.

use std::ops::Range;

/// One command and what it hands its output to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Command {
    /// Its words, less the quotes around them, as ranges of the text.
    pub words: Vec<Range<usize>>,
}

/// Returns the commands of each line, in the order in which they stand.
pub(super) fn lines(text: &str) -> Vec<Vec<Command>> {
    let mut lines = Vec::new();
    let mut start = 0;
    for line in text.split('\n') {
        let whole = commands(line, start);
        // What a shell is handed in quotes is a line of its own.
        let quoted = whole.iter().flat_map(|command| &command.words).filter(|word| text[(*word).clone()].contains(' '));
        let inner: Vec<Vec<Command>> = quoted.map(|word| commands(&text[word.clone()], word.start)).collect();
        lines.push(whole);
        lines.extend(inner);
        start += line.len() + 1;
    }
    lines
}

fn commands(line: &str, offset: usize) -> Vec<Command> {
    let bytes = line.as_bytes();
    let mut commands = vec![Command::default()];
    let mut start: Option<usize> = None;
    let mut quote: Option<u8> = None;
    let end_word = |start: &mut Option<usize>, end: usize, commands: &mut Vec<Command>| {
        let Some(from) = start.take() else { return };
        let word = unquoted(line, from..end);
        if !word.is_empty()
            && let Some(command) = commands.last_mut()
        {
            command.words.push(word.start + offset..word.end + offset);
        }
    };
    let mut at = 0;
    while at < bytes.len() {
        let byte = bytes[at];
        match quote {
            Some(open) if byte == open => quote = None,
            // What is escaped within quotes ends nothing.
            Some(b'"') if byte == b'\\' => at += 1,
            Some(_) => {}
            None => match byte {
                b' ' | b'\t' | b'\r' => end_word(&mut start, at, &mut commands),
                // A list of arguments: `['a', 'b']`.
                b',' | b']' if at > 0 && matches!(bytes[at - 1], b'\'' | b'"') => {
                    end_word(&mut start, at, &mut commands);
                }
                b'|' | b';' | b'&' if start.is_none() || byte == b';' && bytes.get(at + 1) == Some(&b' ') => {
                    end_word(&mut start, at, &mut commands);
                    commands.push(Command::default());
                }
                // A list that is quoted as a whole, `'['a', 'b']'`, is no word.
                b'\'' | b'"' if bytes.get(at + 1) == Some(&b'[') => {}
                b'\'' | b'"' | b'`' if line[at + 1..].contains(char::from(byte)) => {
                    quote = Some(byte);
                    start = start.or(Some(at));
                }
                _ => start = start.or(Some(at)),
            },
        }
        at += 1;
    }
    end_word(&mut start, bytes.len(), &mut commands);
    commands.retain(|command| !command.words.is_empty());
    commands
}

/// Takes brackets and a pair of quotes off a word.
fn unquoted(line: &str, word: Range<usize>) -> Range<usize> {
    let text = &line[word.clone()];
    let start = word.start + (text.len() - text.trim_start_matches(['[', '(', '{']).len());
    let text = &line[start..word.end];
    let quoted = text.len() > 1 && text.starts_with(['\'', '"', '`']) && text.ends_with(&text[..1]);
    if quoted { start + 1..word.end - 1 } else { start..word.end }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_of_a_shell_or_of_a_list() {
        for (line, words) in [
            ("+ a 'b c' d=\"e f\"", vec![vec!["+", "a", "b c", "d=\"e f\""]]),
            ("a | b && c; d", vec![vec!["a"], vec!["b"], vec!["c"], vec!["d"]]),
            ("Command '['a', '-pb']' failed", vec![vec!["Command", "a", "-pb", "'", "failed"]]),
            ("[\"a\",\"b\"]", vec![vec!["a", "b"]]),
            ("don't a=b;c=d", vec![vec!["don't", "a=b;c=d"]]),
            ("x'y\\", vec![vec!["x'y\\"]]),
            ("\"\\", vec![vec!["\"\\"]]),
            ("", vec![]),
        ] {
            let got = lines(line).remove(0);
            let got: Vec<Vec<&str>> =
                got.iter().map(|command| command.words.iter().map(|word| &line[word.clone()]).collect()).collect();
            assert_eq!(got, words, "{line}");
        }
    }
}
