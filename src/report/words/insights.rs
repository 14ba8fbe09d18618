//! Insights in words: one plain sentence each, with its numbers, and what makes it sure.

use super::quoting;
use crate::learn::Insight;
use crate::learn::insight::{Capacity, Certainty, Finding, Held, Kind, Measure};
use crate::report::changes;
use crate::report::document::{Block, Document, Line, name, strong, words};
use crate::report::format::{bytes, change, count, duration, percent};
use crate::report::insights::{Insights, Told};

/// Digits of ids that people read, and ids that are shown.
const SHORT: usize = 8;
const SHOWN: usize = 5;

/// Insights of a kind that are shown unless all are asked for, and changes named beside another.
const TOP: usize = 5;
const BESIDE: usize = 3;

/// How much of a page of insights is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// The few of each kind that are worth most, and how many more there are.
    Top,
    /// Everything.
    All,
}

impl Insights {
    /// Returns the page in words.
    pub fn document(&self, extent: Extent) -> Document {
        let executions = count(self.executions, "execution");
        if self.insights.is_empty() {
            let lead = format!("Nothing noteworthy in {executions}.");
            return Document::default().with(Block::Lead(vec![vec![strong(lead)]]));
        }
        let all = self.insights.iter().map(|told| 1 + told.with.len() as u64).sum();
        let lead = format!("{} in {executions}, most time a week first.", count(all, "insight"));
        let mut page = Document::default().with(Block::Lead(vec![vec![strong(lead)]]));
        for kind in [Kind::Anomaly, Kind::Change, Kind::AntiPattern, Kind::Bottleneck, Kind::BestPractice] {
            let of: Vec<&Told> = self.insights.iter().filter(|told| told.kind == kind).collect();
            if !of.is_empty() {
                page = page.with(Block::Title(vec![words(title(kind))])).with(Block::Lead(lines(&of, extent)));
            }
        }
        page.with(Block::Note(vec![words(NOTE)]))
    }
}

const NOTE: &str = "sure: the posterior probability that the rate behind it passes its bar; p: the probability of such \
                    numbers without any effect, all tests of this page counted; at least: the 5 % quantile of a rate. \
                    Changes that may have come together stand together.";

/// Returns the lines of one kind.
fn lines(of: &[&Told], extent: Extent) -> Vec<Line> {
    if extent == Extent::All {
        return of
            .iter()
            .flat_map(|told| {
                let with = told.with.iter().map(|told| [vec![words("with it: ")], line(told)].concat());
                [line(told)].into_iter().chain(with)
            })
            .collect();
    }
    let mut lines: Vec<Line> = of.iter().take(TOP).map(|told| with_others(told)).collect();
    let left: usize = of.iter().skip(TOP).map(|told| 1 + told.with.len()).sum();
    if left > 0 {
        lines.push(vec![words(format!("{left} more: ")), name("meow insights --all"), words(" shows them.")]);
    }
    lines
}

/// Returns an insight in a line, with the changes beside it in a few words.
fn with_others(told: &Told) -> Line {
    let mut line = line(told);
    if !told.with.is_empty() {
        line.push(words(format!("; with {}: ", count(told.with.len() as u64, "other change"))));
    }
    for (place, other) in told.with.iter().take(BESIDE).enumerate() {
        line.push(words(if place == 0 { "" } else { ", " }));
        line.extend(quoting(&beside(other)));
    }
    if told.with.len() > BESIDE {
        line.push(words(", …"));
    }
    line
}

/// Returns a change in a few words.
fn beside(told: &Told) -> String {
    let Finding::Changed { measure, machine, before, after, .. } = &told.facts else { return told.sentence.clone() };
    let step = told.step.as_deref().map_or_else(String::new, |step| format!(" of {}", quoted(step)));
    let place = machine.as_ref().map_or_else(String::new, |machine| format!(" on {}", quoted(machine)));
    let by = if *before > 0.0 && *after > 0.0 {
        change(after / before)
    } else {
        format!("to {}", super::analysis::level(measure, *after))
    };
    format!("{}{step}{place} {by}", measured(measure))
}

/// Returns an insight in a line: date, name, sentence, what it costs, how sure it is, and what proves it.
fn line(told: &Told) -> Line {
    let mut line = vec![words(told.at.strftime("%Y-%m-%d ").to_string()), strong(told.name), words(": ")];
    line.extend(quoting(&told.sentence));
    line.push(words(format!("{}; {}; proof", told.weekly_ms.map_or_else(String::new, weekly), told.sure)));
    for id in told.evidence.iter().take(SHOWN) {
        line.extend([words(" "), name(id.chars().take(SHORT).collect::<String>())]);
    }
    line
}

/// Returns what something costs or saves a week; nothing below a millisecond.
fn weekly(ms: f64) -> String {
    match ms {
        ms if ms >= 1.0 => format!("; costs {} a week", duration(ms)),
        ms if ms <= -1.0 => format!("; saves {} a week", duration(-ms)),
        _ => String::new(),
    }
}

/// Returns a measure in words.
fn measured(measure: &str) -> &str {
    match measure {
        "duration_ms" => "the time",
        "peak_memory_bytes" => "the peak memory",
        "failed" => "the share of failures",
        other => other,
    }
}

/// Returns a name between backticks; one with a backtick in it would end early.
fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "'"))
}

fn title(kind: Kind) -> &'static str {
    match kind {
        Kind::Anomaly => "Anomalies",
        Kind::Change => "Changes",
        Kind::AntiPattern => "Anti-patterns",
        Kind::Bottleneck => "Bottlenecks",
        Kind::BestPractice => "Best practices",
    }
}

/// Returns how sure an insight is, in words.
pub(in crate::report) fn sure(insight: &Insight) -> String {
    let Certainty { measure, value } = insight.certainty;
    match measure {
        Measure::Posterior => format!("sure {} (n {})", percent(value.min(0.9999)), insight.n),
        Measure::PValue => format!("{} (n {})", p(value), insight.n),
        Measure::LowerBound => format!("at least {} (n {})", percent(value), insight.n),
    }
}

fn p(value: f64) -> String {
    if value < 0.001 {
        "p < 0.001".to_owned()
    } else {
        format!("p {}", changes::p_value(value).trim_start_matches("p "))
    }
}

/// Returns an insight's sentence; names stand between backticks.
pub(in crate::report) fn sentence(insight: &Insight) -> String {
    let workflow = quoted(&insight.workflow);
    let step =
        insight.step.as_deref().map_or_else(|| workflow.clone(), |step| format!("{} of {workflow}", quoted(step)));
    match &insight.finding {
        Finding::RetryStorm { retried, executions, lost_ms } => format!(
            "{step} needed another try in {retried} of {executions} executions; the tries before the last cost {}",
            duration(*lost_ms)
        ),
        Finding::VainRetries { passed, retries, lost_ms } => {
            format!("retries of {step} hardly help: {passed} of {retries} passed, and they took {}", duration(*lost_ms))
        }
        Finding::UnusedRetries { attempts, failed } => {
            format!("{step} declares a retry that it hardly needs: {failed} of {attempts} first attempts failed")
        }
        Finding::RetriesPay { passed, retries } => format!("retries of {step} pay: {passed} of {retries} passed"),
        Finding::AlwaysRed { executions, trees, passed_before } => format!(
            "{step} failed in each of its last {executions} executions, on {trees} trees; {}",
            if *passed_before { "it passed before" } else { "it has never passed" }
        ),
        Finding::FailsLate { failed, executions, before_ms } => format!(
            "{step} is short and failed in {failed} of {executions} executions, after {} of other steps (median): it could run earlier",
            duration(*before_ms)
        ),
        Finding::FailsFast { fast, failed, share } => {
            format!("{step} fails fast: {fast} of {failed} failures came within {} of its usual time", percent(*share))
        }
        Finding::TimeoutNearMedian { limit_ms, median_ms, stopped, attempts, declared } => format!(
            "the {}time limit of {step}, {}, is near what it takes (median {}): {stopped} of {attempts} attempts were stopped",
            if *declared { "declared " } else { "" },
            duration(*limit_ms),
            duration(*median_ms)
        ),
        Finding::SerialChain { need, passed, tried, saved_ms, wall_ms } => format!(
            "{step} waits for {}, yet passed {passed} of {tried} times without it; side by side would save {} of {} (simulated, median). A clean folder would tell",
            quoted(need),
            duration(*saved_ms),
            duration(*wall_ms)
        ),
        Finding::MemoryCollision { crowded_failed, crowded, free_failed, free } => format!(
            "{step} failed {crowded_failed} of {crowded} times while what ran beside it filled the memory, {free_failed} of {free} times otherwise"
        ),
        Finding::ColdCacheMornings { ratio, low, high, cold, warm } => format!(
            "{step} takes {} ({} – {}) after 6 h without an execution ({cold} such attempts against {warm})",
            change(*ratio),
            change(*low),
            change(*high)
        ),
        Finding::OversizedCpu { declared, used } => {
            format!("{step} declares {declared} processors and never kept more than {used:.1} busy")
        }
        Finding::OversizedMemory { declared, used } => {
            format!("{step} declares {} and never took more than {}", bytes(*declared), bytes(*used))
        }
        Finding::UndersizedMemory { declared, above, attempts } => {
            format!("{step} declares {} and took more in {above} of {attempts} attempts", bytes(*declared))
        }
        Finding::Bottleneck { share, dominated, executions } => format!(
            "{step} alone held up 60 % or more of the time in {dominated} of {executions} passed executions (median {})",
            percent(*share)
        ),
        Finding::Queueing { share, waited, executions, capacity } => format!(
            "steps of {step} wait for a slot: a tenth of the time or more in {waited} of {executions} passed executions (median {}){}",
            percent(*share),
            capacity.as_ref().map_or_else(String::new, enough)
        ),
        Finding::IdleSlots { share, held, executions, cause, .. } => format!(
            "slots of {step} are idle though a step is ready: a tenth of their time or more in {held} of {executions} passed executions (median {}), mostly because {}",
            percent(*share),
            match cause {
                Held::Locks => "another step holds a lock",
                Held::Memory => "it would not fit into the memory",
                Held::Processors => "it would not fit onto the processors",
                Held::Other => "of something that no record tells",
            }
        ),
        Finding::Flaky { contradicted, rate, low, high } => format!(
            "{step} passed and failed on {}; it fails {} ({} – {}) where it can pass",
            inputs(*contradicted),
            percent(*rate),
            percent(*low),
            percent(*high)
        ),
        Finding::Changed { measure, machine, before, after, low, high, .. } => {
            let level = |value: f64| super::analysis::level(measure, value);
            let ratio =
                low.zip(*high).map_or_else(String::new, |(low, high)| format!(" ({} – {})", change(low), change(high)));
            let place = machine.as_ref().map_or_else(String::new, |machine| format!(" on {}", quoted(machine)));
            format!("{} of {step}{place} went from {} to {}{ratio}", measured(measure), level(*before), level(*after))
        }
        Finding::FarOutside { took_ms, p10_ms, p90_ms, .. } => {
            format!("{step} {}", far_outside(*took_ms, *p10_ms, *p90_ms))
        }
    }
}

/// Returns on how many inputs a step passed and failed.
pub(super) fn inputs(contradicted: u64) -> String {
    if contradicted == 1 { "the same input".to_owned() } else { format!("each of {contradicted} inputs") }
}

/// Returns what more slots would bring.
fn enough(known: &Capacity) -> String {
    if known.enough == known.slots {
        return "; more slots would hardly help (simulated)".to_owned();
    }
    format!(
        "; with {} slots instead of {} nine of ten would end within {} instead of {} (simulated)",
        known.enough,
        known.slots,
        duration(known.enough_p90_ms),
        duration(known.p90_ms)
    )
}

/// Returns how long something took that is far outside its interval, in milliseconds: a sentence without its subject.
pub fn far_outside(took_ms: f64, p10_ms: f64, p90_ms: f64) -> String {
    format!("took {}, where eight of ten take {} – {}", duration(took_ms), duration(p10_ms), duration(p90_ms))
}
