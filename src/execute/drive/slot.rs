//! What the thread of a slot does: starts a process, waits for its end, says so, and takes the next step itself, so
//! that nothing has to be woken between one step and the next.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::PoisonError;
use std::sync::mpsc;
use std::thread::Scope;
use std::time::Duration;

use rustix::process::Signal;

use super::{Drive, End, Running, State, confine};
use crate::execute::cgroup::{Gate, Leaf};
use crate::execute::event::{BUG, Ending, Event, Usage};
use crate::execute::launch::GIVEN;
use crate::execute::log;
use crate::execute::metrics;
use crate::execute::outlet::Outlet;
use crate::execute::process::{Account, Process};
use crate::execute::spawn::Place;
use crate::plan::{Start, StepIndex};
use crate::redact::cause::Fingerprint;

/// How often a group that is being stopped is looked at once its first process has ended.
const LINGER: Duration = Duration::from_millis(20);

/// How much of the end of an output a failure is recognised by, in bytes.
const RECOGNISED: u64 = 64 << 10;

/// The way out for the processes of one slot: where they start, and where what they say goes.
pub(super) struct Exit {
    /// Without one nothing can be started, for this reason.
    place: Result<Place, String>,
    pub outlet: Option<Arc<Outlet>>,
}

/// When an attempt began, and on what.
struct Begun {
    at: Duration,
    inputs: Option<[u8; 12]>,
}

impl Drive<'_> {
    /// Runs one attempt after the other until there will be none any more.
    pub(super) fn work<'scope>(&'scope self, scope: &'scope Scope<'scope, '_>) {
        let exit = self.exit();
        let mut told = false;
        let mut state = self.state();
        loop {
            let Some(start) = state.starts.pop_front() else {
                if state.over {
                    return;
                }
                if !told {
                    // What would have been told before the next process starts.
                    drop(state);
                    self.tell();
                    state = self.state();
                    told = true;
                    continue;
                }
                state.idle += 1;
                state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
                state.idle -= 1;
                continue;
            };
            let started = self.begin(&mut state, start);
            drop(state);
            let mut begun = Begun { at: started, inputs: None };
            let attempted = catch_unwind(AssertUnwindSafe(|| {
                self.read_inputs(start, &mut begun);
                self.attempt(start, &exit)
            }));
            let end = End { inputs: begun.inputs, ..attempted.unwrap_or_else(|_| self.broken(start)) };
            state = self.state();
            state.running.remove(&start.slot);
            self.ended(&mut state, start, begun.at, end);
            self.fill(&mut state);
            self.staff(&mut state, scope, 1);
            if state.running.is_empty() && state.starts.is_empty() {
                self.look();
            }
            told = false;
        }
    }

    /// Enters an attempt into the books; returns when it started.
    fn begin(&self, state: &mut State, start: Start) -> Duration {
        let planned = &self.plan.steps[start.step.at()];
        let started = self.clock.elapsed();
        state.events.push(Event::AttemptStarted {
            step: planned.id().clone(),
            attempt: start.attempt,
            slot: start.slot,
            ready_ms: start.ready_ms,
            started_ms: self.since_began(started),
        });
        let running = Running::new(start, started, planned);
        if running.alarm().is_some_and(|at| state.alarm.is_none_or(|alarm| at < alarm)) {
            self.look();
        }
        state.running.insert(start.slot, running);
        started
    }

    /// Takes the hash of what a step declares to read, as it is before it starts; the time that takes is none of its own.
    fn read_inputs(&self, start: Start, begun: &mut Begun) {
        let step = &self.plan.steps[start.step.at()].step;
        let Some(inputs) = self.options.inputs.as_ref().filter(|_| !step.inputs.is_empty()) else { return };
        begun.inputs = inputs(step);
        begun.at = self.clock.elapsed();
    }

    /// Runs an attempt to its end.
    fn attempt(&self, start: Start, exit: &Exit) -> End {
        let Some(command) = &self.plan.steps[start.step.at()].step.run else {
            return self.ask(start).into();
        };
        // What ended and what starts is in the journal before the process is there: an execution that is killed knows
        // what it began.
        self.keep();
        let step = &self.plan.steps[start.step.at()].step;
        let leaf = self.options.groups.as_ref().and_then(|groups| groups.leaf(&step.resources)).map(Arc::new);
        let gate = leaf.as_deref().map(Leaf::gate);
        let process = match self.launch(start.step, &start.attempt.to_string(), command, (exit, gate)) {
            Ok(process) => process,
            Err(reason) => return Ending::NotStarted { reason }.into(),
        };
        let leaf = leaf.filter(|leaf| leaf.is_entered());
        if let Some(running) = self.state().running.get_mut(&start.slot) {
            running.attach(process, leaf.clone());
        }
        // While it runs there is time.
        let account = Account::of(process.id());
        self.show();
        process.wait(&|signal| self.barred(start, signal));
        let (ending, mut usage) = self.reap(start.slot, process, &account);
        if let Some(leaf) = &leaf {
            leaf.kill();
        }
        let alone = self.state().running.len() == 1;
        self.leash.end(&step.id, start.attempt, alone, self.clock);
        if let Some(outlet) = &exit.outlet {
            // Not before: what it left behind may have written until then, and the next attempt has the same pipe.
            outlet.finish(&|error| self.lose(error));
        }
        let ending = confine::explained(ending, &step.resources, leaf.as_deref(), &mut usage);
        let error = self.recognised(start, &ending);
        let mut metrics = self.metrics(start);
        self.own_metrics(step, &ending, leaf.is_some(), &mut metrics);
        End { ending, usage, error, metrics, inputs: None }
    }

    /// Ends an attempt that the system has stopped because it wants the terminal, which steps do not have.
    fn barred(&self, start: Start, signal: i32) {
        let kill_at = self.clock.elapsed().saturating_add(self.options.grace);
        let mut state = self.state();
        let running = state.running.get_mut(&start.slot);
        if running.is_some_and(|running| running.end(Ending::Signaled { signal }, kill_at)) {
            let step = self.plan.steps[start.step.at()].id();
            let what = format!("`{step}` is ended: it asks something on the terminal, which steps do not have");
            state.events.push(Event::Warned { what });
            self.look();
        }
    }

    /// Ends an attempt in whose midst this thread panicked: nothing may wait for it for ever.
    fn broken(&self, start: Start) -> End {
        let process = self.state().running.get_mut(&start.slot).and_then(|running| {
            let process = running.process();
            running.detach();
            process
        });
        if let Some(process) = process {
            process.signal(Signal::KILL);
            process.wait(&|_| {});
            // How it ended says nothing any more.
            let _ = process.reap(&Account::of(process.id()));
        }
        Ending::NotStarted { reason: BUG.to_owned() }.into()
    }

    /// Returns what a failure is recognised by.
    fn recognised(&self, start: Start, ending: &Ending) -> Option<Fingerprint> {
        let recognise = self.options.recognise.as_ref()?;
        if ending.passed() || *ending == Ending::Cancelled {
            return None;
        }
        self.state().dispatcher.failing(start.step);
        let step = &self.plan.steps[start.step.at()].step;
        recognise(step, ending, &log::tail(&self.options.logs, &step.id, start.attempt, RECOGNISED))
    }

    /// Returns the numbers that an attempt wrote; what is no number is said once and changes nothing.
    fn metrics(&self, start: Start) -> BTreeMap<String, f64> {
        let step = self.plan.steps[start.step.at()].id();
        let found = metrics::read(&metrics::path(&self.options.logs, step, &start.attempt.to_string()));
        if let Some(left_out) = found.left_out {
            self.state().events.push(Event::Warned { what: format!("metrics of `{step}`: {left_out}") });
        }
        found.values
    }

    /// Starts a command of a step; `attempt` is its number, or `undo`.
    pub(super) fn launch(
        &self,
        step: StepIndex,
        attempt: &str,
        command: &str,
        (exit, gate): (&Exit, Option<&Gate>),
    ) -> Result<Process, String> {
        let step = &self.plan.steps[step.at()].step;
        let launcher = self.launcher.as_ref().map_err(Clone::clone)?;
        let place = exit.place.as_ref().map_err(Clone::clone)?;
        let mut env: Vec<(&str, &OsStr)> =
            step.env.iter().map(|(name, value)| (name.as_str(), value.as_ref())).collect();
        let metrics = metrics::path(&self.options.logs, &step.id, attempt);
        let given = [self.options.execution.as_ref(), step.id.as_str().as_ref(), attempt.as_ref(), metrics.as_os_str()];
        env.extend(GIVEN.into_iter().zip(given));
        if let (Some(outlets), Some(outlet)) = (&self.outlets, &exit.outlet) {
            outlet.begin(outlets, &step.id, attempt);
        }
        let front = self.front(step, &metrics)?;
        let first_word = || command.split_whitespace().next().unwrap_or_default().escape_debug();
        launcher
            .launch(command, &front, &env, (place, gate))
            .map(|process| process.sandboxed(self.sandboxed(step) == Some(true)))
            .map_err(|error| format!("`{}` cannot be started: {error}", first_word()))
    }

    /// Ends what is left of an attempt whose first process has ended; returns how that ended and what it used.
    fn reap(&self, slot: u32, process: Process, account: &Account) -> (Ending, Usage) {
        let has_grace = |state: &mut State| {
            state.running.get_mut(&slot).is_some_and(|running| {
                running.leader_ended = true;
                running.has_grace()
            })
        };
        while has_grace(&mut self.state()) && process.group_lives() {
            std::thread::sleep(LINGER);
        }
        let (forced, peak) = {
            let mut state = self.state();
            let running = state.running.get_mut(&slot);
            running.map_or((None, 0), |running| (running.detach(), running.held.peak))
        };
        let (ending, mut usage) = process.reap(account);
        usage.peak_memory_bytes = usage.peak_memory_bytes.max(Some(peak).filter(|peak| *peak > 0));
        let ending = match forced {
            // What came to its good end although it was asked to stop has passed.
            Some(Ending::Cancelled) if ending.passed() => ending,
            Some(forced) => forced,
            None => ending,
        };
        (ending, usage)
    }

    /// Asks the person about a manual step, on a thread that nobody has to wait for when the execution is stopped.
    fn ask(&self, start: Start) -> Ending {
        let Some(ask) = self.options.ask.clone() else {
            return Ending::NotStarted { reason: "nobody can be asked about a manual step".to_owned() };
        };
        let (sender, answers) = mpsc::channel();
        let step = self.plan.steps[start.step.at()].step.clone();
        if let Some(running) = self.state().running.get_mut(&start.slot) {
            running.await_answer(sender.clone());
        }
        self.tell();
        let answer = move || {
            // Nobody waits for it where the execution was stopped.
            let _ = sender.send(Some(ask(&step)));
        };
        if let Err(error) = std::thread::Builder::new().spawn(answer) {
            return Ending::NotStarted { reason: error.to_string() };
        }
        if let Ok(Some(done)) = answers.recv() {
            return Ending::Exited { code: i32::from(!done) };
        }
        self.state().running.get_mut(&start.slot).and_then(Running::detach).unwrap_or(Ending::Cancelled)
    }

    /// Prepares to start the processes of one slot; without an outlet what they say is lost.
    pub(super) fn exit(&self) -> Exit {
        let outlet = self.outlets.as_ref().and_then(|all| all.add().inspect_err(|error| self.lose(error)).ok());
        let output = outlet.as_deref().map(Outlet::writer);
        let place = self.launcher.as_ref().map_err(Clone::clone);
        let place = place.and_then(|launcher| launcher.place(output).map_err(|error| error.to_string()));
        Exit { place, outlet }
    }
}
