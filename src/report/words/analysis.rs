//! The page of patterns in words.

use crate::learn::{Flakiness, Pattern, Verdict, WorkflowPattern};
use crate::plan::{Interval, Odds};
use crate::report::analysis::Analysis;
use crate::report::document::{Block, Document, Line, Piece, Table, name, strong, words};
use crate::report::format;

impl Analysis {
    /// Returns the page in words.
    pub fn document(&self) -> Document {
        if self.workflows.is_empty() {
            return Document::default().with(Block::Lead(vec![vec![strong("No execution is recorded.")]]));
        }
        let mut page = Document::default();
        for (key, pattern) in &self.workflows {
            page = page
                .with(Block::Title(vec![name(key)]))
                .with(Block::Paragraph(summary(pattern)))
                .with(Block::Table(steps(pattern)));
            for step in pattern.steps.iter().filter(|step| step.machine.is_none()) {
                page = step.flakiness.iter().fold(page, |page, known| page.with(Block::Paragraph(doubt(step, known))));
            }
        }
        page.with(Block::Note(vec![words(
            "median and p10 – p90 of passed attempts. fails: odds of a first attempt, 90 % interval. retries: passed of \
             tried. queue: ready without a free slot, median. critical: share of executions with the step on the \
             critical path. slack: how much longer it could take, median. memory: p90 of peaks.",
        )]))
    }
}

fn summary(pattern: &WorkflowPattern) -> Line {
    let executions = format::count(pattern.executions, "execution");
    vec![words(format!(
        "{executions}, {:.1} a week, wall time {}, fails {}.",
        pattern.executions_per_week,
        format::interval(pattern.duration_ms.as_ref()),
        odds(pattern.failure.as_ref()),
    ))]
}

/// Returns what speaks for failures by chance.
fn doubt(step: &Pattern, known: &Flakiness) -> Line {
    let said = match known.verdict {
        Verdict::Flaky => format!(
            " is flaky: it passed and failed on {}, and fails {} where it can pass.",
            format::count(known.contradicted, "same input"),
            odds(known.failure.as_ref()),
        ),
        Verdict::Suspect => format!(
            " is suspect: it failed between passes on other inputs. One rerun on the same inputs that passes would show \
             it flaky, {} that fail would show it broken there.",
            format::count(known.reruns.into(), "rerun"),
        ),
    };
    vec![name(&step.step), words(said)]
}

fn steps(pattern: &WorkflowPattern) -> Table {
    let titles = [
        "step",
        "machine",
        ">n",
        ">median",
        ">p10 – p90",
        ">fails",
        ">retries",
        ">queue",
        ">critical",
        ">slack",
        ">memory",
    ];
    let mut table = Table::new(&titles);
    for step in &pattern.steps {
        // One machine class says the same as all of them together.
        let classes = pattern.steps.iter().filter(|other| other.step == step.step && other.machine.is_some()).count();
        if step.machine.is_none() || classes > 1 {
            table.row(cells(step));
        }
    }
    table
}

fn cells(step: &Pattern) -> [Piece; 11] {
    let or_dash = |text: Option<String>| words(text.unwrap_or_else(|| "–".to_owned()));
    let median = |known: &Interval| format::duration(known.p50);
    let spread = |known: &Interval| format!("{} – {}", format::duration(known.p10), format::duration(known.p90));
    [
        name(&step.step),
        step.machine.as_ref().map_or_else(|| words("all"), name),
        words(step.attempts.to_string()),
        or_dash(step.duration_ms.as_ref().map(median)),
        or_dash(step.duration_ms.as_ref().map(spread)),
        words(odds(step.failure.as_ref())),
        or_dash((step.retries > 0).then(|| format!("{} of {}", step.retries_passed, step.retries))),
        or_dash(step.queue_ms.as_ref().map(median)),
        or_dash(step.critical_share.map(format::percent)),
        or_dash(step.slack_ms.map(format::duration)),
        or_dash(step.peak_memory_bytes.as_ref().map(|peak| format::bytes(peak.p90))),
    ]
}

fn odds(odds: Option<&Odds>) -> String {
    odds.map_or_else(
        || "–".to_owned(),
        |known| {
            let (low, high) = (format::percent(known.low), format::percent(known.high));
            format!("{} ({low} – {high}, n {})", format::percent(known.mean), known.n)
        },
    )
}
