//! Counts what is left of the corpus' secrets after cleaning, and how many lines without one were altered.

use meow::redact::{Known, Redactor};

use super::corpus::{Case, Kind};

/// Shortest piece of a secret that counts as left, in characters; of long ones it is half of the secret.
const PIECE: usize = 6;

/// Some cases, and how many of them went well.
#[derive(Debug, Default, Clone, Copy)]
pub struct Share {
    pub well: usize,
    pub of: usize,
}

impl Share {
    /// Returns the share, 1 where there is nothing to share.
    #[expect(clippy::cast_precision_loss, reason = "counts are small")]
    pub fn value(self) -> f64 {
        if self.of == 0 { 1.0 } else { self.well as f64 / self.of as f64 }
    }
}

/// Returns the line as meow would keep it.
pub fn cleaned(case: &Case) -> String {
    let variables = case.known.clone().into_iter().collect();
    Redactor::new(&Known { variables, ..Known::default() }).clean(&case.text).into_owned()
}

/// Returns whether the cleaned line is as it should be: no half of the secret left, or nothing altered.
pub fn well(case: &Case, cleaned: &str) -> bool {
    if case.kind == Kind::Benign {
        return case.text == cleaned;
    }
    let secret: Vec<char> = case.secret.chars().collect();
    let piece = secret.len().div_ceil(2).max(PIECE).min(secret.len());
    !secret.windows(piece).any(|piece| cleaned.contains(&piece.iter().collect::<String>()))
}

/// Returns how many of the chosen cases went well.
pub fn share<'c>(cases: impl Iterator<Item = &'c (Case, String)>) -> Share {
    cases.fold(Share::default(), |share, (case, cleaned)| Share {
        well: share.well + usize::from(well(case, cleaned)),
        of: share.of + 1,
    })
}
