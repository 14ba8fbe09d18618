//! Two texts of one file as the lines that differ, with what stands around them.

/// Lines shown before and after the place.
const AROUND: usize = 3;

/// Returns the one place in which two texts differ, in the unified form; nothing where they are equal.
pub fn diff(file: &str, before: &str, after: &str) -> String {
    let (old, new): (Vec<&str>, Vec<&str>) = (before.lines().collect(), after.lines().collect());
    let start = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let most = old.len().min(new.len()) - start;
    let end = old.iter().rev().zip(new.iter().rev()).take(most).take_while(|(a, b)| a == b).count();
    let (gone, come) = (&old[start..old.len() - end], &new[start..new.len() - end]);
    if gone.is_empty() && come.is_empty() {
        return String::new();
    }
    let first = start.saturating_sub(AROUND);
    let tail = &old[old.len() - end..old.len() - end.saturating_sub(AROUND)];
    let shared = (start - first) + tail.len();
    let mut text = format!(
        "--- {file}\n+++ {file}\n@@ -{},{} +{},{} @@\n",
        first + 1,
        gone.len() + shared,
        first + 1,
        come.len() + shared
    );
    let mut lines = |mark: char, lines: &[&str]| {
        for line in lines {
            text.push_str(&format!("{mark}{line}\n"));
        }
    };
    lines(' ', &old[first..start]);
    lines('-', gone);
    lines('+', come);
    lines(' ', tail);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_place_that_differs_is_shown() {
        for (before, after, shown) in [
            ("a\nb\n", "a\nb\n", ""),
            (
                "a\nb\nc\nd\ne\nf\ng\nh\n",
                "a\nb\nc\nd\nX\ne\nf\ng\nh\n",
                "@@ -2,6 +2,7 @@\n b\n c\n d\n+X\n e\n f\n g\n",
            ),
            ("a\nX\n", "a\n", "@@ -1,2 +1,1 @@\n a\n-X\n"),
            ("", "a\n", "@@ -1,0 +1,1 @@\n+a\n"),
        ] {
            let expected = if shown.is_empty() { String::new() } else { format!("--- f\n+++ f\n{shown}") };
            assert_eq!(diff("f", before, after), expected);
        }
    }
}
