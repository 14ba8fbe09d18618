//! Sealing: journals of ended executions become one segment; a journal is freed only when git reaches that segment.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::journal::State;
use super::spool::{Spool, Spooled};
use super::{files, journal, segment};
use crate::error::{Error, Result};
use crate::record::{ExecutionId, Record};

const MAX_MARK_BYTES: usize = 16 << 20;

/// Journals of so many bytes make a segment, so that none comes near to [`segment::MAX_BYTES`] or [`segment::MAX_ROWS`], from
/// which on it is refused: a row takes far more bytes in a journal than in a segment, and some hundred of them.
const BATCH_BYTES: u64 = 32 << 20;

/// Where sealing writes, and for whom.
#[derive(Debug)]
pub struct SealInto<'a> {
    /// The folder `.meow` of the work tree that the segment goes into.
    pub meow: &'a Path,
    /// The writer id.
    pub writer: &'a str,
    /// The time that stands in the segment's name.
    pub now: Timestamp,
}

/// What sealing made.
#[derive(Debug, Default)]
pub struct Sealed {
    /// The new segments' paths below `.meow`: none where there was nothing to seal, seldom more than one.
    pub places: Vec<String>,
    /// Executions in them.
    pub executions: usize,
    /// Records in them.
    pub records: usize,
    /// Journals that could not be read, and stay.
    pub troubles: Vec<Error>,
}

/// The journals that become one segment.
#[derive(Debug, Default)]
struct Batch {
    records: Vec<Record>,
    executions: Vec<ExecutionId>,
    bytes: u64,
}

/// How segments are named, and where they go.
struct Press<'a> {
    writer: &'a str,
    now: Timestamp,
    keep: &'a mut dyn FnMut(&str, &[u8]) -> Result<()>,
}

/// Says which executions a segment holds. It is written before the segment: a mark without its segment means that
/// sealing did not get to its end, and the executions are sealed anew.
#[derive(Debug, Serialize, Deserialize)]
struct Mark {
    segment: String,
    executions: Vec<ExecutionId>,
}

impl Spool {
    /// Seals every ended execution that no segment holds yet, in the worktrees that `wanted` names, into one
    /// segment, or several where that would be a large one. Executions that still run are left alone.
    ///
    /// # Errors
    /// A segment cannot be written; every journal is still there then.
    pub fn seal(&self, into: &SealInto, wanted: &dyn Fn(&str) -> bool) -> Result<Sealed> {
        self.seal_with(into.writer, into.now, wanted, &mut |place, bytes| files::write_marked(into.meow, place, bytes))
    }

    /// Seals likewise, and hands each segment, by its path below `.meow`, to `keep`, which has it on the disk when it returns.
    ///
    /// # Errors
    /// `keep` cannot keep it; every journal is still there then.
    pub fn seal_with(
        &self,
        writer: &str,
        now: Timestamp,
        wanted: &dyn Fn(&str) -> bool,
        keep: &mut dyn FnMut(&str, &[u8]) -> Result<()>,
    ) -> Result<Sealed> {
        self.seal_by(BATCH_BYTES, wanted, &mut Press { writer, now, keep })
    }

    fn seal_by(&self, batch_bytes: u64, wanted: &dyn Fn(&str) -> bool, press: &mut Press) -> Result<Sealed> {
        if self.list()?.is_empty() {
            return Ok(Sealed::default());
        }
        let _lock = self.lock()?;
        self.sweep();
        let marks = self.marks()?;
        let is_marked = |id| marks.iter().any(|(_, mark)| mark.executions.contains(&id));
        let (mut sealed, mut batch) = (Sealed::default(), Batch::default());
        for spooled in self.list()? {
            if !wanted(&spooled.worktree) || is_marked(spooled.execution) {
                continue;
            }
            match spooled.read() {
                Ok(content) if content.state != State::Running => {
                    let mut own = content.records().peekable();
                    if own.peek().is_none() {
                        // Nothing started in it: there is no row to keep it in.
                        files::remove(&spooled.path)?;
                        continue;
                    }
                    let bytes = spooled.path.metadata().map_or(0, |found| found.len());
                    if batch.bytes + bytes > batch_bytes {
                        self.press(std::mem::take(&mut batch), press, &mut sealed)?;
                    }
                    batch.records.extend(own);
                    batch.executions.push(spooled.execution);
                    batch.bytes += bytes;
                }
                Ok(_) => {}
                // It would be named at every commit, and holds nothing.
                Err(_) if journal::is_void(&spooled.path).unwrap_or(false) => files::remove(&spooled.path)?,
                Err(error) => sealed.troubles.push(error),
            }
        }
        self.press(batch, press, &mut sealed)?;
        Ok(sealed)
    }

    /// Makes a segment of a batch, unless it is empty.
    fn press(&self, batch: Batch, press: &mut Press, sealed: &mut Sealed) -> Result<()> {
        if batch.records.is_empty() {
            return Ok(());
        }
        let bytes = segment::encode(&batch.records)?;
        let place = segment::place(&batch.records, press.writer, press.now, &bytes);
        sealed.executions += batch.executions.len();
        sealed.records += batch.records.len();
        self.mark(&Mark { segment: place.clone(), executions: batch.executions })?;
        (press.keep)(&place, &bytes)?;
        sealed.places.push(place);
        Ok(())
    }

    /// Frees journals whose segment `is_reached` by HEAD or a writer ref, and takes back the mark of segments that are
    /// neither reached nor `is_present` in a work tree, so that they are sealed anew. Both are asked with the path
    /// below `.meow`. Returns how many executions were freed.
    ///
    /// # Errors
    /// A file cannot be removed.
    pub fn settle(&self, is_reached: &dyn Fn(&str) -> bool, is_present: &dyn Fn(&str) -> bool) -> Result<usize> {
        if files::entries(&self.private.join("sealed"))?.is_empty() {
            return Ok(0);
        }
        let _lock = self.lock()?;
        let journals = self.list()?;
        let mut freed = 0;
        for (path, mark) in self.marks()? {
            if is_reached(&mark.segment) {
                let own = |spooled: &&Spooled| mark.executions.contains(&spooled.execution);
                for spooled in journals.iter().filter(own) {
                    files::remove(&spooled.path)?;
                    freed += 1;
                }
                files::remove(&path)?;
            } else if !is_present(&mark.segment) {
                files::remove(&path)?;
            }
        }
        Ok(freed)
    }

    /// Removes the journals of an ended execution, so that it will not be sealed; returns whether there was one.
    ///
    /// # Errors
    /// It still runs, or a file cannot be removed.
    pub fn forget(&self, execution: ExecutionId) -> Result<bool> {
        let _lock = self.lock()?;
        let own: Vec<_> = self.list()?.into_iter().filter(|spooled| spooled.execution == execution).collect();
        for spooled in &own {
            if spooled.read().is_ok_and(|content| content.state == State::Running) {
                return Err(Error::request(format!("execution {execution} still runs")).hint("stop it first"));
            }
            files::remove(&spooled.path)?;
        }
        Ok(!own.is_empty())
    }

    /// Returns the segments that hold executions whose journals are still in the spool, by path below `.meow`.
    ///
    /// # Errors
    /// The marks cannot be read.
    pub fn sealed(&self) -> Result<Vec<String>> {
        Ok(self.marks()?.into_iter().map(|(_, mark)| mark.segment).collect())
    }

    /// Returns the executions that lie in segments of which `is_reached` holds; it is asked with the path below `.meow`.
    ///
    /// # Errors
    /// The marks cannot be read.
    pub fn sealed_executions(&self, is_reached: &dyn Fn(&str) -> bool) -> Result<Vec<ExecutionId>> {
        let reached = self.marks()?.into_iter().filter(|(_, mark)| is_reached(&mark.segment));
        Ok(reached.flat_map(|(_, mark)| mark.executions).collect())
    }

    /// Returns every mark with its file; one that cannot be read seals nothing, so it is as good as absent.
    fn marks(&self) -> Result<Vec<(PathBuf, Mark)>> {
        let mut marks = Vec::new();
        for file in files::entries(&self.private.join("sealed"))? {
            let path = file.path();
            let text = files::read_capped(&path, MAX_MARK_BYTES)?;
            if let Ok(mark) = serde_json::from_slice(&text) {
                marks.push((path, mark));
            }
        }
        Ok(marks)
    }

    fn mark(&self, mark: &Mark) -> Result<()> {
        let folder = self.private.join("sealed");
        files::sweep(&folder);
        let name = mark.segment.rsplit('/').next().expect("split gives one part at least");
        let text = serde_json::to_vec(mark).map_err(|error| Error::store("a mark cannot be written").cause(error))?;
        files::write_whole(&folder.join(format!("{name}.json")), &text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Attempt;
    use crate::store::disk::states::execution;

    fn spool_one(spool: &Spool, number: u8) {
        let execution = execution(number);
        let journal = spool.create("main", &execution).expect("a journal");
        for step in ["one", "two", "three"] {
            journal.append(&Attempt::new(step, 1)).expect("appended");
        }
        journal.close(&execution).expect("closed");
    }

    #[test]
    fn much_that_waits_becomes_several_segments_and_every_execution_is_in_one() {
        let folder = tempfile::tempdir().expect("a folder");
        let spool = Spool::new(folder.path());
        (1..=5).for_each(|execution| spool_one(&spool, execution));
        let one = spool.list().expect("listed")[0].path.metadata().expect("there").len();
        let now = Timestamp::from_second(1_763_900_000).expect("in range");
        let mut kept = Vec::new();
        let mut keep = |place: &str, bytes: &[u8]| {
            kept.push((place.to_owned(), segment::decode(bytes)?.len()));
            Ok(())
        };
        let mut press = Press { writer: "0123456789ab", now, keep: &mut keep };
        let sealed = spool.seal_by(2 * one + one / 2, &|_| true, &mut press).expect("sealed");
        assert_eq!((sealed.executions, sealed.records), (5, 15));
        assert_eq!(kept.iter().map(|(_, rows)| *rows).collect::<Vec<_>>(), [6, 6, 3]);
        assert_eq!(sealed.places, kept.iter().map(|(place, _)| place.clone()).collect::<Vec<_>>());
        assert_eq!(spool.sealed_executions(&|_| true).expect("marks").len(), 5);
    }
}
