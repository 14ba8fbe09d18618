//! `meow score`: how good meow's predictions would have been on a history, beside the plain rules.

use std::fs::File;
use std::path::PathBuf;

use serde::Serialize;

use super::Context;
use super::history::history;
use super::page::{self, Format};
use crate::error::{Error, Result};
use crate::import::jsonl;
use crate::learn::predictor::Forecaster;
use crate::learn::replay::{Predicted, Trace};
use crate::learn::score::{self, Scores};
use crate::report::document::{Block, Document, Table, name, strong, words};

/// Show how good predictions were: each attempt predicted at its start, beside the plain rules
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  meow score\n  meow score --data history.jsonl.gz --known requested_memory\n\n\
    An attempt is predicted at its start from attempts that had finished by then. The later half in time is scored,\n\
    passed attempts of steps with at least 5 earlier ones. Errors are shares of those of the rule `last value`.")]
pub struct Args {
    /// Interchange rows to replay (gzip or not) instead of this repository's history
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,
    /// Write every prediction to this CSV file
    #[arg(long, value_name = "OUT.csv")]
    predictions: Option<PathBuf>,
    /// Metrics that are known when an attempt starts
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    known: Vec<String>,
    /// How to print it
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

#[derive(Serialize)]
struct Page {
    schema_version: u32,
    attempts: usize,
    durations: Option<Scores>,
}

/// Replays a history and prints the errors.
///
/// # Errors
/// There is neither a repository nor a file, the file is damaged, or an output cannot be written.
pub fn run(args: &Args, context: &Context) -> Result<u8> {
    let trace = match &args.data {
        None => Trace::of(&history(&[], context)?, &args.known),
        Some(file) => {
            let shown = file.display().to_string();
            let input = File::open(context.settings.directory.join(file))
                .map_err(|error| Error::request(format!("{shown} cannot be read")).cause(error))?;
            Trace::from_rows(&jsonl::rows(input, &shown)?, &args.known)
        }
    };
    let said = trace.replay(&mut Forecaster::default());
    if let Some(file) = &args.predictions {
        std::fs::write(context.settings.directory.join(file), csv(&trace, &said))
            .map_err(|error| Error::request(format!("{} cannot be written", file.display())).cause(error))?;
    }
    let scores = Page { schema_version: 1, attempts: said.len(), durations: score::durations(&trace, &said, None) };
    page::show(&scores, &scores.document(), args.format, context)?;
    Ok(0)
}

impl Page {
    fn document(&self) -> Document {
        let title = Block::Title(vec![words(format!("Predictions of {} attempts", self.attempts))]);
        let document = Document::default().with(title);
        let Some(scores) = &self.durations else {
            let none = "Not enough history: no step has passed five times before the later half.";
            return document.with(Block::Paragraph(vec![words(none)]));
        };
        let lead = format!(
            "Durations of {} passed attempts of {} steps; errors are shares of those of the last value, lower is better.",
            scores.rows, scores.series
        );
        let mut table = Table::new(&[
            "rule",
            ">error by step",
            ">error overall",
            ">median error",
            ">below p90",
            ">in p10-p90",
            ">loss at p90",
        ]);
        let share = |value: Option<f64>| words(value.map_or_else(|| "-".to_owned(), |value| format!("{value:.3}")));
        for method in &scores.methods {
            table.row([
                if method.name == "meow" { strong(method.name) } else { name(method.name) },
                share(method.geo_mase),
                share(method.pooled_mase),
                words(format!("{:.2} %", method.mdape_percent)),
                words(format!("{:.1} %", 100.0 * method.coverage_p90)),
                words(format!("{:.1} %", 100.0 * method.coverage_p10_p90)),
                share(method.pinball_p90),
            ]);
        }
        let note = "A good p90 lies above 90 % of attempts, and p10 to p90 holds 80 %.";
        document
            .with(Block::Lead(vec![vec![words(lead)]]))
            .with(Block::Table(table))
            .with(Block::Note(vec![words(note)]))
    }
}

/// Returns a line an attempt, as the scorers of interchange rows read them; an empty cell is no prediction.
fn csv(trace: &Trace, said: &[Predicted]) -> String {
    let mut text = "execution,workflow,step,attempt,p10_ms,p50_ms,p90_ms,failure_probability\n".to_owned();
    let number = |value: Option<f64>| value.map(|value| value.to_string()).unwrap_or_default();
    for ((known, _), said) in trace.attempts.iter().zip(said) {
        let names = [
            &trace.executions[known.execution as usize],
            trace.names.text(known.workflow),
            trace.names.text(known.step),
        ];
        let [execution, workflow, step] = names.map(quoted);
        let durations = said.duration_ms;
        let p10 = number(durations.map(|interval| interval.p10));
        let p50 = number(durations.map(|interval| interval.p50));
        let p90 = number(durations.map(|interval| interval.p90));
        let failure = number(said.failure);
        text.push_str(&format!("{execution},{workflow},{step},{},{p10},{p50},{p90},{failure}\n", known.attempt));
    }
    text
}

/// Returns a cell in quotes (RFC 4180).
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}
