//! The known name that an unknown one was probably meant to be.

use crate::error::Error;

/// Returns the known names closest to `unknown`, closest first, at most three; names unlike it are left out.
pub fn nearest<'a>(unknown: &str, known: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let mut close: Vec<(f64, &str)> = known
        .into_iter()
        .map(|name| (strsim::jaro_winkler(&unknown.to_lowercase(), &name.to_lowercase()), name))
        .filter(|(likeness, _)| *likeness > 0.75)
        .collect();
    close.sort_by(|(a, left), (b, right)| b.total_cmp(a).then(left.cmp(right)));
    close.dedup();
    close.into_iter().take(3).map(|(_, name)| name).collect()
}

/// Adds the closest known names to an error, or all of them where none is close and they are few.
pub fn did_you_mean<'a>(error: Error, unknown: &str, known: impl IntoIterator<Item = &'a str>) -> Error {
    // Names are compared in time proportional to their lengths' product: a stranger's long name is cut.
    let unknown: String = unknown.chars().take(100).collect();
    let known: Vec<&str> = known.into_iter().take(10_000).filter(|name| name.len() <= 400).collect();
    let quoted =
        |names: &[&str]| names.iter().map(|name| format!("`{}`", name.escape_debug())).collect::<Vec<_>>().join(", ");
    match nearest(&unknown, known.iter().copied()).as_slice() {
        [] if known.is_empty() => error,
        [] if known.len() <= 20 => error.hint(format!("known are {}", quoted(&known))),
        [] => error,
        [first, ..] => error.hint(format!("did you mean {}?", quoted(&[first]))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closest_name_is_named() {
        for (unknown, known, hint) in [
            ("comand", &["run", "command"][..], Some("did you mean `command`?")),
            ("Needs", &["needs", "env"], Some("did you mean `needs`?")),
            ("zzz", &["run", "env"], Some("known are `run`, `env`")),
            ("zzz", &[], None),
        ] {
            let error = did_you_mean(Error::request("x"), unknown, known.iter().copied());
            assert_eq!(error.hint_text(), hint, "{unknown}");
        }
    }
}
