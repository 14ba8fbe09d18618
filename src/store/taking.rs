//! From the pages of a segment to the columns that learning reads, without a record in between.

use std::collections::{BTreeMap, HashMap};

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{ArrowPrimitiveType, Float64Type, Int32Type, Int64Type, TimestampMillisecondType};
use jiff::Timestamp;

use super::columns::{natural, outcome};
use crate::error::{Error, Result};
use crate::record::columns::{Lists, given, lasting, place};
use crate::record::{Columns, Digest, ExecutionId, Outcome};

/// The known columns that learning does not read.
pub(super) const NOT_TAKEN: [&str; 8] =
    ["variables", "tracked", "resumes", "exit_code", "read_bytes", "written_bytes", "undone", "predicted_failure"];

/// What was taken so far.
#[derive(Debug, Default)]
pub(super) struct Taking {
    pub columns: Columns,
    places: HashMap<ExecutionId, u32>,
    lists: Lists,
}

impl Taking {
    /// Takes the rows of a batch, whose columns have the right types.
    ///
    /// # Errors
    /// A time is out of range.
    pub fn take(&mut self, batch: &RecordBatch) -> Result<()> {
        let executions = self.executions(batch)?;
        let names = &mut self.columns.names;
        let to = &mut self.columns.attempts;
        let rows = || 0..batch.num_rows();
        let of = |name| Of(batch.column_by_name(name));
        to.execution.extend(executions);
        of("step").texts(rows(), |step| to.step.push(names.intern(step.unwrap_or_default())));
        to.attempt.extend(of("attempt").small(rows()).map(|attempt| attempt.unwrap_or(1)));
        to.ready_ms.extend(of("ready_ms").whole(rows()));
        to.started_ms.extend(of("started_ms").whole(rows()).map(|ms| if ms.is_nan() { 0.0 } else { ms }));
        to.duration_ms.extend(of("duration_ms").lasting(rows()));
        of("outcome").texts(rows(), |word| to.outcome.push(word.map_or(Outcome::Cancelled, outcome)));
        to.timed_out.extend(of("timed_out").switches(rows()).map(Option::unwrap_or_default));
        let (user, system) = (of("user_ms"), of("system_ms"));
        to.cpu_ms.extend(user.whole(rows()).zip(system.whole(rows())).map(|(user, system)| user + system));
        to.peak_memory_bytes.extend(of("peak_memory_bytes").whole(rows()));
        to.inputs_bytes.extend(of("inputs_bytes").whole(rows()));
        to.predicted_p10_ms.extend(of("predicted_p10_ms").real(rows()));
        to.predicted_p50_ms.extend(of("predicted_p50_ms").real(rows()));
        to.predicted_p90_ms.extend(of("predicted_p90_ms").real(rows()));
        to.slot.extend(of("slot").small(rows()));
        to.command.extend(of("command").digests(rows()));
        let (filled, inputs) = (of("filled").digests(rows()), of("inputs").digests(rows()));
        to.given.extend(filled.zip(inputs).map(|(filled, inputs)| given(filled, inputs)));
        to.error.extend(of("error").digests(rows()));
        self.needs(of("needs").0);
        self.metrics(of("metrics").0, batch.num_rows());
        Ok(())
    }

    /// Returns the place of the execution of each row; one that is new is taken from its first row.
    fn executions(&mut self, batch: &RecordBatch) -> Result<Vec<u32>> {
        let of = |name| Of(batch.column_by_name(name));
        let (mut places, mut firsts) = (Vec::with_capacity(batch.num_rows()), Vec::new());
        let (mut last, to, names) = (None, &mut self.columns.executions, &mut self.columns.names);
        let blank = Digest::from_bytes([0; 12]);
        for (row, id) in of("execution").digests(0..batch.num_rows()).enumerate() {
            let id = ExecutionId::from_bytes(*id.unwrap_or(blank).bytes());
            let at = match last {
                Some((known, at)) if known == id => at,
                _ => *self.places.entry(id).or_insert_with(|| {
                    firsts.push(row);
                    to.id.push(id);
                    place(to.id.len() - 1)
                }),
            };
            last = Some((id, at));
            places.push(at);
        }
        let rows = || firsts.iter().copied();
        to.repository.resize(to.id.len(), 0);
        of("workflow").texts(rows(), |text| to.workflow.push(names.intern(text.unwrap_or_default())));
        for started in of("execution_started_at").times(rows()) {
            let time = Timestamp::from_millisecond(started);
            time.map_err(|error| Error::store("a time is out of range").cause(error))?;
            to.started_ms.push(started);
        }
        to.duration_ms.extend(of("execution_duration_ms").lasting(rows()));
        of("execution_outcome").texts(rows(), |word| to.outcome.push(word.map_or(Outcome::Cancelled, outcome)));
        of("trigger").texts(rows(), |text| to.trigger.push(names.intern(text.unwrap_or_default())));
        of("machine").texts(rows(), |text| to.machine.push(text.map(|text| names.intern(text))));
        to.slots.extend(of("slots").small(rows()).map(Option::unwrap_or_default));
        to.commit.extend(of("commit").digests(rows()));
        to.tree.extend(of("tree").digests(rows()));
        to.patch.extend(of("patch").digests(rows()));
        to.range_patch.extend(of("range_patch").digests(rows()));
        to.dirty.extend(of("dirty").switches(rows()));
        of("branch").texts(rows(), |text| to.branch.push(text.map(|text| names.intern(text))));
        Ok(places)
    }

    fn needs(&mut self, column: Option<&ArrayRef>) {
        let (names, to) = (&mut self.columns.names, &mut self.columns.attempts);
        let Some(lists) = column.map(AsArray::as_list::<i32>) else { return };
        let texts = lists.values().as_string::<i32>();
        let mut list = Vec::new();
        for (row, ends) in lists.offsets().windows(2).enumerate() {
            let ends = if lists.is_null(row) { 0..0 } else { usize_of(ends[0])..usize_of(ends[1]) };
            list.clear();
            list.extend(ends.filter(|at| !texts.is_null(*at)).map(|at| names.intern(texts.value(at))));
            to.needs.push(self.lists.place(&list, &mut to.needs_lists));
        }
    }

    fn metrics(&mut self, column: Option<&ArrayRef>, rows: usize) {
        let (names, to) = (&mut self.columns.names, &mut self.columns.attempts.metrics);
        let Some(maps) = column.map(AsArray::as_map).filter(|maps| !maps.values().is_empty()) else {
            to.resize(to.len() + rows, Box::default());
            return;
        };
        let (keys, values) = (maps.keys().as_string::<i32>(), maps.values().as_primitive::<Float64Type>());
        for (row, ends) in maps.offsets().windows(2).enumerate() {
            let ends = if maps.is_null(row) { 0..0 } else { usize_of(ends[0])..usize_of(ends[1]) };
            let known = ends.filter(|at| !keys.is_null(*at) && !values.is_null(*at));
            let sorted: BTreeMap<&str, f64> = known.map(|at| (keys.value(at), values.value(at))).collect();
            to.push(sorted.into_iter().map(|(key, value)| (names.intern(key), value)).collect());
        }
    }
}

/// A column of a batch; one that is missing is unknown in every row.
#[derive(Clone, Copy)]
struct Of<'a>(Option<&'a ArrayRef>);

impl<'a> Of<'a> {
    fn texts(self, rows: impl Iterator<Item = usize>, mut each: impl FnMut(Option<&'a str>)) {
        let texts = self.0.map(AsArray::as_string::<i32>);
        rows.for_each(|row| each(texts.filter(|texts| texts.is_valid(row)).map(|texts| texts.value(row))));
    }

    fn digests(self, rows: impl Iterator<Item = usize>) -> impl Iterator<Item = Option<Digest>> {
        let hashes = self.0.map(AsArray::as_fixed_size_binary);
        rows.map(move |row| Digest::truncated(hashes.filter(|hashes| hashes.is_valid(row))?.value(row)))
    }

    fn small(self, rows: impl Iterator<Item = usize>) -> impl Iterator<Item = Option<u32>> {
        self.primitives::<Int32Type>(rows).map(|value| value.map(natural))
    }

    /// Whole numbers, none of which is below zero; NaN where one is unknown.
    #[expect(clippy::cast_precision_loss, reason = "milliseconds and bytes stay far below 2^53")]
    fn whole(self, rows: impl Iterator<Item = usize>) -> impl Iterator<Item = f64> {
        self.primitives::<Int64Type>(rows).map(|value| value.map_or(f64::NAN, |value| value.max(0) as f64))
    }

    fn real(self, rows: impl Iterator<Item = usize>) -> impl Iterator<Item = f64> {
        self.primitives::<Float64Type>(rows).map(|value| value.unwrap_or(f64::NAN))
    }

    fn lasting(self, rows: impl Iterator<Item = usize>) -> impl Iterator<Item = f64> {
        self.primitives::<Float64Type>(rows).map(lasting)
    }

    fn times(self, rows: impl Iterator<Item = usize>) -> impl Iterator<Item = i64> {
        self.primitives::<TimestampMillisecondType>(rows).map(Option::unwrap_or_default)
    }

    fn switches(self, rows: impl Iterator<Item = usize>) -> impl Iterator<Item = Option<bool>> {
        let switches = self.0.map(AsArray::as_boolean);
        rows.map(move |row| switches.filter(|switches| switches.is_valid(row)).map(|switches| switches.value(row)))
    }

    fn primitives<T: ArrowPrimitiveType>(
        self,
        rows: impl Iterator<Item = usize>,
    ) -> impl Iterator<Item = Option<T::Native>> {
        let values = self.0.map(AsArray::as_primitive::<T>);
        rows.map(move |row| values.filter(|values| values.is_valid(row)).map(|values| values.value(row)))
    }
}

/// Arrow has checked that offsets ascend from zero.
fn usize_of(offset: i32) -> usize {
    usize::try_from(offset).unwrap_or(0)
}
