//! Segments: records as one immutable Parquet file whose name holds its own hash.

mod compact;
mod footer;
mod pages;
mod shape;

use std::sync::Arc;

use arrow::array::RecordBatch;
use bytes::Bytes;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use parquet::arrow::ArrowSchemaConverter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReader;
use parquet::arrow::arrow_writer::{ArrowWriter, ArrowWriterOptions};
use parquet::basic::{Compression, Encoding, Type};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};

use footer::Footer;
use pages::Pages;
use shape::{Shape, Wanted};

use super::guard::guarded;
use super::taking::Taking;
use super::{files, table};
use crate::error::{Error, Result};
use crate::record::{Columns, Digest, Record};

/// The version of the format; it stands in every footer as `meow.format`.
///
/// 1: the first that is kept for ever (meow 0.1.0).
/// 0: what was written before; the same columns, and read as long as that costs nothing.
///
/// A newer one takes a row here, a folder in `tests/museum`, and the first meow that reads it in `WRITTEN_BY`.
///
/// The pages were chosen by measurement (`cargo bench --bench memory -- encodings`: 2,000 executions of up to 10 steps, names
/// and durations of real ones, every column filled; bytes per execution in the pack after gc, with 1, 10 and 100
/// executions a commit, which itself is counted). Never compressed, no statistics, no Arrow schema:
///
/// | pages | 1 | 10 | 100 |
/// |---|---|---|---|
/// | plain | 1,800 | 810 | 557 |
/// | dictionary | 1,889 | 860 | 614 |
/// | delta integers | 1,840 | 771 | 521 |
/// | the same, hashes as hex text | 1,955 | 841 | 553 |
/// | delta integers and hashes | 1,808 | 662 | 501 |
/// | delta integers, split doubles | 1,779 | 636 | 481 |
/// | **delta integers and hashes, split doubles** | 1,752 | **606** | **458** |
/// | the same, texts by length | 1,745 | 619 | 473 |
/// | the same, texts by shared start | 1,749 | 635 | 485 |
/// | JSONL in the same batches | 1,929 | 959 | 876 |
/// | a JSON git note per execution | 1,639 | | |
///
/// Before numbers were stored at the grain of [`crate::record::grain`], the chosen pages took some 65 more each.
pub const FORMAT: u32 = 1;

/// The first meow that reads [`FORMAT`]; it stands in every footer as the creator, for those that are too old to read on.
const WRITTEN_BY: &str = "meow 0.1.0";

/// A larger file is refused unread.
pub const MAX_BYTES: usize = 64 << 20;
/// A file with more rows is refused unread.
pub const MAX_ROWS: usize = 1_000_000;
const MAX_ROW_GROUPS: usize = 64;
const MAX_COLUMNS: usize = 512;
/// Rows decoded at once, so that a file cannot make one batch of everything.
const BATCH_ROWS: usize = 8_192;
/// The fewest bytes that a row takes: its texts are never packed, and five of them are always there.
const ROW_BYTES: usize = 32;

const FORMAT_KEY: &str = "meow.format";

/// Returns records as the bytes of a segment, sorted by start, execution, step and attempt: the same records
/// give the same bytes in any order.
///
/// # Errors
/// Parquet refuses them.
pub fn encode(records: &[Record]) -> Result<Vec<u8>> {
    let mut sorted = records.to_vec();
    sorted.sort_by(|a, b| key(a).cmp(&key(b)));
    sorted.dedup_by(|a, b| key(a) == key(b));
    write(&table::batch(&sorted)?)
}

fn key(record: &Record) -> (Timestamp, &[u8; 12], &str, u32) {
    (record.execution.started_at, record.execution.id.bytes(), &record.attempt.step, record.attempt.attempt)
}

fn write(batch: &RecordBatch) -> Result<Vec<u8>> {
    let refuse = |error: parquet::errors::ParquetError| Error::store("records cannot be encoded").cause(error);
    let schema = ArrowSchemaConverter::new().convert(&batch.schema()).map_err(refuse)?;
    let mut properties = WriterProperties::builder()
        .set_compression(Compression::UNCOMPRESSED)
        .set_dictionary_enabled(false)
        .set_statistics_enabled(EnabledStatistics::None)
        .set_offset_index_disabled(true)
        .set_created_by(WRITTEN_BY.to_owned())
        .set_key_value_metadata(Some(vec![KeyValue::new(FORMAT_KEY.to_owned(), FORMAT.to_string())]));
    for column in schema.columns() {
        let encoding = match column.physical_type() {
            Type::INT32 | Type::INT64 => Encoding::DELTA_BINARY_PACKED,
            Type::FIXED_LEN_BYTE_ARRAY => Encoding::DELTA_BYTE_ARRAY,
            Type::DOUBLE => Encoding::BYTE_STREAM_SPLIT,
            _ => Encoding::PLAIN,
        };
        properties = properties.set_column_encoding(column.path().clone(), encoding);
    }
    let options = ArrowWriterOptions::new().with_properties(properties.build()).with_skip_arrow_metadata(true);
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new_with_options(&mut bytes, batch.schema(), options).map_err(refuse)?;
    writer.write(batch).and_then(|()| writer.close()).map_err(refuse)?;
    Ok(bytes)
}

/// Returns the records in a segment's bytes; records of one execution share it.
///
/// # Errors
/// The bytes are no segment, are damaged, too large, or of a newer format. Never panics, whatever the bytes.
pub fn decode(bytes: &[u8]) -> Result<Vec<Record>> {
    let mut records = Vec::new();
    each_batch(&[bytes], Wanted::Everything, &mut |batch| table::rows(batch, &mut records))?;
    Ok(records)
}

/// Hands the rows of segments to `take`, some thousands at a time. What `take` got before an error is of no worth.
///
/// # Errors
/// Those of [`decode`], and of `take`; several segments have not the same columns.
fn each_batch(files: &[&[u8]], wanted: Wanted, take: &mut dyn FnMut(&RecordBatch) -> Result<()>) -> Result<()> {
    if files.iter().any(|bytes| bytes.len() > MAX_BYTES) {
        return Err(Error::store(format!("it is larger than {} MiB", MAX_BYTES >> 20)));
    }
    guarded(|| {
        let refuse = |error| Error::store("its columns cannot be read").cause(error);
        let (mut read, mut rows, mut first) = (Vec::with_capacity(files.len()), 0, None);
        for bytes in files {
            let footer = Footer::read(bytes).ok_or_else(|| Error::store("it has no footer of a segment"))?;
            rows += check(&footer, bytes.len())?;
            let shape = Shape::of(&footer, wanted)?;
            if !first.get_or_insert_with(|| Arc::clone(&shape)).is(&shape) {
                return Err(Error::store("it has other columns than the one before it"));
            }
            read.push((Bytes::copy_from_slice(bytes), footer));
        }
        let Some(shape) = first else { return Ok(()) };
        let pages = Pages::new(read, Arc::clone(&shape));
        let batch_rows = rows.clamp(1, BATCH_ROWS);
        let reader = ParquetRecordBatchReader::try_new_with_row_groups(&shape.levels, &pages, batch_rows, None);
        let mut read = 0;
        for batch in reader.map_err(refuse)? {
            let batch = batch.map_err(|error| Error::store("a page is damaged").cause(error))?;
            read += batch.num_rows();
            take(&batch)?;
        }
        if read != rows {
            return Err(Error::store(format!("it holds {read} of {rows} rows")));
        }
        Ok(())
    })
}

/// Returns whether a segment has columns that this meow does not know: whoever wrote it anew would lose them.
pub fn has_more(bytes: &[u8]) -> bool {
    Footer::read(bytes).is_some_and(|footer| Shape::of(&footer, Wanted::Everything).is_ok_and(|shape| shape.has_more))
}

/// Returns the number of rows of a footer that makes sense for a file of so many bytes.
fn check(footer: &Footer, bytes: usize) -> Result<usize> {
    let format = footer.pairs.iter().find(|(key, _)| key == FORMAT_KEY);
    let Some((_, format)) = format else {
        return Err(Error::store("it is Parquet, but no segment of meow's"));
    };
    if format.parse::<u32>().ok().is_none_or(|format| format > FORMAT) {
        let (format, reader) = (format.escape_debug(), footer.created_by.escape_debug());
        let what = format!("it has format {format}, which {reader} and later read; this meow reads up to {FORMAT}");
        return Err(Error::store(what).hint("update meow; nothing that it cannot read is changed or removed"));
    }
    let rows = footer.rows;
    if rows > MAX_ROWS.min(bytes / ROW_BYTES) {
        return Err(Error::store(format!("it claims {rows} rows, more than a segment of its size may hold")));
    }
    Ok(rows)
}

/// Returns the records of the segment called `name` (a path or a file name), after its hash was checked.
///
/// # Errors
/// The bytes do not match the name, or [`decode`] refuses them; the error names the segment.
pub fn open(name: &str, bytes: &[u8]) -> Result<Vec<Record>> {
    opened(name, bytes, decode)
}

/// Returns what learning reads of the segment called `name`, likewise.
///
/// # Errors
/// Those of [`open`].
pub fn columns(name: &str, bytes: &[u8]) -> Result<Columns> {
    opened(name, bytes, |bytes| taken(&[bytes]))
}

/// Returns what learning reads of several segments, given by name, each execution once: the same as [`columns`] of one
/// after the other in a fraction of the time, since most of that goes into making ready. `None` where one of them is
/// damaged or has other columns than the first: then it takes a look at each.
pub fn columns_of_all(segments: &[(&str, &[u8])]) -> Option<Columns> {
    let files: Vec<&[u8]> = segments.iter().map(|(_, bytes)| *bytes).collect();
    let are_whole = segments.iter().all(|(name, bytes)| is_named(name, bytes));
    are_whole.then(|| taken(&files).ok())?
}

fn taken(files: &[&[u8]]) -> Result<Columns> {
    let mut taking = Taking::default();
    each_batch(files, Wanted::Columns, &mut |batch| taking.take(batch))?;
    Ok(taking.columns)
}

/// Returns whether `name` (a path or a file name) is that of a segment with this content.
pub fn is_named(name: &str, bytes: &[u8]) -> bool {
    let file = name.rsplit('/').next().unwrap_or(name);
    let claimed = file.strip_suffix(".parquet").and_then(|stem| stem.rsplit('-').next());
    claimed == Some(&Digest::of(bytes).to_string())
}

fn opened<T>(name: &str, bytes: &[u8], read: impl FnOnce(&[u8]) -> Result<T>) -> Result<T> {
    let damaged = || format!("segment {} is damaged", name.escape_debug());
    if !is_named(name, bytes) {
        return Err(Error::store(damaged()).cause("its content does not match the hash in its name"));
    }
    read(bytes).map_err(|error| match error.hint_text().map(str::to_owned) {
        None => Error::store(damaged()).cause(error),
        Some(hint) => {
            let what = format!("segment {} is newer than this meow", name.escape_debug());
            Error::store(what).cause(error).hint(hint)
        }
    })
}

/// Returns where a segment lies below `.meow`: `records/month=2026-11/20261122T101500Z-<writer>-<hash>.parquet`.
/// The month is that of the earliest execution, the time that of sealing.
pub fn place(records: &[Record], writer: &str, sealed_at: Timestamp, bytes: &[u8]) -> String {
    let first = records.iter().map(|record| record.execution.started_at).min().unwrap_or(sealed_at);
    let month = first.to_zoned(TimeZone::UTC).strftime("%Y-%m").to_string();
    let sealed = sealed_at.to_zoned(TimeZone::UTC).strftime("%Y%m%dT%H%M%SZ").to_string();
    format!("{}/month={month}/{sealed}-{writer}-{}.parquet", files::RECORDS, Digest::of(bytes))
}

/// Returns where the segment called `name` lies after some of its records went: writer and time of sealing stay.
///
/// # Errors
/// `name` is no path that [`place`] gives.
pub fn renamed(name: &str, kept: &[Record], bytes: &[u8]) -> Result<String> {
    let wrong = || Error::store(format!("`{}` is no name of a segment", name.escape_debug()));
    let file = name.rsplit('/').next().unwrap_or(name);
    let mut parts = file.splitn(3, '-');
    let (Some(time), Some(writer), Some(_)) = (parts.next(), parts.next(), parts.next()) else { return Err(wrong()) };
    let sealed_at = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%SZ", time)
        .and_then(|time| time.to_zoned(TimeZone::UTC))
        .map_err(|error| wrong().cause(error))?;
    Ok(place(kept, writer, sealed_at.timestamp(), bytes))
}
