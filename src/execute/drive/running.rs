//! An attempt while it runs, as the first thread sees it: its time limit, and how it is ended.

use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Duration;

use rustix::process::Signal;

use super::held::Held;
use crate::execute::cgroup::Leaf;
use crate::execute::event::Ending;
use crate::execute::process::Process;
use crate::plan::{PlannedStep, Start};

/// One running attempt.
#[derive(Default)]
pub(super) struct Running {
    start: Option<Start>,
    /// When it has to be told to end, and its limit in milliseconds.
    limit: Option<(Duration, u64)>,
    /// Absent before it has started, once it is being reaped, and for a manual step.
    process: Option<Process>,
    /// Where the person's answer about a manual step goes; `None` says that nobody waits for it any more.
    answer: Option<Sender<Option<bool>>>,
    /// When it is told that it takes long.
    warn_at: Option<Duration>,
    /// Why it is being ended; killed once the grace is over.
    ending: Option<Ending>,
    kill_at: Option<Duration>,
    /// Whether its first process has ended.
    pub leader_ended: bool,
    /// What is known of its memory and processes.
    pub held: Held,
    /// Its control group, where it runs in one.
    leaf: Option<Arc<Leaf>>,
}

impl Running {
    /// Returns an attempt of a step that is about to start.
    pub(super) fn new(start: Start, started: Duration, planned: &PlannedStep) -> Self {
        let after = |ms: u64| started.saturating_add(Duration::from_millis(ms));
        let limit = planned.timeout.map(|limit| (after(limit.limit_ms), limit.limit_ms));
        let held = Held::new(started, &planned.step.resources);
        Self { start: Some(start), limit, warn_at: planned.warn_ms.map(after), held, ..Self::default() }
    }

    /// Returns what runs where it has just become worth a word how long.
    pub(super) fn warning(&mut self, now: Duration) -> Option<Start> {
        if self.warn_at? > now || self.ending.is_some() || self.leader_ended {
            return None;
        }
        self.warn_at = None;
        self.start
    }

    /// Returns when it has to be looked at.
    pub(super) fn alarm(&self) -> Option<Duration> {
        match self.ending {
            None if self.leader_ended => None,
            None => {
                let limit = self.limit.map(|(at, _)| at);
                [self.warn_at, limit].into_iter().flatten().chain([self.held.next]).min()
            }
            Some(_) => self.kill_at,
        }
    }

    /// Takes the process that was started for it, and the control group it runs in; it may have to end already.
    pub(super) fn attach(&mut self, process: Process, leaf: Option<Arc<Leaf>>) {
        self.process = Some(process);
        if let Some(leaf) = &leaf {
            self.held.by(leaf);
        }
        self.leaf = leaf;
        match (&self.ending, self.kill_at) {
            (Some(_), Some(_)) => process.signal(Signal::TERM),
            (Some(_), None) => process.signal(Signal::KILL),
            (None, _) => {}
        }
    }

    /// Returns its process, as long as something may be sent to it.
    pub(super) fn process(&self) -> Option<Process> {
        self.process
    }

    /// Takes where the answer goes; it may not be waited for already.
    pub(super) fn await_answer(&mut self, answer: Sender<Option<bool>>) {
        if self.ending.is_some() {
            withdraw(&answer);
        }
        self.answer = Some(answer);
    }

    /// Returns its control group, where it runs in one.
    pub(super) fn leaf(&self) -> Option<Arc<Leaf>> {
        self.leaf.clone()
    }

    /// Lets go of the process, which is about to be reaped: nothing may be sent to its id from now on. Returns why it
    /// was ended, if it was.
    pub(super) fn detach(&mut self) -> Option<Ending> {
        self.process = None;
        self.ending.clone()
    }

    /// Ends it where its time is over, and kills it where its grace is.
    pub(super) fn enforce(&mut self, now: Duration, grace: Duration) {
        match (&self.ending, self.limit, self.kill_at) {
            (None, Some((at, limit_ms)), _) if at <= now && !self.leader_ended => {
                self.end(Ending::TimedOut { limit_ms }, now + grace);
            }
            (Some(_), _, Some(at)) if at <= now => self.kill(),
            _ => {}
        }
    }

    /// Asks the group to end, unless it was asked before, and sets when it is killed. Returns whether it was asked now.
    pub(super) fn end(&mut self, ending: Ending, kill_at: Duration) -> bool {
        if self.ending.is_some() {
            return false;
        }
        self.ending = Some(ending);
        self.kill_at = Some(kill_at);
        self.signal(Signal::TERM);
        if let Some(answer) = &self.answer {
            withdraw(answer);
        }
        true
    }

    pub(super) fn kill(&mut self) {
        self.kill_at = None;
        self.signal(Signal::KILL);
        if let (Some(leaf), Some(_)) = (&self.leaf, self.process) {
            // What left its group too.
            leaf.kill();
        }
    }

    /// Whether what is left of its group still may end by itself. A shell dies of SIGTERM at once; the programs it
    /// started may have something to tidy.
    pub(super) fn has_grace(&self) -> bool {
        self.ending.is_some() && self.kill_at.is_some()
    }

    fn signal(&self, signal: Signal) {
        if let Some(process) = self.process {
            process.signal(signal);
        }
    }
}

/// Says that an answer is not waited for.
fn withdraw(answer: &Sender<Option<bool>>) {
    // It may have come meanwhile.
    let _ = answer.send(None);
}
