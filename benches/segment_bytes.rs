//! Measures what an execution costs in git, by encoding of the pages and by executions per segment.
//!
//! `cargo bench --bench segment_bytes -- [ROWS.jsonl.gz] [EXECUTIONS]` prints bytes per execution in the checkout and in the
//! pack after `git gc`, one row an encoding. The rows are real ones where the file is given or
//! `../shared/data/rust_steps.jsonl.gz` is there, else irregular generated ones.
#![expect(clippy::disallowed_methods, clippy::print_stdout, reason = "a measurement writes files, runs git and prints")]
#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "made-up numbers need not be exact"
)]

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, FixedSizeBinaryArray, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use jiff::Timestamp;
use meow::import;
use meow::record::{Attempt, Digest, Execution, ExecutionId, Predicted, Record, Source, grain};
use meow::store::{segment, table};
use parquet::arrow::ArrowSchemaConverter;
use parquet::arrow::arrow_writer::{ArrowWriter, ArrowWriterOptions};
use parquet::basic::{Encoding, Type};
use parquet::file::properties::{EnabledStatistics, WriterProperties};

type Outcome<T> = Result<T, Box<dyn Error>>;
type Write = fn(&[Record]) -> Outcome<Vec<u8>>;

/// Executions per segment.
const BATCHES: [usize; 3] = [1, 10, 100];
/// Steps of one execution.
const STEPS: usize = 10;

fn main() -> Outcome<()> {
    // `cargo bench` adds `--bench`.
    let mut args = std::env::args().skip(1).filter(|arg| arg != "--bench");
    let file = args.next().map_or_else(real_rows, PathBuf::from);
    let most: usize = args.next().map_or(Ok(2_000), |text| text.parse())?;
    let executions = executions(&file, most)?;
    println!("{} executions of up to {STEPS} steps, from {}", executions.len(), file.display());
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

fn real_rows() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/rust_steps.jsonl.gz")
}

/// Returns executions with every column filled as meow's own would be; names and durations are the file's.
fn executions(file: &Path, most: usize) -> Outcome<Vec<Vec<Record>>> {
    let rows = if file.exists() {
        let options = import::Options { workflow: None, branch: &|branch| Some(branch.to_owned()) };
        import::read_rows(fs::File::open(file)?, "rows", &options)?.executions().flatten().collect()
    } else {
        generated(most)
    };
    let mut grouped = BTreeMap::<(Timestamp, ExecutionId), Vec<Record>>::new();
    for row in rows {
        grouped.entry((row.execution.started_at, row.execution.id)).or_default().push(row);
    }
    let mut number = 0_u64;
    Ok(grouped.into_values().take(most).map(|rows| complete(&rows, &mut number)).collect())
}

fn complete(rows: &[Record], number: &mut u64) -> Vec<Record> {
    *number += 1;
    let mut chance = Chance(*number);
    let first = &rows[0].execution;
    let commit = Digest::of(&(*number / 2).to_le_bytes());
    let execution = Arc::new(Execution {
        id: ExecutionId::from_bytes(*Digest::of(&number.to_be_bytes()).bytes()),
        started_at: Timestamp::from_second(
            1_763_806_500 + i64::try_from(*number * 900 + chance.below(800)).unwrap_or(0),
        )
        .expect("in range"),
        trigger: "person".to_owned(),
        machine: Some("linux-x86_64-8c-32g".to_owned()),
        slots: Some(8),
        source: Source {
            commit: Some(commit),
            tree: Some(Digest::of(&[1, chance.below(255) as u8, *number as u8])),
            patch: Some(Digest::of(commit.bytes())),
            range_patch: Some(Digest::of(&[2, chance.below(255) as u8, *number as u8])),
            tracked: (chance.below(3) == 0).then(|| Digest::of(&[3, chance.below(255) as u8, *number as u8])),
            dirty: Some(chance.below(3) == 0),
            branch: Some(if chance.below(2) == 0 {
                "main".to_owned()
            } else {
                Digest::of(&[*number as u8 / 9]).to_string()
            }),
        },
        ..(**first).clone()
    });
    let (mut started, mut previous) = (0, Vec::new());
    // The steps that take longest are the ones that a person would have made steps.
    let mut longest: Vec<&Record> = rows.iter().collect();
    longest.sort_by(|a, b| b.attempt.duration_ms.partial_cmp(&a.attempt.duration_ms).expect("finite"));
    longest.truncate(STEPS);
    longest.sort_by(|a, b| a.attempt.step.cmp(&b.attempt.step));
    let attempts = longest.into_iter().enumerate().map(|(at, row)| {
        let duration = row.attempt.duration_ms.unwrap_or(1.0);
        let near =
            |chance: &mut Chance, share: f64| (duration * share * (0.7 + chance.below(1000) as f64 / 1600.0)) as u64;
        let name: String = row.attempt.step.chars().take_while(|c| *c != '{').filter(|c| *c != ' ').collect();
        let step = format!("{}-{at}", name.to_lowercase());
        let attempt = Attempt {
            ready_ms: Some(started),
            started_ms: started + chance.below(9),
            duration_ms: Some(grain::measured_ms(duration + chance.below(1000) as f64 / 1000.0)),
            exit_code: Some(0),
            user_ms: Some(near(&mut chance, 2.5)),
            system_ms: Some(near(&mut chance, 0.2)),
            peak_memory_bytes: Some((near(&mut chance, 9.0) + 9000) * 4096),
            read_bytes: Some(near(&mut chance, 30_000.0)),
            written_bytes: Some(near(&mut chance, 9_000.0)),
            slot: Some(u32::try_from(chance.below(8)).unwrap_or(0)),
            needs: std::mem::replace(&mut previous, vec![step.clone()]),
            command: Some(Digest::of(step.as_bytes())),
            predicted: Some(Predicted {
                p10_ms: grain::predicted(duration * 0.8),
                p50_ms: grain::predicted(duration),
                p90_ms: grain::predicted(duration * 1.3),
                failure: grain::predicted(0.02),
            }),
            step,
            ..row.attempt.clone()
        };
        started += duration as u64;
        Record { execution: Arc::clone(&execution), attempt }
    });
    let records: Vec<Record> = attempts.collect();
    let wall = Execution { duration_ms: Some(started as f64 + 0.125), ..(*execution).clone() };
    let wall = Arc::new(wall);
    records.into_iter().map(|record| Record { execution: Arc::clone(&wall), attempt: record.attempt }).collect()
}

/// Irregular rows for machines without the real ones.
fn generated(most: usize) -> Vec<Record> {
    let mut chance = Chance(7);
    let mut text = String::new();
    for execution in 0..most {
        for step in 0..STEPS + chance.below(4) as usize {
            let duration = 50 * (step as u64 + 1) * (50 + chance.below(100));
            writeln!(
                text,
                "{{\"execution\":\"{execution}\",\"workflow\":\"ci-{}\",\"step\":\"Step{step} {{\",\"attempt\":1,\
                 \"started_at\":\"2026-01-01T00:00:00Z\",\"duration_ms\":{duration},\"outcome\":\"passed\"}}",
                execution % 5
            )
            .expect("text grows");
        }
    }
    let options = import::Options { workflow: None, branch: &|_| None };
    import::read_rows(text.as_bytes(), "generated", &options).expect("own rows").executions().flatten().collect()
}

/// A small generator (xorshift*, Marsaglia 2003), so that every run measures the same rows.
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(0x1234_5678_9ABC_DEF1);
        let mut x = self.0;
        x ^= x >> 29;
        x = x.wrapping_mul(0xBF58_476D_1CE4_E5B9);
        (x ^ (x >> 32)) % end
    }
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

/// One line an execution, its facts once, its attempts as a list; what is unknown is left out.
fn json_lines(records: &[Record]) -> String {
    let mut text = String::new();
    for own in records.chunk_by(|a, b| a.execution.id == b.execution.id) {
        let mut line = serde_json::to_value(&*own[0].execution).expect("plain");
        line["attempts"] = own.iter().map(|record| serde_json::to_value(&record.attempt).expect("plain")).collect();
        lean(&mut line);
        text += &line.to_string();
        text.push('\n');
    }
    text
}

fn lean(value: &mut serde_json::Value) {
    match value {
        serde_json::Value::Object(map) => {
            map.retain(|_, value| !value.is_null());
            map.values_mut().for_each(lean);
        }
        serde_json::Value::Array(list) => list.iter_mut().for_each(lean),
        _ => {}
    }
}

/// Returns bytes per execution: of the files as written, and of the pack after gc less that of the same commits empty.
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
