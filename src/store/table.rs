//! Records as one Arrow batch and back, column by column after the one list; read by name.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, FixedSizeBinaryBuilder, Float64Array, Float64Builder, Int32Array,
    Int64Array, ListBuilder, MapArray, MapBuilder, MapFieldNames, RecordBatch, StringArray, StringBuilder,
    TimestampMillisecondArray,
};
use arrow::datatypes::TimestampMillisecondType;
use arrow::datatypes::{DataType, Field, Fields, Float64Type, Int32Type, Int64Type, Schema, TimeUnit};
use jiff::Timestamp;

use super::columns::{ATTEMPT, Cell, Column, EXECUTION};
use crate::error::{Error, Result};
use crate::record::{Attempt, Execution, ExecutionId, Outcome, Record, Source};

/// Returns records as one batch, in their order.
///
/// # Errors
/// Arrow refuses the columns, which would be a mistake in their list.
pub fn batch(records: &[Record]) -> Result<RecordBatch> {
    let mut fields = Vec::new();
    let mut arrays = Vec::new();
    let executions: Vec<&Execution> = records.iter().map(|record| &*record.execution).collect();
    let attempts: Vec<_> = records.iter().map(|record| &record.attempt).collect();
    for column in EXECUTION {
        column.put(&executions, &mut fields, &mut arrays)?;
    }
    for column in ATTEMPT {
        column.put(&attempts, &mut fields, &mut arrays)?;
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).map_err(arrow_error)
}

/// Appends a batch's rows to `records`; rows of one execution that follow each other share it.
///
/// Columns are found by name: unknown ones are ignored, missing ones that may be unknown are unknown.
///
/// # Errors
/// A column is missing that every row has, or has another type.
pub fn rows(batch: &RecordBatch, records: &mut Vec<Record>) -> Result<()> {
    let of_execution = found(batch, EXECUTION)?;
    let of_attempt = found(batch, ATTEMPT)?;
    let id = &of_execution[0].1;
    for row in 0..batch.num_rows() {
        let known = id.as_fixed_size_binary_opt().map(|ids| ids.value(row));
        let shared = records.last().filter(|last| Some(last.execution.id.bytes().as_slice()) == known);
        let execution = match shared {
            Some(last) => Arc::clone(&last.execution),
            None => Arc::new(read(&of_execution, row, blank_execution())?),
        };
        let attempt = read(&of_attempt, row, Attempt::new("", 1))?;
        records.push(Record { execution, attempt });
    }
    Ok(())
}

type Found<'a, T> = Vec<(&'static Cell<T>, &'a ArrayRef)>;

/// Returns the columns of a batch that are known, in the order of the list.
fn found<'a, T>(batch: &'a RecordBatch, columns: &'static [Column<T>]) -> Result<Found<'a, T>> {
    let mut found = Vec::with_capacity(columns.len());
    for column in columns {
        match batch.column_by_name(column.name) {
            Some(array) if column.cell.accepts(array.data_type()) => found.push((&column.cell, array)),
            Some(array) => {
                return Err(Error::store(format!("column `{}` has type {}", column.name, array.data_type())));
            }
            None if column.nullable => {}
            None => return Err(Error::store(format!("column `{}` is missing", column.name))),
        }
    }
    Ok(found)
}

fn read<T>(columns: &Found<'_, T>, row: usize, mut to: T) -> Result<T> {
    for (cell, array) in columns {
        if !array.is_null(row) {
            cell.put(array, row, &mut to)?;
        }
    }
    Ok(to)
}

/// Returns an execution before its columns are read.
fn blank_execution() -> Execution {
    Execution {
        id: ExecutionId::from_bytes([0; 12]),
        workflow: String::new(),
        started_at: Timestamp::UNIX_EPOCH,
        duration_ms: None,
        outcome: Outcome::Cancelled,
        trigger: String::new(),
        machine: None,
        slots: None,
        variables: BTreeMap::new(),
        source: Source::default(),
        resumes: None,
    }
}

impl<T> Column<T> {
    /// Adds the column of these; one that a later edition brought is left out where nothing is known of it.
    fn put(&self, from: &[&T], fields: &mut Vec<Field>, arrays: &mut Vec<ArrayRef>) -> Result<()> {
        let array = self.cell.array(from)?;
        if self.since == 1 || array.null_count() < array.len() {
            fields.push(Field::new(self.name, self.cell.data_type(), self.nullable));
            arrays.push(array);
        }
        Ok(())
    }
}

impl<T> Cell<T> {
    /// Returns the Arrow type.
    pub fn data_type(&self) -> DataType {
        match self {
            Self::Text(..) => DataType::Utf8,
            Self::Hash(..) => DataType::FixedSizeBinary(12),
            Self::Time(..) => DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into())),
            Self::Small(..) => DataType::Int32,
            Self::Whole(..) => DataType::Int64,
            Self::Real(..) => DataType::Float64,
            Self::Switch(..) => DataType::Boolean,
            Self::List(..) => DataType::List(Arc::new(element())),
            Self::Words(..) => map_of(DataType::Utf8),
            Self::Numbers(..) => map_of(DataType::Float64),
        }
    }

    /// Returns whether a file's column can be read as this one; the names inside lists and maps do not matter.
    fn accepts(&self, found: &DataType) -> bool {
        match (self, found) {
            (Self::List(..), DataType::List(item)) => item.data_type() == &DataType::Utf8,
            (Self::Words(..), DataType::Map(entries, _)) => entry_types(entries, &DataType::Utf8),
            (Self::Numbers(..), DataType::Map(entries, _)) => entry_types(entries, &DataType::Float64),
            (Self::Time(..), DataType::Timestamp(TimeUnit::Millisecond, _)) => true,
            _ => &self.data_type() == found,
        }
    }

    fn array(&self, from: &[&T]) -> Result<ArrayRef> {
        Ok(match self {
            Self::Text(take, _) => Arc::new(from.iter().map(|from| take(from)).collect::<StringArray>()),
            Self::Hash(take, _) => {
                let mut hashes = FixedSizeBinaryBuilder::with_capacity(from.len(), 12);
                for from in from {
                    match take(from) {
                        Some(hash) => hashes.append_value(hash).map_err(arrow_error)?,
                        None => hashes.append_null(),
                    }
                }
                Arc::new(hashes.finish())
            }
            Self::Time(take, _) => {
                let times = from.iter().map(|from| Some(take(from).as_millisecond()));
                Arc::new(times.collect::<TimestampMillisecondArray>().with_timezone("UTC"))
            }
            Self::Small(take, _) => Arc::new(from.iter().map(|from| take(from)).collect::<Int32Array>()),
            Self::Whole(take, _) => Arc::new(from.iter().map(|from| take(from)).collect::<Int64Array>()),
            Self::Real(take, _) => Arc::new(from.iter().map(|from| take(from)).collect::<Float64Array>()),
            Self::Switch(take, _) => Arc::new(from.iter().map(|from| take(from)).collect::<BooleanArray>()),
            Self::List(take, _) => {
                let mut lists = ListBuilder::new(StringBuilder::new()).with_field(element());
                for from in from {
                    lists.append_value(take(from).iter().map(Some));
                }
                Arc::new(lists.finish())
            }
            Self::Words(take, _) => {
                let mut maps = MapBuilder::new(Some(names()), StringBuilder::new(), StringBuilder::new())
                    .with_values_field(value_field(DataType::Utf8));
                for from in from {
                    for (key, value) in take(from) {
                        maps.keys().append_value(key);
                        maps.values().append_value(value);
                    }
                    maps.append(true).map_err(arrow_error)?;
                }
                Arc::new(maps.finish())
            }
            Self::Numbers(take, _) => {
                let mut maps = MapBuilder::new(Some(names()), StringBuilder::new(), Float64Builder::new())
                    .with_values_field(value_field(DataType::Float64));
                for from in from {
                    for (key, value) in take(from) {
                        maps.keys().append_value(key);
                        maps.values().append_value(*value);
                    }
                    maps.append(true).map_err(arrow_error)?;
                }
                Arc::new(maps.finish())
            }
        })
    }

    fn put(&self, array: &ArrayRef, row: usize, to: &mut T) -> Result<()> {
        match self {
            Self::Text(_, put) => put(to, array.as_string::<i32>().value(row)),
            Self::Hash(_, put) => {
                let hash = array.as_fixed_size_binary().value(row);
                put(to, hash.try_into().map_err(|_| Error::store("a hash is not 12 bytes long"))?);
            }
            Self::Time(_, put) => {
                let time = array.as_primitive::<TimestampMillisecondType>().value(row);
                let time = Timestamp::from_millisecond(time);
                put(to, time.map_err(|error| Error::store("a time is out of range").cause(error))?);
            }
            Self::Small(_, put) => put(to, array.as_primitive::<Int32Type>().value(row)),
            Self::Whole(_, put) => put(to, array.as_primitive::<Int64Type>().value(row)),
            Self::Real(_, put) => put(to, array.as_primitive::<Float64Type>().value(row)),
            Self::Switch(_, put) => put(to, array.as_boolean().value(row)),
            Self::List(_, put) => {
                let list = array.as_list::<i32>().value(row);
                put(to, list.as_string::<i32>().iter().flatten().map(str::to_owned).collect());
            }
            Self::Words(_, put) => {
                let (keys, values) = entries(array.as_map(), row);
                let values = values.as_string::<i32>();
                let pairs = keys.as_string::<i32>().iter().zip(values.iter());
                put(to, pairs.filter_map(|(key, value)| Some((key?.to_owned(), value?.to_owned()))).collect());
            }
            Self::Numbers(_, put) => {
                let (keys, values) = entries(array.as_map(), row);
                let values = values.as_primitive::<Float64Type>();
                let pairs = keys.as_string::<i32>().iter().zip(values.iter());
                let pairs = pairs.filter_map(|(key, value)| Some((key?.to_owned(), value?)));
                put(to, pairs.collect::<BTreeMap<_, _>>());
            }
        }
        Ok(())
    }
}

fn entries(maps: &MapArray, row: usize) -> (ArrayRef, ArrayRef) {
    let entries = maps.value(row);
    (Arc::clone(entries.column(0)), Arc::clone(entries.column(1)))
}

fn entry_types(entries: &Field, value: &DataType) -> bool {
    match entries.data_type() {
        DataType::Struct(fields) => {
            fields.len() == 2 && fields[0].data_type() == &DataType::Utf8 && fields[1].data_type() == value
        }
        _ => false,
    }
}

/// The names inside lists and maps are those of the Parquet specification.
fn element() -> Field {
    Field::new("element", DataType::Utf8, false)
}

fn names() -> MapFieldNames {
    MapFieldNames { entry: "key_value".to_owned(), key: "key".to_owned(), value: "value".to_owned() }
}

fn value_field(data_type: DataType) -> Field {
    Field::new("value", data_type, false)
}

fn map_of(value: DataType) -> DataType {
    let fields = Fields::from(vec![Field::new("key", DataType::Utf8, false), value_field(value)]);
    DataType::Map(Arc::new(Field::new("key_value", DataType::Struct(fields), false)), false)
}

fn arrow_error(error: arrow::error::ArrowError) -> Error {
    Error::store("records do not fit the columns").cause(error)
}
