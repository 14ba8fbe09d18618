//! What is kept of the histories seen so far: one bounded summary a series, so that histories can be folded in.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::flaky::Trials;
use super::timeline::{self, Role, Timeline};
use super::window::{Moment, Window};
use crate::record::{Digest, Outcome};
use crate::scan::{History, Name};

/// Everything kept of the histories learnt from; its size hangs on the number of series, not of records.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// By project and workflow.
    pub(crate) workflows: BTreeMap<(String, String), WorkflowState>,
}

/// What is kept of one workflow of one project.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct WorkflowState {
    /// The repository's name, the first by alphabet where several clones were read.
    pub repository: String,
    pub passed: u64,
    pub failed: u64,
    /// First and last start, in milliseconds since 1970.
    pub seen: Option<(i64, i64)>,
    pub wall: Window,
    /// By step and machine class; `None` is over all of them.
    pub steps: BTreeMap<(String, Option<String>), Series>,
}

/// What is kept of one step on one machine class, or on all.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Series {
    pub passed: u64,
    pub failed: u64,
    pub first_attempts: u64,
    pub first_failed: u64,
    pub retries: u64,
    pub retries_passed: u64,
    pub longest: Option<f64>,
    pub trials: Trials,
    pub duration: Window,
    /// How long failed attempts took.
    pub failing: Window,
    pub memory: Window,
    pub cpu: Window,
    pub queue: Window,
    pub slack: Window,
    pub wall_share: Window,
    /// Passed executions it took part in, and in how many of them it lay on the critical path.
    pub timelines: u64,
    pub critical: u64,
}

/// Returns the project of a repository: its first commit, or its name where that is unknown.
pub fn project(history: &History, repository: u32) -> String {
    let facts = &history.repositories[repository as usize];
    facts.root.map_or_else(|| facts.name.clone(), |root| root.to_string())
}

impl State {
    /// Returns what is kept of one history, of its executions from one on.
    pub(crate) fn since(history: &History, first: usize) -> Self {
        Self::of(history, &timeline::rows(history), first..history.executions.len())
    }

    /// Returns what is kept of these executions; `rows` are those of each of the history's.
    pub(crate) fn of(history: &History, rows: &[Range<usize>], places: impl Iterator<Item = usize>) -> Self {
        let mut state = Self::default();
        let mut series: HashMap<(u32, Name, Name, Option<Name>), Series> = HashMap::new();
        for place in places {
            let (rows, executions) = (rows[place].clone(), &history.executions);
            let (repository, workflow) = (executions.repository[place], executions.workflow[place]);
            let whole = !history.is_partial(place);
            if whole {
                state.workflow(history, repository, workflow).see(history, place);
            }
            let passed = executions.outcome[place] == Outcome::Passed;
            let timeline = (whole && passed).then(|| Timeline::of(history, rows.clone()));
            let roles = timeline.as_ref().map(Timeline::roles).unwrap_or_default();
            let inputs: Vec<Digest> = rows.clone().map(|row| inputs(history, row)).collect();
            for machine in [None].into_iter().chain(executions.machine[place].map(Some)) {
                let mut failed = BTreeSet::new();
                for row in rows.clone() {
                    // An execution that goes on with another may begin with a later attempt.
                    let retried = failed.contains(&history.attempts.step[row]);
                    if history.attempts.outcome[row] == Outcome::Failed {
                        failed.insert(history.attempts.step[row]);
                    }
                    let key = (repository, workflow, history.attempts.step[row], machine);
                    series.entry(key).or_default().see_attempt(history, row, retried, inputs[row - rows.start]);
                }
                for (step, role) in &roles {
                    let key = (repository, workflow, *step, machine);
                    let wall_ms = timeline.as_ref().map_or(0.0, |timeline| timeline.wall_ms);
                    series.entry(key).or_default().see_role(execution_moment(history, place), *role, wall_ms);
                }
            }
        }
        for ((repository, workflow, step, machine), series) in series {
            let text = |name| history.names.text(name).to_owned();
            let steps = &mut state.workflow(history, repository, workflow).steps;
            steps.entry((text(step), machine.map(text))).or_default().merge(series);
        }
        state.workflows.values_mut().for_each(|workflow| workflow.wall.trim());
        state
    }

    /// Returns what is kept of both.
    pub(crate) fn merge(mut self, other: Self) -> Self {
        if self.workflows.is_empty() {
            return other;
        }
        for (key, theirs) in other.workflows {
            let own = self.workflows.entry(key).or_default();
            if own.repository.is_empty() || theirs.repository < own.repository {
                own.repository.clone_from(&theirs.repository);
            }
            own.passed += theirs.passed;
            own.failed += theirs.failed;
            own.seen = both(own.seen, theirs.seen);
            own.wall.merge(theirs.wall);
            for (key, series) in theirs.steps {
                own.steps.entry(key).or_default().merge(series);
            }
        }
        self
    }

    fn workflow(&mut self, history: &History, repository: u32, workflow: Name) -> &mut WorkflowState {
        let name = &history.repositories[repository as usize].name;
        let key = (project(history, repository), history.names.text(workflow).to_owned());
        let state = self.workflows.entry(key).or_default();
        if state.repository.is_empty() || *name < state.repository {
            state.repository.clone_from(name);
        }
        state
    }
}

impl WorkflowState {
    fn see(&mut self, history: &History, place: usize) {
        let executions = &history.executions;
        match executions.outcome[place] {
            Outcome::Passed => {
                self.passed += 1;
                self.wall.add(execution_moment(history, place), executions.duration_ms[place]);
            }
            Outcome::Failed => self.failed += 1,
            Outcome::Cancelled => return,
        }
        let started = executions.started_ms[place];
        self.seen = both(self.seen, Some((started, started)));
    }
}

impl Series {
    fn see_attempt(&mut self, history: &History, row: usize, retried: bool, inputs: Digest) {
        let attempts = &history.attempts;
        let outcome = attempts.outcome[row];
        if outcome == Outcome::Cancelled {
            return;
        }
        self.see_end(history, row, retried);
        let moment = attempt_moment(history, row);
        if attempts.attempt[row] == 1 {
            self.queue.add(moment, (attempts.started_ms[row] - attempts.ready_ms[row]).max(0.0));
        }
        self.trials.add(moment, inputs, outcome == Outcome::Failed);
        self.cpu.add(moment, attempts.cpu_ms[row]);
        if outcome == Outcome::Failed {
            self.failing.add(moment, attempts.duration_ms[row]);
        }
    }

    /// Learns what plans ask for: how an attempt ended, how long it took and how much memory.
    pub(crate) fn see_end(&mut self, history: &History, row: usize, retried: bool) {
        let attempts = &history.attempts;
        let outcome = attempts.outcome[row];
        if outcome == Outcome::Cancelled {
            return;
        }
        let passed = u64::from(outcome == Outcome::Passed);
        self.passed += passed;
        self.failed += 1 - passed;
        if retried {
            self.retries += 1;
            self.retries_passed += passed;
        } else {
            self.first_attempts += 1;
            self.first_failed += 1 - passed;
        }
        let moment = attempt_moment(history, row);
        self.memory.add(moment, attempts.peak_memory_bytes[row]);
        if outcome == Outcome::Passed {
            self.see_passed(moment, attempts.duration_ms[row]);
        }
    }

    /// Sorts by time what [`Series::see_end`] learnt, and drops what is too old.
    pub(crate) fn trim(&mut self) {
        self.memory.trim();
        self.duration.trim();
    }

    /// Learns how long a passed attempt took, in milliseconds; what is unknown or no duration teaches nothing.
    pub(crate) fn see_passed(&mut self, moment: Moment, duration: f64) {
        if duration.is_finite() && duration >= 0.0 {
            self.duration.add(moment, duration);
            self.longest = Some(self.longest.map_or(duration, |longest| longest.max(duration)));
        }
    }

    fn see_role(&mut self, moment: Moment, role: Role, wall_ms: f64) {
        self.timelines += 1;
        self.critical += u64::from(role.critical);
        self.slack.add(moment, role.slack_ms);
        self.wall_share.add(moment, role.held_ms / wall_ms);
    }

    fn merge(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.first_attempts += other.first_attempts;
        self.first_failed += other.first_failed;
        self.retries += other.retries;
        self.retries_passed += other.retries_passed;
        self.longest = match (self.longest, other.longest) {
            (Some(one), Some(two)) => Some(one.max(two)),
            (one, two) => one.or(two),
        };
        self.trials.merge(other.trials);
        self.duration.merge(other.duration);
        self.failing.merge(other.failing);
        self.memory.merge(other.memory);
        self.cpu.merge(other.cpu);
        self.queue.merge(other.queue);
        self.slack.merge(other.slack);
        self.wall_share.merge(other.wall_share);
        self.timelines += other.timelines;
        self.critical += other.critical;
    }
}

/// Returns what orders an attempt among others.
pub(crate) fn attempt_moment(history: &History, row: usize) -> Moment {
    let attempts = &history.attempts;
    let (started, id, _) = execution_moment(history, attempts.execution[row] as usize);
    #[expect(clippy::cast_possible_truncation, reason = "a cast of a float saturates")]
    (started.saturating_add(attempts.started_ms[row] as i64), id, attempts.attempt[row])
}

/// Returns what an attempt ran on: its tree (its execution alone where that is unknown), command, what it was given besides
/// these, and machine class.
pub(crate) fn inputs(history: &History, row: usize) -> Digest {
    let (attempts, executions) = (&history.attempts, &history.executions);
    let place = attempts.execution[row] as usize;
    let mut bytes = match executions.tree[place] {
        Some(tree) => tree.bytes().to_vec(),
        None => executions.id[place].bytes().to_vec(),
    };
    bytes.extend([attempts.command[row], attempts.given[row]].iter().flatten().flat_map(|hash| *hash.bytes()));
    bytes.extend(executions.machine[place].iter().flat_map(|machine| history.names.text(*machine).bytes()));
    Digest::of(&bytes)
}

fn execution_moment(history: &History, place: usize) -> Moment {
    (history.executions.started_ms[place], history.executions.id[place], 0)
}

fn both(one: Option<(i64, i64)>, two: Option<(i64, i64)>) -> Option<(i64, i64)> {
    match (one, two) {
        (Some(one), Some(two)) => Some((one.0.min(two.0), one.1.max(two.1))),
        (one, two) => one.or(two),
    }
}
