//! Old output of steps goes: what is older or more than the settings keep, looked at once an hour.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::cli::Context;
use crate::cli::settings::Kept;
use crate::git::Repository;
use crate::record::ExecutionId;
use crate::report::format::{bytes, count};
use crate::store::journal::State;
use crate::store::spool::Spool;

/// Its time says when the logs were last looked through.
const MARK: &str = ".looked-at";
const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);
/// So many of the latest executions keep their output whatever the clock says: it may have jumped.
const LATEST: usize = 10;

/// The output of one execution.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Log {
    /// When its folder was last written to.
    written: SystemTime,
    execution: ExecutionId,
    path: PathBuf,
    bytes: u64,
}

/// Removes what is older or more than is kept, but nothing of `own`, nor of executions that run or were interrupted. What
/// cannot be removed stays: an outcome hangs on none of it.
pub(super) fn logs(repository: &Repository, own: ExecutionId, context: &Context) {
    let private = repository.private_dir();
    let folder = private.join("logs");
    let now = SystemTime::from(context.settings.clock.now());
    if [&private, &folder].into_iter().any(|folder| folder.is_symlink()) || !is_due(&folder.join(MARK), now) {
        return;
    }
    let mut open = vec![own];
    for spooled in Spool::new(&private).list().unwrap_or_default() {
        if spooled.state().map_or(true, |state| state != State::Finished) {
            open.push(spooled.execution);
        }
    }
    let gone = surplus(found(&folder), &open, now, context.settings.logs_kept);
    let removed: Vec<&Log> = gone.iter().filter(|log| fs::remove_dir_all(&log.path).is_ok()).collect();
    if !removed.is_empty() {
        #[expect(clippy::cast_precision_loss, reason = "bytes stay far below 2^53")]
        let all = removed.iter().map(|log| log.bytes).sum::<u64>() as f64;
        let of = count(removed.len() as u64, "execution");
        context.terminal.say(&format!("the output of {of} is removed ({}): see `logs` in `meow config`", bytes(all)));
    }
}

/// Returns whether it is time to look, and notes that it was.
fn is_due(mark: &Path, now: SystemTime) -> bool {
    let last = mark.symlink_metadata().and_then(|facts| facts.modified());
    // A mark of the future is of no use: the clock was set back.
    if last.is_ok_and(|last| now.duration_since(last).is_ok_and(|age| age < HOUR)) {
        return false;
    }
    let noted = File::options().create(true).append(true).open(mark).and_then(|file| file.set_modified(now));
    noted.is_ok()
}

/// Returns the output of every execution; whatever else lies there is not meow's to remove.
fn found(folder: &Path) -> Vec<Log> {
    let log = |entry: fs::DirEntry| {
        let execution = entry.file_name().to_str()?.parse().ok()?;
        let facts = entry.metadata().ok().filter(fs::Metadata::is_dir)?;
        let size = |file: fs::DirEntry| file.metadata().map_or(0, |facts| facts.len());
        let bytes = fs::read_dir(entry.path()).ok()?.flatten().map(size).sum();
        Some(Log { written: facts.modified().ok()?, execution, path: entry.path(), bytes })
    };
    fs::read_dir(folder).into_iter().flatten().flatten().filter_map(log).collect()
}

/// Returns what goes: the oldest first.
fn surplus(mut logs: Vec<Log>, open: &[ExecutionId], now: SystemTime, kept: Kept) -> Vec<Log> {
    logs.sort();
    let latest = logs.len().saturating_sub(LATEST);
    let mut left: u64 = logs.iter().map(|log| log.bytes).sum();
    let mut gone = Vec::new();
    for (place, log) in logs.into_iter().enumerate() {
        let is_old = now.duration_since(log.written).is_ok_and(|age| age > DAY * kept.days);
        if (is_old && place < latest || left > kept.bytes) && !open.contains(&log.execution) {
            left -= log.bytes;
            gone.push(log);
        }
    }
    gone
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each log: its age in days and its bytes. Returns the ages of those that go.
    fn check(logs: &[(u64, u64)], open: &[u8], kept: Kept, expected: &[u64]) {
        let now = SystemTime::UNIX_EPOCH + DAY * 1000;
        let id = |place: usize| ExecutionId::from_bytes([u8::try_from(place).expect("few"); 12]);
        let log = |(place, &(days, bytes)): (usize, &(u64, u64))| Log {
            written: now - Duration::from_hours(24 * days),
            execution: id(place),
            path: PathBuf::new(),
            bytes,
        };
        let open: Vec<ExecutionId> = open.iter().map(|place| id(usize::from(*place))).collect();
        let gone = surplus(logs.iter().enumerate().map(log).collect(), &open, now, kept);
        let ages = gone.iter().map(|log| now.duration_since(log.written).expect("the past").as_secs() / 86_400);
        assert_eq!(ages.collect::<Vec<_>>(), expected, "{logs:?}");
    }

    #[test]
    fn what_is_old_or_too_much_goes_and_what_is_open_stays() {
        let kept = Kept { days: 30, bytes: 100 };
        check(&[], &[], kept, &[]);
        let many: Vec<(u64, u64)> = (0..14).map(|place| (place * 10 + 1, 1)).collect();
        check(&many, &[], kept, &[131, 121, 111, 101]);
        check(&many, &[13], kept, &[121, 111, 101]);
        check(&[(400, 1), (300, 1)], &[], kept, &[]);
        check(&[(3, 60), (2, 50), (1, 40)], &[], kept, &[3]);
        check(&[(3, 60), (2, 50), (1, 40)], &[0], kept, &[2]);
        check(&[(1, 500)], &[0], kept, &[]);
        check(&[(1, 500)], &[], kept, &[1]);
    }
}
