//! What is promised of the format: newer columns are ignored, absent ones unknown, newer versions refused and never touched,
//! and every released version is read for ever (`tests/museum`).

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{Int32Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema};
use meow::learn::WorkflowPattern;
use meow::recommend::Action;
use meow::record::Record;
use meow::store::columns::EDITION;
use meow::store::journal::{self, Journal};
use meow::store::removal::Removal;
use meow::store::{self, segment, table};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use serde_json::Value;

use crate::space::Space;
use crate::store::{attempt, execution};

/// Returns a batch as a segment of a version, as some other meow would write it.
fn written(batch: &RecordBatch, format: u32, by: &str) -> Vec<u8> {
    let pair = KeyValue::new("meow.format".to_owned(), format.to_string());
    let properties = WriterProperties::builder()
        .set_dictionary_enabled(false)
        .set_created_by(by.to_owned())
        .set_key_value_metadata(Some(vec![pair]))
        .build();
    let options = ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true);
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new_with_options(&mut bytes, batch.schema(), options).expect("a writer");
    writer.write(batch).and_then(|()| writer.close()).expect("written");
    bytes
}

/// Returns a batch with one more column, in front of the others.
fn with_more(batch: &RecordBatch) -> RecordBatch {
    let mood = Field::new("mood", DataType::Int32, true);
    let schema = batch.schema();
    let fields = std::iter::once(Arc::new(mood)).chain(schema.fields().iter().cloned());
    let mut columns: Vec<arrow::array::ArrayRef> = vec![Arc::new(Int32Array::from(vec![Some(7); batch.num_rows()]))];
    columns.extend(batch.columns().iter().cloned());
    RecordBatch::try_new(Arc::new(Schema::new(fields.collect::<Vec<_>>())), columns).expect("a batch")
}

/// Returns a batch without a column.
fn without(batch: &RecordBatch, name: &str) -> RecordBatch {
    let kept: Vec<usize> = (0..batch.num_columns()).filter(|at| batch.schema().field(*at).name() != name).collect();
    assert_eq!(kept.len() + 1, batch.num_columns());
    batch.project(&kept).expect("a batch")
}

fn records(executions: std::ops::Range<u8>) -> Vec<Record> {
    let of = |seed: u8| {
        let execution = Arc::new(execution(seed));
        (0..4).map(move |step| Record { execution: Arc::clone(&execution), attempt: attempt(step) })
    };
    executions.flat_map(of).collect()
}

#[test]
fn versions_newer_columns_are_ignored_and_absent_ones_unknown() {
    let given = records(1..3);
    let batch = table::batch(&given).expect("a batch");
    let more = written(&with_more(&batch), segment::FORMAT, "meow 0.9.0");
    assert_eq!(segment::decode(&more).expect("read"), given);
    assert!(segment::has_more(&more) && !segment::has_more(&written(&batch, segment::FORMAT, "meow")));

    let fewer = segment::decode(&written(&without(&batch, "slots"), segment::FORMAT, "meow")).expect("read");
    assert!(fewer.iter().all(|record| record.execution.slots.is_none()));
    assert_eq!(fewer[0].attempt, given[0].attempt);
    let error = segment::decode(&written(&without(&batch, "step"), segment::FORMAT, "meow")).expect_err("no step");
    assert!(error.to_string().contains("`step` is missing"), "{error}");
    // Whatever was written before the first released version.
    assert_eq!(segment::decode(&written(&batch, 0, "meow")).expect("read"), given);
}

#[test]
fn versions_a_newer_format_is_refused_in_words() {
    let batch = table::batch(&records(1..2)).expect("a batch");
    let bytes = written(&batch, segment::FORMAT + 1, "meow 7.1.0");
    let place = segment::place(&records(1..2), "0123456789ab", jiff::Timestamp::UNIX_EPOCH, &bytes);
    let error = segment::open(&place, &bytes).expect_err("newer");
    let said = format!("{error}");
    let wanted = format!("has format {}, which meow 7.1.0 and later read", segment::FORMAT + 1);
    assert!(said.contains(&wanted) && said.contains("is newer than this meow") && !said.contains("damaged"), "{said}");
    assert!(error.hint_text().is_some_and(|hint| hint.starts_with("update meow")));
}

#[test]
fn versions_an_old_meow_never_writes_newer_data_anew() {
    let space = Space::repository();
    let batch = |seed: u8| table::batch(&records(seed..seed + 1)).expect("a batch");
    let newer = [
        (2, written(&with_more(&batch(2)), segment::FORMAT, "meow 7.1.0")),
        (3, written(&with_more(&batch(3)), segment::FORMAT + 1, "meow 8.0.0")),
    ];
    let add = |seed: u8, bytes: &[u8]| -> PathBuf {
        let given = records(seed..seed + 1);
        let place = segment::place(&given, "0123456789ab", given[0].execution.started_at, bytes);
        let file = space.root().join(".meow").join(place);
        std::fs::create_dir_all(file.parent().expect("a folder")).expect("folders");
        std::fs::write(&file, bytes).expect("written");
        file
    };
    add(1, &segment::encode(&records(1..2)).expect("encoded"));
    let files: Vec<PathBuf> = newer.iter().map(|(seed, bytes)| add(*seed, bytes)).collect();
    space.git(&["add", "."]);
    space.git(&["commit", "--quiet", "--message=records"]);

    let said = space.meow(&["log"]);
    assert!(said.code == 0 && said.err.contains("is newer than this meow"), "{said:?}");
    let id = execution(2).id.to_string();
    let said = space.meow(&["purge", &id]);
    assert!(said.code == 0 && said.err.contains("no longer read, but stays"), "{said:?}");
    let said = space.meow(&["store", "prune", "--before", "2100-01-01"]);
    assert!(said.code == 0 && said.out.contains("1 segment with 4 records pruned"), "{said:?}");
    assert_eq!(said.err.matches("stays: ").count(), 2, "{said:?}");
    for command in ["learn", "commit", "fold", "status", "report", "push"] {
        let said = space.meow(&[command]);
        assert!((0..=3).contains(&said.code), "{command}: {said:?}");
    }
    for (file, (_, bytes)) in files.iter().zip(&newer) {
        assert_eq!(&std::fs::read(file).expect("still there"), bytes);
    }
    assert_eq!(space.git(&["ls-tree", "-r", "--name-only", "HEAD", ".meow/records"]).lines().count(), 2);
    assert_eq!(space.git(&["status", "--porcelain", ".meow/records"]), "");
    let said = space.meow(&["log", "--json"]);
    assert!(said.code == 0 && !said.out.contains(&id), "{said:?}");
}

fn museum() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/museum")
}

/// Returns the folder of a version of the format with an edition of its columns.
fn exhibit(format: u32, edition: u32) -> String {
    if (format, edition) == (1, 1) { "format-1".to_owned() } else { format!("format-{format}-columns-{edition}") }
}

/// A later edition's column costs nobody anything who does not use it: such records are written as ever.
#[test]
fn versions_what_lacks_a_later_column_is_written_as_the_first_meow_wrote_it() {
    let segments = store::segments(&museum().join("format-1/meow")).expect("segments");
    assert_eq!(segments.len(), 2);
    for segment in segments {
        let written = std::fs::read(&segment.path).expect("read");
        let records = segment.records().expect("records");
        assert!(segment::encode(&records).expect("encoded") == written, "{}", segment.path.display());
        let mut more = records;
        more[0].attempt.inputs = Some(meow::record::Digest::of(b"inputs"));
        let bytes = segment::encode(&more).expect("encoded");
        assert!(bytes != written);
        assert_eq!(segment::decode(&bytes).expect("decoded"), more);
    }
}

/// Writes the store of today's format, once: `cargo test museum_is_written -- --ignored`.
#[test]
#[ignore = "writes tests/museum; run once for each released format"]
fn museum_is_written() {
    let folder = museum().join(exhibit(segment::FORMAT, EDITION));
    assert!(!folder.exists(), "{} is there: what was released is never written anew", folder.display());
    let meow = folder.join("meow");
    let at = execution(1).started_at;
    for part in [1..3, 3..5] {
        store::add(&meow, &records(part), "0123456789ab", at).expect("added");
    }
    let pattern = WorkflowPattern { workflow: "workflow-1".to_owned(), executions: 7, ..WorkflowPattern::default() };
    store::put(&meow, "patterns", "workflow-1", &pattern).expect("put");
    let action = Action { workflow: "workflow-1".to_owned(), at, step: Some("step 1".to_owned()), ..Action::default() };
    store::put(&meow, "actions", "20251122T101601Z-0123456789ab", &action).expect("put");
    let ids = records(4..5).iter().map(Record::id).collect();
    for removal in Removal::purge(at, &ids) {
        store::put(&meow, "actions", &removal.id().expect("an id"), &removal).expect("put");
    }
    let journal = Journal::create(&folder, &execution(5)).expect("created");
    for record in records(5..6) {
        journal.append(&record.attempt).expect("appended");
    }
    journal.close(&execution(5)).expect("closed");
    let facts = serde_json::to_string_pretty(&facts(&records(1..6))).expect("JSON");
    std::fs::write(folder.join("facts.json"), facts + "\n").expect("written");
}

/// Returns everything that records say.
fn facts(records: &[Record]) -> Vec<Value> {
    let fact = |record: &Record| serde_json::json!({ "execution": &*record.execution, "attempt": &record.attempt });
    records.iter().map(fact).collect()
}

/// Returns whether `now` still says what was said `then`; it may say more.
fn says(then: &Value, now: &Value) -> bool {
    match (then, now) {
        (Value::Object(then), Value::Object(now)) => {
            then.iter().all(|(key, value)| now.get(key).is_some_and(|now| says(value, now)))
        }
        (then, now) => then == now,
    }
}

#[test]
fn museum_of_every_format_is_read() {
    let today = exhibit(segment::FORMAT, EDITION);
    assert!(museum().join(&today).exists(), "{today} is not in the museum");
    let exhibits = std::fs::read_dir(museum()).expect("the museum").map(|entry| entry.expect("an entry").path());
    for folder in exhibits {
        let format = folder.file_name().expect("a name").display().to_string();
        let facts_then: Vec<Value> =
            serde_json::from_slice(&std::fs::read(folder.join("facts.json")).expect("facts")).expect("JSON");
        let mut found = Vec::new();
        for segment in store::segments(&folder.join("meow")).expect("segments") {
            found.extend(segment.records().expect("read"));
        }
        let journals = std::fs::read_dir(&folder).expect("a folder").map(|entry| entry.expect("an entry").path());
        for path in journals.filter(|path| path.extension().is_some_and(|ending| ending == "journal")) {
            let content = journal::read(&path).expect("read");
            assert!(content.closed && content.torn == 0);
            found.extend(content.records());
        }
        let facts_now = facts(&found);
        assert_eq!(facts_then.len(), 20, "{format}");
        assert_eq!(facts_now.len(), facts_then.len(), "{format}");
        for fact in &facts_then {
            assert!(facts_now.iter().any(|now| says(fact, now)), "{format} lost {fact}");
        }
        // And as a repository: one execution of the four is purged.
        let space = Space::repository();
        let (from, to) = (folder.join("meow"), space.root().join(".meow"));
        let copied = std::process::Command::new("cp").arg("-r").arg(from).arg(to).status();
        assert!(copied.expect("cp").success());
        space.git(&["add", "."]);
        space.git(&["commit", "--quiet", "--message=museum"]);
        let log: Value = serde_json::from_str(&space.meow_ok(&["log", "--json"])).expect("JSON");
        assert_eq!(log["executions"].as_array().expect("a list").len(), 3, "{format}");
        let verified: Value = serde_json::from_str(&space.meow_ok(&["store", "verify", "--json"])).expect("JSON");
        assert!(verified["damaged"].as_array().expect("a list").is_empty(), "{format}: {verified}");
        let pattern = store::get::<WorkflowPattern>(&space.root().join(".meow"), "patterns", "workflow-1");
        assert_eq!(pattern.expect("read").expect("there").executions, 7, "{format}");
        let action = store::get::<Action>(&space.root().join(".meow"), "actions", "20251122T101601Z-0123456789ab");
        assert_eq!(action.expect("read").expect("there").step.as_deref(), Some("step 1"), "{format}");
        let bytes: u64 = walked(&folder).iter().map(|path| path.metadata().expect("a file").len()).sum();
        assert!(bytes < 60_000, "{format} takes {bytes} bytes");
    }
}

fn walked(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    entries.flat_map(|path| if path.is_dir() { walked(&path) } else { vec![path] }).collect()
}
