//! The gate in words.

use crate::report::document::{Block, Document, Table, name, strong, words};
use crate::report::format;
use crate::report::gate::Gate;

impl Gate {
    /// Returns the page with what the gate says at its end.
    #[must_use]
    pub fn document(&self, page: Document) -> Document {
        let verdict = if self.passed { "Gate: passed" } else { "Gate: failed" };
        let (judged, unjudged) = (self.series.len(), self.unjudged);
        let mut lead = format!("{judged} of {} judged", format::count((judged + unjudged) as u64, "duration"));
        if unjudged > 0 {
            lead.push_str(" (a verdict takes five runs on each side, on one machine class)");
        }
        if !self.failing.is_empty() {
            lead.push_str("; failing more than on the base: ");
        }
        let mut line = vec![words(lead)];
        line.extend(self.failing.iter().map(name));
        let mut table =
            Table::new(&["workflow", "step", ">change", ">fails above", ">noise floor", ">false alarms", "verdict"]);
        for series in &self.series {
            table.row([
                name(&series.workflow),
                series.step.as_ref().map_or_else(|| words("all of it"), name),
                words(format::change(series.ratio)),
                words(format::change(series.threshold)),
                words(format::change(series.noise_floor)),
                words(format::percent(series.false_alarms)),
                if series.failed { strong("failed") } else { words("passed") },
            ]);
        }
        let note = "False alarms: the share of comparisons without any change that would be above it. A series fails only \
                    where it is slower with the confidence of this page as well.";
        page.with(Block::Title(vec![words(verdict)]))
            .with(Block::Paragraph(line))
            .with(Block::Table(table))
            .with(Block::Note(vec![words(note)]))
    }
}
