//! Many records as plain columns, texts as numbers: what learning reads of them.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use super::value::Value;
use super::{Digest, ExecutionId, Outcome, Record, RecordId};

/// Records as columns. An attempt names its execution by place.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Columns {
    /// The text behind every [`Name`].
    pub names: Names,
    /// One entry an execution in each column.
    pub executions: Executions,
    /// One entry an attempt in each column.
    pub attempts: Attempts,
}

/// A text that occurs many times, as a small number; see [`Names`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name(pub u32);

/// Texts by number and numbers by text.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Names {
    texts: Vec<Box<str>>,
    numbers: HashMap<Box<str>, u32>,
}

impl Names {
    /// Returns the name of `text`, new or known.
    ///
    /// # Panics
    /// Past 2³² different texts.
    pub fn intern(&mut self, text: &str) -> Name {
        if let Some(number) = self.numbers.get(text) {
            return Name(*number);
        }
        let number = place(self.texts.len());
        self.texts.push(text.into());
        self.numbers.insert(text.into(), number);
        Name(number)
    }

    /// Returns the name of `text` where it is known.
    pub fn find(&self, text: &str) -> Option<Name> {
        self.numbers.get(text).copied().map(Name)
    }

    /// Returns the text behind `name`.
    pub fn text(&self, name: Name) -> &str {
        &self.texts[name.0 as usize]
    }

    /// Returns the texts in the order of their numbers.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        self.texts.iter().map(|text| &**text)
    }

    /// Returns how many names there are.
    pub fn len(&self) -> usize {
        self.texts.len()
    }

    /// Returns whether there is no name.
    pub fn is_empty(&self) -> bool {
        self.texts.is_empty()
    }
}

/// Does the same with every column of a table.
pub trait EachColumn {
    /// Handles one column; `None` ends it.
    fn column<T: Value>(&mut self, column: &mut Vec<T>) -> Option<()>;
}

/// Declares a table: what is done to all its columns is written here and nowhere else.
macro_rules! table {
    (
        $(#[$doc:meta])* $name:ident, long as $first:ident,
        { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* }
        beside { $($(#[$beside_doc:meta])* $beside:ident: $beside_type:ty,)* }
    ) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Default, PartialEq)]
        pub struct $name {
            $($(#[$field_doc])* pub $field: Vec<$type>,)*
            $($(#[$beside_doc])* pub $beside: $beside_type,)*
        }

        impl $name {
            /// Returns the number of rows.
            pub fn len(&self) -> usize {
                self.$first.len()
            }

            /// Returns whether there is none.
            pub fn is_empty(&self) -> bool {
                self.$first.is_empty()
            }

            /// Removes the first rows.
            pub fn cut(&mut self, gone: usize) {
                $(self.$field.drain(..gone);)*
            }

            /// Removes all but the first rows.
            pub fn truncate(&mut self, kept: usize) {
                $(self.$field.truncate(kept);)*
            }

            /// Takes the rows at these places, in this order, and no others.
            pub fn pick(&mut self, order: &[u32]) {
                $(self.$field = order.iter().map(|at| self.$field[*at as usize].clone()).collect();)*
            }

            /// Adds rows of another table, whose names have these numbers here.
            pub fn append(&mut self, other: &Self, rows: Range<usize>, names: &[Name]) {
                $(self.$field.extend(other.$field[rows.clone()].iter().map(|value| value.renamed(names)));)*
            }

            /// Makes room for so many more rows; where there is none, for so many in all as are expected, at most twice as
            /// many as there are.
            pub fn make_room(&mut self, more: usize, expected: usize) {
                $(if self.$field.capacity() - self.$field.len() < more {
                    let rows = self.$field.len();
                    self.$field.reserve_exact(more.max(rows / 8).max(expected.saturating_sub(rows).min(rows)));
                })*
            }

            /// Hands every column to `each`; `None` where it ended early.
            pub fn each(&mut self, each: &mut impl EachColumn) -> Option<()> {
                $(each.column(&mut self.$field)?;)*
                Some(())
            }

            /// Returns the bytes of the columns as plain arrays; what metrics hold lies outside of them.
            pub fn bytes(&self) -> usize {
                0 $(+ self.$field.len() * size_of::<$type>())*
            }
        }
    };
}

table! {
    /// Columns of executions, all of one length.
    Executions, long as id,
    {
        /// Ids.
        id: ExecutionId,
        /// Index of the repository each was found in.
        repository: u32,
        /// Workflow names.
        workflow: Name,
        /// Start, milliseconds since 1970.
        started_ms: i64,
        /// Wall time in milliseconds; NaN where it is unknown.
        duration_ms: f64,
        /// How each ended.
        outcome: Outcome,
        /// What started each.
        trigger: Name,
        /// Machine classes.
        machine: Option<Name>,
        /// Slots; 0 where it is unknown.
        slots: u32,
        /// Commits checked out.
        commit: Option<Digest>,
        /// Trees executed.
        tree: Option<Digest>,
        /// Patch-ids of the commits checked out, or of what dirty work trees would become.
        patch: Option<Digest>,
        /// Patch-ids of everything since the merge base with the default branch.
        range_patch: Option<Digest>,
        /// Whether the work tree differed from the commit.
        dirty: Option<bool>,
        /// Branches, by name or keyed hash.
        branch: Option<Name>,
    }
    beside {}
}

table! {
    /// Columns of attempts, all of one length.
    Attempts, long as step,
    {
        /// Index into [`Executions`].
        execution: u32,
        /// Step ids.
        step: Name,
        /// Attempt numbers, from 1.
        attempt: u32,
        /// When ready, in milliseconds since the execution began; NaN where it is unknown.
        ready_ms: f64,
        /// When started, in milliseconds since the execution began.
        started_ms: f64,
        /// Durations in milliseconds; NaN where unknown.
        duration_ms: f64,
        /// How each ended.
        outcome: Outcome,
        /// Whether meow stopped it at its time limit.
        timed_out: bool,
        /// Processor time, user and kernel together, in milliseconds; NaN where it is unknown.
        cpu_ms: f64,
        /// Peak memory in bytes; NaN where it is unknown.
        peak_memory_bytes: f64,
        /// Input bytes known at the start; NaN where unknown.
        inputs_bytes: f64,
        /// Predicted p10 in milliseconds; NaN where nothing was predicted.
        predicted_p10_ms: f64,
        /// Predicted p50 in milliseconds; NaN where nothing was predicted.
        predicted_p50_ms: f64,
        /// Predicted p90 in milliseconds; NaN where nothing was predicted.
        predicted_p90_ms: f64,
        /// The slot each ran in, from 0.
        slot: Option<u32>,
        /// Command hashes.
        command: Option<Digest>,
        /// What else each was given, see [`given`].
        given: Option<Digest>,
        /// Fingerprints of errors.
        error: Option<Digest>,
        /// The steps each waited for: index into `needs_lists`.
        needs: u32,
        /// Metrics of each attempt: (metric, value), sorted by name; most are empty.
        metrics: Box<[(Name, f64)]>,
    }
    beside {
        /// Lists of step names, each list once.
        needs_lists: Vec<Vec<Name>>,
    }
}

/// A longer duration, in milliseconds, is none: thirty thousand years.
const LONGEST_MS: f64 = 1e15;

impl Columns {
    /// Returns the columns of these records, in their order, doubles and all.
    pub fn of<'a>(records: impl IntoIterator<Item = &'a Record>) -> Self {
        let mut columns = Self::default();
        let mut places = HashMap::new();
        let mut lists = Lists::default();
        for record in records {
            let at = *places.entry(record.execution.id).or_insert_with(|| columns.begin(record));
            columns.add(at, record, &mut lists);
        }
        columns
    }

    /// Adds the execution of a record; returns its place.
    fn begin(&mut self, record: &Record) -> u32 {
        let (execution, names, to) = (&record.execution, &mut self.names, &mut self.executions);
        to.id.push(execution.id);
        to.repository.push(0);
        to.workflow.push(names.intern(&execution.workflow));
        to.started_ms.push(execution.started_at.as_millisecond());
        to.duration_ms.push(lasting(execution.duration_ms));
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
        place(to.len() - 1)
    }

    fn add(&mut self, execution: u32, record: &Record, lists: &mut Lists) {
        let (attempt, names, to) = (&record.attempt, &mut self.names, &mut self.attempts);
        let needs: Vec<Name> = attempt.needs.iter().map(|need| names.intern(need)).collect();
        to.needs.push(lists.place(&needs, &mut to.needs_lists));
        to.execution.push(execution);
        to.step.push(names.intern(&attempt.step));
        to.attempt.push(attempt.attempt);
        to.ready_ms.push(number(attempt.ready_ms));
        to.started_ms.push(whole(attempt.started_ms));
        to.duration_ms.push(lasting(attempt.duration_ms));
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
        to.given.push(given(attempt.filled, attempt.inputs));
        to.error.push(attempt.error);
        to.metrics.push(attempt.metrics.iter().map(|(metric, value)| (names.intern(metric), *value)).collect());
    }

    /// Returns the id of the record at `row` of the attempts.
    pub fn record_id(&self, row: usize) -> RecordId {
        let execution = self.executions.id[self.attempts.execution[row] as usize];
        RecordId::of(execution, self.names.text(self.attempts.step[row]), self.attempts.attempt[row])
    }

    /// Returns what no other row of the attempts may have, as long as executions stand once.
    pub fn key(&self, row: usize) -> (u32, Name, u32) {
        (self.attempts.execution[row], self.attempts.step[row], self.attempts.attempt[row])
    }

    /// Returns whether a record stands twice.
    pub fn has_doubles(&self) -> bool {
        let key = |row: usize| {
            let (execution, step, attempt) = self.key(row);
            (execution, self.names.text(step), attempt)
        };
        // As meow writes them.
        if (1..self.attempts.len()).all(|row| key(row - 1) < key(row)) {
            return false;
        }
        let mut seen = HashSet::with_capacity(self.attempts.len());
        (0..self.attempts.len()).any(|row| !seen.insert(self.key(row)))
    }

    /// Keeps the records that `wanted` names by their row, and the executions that still have one.
    pub fn keep(&mut self, wanted: impl Fn(usize) -> bool) {
        let rows: Vec<u32> = (0..self.attempts.len()).filter(|row| wanted(*row)).map(place).collect();
        self.attempts.pick(&rows);
        let mut places = vec![u32::MAX; self.executions.len()];
        let mut kept = Vec::new();
        for execution in &mut self.attempts.execution {
            let new = &mut places[*execution as usize];
            if *new == u32::MAX {
                *new = place(kept.len());
                kept.push(*execution);
            }
            *execution = *new;
        }
        self.executions.pick(&kept);
    }
}

/// The places of lists of names, each of which stands once.
#[derive(Debug, Clone, Default)]
pub struct Lists(HashMap<Vec<Name>, u32>);

impl Lists {
    /// Returns the places of these lists.
    pub fn of(all: &[Vec<Name>]) -> Self {
        Self(all.iter().cloned().zip(0..).collect())
    }

    /// Returns the place of a list, new or known, in `all`.
    pub fn place(&mut self, list: &[Name], all: &mut Vec<Vec<Name>>) -> u32 {
        if let Some(at) = self.0.get(list) {
            return *at;
        }
        let at = place(all.len());
        all.push(list.to_vec());
        self.0.insert(list.to_vec(), at);
        at
    }
}

/// Returns what tells attempts at one command on one tree apart by what they were given: the values of variables and the
/// environment ([`Attempt::filled`](super::Attempt::filled)) and the files that their step declares as inputs, which git may
/// not track ([`Attempt::inputs`](super::Attempt::inputs)); `None` where there is neither.
pub fn given(filled: Option<Digest>, inputs: Option<Digest>) -> Option<Digest> {
    match (filled, inputs) {
        (Some(filled), Some(inputs)) => Some(Digest::of(&[*filled.bytes(), *inputs.bytes()].concat())),
        (one, other) => one.or(other),
    }
}

/// Returns a duration as a column keeps it: NaN where it is unknown, or below zero, or so long that no clock measured it;
/// sums of what is left are finite.
pub fn lasting(duration_ms: Option<f64>) -> f64 {
    duration_ms.filter(|duration| (0.0..=LONGEST_MS).contains(duration)).unwrap_or(f64::NAN)
}

/// Returns a place as a column keeps it.
///
/// # Panics
/// Past 2³² rows.
pub fn place(at: usize) -> u32 {
    u32::try_from(at).expect("fewer than 2^32 rows")
}

fn number(value: Option<u64>) -> f64 {
    value.map_or(f64::NAN, whole)
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds and bytes stay far below 2^53")]
fn whole(value: u64) -> f64 {
    value as f64
}
