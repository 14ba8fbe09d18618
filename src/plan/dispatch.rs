//! Who starts next: a pure state machine over slots, locks and budgets; knows neither processes nor a clock.
//!
//! Every operation costs O(log n) of the steps: what cannot start yet is parked on the very thing it waits for and
//! woken with it, never scanned.

mod allowance;
mod retry;

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::graph::{Plan, StepIndex};
use super::policy::Policy;
use crate::redact::cause::Fingerprint;
use allowance::Allowance;
pub use retry::{Known, RetryAt};

type Ranked = BinaryHeap<Reverse<u32>>;

/// Decides who starts next.
#[derive(Debug)]
pub struct Dispatcher<'plan> {
    plan: &'plan Plan,
    keep_going: bool,
    halted: bool,
    /// Steps by rank; first come, first served: in the order in which they became ready.
    ranks: Vec<StepIndex>,
    steps: Vec<Progress>,
    ready: Ranked,
    /// By lock: who waits for it.
    parked: Vec<Ranked>,
    held: Vec<bool>,
    /// Who waits for processors or memory.
    starved: Ranked,
    retries: BinaryHeap<Reverse<(u64, StepIndex)>>,
    free: BinaryHeap<Reverse<u32>>,
    cpus: f64,
    memory_bytes: u64,
    running: usize,
    allowance: Allowance,
    failed: usize,
    skipped: Vec<(StepIndex, String)>,
}

#[derive(Debug, Clone)]
struct Progress {
    unmet: usize,
    state: State,
    attempt: u32,
    ready_ms: u64,
    slot: u32,
    rank: u32,
    /// What the failure of the attempt that ends is recognised by.
    error: Option<Fingerprint>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    Running,
    Settled,
}

/// An attempt to start now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Start {
    /// The step.
    pub step: StepIndex,
    /// 1 for the first try.
    pub attempt: u32,
    /// The slot it occupies, from 0.
    pub slot: u32,
    /// When it could have started: its needs had passed, or the wait before its retry was over.
    pub ready_ms: u64,
}

/// How an attempt ended, as far as the order of things depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It did what it should.
    Passed,
    /// It exited with this code.
    Exited(i32),
    /// A signal ended it.
    Signaled,
    /// It ran into its time limit.
    TimedOut,
    /// It never started.
    NotStarted,
    /// It was stopped from outside; it is never tried again.
    Cancelled,
}

impl<'plan> Dispatcher<'plan> {
    /// Returns the state before anything started, with `slots` slots; `keep_going` starts what does not depend on a
    /// failed step.
    pub fn new(plan: &'plan Plan, slots: u32, keep_going: bool) -> Self {
        let mut ranks = Vec::with_capacity(plan.steps.len());
        if plan.policy != Policy::Fifo {
            ranks.resize(plan.steps.len(), StepIndex::new(0));
            for (at, step) in plan.steps.iter().enumerate() {
                ranks[step.rank as usize] = StepIndex::new(at);
            }
        }
        let progress = |step: &super::PlannedStep| Progress {
            unmet: step.needs.len(),
            state: State::Open,
            attempt: step.tried + 1,
            ready_ms: 0,
            slot: 0,
            rank: step.rank,
            error: None,
        };
        let mut dispatcher = Self {
            plan,
            keep_going,
            halted: false,
            ranks,
            steps: plan.steps.iter().map(progress).collect(),
            ready: Ranked::new(),
            parked: vec![Ranked::new(); plan.locks.len()],
            held: vec![false; plan.locks.len()],
            starved: Ranked::new(),
            retries: BinaryHeap::new(),
            // The lowest free slot is taken, so that no more are used than there are steps, whatever a record claims.
            free: (0..slots.min(u32::try_from(plan.steps.len()).unwrap_or(u32::MAX)).max(1)).map(Reverse).collect(),
            cpus: 0.0,
            memory_bytes: 0,
            running: 0,
            allowance: Allowance::ALL,
            failed: 0,
            skipped: Vec::new(),
        };
        for (at, step) in plan.steps.iter().enumerate() {
            if step.needs.is_empty() {
                dispatcher.open(StepIndex::new(at), 0);
            }
        }
        dispatcher
    }

    /// Returns the next attempt to start at `now_ms`, and takes its slot, locks and budget.
    pub fn next(&mut self, now_ms: u64) -> Option<Start> {
        if self.halted {
            return None;
        }
        while let Some(&Reverse((due_ms, step))) = self.retries.peek().filter(|retry| retry.0.0 <= now_ms) {
            self.retries.pop();
            self.steps[step.at()].ready_ms = due_ms;
            self.ready.push(Reverse(self.rank(step)));
        }
        while !self.free.is_empty() && self.running < self.allowance.running {
            let Reverse(rank) = self.ready.pop()?;
            let step = self.ranks[rank as usize];
            if let Some(lock) = self.plan.steps[step.at()].locks.iter().copied().find(|&lock| self.held[lock]) {
                self.parked[lock].push(Reverse(rank));
                // It may have been woken on behalf of others, who must not sleep on because it goes on waiting.
                self.wake_locks(step);
                self.wake_starved();
            } else if self.fits(step, rank) {
                return Some(self.start(step));
            } else {
                self.starved.push(Reverse(rank));
                self.wake_locks(step);
            }
        }
        None
    }

    /// Takes what the failure of a running attempt is recognised by, which is about to end.
    pub fn recognised(&mut self, step: StepIndex, error: Fingerprint) {
        self.steps[step.at()].error = Some(error);
    }

    /// Takes the end of a running attempt; `jitter` in 0 to 1 spreads the wait before a retry. Returns the retry, if
    /// there is one.
    pub fn finish(&mut self, step: StepIndex, verdict: Verdict, now_ms: u64, jitter: f64) -> Option<RetryAt> {
        self.release(step);
        let error = self.steps[step.at()].error.take();
        if verdict == Verdict::Passed {
            self.settle(step, now_ms);
            return None;
        }
        if !self.halted
            && let Some(retry) = self.retry(step, verdict, error, jitter)
        {
            let progress = &mut self.steps[step.at()];
            progress.state = State::Open;
            progress.attempt = retry.attempt;
            self.retries.push(Reverse((now_ms + retry.wait_ms, step)));
            return Some(retry);
        }
        self.steps[step.at()].state = State::Settled;
        if verdict == Verdict::Cancelled {
            return None;
        }
        self.failed += 1;
        self.skip_dependents(step);
        self.halted |= !self.keep_going;
        None
    }

    /// Starts nothing more.
    pub fn halt(&mut self) {
        self.halted = true;
    }

    /// Returns when the next retry is due.
    pub fn next_due_ms(&self) -> Option<u64> {
        self.retries.peek().filter(|_| !self.halted).map(|retry| retry.0.0)
    }

    /// Returns how many attempts run.
    pub fn running(&self) -> usize {
        self.running
    }

    /// Returns how many steps failed for good.
    pub fn failed(&self) -> usize {
        self.failed
    }

    /// Returns the steps found since the last call that will not run, with the reason.
    pub fn take_skipped(&mut self) -> Vec<(StepIndex, String)> {
        std::mem::take(&mut self.skipped)
    }

    /// Returns whether a step neither ended nor was skipped: it never came to its turn, or waits for a retry.
    pub fn unfinished(&self) -> bool {
        self.steps.iter().any(|step| step.state != State::Settled)
    }

    /// Returns the steps that never came to their turn; called when nothing runs or waits any more.
    pub fn left_over(&self) -> Vec<StepIndex> {
        let waits = |at: &usize| {
            self.steps[*at].state == State::Open && self.steps[*at].attempt == self.plan.steps[*at].tried + 1
        };
        (0..self.steps.len()).filter(waits).map(StepIndex::new).collect()
    }

    fn rank(&self, step: StepIndex) -> u32 {
        self.steps[step.at()].rank
    }

    /// A step whose needs are met: it becomes ready, or passes at once where it is not to run.
    fn open(&mut self, step: StepIndex, now_ms: u64) {
        let mut opened = vec![step];
        while let Some(step) = opened.pop() {
            let planned = &self.plan.steps[step.at()];
            if let Some(skip) = &planned.skip {
                self.skipped.push((step, skip.to_string()));
                opened.extend(self.pass(step));
            } else {
                self.steps[step.at()].ready_ms = now_ms;
                if self.plan.policy == Policy::Fifo {
                    self.steps[step.at()].rank = StepIndex::new(self.ranks.len()).0;
                    self.ranks.push(step);
                }
                self.ready.push(Reverse(self.rank(step)));
            }
        }
    }

    fn settle(&mut self, step: StepIndex, now_ms: u64) {
        for opened in self.pass(step) {
            self.open(opened, now_ms);
        }
    }

    /// Marks a step as done; returns the steps whose last need it was.
    fn pass(&mut self, step: StepIndex) -> Vec<StepIndex> {
        self.steps[step.at()].state = State::Settled;
        let mut opened = Vec::new();
        for &next in &self.plan.steps[step.at()].dependents {
            let progress = &mut self.steps[next.at()];
            progress.unmet -= 1;
            if progress.unmet == 0 && progress.state == State::Open {
                opened.push(next);
            }
        }
        opened
    }

    fn skip_dependents(&mut self, failed: StepIndex) {
        let mut reached = vec![failed];
        while let Some(step) = reached.pop() {
            for &next in &self.plan.steps[step.at()].dependents {
                if self.steps[next.at()].state == State::Open {
                    self.steps[next.at()].state = State::Settled;
                    let culprit = self.plan.steps[failed.at()].id();
                    self.skipped.push((next, format!("needs `{culprit}`, which failed")));
                    reached.push(next);
                }
            }
        }
    }

    /// Whether processors and memory suffice; what exceeds the whole budget runs when it is alone. A step that waits
    /// for its share is not overtaken by a less important one, or it might wait for ever.
    fn fits(&self, step: StepIndex, rank: u32) -> bool {
        let wanted = &self.plan.steps[step.at()];
        if wanted.cpus <= 0.0 && wanted.memory_bytes == 0 {
            return true;
        }
        let cpus = wanted.cpus <= 0.0 || self.cpus <= 0.0 || self.cpus + wanted.cpus <= self.plan.cpus;
        let memory = self.memory_bytes == 0
            || self.plan.memory_bytes.is_none_or(|all| {
                let used = self.memory_bytes.saturating_add(self.allowance.others_memory_bytes);
                used.saturating_add(wanted.memory_bytes) <= all
            });
        cpus && memory && self.starved.peek().is_none_or(|first| rank < first.0)
    }

    fn start(&mut self, step: StepIndex) -> Start {
        let planned = &self.plan.steps[step.at()];
        for &lock in &planned.locks {
            self.held[lock] = true;
        }
        self.cpus += planned.cpus;
        self.memory_bytes = self.memory_bytes.saturating_add(planned.memory_bytes);
        self.running += 1;
        let Reverse(slot) = self.free.pop().expect("asked for only while a slot is free");
        let progress = &mut self.steps[step.at()];
        progress.state = State::Running;
        progress.slot = slot;
        let start = Start { step, attempt: progress.attempt, slot, ready_ms: progress.ready_ms };
        self.wake_starved();
        start
    }

    fn release(&mut self, step: StepIndex) {
        let planned = &self.plan.steps[step.at()];
        for &lock in &planned.locks {
            self.held[lock] = false;
        }
        self.running -= 1;
        self.cpus = if self.running == 0 { 0.0 } else { self.cpus - planned.cpus };
        self.memory_bytes = self.memory_bytes.saturating_sub(planned.memory_bytes);
        self.free.push(Reverse(self.steps[step.at()].slot));
        self.wake_locks(step);
        self.wake_starved();
    }

    /// Wakes the most important waiter of every free lock of `step`.
    fn wake_locks(&mut self, step: StepIndex) {
        for &lock in &self.plan.steps[step.at()].locks {
            if !self.held[lock]
                && let Some(first) = self.parked[lock].pop()
            {
                self.ready.push(first);
            }
        }
    }

    /// Wakes the most important step that waits for processors or memory.
    fn wake_starved(&mut self) {
        if let Some(first) = self.starved.pop() {
            self.ready.push(first);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::plan::graph::tests::{limits, medians, workflow};
    use crate::plan::{Hints, Limits, plan};
    use crate::workflow::{Retry, RetryOn, StepId, Workflow};

    /// What a step does in a played execution: how long it takes, and how its attempts end.
    type Script<'a> = BTreeMap<&'a str, (u64, Vec<Verdict>)>;

    /// Plays an execution under a virtual clock; steps without a script take 10 ms and pass. Returns a line per event.
    fn play(plan: &Plan, script: &Script, keep_going: bool) -> Vec<String> {
        let mut dispatcher = Dispatcher::new(plan, plan.slots, keep_going);
        let (mut now, mut log) = (0, Vec::new());
        let mut running: Vec<(u64, Start)> = Vec::new();
        let name = |step: StepIndex| plan.steps[step.at()].id().as_str();
        loop {
            while let Some(start) = dispatcher.next(now) {
                let took = script.get(name(start.step)).map_or(10, |script| script.0);
                log.push(format!(
                    "{now} {}{}@{}",
                    name(start.step),
                    "'".repeat(start.attempt as usize - 1),
                    start.slot
                ));
                running.push((now + took, start));
            }
            for (step, reason) in dispatcher.take_skipped() {
                log.push(format!("{now} {} skipped: {reason}", name(step)));
            }
            running.sort_by_key(|(end, start)| (*end, start.step));
            let due = dispatcher.next_due_ms();
            match (running.first().map(|(end, _)| *end), due) {
                (Some(end), due) if due.is_none_or(|due| end <= due) => {
                    let (_, start) = running.remove(0);
                    now = end;
                    let scripted =
                        script.get(name(start.step)).and_then(|script| script.1.get(start.attempt as usize - 1));
                    dispatcher.finish(start.step, scripted.copied().unwrap_or(Verdict::Passed), now, 0.5);
                }
                (_, Some(due)) => now = due,
                _ => return log,
            }
        }
    }

    fn check(
        workflow: &Workflow,
        hints: &Hints,
        limits: &Limits,
        script: &Script,
        keep_going: bool,
        expected: &[&str],
    ) {
        let plan = plan(workflow, hints, limits).expect("a plan");
        assert_eq!(play(&plan, script, keep_going), expected);
    }

    #[test]
    fn the_longest_path_goes_first() {
        let lines = ["a", "b", "c", "d:c"];
        let hints = medians(&[("a", 10.0), ("b", 20.0), ("c", 10.0), ("d", 50.0)]);
        let script = Script::from([("b", (12, Vec::new()))]);
        check(&workflow(&lines), &hints, &limits(1), &Script::new(), false, &["0 c@0", "10 d@0", "20 b@0", "30 a@0"]);
        check(&workflow(&lines), &hints, &limits(2), &script, false, &["0 c@0", "0 b@1", "10 d@0", "12 a@1"]);
    }

    #[test]
    fn shared_locks_never_overlap_and_leave_the_slots_to_others() {
        let mut workflow = workflow(&["a", "b", "c", "d"]);
        for step in &mut workflow.steps[..3] {
            step.locks = vec!["target".to_owned()];
        }
        let expected = ["0 a@0", "0 d@1", "10 b@0", "20 c@0"];
        check(&workflow, &Hints::default(), &limits(2), &Script::new(), false, &expected);
        workflow.steps[1].locks.push("port".to_owned());
        workflow.steps[3].locks = vec!["port".to_owned()];
        check(&workflow, &Hints::default(), &limits(4), &Script::new(), false, &["0 a@0", "0 d@1", "10 c@0", "20 b@0"]);
    }

    #[test]
    fn budgets_are_kept_and_the_large_one_is_not_starved() {
        let mut workflow = workflow(&["a", "b", "large", "c", "d"]);
        for (at, gigabytes) in [(0, 2), (1, 2), (2, 4), (3, 1), (4, 9)] {
            workflow.steps[at].resources.memory_bytes = Some(gigabytes << 30);
        }
        let limits = Limits { slots: 4, cpus: None, memory_bytes: Some(4 << 30) };
        let expected = ["0 a@0", "0 b@1", "10 large@0", "20 c@0", "30 d@0"];
        check(&workflow, &Hints::default(), &limits, &Script::from([("b", (5, Vec::new()))]), false, &expected);
        let mut workflow = super::super::graph::tests::workflow(&["a", "b", "c"]);
        workflow.steps[0].resources.cpu = Some(1.5);
        workflow.steps[1].resources.cpu = Some(1.0);
        let limits = Limits { slots: 3, cpus: Some(2.0), memory_bytes: None };
        check(&workflow, &Hints::default(), &limits, &Script::new(), false, &["0 a@0", "0 c@1", "10 b@0"]);
    }

    #[test]
    fn failures_skip_what_depends_on_them() {
        let lines = ["a", "b:a", "c:b", "d", "e:d"];
        let script = Script::from([("a", (10, vec![Verdict::Exited(1)])), ("d", (20, Vec::new()))]);
        let skipped = ["10 b skipped: needs `a`, which failed", "10 c skipped: needs `a`, which failed"];
        let stop = [&["0 a@0", "0 d@1"][..], &skipped].concat();
        check(&workflow(&lines), &Hints::default(), &limits(2), &script, false, &stop);
        let go = [&["0 a@0", "0 d@1"][..], &skipped, &["20 e@0"]].concat();
        check(&workflow(&lines), &Hints::default(), &limits(2), &script, true, &go);
    }

    #[test]
    fn steps_left_out_on_purpose_count_as_passed_in_their_turn() {
        let mut workflow = workflow(&["a", "b:a", "c:b"]);
        workflow.steps[1].skip = Some("dev == release".to_owned());
        let expected = ["0 a@0", "10 c@0", "10 b skipped: dev == release"];
        check(&workflow, &Hints::default(), &limits(1), &Script::new(), false, &expected);
        workflow.steps[1].skip = None;
        workflow.steps[1].run = None;
        let expected = ["0 a@0", "10 c@0", "10 b skipped: manual: it has no command"];
        check(&workflow, &Hints::default(), &limits(1), &Script::new(), false, &expected);
    }

    #[test]
    fn retries_wait_longer_each_time_and_only_where_covered() {
        let played = |on: &[RetryOn], endings: &[Verdict], expected: &[&str]| {
            let mut workflow = workflow(&["a", "b"]);
            let backoff = Duration::from_millis(100);
            workflow.steps[0].retry = Some(Box::new(Retry { attempts: 3, backoff, on: on.to_vec() }));
            let script = Script::from([("a", (10, endings.to_vec())), ("b", (1, Vec::new()))]);
            check(&workflow, &Hints::default(), &limits(1), &script, true, expected);
        };
        let (one, timed_out, signaled) = (Verdict::Exited(1), Verdict::TimedOut, Verdict::Signaled);
        played(&[], &[one], &["0 a@0", "10 b@0", "110 a'@0"]);
        played(&[], &[one, signaled, timed_out], &["0 a@0", "10 b@0", "110 a'@0", "320 a''@0"]);
        played(&[RetryOn::Exit(75), RetryOn::Timeout], &[one], &["0 a@0", "10 b@0"]);
        played(
            &[RetryOn::Exit(75), RetryOn::Timeout],
            &[timed_out, Verdict::Exited(75)],
            &["0 a@0", "10 b@0", "110 a'@0", "320 a''@0"],
        );
        played(&[], &[Verdict::Cancelled], &["0 a@0", "10 b@0"]);
    }

    /// One step of a random workflow: needs among the earlier ones, locks, memory, duration and how attempts end.
    type Drawn = (Vec<prop::sample::Index>, Vec<u8>, u64, u64, Vec<bool>);

    fn drawn() -> impl Strategy<Value = Vec<Drawn>> {
        let locks = prop::collection::vec(0..4_u8, 0..3);
        let needs = prop::collection::vec(any::<prop::sample::Index>(), 0..3);
        let ends = prop::collection::vec(prop::bool::weighted(0.8), 3);
        prop::collection::vec((needs, locks, 0..6_u64, 1..30_u64, ends), 1..40)
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]
        #[test]
        fn every_rule_holds_in_every_execution(steps in drawn(), slots in 1..6_u32, keep_going: bool) {
            let names: Vec<String> = (0..steps.len()).map(|at| format!("s{at}")).collect();
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let mut workflow = workflow(&names);
            for (at, (needs, locks, memory, took, _)) in steps.iter().enumerate() {
                let step = &mut workflow.steps[at];
                if at > 0 {
                    step.needs = needs.iter().map(|need| StepId(format!("s{}", need.index(at)))).collect();
                }
                step.locks = locks.iter().map(u8::to_string).collect();
                step.resources.memory_bytes = Some(*memory);
                step.retry = Some(Box::new(Retry { attempts: 2, backoff: Duration::from_millis(*took), on: Vec::new() }));
            }
            let limits = Limits { slots, cpus: None, memory_bytes: Some(8) };
            let plan = plan(&workflow, &Hints::default(), &limits).expect("a plan");
            let mut dispatcher = Dispatcher::new(&plan, slots, keep_going);
            let (mut now, mut running) = (0, Vec::<(u64, Start)>::new());
            let mut passed = vec![false; steps.len()];
            let mut attempts = vec![0; steps.len()];
            let mut skipped = vec![0; steps.len()];
            loop {
                while let Some(start) = dispatcher.next(now) {
                    let at = start.step.at();
                    attempts[at] += 1;
                    prop_assert_eq!(start.attempt, attempts[at]);
                    prop_assert!(plan.steps[at].needs.iter().all(|need| passed[need.at()]), "s{} ran early", at);
                    for (_, other) in &running {
                        prop_assert_ne!(other.slot, start.slot);
                        let others = &plan.steps[other.step.at()].locks;
                        prop_assert!(!plan.steps[at].locks.iter().any(|lock| others.contains(lock)), "a lock is shared");
                    }
                    running.push((now + steps[at].3, start));
                    let memory: u64 = running.iter().map(|(_, run)| steps[run.step.at()].2).sum();
                    prop_assert!(memory <= 8, "{} units of memory", memory);
                }
                prop_assert!(running.len() <= slots as usize && running.len() == dispatcher.running());
                for (step, _) in dispatcher.take_skipped() {
                    skipped[step.at()] += 1;
                }
                running.sort_by_key(|(end, start)| (*end, start.step));
                let Some(&(end, start)) = running.first() else {
                    match dispatcher.next_due_ms() {
                        Some(due) => now = due,
                        None => break,
                    }
                    continue;
                };
                running.remove(0);
                now = now.max(end);
                let ok = steps[start.step.at()].4[start.attempt as usize - 1];
                passed[start.step.at()] = ok;
                dispatcher.finish(start.step, if ok { Verdict::Passed } else { Verdict::Exited(1) }, now, 0.5);
            }
            if keep_going || dispatcher.failed() == 0 {
                for at in 0..steps.len() {
                    prop_assert_eq!(u32::from(attempts[at] > 0) + skipped[at], 1, "s{} ran or was skipped, once", at);
                }
                prop_assert!(dispatcher.left_over().is_empty());
            }
        }
    }
}
