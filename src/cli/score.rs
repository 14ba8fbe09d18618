//! `meow score`: how good meow's predictions would have been on a history, beside the plain rules.

use std::fs::File;
use std::path::PathBuf;

use serde::Serialize;

use super::history::{history, normed};
use super::page::{self, Format};
use super::{Context, output};
use crate::error::{Error, Result};
use crate::import::jsonl;
use crate::learn::limits::{LimitScores, limits};
use crate::learn::newcomers::{Cold, Newcomers, newcomers};
use crate::learn::predictor::Forecaster;
use crate::learn::replay::{Predicted, Trace};
use crate::learn::score::{self, Scores};
use crate::learn::transient::{RetryScores, retries};
use crate::learn::verdicts::{self, FailureScores};
use crate::redact::inert;
use crate::report::document::{Block, Document, Piece, Table, name, strong, words};
use crate::report::format::count;
use crate::scan;

/// Show how good predictions were: each attempt predicted at its start, beside the plain rules
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  meow score\n  meow score ~/src/*\n  meow score --data history.jsonl.gz --known requested_memory\n\n\
    An attempt is predicted at its start from attempts that had finished by then. The later half in time is scored: \
    durations of passed attempts of steps with at least 5 earlier ones, their errors as shares of those of the rule \
    `last value`; and the odds of failure of all that passed or failed. Over several repositories it shows what they are \
    worth to each other: the first 20 executions of each, predicted with and without the others."
)]
pub struct Args {
    /// Repositories to replay together, or folders to search for them [default: this one]
    #[arg(value_name = "PATHS", conflicts_with = "data")]
    paths: Vec<PathBuf>,
    /// Interchange rows to replay (gzip or not) instead of this repository's history
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,
    /// Write every prediction to this CSV file; a name that a spreadsheet would compute stands behind a '
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
    failures: Option<FailureScores>,
    limits: Option<LimitScores>,
    retries: Option<RetryScores>,
    newcomers: Option<Newcomers>,
}

/// Replays a history and prints the errors.
///
/// # Errors
/// There is neither a repository nor a file, the file is damaged, or an output cannot be written.
pub fn run(args: &Args, context: &Context) -> Result<u8> {
    let trace = match &args.data {
        None if args.paths.is_empty() => {
            let project = context.project()?;
            let mut history = normed(history(&[], context)?, &project, context);
            if let Some(repository) = &project.repository {
                scan::touched::touched(repository, &mut history);
            }
            Trace::of(&history, &args.known)
        }
        None => Trace::of(&history(&args.paths, context)?, &args.known),
        Some(file) => {
            let shown = file.display().to_string();
            let input = File::open(context.settings.directory.join(file))
                .map_err(|error| Error::request(format!("{shown} cannot be read")).cause(error))?;
            Trace::from_rows(&jsonl::rows(input, &shown)?, &args.known)
        }
    };
    let said = trace.replay(&mut Forecaster::default());
    if let Some(file) = &args.predictions {
        std::fs::write(output::place(file, &context.settings)?, csv(&trace, &said))
            .map_err(|error| Error::request(format!("{} cannot be written", file.display())).cause(error))?;
    }
    let scores = Page {
        schema_version: 1,
        attempts: said.len(),
        durations: score::durations(&trace, &said, None),
        failures: verdicts::failures(&trace, &said, None),
        limits: limits(&trace),
        retries: retries(&trace),
        newcomers: newcomers(&trace, &said),
    };
    page::show(&scores, &scores.document(), args.format, context)?;
    Ok(0)
}

impl Page {
    fn document(&self) -> Document {
        let title = Block::Title(vec![words(format!("Predictions of {}", count(self.attempts as u64, "attempt")))]);
        let mut document = Document::default().with(title);
        document = match &self.durations {
            Some(scores) => durations(document, scores),
            None => document.with(Block::Paragraph(vec![words(
                "Not enough history: no step has passed five times before the later half.",
            )])),
        };
        if let Some(scores) = &self.failures {
            document = failures(document, scores);
        }
        if let Some(scores) = &self.limits {
            document = document.with(Block::Paragraph(vec![words(stopped(scores))]));
        }
        if let Some(scores) = &self.retries {
            document = document.with(Block::Paragraph(vec![words(tried_again(scores))]));
        }
        if let Some(newcomers) = &self.newcomers {
            document = first(document, newcomers);
        }
        document
    }
}

fn durations(document: Document, scores: &Scores) -> Document {
    let lead = format!(
        "Durations of {} of {}; errors are shares of those of the last value, lower is better.",
        count(scores.rows as u64, "passed attempt"),
        count(scores.series as u64, "step")
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
    for method in &scores.methods {
        table.row([
            of_rule(method.name),
            share(method.geo_mase),
            share(method.pooled_mase),
            words(format!("{:.2} %", method.mdape_percent)),
            words(format!("{:.1} %", 100.0 * method.coverage_p90)),
            words(format!("{:.1} %", 100.0 * method.coverage_p10_p90)),
            share(method.pinball_p90),
        ]);
    }
    let note = "A good p90 lies above 90 % of attempts, and p10 to p90 holds 80 %.";
    document.with(Block::Lead(vec![vec![words(lead)]])).with(Block::Table(table)).with(Block::Note(vec![words(note)]))
}

fn failures(document: Document, scores: &FailureScores) -> Document {
    let lead = format!(
        "Failures of {}, of which {:.2} % failed.",
        count(scores.rows as u64, "attempt"),
        100.0 * scores.failed
    );
    let mut table =
        Table::new(&["rule", ">told apart", ">squared error", ">better than the rate", ">calibration error"]);
    for method in &scores.methods {
        table.row([
            of_rule(method.name),
            share(method.auc),
            words(format!("{:.5}", method.brier)),
            share(method.skill),
            words(format!("{:.4}", method.calibration_error)),
        ]);
    }
    let note = "Told apart: how often a failed attempt had been given higher odds than a passed one, mean over workflows; \
                .5 is chance.";
    document.with(Block::Lead(vec![vec![words(lead)]])).with(Block::Table(table)).with(Block::Note(vec![words(note)]))
}

fn stopped(scores: &LimitScores) -> String {
    let limits = if scores.passed + scores.not_passed == 0 {
        "No attempt had a learnt time limit.".to_owned()
    } else {
        format!(
            "Learnt time limits would have stopped {} of {}, and {} of {} others {:.2} hours earlier; the longest passed \
             one took {:.1} % of its limit.",
            scores.healthy_stopped,
            count(scores.passed as u64, "passed attempt"),
            scores.hung,
            scores.not_passed,
            scores.saved_ms / 3.6e6,
            100.0 * scores.closest,
        )
    };
    let watched = count(scores.watched as u64, "passed attempt");
    format!("{limits} {} of {watched} would have been named as slow.", scores.healthy_named)
}

fn tried_again(scores: &RetryScores) -> String {
    format!(
        "Of {} with another try {} passed then; learnt retries would have tried {} of them again, of which {} passed.",
        count(scores.followed as u64, "failure"),
        scores.passed,
        scores.retried,
        scores.retried_passed,
    )
}

fn first(document: Document, newcomers: &Newcomers) -> Document {
    let lead = format!(
        "The first 20 executions of each of {} repositories, {} passed attempts.",
        newcomers.repositories, newcomers.attempts
    );
    let mut table =
        Table::new(&["learnt from", ">predicted", ">median error", ">below p90", ">squared error of failures"]);
    let percent = |value: Option<f64>| words(value.map_or_else(|| "-".to_owned(), |value| format!("{value:.1} %")));
    let mut row = |what: &str, cold: &Cold| {
        table.row([
            words(what),
            percent(Some(100.0 * cold.predicted)),
            percent(cold.mdape_percent),
            percent(cold.coverage_p90.map(|share| 100.0 * share)),
            share(cold.brier),
        ]);
    };
    row("all repositories", &newcomers.with);
    row("each one's own history", &newcomers.without);
    document.with(Block::Lead(vec![vec![words(lead)]])).with(Block::Table(table))
}

fn of_rule(rule: &'static str) -> Piece {
    if rule == "meow" { strong(rule) } else { name(rule) }
}

fn share(value: Option<f64>) -> Piece {
    words(value.map_or_else(|| "-".to_owned(), |value| format!("{value:.3}")))
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
        let [execution, workflow, step] = names.map(inert::cell);
        let durations = said.duration_ms;
        let p10 = number(durations.map(|interval| interval.p10));
        let p50 = number(durations.map(|interval| interval.p50));
        let p90 = number(durations.map(|interval| interval.p90));
        let failure = number(said.failure);
        text.push_str(&format!("{execution},{workflow},{step},{},{p10},{p50},{p90},{failure}\n", known.attempt));
    }
    text
}
