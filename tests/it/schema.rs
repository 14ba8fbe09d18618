//! The published contract against the list of columns in the code.

use std::collections::BTreeSet;

use meow::store::columns::{ATTEMPT, EXECUTION};
use meow::store::schema;

use crate::golden::golden;

#[test]
fn schema_files_are_written_from_the_list_of_columns() {
    golden("schema/records.md", &schema::markdown());
    golden("schema/records.json", &schema::json());
}

#[test]
fn schema_names_are_unique_and_every_column_has_a_meaning() {
    let columns = EXECUTION.iter().map(|c| (c.name, c.meaning)).chain(ATTEMPT.iter().map(|c| (c.name, c.meaning)));
    let mut names = BTreeSet::new();
    for (name, meaning) in columns {
        assert!(names.insert(name), "{name} stands twice");
        assert!(meaning.ends_with('.'), "{name}: {meaning}");
    }
    assert!(names.len() > 30);
}
