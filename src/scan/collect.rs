//! Builds a [`History`] from records in any order: each record once, columns sorted at the end.

use std::collections::{HashMap, HashSet};

use super::History;
use super::history::{Name, RepositoryFacts};
use crate::record::columns::{Lists, place};
use crate::record::{Columns, ExecutionId, Record};

/// Takes records from many places and gives them once each.
#[derive(Debug, Default)]
pub struct Collector {
    repositories: Vec<RepositoryFacts>,
    columns: Columns,
    places: HashMap<ExecutionId, u32>,
    lists: Lists,
    /// Every record, once two places hold records of one execution.
    seen: Option<HashSet<(u32, Name, u32)>>,
    /// Of how many places the columns are, and how many there are in all.
    taken: (usize, usize),
}

impl Collector {
    /// Returns the index under which a repository's records are added.
    pub fn repository(&mut self, name: &str) -> u32 {
        let facts = RepositoryFacts { name: name.to_owned(), root: None, records: 0, warnings: Vec::new() };
        self.repositories.push(facts);
        place(self.repositories.len() - 1)
    }

    /// Says that what is added next comes from some more of so many places: then columns grow to what they will need, and
    /// not to twice of what they have.
    pub fn expect(&mut self, more: usize, all: usize) {
        self.taken = (self.taken.0 + more, all);
    }

    /// Returns how many rows there will be where those so far are of the places taken.
    fn expected(&self, rows: usize) -> usize {
        let (taken, all) = self.taken;
        // A little more: the rest may have longer executions.
        rows.saturating_mul(all.max(taken)) / taken.max(1) / 32 * 33
    }

    /// Returns the facts of a repository, to be completed.
    pub fn facts(&mut self, repository: u32) -> &mut RepositoryFacts {
        &mut self.repositories[repository as usize]
    }

    /// Adds one record of `repository`; returns whether it was new.
    pub fn add(&mut self, repository: u32, record: &Record) -> bool {
        self.add_all(repository, Columns::of([record])) == 1
    }

    /// Adds records of `repository`; returns how many were new.
    pub fn add_all(&mut self, repository: u32, columns: Columns) -> usize {
        let before = self.columns.attempts.len();
        let new = !columns.executions.id.iter().any(|id| self.places.contains_key(id)) && !columns.has_doubles();
        if new && self.columns.names.is_empty() {
            self.begin(repository, columns);
        } else {
            self.append(repository, &columns, new);
        }
        let added = self.columns.attempts.len() - before;
        if let Some(facts) = self.repositories.get_mut(repository as usize) {
            facts.records += added;
        }
        added
    }

    /// Takes the first columns as they are.
    fn begin(&mut self, repository: u32, mut columns: Columns) {
        columns.executions.repository.fill(repository);
        self.places = places(&columns);
        self.lists = Lists::of(&columns.attempts.needs_lists);
        self.columns = columns;
    }

    /// Adds columns to those that there are; where they are not all new, those that are.
    fn append(&mut self, repository: u32, from: &Columns, new: bool) {
        let names: Vec<Name> = from.names.texts().map(|text| self.columns.names.intern(text)).collect();
        let (executions, attempts) = (from.executions.len(), from.attempts.len());
        let expected = |rows: usize| self.expected(rows);
        let (most, all) =
            (expected(self.columns.executions.len() + executions), expected(self.columns.attempts.len() + attempts));
        let to = &mut self.columns;
        to.executions.make_room(executions, most);
        to.attempts.make_room(attempts, all);
        let known = to.executions.len();
        let mut lists = Vec::new();
        for list in &from.attempts.needs_lists {
            let list: Vec<Name> = list.iter().map(|name| names[name.0 as usize]).collect();
            lists.push(self.lists.place(&list, &mut to.attempts.needs_lists));
        }
        let executions: Vec<u32> = if new {
            let first = to.executions.len();
            to.executions.append(&from.executions, 0..from.executions.len(), &names);
            let all = first..to.executions.len();
            self.places.extend(all.clone().map(|at| (to.executions.id[at], place(at))));
            all.map(place).collect()
        } else {
            let mut add = |at: usize, id: &ExecutionId| {
                *self.places.entry(*id).or_insert_with(|| {
                    to.executions.append(&from.executions, at..at + 1, &names);
                    place(to.executions.len() - 1)
                })
            };
            from.executions.id.iter().enumerate().map(|(at, id)| add(at, id)).collect()
        };
        to.executions.repository[known..].fill(repository);
        let rows = to.attempts.len();
        if new && self.seen.is_none() {
            to.attempts.append(&from.attempts, 0..from.attempts.len(), &names);
        } else {
            let seen = self.seen.get_or_insert_with(|| (0..rows).map(|row| to.key(row)).collect());
            let key = |(execution, step, attempt): (u32, Name, u32)| {
                (executions[execution as usize], names[step.0 as usize], attempt)
            };
            for row in (0..from.attempts.len()).filter(|row| seen.insert(key(from.key(*row)))) {
                to.attempts.append(&from.attempts, row..row + 1, &names);
            }
        }
        for row in rows..to.attempts.len() {
            let execution = &mut to.attempts.execution[row];
            *execution = executions[*execution as usize];
            to.attempts.needs[row] = lists[to.attempts.needs[row] as usize];
        }
    }

    /// Returns the columns, sorted.
    pub fn sorted(&mut self) -> &mut Columns {
        if sort(&mut self.columns) {
            self.places = places(&self.columns);
            self.seen = None;
        }
        &mut self.columns
    }

    /// Returns the columns as they came.
    pub fn into_columns(self) -> Columns {
        self.columns
    }

    /// Returns the history, sorted.
    pub fn finish(self) -> History {
        let Self { repositories, mut columns, .. } = self;
        sort(&mut columns);
        let Columns { names, executions, attempts } = columns;
        History { repositories, names, executions, attempts, changes: Vec::new() }
    }
}

impl History {
    /// Returns the history of records that lie in one repository called `name`.
    pub fn from_records<'a>(name: &str, records: impl IntoIterator<Item = &'a Record>) -> Self {
        let mut collector = Collector::default();
        let repository = collector.repository(name);
        collector.add_all(repository, Columns::of(records));
        collector.finish()
    }
}

fn places(columns: &Columns) -> HashMap<ExecutionId, u32> {
    (0..).zip(&columns.executions.id).map(|(at, id)| (*id, at)).collect()
}

/// Sorts executions by start and id, attempts by execution, start, step and number; returns whether that moved anything.
pub(super) fn sort(columns: &mut Columns) -> bool {
    let executions = &columns.executions;
    let by_start = order(executions.len(), |at| (executions.started_ms[at], executions.id[at]));
    if let Some(order) = &by_start {
        let mut rank = vec![0_u32; order.len()];
        for (new, old) in (0..).zip(order) {
            rank[*old as usize] = new;
        }
        columns.executions.pick(order);
        for execution in &mut columns.attempts.execution {
            *execution = rank[*execution as usize];
        }
    }
    let by_execution = attempts(columns);
    if let Some(order) = &by_execution {
        columns.attempts.pick(order);
    }
    by_start.is_some() || by_execution.is_some()
}

/// Returns the places of the attempts in order, or `None` where they are in order as they are.
fn attempts(columns: &Columns) -> Option<Vec<u32>> {
    let (attempts, names) = (&columns.attempts, &columns.names);
    let started = |row: usize| attempts.started_ms[row].to_bits();
    let key =
        |row: usize| (attempts.execution[row], started(row), names.text(attempts.step[row]), attempts.attempt[row]);
    if (1..attempts.len()).all(|row| key(row - 1) <= key(row)) {
        return None;
    }
    // Where the rows of each execution begin, then where the next of them goes.
    let mut next = vec![0_usize; columns.executions.len() + 1];
    attempts.execution.iter().for_each(|execution| next[*execution as usize + 1] += 1);
    for execution in 1..next.len() {
        next[execution] += next[execution - 1];
    }
    let mut order = vec![0; attempts.len()];
    for (row, execution) in (0..).zip(&attempts.execution) {
        let to = &mut next[*execution as usize];
        order[*to] = row;
        *to += 1;
    }
    let same = |a: &u32, b: &u32| attempts.execution[*a as usize] == attempts.execution[*b as usize];
    order.chunk_by_mut(same).for_each(|rows| rows.sort_by_key(|row| key(*row as usize)));
    Some(order)
}

/// Returns the places of rows in order, or `None` where they are in order as they are.
fn order<K: Ord>(rows: usize, key: impl Fn(usize) -> K) -> Option<Vec<u32>> {
    if (1..rows).all(|row| key(row - 1) <= key(row)) {
        return None;
    }
    let mut order: Vec<u32> = (0..place(rows)).collect();
    order.sort_by_key(|at| key(*at as usize));
    Some(order)
}
