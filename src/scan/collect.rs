//! Builds a [`History`] from records in any order: each record once, columns sorted at the end.

use std::collections::{HashMap, HashSet};

use super::{History, Name, RepositoryFacts};
use crate::record::{ExecutionId, Record, RecordId};

/// Takes records from many repositories and gives one history.
#[derive(Debug, Default)]
pub struct Collector {
    history: History,
    seen: HashSet<RecordId>,
    places: HashMap<ExecutionId, u32>,
    needs: HashMap<Vec<Name>, u32>,
}

impl Collector {
    /// Returns the index under which a repository's records are added.
    pub fn repository(&mut self, name: &str) -> u32 {
        let facts = RepositoryFacts { name: name.to_owned(), root: None, records: 0, warnings: Vec::new() };
        self.history.repositories.push(facts);
        index(self.history.repositories.len() - 1)
    }

    /// Returns the facts of a repository, to be completed.
    pub fn facts(&mut self, repository: u32) -> &mut RepositoryFacts {
        &mut self.history.repositories[repository as usize]
    }

    /// Adds one record of `repository`; returns whether it was new.
    pub fn add(&mut self, repository: u32, record: &Record) -> bool {
        if !self.seen.insert(record.id()) {
            return false;
        }
        let execution = self.place(repository, record);
        let names = &mut self.history.names;
        let attempt = &record.attempt;
        let needs: Vec<Name> = attempt.needs.iter().map(|need| names.intern(need)).collect();
        let to = &mut self.history.attempts;
        let lists = &mut to.needs_lists;
        let list = *self.needs.entry(needs).or_insert_with_key(|needs| {
            lists.push(needs.clone());
            index(lists.len() - 1)
        });
        to.execution.push(execution);
        to.step.push(names.intern(&attempt.step));
        to.attempt.push(attempt.attempt);
        to.ready_ms.push(number(attempt.ready_ms));
        to.started_ms.push(whole(attempt.started_ms));
        to.duration_ms.push(attempt.duration_ms.unwrap_or(f64::NAN));
        to.outcome.push(attempt.outcome);
        to.timed_out.push(attempt.timed_out);
        to.cpu_ms.push(number(attempt.user_ms) + number(attempt.system_ms));
        to.peak_memory_bytes.push(number(attempt.peak_memory_bytes));
        to.inputs_bytes.push(number(attempt.inputs_bytes));
        to.predicted_p10_ms.push(attempt.predicted.map_or(f64::NAN, |predicted| predicted.p10_ms));
        to.predicted_p50_ms.push(attempt.predicted.map_or(f64::NAN, |predicted| predicted.p50_ms));
        to.predicted_p90_ms.push(attempt.predicted.map_or(f64::NAN, |predicted| predicted.p90_ms));
        to.slot.push(attempt.slot);
        to.command.push(attempt.command);
        to.needs.push(list);
        to.metrics.push(attempt.metrics.iter().map(|(metric, value)| (names.intern(metric), *value)).collect());
        self.history.repositories[repository as usize].records += 1;
        true
    }

    /// Returns the execution's row, made on its first record.
    fn place(&mut self, repository: u32, record: &Record) -> u32 {
        let execution = &record.execution;
        if let Some(place) = self.places.get(&execution.id) {
            return *place;
        }
        let names = &mut self.history.names;
        let to = &mut self.history.executions;
        to.id.push(execution.id);
        to.repository.push(repository);
        to.workflow.push(names.intern(&execution.workflow));
        to.started_ms.push(execution.started_at.as_millisecond());
        to.duration_ms.push(execution.duration_ms.unwrap_or(f64::NAN));
        to.outcome.push(execution.outcome);
        to.trigger.push(names.intern(&execution.trigger));
        to.machine.push(execution.machine.as_deref().map(|machine| names.intern(machine)));
        to.slots.push(execution.slots.unwrap_or(0));
        to.commit.push(execution.source.commit);
        to.tree.push(execution.source.tree);
        to.patch.push(execution.source.patch);
        to.range_patch.push(execution.source.range_patch);
        to.dirty.push(execution.source.dirty);
        to.branch.push(execution.source.branch.as_deref().map(|branch| names.intern(branch)));
        let place = index(to.len() - 1);
        self.places.insert(execution.id, place);
        place
    }

    /// Returns the history, sorted.
    pub fn finish(self) -> History {
        let mut history = self.history;
        let executions = &history.executions;
        let order = sorted(executions.len(), |place| (executions.started_ms[place], executions.id[place]));
        let mut rank = vec![0_u32; order.len()];
        for (new, old) in order.iter().enumerate() {
            rank[*old] = index(new);
        }
        history.executions.permute(&order);
        let attempts = &mut history.attempts;
        for execution in &mut attempts.execution {
            *execution = rank[*execution as usize];
        }
        let attempts = &history.attempts;
        let names = &history.names;
        let order = sorted(attempts.len(), |place| {
            let started = attempts.started_ms[place].to_bits();
            (attempts.execution[place], started, names.text(attempts.step[place]), attempts.attempt[place])
        });
        history.attempts.permute(&order);
        history
    }
}

impl History {
    /// Returns the history of records that lie in one repository called `name`.
    pub fn from_records<'a>(name: &str, records: impl IntoIterator<Item = &'a Record>) -> Self {
        let mut collector = Collector::default();
        let repository = collector.repository(name);
        for record in records {
            collector.add(repository, record);
        }
        collector.finish()
    }
}

impl super::Executions {
    fn permute(&mut self, order: &[usize]) {
        pick(&mut self.id, order);
        pick(&mut self.repository, order);
        pick(&mut self.workflow, order);
        pick(&mut self.started_ms, order);
        pick(&mut self.duration_ms, order);
        pick(&mut self.outcome, order);
        pick(&mut self.trigger, order);
        pick(&mut self.machine, order);
        pick(&mut self.slots, order);
        pick(&mut self.commit, order);
        pick(&mut self.tree, order);
        pick(&mut self.patch, order);
        pick(&mut self.range_patch, order);
        pick(&mut self.dirty, order);
        pick(&mut self.branch, order);
    }
}

impl super::Attempts {
    fn permute(&mut self, order: &[usize]) {
        pick(&mut self.execution, order);
        pick(&mut self.step, order);
        pick(&mut self.attempt, order);
        pick(&mut self.ready_ms, order);
        pick(&mut self.started_ms, order);
        pick(&mut self.duration_ms, order);
        pick(&mut self.outcome, order);
        pick(&mut self.timed_out, order);
        pick(&mut self.cpu_ms, order);
        pick(&mut self.peak_memory_bytes, order);
        pick(&mut self.inputs_bytes, order);
        pick(&mut self.predicted_p10_ms, order);
        pick(&mut self.predicted_p50_ms, order);
        pick(&mut self.predicted_p90_ms, order);
        pick(&mut self.slot, order);
        pick(&mut self.command, order);
        pick(&mut self.needs, order);
        pick(&mut self.metrics, order);
    }
}

fn pick<T: Clone>(column: &mut Vec<T>, order: &[usize]) {
    *column = order.iter().map(|place| column[*place].clone()).collect();
}

fn sorted<K: Ord>(len: usize, key: impl Fn(usize) -> K) -> Vec<usize> {
    let mut order: Vec<usize> = (0..len).collect();
    order.sort_by_key(|place| key(*place));
    order
}

pub(super) fn index(place: usize) -> u32 {
    u32::try_from(place).expect("fewer than 2^32 rows")
}

fn number(value: Option<u64>) -> f64 {
    value.map_or(f64::NAN, whole)
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds and bytes stay far below 2^53")]
fn whole(value: u64) -> f64 {
    value as f64
}
