//! The only clock and the only source of random ids; a frozen one makes tests repeatable.
#![expect(clippy::disallowed_methods, reason = "this room is the clock")]

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

pub use jiff::Timestamp;

use crate::error::{Error, Kind, Result};

/// Tells the time and draws random ids.
///
/// A frozen clock stops the wall clock and seeds the ids; time that passes ([`Clock::elapsed`]) stays real,
/// because timeouts of real processes hang on it.
#[derive(Debug)]
pub struct Clock {
    began: Instant,
    frozen: Option<Frozen>,
}

#[derive(Debug)]
struct Frozen {
    now: Timestamp,
    draws: AtomicU64,
    seed: u64,
}

impl Clock {
    /// Returns the machine's clock.
    pub fn system() -> Self {
        Self { began: Instant::now(), frozen: None }
    }

    /// Returns a clock that stands at `now` and draws ids from `seed`.
    pub fn frozen(now: Timestamp, seed: u64) -> Self {
        Self { began: Instant::now(), frozen: Some(Frozen { now, draws: AtomicU64::new(0), seed }) }
    }

    /// Returns the wall time.
    pub fn now(&self) -> Timestamp {
        self.frozen.as_ref().map_or_else(Timestamp::now, |frozen| frozen.now)
    }

    /// Returns the time since this clock was made; it never goes back.
    pub fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// Returns 12 random bytes.
    ///
    /// # Errors
    /// The operating system has no randomness to give.
    pub fn random(&self) -> Result<[u8; 12]> {
        let mut bytes = [0; 12];
        if let Some(frozen) = &self.frozen {
            let draw = frozen.draws.fetch_add(1, Ordering::Relaxed);
            let mut hasher = blake3::Hasher::new();
            hasher.update(&frozen.seed.to_le_bytes()).update(&draw.to_le_bytes());
            hasher.finalize_xof().fill(&mut bytes);
        } else {
            getrandom::fill(&mut bytes).map_err(|error| {
                Error::new(Kind::Store, "the operating system gave no random bytes").cause(error.to_string())
            })?;
        }
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frozen_clock_repeats_itself() {
        let at = Timestamp::from_second(1_700_000_000).expect("in range");
        let (one, two, other) = (Clock::frozen(at, 7), Clock::frozen(at, 7), Clock::frozen(at, 8));
        let draws = |clock: &Clock| (clock.random().expect("seeded"), clock.random().expect("seeded"));
        assert_eq!(one.now(), at);
        assert_eq!(draws(&one), draws(&two));
        assert_ne!(draws(&one), draws(&other));
    }
}
