//! How it went: the steps that failed with their last lines, the path that decided the time, and time against prediction.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::json;

use super::forecast::{milliseconds, name, path, range};
use super::shown;
use crate::cli::redaction::Lazy;
use crate::execute::{BUG, Ending, Event, ExecutionOutcome, Resource, log};
use crate::learn::insight::{Anomaly, What, anomalies};
use crate::plan::{Plan, Run, Skip, StepIndex, Timeline};
use crate::record::ExecutionId;
use crate::redact::tail::last_lines;
use crate::report::far_outside;
use crate::report::format::{bytes, duration as time};
use crate::workflow::StepId;

/// How many lines of a failed step's output are shown.
const LINES: usize = 20;
/// How much of its end is read for them, in bytes.
const TAIL: u64 = 64 * 1024;

/// Collects the events of one execution.
pub(super) struct Summary<'a> {
    plan: &'a Plan,
    id: ExecutionId,
    steps: BTreeMap<StepId, StepIndex>,
    /// By step: its run so far, and its last attempt with its ending.
    last: BTreeMap<StepIndex, (Run, u32, Ending)>,
    /// By step that passed: how long the attempt took that did.
    took: BTreeMap<StepIndex, f64>,
    skipped: Vec<(StepId, String)>,
    /// Steps that were taken back, in that order.
    undone: Vec<(StepId, Ending)>,
    end: Option<(ExecutionOutcome, f64)>,
}

impl<'a> Summary<'a> {
    pub(super) fn new(plan: &'a Plan, id: ExecutionId) -> Self {
        let steps = plan.order.iter().map(|&index| (plan.steps[index.at()].id().clone(), index)).collect();
        let (last, took) = (BTreeMap::new(), BTreeMap::new());
        Self { plan, id, steps, last, took, skipped: Vec::new(), undone: Vec::new(), end: None }
    }

    pub(super) fn see(&mut self, event: &Event) {
        match event {
            Event::AttemptFinished { step, attempt, slot, ready_ms, started_ms, duration_ms, ending, .. } => {
                let Some(&index) = self.steps.get(step) else { return };
                let (ready_ms, started_ms) = (milliseconds(*ready_ms), milliseconds(*started_ms));
                let run = Run { step: index, slot: *slot, ready_ms, started_ms, ended_ms: started_ms + duration_ms };
                let run = match self.last.get(&index) {
                    Some((first, ..)) => Run { ready_ms: first.ready_ms, started_ms: first.started_ms, ..run },
                    None => run,
                };
                if ending.passed() {
                    self.took.insert(index, *duration_ms);
                }
                self.last.insert(index, (run, *attempt, ending.clone()));
            }
            Event::StepSkipped { step, reason } => self.skipped.push((step.clone(), reason.clone())),
            Event::StepUndone { step, ending, .. } => self.undone.push((step.clone(), ending.clone())),
            Event::Finished { outcome, duration_ms } => self.end = Some((*outcome, *duration_ms)),
            _ => {}
        }
    }

    /// Returns the exit code of the first step that failed with one.
    pub(super) fn failed_code(&self) -> Option<u8> {
        let failed = self.failed().into_iter().find_map(|(_, _, ending)| match ending {
            Ending::Exited { code } => u8::try_from(*code).ok(),
            _ => None,
        });
        failed.filter(|&code| code != 0)
    }

    /// Returns how to go on with it, where that spares a step: `workflow` is what was typed, and `resumed` whether it went on
    /// with another itself.
    pub(super) fn next(&self, workflow: Option<&str>, resumed: bool) -> Option<String> {
        let selected = self.plan.steps.iter().any(|step| step.skip == Some(Skip::NotSelected));
        let spares = resumed || self.last.values().any(|(_, _, ending)| ending.passed());
        let passed = self.end.is_none_or(|(outcome, _)| outcome == ExecutionOutcome::Passed);
        if passed || !spares || (selected && !resumed) {
            return None;
        }
        let workflow = workflow.map_or_else(String::new, |typed| format!(" {}", name(typed)));
        let id: String = self.id.to_string().chars().take(8).collect();
        Some(format!("next: meow execute{workflow} --resume {id} runs what has not passed"))
    }

    /// Returns the summary as text; the output of failed steps is read from `logs`, and cleaned.
    ///
    /// What steps print while they run is the person's own and passes untouched; the summary is what gets pasted into
    /// issues and stands in the logs of CI.
    pub(super) fn text(&self, logs: &Path, redactor: &Lazy) -> String {
        let mut text = String::new();
        for (index, attempt, ending) in self.failed() {
            let id = self.plan.steps[index.at()].id();
            text.push_str(&format!("\n{} {}\n", name(id.as_str()), told(ending)));
            let lines = last_lines(&log::tail(logs, id, attempt, TAIL), LINES, redactor.get());
            for line in &lines {
                text.push_str(&format!("  | {line}\n"));
            }
            text.push_str(&format!("  all of its output: {}\n", shown(&log::path(logs, id, attempt))));
        }
        for (step, ending) in self.undone.iter().filter(|(_, ending)| !ending.passed()) {
            let file = shown(&log::undo_path(logs, step));
            text.push_str(&format!("\nundo of {} {}\n  its output: {file}\n", name(step.as_str()), told(ending)));
        }
        if !text.is_empty() {
            text.push('\n');
        }
        let Some((outcome, duration_ms)) = self.end else { return text };
        text.push_str(&format!("{} {} in {}", name(&self.plan.workflow), word(outcome), time(duration_ms)));
        if let Some(known) = self.plan.prediction.duration_ms.filter(|_| outcome == ExecutionOutcome::Passed) {
            let place = match duration_ms {
                took if took < known.p10 => "faster than",
                took if took > known.p90 => "slower than",
                _ => "within",
            };
            text.push_str(&format!(", {place} the predicted {} (n = {})", range(known.p10, known.p90), known.n));
        }
        text.push_str(&format!(": {}\n", self.counts()));
        let path_taken = self.timeline().critical_path(self.plan);
        if path_taken.len() > 1 || self.plan.steps.len() > 1 && !path_taken.is_empty() {
            text.push_str(&format!("critical path: {}\n", path(self.plan, &path_taken)));
        }
        let far: Vec<String> = self.anomalies().iter().map(far).collect();
        if !far.is_empty() {
            text.push_str(&format!("far outside: {}\n", far.join("; ")));
        }
        text
    }

    /// Returns the summary as JSON.
    pub(super) fn json(&self) -> String {
        let id = |index: StepIndex| self.plan.steps[index.at()].id().to_string();
        let steps: Vec<_> = self
            .last
            .iter()
            .map(|(&index, (run, attempts, ending))| {
                json!({
                    "step": id(index),
                    "attempts": attempts,
                    "ready_ms": run.ready_ms,
                    "started_ms": run.started_ms,
                    "duration_ms": run.ended_ms - run.started_ms,
                    "passed": ending.passed(),
                    "ending": ending,
                    "predicted_ms": self.plan.steps[index.at()].hint.duration_ms,
                })
            })
            .collect();
        let skipped: Vec<_> =
            self.skipped.iter().map(|(step, reason)| json!({ "step": step, "reason": reason })).collect();
        let undone: Vec<_> =
            self.undone.iter().map(|(step, ending)| json!({ "step": step, "ending": ending })).collect();
        let value = json!({
            "schema_version": 1,
            "execution": self.id.to_string(),
            "workflow": self.plan.workflow,
            "outcome": self.end.map(|(outcome, _)| outcome),
            "duration_ms": self.end.map(|(_, duration_ms)| duration_ms),
            "predicted_ms": self.plan.prediction.duration_ms,
            "anomalies": self.anomalies(),
            "critical_path": self.timeline().critical_path(self.plan).into_iter().map(id).collect::<Vec<_>>(),
            "steps": steps,
            "skipped": skipped,
            "undone": undone,
        });
        format!("{value:#}\n")
    }

    /// Returns what passed in a time far outside its prediction; the whole only where all of it was known beforehand.
    fn anomalies(&self) -> Vec<Anomaly> {
        let step = |(index, took_ms): (&StepIndex, &f64)| {
            let step = &self.plan.steps[index.at()];
            let predicted_ms = step.hint.duration_ms?;
            Some(Anomaly { what: What::Step, name: step.id().to_string(), took_ms: *took_ms, predicted_ms })
        };
        let mut took: Vec<Anomaly> = self.took.iter().filter_map(step).collect();
        let known = &self.plan.prediction;
        let passed = self.end.filter(|(outcome, _)| *outcome == ExecutionOutcome::Passed && known.known == known.steps);
        took.extend(passed.zip(known.duration_ms).map(|((_, took_ms), predicted_ms)| Anomaly {
            what: What::Execution,
            name: self.plan.workflow.clone(),
            took_ms,
            predicted_ms,
        }));
        anomalies(took)
    }

    fn timeline(&self) -> Timeline {
        let mut runs: Vec<Run> = self.last.values().map(|(run, ..)| *run).collect();
        runs.sort_by(|a, b| a.ended_ms.total_cmp(&b.ended_ms).then(a.step.cmp(&b.step)));
        Timeline { runs }
    }

    /// Returns the steps that failed, in the order of their ends.
    fn failed(&self) -> Vec<(StepIndex, u32, &Ending)> {
        let mut failed: Vec<_> =
            self.last.values().filter(|(_, _, ending)| !ending.passed() && *ending != Ending::Cancelled).collect();
        failed.sort_by(|a, b| a.0.ended_ms.total_cmp(&b.0.ended_ms));
        failed.into_iter().map(|(run, attempt, ending)| (run.step, *attempt, ending)).collect()
    }

    /// Returns whether an attempt ended because meow itself failed.
    pub(super) fn is_bug(&self) -> bool {
        self.last.values().any(|(_, _, ending)| matches!(ending, Ending::NotStarted { reason } if reason == BUG))
    }

    fn counts(&self) -> String {
        let ended = |wanted: fn(&Ending) -> bool| self.last.values().filter(|(_, _, ending)| wanted(ending)).count();
        let counts = [
            (ended(Ending::passed), "passed"),
            (ended(|ending| !ending.passed() && *ending != Ending::Cancelled), "failed"),
            (ended(|ending| *ending == Ending::Cancelled), "cancelled"),
            (self.plan.passed.len(), "passed before"),
            (self.skipped.len().saturating_sub(self.plan.passed.len()), "skipped"),
            (self.undone.iter().filter(|(_, ending)| ending.passed()).count(), "undone"),
        ];
        let told: Vec<String> =
            counts.iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}")).collect();
        if told.is_empty() { "nothing to do".to_owned() } else { told.join(", ") }
    }
}

fn far(anomaly: &Anomaly) -> String {
    let known = anomaly.predicted_ms;
    format!("{} {} (n = {})", name(&anomaly.name), far_outside(anomaly.took_ms, known.p10, known.p90), known.n)
}

/// Returns an execution's outcome as a verb.
fn word(outcome: ExecutionOutcome) -> &'static str {
    match outcome {
        ExecutionOutcome::Passed => "passed",
        ExecutionOutcome::Failed => "failed",
        ExecutionOutcome::Cancelled => "was cancelled",
    }
}

/// Returns how an attempt ended, for people.
pub(super) fn told(ending: &Ending) -> String {
    match ending {
        Ending::Exited { code: 0 } => "passed".to_owned(),
        Ending::Exited { code } => format!("failed with exit code {code}"),
        Ending::Signaled { signal } => format!("was ended by signal {signal}"),
        Ending::TimedOut { limit_ms } => format!("was stopped at its time limit of {}", time(milliseconds(*limit_ms))),
        Ending::OverLimit { resource, limit, used } => {
            let amount = |amount: u64| match resource {
                Resource::CpuTime => time(milliseconds(amount)),
                Resource::Memory | Resource::FileSize => bytes(milliseconds(amount)),
                Resource::Processes => amount.to_string(),
            };
            let of = match resource {
                Resource::Memory => "memory",
                Resource::CpuTime => "processor time",
                Resource::FileSize => "a file it wrote",
                Resource::Processes => "processes and threads",
            };
            let held = used.map(|used| format!(" (it held {})", amount(used))).unwrap_or_default();
            format!("was ended at its limit of {} for {of}{held}", amount(*limit))
        }
        Ending::Cancelled => "was cancelled".to_owned(),
        Ending::NotStarted { reason } => format!("did not start: {}", name(reason)),
    }
}
