//! The graph of a plan: steps by index, their order, waves and longest paths.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;

use super::hints::{Hints, Odds, StepHint};
use super::policy::{self, Policy};
use super::predict::{self, Prediction};
use super::{Limits, capacity, early};
use crate::error::{Error, Result};
use crate::workflow::{Step, StepId, Workflow};

/// What a step is assumed to take while nothing is known about any, in milliseconds.
const UNIT_MS: f64 = 1_000.0;

/// A step's place in its plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StepIndex(pub(super) u32);

impl StepIndex {
    /// Returns the place as an index into [`Plan::steps`].
    pub const fn at(self) -> usize {
        self.0 as usize
    }

    pub(super) fn new(at: usize) -> Self {
        Self(u32::try_from(at).expect("a plan has fewer than 2^32 steps"))
    }
}

/// What will be executed, in which order, and how it is likely to go.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// The workflow's name.
    pub workflow: String,
    /// The steps, in the order of the workflow.
    pub steps: Vec<PlannedStep>,
    /// The steps, each after all it needs.
    pub order: Vec<StepIndex>,
    /// The steps by the length of their longest chain of needs: all of one wave could start together.
    pub waves: Vec<Vec<StepIndex>>,
    /// The chain of steps that decides the time where slots do not, by median durations.
    pub critical_path: Vec<StepIndex>,
    /// Which of several ready steps starts first.
    pub policy: Policy,
    /// The odds that of two attempts the one that was predicted to be longer was, by the back-test; absent without one.
    pub order_odds: Option<Odds>,
    /// Attempts that may run at once, at least 1.
    pub slots: u32,
    /// Processors that steps declaring some share.
    pub cpus: f64,
    /// Memory that running steps share, in bytes.
    pub memory_bytes: Option<u64>,
    /// Steps that had passed in the execution that this one goes on with, in the order of their ends.
    pub passed: Vec<StepIndex>,
    /// Names of the locks; steps refer to them by index.
    pub locks: Vec<String>,
    /// How the whole is likely to go.
    pub prediction: Prediction,
}

/// One step with its neighbours and what is known about it.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedStep {
    /// The step as the workflow has it.
    pub step: Step,
    /// The steps that must pass first, each once.
    pub needs: Vec<StepIndex>,
    /// The steps that wait for this one.
    pub dependents: Vec<StepIndex>,
    /// Indexes into [`Plan::locks`], ascending.
    pub locks: Vec<usize>,
    /// Why it will not run.
    pub skip: Option<Skip>,
    /// What is known about it.
    pub hint: StepHint,
    /// Its median duration, known or assumed, in milliseconds; 0 where it does not run.
    pub assumed_ms: f64,
    /// The longest path from its start to the end of the workflow, in milliseconds.
    pub remaining_ms: f64,
    /// Its place in the order of importance, 0 first.
    pub rank: u32,
    /// Attempts that the execution made which this one goes on with.
    pub tried: u32,
    /// How long an attempt may take.
    pub timeout: Option<TimeLimit>,
    /// After how many milliseconds an attempt is named: three quarters of a declared limit, else what is learnt.
    pub warn_ms: Option<u64>,
    /// Processors it keeps busy: declared; else learnt where it is more than one, which a slot stands for.
    pub cpus: f64,
    /// Memory it needs in bytes: declared, else learnt, else typical of the workflow's other steps, else 0.
    pub memory_bytes: u64,
}

impl PlannedStep {
    /// Returns the step's id.
    pub fn id(&self) -> &StepId {
        &self.step.id
    }
}

/// Why a step will not run; what waits for it goes on as if it had passed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Skip {
    /// Its condition does not hold; the condition with its values.
    Condition(String),
    /// It has no command: a person does it.
    Manual,
    /// The person selected other steps.
    NotSelected,
    /// It had passed in the execution that this one goes on with; that one's id for people.
    Passed(String),
}

impl fmt::Display for Skip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Condition(condition) => f.write_str(condition),
            Self::Manual => f.write_str("manual: it has no command"),
            Self::Passed(execution) => write!(f, "passed in {execution}"),
            Self::NotSelected => f.write_str("not selected"),
        }
    }
}

/// How long an attempt may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeLimit {
    /// The limit in milliseconds.
    pub limit_ms: u64,
    /// Whether it was learnt rather than declared.
    pub learnt: bool,
}

/// Which steps a person asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// These alone, where there are any.
    pub only: Vec<String>,
    /// This one and everything that waits for it.
    pub from: Option<String>,
    /// Whether manual steps are asked for rather than skipped.
    pub manual: bool,
}

impl Plan {
    /// Returns the plan for a part of the steps; the others count as done.
    ///
    /// # Errors
    /// A name is no step of the workflow.
    pub fn select(mut self, selection: &Selection) -> Result<Self> {
        if !selection.only.is_empty() || selection.from.is_some() {
            let mut selected = BTreeSet::new();
            for name in &selection.only {
                selected.insert(self.find(name)?);
            }
            let mut reached: Vec<StepIndex> =
                selection.from.iter().map(|name| self.find(name)).collect::<Result<_>>()?;
            while let Some(index) = reached.pop() {
                if selected.insert(index) {
                    reached.extend(&self.steps[index.at()].dependents);
                }
            }
            for (at, step) in self.steps.iter_mut().enumerate() {
                if !selected.contains(&StepIndex::new(at)) {
                    step.skip = Some(Skip::NotSelected);
                }
            }
        }
        if *selection == Selection::default() {
            return Ok(self);
        }
        if selection.manual {
            for step in self.steps.iter_mut().filter(|step| step.skip == Some(Skip::Manual)) {
                step.skip = None;
            }
        }
        self.measure();
        Ok(self)
    }

    /// Returns the index of the step with this id.
    ///
    /// # Errors
    /// There is none; the hint lists those there are.
    pub fn find(&self, id: &str) -> Result<StepIndex> {
        self.steps.iter().position(|step| step.id().as_str() == id).map(StepIndex::new).ok_or_else(|| {
            let known: Vec<&str> = self.steps.iter().take(20).map(|step| step.id().as_str()).collect();
            Error::request(format!("workflow `{}` has no step `{}`", self.workflow, id.escape_debug()))
                .hint(format!("its steps: {}", known.join(", ")))
        })
    }

    /// Works out assumed durations, longest paths, ranks, critical path and prediction from what will run.
    pub(super) fn measure(&mut self) {
        let unknown = typical_ms(&self.steps);
        for step in &mut self.steps {
            let known = step.hint.duration_ms.map(|known| known.p50.max(0.0));
            step.assumed_ms = if step.skip.is_some() { 0.0 } else { known.unwrap_or(unknown) };
        }
        let assumed: Vec<f64> = self.steps.iter().map(|step| step.assumed_ms).collect();
        let remaining = policy::to_end(self, &assumed);
        for (step, remaining_ms) in self.steps.iter_mut().zip(remaining) {
            step.remaining_ms = remaining_ms;
        }
        policy::rank(self, &assumed);
        self.policy = policy::trusted(self);
        self.critical_path = self.longest_path();
        early::fail_early(self);
        self.prediction = predict::predict(self);
    }

    fn longest_path(&self) -> Vec<StepIndex> {
        let first = |among: &mut dyn Iterator<Item = StepIndex>| among.min_by_key(|index| self.steps[index.at()].rank);
        let mut roots = self.order.iter().copied().filter(|index| self.steps[index.at()].needs.is_empty());
        let mut at = first(&mut roots);
        let mut path = Vec::new();
        while let Some(index) = at {
            if self.steps[index.at()].skip.is_none() {
                path.push(index);
            }
            at = first(&mut self.steps[index.at()].dependents.iter().copied());
        }
        path
    }
}

/// Returns the median of the known medians, or one unit where nothing is known.
fn typical_ms(steps: &[PlannedStep]) -> f64 {
    let mut known: Vec<f64> = steps.iter().filter_map(|step| Some(step.hint.duration_ms?.p50.max(0.0))).collect();
    known.sort_by(f64::total_cmp);
    match known.len() {
        0 => UNIT_MS,
        n if n % 2 == 1 => known[n / 2],
        n => f64::midpoint(known[n / 2 - 1], known[n / 2]),
    }
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "memory stays far below 2^53 bytes"
)]
pub(super) fn build(workflow: &Workflow, hints: &Hints, limits: &Limits) -> Result<Plan> {
    let mut places = BTreeMap::new();
    for (at, step) in workflow.steps.iter().enumerate() {
        if places.insert(&step.id, StepIndex::new(at)).is_some() {
            return Err(Error::request(format!("workflow `{}` has two steps `{}`", workflow.name, step.id)));
        }
    }
    let locks: BTreeSet<&String> = workflow.steps.iter().flat_map(|step| &step.locks).collect();
    let locks: Vec<String> = locks.into_iter().cloned().collect();
    let mut steps: Vec<PlannedStep> = Vec::with_capacity(workflow.steps.len());
    for step in &workflow.steps {
        let mut needs = BTreeSet::new();
        for need in &step.needs {
            needs.insert(*places.get(need).ok_or_else(|| {
                Error::request(format!(
                    "step `{}` of workflow `{}` needs `{need}`, which is no step",
                    step.id, workflow.name
                ))
            })?);
        }
        let held: BTreeSet<usize> = step.locks.iter().filter_map(|lock| locks.binary_search(lock).ok()).collect();
        let hint = hints.steps.get(&step.id).cloned().unwrap_or_default();
        steps.push(planned(step, needs.into_iter().collect(), held.into_iter().collect(), hint));
    }
    for at in 0..steps.len() {
        for need in steps[at].needs.clone() {
            steps[need.at()].dependents.push(StepIndex::new(at));
        }
    }
    let known: Vec<f64> = steps.iter().filter_map(|step| Some(step.hint.peak_memory_bytes? as f64)).collect();
    let typical = capacity::quantile(known, 5) as u64;
    for step in steps.iter_mut().filter(|step| step.memory_bytes == 0 && step.skip.is_none()) {
        step.memory_bytes = typical;
    }
    let (order, waves) = order(&workflow.name, &steps)?;
    let slots = limits.slots.max(1);
    Ok(Plan {
        workflow: workflow.name.clone(),
        steps,
        order,
        waves,
        critical_path: Vec::new(),
        policy: Policy::Learned,
        order_odds: hints.order,
        slots,
        cpus: limits.cpus.unwrap_or_else(|| f64::from(slots)),
        memory_bytes: limits.memory_bytes,
        passed: Vec::new(),
        locks,
        prediction: Prediction::default(),
    })
}

/// Returns how many whole processors a step keeps busy, where it is several.
fn several(cpus: f64) -> Option<f64> {
    Some(cpus.round()).filter(|cpus| *cpus >= 2.0)
}

fn planned(step: &Step, needs: Vec<StepIndex>, locks: Vec<usize>, hint: StepHint) -> PlannedStep {
    let skip = match (&step.skip, &step.run) {
        (Some(condition), _) => Some(Skip::Condition(condition.clone())),
        (None, None) => Some(Skip::Manual),
        (None, Some(_)) => None,
    };
    let declared = step
        .timeout
        .map(|limit| TimeLimit { limit_ms: u64::try_from(limit.as_millis()).unwrap_or(u64::MAX), learnt: false });
    let learnt = hint.timeout_ms.map(|limit_ms| TimeLimit { limit_ms, learnt: true });
    let warn_ms = declared.map(|limit| limit.limit_ms / 4 * 3).or(hint.slow_ms);
    PlannedStep {
        needs,
        dependents: Vec::new(),
        locks,
        skip,
        assumed_ms: 0.0,
        remaining_ms: 0.0,
        rank: 0,
        tried: 0,
        timeout: declared.or(learnt),
        warn_ms,
        cpus: step.resources.cpu.or_else(|| several(hint.cpus?)).unwrap_or(0.0),
        memory_bytes: step.resources.memory_bytes.or(hint.peak_memory_bytes).unwrap_or(0),
        hint,
        step: step.clone(),
    }
}

/// Returns the steps each after its needs (Kahn 1962), and by depth.
fn order(workflow: &str, steps: &[PlannedStep]) -> Result<(Vec<StepIndex>, Vec<Vec<StepIndex>>)> {
    let mut unmet: Vec<usize> = steps.iter().map(|step| step.needs.len()).collect();
    let mut depth = vec![0; steps.len()];
    let mut free: VecDeque<usize> = (0..steps.len()).filter(|&at| unmet[at] == 0).collect();
    let mut order = Vec::with_capacity(steps.len());
    let mut waves: Vec<Vec<StepIndex>> = Vec::new();
    while let Some(at) = free.pop_front() {
        order.push(StepIndex::new(at));
        if waves.len() <= depth[at] {
            waves.resize(depth[at] + 1, Vec::new());
        }
        waves[depth[at]].push(StepIndex::new(at));
        for next in &steps[at].dependents {
            depth[next.at()] = depth[next.at()].max(depth[at] + 1);
            unmet[next.at()] -= 1;
            if unmet[next.at()] == 0 {
                free.push_back(next.at());
            }
        }
    }
    match unmet.iter().position(|&left| left > 0) {
        None => Ok((order, waves)),
        Some(at) => Err(Error::request(format!(
            "workflow `{workflow}` has a cycle: step `{}` waits for itself",
            steps[at].step.id
        ))),
    }
}

#[cfg(test)]
pub(super) mod tests {

    use super::*;
    use crate::plan::{Interval, plan};
    use crate::workflow::Resources;

    /// Returns a workflow from lines such as `test: build lint`.
    pub fn workflow(lines: &[&str]) -> Workflow {
        let step = |line: &&str| {
            let (id, needs) = line.split_once(':').unwrap_or((line, ""));
            Step::new(id, "true", needs.split_whitespace())
        };
        Workflow { name: "w".to_owned(), steps: lines.iter().map(step).collect(), ..Workflow::default() }
    }

    /// Returns hints with these medians in milliseconds and no spread.
    pub fn medians(known: &[(&str, f64)]) -> Hints {
        let hint = |&(id, p50): &(&str, f64)| {
            let duration_ms = Some(Interval { p10: p50, p50, p90: p50, n: 9 });
            (StepId(id.to_owned()), StepHint { duration_ms, ..StepHint::default() })
        };
        Hints { steps: known.iter().map(hint).collect(), order: None }
    }

    pub fn limits(slots: u32) -> Limits {
        Limits { slots, ..Limits::default() }
    }

    fn names(plan: &Plan, steps: &[StepIndex]) -> String {
        steps.iter().map(|step| plan.steps[step.at()].id().as_str()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn waves_and_critical_path() {
        let check = |lines: &[&str], known: &[(&str, f64)], waves: &str, critical: &str| {
            let plan = plan(&workflow(lines), &medians(known), &limits(2)).expect("a plan");
            let found: Vec<String> = plan.waves.iter().map(|wave| names(&plan, wave)).collect();
            assert_eq!((found.join(" | ").as_str(), names(&plan, &plan.critical_path).as_str()), (waves, critical));
        };
        check(&[], &[], "", "");
        check(&["a", "b:a", "c:b"], &[], "a | b | c", "a b c");
        check(&["a", "b", "c:a b"], &[("a", 1.0), ("b", 9.0)], "a b | c", "b c");
        check(&["a", "b:a", "c:a", "d:b c"], &[("a", 1.0), ("b", 5.0), ("c", 6.0), ("d", 1.0)], "a | b c | d", "a c d");
        // A step declared before what it needs; the unknown `late` is assumed to take the median of the known (3).
        check(
            &["last:first late", "first", "late"],
            &[("first", 2.0), ("last", 4.0)],
            "first late | last",
            "late last",
        );
    }

    #[test]
    fn graphs_that_are_none() {
        let check = |lines: &[&str], part: &str| {
            let error = plan(&workflow(lines), &Hints::default(), &limits(1)).expect_err("refused");
            assert!(error.to_string().contains(part), "{error}");
            assert_eq!(error.exit_code(), 2);
        };
        check(&["a:b", "b:a"], "cycle");
        check(&["a:a"], "cycle");
        check(&["a:x"], "needs `x`, which is no step");
        check(&["a", "a"], "two steps `a`");
    }

    #[test]
    fn selection() {
        let whole = plan(&workflow(&["a", "b:a", "c:b", "d:a"]), &Hints::default(), &limits(1)).expect("a plan");
        let check = |only: &[&str], from: Option<&str>, expected: &str| {
            let selection = Selection {
                only: only.iter().map(|&name| name.to_owned()).collect(),
                from: from.map(str::to_owned),
                manual: false,
            };
            let part = whole.clone().select(&selection).expect("known steps");
            let left: Vec<&str> =
                part.steps.iter().filter(|step| step.skip.is_none()).map(|step| step.id().as_str()).collect();
            assert_eq!(left.join(" "), expected);
        };
        check(&[], None, "a b c d");
        check(&["c", "a"], None, "a c");
        check(&[], Some("b"), "b c");
        let wrong = Selection { only: vec!["x".to_owned()], ..Selection::default() };
        assert_eq!(whole.select(&wrong).expect_err("unknown").hint_text(), Some("its steps: a, b, c, d"));
    }

    #[test]
    fn budgets_are_declared_learnt_or_typical() {
        let mut workflow = workflow(&["declared", "large", "small", "unknown"]);
        workflow.steps[0].resources = Resources { cpu: Some(1.5), memory_bytes: Some(7), ..Resources::default() };
        let mut hints = Hints::default();
        for (step, cpus, memory) in [("declared", 4.0, 900), ("large", 2.6, 500), ("small", 1.2, 300)] {
            let hint = hints.steps.entry(StepId(step.to_owned())).or_default();
            (hint.cpus, hint.peak_memory_bytes) = (Some(cpus), Some(memory));
        }
        let plan = plan(&workflow, &hints, &limits(2)).expect("a plan");
        let found: Vec<_> = plan.steps.iter().map(|step| (step.cpus, step.memory_bytes)).collect();
        assert_eq!(found, [(1.5, 7), (3.0, 500), (0.0, 300), (0.0, 500)]);
    }

    #[test]
    fn orders_follow_durations_only_where_they_are_trusted() {
        let odds = |low| Some(Odds { mean: 0.6, low, high: 0.9, n: 40 });
        for (known, order, policy) in [
            (&[][..], None, Policy::Fifo),
            (&[("a", 5.0)], None, Policy::Learned),
            (&[("a", 5.0)], odds(0.51), Policy::Learned),
            (&[("a", 5.0)], odds(0.5), Policy::Fifo),
        ] {
            let hints = Hints { order, ..medians(known) };
            assert_eq!(plan(&workflow(&["a", "b"]), &hints, &limits(1)).expect("a plan").policy, policy, "{order:?}");
        }
    }

    #[test]
    fn of_equals_the_one_that_may_fail_starts_first() {
        let mut hints = medians(&[("a", 5.0), ("b", 5.0), ("c", 5.0)]);
        for (step, mean) in [("b", 0.1), ("c", 0.4)] {
            let odds = Odds { mean, low: 0.0, high: 1.0, n: 40 };
            hints.steps.entry(StepId(step.to_owned())).or_default().failure = Some(odds);
        }
        let plan = plan(&workflow(&["a", "b", "c"]), &hints, &limits(1)).expect("a plan");
        assert_eq!(plan.steps.iter().map(|step| step.rank).collect::<Vec<_>>(), [2, 1, 0]);
    }

    #[test]
    fn limits_are_declared_or_learnt() {
        let mut workflow = workflow(&["a", "b", "c"]);
        workflow.steps[0].timeout = Some(std::time::Duration::from_secs(5));
        let mut hints = medians(&[("a", 1.0), ("b", 1.0)]);
        for hint in hints.steps.values_mut() {
            (hint.slow_ms, hint.timeout_ms) = (Some(60_000), Some(600_000));
        }
        hints.steps.entry(StepId("c".to_owned())).or_default().slow_ms = Some(70_000);
        let plan = plan(&workflow, &hints, &limits(1)).expect("a plan");
        let found: Vec<_> =
            plan.steps.iter().map(|step| (step.timeout.map(|t| (t.limit_ms, t.learnt)), step.warn_ms)).collect();
        let learnt = (Some((600_000, true)), Some(60_000));
        assert_eq!(found, [(Some((5_000, false)), Some(3_750)), learnt, (None, Some(70_000))]);
    }
}
