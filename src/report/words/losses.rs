//! The page of lost time in words.

use crate::report::document::{Block, Document, Line, Piece, Table, name, strong, words};
use crate::report::format;
use crate::report::losses::{CAUSES, Loss, Losses, RepositoryLoss};

/// Steps shown before the rest is folded.
const TOP: usize = 20;

/// Less than this is shown as nothing.
pub(super) const SHOWN_MS: f64 = 1.0;

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
            "Time a week over {:.1} weeks. failed: attempts that failed for good. timed out: stopped at their time \
             limit. cancelled: stopped from outside. retried: failed attempts that were tried again. waiting: from a \
             failed attempt to the next. queued: ready, but not started. Causes without any time are left out.",
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
        let causes = self.causes();
        let titles = causes.iter().map(|cause| format!(">{}", CAUSES[*cause]));
        let titles = ["repository", "workflow", "step", ">lost a week"].map(str::to_owned).into_iter().chain(titles);
        let mut table = Table::of(titles.chain([">failures".to_owned()]));
        for step in self.steps.iter().skip(from).take(to - from) {
            let names = [name(&step.repository), name(&step.workflow), name(&step.step)];
            let failures = words(format!("{} of {}", step.failed, step.attempts));
            table.row(names.into_iter().chain(loss(&step.lost, &causes)).chain([failures]));
        }
        table
    }

    fn by_repository(&self) -> Table {
        let causes = self.causes();
        let titles = causes.iter().map(|cause| format!(">{}", CAUSES[*cause]));
        let own = ["repository", ">executions", ">failures", ">lost a week"].map(str::to_owned);
        let mut table = Table::of(own.into_iter().chain(titles));
        for repository in &self.repositories {
            let RepositoryLoss { repository, executions, failed, lost } = repository;
            let counts = [name(repository), words(executions.to_string()), words(failed.to_string())];
            table.row(counts.into_iter().chain(loss(lost, &causes)));
        }
        table
    }

    /// Returns the causes for which anything is lost, by their place.
    fn causes(&self) -> Vec<usize> {
        let occurs = |cause: &usize| self.repositories.iter().any(|one| one.lost.parts()[*cause] >= SHOWN_MS);
        (0..CAUSES.len()).filter(occurs).collect()
    }
}

/// Returns all that is lost, and what is by each of some causes.
fn loss(lost: &Loss, causes: &[usize]) -> Vec<Piece> {
    let cell = |ms: f64| words(if ms < SHOWN_MS { "–".to_owned() } else { format::duration(ms) });
    let parts = causes.iter().map(|cause| lost.parts()[*cause]);
    [lost.total_ms()].into_iter().chain(parts).map(cell).collect()
}

fn repositories(count: usize) -> String {
    if count == 1 { "1 repository".to_owned() } else { format!("{count} repositories") }
}
