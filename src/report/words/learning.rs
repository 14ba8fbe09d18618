//! The learning report in words.

use crate::learn::health::WEIGHTS;
use crate::report::document::{Block, Document, Table, name, strong, words};
use crate::report::format::{count, duration, percent};
use crate::report::learning::LearningReport;
use crate::report::words::Extent;

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
        let weights: Vec<String> = WEIGHTS.iter().map(|(part, weight)| format!("{part} {weight:.0}")).collect();
        page.with(Block::Title(vec![words("Health")])).with(Block::Table(self.health())).with(Block::Note(vec![words(
            format!(
                "lost: mean and 90 % interval from resampled days; the causes' ends add up to the whole's. score: parts by \
                 weight ({}); unknown parts are left out. at least: with success at its 5 % quantile. time: share of \
                 time in attempts that passed. steady: odds that no flaky step fails by chance. predictions: 1 less the \
                 median error. Health is over all that is recorded.",
                weights.join(", ")
            ),
        )]))
    }

    fn lost(&self) -> Table {
        let mut table = Table::new(&["cause", ">lost", ">90 % interval"]);
        for cause in &self.lost {
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
        let mut table = Table::new(&["missed most", "workflow", ">predicted", ">p90", ">took", "id"]);
        for miss in &self.predictions.worst {
            table.row([
                name(&miss.step),
                name(&miss.workflow),
                words(duration(miss.p50_ms)),
                words(duration(miss.p90_ms)),
                words(duration(miss.took_ms)),
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
        for health in &self.health {
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
