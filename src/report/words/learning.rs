//! The learning report in words.

use crate::learn::Verdict;
use crate::learn::health::{Health, WEIGHTS};
use crate::learn::news::{Learnt, News, What};
use crate::report::document::{Block, Document, Line, Table, name, strong, words};
use crate::report::format::{bytes, change, count, duration, percent};
use crate::report::learning::LearningReport;
use crate::report::words::Extent;
use crate::report::words::losses::SHOWN_MS;

/// News that are shown.
const NEWS: usize = 10;

/// Weekdays, as rows are called.
const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

impl LearningReport {
    /// Returns the page in words.
    pub fn document(&self) -> Document {
        let day = |at: jiff::Timestamp| at.strftime("%Y-%m-%d").to_string();
        let mut page = Document::default()
            .with(Block::Title(vec![words(format!("Learnt from {} to {}", day(self.from), day(self.to)))]))
            .with(Block::Lead(vec![vec![
                strong(count(self.executions, "execution")),
                words(format!(" in {}, {} failed.", count(u64::from(self.days), "day"), self.failed)),
            ]]))
            .with(Block::Title(vec![words("Newly learnt")]))
            .with(Block::Lead(self.learnt()))
            .with(Block::Title(vec![words("Time lost a week")]))
            .with(Block::Table(self.lost()))
            .with(Block::Title(vec![words("Predictions")]))
            .with(Block::Paragraph(vec![words(self.predicted())]));
        if !self.predictions.worst.is_empty() {
            page = page.with(Block::Table(self.misses()));
        }
        page.blocks.extend(self.insights.document(Extent::Top).blocks);
        if self.executions > 0 {
            page = page
                .with(Block::Title(vec![words("Rhythm")]))
                .with(Block::Paragraph(vec![words(self.weekdays())]))
                .with(Block::Paragraph(vec![words(self.hours())]));
        }
        if self.health.is_empty() {
            return page;
        }
        let weights: Vec<String> = WEIGHTS.iter().map(|(part, weight)| format!("{part} {weight:.0}")).collect();
        page.with(Block::Title(vec![words("Health")])).with(Block::Table(self.health())).with(Block::Note(vec![words(
            format!(
                "lost: mean and 90 % interval from resampled days; the causes' ends add up to the whole's, causes without any \
                 time are left out. score: parts by weight ({}); unknown parts are left out. at least: with success at its 5 % quantile. time: share of \
                 time in attempts that passed. steady: odds that no flaky step fails by chance. predictions: 1 less the \
                 median error. Health is over all that is recorded.",
                weights.join(", ")
            ),
        )]))
    }

    fn learnt(&self) -> Vec<Line> {
        let Learnt { known, new, changed, news } = &self.learnt;
        let mut lines = vec![vec![words(format!(
            "{} of steps and workflows known: {new} new, {changed} changed.",
            count(*known, "pattern")
        ))]];
        lines.extend(news.iter().take(NEWS).map(told));
        if news.len() > NEWS {
            lines.push(vec![words(format!("{} more: ", news.len() - NEWS)), name("--json"), words(" holds them.")]);
        }
        lines
    }

    /// The causes by which anything was lost, and the whole.
    fn lost(&self) -> Table {
        let mut table = Table::new(&["cause", ">lost", ">90 % interval"]);
        let whole = self.lost.len().saturating_sub(1);
        let lost = self.lost.iter().enumerate().filter(|(place, cause)| *place == whole || cause.high_ms >= SHOWN_MS);
        for (_, cause) in lost {
            let interval = format!("{} – {}", duration(cause.low_ms), duration(cause.high_ms));
            table.row([words(cause.cause), words(duration(cause.mean_ms)), words(interval)]);
        }
        table
    }

    fn predicted(&self) -> String {
        let known = &self.predictions;
        match (known.below_p90, known.median_error) {
            (Some(below), Some(error)) => format!(
                "Of {} predicted, {} took at most the predicted p90 (90 % is right); the median error was {}.",
                count(known.n, "passed attempt"),
                percent(below),
                percent(error)
            ),
            _ => "Nothing was predicted for attempts that passed.".to_owned(),
        }
    }

    fn misses(&self) -> Table {
        let mut table = Table::new(&["missed most", "workflow", ">predicted", ">p90", ">took", ">over p90", "id"]);
        for miss in &self.predictions.worst {
            table.row([
                name(&miss.step),
                name(&miss.workflow),
                words(duration(miss.p50_ms)),
                words(duration(miss.p90_ms)),
                words(duration(miss.took_ms)),
                words(change(miss.took_ms / miss.p90_ms)),
                words(miss.execution.chars().take(8).collect::<String>()),
            ]);
        }
        table
    }

    fn weekdays(&self) -> String {
        let days: Vec<String> =
            DAYS.iter().zip(self.by_weekday).map(|(day, executions)| format!("{day} {executions}")).collect();
        format!("Executions by weekday (UTC): {}.", days.join(", "))
    }

    fn hours(&self) -> String {
        let hours = self.by_hour.iter().enumerate().filter(|(_, executions)| **executions > 0);
        let hours: Vec<String> = hours.map(|(hour, executions)| format!("{hour:02}h {executions}")).collect();
        format!("By hour (UTC): {}.", hours.join(", "))
    }

    fn health(&self) -> Table {
        let titles = ["of", ">score", ">at least", ">success", ">time", ">steady", ">predictions", ">n"];
        let mut table = Table::new(&titles);
        let part = |part: Option<f64>| words(part.map_or_else(|| "–".to_owned(), percent));
        // Of a single repository the line over all says it.
        let whole = |health: &Health| health.repository.is_some() && health.workflow.is_none();
        let alone = self.health.iter().filter(|health| whole(health)).count() == 1;
        for health in self.health.iter().filter(|health| !alone || !whole(health)) {
            let of = match (&health.repository, &health.workflow) {
                (_, Some(workflow)) => name(workflow),
                (Some(repository), None) => name(repository),
                (None, None) => words("all"),
            };
            table.row([
                of,
                words(format!("{:.0}", health.score)),
                words(format!("{:.0}", health.at_least)),
                part(Some(health.success)),
                part(health.time),
                part(health.steady),
                part(health.predictions),
                words(health.executions.to_string()),
            ]);
        }
        table
    }
}

/// Returns one thing that was learnt in a line.
fn told(news: &News) -> Line {
    let mut line = match &news.step {
        Some(step) => vec![name(step), words(" of "), name(&news.workflow)],
        None => vec![name(&news.workflow)],
    };
    let from = |before: String, after: String| format!("went from {before} to {after}");
    let said = match news.what {
        What::New { n, p50_ms } => {
            let predicted = p50_ms.map_or_else(String::new, |ms| format!(", predicted to take {}", duration(ms)));
            format!(" is new (n {n}){predicted}")
        }
        What::Time { before_ms, after_ms } => {
            format!(": the predicted time {}", from(duration(before_ms), duration(after_ms)))
        }
        What::Memory { before_bytes, after_bytes } => {
            format!(": the peak memory {}", from(bytes(before_bytes), bytes(after_bytes)))
        }
        What::Failure { before, after } => format!(": the odds of failing {}", from(percent(before), percent(after))),
        What::Verdict { after: Some(Verdict::Flaky), .. } => " is now known to be flaky".to_owned(),
        What::Verdict { after: Some(Verdict::Suspect), .. } => " is now suspected to be flaky".to_owned(),
        What::Verdict { after: None, .. } => " is no longer thought to be flaky".to_owned(),
    };
    line.push(words(format!("{said}.")));
    line
}
