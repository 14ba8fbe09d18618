//! The page of patterns in words.

use crate::learn::insight::SlotUse;
use crate::learn::{BySize, Edge, Flakiness, Pattern, Trend, Verdict, WorkflowPattern};
use crate::plan::{Interval, Odds};
use crate::report::analysis::Analysis;
use crate::report::document::{Block, Document, Line, Piece, Table, name, strong, words};
use crate::report::{changes as told, format};

/// Changes that are shown.
const CHANGES: usize = 20;

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
            for used in self.slots.iter().filter(|used| used.workflow == pattern.workflow) {
                page = page.with(Block::Paragraph(vec![words(slots(used))]));
            }
            let sizes: Vec<&BySize> = self.sizes.iter().filter(|step| step.workflow == pattern.workflow).collect();
            if !sizes.is_empty() {
                page = page.with(Block::Table(by_size(&sizes)));
            }
            for step in pattern.steps.iter().filter(|step| step.machine.is_none()) {
                page = step.flakiness.iter().fold(page, |page, known| page.with(Block::Paragraph(doubt(step, known))));
            }
        }
        if !self.changes.is_empty() {
            let mut latest: Vec<&Trend> = self.changes.iter().collect();
            latest.sort_by_key(|trend| std::cmp::Reverse(trend.first_after.started_ms));
            let left = latest.len().saturating_sub(CHANGES);
            latest.truncate(CHANGES);
            page = page.with(Block::Title(vec![words("Changes, latest first")])).with(Block::Table(changes(&latest)));
            if left > 0 {
                let more = vec![
                    words(format!("{left} older changes: ")),
                    name("meow insights --all --type change"),
                    words(" shows them."),
                ];
                page = page.with(Block::Paragraph(more));
            }
            let lines: Vec<Line> = latest.into_iter().filter(|trend| !trend.commits.is_empty()).map(between).collect();
            if !lines.is_empty() {
                page = page.with(Block::Lead(lines));
            }
        }
        if !self.changes.is_empty() {
            page = page.with(Block::Note(vec![words(
                "change: with its 95 % interval; the p-value is the same test the other way round. Both count all places of \
                 all series: with a probability of 95 % none of these changes is chance.",
            )]));
        }
        if !self.sizes.is_empty() {
            page = page.with(Block::Note(vec![words(
                "inputs: their median size in each third of the latest passed attempts, at most 300, from the smallest inputs to \
                 the largest.",
            )]));
        }
        page.with(Block::Note(vec![words(
            "median and p10 – p90 of passed attempts. fails: odds of a first attempt, 90 % interval. retries: passed of \
             tried. queue: ready but not started, median. critical: share of executions with the step on the \
             critical path. slack: how much longer it could take, median. cpu: processor time, median and p90. memory: peak, median and \
             p90; set aside: what plans keep for the next attempt, where the size of its inputs does not tell better.",
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

/// Returns where the time of slots went.
fn slots(used: &SlotUse) -> String {
    let parts = [
        (used.worked_ms, "worked"),
        (used.unready_ms, "idle with nothing ready"),
        (used.backoff_ms, "idle before a retry"),
        (used.locks_ms, "idle while a step waited for a lock"),
        (used.memory_ms, "idle while a step waited for memory"),
        (used.processors_ms, "idle while a step waited for processors"),
        (used.other_ms, "idle though a step was ready, for no recorded reason"),
    ];
    let shown = parts.iter().filter(|(ms, what)| *what == "worked" || *ms >= 0.005 * used.slot_ms);
    let shown: Vec<String> = shown.map(|(ms, what)| format!("{} {what}", format::percent(ms / used.slot_ms))).collect();
    #[expect(clippy::cast_precision_loss, reason = "a hundred executions")]
    let each = |ms: f64| format::duration(ms / used.executions as f64);
    format!(
        "slots, over the latest {}: {}; in each, steps were ready for {} while all slots worked, and attempts that were tried \
         again took {} (mean).",
        format::count(used.executions, "execution"),
        shown.join(", "),
        each(used.queued_ms),
        each(used.retried_ms)
    )
}

/// Returns what speaks for failures by chance.
fn doubt(step: &Pattern, known: &Flakiness) -> Line {
    let said = match known.verdict {
        Verdict::Flaky => format!(
            " is flaky: it passed and failed on {}, and fails {} where it can pass.",
            super::insights::inputs(known.contradicted),
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
        ">cpu",
        ">cpu p90",
        ">memory",
        ">memory p90",
        ">set aside",
    ];
    let mut table = Table::new(&titles);
    for step in &pattern.steps {
        // One machine class says the same as all of them together.
        let classes = pattern.steps.iter().filter(|other| other.step == step.step && other.machine.is_some()).count();
        if step.machine.is_none() || classes > 1 {
            table.row(cells(step));
        }
    }
    // Imports know little; what is unknown of every step needs no column, nor does a machine that is none.
    table.without("–").without("all")
}

fn cells(step: &Pattern) -> [Piece; 15] {
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
        or_dash(step.cpu_ms.as_ref().map(median)),
        or_dash(step.cpu_ms.as_ref().map(|cpu| format::duration(cpu.p90))),
        or_dash(step.peak_memory_bytes.as_ref().map(|peak| format::bytes(peak.p50))),
        or_dash(step.peak_memory_bytes.as_ref().map(|peak| format::bytes(peak.p90))),
        or_dash(step.memory_bytes.map(format::bytes)),
    ]
}

/// Returns what steps took by the size of their inputs, a row a third.
fn by_size(steps: &[&BySize]) -> Table {
    let mut table =
        Table::new(&["step", ">inputs", ">n", ">median", ">p90", ">cpu", ">cpu p90", ">memory", ">memory p90"]);
    let or_dash = |text: Option<String>| words(text.unwrap_or_else(|| "–".to_owned()));
    let two = |known: Option<Interval>, shown: fn(f64) -> String| {
        [known.map(|known| shown(known.p50)), known.map(|known| shown(known.p90))].map(or_dash)
    };
    for step in steps {
        for third in &step.thirds {
            let [took, took_p90] = two(third.duration_ms, format::duration);
            let [cpu, cpu_p90] = two(third.cpu_ms, format::duration);
            let [memory, memory_p90] = two(third.peak_memory_bytes, format::bytes);
            let [inputs, _] = two(third.inputs_bytes, format::bytes);
            let n = or_dash(third.inputs_bytes.map(|known| known.n.to_string()));
            table.row([name(&step.step), inputs, n, took, took_p90, cpu, cpu_p90, memory, memory_p90]);
        }
    }
    table
}

fn changes(trends: &[&Trend]) -> Table {
    let titles =
        ["workflow", "step", "machine", "measure", ">before", ">after", ">change", ">p-value", ">n", "between", "and"];
    let mut table = Table::new(&titles);
    for trend in trends {
        let percent = |ratio: f64| format::change(ratio);
        let change = trend.ratio.map_or_else(
            || "–".to_owned(),
            |ratio| format!("{} ({} – {})", percent(ratio.mid), percent(ratio.low), percent(ratio.high)),
        );
        table.row([
            name(&trend.workflow),
            name(&trend.step),
            trend.machine.as_ref().map_or_else(|| words("–"), name),
            name(&trend.measure),
            words(level(&trend.measure, trend.before)),
            words(level(&trend.measure, trend.after)),
            words(change),
            words(told::p_value(trend.p_value)),
            words(trend.n.to_string()),
            name(edge(&trend.last_before)),
            name(edge(&trend.first_after)),
        ]);
    }
    table
}

/// Returns the commits in which a change came about, and the files that most of them touch.
fn between(trend: &Trend) -> Line {
    let commits = format::count(trend.commits.len() as u64, "commit");
    let mut line =
        vec![name(&trend.step), words(format!(": {commits} from ")), name(edge(&trend.last_before)), words(" to ")];
    line.push(name(edge(&trend.first_after)));
    for (place, file) in trend.files.iter().enumerate() {
        line.push(words(if place == 0 { "; most changed: " } else { ", " }));
        line.push(name(&file.path));
        line.push(words(format!(" ({})", file.commits)));
    }
    line
}

/// Returns a level of a measure with its unit.
pub(super) fn level(measure: &str, value: f64) -> String {
    match measure {
        "duration_ms" => format::duration(value),
        "peak_memory_bytes" => format::bytes(value),
        "failed" => format::percent(value),
        _ => told::number(value),
    }
}

/// Returns the commit of an execution at the edge of a change, or the execution where no commit is known.
fn edge(edge: &Edge) -> String {
    edge.commit.as_ref().unwrap_or(&edge.execution).chars().take(10).collect()
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
