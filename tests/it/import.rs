//! `meow import jsonl`: real histories in, once.

use std::collections::BTreeSet;
use std::path::Path;

use meow::record::Record;
use meow::store::segments;

use crate::space::Space;

const ROWS: &str = r#"{"execution":"1","workflow":"ci","step":"build","attempt":1,"started_at":"2026-01-31T23:59:59.000Z","duration_ms":1500,"outcome":"passed","branch":"topic"}
{"execution":"1","workflow":"ci","step":"test","attempt":1,"started_at":"2026-02-01T00:00:01.000Z","duration_ms":null,"outcome":"failed","branch":"topic"}
{"execution":"2","workflow":"ci","step":"build","attempt":1,"started_at":"2026-02-02T00:00:00.000Z","duration_ms":1,"outcome":"passed","branch":"main"}
"#;

fn records(space: &Space) -> Vec<Record> {
    let segments = segments(&space.root().join(".meow")).expect("segments");
    segments.iter().flat_map(|segment| segment.records().expect("whole")).collect()
}

#[test]
fn import_takes_each_row_once() {
    let space = Space::repository();
    space.write("rows.jsonl", ROWS);
    let said = space.meow_ok(&["import", "jsonl", "rows.jsonl", "--dry-run"]);
    assert!(said.contains("3 records of 2 executions; 0 known already; 3 would be taken"), "{said}");
    assert!(!space.has(".meow"), "a dry run writes nothing");
    let said = space.meow(&["import", "jsonl", "rows.jsonl"]);
    assert!(said.out.contains("3 taken into 2 segments"), "{said:?}");
    assert!(said.err.contains("meow commit"), "{said:?}");
    let first = records(&space);
    assert_eq!(first.len(), 3);
    let branches: BTreeSet<_> = first.iter().filter_map(|record| record.execution.source.branch.clone()).collect();
    assert!(branches.contains("main") && !branches.contains("topic") && branches.len() == 2, "{branches:?}");
    let said = space.meow_ok(&["import", "jsonl", "rows.jsonl"]);
    assert!(said.contains("3 known already; 0 taken"), "{said}");
    assert_eq!(records(&space), first);
    let more = ROWS.replace(r#""execution":"2""#, r#""execution":"3""#);
    space.write("rows.jsonl", &more);
    let said = space.meow_ok(&["import", "jsonl", "rows.jsonl"]);
    assert!(said.contains("2 known already; 1 taken into 1 segment"), "{said}");
}

#[test]
fn import_leaves_out_a_row_that_runs_backwards_and_says_so() {
    let space = Space::repository();
    space.write("rows.jsonl", &ROWS.replace("1500", "-1500"));
    let said = space.meow_ok(&["import", "jsonl", "rows.jsonl"]);
    assert!(said.contains("2 records of 2 executions; 0 known already; 2 taken"), "{said}");
    assert!(said.contains("skipped 1: ends before it starts"), "{said}");
    assert_eq!(records(&space).len(), 2);
}

#[test]
fn import_of_a_wrong_file_takes_nothing() {
    let space = Space::repository();
    for (text, named) in [
        (
            ROWS.replace(r#""attempt":1,"started_at":"2026-02-02"#, r#""attempt":0,"started_at":"2026-02-02"#),
            "rows.jsonl:3",
        ),
        (ROWS[..ROWS.len() - 40].to_owned(), "rows.jsonl:3"),
        ("\u{1f}\u{8b}".to_owned(), "rows.jsonl:1"),
    ] {
        space.write("rows.jsonl", &text);
        let said = space.meow(&["import", "jsonl", "rows.jsonl"]);
        assert_eq!(said.code, 2, "{said:?}");
        assert!(said.err.contains(named), "{said:?}");
        assert!(!space.has(".meow"));
    }
    assert_eq!(space.meow(&["import", "jsonl", "absent.jsonl"]).code, 2);
    let outside = Space::empty();
    outside.write("rows.jsonl", ROWS);
    let said = outside.meow(&["import", "jsonl", "rows.jsonl"]);
    assert_eq!(said.code, 2);
    assert!(said.err.contains("git init"), "{said:?}");
}

#[test]
fn import_of_real_histories() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    for (file, rows, executions) in [("julia_jobs", 3_969, None), ("sizey", 8_901, Some(8_901))] {
        let path = data.join(format!("{file}.jsonl.gz"));
        if !path.exists() {
            println!("skipped: {} is absent", path.display());
            continue;
        }
        let space = Space::repository();
        let path = path.to_str().expect("text");
        let said = space.meow_ok(&["import", "jsonl", path]);
        assert!(said.contains(&format!("{rows} records")) && said.contains(&format!("{rows} taken")), "{said}");
        let found = records(&space);
        assert_eq!(found.iter().map(Record::id).collect::<BTreeSet<_>>().len(), rows);
        if let Some(executions) = executions {
            assert!(said.contains(&format!("of {executions} executions")), "{said}");
        }
        let said = space.meow_ok(&["import", "jsonl", path]);
        assert!(said.contains("; 0 taken"), "{said}");
    }
}
