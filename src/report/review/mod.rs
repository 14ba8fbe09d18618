//! Everything on one page: the last executions, how long they took so far, where the week went, what is flaky and open.
//!
//! The page is bounded however long the history is; what does not fit is counted.

mod flaky;
mod last;
mod past;
mod steps;
mod week;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

pub use flaky::FlakyStep;
pub use last::{Bar, Last};
pub use past::{Mark, Past, Point};
pub use steps::StepReview;
pub use week::{Spending, Spent, Week};

use super::compare::Comparison;
use super::losses::{self, Open, Skipped};
use crate::learn::{Knowledge, Trend, WorkflowPattern};
use crate::plan::{Interval, Odds};
use crate::recommend::Advice;
use crate::record::Outcome;
use crate::scan::{History, Name};

/// Repositories shown in full; a line each stands for others.
const PROJECTS: usize = 12;
/// Repositories with a line.
const LINES: usize = 200;
/// Workflows of one repository, those with the latest execution first.
const WORKFLOWS: usize = 3;
/// Rows of every other list.
const ROWS: usize = 20;

/// The page.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Review {
    /// The version of this form.
    pub schema_version: u32,
    /// When it was made.
    pub made_at: Timestamp,
    /// When the first and the last execution began.
    pub seen: Option<Seen>,
    /// Projects with an execution; clones of one are one.
    pub project_count: u64,
    /// All executions.
    pub total: Counts,
    /// Where the week's time went, by repository where there are several, else by step.
    pub week: Option<Week>,
    /// What the branch changes, where one is compared.
    pub comparison: Option<Comparison>,
    /// The repositories, the one with the most work in the week first.
    pub repositories: Vec<RepositoryReview>,
    /// More repositories, one line each.
    pub others: Vec<RepositoryLine>,
    /// The steps that fail by chance, most often first.
    pub flaky: Vec<FlakyStep>,
    /// Recommendations that are open, most worthwhile first.
    pub recommendations: Vec<Open>,
    /// What was skipped, damaged or absent.
    pub skipped: Vec<Skipped>,
    /// What did not fit.
    pub left_out: LeftOut,
}

/// A span of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Seen {
    /// Its start.
    pub first_at: Timestamp,
    /// Its end.
    pub last_at: Timestamp,
}

/// Executions by how they ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// All.
    pub executions: u64,
    /// Those that passed.
    pub passed: u64,
    /// Those that failed.
    pub failed: u64,
    /// Those that were stopped.
    pub cancelled: u64,
}

/// How many rows did not fit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// Repositories without a line.
    pub repositories: u64,
    /// Flaky steps.
    pub flaky: u64,
    /// Recommendations.
    pub recommendations: u64,
    /// Things that could not be read.
    pub skipped: u64,
}

/// One repository.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RepositoryReview {
    /// How people call it.
    pub repository: String,
    /// Its executions.
    pub total: Counts,
    /// Where its week's time went, by step.
    pub week: Option<Week>,
    /// Its workflows, the latest executed first.
    pub workflows: Vec<WorkflowReview>,
    /// Workflows that did not fit.
    pub workflows_left_out: u64,
}

/// One repository in one line.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RepositoryLine {
    /// How people call it.
    pub repository: String,
    /// Its executions.
    pub total: Counts,
    /// When the last of them began.
    pub last_at: Timestamp,
}

/// One workflow.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WorkflowReview {
    /// Its name.
    pub workflow: String,
    /// Its executions.
    pub total: Counts,
    /// The wall time of passed executions, in milliseconds.
    pub duration_ms: Option<Interval>,
    /// The odds that an execution fails.
    pub failure: Option<Odds>,
    /// Its last execution.
    pub last: Last,
    /// How long executions took so far.
    pub past: Past,
    /// Its steps, the longest first.
    pub steps: Vec<StepReview>,
    /// Steps that did not fit.
    pub steps_left_out: u64,
}

/// What a review is made of.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// What is recorded.
    pub history: &'a History,
    /// What it teaches.
    pub knowledge: &'a Knowledge,
    /// What changed in it.
    pub trends: &'a [Trend],
    /// What is recommended and not decided.
    pub advice: &'a [Advice],
    /// Now.
    pub now: Timestamp,
}

/// Returns the page; the comparison of a branch is handed in where there is one.
pub fn review(source: &Source, comparison: Option<Comparison>) -> Review {
    let history = source.history;
    let projects = projects(history);
    let several = projects.len() > 1;
    let ledger = week::Ledger::of(history, &projects, source.now);
    let spent = ledger.as_ref().map_or_else(|| vec![0.0; projects.len()], week::Ledger::by_project);
    let mut parts: Vec<usize> = (0..projects.len()).collect();
    let newest = |at: usize| projects[at].executions.last().copied();
    parts.sort_by(|a, b| spent[*b].total_cmp(&spent[*a]).then_with(|| newest(*b).cmp(&newest(*a))));
    let shown = &parts[..parts.len().min(PROJECTS)];
    let lines = &parts[shown.len()..parts.len().min(PROJECTS + LINES)];
    let (flaky, more_flaky) = cut(flaky::steps(source.knowledge, &projects), ROWS);
    let (recommendations, more_advice) = cut(losses::open(source.advice), ROWS);
    let (skipped, more_skipped) = cut(losses::skipped(history), ROWS);
    let all: Vec<usize> = (0..history.executions.len()).collect();
    Review {
        schema_version: 1,
        made_at: source.now,
        seen: all
            .first()
            .zip(all.last())
            .map(|(first, last)| Seen { first_at: began(history, *first), last_at: began(history, *last) }),
        project_count: projects.len() as u64,
        total: counts(history, &all),
        week: ledger.as_ref().map(week::Ledger::all),
        comparison,
        repositories: shown
            .iter()
            .map(|at| repository(source, &projects[*at], several, ledger.as_ref().map(|ledger| ledger.one(*at))))
            .collect(),
        others: lines.iter().map(|at| line(history, &projects[*at])).collect(),
        flaky,
        recommendations,
        skipped,
        left_out: LeftOut {
            repositories: (parts.len() - shown.len() - lines.len()) as u64,
            flaky: more_flaky,
            recommendations: more_advice,
            skipped: more_skipped,
        },
    }
}

/// Clones of one project are one project.
#[derive(Debug)]
struct Project {
    /// Its id, by which patterns know it.
    id: String,
    /// How people call the first of its repositories.
    name: String,
    /// Its executions, oldest first.
    executions: Vec<usize>,
}

/// Returns the projects that have an execution, by the place of their first repository.
fn projects(history: &History) -> Vec<Project> {
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    let mut projects: Vec<Project> = Vec::new();
    let mut of: Vec<usize> = Vec::new();
    for (repository, facts) in (0_u32..).zip(&history.repositories) {
        let id = crate::learn::state::project(history, repository);
        of.push(*places.entry(id.clone()).or_insert_with(|| {
            projects.push(Project { id, name: facts.name.clone(), executions: Vec::new() });
            projects.len() - 1
        }));
    }
    for (place, repository) in history.executions.repository.iter().enumerate() {
        projects[of[*repository as usize]].executions.push(place);
    }
    projects.retain(|project| !project.executions.is_empty());
    projects
}

fn repository(source: &Source, project: &Project, several: bool, week: Option<Week>) -> RepositoryReview {
    let history = source.history;
    let mut by_workflow: BTreeMap<Name, Vec<usize>> = BTreeMap::new();
    for place in &project.executions {
        by_workflow.entry(history.executions.workflow[*place]).or_default().push(*place);
    }
    let mut workflows: Vec<(Name, Vec<usize>)> = by_workflow.into_iter().collect();
    workflows.sort_by_key(|(_, places)| std::cmp::Reverse(places.last().copied()));
    let left = workflows.len().saturating_sub(WORKFLOWS) as u64;
    workflows.truncate(WORKFLOWS);
    RepositoryReview {
        repository: project.name.clone(),
        total: counts(history, &project.executions),
        // Over a single repository the page's own week says the same.
        week: week.filter(|_| several),
        workflows: workflows
            .into_iter()
            .map(|(name, places)| workflow(source, project, name, &places, several))
            .collect(),
        workflows_left_out: left,
    }
}

fn workflow(source: &Source, project: &Project, name: Name, places: &[usize], several: bool) -> WorkflowReview {
    let history = source.history;
    let text = history.names.text(name);
    let is_own = |pattern: &&WorkflowPattern| pattern.project == project.id && pattern.workflow == text;
    let pattern = source.knowledge.workflows.values().find(is_own);
    let whole: Vec<usize> = places.iter().copied().filter(|place| !history.is_partial(*place)).collect();
    let whole = if whole.is_empty() { places } else { &whole };
    let past = past::past(
        history,
        whole,
        several,
        |trend| trend.workflow == text && trend.repository == project.name,
        source.trends,
    );
    let (steps, steps_left_out) = cut(
        pattern.map_or_else(Vec::new, |pattern| steps::steps(history, pattern, whole, past.machine.as_deref())),
        ROWS,
    );
    WorkflowReview {
        workflow: text.to_owned(),
        total: counts(history, places),
        duration_ms: pattern.and_then(|pattern| pattern.duration_ms),
        failure: pattern.and_then(|pattern| pattern.failure),
        last: last::last(history, whole[whole.len() - 1]),
        past,
        steps,
        steps_left_out,
    }
}

fn line(history: &History, project: &Project) -> RepositoryLine {
    RepositoryLine {
        repository: project.name.clone(),
        total: counts(history, &project.executions),
        last_at: project.executions.last().map_or(Timestamp::UNIX_EPOCH, |last| began(history, *last)),
    }
}

fn counts(history: &History, places: &[usize]) -> Counts {
    let mut counts = Counts::default();
    for place in places {
        counts.executions += 1;
        match history.executions.outcome[*place] {
            Outcome::Passed => counts.passed += 1,
            Outcome::Failed => counts.failed += 1,
            Outcome::Cancelled => counts.cancelled += 1,
        }
    }
    counts
}

fn began(history: &History, place: usize) -> Timestamp {
    Timestamp::from_millisecond(history.executions.started_ms[place]).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// Returns the first `most` and how many more there are.
fn cut<T>(mut rows: Vec<T>, most: usize) -> (Vec<T>, u64) {
    let more = rows.len().saturating_sub(most) as u64;
    rows.truncate(most);
    (rows, more)
}
