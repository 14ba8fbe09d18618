//! The time that is written down: to the second, or with `privacy.clock = "day"` the day and a number of order only.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::settings::Settings;
use crate::error::Result;
use crate::git::Repository;
use crate::store::spool::Spool;

/// Returns the time to record for an execution that begins `at`.
///
/// By the day, the n-th execution of a day in this clone begins at second n of that day in UTC: they keep their order.
///
/// # Errors
/// The number of order cannot be read or written.
pub fn execution(at: Timestamp, repository: &Repository, settings: &Settings) -> Result<Timestamp> {
    if settings.by_day {
        return Spool::new(&repository.private_dir()).number(midnight(at), true);
    }
    Ok(Timestamp::from_second(at.as_second()).unwrap_or(at))
}

/// Returns the time to write into whatever else is kept: names of segments, decisions, commits of writers' refs.
///
/// By the day, it is that of the day's last execution so far.
///
/// # Errors
/// The number of order cannot be read.
pub fn now(repository: Option<&Repository>, settings: &Settings) -> Result<Timestamp> {
    let now = settings.clock.now();
    match repository {
        Some(repository) if settings.by_day => Spool::new(&repository.private_dir()).number(midnight(now), false),
        None if settings.by_day => Ok(midnight(now)),
        _ => Ok(now),
    }
}

fn midnight(at: Timestamp) -> Timestamp {
    let start = at.to_zoned(TimeZone::UTC).start_of_day();
    start.map_or(at, |start| start.timestamp())
}
