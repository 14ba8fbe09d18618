//! The loop that starts what the dispatcher names, waits for what happens next, and says so.

mod undo;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::Duration;

use rustix::process::Signal;

use super::event::{Ending, Event, ExecutionOutcome, Usage};
use super::process::{Message, Process, Setting};
use super::{Options, Stop, log, metrics};
use crate::clock::Clock;
use crate::plan::{Dispatcher, Plan, Start, StepIndex, Verdict};
use crate::workflow::StepId;

/// How often a group that is being stopped is looked at once its first process has ended.
const LINGER: Duration = Duration::from_millis(20);

/// What it takes to drive one execution.
pub(super) struct Drive<'a> {
    plan: &'a Plan,
    options: &'a Options,
    clock: &'a Clock,
    stop: &'a Stop,
    listen: &'a mut dyn FnMut(&Event),
    dispatcher: Dispatcher<'a>,
    began: Duration,
    running: BTreeMap<u32, Running>,
    messages: Receiver<Message>,
    sender: Sender<Message>,
    logs: bool,
    /// Steps that ran and passed, in the order of their ends.
    passed: Vec<StepIndex>,
    pulls: u32,
    cancelled: bool,
}

struct Running {
    start: Start,
    started: Duration,
    /// A manual step has none.
    process: Option<Process>,
    /// When it has to be told to end, and its limit in milliseconds.
    limit: Option<(Duration, u64)>,
    /// Why and since when it is being ended; killed once the grace is over.
    ending: Option<Ending>,
    kill_at: Option<Duration>,
    /// Whether its first process has ended.
    leader_ended: bool,
}

impl<'a> Drive<'a> {
    pub(super) fn new(
        plan: &'a Plan,
        options: &'a Options,
        clock: &'a Clock,
        stop: &'a Stop,
        listen: &'a mut dyn FnMut(&Event),
    ) -> Self {
        let (sender, messages) = mpsc::channel();
        stop.wake(sender.clone());
        Self {
            plan,
            options,
            clock,
            stop,
            listen,
            dispatcher: Dispatcher::new(plan, plan.slots, options.keep_going),
            began: clock.elapsed(),
            running: BTreeMap::new(),
            messages,
            sender,
            logs: true,
            passed: Vec::new(),
            pulls: 0,
            cancelled: false,
        }
    }

    pub(super) fn drive(mut self) -> ExecutionOutcome {
        (self.listen)(&Event::Started { at: self.clock.now() });
        if let Err(error) = std::fs::create_dir_all(&self.options.logs) {
            self.logs = false;
            let folder = self.options.logs.display();
            (self.listen)(&Event::Warned { what: format!("the steps' output is not kept: {folder}: {error}") });
        }
        loop {
            self.obey_stop();
            while let Some(start) = self.dispatcher.next(self.now_ms()) {
                self.start(start);
            }
            self.tell_skipped();
            if self.running.is_empty() && self.dispatcher.next_due_ms().is_none() {
                break;
            }
            self.wait();
        }
        if self.options.undo && self.dispatcher.failed() > 0 && self.pulls == 0 {
            self.undo();
        }
        self.finish()
    }

    fn finish(mut self) -> ExecutionOutcome {
        let left = self.dispatcher.left_over();
        let outcome = match (self.dispatcher.failed(), self.cancelled || self.dispatcher.unfinished()) {
            (0, false) => ExecutionOutcome::Passed,
            (0, true) => ExecutionOutcome::Cancelled,
            _ => ExecutionOutcome::Failed,
        };
        let reason = if outcome == ExecutionOutcome::Failed { "an earlier step failed" } else { "stopped" };
        for step in left {
            self.skipped(step, reason.to_owned());
        }
        let duration_ms = self.clock.elapsed().saturating_sub(self.began).as_secs_f64() * 1e3;
        (self.listen)(&Event::Finished { outcome, duration_ms });
        outcome
    }

    fn start(&mut self, start: Start) {
        let plan = self.plan;
        let planned = &plan.steps[start.step.at()];
        let started = self.clock.elapsed();
        let started_ms = self.since_began(started);
        (self.listen)(&Event::AttemptStarted {
            step: planned.id().clone(),
            attempt: start.attempt,
            slot: start.slot,
            ready_ms: start.ready_ms,
            started_ms,
        });
        let process = match &planned.step.run {
            Some(command) => self.spawn(start.step, &start.attempt.to_string(), start.slot, command).map(Some),
            None => self.ask(start).map(|()| None),
        };
        let process = match process {
            Ok(process) => process,
            Err(reason) => {
                return self.ended(start, started, Ending::NotStarted { reason }, Usage::default());
            }
        };
        let limit = planned.timeout.map(|limit| (started + Duration::from_millis(limit.limit_ms), limit.limit_ms));
        self.running.insert(
            start.slot,
            Running { start, started, process, limit, ending: None, kill_at: None, leader_ended: false },
        );
    }

    /// Starts a command of a step; `attempt` is its number, or `undo`.
    fn spawn(&mut self, step: StepIndex, attempt: &str, slot: u32, command: &str) -> Result<Process, String> {
        let step = &self.plan.steps[step.at()].step;
        let log = if self.logs {
            log::create(&self.options.logs, &step.id, attempt)
                .map_err(|error| {
                    let what = format!("the output of `{}` is not kept: {error}", step.id);
                    (self.listen)(&Event::Warned { what });
                })
                .ok()
        } else {
            None
        };
        let metrics = self.logs.then(|| metrics::path(&self.options.logs, &step.id, attempt));
        let mut env: Vec<(&str, &str)> = step.env.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        env.push(("MEOW_EXECUTION", &self.options.execution));
        env.push(("MEOW_STEP", step.id.as_str()));
        env.push(("MEOW_ATTEMPT", attempt));
        if let Some(file) = metrics.as_deref().and_then(Path::to_str) {
            env.push(("MEOW_METRICS", file));
        }
        let setting = Setting { directory: &self.options.directory, env: &env, log: log.as_ref() };
        let first_word = || command.split_whitespace().next().unwrap_or_default().escape_debug();
        let process = Process::start(command, &setting)
            .map_err(|error| format!("`{}` cannot be started: {error}", first_word()))?;
        match process.watch(slot, self.sender.clone()) {
            Ok(()) => Ok(process),
            Err(error) => {
                process.signal(Signal::KILL);
                process.reap();
                Err(format!("it cannot be waited for: {error}"))
            }
        }
    }

    /// Asks the person on a thread of its own, so that other steps go on and the execution can still be stopped.
    fn ask(&self, start: Start) -> Result<(), String> {
        let ask = self.options.ask.clone().ok_or("nobody can be asked about a manual step")?;
        let step = self.plan.steps[start.step.at()].step.clone();
        let sender = self.sender.clone();
        let answer = move || {
            // The driver is gone only when the program ends.
            let _ = sender.send(Message::Answered(start.slot, ask(&step)));
        };
        std::thread::Builder::new().spawn(answer).map(drop).map_err(|error| error.to_string())
    }

    /// Waits until something ends, is due, or runs out of time.
    fn wait(&mut self) {
        let now = self.clock.elapsed();
        let due = self.dispatcher.next_due_ms().map(|due| self.began + Duration::from_millis(due));
        let timers = self.running.values().filter_map(|run| match &run.ending {
            None => run.limit.map(|(at, _)| at),
            Some(_) if run.leader_ended => Some(now + LINGER),
            Some(_) => run.kill_at,
        });
        let message = match timers.chain(due).min() {
            Some(at) => self.messages.recv_timeout(at.saturating_sub(now)),
            None => self.messages.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        match message {
            Ok(Message::Ended(slot)) => {
                if let Some(running) = self.running.get_mut(&slot) {
                    running.leader_ended = true;
                }
            }
            Ok(Message::Answered(slot, done)) => self.answered(slot, done),
            Ok(Message::Stop) | Err(_) => {}
        }
        self.enforce_limits();
        let gone: Vec<u32> = self.running.iter().filter(|(_, run)| run.is_gone()).map(|(&slot, _)| slot).collect();
        for slot in gone {
            self.reap(slot);
        }
    }

    fn reap(&mut self, slot: u32) {
        let Some(running) = self.running.remove(&slot) else { return };
        let Some(process) = running.process else { return };
        let (ending, usage) = process.reap();
        let ending = match running.ending {
            // What came to its good end although it was asked to stop has passed.
            Some(Ending::Cancelled) if ending.passed() => ending,
            Some(forced) => forced,
            None => ending,
        };
        self.ended(running.start, running.started, ending, usage);
    }

    fn answered(&mut self, slot: u32, done: bool) {
        let Some(running) = self.running.remove(&slot) else { return };
        self.ended(running.start, running.started, Ending::Exited { code: i32::from(!done) }, Usage::default());
    }

    fn ended(&mut self, start: Start, started: Duration, ending: Ending, usage: Usage) {
        let now = self.clock.elapsed();
        let verdict = verdict(&ending);
        self.cancelled |= verdict == Verdict::Cancelled;
        if verdict == Verdict::Passed {
            self.passed.push(start.step);
        }
        let step = self.plan.steps[start.step.at()].id().clone();
        let started_ms = self.since_began(started);
        let metrics = self.metrics(&step, start.attempt);
        (self.listen)(&Event::AttemptFinished {
            step: step.clone(),
            attempt: start.attempt,
            slot: start.slot,
            ready_ms: start.ready_ms,
            started_ms,
            duration_ms: now.saturating_sub(started).as_secs_f64() * 1e3,
            ending,
            usage,
            metrics,
        });
        let now_ms = self.since_began(now);
        if let Some(retry) = self.dispatcher.finish(start.step, verdict, now_ms, self.jitter()) {
            (self.listen)(&Event::RetryScheduled { step, attempt: retry.attempt, wait_ms: retry.wait_ms });
        }
    }

    /// Returns the numbers that an attempt wrote; what is no number is said once and changes nothing.
    fn metrics(&mut self, step: &StepId, attempt: u32) -> BTreeMap<String, f64> {
        if !self.logs {
            return BTreeMap::new();
        }
        let found = metrics::read(&metrics::path(&self.options.logs, step, &attempt.to_string()));
        if let Some(left_out) = found.left_out {
            (self.listen)(&Event::Warned { what: format!("metrics of `{step}`: {left_out}") });
        }
        found.values
    }

    fn enforce_limits(&mut self) {
        let now = self.clock.elapsed();
        for running in self.running.values_mut() {
            match (&running.ending, running.limit, running.kill_at) {
                (None, Some((at, limit_ms)), _) if at <= now && !running.leader_ended => {
                    running.end(Ending::TimedOut { limit_ms }, now + self.options.grace);
                }
                (Some(_), _, Some(at)) if at <= now => running.kill(),
                _ => {}
            }
        }
        // A manual step has no process that could end by itself.
        let over: Vec<u32> = self.running.iter().filter(|(_, run)| run.is_over()).map(|(&slot, _)| slot).collect();
        for slot in over {
            let Some(running) = self.running.remove(&slot) else { continue };
            self.ended(running.start, running.started, running.ending.unwrap_or(Ending::Cancelled), Usage::default());
        }
    }

    fn obey_stop(&mut self) {
        let pulls = self.stop.pulls();
        if pulls == self.pulls {
            return;
        }
        self.pulls = pulls;
        self.dispatcher.halt();
        let now = self.clock.elapsed();
        for running in self.running.values_mut() {
            if running.ending.is_none() {
                running.end(Ending::Cancelled, now + self.options.grace);
            }
            if pulls > 1 {
                running.kill();
            }
        }
        self.enforce_limits();
    }

    fn tell_skipped(&mut self) {
        for (step, reason) in self.dispatcher.take_skipped() {
            self.skipped(step, reason);
        }
    }

    fn skipped(&mut self, step: StepIndex, reason: String) {
        (self.listen)(&Event::StepSkipped { step: self.plan.steps[step.at()].id().clone(), reason });
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

impl Running {
    /// Asks the group to end, and sets when it is killed.
    fn end(&mut self, ending: Ending, kill_at: Duration) {
        self.ending = Some(ending);
        self.kill_at = Some(kill_at);
        if let Some(process) = &self.process {
            process.signal(Signal::TERM);
        }
    }

    fn kill(&mut self) {
        self.kill_at = None;
        if let Some(process) = &self.process {
            process.signal(Signal::KILL);
        }
    }

    /// Whether it can be reaped: its first process has ended, and where it was asked to end, the others too or their
    /// grace is over. A shell dies of SIGTERM at once; the programs it started may have something to tidy.
    fn is_gone(&self) -> bool {
        let has_grace = self.ending.is_some() && self.kill_at.is_some();
        self.leader_ended && !(has_grace && self.process.as_ref().is_some_and(Process::group_lives))
    }

    fn is_over(&self) -> bool {
        self.process.is_none() && self.ending.is_some()
    }
}

fn verdict(ending: &Ending) -> Verdict {
    match ending {
        Ending::Exited { code: 0 } => Verdict::Passed,
        Ending::Exited { code } => Verdict::Exited(*code),
        Ending::Signaled { .. } => Verdict::Signaled,
        Ending::TimedOut { .. } => Verdict::TimedOut,
        Ending::Cancelled => Verdict::Cancelled,
        Ending::NotStarted { .. } => Verdict::NotStarted,
    }
}
