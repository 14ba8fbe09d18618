//! A history cut to its latest part.

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
}
