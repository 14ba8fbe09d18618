//! Beads: work on issues, from their export and the log of their events.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use super::batch::{About, Batch, Try};
use super::{Options, Whole};
use crate::error::Result;
use crate::record::Outcome;

/// How far a recorded close may be from the logged one, once the clocks agree.
const SLACK_S: i64 = 60;
/// Time zones are set in quarters of an hour.
const QUARTER_S: i64 = 15 * 60;

/// A line of `bd export`.
#[derive(Deserialize)]
struct Issue {
    id: String,
    #[serde(rename = "issue_type")]
    kind: String,
    #[serde(rename = "status")]
    _status: String,
    started_at: Option<Timestamp>,
    closed_at: Option<Timestamp>,
    #[serde(default)]
    description: String,
}

/// A line of the events.
#[derive(Deserialize)]
struct Occurrence {
    issue_id: String,
    event_type: String,
    old_value: Option<String>,
    new_value: Option<String>,
    created_at: Timestamp,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Line {
    Occurrence(Occurrence),
    Issue(Issue),
}

/// What a change of status says.
#[derive(Default, Deserialize)]
struct Values {
    status: Option<String>,
    description: Option<String>,
}

/// One time somebody took an issue up.
struct Work {
    began: Timestamp,
    ended: Option<Timestamp>,
    outcome: Outcome,
}

/// The work on one issue so far.
#[derive(Default)]
struct Story {
    open: Option<Timestamp>,
    done: Vec<Work>,
    /// The formula that was attached last, and the one that was attached when work last ended.
    attached: Option<String>,
    worked_by: Option<String>,
}

/// Reads exports and events together: one execution an issue, its step the issue's type, its workflow the attached
/// formula, one attempt each time somebody took it up.
///
/// Work runs from the first `hooked` or `in_progress` to `closed` (passed), or back to `open` (failed: it had to be
/// given out again). Age in the backlog is not work. Where an issue is taken up again without having been given back,
/// the attempt before has no known end. Events carry local time marked as UTC: the offset is found by comparing them
/// with the issues' `closed_at`. An issue that no event mentions counts from `started_at` to `closed_at`.
///
/// # Errors
/// A line is neither an issue nor an event, or the events' clock cannot be set by the issues.
pub(super) fn read(files: &[Whole<'_>], options: &Options<'_>, batch: &mut Batch<'_>) -> Result<()> {
    let (mut issues, mut log) = (BTreeMap::<String, Issue>::new(), Vec::new());
    for file in files {
        let before = issues.len() + log.len();
        for (line, number) in file.text.split_inclusive('\n').zip(1..) {
            if line.trim().is_empty() {
                continue;
            }
            let read = serde_json::from_str(line);
            match read.map_err(|_| file.wrong(format!("line {number} is neither an issue nor an event")))? {
                Line::Occurrence(event) => log.push(event),
                Line::Issue(issue) => {
                    issues.insert(issue.id.clone(), issue);
                }
            }
        }
        if issues.len() + log.len() == before {
            return Err(file.wrong("there is neither an issue nor an event in it"));
        }
    }
    let offset = offset(&log, &issues);
    if let (Some(file), false, None) = (files.last(), log.is_empty(), offset) {
        let wrong = file.wrong("the events' clock cannot be set: too few of their closes match an issue's `closed_at`");
        return Err(wrong.hint("give the export of the same issues too: `meow import beads issues.jsonl events.jsonl`"));
    }
    let mut stories = stories(&log, SignedDuration::from_secs(offset.unwrap_or(0)), batch);
    for issue in issues.values() {
        let story = stories.entry(issue.id.clone()).or_default();
        if let (Some(began), Some(_), true) = (issue.started_at, issue.closed_at, story.done.is_empty()) {
            story.done.push(Work { began, ended: issue.closed_at, outcome: Outcome::Passed });
        }
    }
    for (id, story) in &stories {
        take(id, story, issues.get(id), options, batch);
    }
    Ok(())
}

/// Returns the seconds to add to the events' clock: what most closes agree on.
fn offset(log: &[Occurrence], issues: &BTreeMap<String, Issue>) -> Option<i64> {
    let mut votes = BTreeMap::<i64, usize>::new();
    let mut all = 0;
    for event in log.iter().filter(|event| event.event_type == "closed") {
        let Some(closed) = issues.get(&event.issue_id).and_then(|issue| issue.closed_at) else { continue };
        let apart = closed.as_second() - event.created_at.as_second();
        let quarters = (apart + QUARTER_S / 2).div_euclid(QUARTER_S) * QUARTER_S;
        all += 1;
        if (apart - quarters).abs() <= SLACK_S {
            *votes.entry(quarters).or_default() += 1;
        }
    }
    votes.into_iter().max_by_key(|(_, count)| *count).filter(|(_, count)| count * 2 > all).map(|(offset, _)| offset)
}

fn stories(log: &[Occurrence], offset: SignedDuration, batch: &mut Batch<'_>) -> BTreeMap<String, Story> {
    let mut stories = BTreeMap::<String, Story>::new();
    for event in log {
        let Ok(at) = event.created_at.checked_add(offset) else {
            batch.skip("an event with an impossible time");
            continue;
        };
        let story = stories.entry(event.issue_id.clone()).or_default();
        let new = values(event.new_value.as_ref());
        story.attached = formula(new.description.as_deref().unwrap_or_default()).or(story.attached.take());
        match (event.event_type.as_str(), new.status.as_deref()) {
            ("closed", _) => story.end(Some(at), Outcome::Passed),
            ("status_changed" | "reopened", Some("open")) => story.end(Some(at), Outcome::Failed),
            ("status_changed" | "reopened", Some("hooked" | "in_progress")) => {
                if values(event.old_value.as_ref()).status.as_deref() == Some("open") {
                    story.end(None, Outcome::Cancelled);
                }
                story.open.get_or_insert(at);
            }
            _ => {}
        }
    }
    stories
}

impl Story {
    fn end(&mut self, ended: Option<Timestamp>, outcome: Outcome) {
        if let Some(began) = self.open.take() {
            self.done.push(Work { began, ended, outcome });
            self.worked_by.clone_from(&self.attached);
        }
    }
}

fn take(id: &str, story: &Story, issue: Option<&Issue>, options: &Options<'_>, batch: &mut Batch<'_>) {
    if story.open.is_some() {
        batch.skip("work that had not ended");
    }
    if story.done.is_empty() {
        if story.open.is_none() {
            batch.skip("an issue whose work has no recorded start and end: its age in the backlog is not work");
        }
        return;
    }
    let attached = story.worked_by.clone().or_else(|| issue.and_then(|issue| formula(&issue.description)));
    let workflow = options.workflow.or(attached.as_deref()).unwrap_or("beads");
    let place = batch.execution(id, About { workflow, ..About::default() });
    let step = issue.map_or("issue", |issue| issue.kind.as_str());
    for (work, attempt) in story.done.iter().zip(1..) {
        let took = work.ended.map(|ended| (ended - work.began).total(jiff::Unit::Millisecond).unwrap_or(-1.0));
        batch.attempt(place, &Try { attempt, ..Try::new(step, work.began, took, work.outcome) });
    }
}

/// Values are JSON within the JSON, or plain text.
fn values(text: Option<&String>) -> Values {
    text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
}

fn formula(description: &str) -> Option<String> {
    let mut lines = description.lines();
    lines.find_map(|line| line.strip_prefix("attached_formula:")).map(|name| name.trim().to_owned())
}
