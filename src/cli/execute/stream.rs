//! Every event of an execution on stdout as it happens, for programs: one JSON object a line.

use crate::cli::terminal::Terminal;
use crate::execute::Event;
use crate::plan::Plan;
use crate::record::ExecutionId;
use crate::redact::inert;

/// Writes events to stdout until the reader goes away.
pub(super) struct Stream<'a> {
    terminal: &'a Terminal,
    open: bool,
}

impl<'a> Stream<'a> {
    pub(super) fn new(terminal: &'a Terminal, plan: &Plan, id: ExecutionId) -> Self {
        let mut stream = Self { terminal, open: true };
        stream.line(&serde_json::json!({
            "event": "execution",
            "schema_version": 1,
            "execution": id.to_string(),
            "workflow": plan.workflow,
            "slots": plan.slots,
            "steps": plan.prediction.steps,
        }));
        stream
    }

    pub(super) fn see(&mut self, event: &Event) {
        match serde_json::to_value(event) {
            Ok(value) => self.line(&value),
            Err(error) => self.terminal.warn(&format!("an event cannot be written: {error}")),
        }
    }

    fn line(&mut self, value: &serde_json::Value) {
        self.open = self.open && self.terminal.result(&inert::json(&value.to_string())).is_ok();
    }
}
