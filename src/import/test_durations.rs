//! pytest-split's `.test_durations`: how long each test took when it was last measured.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::batch::{About, Batch, Try};
use super::{Options, Whole};
use crate::error::Result;
use crate::record::{Digest, Outcome};

/// The file is a map; pytest-split before 0.6 wrote a list of pairs.
#[derive(Deserialize)]
#[serde(untagged)]
enum Durations {
    Map(BTreeMap<String, f64>),
    Pairs(Vec<(String, f64)>),
}

/// The version of a file that an execution stands for.
pub(super) struct Revision<'a> {
    pub key: &'a str,
    pub commit: Option<Digest>,
}

/// Seconds by test.
pub(super) type Measured = BTreeMap<String, f64>;

/// Returns the seconds of each test.
///
/// # Errors
/// It is no such file.
pub(super) fn parse(file: &Whole<'_>) -> Result<Measured> {
    Ok(match serde_json::from_str(&file.text).map_err(|error| file.wrong(error))? {
        Durations::Map(map) => map,
        Durations::Pairs(pairs) => pairs.into_iter().collect(),
    })
}

/// Reads a file: one execution, one step a test. The file does not say when, so it is when it was written.
///
/// # Errors
/// It is no such file.
pub(super) fn read(file: &Whole<'_>, options: &Options<'_>, batch: &mut Batch<'_>) -> Result<()> {
    let key = Digest::of(file.text.as_bytes()).to_string();
    take(&parse(file)?, &Measured::new(), &Revision { key: &key, commit: None }, file, options, batch);
    Ok(())
}

/// Takes what was measured anew: a test keeps its number, digit by digit, until it is measured again.
pub(super) fn take(
    now: &Measured,
    before: &Measured,
    revision: &Revision<'_>,
    file: &Whole<'_>,
    options: &Options<'_>,
    batch: &mut Batch<'_>,
) {
    let anew =
        |(test, seconds): &(&String, &f64)| before.get(*test).map(|old| old.to_bits()) != Some(seconds.to_bits());
    let mut place = None;
    for entry in now {
        if !anew(&entry) {
            batch.skip("a test that this revision did not measure anew");
            continue;
        }
        let about =
            About { workflow: options.workflow.unwrap_or("tests"), commit: revision.commit, ..About::default() };
        let place = *place.get_or_insert_with(|| batch.execution(revision.key, about));
        let (test, seconds) = entry;
        batch.attempt(place, &Try::new(test, file.written_at, Some(seconds * 1000.0), Outcome::Passed));
    }
}
