//! The configuration of one workflow that its history supports: keys its file does not say yet, and needs worth a look.

use std::collections::BTreeSet;

use super::Risk;
use crate::learn::{Pattern, WorkflowPattern, slow_ms};
use crate::plan::capacity::likely_loads;
use crate::plan::{Hints, Limits, Plan, StepIndex, plan};
use crate::workflow::{Resources, Step, Workflow};

/// Attempts that a step's resources have to rest on.
const ATTEMPTS: u64 = 20;

/// What is written down as memory is a limit that holds: this many times what plans set aside.
const HEADROOM: f64 = 2.0;

/// Bytes of a mebibyte.
const MEBIBYTE: f64 = 1_048_576.0;

/// Memory below this is not worth a line, in bytes.
const SMALL: f64 = 256.0 * MEBIBYTE;

/// Needs on the critical path that are tried without, at most.
const TRIED: usize = 10;

/// Steps that are looked at for needs that others imply, at most.
const LOOKED_AT: usize = 5_000_000;

/// One key of a step that history supports and the file does not say.
#[derive(Debug, Clone, PartialEq)]
pub struct Supported {
    /// The step.
    pub step: String,
    /// The key below the step.
    pub key: &'static str,
    /// Its value as TOML.
    pub value: String,
    /// The same as declared resources, where it is about these.
    pub resources: Option<Resources>,
    /// Why, with the numbers.
    pub why: String,
    /// Attempts that it rests on.
    pub n: u64,
    /// What may go wrong.
    pub risk: Risk,
}

/// A need that may not be needed.
#[derive(Debug, Clone, PartialEq)]
pub struct Questioned {
    /// The step that waits.
    pub step: String,
    /// What it waits for.
    pub need: String,
    /// Whether another need implies it, so that nothing changes without it.
    pub implied: bool,
    /// How much earlier an execution would end without it by simulation, in milliseconds.
    pub saved_ms: f64,
}

/// Returns the keys that history supports: time limits, and the processors and memory that steps use.
///
/// `pattern` is of this workflow; `plan` is its plan, with what is known about its steps.
pub fn supported(workflow: &Workflow, pattern: &WorkflowPattern, plan: &Plan) -> Vec<Supported> {
    let mut lines = Vec::new();
    for (step, planned) in workflow.steps.iter().zip(&plan.steps).filter(|(step, _)| step.run.is_some()) {
        let of_step = |known: &&Pattern| known.step == step.id.as_str() && known.machine.is_none();
        let Some(known) = pattern.steps.iter().find(of_step) else { continue };
        lines.extend(time_limit(step, known));
        lines.extend(resources(step, known, planned.hint.cpus));
    }
    lines
}

fn time_limit(step: &Step, known: &Pattern) -> Option<Supported> {
    let limit_ms = slow_ms(known).filter(|_| step.timeout.is_none())?;
    let passed = known.attempts - known.failed;
    Some(Supported {
        step: step.id.to_string(),
        key: "timeout",
        value: format!("\"{}s\"", (limit_ms / 1000.0).ceil()),
        resources: None,
        why: format!(
            "the longest of {passed} attempts that passed took {}; what hangs is stopped",
            super::words::duration(known.longest_ms?)
        ),
        n: passed,
        risk: Risk::Low,
    })
}

fn resources(step: &Step, known: &Pattern, cpus: Option<f64>) -> Option<Supported> {
    if step.resources != Resources::default() || known.attempts < ATTEMPTS {
        return None;
    }
    let memory = known.memory_bytes.filter(|bytes| *bytes >= SMALL).map(|bytes| (HEADROOM * bytes / MEBIBYTE).ceil());
    let cpus = cpus.map(f64::round).filter(|cpus| *cpus >= 2.0);
    let mut parts: Vec<String> = cpus.map(|cpus| format!("cpu = {cpus}")).into_iter().collect();
    parts.extend(memory.map(|megabytes| format!("memory = \"{megabytes}MiB\"")));
    let mut why: Vec<String> = cpus.map(|cpus| format!("it keeps {cpus} processors busy")).into_iter().collect();
    why.extend(memory.map(|_| "written down, memory holds as a limit: twice what plans set aside".to_owned()));
    (!parts.is_empty()).then(|| Supported {
        step: step.id.to_string(),
        key: "resources",
        value: format!("{{ {} }}", parts.join(", ")),
        resources: Some(Resources { cpu: cpus, memory_bytes: memory.map(whole), ..Resources::default() }),
        why: why.join("; "),
        n: known.attempts,
        risk: if memory.is_some() { Risk::Medium } else { Risk::Low },
    })
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a cast of a float saturates")]
fn whole(megabytes: f64) -> u64 {
    (megabytes as u64).saturating_mul(1 << 20)
}

/// Returns how long an execution takes by simulation where these lines are written, median in milliseconds.
pub fn makespan_with(workflow: &Workflow, whole: &Plan, lines: &[&Supported]) -> Option<f64> {
    let mut workflow = workflow.clone();
    for line in lines {
        let step = workflow.steps.iter_mut().find(|step| step.id.as_str() == line.step)?;
        step.resources = line.resources.unwrap_or(step.resources);
    }
    again(&workflow, whole).map(|plan| makespan(&plan))
}

/// Returns the needs that others imply, and those on the critical path without which an execution would end earlier.
///
/// What a step really needs no history can tell: these are questions to a person.
pub fn questioned(workflow: &Workflow, plan: &Plan) -> Vec<Questioned> {
    let id = |index: StepIndex| plan.steps[index.at()].id().to_string();
    let implied = implied(plan);
    let question = |step: StepIndex, need: StepIndex, implied: bool, saved_ms: f64| Questioned {
        step: id(step),
        need: id(need),
        implied,
        saved_ms,
    };
    let mut found: Vec<Questioned> = implied.iter().map(|(step, need)| question(*step, *need, true, 0.0)).collect();
    let usual = makespan(plan);
    let pairs = plan.critical_path.windows(2).map(|pair| (pair[1], pair[0]));
    for (step, need) in pairs.filter(|pair| !implied.contains(pair)).take(TRIED) {
        let without = without(workflow, plan, step, need).map_or(usual, |plan| makespan(&plan));
        if usual - without > 0.01 * usual {
            found.push(question(step, need, false, usual - without));
        }
    }
    found
}

/// Returns how long an execution takes by simulation on the plan's slots, median in milliseconds.
pub fn makespan(plan: &Plan) -> f64 {
    likely_loads(plan, &[plan.slots]).first().map_or(0.0, |load| load.makespan_ms)
}

/// Returns the plan of the workflow in which `step` does not wait for `need`.
fn without(workflow: &Workflow, whole: &Plan, step: StepIndex, need: StepIndex) -> Option<Plan> {
    let mut workflow = workflow.clone();
    let need = &whole.steps[need.at()].step.id;
    workflow.steps.get_mut(step.at())?.needs.retain(|other| other != need);
    again(&workflow, whole)
}

/// Returns a changed workflow's plan, with what is known of its steps.
fn again(workflow: &Workflow, whole: &Plan) -> Option<Plan> {
    let steps = whole.steps.iter().map(|step| (step.step.id.clone(), step.hint.clone())).collect();
    let hints = Hints { steps, order: whole.order_odds };
    let limits = Limits { slots: whole.slots, cpus: Some(whole.cpus), memory_bytes: whole.memory_bytes };
    plan(workflow, &hints, &limits).ok()
}

/// Returns the pairs of a step and a need that a longer way leads to as well (transitive reduction: Aho, Garey, Ullman 1972).
fn implied(plan: &Plan) -> BTreeSet<(StepIndex, StepIndex)> {
    let mut found = BTreeSet::new();
    let mut looked_at = 0;
    for &index in &plan.order {
        let needs = &plan.steps[index.at()].needs;
        if needs.len() < 2 {
            continue;
        }
        let mut reached: BTreeSet<StepIndex> = BTreeSet::new();
        let mut open: Vec<StepIndex> = needs.iter().flat_map(|need| plan.steps[need.at()].needs.clone()).collect();
        while let Some(step) = open.pop() {
            looked_at += 1;
            if looked_at > LOOKED_AT {
                return found;
            }
            if reached.insert(step) {
                open.extend(&plan.steps[step.at()].needs);
            }
        }
        found.extend(needs.iter().filter(|need| reached.contains(need)).map(|need| (index, *need)));
    }
    found
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::plan::{Interval, StepHint};
    use crate::workflow::{Dialect, Source, StepId, load};

    fn workflow(text: &str) -> Workflow {
        let source = Source { file: "ci.toml".into(), dialect: Dialect::Own, bytes: text.as_bytes().to_vec() };
        load(&source, &BTreeMap::default(), &mut |_, _| panic!("extends nothing")).expect("a workflow")
    }

    fn planned(workflow: &Workflow, known: &[(&str, f64)], cpus: Option<f64>) -> Plan {
        let hint = |&(step, p50): &(&str, f64)| {
            let duration_ms = Some(Interval { p10: p50, p50, p90: p50, n: 40 });
            (StepId(step.to_owned()), StepHint { duration_ms, cpus, ..StepHint::default() })
        };
        let hints = Hints { steps: known.iter().map(hint).collect(), order: None };
        plan(workflow, &hints, &Limits { slots: 2, ..Limits::default() }).expect("a plan")
    }

    #[test]
    fn needs_that_others_imply_and_those_that_cost_are_named() {
        let chain = "formula = \"ci\"\n[[steps]]\nid = \"a\"\nrun = \"a\"\n[[steps]]\nid = \"b\"\nrun = \"b\"\nneeds = [\"a\"]\n\
            [[steps]]\nid = \"c\"\nrun = \"c\"\nneeds = [\"a\", \"b\"]\n";
        let workflow = workflow(chain);
        let plan = planned(&workflow, &[("a", 100.0), ("b", 50.0), ("c", 80.0)], None);
        let found = questioned(&workflow, &plan);
        let shown: Vec<_> =
            found.iter().map(|one| (one.step.as_str(), one.need.as_str(), one.implied, one.saved_ms.round())).collect();
        // Without `b` needing `a`, `a` and `b` run side by side, and `c` after both; the same for `c` and `b`.
        assert_eq!(shown, [("c", "a", true, 0.0), ("b", "a", false, 50.0), ("c", "b", false, 50.0)]);
    }

    #[test]
    fn only_what_is_known_and_not_said_is_supported() {
        let text = "formula = \"ci\"\n[[steps]]\nid = \"a\"\nrun = \"a\"\n[[steps]]\nid = \"b\"\nrun = \"b\"\ntimeout = \"1h\"\n\
            resources = { cpu = 1 }\n[[steps]]\nid = \"new\"\nrun = \"c\"\n";
        let workflow = workflow(text);
        let known = |step: &str| Pattern {
            step: step.to_owned(),
            attempts: 40,
            duration_ms: Some(Interval { p10: 9e4, p50: 1e5, p90: 1.2e5, n: 40 }),
            longest_ms: Some(2e5),
            memory_bytes: Some(3e8),
            ..Pattern::default()
        };
        let pattern = WorkflowPattern { steps: vec![known("a"), known("b")], ..WorkflowPattern::default() };
        let plan = planned(&workflow, &[("a", 1e5)], Some(3.2));
        let found = supported(&workflow, &pattern, &plan);
        let shown: Vec<_> = found.iter().map(|line| (line.step.as_str(), line.key, line.value.as_str())).collect();
        assert_eq!(shown, [("a", "timeout", "\"600s\""), ("a", "resources", "{ cpu = 3, memory = \"573MiB\" }")]);
        assert_eq!(found[1].risk, Risk::Medium);
        assert!(makespan_with(&workflow, &plan, &found.iter().collect::<Vec<_>>()).is_some());
    }
}
