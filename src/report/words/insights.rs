//! Insights in words: one plain sentence each, with its numbers, and what makes it sure.

use super::quoting;
use crate::learn::Insight;
use crate::learn::insight::{Certainty, Finding, Kind, Measure};
use crate::report::changes;
use crate::report::document::{Block, Document, Line, name, strong, words};
use crate::report::format::{bytes, change, count, duration, percent};
use crate::report::insights::{Insights, Told};

/// Digits of ids that people read, and ids that are shown.
const SHORT: usize = 8;
const SHOWN: usize = 5;

impl Insights {
    /// Returns the page in words.
    pub fn document(&self) -> Document {
        let executions = count(self.executions, "execution");
        if self.insights.is_empty() {
            let lead = format!("Nothing noteworthy in {executions}.");
            return Document::default().with(Block::Lead(vec![vec![strong(lead)]]));
        }
        let lead = format!("{} in {executions}.", count(self.insights.len() as u64, "insight"));
        let mut page = Document::default().with(Block::Lead(vec![vec![strong(lead)]]));
        for kind in [Kind::Anomaly, Kind::Change, Kind::AntiPattern, Kind::Bottleneck, Kind::BestPractice] {
            let of: Vec<&Told> = self.insights.iter().filter(|told| told.kind == kind).collect();
            if of.is_empty() {
                continue;
            }
            let lines = of.into_iter().map(line).collect();
            page = page.with(Block::Title(vec![words(title(kind))])).with(Block::Lead(lines));
        }
        page.with(Block::Note(vec![words(NOTE)]))
    }
}

const NOTE: &str = "sure: the posterior probability that the rate behind it passes its bar; p: the probability of such \
                    numbers without any effect, all tests of this page counted; at least: the 5 % quantile of a rate.";

/// Returns an insight in a line: date, name, sentence, how sure it is, and what proves it.
pub(super) fn line(told: &Told) -> Line {
    let mut line = vec![words(told.at.strftime("%Y-%m-%d ").to_string()), strong(told.name), words(": ")];
    line.extend(quoting(&told.sentence));
    line.push(words(format!("; {}; proof", told.sure)));
    for id in told.evidence.iter().take(SHOWN) {
        line.extend([words(" "), name(id.chars().take(SHORT).collect::<String>())]);
    }
    line
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
    // A name with a backtick in it would end early.
    let quoted = |name: &str| format!("`{}`", name.replace('`', "'"));
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
            format!("{step} declares {declared:.0} processors and never kept more than {used:.1} busy")
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
        Finding::Queueing { share, waited, executions } => format!(
            "steps of {step} wait for a slot: a tenth of the time or more in {waited} of {executions} passed executions (median {})",
            percent(*share)
        ),
        Finding::Flaky { contradicted, rate, low, high } => format!(
            "{step} passed and failed on {}; it fails {} ({} – {}) where it can pass",
            count(*contradicted, "same input"),
            percent(*rate),
            percent(*low),
            percent(*high)
        ),
        Finding::Changed { measure, machine, before, after, low, high, .. } => {
            let level = |value: f64| super::analysis::level(measure, value);
            let ratio =
                low.zip(*high).map_or_else(String::new, |(low, high)| format!(" ({} – {})", change(low), change(high)));
            let measured = match measure.as_str() {
                "duration_ms" => "the time",
                "peak_memory_bytes" => "the peak memory",
                "failed" => "the share of failures",
                other => other,
            };
            let place = machine.as_ref().map_or_else(String::new, |machine| format!(" on {}", quoted(machine)));
            format!("{measured} of {step}{place} went from {} to {}{ratio}", level(*before), level(*after))
        }
        Finding::FarOutside { took_ms, p10_ms, p90_ms, .. } => {
            format!("{step} {}", far_outside(*took_ms, *p10_ms, *p90_ms))
        }
    }
}

/// Returns how long something took that is far outside its interval, in milliseconds: a sentence without its subject.
pub fn far_outside(took_ms: f64, p10_ms: f64, p90_ms: f64) -> String {
    format!("took {}, where eight of ten take {} – {}", duration(took_ms), duration(p10_ms), duration(p90_ms))
}
