//! What went wrong: one error type for every room, with what happened, a hint and a cause.

use std::fmt;

/// A result whose error is [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Who has to act; decides the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The work failed: a step, a gate.
    Failed,
    /// The request was wrong: a flag, a name, a workflow file.
    Request,
    /// The store could not be read or written.
    Store,
    /// Git could not be read or written.
    Git,
    /// The reader of the output went away, which is no failure.
    Closed,
    /// meow itself is wrong.
    Bug,
}

/// What went wrong, in words for the person who has to mend it.
#[derive(Debug)]
pub struct Error {
    kind: Kind,
    what: String,
    hint: Option<String>,
    cause: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// Returns an error of `kind`; `what` is a lowercase fragment that names the path or key.
    pub fn new(kind: Kind, what: impl Into<String>) -> Self {
        Self { kind, what: what.into(), hint: None, cause: None }
    }

    /// Returns an error for a wrong request (exit code 2).
    pub fn request(what: impl Into<String>) -> Self {
        Self::new(Kind::Request, what)
    }

    /// Returns an error of the store (exit code 3).
    pub fn store(what: impl Into<String>) -> Self {
        Self::new(Kind::Store, what)
    }

    /// Returns an error of git (exit code 3).
    pub fn git(what: impl Into<String>) -> Self {
        Self::new(Kind::Git, what)
    }

    /// Returns the same error with what to do next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Returns the same error with the error that led to it.
    #[must_use]
    pub fn cause(mut self, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    /// Returns who has to act.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Returns what happened, without hint and causes.
    pub fn what(&self) -> &str {
        &self.what
    }

    /// Returns what to do next, if that is known.
    pub fn hint_text(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// Returns the exit code of a program that ends with this error.
    pub fn exit_code(&self) -> u8 {
        match self.kind {
            Kind::Closed => 0,
            Kind::Failed => 1,
            Kind::Request => 2,
            Kind::Store | Kind::Git => 3,
            Kind::Bug => 70,
        }
    }
}

impl fmt::Display for Error {
    /// Writes what happened and every cause behind it, joined by `: `.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.cause.as_ref().map(|cause| &**cause as &(dyn std::error::Error + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn display_joins_the_causes() {
        let error = Error::store("segment a.parquet cannot be read").cause("torn page").hint("run `meow store verify`");
        assert_eq!(error.to_string(), "segment a.parquet cannot be read: torn page");
        assert_eq!(error.exit_code(), 3);
        assert_eq!(error.hint_text(), Some("run `meow store verify`"));
    }
}
