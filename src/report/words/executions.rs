//! The pages of executions in words.

use jiff::Timestamp;

use super::insights::far_outside;
use crate::learn::insight::What;
use crate::record::Outcome;
use crate::report::document::{Block, Document, Line, Piece, Table, name, strong, words};
use crate::report::executions::{AttemptLine, ExecutionLine, Far, Log, Open, Single, Status};
use crate::report::format;

/// Digits of ids and commits that people read.
const SHORT: usize = 8;

impl Log {
    /// Returns the page in words.
    pub fn document(&self) -> Document {
        if self.executions.is_empty() {
            return Document::default().with(Block::Lead(vec![vec![strong("No execution is recorded.")]]));
        }
        let page = Document::default().with(Block::Table(table(&self.executions)));
        let hidden = self.total - self.executions.len() as u64;
        if hidden == 0 {
            return page;
        }
        page.with(Block::Note(vec![words(format!("{} not shown.", format::count(hidden, "older execution")))]))
    }
}

impl Status {
    /// Returns the page in words.
    pub fn document(&self) -> Document {
        let mut page = Document::default();
        if self.workflows.is_empty() && self.running.is_empty() && self.interrupted.is_empty() {
            page = page.with(Block::Lead(vec![vec![strong("No execution is recorded.")]]));
        }
        for (title, open) in [("Running", &self.running), ("Interrupted", &self.interrupted)] {
            if !open.is_empty() {
                page = page.with(Block::Paragraph(vec![strong(title)])).with(Block::Table(unfinished(open)));
            }
        }
        if let Some(one) = self.interrupted.iter().max_by_key(|one| one.started_at) {
            let command = format!("meow execute --resume {}", short(&one.id));
            let rest = " runs what had not passed; its steps that passed on the same sources are not run again.";
            page = page.with(Block::Note(vec![name(command), words(rest)]));
        }
        if !self.workflows.is_empty() {
            page = page.with(Block::Table(table(&self.workflows)));
        }
        if !self.anomalies.is_empty() {
            page = page.with(Block::Lead(self.anomalies.iter().map(far).collect()));
        }
        let waiting = match self.waiting {
            0 => "No execution waits to be committed.".to_owned(),
            1 => "1 execution waits to be committed.".to_owned(),
            many => format!("{many} executions wait to be committed."),
        };
        page.with(Block::Note(vec![words(waiting)]))
    }
}

impl Single {
    /// Returns the page in words.
    pub fn document(&self) -> Document {
        let line = &self.line;
        let facts = format!(
            " {} on {}, {}, started by ",
            line.outcome.word(),
            moment(line.started_at),
            line.duration_ms.map_or_else(|| "never came to its end".to_owned(), format::duration),
        );
        let mut lead: Line = vec![name(&line.workflow), words(" "), name(&line.id), words(facts), name(&self.trigger)];
        if let Some(machine) = &self.machine {
            lead.extend([words(" on "), name(machine)]);
        }
        if self.slots > 0 {
            lead.push(words(format!(" with {}", format::count(u64::from(self.slots), "slot"))));
        }
        if let Some(commit) = &line.commit {
            let text: String = commit.to_string().chars().take(12).collect();
            let dirty = if line.dirty == Some(true) { ", with uncommitted changes" } else { "" };
            lead.extend([words(", commit "), name(text), words(dirty)]);
        }
        let mut page = Document::default().with(Block::Paragraph(lead)).with(Block::Table(attempts(&self.attempts)));
        if let Some(logs) = &self.logs {
            page = page.with(Block::Note(vec![words("Output of the steps: "), name(logs)]));
        }
        page
    }
}

fn far(far: &Far) -> Line {
    let anomaly = &far.anomaly;
    let took = far_outside(anomaly.took_ms, anomaly.predicted_ms.p10, anomaly.predicted_ms.p90);
    let mut line = vec![strong("far outside"), words(": "), name(&far.workflow)];
    if anomaly.what == What::Step {
        line.extend([words(" "), name(&anomaly.name)]);
    }
    line.extend([words(format!(" {took} (n = {}); ", anomaly.predicted_ms.n)), words(short(&far.id))]);
    line
}

fn table(lines: &[ExecutionLine]) -> Table {
    let mut table = Table::new(&["id", "when", "workflow", "outcome", ">duration", "commit", "failed"]);
    for line in lines {
        let commit = line.commit.map_or_else(String::new, |commit| short(&commit.to_string()));
        let dirty = if line.dirty == Some(true) { "+" } else { "" };
        let mut failed: Line = Vec::new();
        for step in line.failed.iter().take(3) {
            if !failed.is_empty() {
                failed.push(words(", "));
            }
            failed.push(name(step));
        }
        if line.failed.len() > 3 {
            failed.push(words(format!(" and {} more", line.failed.len() - 3)));
        }
        table.rows.push(vec![
            vec![words(short(&line.id))],
            vec![words(moment(line.started_at))],
            vec![name(&line.workflow)],
            vec![outcome(line.outcome)],
            vec![words(line.duration_ms.map_or_else(|| "–".to_owned(), format::duration))],
            vec![words(format!("{commit}{dirty}"))],
            failed,
        ]);
    }
    table
}

fn unfinished(open: &[Open]) -> Table {
    let mut table = Table::new(&["since", "workflow", ">attempts ended", "id"]);
    for one in open {
        let attempts = words(one.attempts.to_string());
        table.row([words(moment(one.started_at)), name(&one.workflow), attempts, words(short(&one.id))]);
    }
    table
}

fn attempts(lines: &[AttemptLine]) -> Table {
    let titles = ["step", ">attempt", "outcome", ">started", ">duration", ">predicted", "", ">processor", ">memory"];
    let mut table = Table::new(&titles);
    for line in lines {
        let time = |ms: Option<f64>| words(ms.map_or_else(|| "–".to_owned(), format::duration));
        let ending = if line.timed_out { words("failed (time limit)") } else { outcome(line.outcome) };
        let predicted = match (line.predicted_p50_ms, line.predicted_p90_ms) {
            (Some(p50), Some(p90)) => format!("{} (p90 {})", format::duration(p50), format::duration(p90)),
            _ => "–".to_owned(),
        };
        let late = line.duration_ms.zip(line.predicted_p90_ms).is_some_and(|(took, p90)| took > p90);
        table.row([
            name(&line.step),
            words(line.attempt.to_string()),
            ending,
            time(line.started_ms),
            time(line.duration_ms),
            words(predicted),
            words(if late { "above p90" } else { "" }),
            time(line.cpu_ms),
            words(line.peak_memory_bytes.map_or_else(|| "–".to_owned(), format::bytes)),
        ]);
    }
    table
}

fn outcome(outcome: Outcome) -> Piece {
    if outcome == Outcome::Failed { strong(outcome.word()) } else { words(outcome.word()) }
}

fn short(id: &str) -> String {
    id.chars().take(SHORT).collect()
}

/// Returns a moment to the minute, in universal time.
pub fn moment(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%MZ").to_string()
}
