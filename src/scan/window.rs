//! A history cut to its latest or to its earliest part.

use super::History;
use crate::record::columns::place;

impl History {
    /// Returns the history without the executions that began before `start_ms` (milliseconds since 1970).
    #[must_use]
    pub fn since(mut self, start_ms: i64) -> Self {
        let gone = self.executions.started_ms.partition_point(|started| *started < start_ms);
        let rows = self.attempts.execution.partition_point(|execution| (*execution as usize) < gone);
        self.executions.cut(gone);
        self.attempts.cut(rows);
        for execution in &mut self.attempts.execution {
            *execution = place(*execution as usize - gone);
        }
        self
    }

    /// Returns the history without the executions that began at `end_ms` (milliseconds since 1970) or later.
    #[must_use]
    pub fn until(mut self, end_ms: i64) -> Self {
        let kept = self.executions.started_ms.partition_point(|started| *started < end_ms);
        let rows = self.attempts.execution.partition_point(|execution| (*execution as usize) < kept);
        self.executions.truncate(kept);
        self.attempts.truncate(rows);
        self
    }
}
