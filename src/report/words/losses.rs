//! The page of lost time in words.

use crate::report::document::{Block, Document, Line, Piece, Table, name, strong, words};
use crate::report::format;
use crate::report::losses::{Loss, Losses, RepositoryLoss};

/// Steps shown before the rest is folded.
const TOP: usize = 20;

impl Losses {
    /// Returns the page in words.
    pub fn document(&self) -> Document {
        let title = format!("meow: where time is lost in {}", repositories(self.repositories.len()));
        let mut page = Document::default().with(Block::Title(vec![words(title)])).with(Block::Lead(vec![self.lead()]));
        if !self.steps.is_empty() {
            page = page.with(Block::Table(self.steps(0, TOP)));
        }
        if self.steps.len() > TOP {
            let summary = vec![words(format!("{} more steps", self.steps.len() - TOP))];
            page = page.with(Block::Details(summary, vec![Block::Table(self.steps(TOP, self.steps.len()))]));
        }
        if !self.repositories.is_empty() {
            let summary = vec![words(format!("By repository ({})", self.repositories.len()))];
            page = page.with(Block::Details(summary, vec![Block::Table(self.by_repository())]));
        }
        for block in [super::recommendations(&self.recommendations), super::skipped(&self.skipped)] {
            page.blocks.extend(block);
        }
        page.with(Block::Note(vec![words(format!(
            "Time a week over {:.1} weeks. failed: attempts that failed for good. retried: failed attempts that were tried \
             again. waiting: from a failed attempt to the next. queued: ready, without a free slot.",
            self.weeks
        ))]))
    }

    fn lead(&self) -> Line {
        let executions: u64 = self.repositories.iter().map(|repository| repository.executions).sum();
        let total: f64 = self.repositories.iter().map(|repository| repository.lost.total_ms()).sum();
        if executions == 0 {
            return vec![strong("No execution is recorded.")];
        }
        let mut line = vec![
            strong(format!("{} a week are lost", format::duration(total))),
            words(format!(" in {}.", format::count(executions, "execution"))),
        ];
        if let Some(worst) = self.steps.first() {
            line.extend([
                words(" Most by "),
                name(&worst.step),
                words(" of "),
                name(&worst.workflow),
                words(" in "),
                name(&worst.repository),
                words(format!(": {} a week.", format::duration(worst.lost.total_ms()))),
            ]);
        }
        line
    }

    fn steps(&self, from: usize, to: usize) -> Table {
        let titles = [
            "repository",
            "workflow",
            "step",
            ">lost a week",
            ">failed",
            ">retried",
            ">waiting",
            ">queued",
            ">failures",
        ];
        let mut table = Table::new(&titles);
        for step in self.steps.iter().skip(from).take(to - from) {
            let names = [name(&step.repository), name(&step.workflow), name(&step.step)];
            let failures = words(format!("{} of {}", step.failed, step.attempts));
            table.row(names.into_iter().chain(loss(&step.lost)).chain([failures]));
        }
        table
    }

    fn by_repository(&self) -> Table {
        let titles =
            ["repository", ">executions", ">failed", ">lost a week", ">failed", ">retried", ">waiting", ">queued"];
        let mut table = Table::new(&titles);
        for repository in &self.repositories {
            let RepositoryLoss { repository, executions, failed, lost } = repository;
            let counts = [name(repository), words(executions.to_string()), words(failed.to_string())];
            table.row(counts.into_iter().chain(loss(lost)));
        }
        table
    }
}

fn loss(lost: &Loss) -> [Piece; 5] {
    let cell = |ms: f64| words(if ms < 1.0 { "–".to_owned() } else { format::duration(ms) });
    [cell(lost.total_ms()), cell(lost.failed_ms), cell(lost.retried_ms), cell(lost.waiting_ms), cell(lost.queued_ms)]
}

fn repositories(count: usize) -> String {
    if count == 1 { "1 repository".to_owned() } else { format!("{count} repositories") }
}
