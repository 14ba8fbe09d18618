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
    /// The new segment's path below `.meow`; `None` where there was nothing to seal.
    pub place: Option<String>,
    /// Executions in it.
    pub executions: usize,
    /// Records in it.
    pub records: usize,
    /// Journals that could not be read, and stay.
    pub troubles: Vec<Error>,
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
    /// segment. Executions that still run are left alone.
    ///
    /// # Errors
    /// The segment cannot be written; every journal is still there then.
    pub fn seal(&self, into: &SealInto, wanted: &dyn Fn(&str) -> bool) -> Result<Sealed> {
        self.seal_with(into.writer, into.now, wanted, &mut |place, bytes| files::write_marked(into.meow, place, bytes))
    }

    /// Seals likewise, and hands the segment, by its path below `.meow`, to `keep`, which has it on the disk when it returns.
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
        if self.list()?.is_empty() {
            return Ok(Sealed::default());
        }
        let _lock = self.lock()?;
        self.sweep();
        let marks = self.marks()?;
        let is_marked = |id| marks.iter().any(|(_, mark)| mark.executions.contains(&id));
        let (mut sealed, mut records, mut executions) = (Sealed::default(), Vec::<Record>::new(), Vec::new());
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
                    records.extend(own);
                    executions.push(spooled.execution);
                }
                Ok(_) => {}
                // It would be named at every commit, and holds nothing.
                Err(_) if journal::is_void(&spooled.path).unwrap_or(false) => files::remove(&spooled.path)?,
                Err(error) => sealed.troubles.push(error),
            }
        }
        if records.is_empty() {
            return Ok(sealed);
        }
        let bytes = segment::encode(&records)?;
        let place = segment::place(&records, writer, now, &bytes);
        sealed.executions = executions.len();
        sealed.records = records.len();
        self.mark(&Mark { segment: place.clone(), executions })?;
        keep(&place, &bytes)?;
        sealed.place = Some(place);
        Ok(sealed)
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
