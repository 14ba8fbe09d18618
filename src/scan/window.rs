//! A history cut to its latest part.

use super::{Attempts, Executions, History};

impl History {
    /// Returns the history without the executions that began before `start_ms` (milliseconds since 1970).
    #[must_use]
    pub fn since(mut self, start_ms: i64) -> Self {
        let gone = self.executions.started_ms.partition_point(|started| *started < start_ms);
        let rows = self.attempts.execution.partition_point(|execution| (*execution as usize) < gone);
        self.executions.cut(gone);
        self.attempts.cut(rows);
        for execution in &mut self.attempts.execution {
            *execution = super::collect::index(*execution as usize - gone);
        }
        self
    }
}

impl Executions {
    fn cut(&mut self, gone: usize) {
        self.id.drain(..gone);
        self.repository.drain(..gone);
        self.workflow.drain(..gone);
        self.started_ms.drain(..gone);
        self.duration_ms.drain(..gone);
        self.outcome.drain(..gone);
        self.trigger.drain(..gone);
        self.machine.drain(..gone);
        self.slots.drain(..gone);
        self.commit.drain(..gone);
        self.tree.drain(..gone);
        self.patch.drain(..gone);
        self.range_patch.drain(..gone);
        self.dirty.drain(..gone);
        self.branch.drain(..gone);
    }
}

impl Attempts {
    fn cut(&mut self, gone: usize) {
        self.execution.drain(..gone);
        self.step.drain(..gone);
        self.attempt.drain(..gone);
        self.ready_ms.drain(..gone);
        self.started_ms.drain(..gone);
        self.duration_ms.drain(..gone);
        self.outcome.drain(..gone);
        self.timed_out.drain(..gone);
        self.cpu_ms.drain(..gone);
        self.peak_memory_bytes.drain(..gone);
        self.inputs_bytes.drain(..gone);
        self.predicted_p10_ms.drain(..gone);
        self.predicted_p50_ms.drain(..gone);
        self.predicted_p90_ms.drain(..gone);
        self.slot.drain(..gone);
        self.command.drain(..gone);
        self.needs.drain(..gone);
        self.metrics.drain(..gone);
    }
}
