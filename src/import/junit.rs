//! `JUnit` XML: what test runners report, with the retries of nextest, Surefire and those who repeat a test case.

use std::collections::BTreeMap;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use quick_xml::Reader;
use quick_xml::XmlVersion;
use quick_xml::events::{BytesStart, Event};

use super::batch::{About, Batch, Place, Try};
use super::{Options, Whole};
use crate::error::Result;
use crate::record::{Digest, Outcome};

/// Deeper elements are refused; reports have five levels.
const MAX_DEPTH: usize = 32;

/// A test case while its element is open.
struct Case {
    step: String,
    started_at: Timestamp,
    seconds: Option<f64>,
    failed: bool,
    skipped: bool,
    /// Tries that failed before one passed.
    flaky: Vec<Rerun>,
    /// Tries that failed after the first had failed.
    rerun: Vec<Rerun>,
}

/// One more try at a test case.
struct Rerun {
    started_at: Timestamp,
    seconds: Option<f64>,
}

/// What is known around test cases.
struct Report<'a, 'b> {
    batch: &'a mut Batch<'b>,
    file: &'a Whole<'a>,
    place: Option<Place>,
    /// Start times of the open suites, the innermost last.
    starts: Vec<Timestamp>,
    /// How often a step came up, for runners that repeat the whole test case.
    tries: BTreeMap<String, u32>,
    workflow: String,
    case: Option<Case>,
}

/// Reads a report: one execution, one step per test case (`class::name`), one attempt per try.
///
/// A time without zone is taken as UTC; a test without time of its own starts with its suite, a suite without one when
/// the file was written. Entities that the document declares are not expanded: using one is an error.
///
/// # Errors
/// It is no whole XML document with test suites in it.
pub(super) fn read(file: &Whole<'_>, options: &Options<'_>, batch: &mut Batch<'_>) -> Result<()> {
    let mut reader = Reader::from_str(&file.text);
    let workflow = options.workflow.unwrap_or("tests").to_owned();
    let mut report =
        Report { batch, file, place: None, starts: Vec::new(), tries: BTreeMap::new(), workflow, case: None };
    let mut depth = 0_usize;
    loop {
        let event = reader.read_event().map_err(|error| file.wrong(error))?;
        let outcome = match &event {
            Event::Start(element) => {
                depth += 1;
                if depth > MAX_DEPTH {
                    return Err(file.wrong(format!("elements are more than {MAX_DEPTH} deep")));
                }
                report.open(element)
            }
            Event::Empty(element) => {
                let name = element.name().as_ref().to_owned();
                report.open(element).map(|()| report.close(&name))
            }
            Event::End(element) => {
                depth = depth.saturating_sub(1);
                report.close(element.name().as_ref());
                Ok(())
            }
            Event::Eof if depth > 0 => Err("it ends in the middle".to_owned()),
            Event::Eof if report.place.is_none() => Err("there is no `testsuite` in it".to_owned()),
            Event::Eof => return Ok(()),
            _ => Ok(()),
        };
        outcome.map_err(|cause| file.wrong(cause))?;
    }
}

impl Report<'_, '_> {
    fn open(&mut self, element: &BytesStart<'_>) -> Result<(), String> {
        let name = element.name();
        match name.as_ref() {
            "testsuites" | "testsuite" => self.open_suite(element),
            "testcase" => self.open_case(element),
            "failure" | "error" => {
                if let Some(case) = &mut self.case {
                    case.failed = true;
                }
                Ok(())
            }
            "skipped" => {
                if let Some(case) = &mut self.case {
                    case.skipped = true;
                }
                Ok(())
            }
            "flakyFailure" | "flakyError" | "rerunFailure" | "rerunError" => {
                let given = attributes(element)?;
                let Some(case) = &mut self.case else { return Ok(()) };
                let started_at = moment(given.get("timestamp"))?.unwrap_or(case.started_at);
                let rerun = Rerun { started_at, seconds: seconds(given.get("time"))? };
                if name.as_ref().starts_with("flaky") {
                    case.flaky.push(rerun);
                } else {
                    case.rerun.push(rerun);
                }
                Ok(())
            }
            _ if self.place.is_none() => Err("there is no `testsuite` in it".to_owned()),
            _ => Ok(()),
        }
    }

    fn open_suite(&mut self, element: &BytesStart<'_>) -> Result<(), String> {
        let given = attributes(element)?;
        let around = self.starts.last().copied().unwrap_or(self.file.written_at);
        self.starts.push(moment(given.get("timestamp"))?.unwrap_or(around));
        if self.place.is_none() {
            let key = match given.get("uuid") {
                Some(uuid) => uuid.clone(),
                None => Digest::of(self.file.text.as_bytes()).to_string(),
            };
            let duration_ms = seconds(given.get("time"))?.map(|seconds| seconds * 1000.0);
            let about = About { workflow: &self.workflow, duration_ms, ..About::default() };
            self.place = Some(self.batch.execution(&key, about));
        }
        Ok(())
    }

    fn open_case(&mut self, element: &BytesStart<'_>) -> Result<(), String> {
        if self.place.is_none() {
            return Err("a `testcase` stands outside of a `testsuite`".to_owned());
        }
        let given = attributes(element)?;
        let name = given.get("name").map(String::as_str).unwrap_or_default();
        let step = match given.get("classname").filter(|class| !class.is_empty()) {
            Some(class) if !name.is_empty() => format!("{class}::{name}"),
            _ => name.to_owned(),
        };
        let around = self.starts.last().copied().unwrap_or(self.file.written_at);
        self.case = Some(Case {
            step,
            started_at: moment(given.get("timestamp"))?.unwrap_or(around),
            seconds: seconds(given.get("time"))?,
            failed: false,
            skipped: false,
            flaky: Vec::new(),
            rerun: Vec::new(),
        });
        Ok(())
    }

    fn close(&mut self, name: &str) {
        match name {
            "testsuites" | "testsuite" => {
                self.starts.pop();
            }
            "testcase" => {
                if let Some(case) = self.case.take() {
                    self.take(&case);
                }
            }
            _ => {}
        }
    }

    /// A test that passed in the end is reported by its last try, one that did not by its first.
    fn take(&mut self, case: &Case) {
        if case.skipped && !case.failed {
            return self.batch.skip("a test that was not run");
        }
        let own = Rerun { started_at: case.started_at, seconds: case.seconds };
        let own_outcome = if case.failed { Outcome::Failed } else { Outcome::Passed };
        let before = case.flaky.iter().map(|rerun| (rerun, Outcome::Failed));
        let after = case.rerun.iter().map(|rerun| (rerun, Outcome::Failed));
        for (one, outcome) in before.chain([(&own, own_outcome)]).chain(after) {
            let attempt = self.tries.entry(case.step.clone()).and_modify(|number| *number += 1).or_insert(1);
            let duration_ms = one.seconds.map(|seconds| seconds * 1000.0);
            let one = Try { attempt: *attempt, ..Try::new(&case.step, one.started_at, duration_ms, outcome) };
            if let Some(place) = self.place {
                self.batch.attempt(place, &one);
            }
        }
    }
}

fn attributes(element: &BytesStart<'_>) -> Result<BTreeMap<String, String>, String> {
    let mut found = BTreeMap::new();
    for attribute in element.attributes() {
        let attribute = attribute.map_err(|error| error.to_string())?;
        let name = attribute.key.as_ref().to_owned();
        let wanted = ["name", "classname", "time", "timestamp", "uuid"];
        if wanted.contains(&name.as_str()) {
            let value = attribute.normalized_value(XmlVersion::Implicit1_0).map_err(|error| error.to_string())?;
            found.insert(name, value.into_owned());
        }
    }
    Ok(found)
}

/// Reads seconds; some runners write a comma between thousands.
fn seconds(text: Option<&String>) -> Result<Option<f64>, String> {
    let Some(text) = text.filter(|text| !text.trim().is_empty()) else { return Ok(None) };
    let read = text.trim().replace(',', "").parse::<f64>();
    read.map(Some).map_err(|_| format!("`{}` is no time in seconds", text.escape_debug()))
}

fn moment(text: Option<&String>) -> Result<Option<Timestamp>, String> {
    let Some(text) = text.filter(|text| !text.trim().is_empty()) else { return Ok(None) };
    let zoned = text.trim().parse::<Timestamp>().ok();
    let plain = || text.trim().parse::<DateTime>().ok()?.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp());
    let moment = zoned.or_else(plain).ok_or_else(|| format!("`{}` is no time", text.escape_debug()))?;
    // Far-off moments would overflow what is reckoned from them.
    let near = moment.checked_add(SignedDuration::from_hours(24 * 365)).is_ok();
    Ok(near.then_some(moment))
}
