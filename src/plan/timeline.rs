//! What ran when: simulated under a virtual clock, or told by events; and the path that decided the time.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use super::dispatch::{Dispatcher, Verdict};
use super::graph::{Plan, StepIndex};

/// A start later than this after a step was ready is a wait for a slot or a lock, in milliseconds.
pub const WAIT_MS: f64 = 10.0;

/// Events and records tell starts in whole milliseconds and durations more finely: what let a step start seems to end so much
/// later.
pub const GRAIN_MS: f64 = 1.0;

/// What ran when.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Timeline {
    /// Steps in the order of their ends.
    pub runs: Vec<Run>,
}

/// One step's time from its first attempt to its last. Times are milliseconds since the execution began.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Run {
    /// The step.
    pub step: StepIndex,
    /// The slot of the last attempt, from 0.
    pub slot: u32,
    /// When it could have started.
    pub ready_ms: f64,
    /// When it started.
    pub started_ms: f64,
    /// When it ended.
    pub ended_ms: f64,
}

impl Timeline {
    /// Returns when the last step ended, in milliseconds.
    pub fn duration_ms(&self) -> f64 {
        self.runs.iter().map(|run| run.ended_ms).fold(0.0, f64::max)
    }

    /// Returns the chain of steps behind the last end: each was the last of those its successor needed or, where that
    /// waited for a slot or a lock, the one whose end let it start.
    pub fn critical_path(&self, plan: &Plan) -> Vec<StepIndex> {
        // When a step was done and who did it: a step that did not run passes on its latest need.
        let mut done: Vec<Option<(f64, StepIndex)>> = vec![None; plan.steps.len()];
        let mut places: Vec<Option<usize>> = vec![None; plan.steps.len()];
        for (place, run) in self.runs.iter().enumerate() {
            done[run.step.at()] = Some((run.ended_ms, run.step));
            places[run.step.at()] = Some(place);
        }
        let latest = |done: &[Option<(f64, StepIndex)>], needs: &[StepIndex]| {
            needs.iter().filter_map(|need| done[need.at()]).max_by(|a, b| a.0.total_cmp(&b.0).then(b.1.cmp(&a.1)))
        };
        for &index in &plan.order {
            if done[index.at()].is_none() {
                done[index.at()] = latest(&done, &plan.steps[index.at()].needs);
            }
        }
        let mut at = latest(&done, &plan.order).map(|(_, step)| step);
        let mut path = Vec::new();
        while let Some(step) = at {
            path.push(step);
            at = places[step.at()]
                .and_then(|place| self.waited_for(place))
                .or_else(|| latest(&done, &plan.steps[step.at()].needs).map(|(_, need)| need));
        }
        path.reverse();
        path
    }

    /// Returns the step whose end gave the run at this place its slot or lock, if it waited for one: the last that ended
    /// before it started.
    fn waited_for(&self, place: usize) -> Option<StepIndex> {
        let waiter = &self.runs[place];
        if waiter.started_ms - waiter.ready_ms <= WAIT_MS {
            return None;
        }
        let freed = self.runs.partition_point(|run| run.ended_ms <= waiter.started_ms + GRAIN_MS);
        let before = &self.runs[..freed.min(place)];
        before.last().filter(|run| run.ended_ms > waiter.ready_ms).map(|run| run.step)
    }
}

/// Returns what would run when on `slots` slots if every step that runs passed at once and took `durations_ms` (by
/// index): the real state machine under a virtual clock.
pub fn simulate(plan: &Plan, durations_ms: &[f64], slots: u32) -> Timeline {
    let mut dispatcher = Dispatcher::new(plan, slots, false);
    let mut running: BinaryHeap<Ends> = BinaryHeap::new();
    let mut timeline = Timeline { runs: Vec::with_capacity(plan.steps.len()) };
    let mut ready = vec![0.0; plan.steps.len()];
    let mut now_ms = 0.0;
    loop {
        while let Some(start) = dispatcher.next(0) {
            let took = durations_ms.get(start.step.at()).copied().unwrap_or(0.0).max(0.0);
            running.push(Ends(Run {
                step: start.step,
                slot: start.slot,
                ready_ms: ready[start.step.at()],
                started_ms: now_ms,
                ended_ms: now_ms + took,
            }));
        }
        let Some(Ends(run)) = running.pop() else { return timeline };
        now_ms = run.ended_ms;
        for next in &plan.steps[run.step.at()].dependents {
            ready[next.at()] = now_ms;
        }
        dispatcher.finish(run.step, Verdict::Passed, 0, 0.5);
        timeline.runs.push(run);
    }
}

/// Orders runs by their end, the earliest on top of the heap.
struct Ends(Run);

impl Ord for Ends {
    fn cmp(&self, other: &Self) -> Ordering {
        other.0.ended_ms.total_cmp(&self.0.ended_ms).then(other.0.step.cmp(&self.0.step))
    }
}

impl PartialOrd for Ends {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Ends {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Ends {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::graph::tests::{limits, medians, workflow};
    use crate::plan::{Hints, plan};

    #[test]
    fn the_path_taken_follows_the_latest_needs() {
        let check = |lines: &[&str], durations: &[f64], slots: u32, total: f64, path: &str| {
            let mut workflow = workflow(lines);
            for step in workflow.steps.iter_mut().filter(|step| step.id.as_str().starts_with("left-out")) {
                step.skip = Some("no".to_owned());
            }
            let plan = plan(&workflow, &Hints::default(), &limits(slots)).expect("a plan");
            let timeline = simulate(&plan, durations, slots);
            let names = timeline.critical_path(&plan).into_iter().map(|step| plan.steps[step.at()].id().to_string());
            assert_eq!(names.collect::<Vec<_>>().join(" "), path);
            assert!((timeline.duration_ms() - total).abs() < 1e-9, "{timeline:?}");
        };
        check(&[], &[], 1, 0.0, "");
        check(&["a", "b", "c:a b"], &[5.0, 7.0, 1.0], 2, 8.0, "b c");
        check(&["a", "b", "c:a b"], &[5.0, 7.0, 1.0], 1, 13.0, "b c");
        check(&["a", "b", "c:a b"], &[50.0, 70.0, 10.0], 1, 130.0, "a b c");
        check(&["a", "left-out:a", "c:left-out"], &[5.0, 9.0, 1.0], 2, 6.0, "a c");
    }

    #[test]
    fn a_lock_is_waited_for_though_starts_are_told_in_whole_milliseconds() {
        let plan = plan(&workflow(&["format", "lint", "build"]), &Hints::default(), &limits(2)).expect("a plan");
        let run = |step: usize, started_ms: f64, took: f64| Run {
            step: plan.order[step],
            slot: 0,
            ready_ms: 0.0,
            started_ms,
            ended_ms: started_ms + took,
        };
        let runs = vec![run(0, 0.0, 1_534.8), run(1, 0.0, 21_407.25), run(2, 21_407.0, 46_639.5)];
        assert_eq!(Timeline { runs }.critical_path(&plan), [plan.order[1], plan.order[2]]);
    }

    #[test]
    fn more_slots_help_as_far_as_the_graph_allows() {
        let lines: Vec<String> = (0..8).map(|at| format!("s{at}")).collect();
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let plan = plan(&workflow(&lines), &medians(&[]), &limits(1)).expect("a plan");
        let took: Vec<f64> =
            [1, 2, 4, 8, 99].iter().map(|&slots| simulate(&plan, &[10.0; 8], slots).duration_ms()).collect();
        assert_eq!(took, [80.0, 40.0, 20.0, 10.0, 10.0]);
    }
}
