//! What an execution costs in git by encoding of the pages and by executions per segment.

use std::fs;
use std::process::Command;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, FixedSizeBinaryArray, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use meow::record::{Digest, Record};
use meow::store::{segment, table};
use parquet::arrow::ArrowSchemaConverter;
use parquet::arrow::arrow_writer::{ArrowWriter, ArrowWriterOptions};
use parquet::basic::{Encoding, Type};
use parquet::file::properties::{EnabledStatistics, WriterProperties};

use super::Outcome;
use super::bytes::json_lines;
use super::replay::{Replay, origin};

type Write = fn(&[Record]) -> Outcome<Vec<u8>>;

/// Executions per segment.
const BATCHES: [usize; 3] = [1, 10, 100];
/// Steps of one execution.
const STEPS: usize = 10;

/// Prints bytes per execution in the checkout and in the pack after `git gc`, one row an encoding; the commits are counted.
pub fn print(replay: &mut Replay, most: usize) -> Outcome<()> {
    let executions: Vec<Vec<Record>> = (0..most).map(|_| replay.next(STEPS)).collect();
    println!("{} executions of up to {STEPS} steps, from {}", executions.len(), origin());
    println!("bytes per execution, checkout / pack after gc, by executions per segment (one commit each)\n");
    println!("{:44} {:>15} {:>15} {:>15}", "", 1, 10, 100);
    let variants: [(&str, &str, Write); 12] = [
        ("segment, as meow writes it", "parquet", |records| Ok(segment::encode(records)?)),
        ("plain", "parquet", |r| parquet(r, Pages { deltas: false, hashes: PLAIN, reals: PLAIN, ..BEST })),
        ("dictionary", "parquet", |r| {
            parquet(r, Pages { dictionary: true, deltas: false, hashes: PLAIN, reals: PLAIN, ..BEST })
        }),
        ("delta integers", "parquet", |r| parquet(r, Pages { hashes: PLAIN, reals: PLAIN, ..BEST })),
        ("the same, hashes as hex text", "parquet", |r| {
            parquet(r, Pages { hashes: PLAIN, reals: PLAIN, hex: true, ..BEST })
        }),
        ("delta integers and hashes", "parquet", |r| parquet(r, Pages { reals: PLAIN, ..BEST })),
        ("delta integers, split doubles", "parquet", |r| parquet(r, Pages { hashes: PLAIN, ..BEST })),
        ("delta integers and hashes, split doubles", "parquet", |r| parquet(r, BEST)),
        ("the same, texts by length", "parquet", |r| {
            parquet(r, Pages { texts: Encoding::DELTA_LENGTH_BYTE_ARRAY, ..BEST })
        }),
        ("the same, texts by shared start", "parquet", |r| parquet(r, Pages { texts: FRONT, ..BEST })),
        ("JSONL", "jsonl", |records| Ok(json_lines(records).into_bytes())),
        ("JSON git note per execution", "note", |records| Ok(json_lines(records).into_bytes())),
    ];
    for (name, ending, write) in variants {
        print!("{name:44}");
        for batch in BATCHES {
            if ending == "note" && batch > 1 {
                print!(" {:>15}", "-");
                continue;
            }
            let (checkout, pack) = measure(&executions, batch, ending, write)?;
            print!(" {:>15}", format!("{checkout} / {pack}"));
        }
        println!();
    }
    Ok(())
}

const PLAIN: Encoding = Encoding::PLAIN;
const FRONT: Encoding = Encoding::DELTA_BYTE_ARRAY;
const SPLIT: Encoding = Encoding::BYTE_STREAM_SPLIT;

/// How the pages of each type are written.
#[derive(Clone, Copy)]
struct Pages {
    dictionary: bool,
    deltas: bool,
    texts: Encoding,
    hashes: Encoding,
    reals: Encoding,
    hex: bool,
}

const BEST: Pages = Pages { dictionary: false, deltas: true, texts: PLAIN, hashes: FRONT, reals: SPLIT, hex: false };

fn parquet(records: &[Record], pages: Pages) -> Outcome<Vec<u8>> {
    let mut batch = table::batch(records)?;
    if pages.hex {
        batch = with_hex(&batch)?;
    }
    let schema = ArrowSchemaConverter::new().convert(&batch.schema())?;
    let mut properties = WriterProperties::builder()
        .set_dictionary_enabled(pages.dictionary)
        .set_statistics_enabled(EnabledStatistics::None)
        .set_offset_index_disabled(true)
        .set_created_by("meow".to_owned());
    for column in schema.columns() {
        let encoding = match column.physical_type() {
            Type::INT32 | Type::INT64 if pages.deltas => Encoding::DELTA_BINARY_PACKED,
            Type::BYTE_ARRAY => pages.texts,
            Type::FIXED_LEN_BYTE_ARRAY => pages.hashes,
            Type::DOUBLE => pages.reals,
            _ => PLAIN,
        };
        properties = properties.set_column_encoding(column.path().clone(), encoding);
    }
    let options = ArrowWriterOptions::new().with_properties(properties.build()).with_skip_arrow_metadata(true);
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new_with_options(&mut bytes, batch.schema(), options)?;
    writer.write(&batch)?;
    writer.close()?;
    Ok(bytes)
}

fn with_hex(batch: &RecordBatch) -> Outcome<RecordBatch> {
    let (mut fields, mut arrays) = (Vec::new(), Vec::<ArrayRef>::new());
    for (field, array) in batch.schema().fields().iter().zip(batch.columns()) {
        if let Some(hashes) = array.as_any().downcast_ref::<FixedSizeBinaryArray>() {
            let text = |hash: &[u8]| Digest::truncated(hash).map_or_else(String::new, |digest| digest.to_string());
            arrays.push(Arc::new(hashes.iter().map(|hash| hash.map(text)).collect::<StringArray>()));
            fields.push(Field::new(field.name(), DataType::Utf8, field.is_nullable()));
        } else {
            arrays.push(Arc::clone(array));
            fields.push(field.as_ref().clone());
        }
    }
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)?)
}

/// Returns bytes per execution: of the files as written, and of the pack after gc.
fn measure(executions: &[Vec<Record>], batch: usize, ending: &str, write: Write) -> Outcome<(usize, usize)> {
    let folder = tempfile::tempdir()?;
    let mut stream = String::new().into_bytes();
    let mut written = 0;
    for (number, group) in executions.chunks(batch).enumerate() {
        let bytes = write(&group.concat())?;
        written += bytes.len();
        let hash = Digest::of(&bytes);
        let path = match ending {
            "note" => {
                let hex = format!("{}{}", hash, &hash.to_string()[..16]);
                format!("{}/{}/{}", &hex[..2], &hex[2..4], &hex[4..])
            }
            _ => format!(".meow/records/month=2026-01/20260101T000000Z-0123456789ab-{hash}.{ending}"),
        };
        let time = 1_763_806_500 + number;
        stream.extend_from_slice(
            format!("commit refs/heads/main\ncommitter a <a@b> {time} +0000\ndata 1\nx\n").as_bytes(),
        );
        stream.extend_from_slice(format!("M 100644 inline {path}\ndata {}\n", bytes.len()).as_bytes());
        stream.extend_from_slice(&bytes);
        stream.push(b'\n');
    }
    let git = |args: &[&str]| -> Outcome<()> {
        let output = Command::new("git").args(args).current_dir(folder.path()).output()?;
        if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned().into()) }
    };
    git(&["init", "--quiet", "--bare"])?;
    let path = folder.path().join("stream");
    fs::write(&path, &stream)?;
    let input = fs::File::open(&path)?;
    let imported = Command::new("git")
        .args(["fast-import", "--quiet", "--force"])
        .current_dir(folder.path())
        .stdin(input)
        .output()?;
    if !imported.status.success() {
        return Err(String::from_utf8_lossy(&imported.stderr).into_owned().into());
    }
    // `-f`: fast-import's own deltas would stay otherwise, and those of people's commits are made by gc.
    git(&["repack", "-adfq"])?;
    git(&["gc", "--quiet", "--prune=now"])?;
    let mut pack = 0;
    for entry in fs::read_dir(folder.path().join("objects/pack"))? {
        let entry = entry?;
        if entry.path().extension().is_some_and(|extension| extension == "pack") {
            pack += usize::try_from(entry.metadata()?.len())?;
        }
    }
    Ok((written / executions.len(), pack / executions.len()))
}
