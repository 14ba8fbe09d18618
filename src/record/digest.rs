//! Ids and hashes: 12 bytes, shown as 24 hex digits, one type per world.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

macro_rules! twelve_bytes {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name([u8; 12]);

        impl $name {
            /// Returns the id with these bytes.
            pub const fn from_bytes(bytes: [u8; 12]) -> Self {
                Self(bytes)
            }

            /// Returns the bytes.
            pub const fn bytes(&self) -> &[u8; 12] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(std::str::from_utf8(&hex(&self.0)).unwrap_or_default())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{self}")
            }
        }

        impl FromStr for $name {
            type Err = Error;

            /// Reads 24 hex digits.
            fn from_str(text: &str) -> Result<Self> {
                let digit = |at: usize| (text.as_bytes()[at] as char).to_digit(16);
                let mut bytes = [0; 12];
                if text.len() == 24 && text.is_ascii() {
                    for (index, byte) in bytes.iter_mut().enumerate() {
                        let (Some(high), Some(low)) = (digit(2 * index), digit(2 * index + 1)) else {
                            return Err(Error::request(format!("`{}` is not hexadecimal", text.escape_debug())));
                        };
                        *byte = u8::try_from(high * 16 + low).unwrap_or(0);
                    }
                    return Ok(Self(bytes));
                }
                Err(Error::request(format!("`{}` is not an id of 24 hex digits", text.escape_debug())))
            }
        }

        impl TryFrom<String> for $name {
            type Error = Error;
            fn try_from(text: String) -> Result<Self> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.to_string()
            }
        }
    };
}

twelve_bytes! {
    /// Names one execution, for ever and in every repository.
    ExecutionId
}
twelve_bytes! {
    /// Names one record: a hash of execution, step and attempt number.
    RecordId
}
twelve_bytes! {
    /// The first 12 bytes of a hash: a commit, a tree, a patch, a command's text.
    Digest
}

/// Returns the hex digits of an id: many are written between one step and the next, and formatting digit by digit takes a
/// microsecond.
fn hex(bytes: &[u8; 12]) -> [u8; 24] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = [0; 24];
    for (two, byte) in text.chunks_exact_mut(2).zip(bytes) {
        two[0] = DIGITS[usize::from(byte >> 4)];
        two[1] = DIGITS[usize::from(byte & 15)];
    }
    text
}

impl Digest {
    /// Returns the start of the BLAKE3 hash of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(first_twelve(&blake3::hash(bytes)))
    }

    /// Returns the same of a text that is never in memory as a whole.
    pub fn of_shown(text: fmt::Arguments) -> Self {
        struct Hashed(blake3::Hasher);
        impl fmt::Write for Hashed {
            fn write_str(&mut self, part: &str) -> fmt::Result {
                self.0.update(part.as_bytes());
                Ok(())
            }
        }
        let mut hashed = Hashed(blake3::Hasher::new());
        // What is hashed never refuses to be written.
        let _ = fmt::write(&mut hashed, text);
        Self(first_twelve(&hashed.0.finalize()))
    }

    /// Returns the first 12 bytes of a longer binary hash, or `None` where it is shorter.
    pub fn truncated(hash: &[u8]) -> Option<Self> {
        hash.get(..12).and_then(|bytes| bytes.try_into().ok()).map(Self)
    }
}

impl ExecutionId {
    /// Returns the id of an execution that another tool named: the same source gives the same id.
    pub fn imported(format: &str, execution: &str, workflow: &str) -> Self {
        Self(hash_fields(&[format, execution, workflow]))
    }
}

impl RecordId {
    /// Returns the id of attempt number `attempt` at `step` of `execution`.
    pub fn of(execution: ExecutionId, step: &str, attempt: u32) -> Self {
        Self(hash_fields(&[&execution.to_string(), step, &attempt.to_string()]))
    }
}

/// Hashes fields with their lengths, so that no two lists run into each other.
fn hash_fields(fields: &[&str]) -> [u8; 12] {
    let mut hasher = blake3::Hasher::new();
    for field in fields {
        hasher.update(&(field.len() as u64).to_le_bytes());
        hasher.update(field.as_bytes());
    }
    first_twelve(&hasher.finalize())
}

fn first_twelve(hash: &blake3::Hash) -> [u8; 12] {
    let mut bytes = [0; 12];
    bytes.copy_from_slice(&hash.as_bytes()[..12]);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_back() {
        let id = ExecutionId::from_bytes([0, 1, 2, 253, 254, 255, 16, 17, 18, 19, 20, 21]);
        assert_eq!(id.to_string(), "000102fdfeff101112131415");
        assert_eq!(id.to_string().parse::<ExecutionId>().expect("own text"), id);
        for wrong in ["", "00", "zz0102fdfeff101112131415", "é0102fdfeff10111213141", "+00102fdfeff10111213141f"] {
            assert!(wrong.parse::<Digest>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_text_has_one_hash_however_it_is_handed_over() {
        assert_eq!(Digest::of_shown(format_args!("{} {:?}", 1, ["a"])), Digest::of(b"1 [\"a\"]"));
    }

    #[test]
    fn fields_do_not_run_into_each_other() {
        assert_ne!(ExecutionId::imported("a", "bc", "d"), ExecutionId::imported("a", "b", "cd"));
        let execution = ExecutionId::from_bytes([7; 12]);
        assert_ne!(RecordId::of(execution, "build1", 1), RecordId::of(execution, "build", 11));
    }
}
