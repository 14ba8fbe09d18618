//! How fast an execution goes beside what was predicted, and how long what is left will take at that pace.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::graph::Plan;

/// How many typical steps, taken to go as predicted, stand against what was seen: one odd step does not turn the whole.
const PRIOR_STEPS: f64 = 3.0;

/// The progress of one execution. Times are milliseconds since it began.
#[derive(Debug, Clone)]
pub struct Pace {
    tasks: Vec<Task>,
    /// By task: the tasks that wait for it.
    dependents: Vec<Vec<usize>>,
    /// By task: the longest path from its start to the end.
    path_ms: Vec<f64>,
    states: Vec<State>,
    slots: u32,
    keep_going: bool,
    typical_ms: f64,
    /// What the passed tasks of known durations took, and were expected to take.
    took_ms: f64,
    expected_ms: f64,
}

/// A step as far as its time is concerned.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Task {
    /// Its median duration, known or assumed; 0 where it does not run.
    pub expected_ms: f64,
    /// Whether that is known.
    pub known: bool,
    /// The tasks that must pass first.
    pub needs: Vec<usize>,
    /// Locks by number; tasks that share one never overlap.
    pub locks: Vec<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum State {
    /// It may start at this time, its needs permitting.
    Open(f64),
    /// It runs since this time.
    Running(f64),
    Passed,
    Failed,
}

impl Pace {
    /// Returns the progress of a plan before anything started.
    pub fn of(plan: &Plan, keep_going: bool) -> Self {
        let task = |step: &super::PlannedStep| Task {
            expected_ms: step.assumed_ms,
            known: step.hint.duration_ms.is_some(),
            needs: step.needs.iter().map(|need| need.at()).collect(),
            locks: step.locks.clone(),
        };
        let mut pace = Self::new(plan.steps.iter().map(task).collect(), plan.slots, keep_going);
        for (at, _) in plan.steps.iter().enumerate().filter(|(_, step)| step.skip.is_some()) {
            pace.states[at] = State::Passed;
        }
        pace
    }

    /// Returns the progress of tasks before any started; needs of tasks that are not there count as met.
    pub fn new(mut tasks: Vec<Task>, slots: u32, keep_going: bool) -> Self {
        let count = tasks.len();
        let mut dependents = vec![Vec::new(); count];
        for (at, task) in tasks.iter_mut().enumerate() {
            task.needs.retain(|&need| need < count && need != at);
            for &need in &task.needs {
                dependents[need].push(at);
            }
        }
        let mut known: Vec<f64> = tasks.iter().filter(|task| task.known).map(|task| task.expected_ms).collect();
        known.sort_by(f64::total_cmp);
        let typical_ms = known.get(known.len() / 2).copied().unwrap_or(0.0);
        let path_ms = paths(&tasks, &dependents);
        let states = vec![State::Open(0.0); count];
        let slots = slots.max(1);
        Self { tasks, dependents, path_ms, states, slots, keep_going, typical_ms, took_ms: 0.0, expected_ms: 0.0 }
    }

    /// An attempt at a task started.
    pub fn started(&mut self, task: usize, at_ms: f64) {
        self.set(task, State::Running(at_ms));
    }

    /// An attempt at a task ended.
    pub fn ended(&mut self, task: usize, took_ms: f64, passed: bool) {
        let Some(known) = self.tasks.get(task) else { return };
        if passed && known.known && took_ms.is_finite() {
            self.took_ms += took_ms.max(0.0);
            self.expected_ms += known.expected_ms;
        }
        self.set(task, if passed { State::Passed } else { State::Failed });
    }

    /// A failed task is tried again from this time on.
    pub fn retried(&mut self, task: usize, from_ms: f64) {
        self.set(task, State::Open(from_ms));
    }

    /// Returns how much longer steps take than predicted, as a factor: 2 is twice the time. It is the time that passed
    /// steps took over the time they were expected to take, with a few typical steps at factor 1 in both; a running
    /// step counts once it is late.
    pub fn factor(&self, now_ms: f64) -> f64 {
        let (mut took, mut expected) = (self.took_ms, self.expected_ms);
        for (task, state) in self.tasks.iter().zip(&self.states) {
            if let State::Running(since) = state
                && task.known
                && now_ms - since > task.expected_ms
            {
                took += now_ms - since;
                expected += task.expected_ms;
            }
        }
        let prior = PRIOR_STEPS * self.typical_ms;
        if expected + prior > 0.0 { (took + prior) / (expected + prior) } else { 1.0 }
    }

    /// Returns how long what is left will take: the rest of the critical path, or more where slots or locks are short.
    /// Open steps take their expected time by [`Pace::factor`], by list scheduling along the longest paths (Graham
    /// 1969); memory and processors are not looked at. A late step is taken to end now.
    pub fn remaining_ms(&self, now_ms: f64) -> f64 {
        Rest::new(self, now_ms).play() - now_ms
    }

    fn set(&mut self, task: usize, state: State) {
        if let Some(held) = self.states.get_mut(task) {
            *held = state;
        }
    }
}

/// Returns by task the longest path from its start to the end.
fn paths(tasks: &[Task], dependents: &[Vec<usize>]) -> Vec<f64> {
    let mut unmet: Vec<usize> = dependents.iter().map(Vec::len).collect();
    let mut last: Vec<usize> = (0..tasks.len()).filter(|&at| unmet[at] == 0).collect();
    let mut path_ms = vec![0.0_f64; tasks.len()];
    while let Some(at) = last.pop() {
        path_ms[at] += tasks[at].expected_ms.max(0.0);
        for &need in &tasks[at].needs {
            path_ms[need] = path_ms[need].max(path_ms[at]);
            unmet[need] -= 1;
            if unmet[need] == 0 {
                last.push(need);
            }
        }
    }
    path_ms
}

/// What is left of an execution, played to its end.
struct Rest<'a> {
    pace: &'a Pace,
    factor: f64,
    now_ms: f64,
    unmet: Vec<usize>,
    held: Vec<usize>,
    ready: BinaryHeap<Ready>,
    /// Ready tasks whose lock is held.
    parked: Vec<Ready>,
    running: BinaryHeap<Reverse<(Moment, usize)>>,
}

impl<'a> Rest<'a> {
    fn new(pace: &'a Pace, now_ms: f64) -> Self {
        let passed = |need: &&usize| pace.states[**need] != State::Passed;
        let unmet = pace.tasks.iter().map(|task| task.needs.iter().filter(passed).count()).collect();
        let mut rest = Self {
            pace,
            factor: pace.factor(now_ms),
            now_ms,
            unmet,
            held: Vec::new(),
            ready: BinaryHeap::new(),
            parked: Vec::new(),
            running: BinaryHeap::new(),
        };
        for (at, state) in pace.states.iter().enumerate() {
            match state {
                State::Running(since) => {
                    let ends = since + pace.tasks[at].expected_ms * rest.factor;
                    rest.run(at, ends.max(now_ms));
                }
                State::Open(_) if rest.unmet[at] == 0 => rest.ready.push(rest.task(at)),
                _ => {}
            }
        }
        if !pace.keep_going && pace.states.contains(&State::Failed) {
            rest.ready.clear();
            rest.unmet.fill(usize::MAX);
        }
        rest
    }

    /// Returns when the last task ends.
    fn play(mut self) -> f64 {
        loop {
            self.start();
            let Some(Reverse((Moment(at_ms), task))) = self.running.pop() else { return self.now_ms };
            self.now_ms = at_ms;
            let locks = &self.pace.tasks[task].locks;
            if !locks.is_empty() {
                self.held.retain(|held| !locks.contains(held));
                self.ready.extend(self.parked.drain(..));
            }
            for &next in &self.pace.dependents[task] {
                let unmet = &mut self.unmet[next];
                *unmet = unmet.saturating_sub(1);
                if *unmet == 0 && matches!(self.pace.states[next], State::Open(_)) {
                    self.ready.push(self.task(next));
                }
            }
        }
    }

    fn start(&mut self) {
        while self.running.len() < self.pace.slots as usize {
            let Some(next) = self.ready.pop() else { return };
            if self.pace.tasks[next.task].locks.iter().any(|lock| self.held.contains(lock)) {
                self.parked.push(next);
                continue;
            }
            let from = match self.pace.states[next.task] {
                State::Open(from) => from.max(self.now_ms),
                _ => self.now_ms,
            };
            self.run(next.task, from + self.pace.tasks[next.task].expected_ms * self.factor);
        }
    }

    fn run(&mut self, task: usize, ends_ms: f64) {
        self.held.extend(&self.pace.tasks[task].locks);
        self.running.push(Reverse((Moment(ends_ms), task)));
    }

    fn task(&self, task: usize) -> Ready {
        Ready { path: Moment(self.pace.path_ms[task]), first: Reverse(task), task }
    }
}

/// A task that could start; the longest path first, then the order of the workflow.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Ready {
    path: Moment,
    first: Reverse<usize>,
    task: usize,
}

/// A time that orders.
#[derive(PartialEq)]
struct Moment(f64);

impl Eq for Moment {}

impl PartialOrd for Moment {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Moment {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.total_cmp(&other.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::graph::tests::{limits, medians, workflow};
    use crate::plan::{plan, simulate};

    fn pace(lines: &[&str], known: &[(&str, f64)], slots: u32) -> Pace {
        Pace::of(&plan(&workflow(lines), &medians(known), &limits(slots)).expect("a plan"), false)
    }

    fn check(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-9, "{found} against {expected}");
    }

    #[test]
    fn before_the_start_it_is_what_the_simulation_says() {
        let lines = ["a", "b:a", "c:a", "d:b c", "e", "f:e", "g"];
        let known = [("a", 10.0), ("b", 50.0), ("c", 20.0), ("d", 5.0), ("e", 40.0), ("f", 7.0), ("g", 30.0)];
        let plan = plan(&workflow(&lines), &medians(&known), &limits(2)).expect("a plan");
        let durations: Vec<f64> = known.iter().map(|(_, p50)| *p50).collect();
        for slots in [1, 2, 3, 9] {
            let plan = Plan { slots, ..plan.clone() };
            check(Pace::of(&plan, false).remaining_ms(0.0), simulate(&plan, &durations, slots).duration_ms());
        }
    }

    #[test]
    fn what_is_left_follows_what_ended() {
        let mut pace = pace(&["a", "b:a", "c:a"], &[("a", 100.0), ("b", 100.0), ("c", 30.0)], 2);
        pace.started(0, 0.0);
        check(pace.remaining_ms(40.0), 160.0);
        pace.ended(0, 100.0, true);
        check(pace.factor(100.0), 1.0);
        pace.started(1, 100.0);
        check(pace.remaining_ms(110.0), 90.0);
        pace.ended(1, 10.0, false);
        check(pace.remaining_ms(110.0), 0.0);
        pace.retried(1, 150.0);
        check(pace.remaining_ms(110.0), 140.0);
    }

    #[test]
    fn finished_steps_rescale_the_rest() {
        let known: Vec<(String, f64)> = (0..20).map(|at| (format!("s{at}"), 100.0)).collect();
        let known: Vec<(&str, f64)> = known.iter().map(|(name, p50)| (name.as_str(), *p50)).collect();
        let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
        let mut pace = pace(&names, &known, 1);
        let mut last = 1.0;
        for at in 0..10 {
            pace.ended(at, 200.0, true);
            let factor = pace.factor(0.0);
            assert!(factor > last && factor < 2.0, "{factor} after {last}");
            last = factor;
        }
        check(last, 2_300.0 / 1_300.0);
        check(pace.remaining_ms(2_000.0), 1_000.0 * last);
        pace.started(10, 2_000.0);
        assert!(pace.factor(3_000.0) > last, "a late step tells before its end");
    }

    #[test]
    fn locks_keep_steps_apart() {
        let mut workflow = workflow(&["a", "b", "c"]);
        for step in &mut workflow.steps[..2] {
            step.locks = vec!["target".to_owned()];
        }
        let hints = medians(&[("a", 10.0), ("b", 10.0), ("c", 10.0)]);
        let plan = plan(&workflow, &hints, &limits(3)).expect("a plan");
        check(Pace::of(&plan, false).remaining_ms(0.0), 20.0);
    }

    #[test]
    fn nonsense_ends() {
        let task = |needs: &[usize]| Task { expected_ms: 1.0, known: true, needs: needs.to_vec(), locks: Vec::new() };
        let circle = Pace::new(vec![task(&[1]), task(&[0, 9]), task(&[2])], 0, true);
        check(circle.remaining_ms(0.0), 1.0);
        let mut none = Pace::new(Vec::new(), 1, false);
        none.started(3, 1.0);
        none.ended(3, f64::NAN, true);
        check(none.remaining_ms(5.0), 0.0);
        check(none.factor(5.0), 1.0);
    }
}
