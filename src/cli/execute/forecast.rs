//! The plan before it runs: waves, critical path, predicted time and odds with what they rest on.

use serde_json::json;

use crate::plan::{Interval, Plan, PlannedStep, Policy, StepIndex};
use crate::redact::inert;
use crate::report::format::{bytes, count, duration as time, percent};

/// From these odds on a step is named as likely to fail, where they rest on so many attempts.
const RISKY: f64 = 0.1;
const KNOWN: u64 = 5;

/// Returns the prediction in one line.
pub(super) fn line(plan: &Plan) -> String {
    let known = &plan.prediction;
    let steps = count(known.steps as u64, "step");
    let Some(duration) = known.duration_ms else {
        return format!("{}: {steps}, {}; no history to predict from yet", name(&plan.workflow), slots(plan));
    };
    let mut line = format!(
        "{}: {steps}, {}; predicted {} (p50–p90, n = {})",
        name(&plan.workflow),
        slots(plan),
        range(duration.p50, duration.p90),
        duration.n
    );
    if known.known < known.steps {
        line.push_str(&format!(", {} of {} steps unknown and assumed typical", known.steps - known.known, known.steps));
    }
    if let Some(odds) = known.odds {
        let (low, high) = (percent(odds.low), percent(odds.high));
        line.push_str(&format!("; odds of passing {} ({low} to {high}, n = {})", percent(odds.mean), odds.n));
    }
    line
}

/// Returns the steps that are likely to fail, the likeliest first; `None` where there are none.
pub(super) fn risky(plan: &Plan) -> Option<String> {
    let run = plan.steps.iter().filter(|step| step.skip.is_none());
    let mut risky: Vec<_> = run.filter_map(|step| Some((step.hint.failure?, step.id()))).collect();
    risky.retain(|(odds, _)| odds.mean >= RISKY && odds.n >= KNOWN);
    risky.sort_by(|(a, _), (b, _)| b.mean.total_cmp(&a.mean));
    let told: Vec<String> = risky
        .iter()
        .take(3)
        .map(|(odds, id)| format!("{} {} (n = {})", name(id.as_str()), percent(odds.mean), odds.n))
        .collect();
    (!told.is_empty()).then(|| format!("likeliest to fail: {}", told.join(", ")))
}

/// Returns the plan as text.
pub(super) fn text(plan: &Plan) -> String {
    let mut text = line(plan);
    text.push('\n');
    for (number, wave) in plan.waves.iter().enumerate() {
        text.push_str(&format!("\nwave {}\n", number + 1));
        for &index in wave {
            text.push_str(&format!("  {}\n", step(plan, &plan.steps[index.at()])));
        }
    }
    if let Some(odds) = plan.order_odds.filter(|_| plan.policy == Policy::Fifo) {
        text.push_str(&format!(
            "\nfirst come, first served: of two attempts, predictions told the longer one in {} of {}\n",
            percent(odds.mean),
            count(odds.n, "pair")
        ));
    }
    if !plan.critical_path.is_empty() {
        text.push_str(&format!("\ncritical path: {}\n", path(plan, &plan.critical_path)));
    }
    text
}

fn step(plan: &Plan, planned: &PlannedStep) -> String {
    let mut line = name(planned.id().as_str());
    if let Some(skip) = &planned.skip {
        line.push_str(&format!("  skipped: {}", inert::terminal(&skip.to_string())));
        return line;
    }
    if let Some(Interval { p50, p90, n, .. }) = planned.hint.duration_ms {
        line.push_str(&format!("  {} (n = {n})", range(p50, p90)));
    }
    if let Some(odds) = planned.hint.failure {
        let (low, high) = (percent(odds.low), percent(odds.high));
        line.push_str(&format!("  fails {} ({low} to {high}, n = {})", percent(odds.mean), odds.n));
    }
    if let Some(inputs) = planned.hint.inputs_bytes {
        line.push_str(&format!("  inputs {}", size(inputs)));
    }
    if planned.memory_bytes > 0 {
        line.push_str(&format!("  memory {}", size(planned.memory_bytes)));
    }
    if !planned.needs.is_empty() {
        line.push_str(&format!("  after {}", names(plan, &planned.needs, ", ")));
    }
    if let Some(limit) = planned.timeout {
        let origin = if limit.learnt { " (learnt)" } else { "" };
        line.push_str(&format!("  timeout {}{origin}", time(milliseconds(limit.limit_ms))));
    }
    if let Some(retry) = &planned.step.retry {
        line.push_str(&format!("  up to {} attempts", retry.attempts));
    } else if !planned.hint.transient.is_empty() && planned.step.undo.is_none() {
        let errors = count(planned.hint.transient.len() as u64, "known error");
        line.push_str(&format!("  tried again after {errors}"));
    }
    if !planned.locks.is_empty() {
        let locks: Vec<String> = planned.locks.iter().map(|&lock| name(&plan.locks[lock])).collect();
        line.push_str(&format!("  locks {}", locks.join(", ")));
    }
    line
}

#[expect(clippy::cast_precision_loss, reason = "bytes stay far below 2^53")]
fn size(amount: u64) -> String {
    bytes(amount as f64)
}

/// Returns the plan as JSON.
pub(super) fn json(plan: &Plan) -> String {
    let id = |index: &StepIndex| plan.steps[index.at()].id().to_string();
    let steps: Vec<_> = plan
        .steps
        .iter()
        .map(|step| {
            json!({
                "step": step.id(),
                "title": step.step.title,
                "command": step.step.run,
                "needs": step.needs.iter().map(id).collect::<Vec<_>>(),
                "skip": step.skip.as_ref().map(ToString::to_string),
                "duration_ms": step.hint.duration_ms,
                "failure": step.hint.failure,
                "timeout_ms": step.timeout.map(|limit| limit.limit_ms),
                "timeout_learnt": step.timeout.map(|limit| limit.learnt),
                "attempts": step.step.retry.as_ref().map_or(1, |retry| retry.attempts),
                "locks": step.step.locks,
                "cpus": step.cpus,
                "memory_bytes": step.memory_bytes,
            })
        })
        .collect();
    let value = json!({
        "schema_version": 1,
        "workflow": plan.workflow,
        "slots": plan.slots,
        "policy": plan.policy,
        "waves": plan.waves.iter().map(|wave| wave.iter().map(id).collect::<Vec<_>>()).collect::<Vec<_>>(),
        "critical_path": plan.critical_path.iter().map(id).collect::<Vec<_>>(),
        "predicted": {
            "duration_ms": plan.prediction.duration_ms,
            "odds": plan.prediction.odds,
            "steps": plan.prediction.steps,
            "steps_known": plan.prediction.known,
        },
        "steps": steps,
    });
    format!("{value:#}\n")
}

/// Returns a path through the graph for people.
pub(super) fn path(plan: &Plan, steps: &[StepIndex]) -> String {
    names(plan, steps, " → ")
}

fn names(plan: &Plan, steps: &[StepIndex], between: &str) -> String {
    let names: Vec<String> = steps.iter().map(|step| name(plan.steps[step.at()].id().as_str())).collect();
    if names.len() <= 12 {
        return names.join(between);
    }
    let (first, last) = (names[..6].join(between), names[names.len() - 5..].join(between));
    format!("{first}{between}… ({} more){between}{last}", names.len() - 11)
}

pub(in crate::cli) fn name(text: &str) -> String {
    inert::terminal(text).into_owned()
}

fn slots(plan: &Plan) -> String {
    count(u64::from(plan.slots), "slot")
}

/// Returns a span of time with its unit once where it is the same: `11–14 s`.
pub(super) fn range(from_ms: f64, to_ms: f64) -> String {
    let (from, to) = (time(from_ms), time(to_ms));
    match (from.rsplit_once(' '), to.rsplit_once(' ')) {
        _ if from == to => to,
        (Some((first, unit)), Some((last, same))) if unit == same && !first.contains(' ') && !last.contains(' ') => {
            format!("{first}–{to}")
        }
        _ => format!("{from}–{to}"),
    }
}

#[expect(clippy::cast_precision_loss, reason = "exact for 285,000 years")]
pub(super) fn milliseconds(ms: u64) -> f64 {
    ms as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_names_its_unit_once() {
        let check = |from, to, expected: &str| assert_eq!(range(from, to), expected);
        check(11_000.0, 14_000.0, "11.0–14.0 s");
        check(800.0, 1_400.0, "800 ms–1.4 s");
        check(50.0, 50.1, "50 ms");
        check(10_200.0, 439_000.0, "10.2 s–7 min 19 s");
        check(125_000.0, 130_000.0, "2 min 05 s–2 min 10 s");
    }
}
