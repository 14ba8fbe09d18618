//! One execution: who starts next, what runs, what is due. Its slots work side by side, each on a thread of its own that
//! starts a process, waits for its end and takes the next step itself; the first thread watches clock and stop handle.

mod confine;
mod held;
mod running;
mod slot;
mod telling;
mod undo;

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::Scope;
use std::time::Duration;

use super::event::{Ending, Event, ExecutionOutcome, Usage};
use super::launch::Launcher;
use super::leash::Leash;
use super::ledger::{self, Ledger, Use};
use super::outlet::Outlets;
use super::{Listener, Listeners, Options, Stop};
use crate::clock::Clock;
use crate::plan::{Dispatcher, Plan, Start, StepIndex, Verdict};
use crate::redact::cause::Fingerprint;
use running::Running;

/// What wakes the first thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wake {
    /// Something is due earlier than before, the stop handle was pulled, or nothing runs any more.
    Look,
    /// The `undo` command has ended.
    Undone,
}

/// What it takes to drive one execution.
pub(super) struct Drive<'a> {
    plan: &'a Plan,
    options: &'a Options,
    clock: &'a Clock,
    stop: &'a Stop,
    began: Duration,
    /// Without one nothing can be started, for this reason.
    launcher: Result<Launcher, String>,
    outlets: Option<Outlets>,
    leash: Leash,
    /// Whether somebody was told that output is lost.
    lost: AtomicBool,
    wake: Sender<Wake>,
    state: Mutex<State<'a>>,
    /// Rings when an attempt waits for a thread, and when there will be none any more.
    work: Condvar,
    keep: Mutex<Listener<'a>>,
    show: Mutex<Listener<'a>>,
}

/// What the threads share.
struct State<'a> {
    dispatcher: Dispatcher<'a>,
    /// What this execution and others use of the machine.
    ledger: Option<Ledger>,
    held_back: bool,
    running: BTreeMap<u32, Running>,
    /// Attempts that have their slot and wait for a thread.
    starts: VecDeque<Start>,
    /// Threads that wait for an attempt.
    idle: usize,
    threads: usize,
    /// What happened and was not kept yet.
    events: Vec<Event>,
    /// What was kept and not shown yet.
    unshown: Vec<Event>,
    /// When the first thread will look again by itself.
    alarm: Option<Duration>,
    /// Steps that ran and passed, in the order of their ends.
    passed: Vec<StepIndex>,
    pulls: u32,
    cancelled: bool,
    over: bool,
}

/// How an attempt ended, and what it left behind.
struct End {
    ending: Ending,
    usage: Usage,
    error: Option<Fingerprint>,
    metrics: BTreeMap<String, f64>,
    inputs: Option<[u8; 12]>,
}

impl From<Ending> for End {
    fn from(ending: Ending) -> Self {
        Self { ending, usage: Usage::default(), error: None, metrics: BTreeMap::new(), inputs: None }
    }
}

impl<'a> Drive<'a> {
    /// Returns an execution that waits to be driven, and what will wake its first thread.
    pub(super) fn new(
        plan: &'a Plan,
        options: &'a Options,
        clock: &'a Clock,
        stop: &'a Stop,
        Listeners { keep, show }: Listeners<'a>,
    ) -> (Self, Receiver<Wake>) {
        let (wake, wakes) = mpsc::channel();
        stop.wake(wake.clone());
        let slots = plan.steps.len().min(plan.slots as usize);
        let state = State {
            dispatcher: Dispatcher::new(plan, plan.slots, options.keep_going),
            // Trouble with the account of the machine means going by oneself.
            ledger: options.shared.as_ref().and_then(|shared| Ledger::open(shared, &options.execution).ok()),
            held_back: false,
            running: BTreeMap::new(),
            starts: VecDeque::new(),
            idle: 0,
            threads: 0,
            events: vec![Event::Started { at: clock.now() }],
            unshown: Vec::new(),
            alarm: None,
            passed: plan.passed.clone(),
            pulls: 0,
            cancelled: false,
            over: false,
        };
        let drive = Self {
            plan,
            options,
            clock,
            stop,
            began: clock.elapsed(),
            launcher: Launcher::new(&options.directory, &options.environment, slots).map_err(|error| error.to_string()),
            outlets: None,
            leash: Leash::new(&options.execution),
            lost: AtomicBool::new(false),
            wake,
            state: Mutex::new(state),
            work: Condvar::new(),
            keep: Mutex::new(keep),
            show: Mutex::new(show),
        };
        (drive, wakes)
    }

    pub(super) fn drive(mut self, wakes: &Receiver<Wake>) -> ExecutionOutcome {
        if let Err(error) = std::fs::create_dir_all(&self.options.logs) {
            self.lose(&error);
        }
        self.outlets = Outlets::new(&self.options.logs).inspect_err(|error| self.lose(error)).ok();
        std::thread::scope(|scope| {
            if let Some(outlets) = &self.outlets {
                let reader = std::thread::Builder::new().name("output".to_owned()).stack_size(256 * 1024);
                if let Err(error) = reader.spawn_scoped(scope, || outlets.read(&|error| self.lose(error))) {
                    outlets.end();
                    self.lose(&error);
                }
            }
            self.watch(scope, wakes);
            if self.options.undo {
                self.undo(wakes);
            }
            self.leash.end_all(self.clock);
            if let Some(outlets) = &self.outlets {
                outlets.end();
            }
        });
        self.finish()
    }

    /// Watches over the slots until nothing runs or waits any more.
    fn watch<'scope>(&'scope self, scope: &'scope Scope<'scope, '_>, wakes: &Receiver<Wake>) {
        let teller = self.teller(scope);
        loop {
            self.look_at_what_is_held();
            let mut state = self.state();
            self.obey_stop(&mut state);
            self.enforce_limits(&mut state);
            self.fill(&mut state);
            self.staff(&mut state, scope, 0);
            if state.running.is_empty() && state.starts.is_empty() && state.dispatcher.next_due_ms().is_none() {
                state.over = true;
                self.work.notify_all();
                drop(state);
                return self.tell();
            }
            let due = state.dispatcher.next_due_ms().map(|due| self.began + Duration::from_millis(due));
            let again = state.held_back.then(|| self.clock.elapsed() + ledger::AGAIN);
            state.alarm = state.running.values().filter_map(Running::alarm).chain(due).chain(again).min();
            let alarm = state.alarm;
            drop(state);
            self.leash.tidy();
            self.tell_by(&teller);
            // Whether something came or the time is over, it looks again; the channel stays open as long as `self`.
            let _ = match alarm {
                Some(at) => wakes.recv_timeout(at.saturating_sub(self.clock.elapsed())).ok(),
                None => wakes.recv().ok(),
            };
        }
    }

    fn finish(self) -> ExecutionOutcome {
        let mut state = self.state();
        let left = state.dispatcher.left_over();
        let outcome = match (state.dispatcher.failed(), state.cancelled || state.dispatcher.unfinished()) {
            (0, false) => ExecutionOutcome::Passed,
            (0, true) => ExecutionOutcome::Cancelled,
            _ => ExecutionOutcome::Failed,
        };
        let reason = if outcome == ExecutionOutcome::Failed { "an earlier step failed" } else { "stopped" };
        for step in left {
            self.skipped(&mut state, step, reason.to_owned());
        }
        let duration_ms = self.clock.elapsed().saturating_sub(self.began).as_secs_f64() * 1e3;
        state.events.push(Event::Finished { outcome, duration_ms });
        drop(state);
        self.tell();
        outcome
    }

    /// Takes from the dispatcher what can start now.
    fn fill(&self, state: &mut State) {
        if let Some(ledger) = &mut state.ledger {
            let share = ledger.share(self.clock.elapsed());
            state.dispatcher.allow(share.running, share.others_memory_bytes);
        }
        while let Some(start) = state.dispatcher.next(self.now_ms()) {
            state.starts.push_back(start);
        }
        for (step, reason) in state.dispatcher.take_skipped() {
            self.skipped(state, step, reason);
        }
        self.account(state);
    }

    /// Writes down what this execution uses of the machine; wakes the first thread where it has to look again.
    fn account(&self, state: &mut State) {
        let Some(ledger) = &mut state.ledger else { return };
        let wants = state.dispatcher.is_held_back();
        let running = u32::try_from(state.dispatcher.running()).unwrap_or(u32::MAX);
        ledger.write(Use { running, memory_bytes: state.dispatcher.memory_bytes(), wants });
        if wants && !std::mem::replace(&mut state.held_back, wants) {
            self.look();
        }
        state.held_back = wants;
    }

    /// Finds threads for the attempts that wait; `own` of them the caller takes itself.
    fn staff<'scope>(&'scope self, state: &mut State, scope: &'scope Scope<'scope, '_>, own: usize) {
        let wanted = state.starts.len();
        for _ in 0..wanted.saturating_sub(own).min(state.idle) {
            self.work.notify_one();
        }
        // All but those that run something look for work before they rest, also those that have only just begun.
        for _ in state.threads - state.running.len()..wanted {
            let thread = std::thread::Builder::new().name("slot".to_owned()).stack_size(256 * 1024);
            match thread.spawn_scoped(scope, || self.work(scope)) {
                Ok(_) => state.threads += 1,
                // Those that there are do it one after the other.
                Err(_) if state.threads > 0 || own > 0 => return,
                Err(error) => self.give_up(state, &format!("no thread to start it: {error}")),
            }
        }
    }

    /// Ends what waits for a thread where there will be none.
    fn give_up(&self, state: &mut State, reason: &str) {
        while let Some(start) = state.starts.pop_front() {
            let end = Ending::NotStarted { reason: reason.to_owned() }.into();
            self.ended(state, start, self.clock.elapsed(), end);
            self.fill(state);
        }
    }

    fn ended(&self, state: &mut State, start: Start, started: Duration, end: End) {
        let now = self.clock.elapsed();
        let verdict = verdict(&end.ending);
        state.cancelled |= verdict == Verdict::Cancelled;
        if verdict == Verdict::Passed {
            state.passed.push(start.step);
        }
        let step = self.plan.steps[start.step.at()].id();
        state.events.push(Event::AttemptFinished {
            step: step.clone(),
            attempt: start.attempt,
            slot: start.slot,
            ready_ms: start.ready_ms,
            started_ms: self.since_began(started),
            duration_ms: now.saturating_sub(started).as_secs_f64() * 1e3,
            ending: end.ending,
            usage: end.usage,
            error: end.error,
            metrics: end.metrics,
            inputs: end.inputs,
        });
        if let Some(error) = end.error {
            state.dispatcher.recognised(start.step, error);
        }
        let jitter = if verdict == Verdict::Passed { 0.5 } else { self.jitter() };
        if let Some(retry) = state.dispatcher.finish(start.step, verdict, self.since_began(now), jitter) {
            let (attempt, wait_ms, known) = (retry.attempt, retry.wait_ms, retry.known);
            state.events.push(Event::RetryScheduled { step: step.clone(), attempt, wait_ms, known });
            self.look();
        }
    }

    fn enforce_limits(&self, state: &mut State) {
        let now = self.clock.elapsed();
        for running in state.running.values_mut() {
            if let Some(start) = running.warning(now) {
                let planned = &self.plan.steps[start.step.at()];
                state.events.push(Event::LimitNear {
                    step: planned.id().clone(),
                    attempt: start.attempt,
                    ran_ms: planned.warn_ms.unwrap_or_default(),
                    limit_ms: planned.timeout.map(|limit| limit.limit_ms),
                });
            }
            running.enforce(now, self.options.grace);
        }
    }

    fn obey_stop(&self, state: &mut State) {
        let pulls = self.stop.pulls();
        if pulls == state.pulls {
            return;
        }
        state.pulls = pulls;
        state.dispatcher.halt();
        let now = self.clock.elapsed();
        for running in state.running.values_mut() {
            running.end(Ending::Cancelled, now + self.options.grace);
            if pulls > 1 {
                running.kill();
            }
        }
        while let Some(start) = state.starts.pop_front() {
            state.cancelled = true;
            state.dispatcher.finish(start.step, Verdict::Cancelled, self.since_began(now), 0.5);
            self.skipped(state, start.step, "stopped".to_owned());
        }
    }

    /// Says once that the output of steps is not kept.
    fn lose(&self, error: &io::Error) {
        if !self.lost.swap(true, Ordering::Relaxed) {
            let folder = self.options.logs.display();
            self.state().events.push(Event::Warned { what: format!("output of steps is not kept: {folder}: {error}") });
            self.look();
        }
    }

    fn skipped(&self, state: &mut State, step: StepIndex, reason: String) {
        state.events.push(Event::StepSkipped { step: self.plan.steps[step.at()].id().clone(), reason });
    }

    fn state(&self) -> MutexGuard<'_, State<'a>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes the first thread.
    fn look(&self) {
        // It is gone only when the execution is over.
        let _ = self.wake.send(Wake::Look);
    }

    /// Returns a random number in 0 to 1; without randomness retries come without a spread.
    fn jitter(&self) -> f64 {
        self.clock.random().map_or(0.5, |bytes| f64::from(bytes[0]) / 255.0)
    }

    fn now_ms(&self) -> u64 {
        self.since_began(self.clock.elapsed())
    }

    fn since_began(&self, at: Duration) -> u64 {
        u64::try_from(at.saturating_sub(self.began).as_millis()).unwrap_or(u64::MAX)
    }
}

fn verdict(ending: &Ending) -> Verdict {
    match ending {
        Ending::Exited { code: 0 } => Verdict::Passed,
        Ending::Exited { code } => Verdict::Exited(*code),
        Ending::Signaled { .. } | Ending::OverLimit { .. } => Verdict::Signaled,
        Ending::TimedOut { .. } => Verdict::TimedOut,
        Ending::Cancelled => Verdict::Cancelled,
        Ending::NotStarted { .. } => Verdict::NotStarted,
    }
}
