//! Whether a step takes part: `a == b`, `a != b`, `a`, `!a`.
//!
//! A side is plain text with variables in it, in quotes or not; spaces around it do not count. One side alone holds
//! unless it is empty, `false`, `no`, `off` or `0`. There is nothing else: no `and`, no numbers, no functions.

/// A condition, split before variables are filled in, so that no value can change its meaning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Condition {
    pub left: String,
    pub compared: Option<(Comparison, String)>,
    pub negated: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    Different,
}

impl Condition {
    /// Reads a condition.
    ///
    /// # Errors
    /// What is wrong, as a fragment that follows the key's name.
    pub fn parse(text: &str) -> Result<Self, String> {
        let bare = without_quoted(text);
        for operator in ["&&", "||", "<", ">", "=~"] {
            if bare.contains(operator) {
                return Err(format!("uses `{operator}`; a condition is `a == b`, `a != b`, `a` or `!a`"));
            }
        }
        let operators = [("==", Comparison::Equal), ("!=", Comparison::Different)];
        let found: Vec<_> = operators
            .into_iter()
            .flat_map(|(sign, comparison)| bare.match_indices(sign).map(move |(at, _)| (at, comparison)))
            .collect();
        match found.as_slice() {
            [] => {
                let text = text.trim();
                let (negated, left) = text.strip_prefix('!').map_or((false, text), |rest| (true, rest));
                if side(left).is_empty() {
                    return Err("is empty; a condition is `a == b`, `a != b`, `a` or `!a`".to_owned());
                }
                Ok(Self { left: side(left), compared: None, negated })
            }
            [(at, comparison)] => Ok(Self {
                left: side(&text[..*at]),
                compared: Some((*comparison, side(&text[at + 2..]))),
                negated: false,
            }),
            _ => Err("compares more than once; a condition is `a == b`, `a != b`, `a` or `!a`".to_owned()),
        }
    }

    /// Returns whether the condition holds; its sides have their variables filled in.
    pub fn holds(&self) -> bool {
        match &self.compared {
            Some((Comparison::Equal, right)) => self.left == *right,
            Some((Comparison::Different, right)) => self.left != *right,
            None => !matches!(self.left.to_lowercase().as_str(), "" | "false" | "no" | "off" | "0") != self.negated,
        }
    }

    /// Returns the condition with its values, as a person would write it.
    pub fn shown(&self) -> String {
        match &self.compared {
            Some((Comparison::Equal, right)) => format!("`{}` == `{right}`", self.left),
            Some((Comparison::Different, right)) => format!("`{}` != `{right}`", self.left),
            None => format!("{}`{}`", if self.negated { "!" } else { "" }, self.left),
        }
    }
}

/// Returns the text with everything in quotes blanked, byte for byte as long.
fn without_quoted(text: &str) -> String {
    let mut open: Option<char> = None;
    let mut bare = String::with_capacity(text.len());
    for char in text.chars() {
        let quote = char == '"' || char == '\'';
        let inside = open.is_some();
        if quote && open.is_none() {
            open = Some(char);
        } else if open == Some(char) {
            open = None;
        }
        if inside || quote { bare.extend(std::iter::repeat_n(' ', char.len_utf8())) } else { bare.push(char) }
    }
    bare
}

fn side(text: &str) -> String {
    let text = text.trim();
    let quoted = |quote| text.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote));
    quoted('"').or_else(|| quoted('\'')).unwrap_or(text).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions() {
        for (text, expected) in [
            ("a == a", Ok(true)),
            ("a == b", Ok(false)),
            ("a != b", Ok(true)),
            ("'a b' == \"a b\"", Ok(true)),
            ("'a == b' == 'a == b'", Ok(true)),
            (" == ", Ok(true)),
            ("x", Ok(true)),
            ("!x", Ok(false)),
            ("False", Ok(false)),
            ("!0", Ok(true)),
            ("''", Err("is empty")),
            ("", Err("is empty")),
            ("!", Err("is empty")),
            ("a == b == c", Err("more than once")),
            ("a && b", Err("uses `&&`")),
            ("3 < 4", Err("uses `<`")),
        ] {
            match (Condition::parse(text), expected) {
                (Ok(condition), Ok(holds)) => assert_eq!(condition.holds(), holds, "{text}"),
                (Err(what), Err(words)) => assert!(what.contains(words), "{text}: {what}"),
                (found, expected) => panic!("{text}: {found:?}, expected {expected:?}"),
            }
        }
    }

    #[test]
    fn a_truthiness_of_an_empty_value_is_false() {
        let condition = Condition { left: String::new(), compared: None, negated: false };
        assert!(!condition.holds());
    }
}
