//! Where a week's time went: work that passed, work that was for nothing, and waiting.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use super::{Project, Seen};
use crate::report::losses::{self, Loss, Tally};
use crate::scan::{History, Name};

/// Rows shown; others are summed up.
const ROWS: usize = 12;
const WEEK_MS: i64 = 7 * 24 * 3_600 * 1_000;

/// Seven days.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Week {
    /// When they begin and end: now, or with the last execution where that is longer ago.
    #[serde(flatten)]
    pub seen: Seen,
    /// Executions that began in them.
    pub executions: u64,
    /// Everything together.
    pub spent: Spent,
    /// By repository or step, most first.
    pub rows: Vec<Spending>,
    /// Rows that did not fit.
    pub rows_left_out: u64,
    /// What those spent.
    pub rest: Spent,
}

/// What one repository, or one step, spent.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Spending {
    /// The repository.
    pub repository: String,
    /// The workflow; absent where the row is a whole repository.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workflow: Option<String>,
    /// The step; absent where the row is a whole repository.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// Attempts that passed or failed.
    pub attempts: u64,
    /// How many of them failed.
    pub failed: u64,
    /// The time.
    pub spent: Spent,
}

/// Time in milliseconds, summed over slots.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Spent {
    /// Attempts that passed.
    pub passed_ms: f64,
    /// What was lost.
    #[serde(flatten)]
    pub lost: Loss,
}

impl Spent {
    /// Returns everything together.
    pub fn total_ms(&self) -> f64 {
        self.passed_ms + self.lost.total_ms()
    }

    fn of(tally: &Tally) -> Self {
        Self { passed_ms: tally.passed_ms, lost: tally.lost }
    }

    fn add(&mut self, other: &Self) {
        self.passed_ms += other.passed_ms;
        self.lost.add(&other.lost, 1.0);
    }
}

/// What every step came to in the seven days, told once for all projects.
pub(super) struct Ledger<'a> {
    history: &'a History,
    projects: &'a [Project],
    seen: Seen,
    tallies: BTreeMap<(u32, Name, Name), Tally>,
    /// The project of every repository.
    owner: BTreeMap<u32, usize>,
    /// Executions that began in the week, by project.
    executions: Vec<u64>,
}

impl<'a> Ledger<'a> {
    /// Returns the ledger, or `None` where nothing was executed.
    pub fn of(history: &'a History, projects: &'a [Project], now: Timestamp) -> Option<Self> {
        let seen = span(history, now)?;
        let (from, to) = (seen.first_at.as_millisecond(), seen.last_at.as_millisecond());
        let wanted = |place: usize| (from + 1..=to).contains(&history.executions.started_ms[place]);
        let mut owner = BTreeMap::new();
        let mut executions = vec![0; projects.len()];
        for (at, project) in projects.iter().enumerate() {
            for place in &project.executions {
                owner.insert(history.executions.repository[*place], at);
                executions[at] += u64::from(wanted(*place));
            }
        }
        Some(Self { history, projects, seen, tallies: losses::tally(history, wanted), owner, executions })
    }

    /// Returns the time that every project spent, in milliseconds.
    pub fn by_project(&self) -> Vec<f64> {
        let mut spent = vec![0.0; self.projects.len()];
        for ((repository, ..), tally) in &self.tallies {
            spent[self.owner[repository]] += Spent::of(tally).total_ms();
        }
        spent
    }

    /// Returns where the time of all projects went: by project where there are several, else by step.
    pub fn all(&self) -> Week {
        self.week(|_| true, self.projects.len() == 1)
    }

    /// Returns where the time of one project went, by step.
    pub fn one(&self, project: usize) -> Week {
        self.week(|other| other == project, true)
    }

    fn week(&self, wanted: impl Fn(usize) -> bool, by_step: bool) -> Week {
        let text = |name: Name| self.history.names.text(name);
        let mut rows: BTreeMap<(usize, Option<(Name, Name)>), Spending> = BTreeMap::new();
        let mut sum = Spent::default();
        for ((repository, workflow, step), tally) in &self.tallies {
            let project = self.owner[repository];
            if !wanted(project) {
                continue;
            }
            let names = by_step.then_some((*workflow, *step));
            let row = rows.entry((project, names)).or_insert_with(|| Spending {
                repository: self.projects[project].name.clone(),
                workflow: names.map(|(workflow, _)| text(workflow).to_owned()),
                step: names.map(|(_, step)| text(step).to_owned()),
                attempts: 0,
                failed: 0,
                spent: Spent::default(),
            });
            let spent = Spent::of(tally);
            row.attempts += tally.attempts;
            row.failed += tally.failed;
            row.spent.add(&spent);
            sum.add(&spent);
        }
        let mut rows: Vec<Spending> = rows.into_values().filter(|row| row.spent.total_ms() > 0.0).collect();
        rows.sort_by(|a, b| b.spent.total_ms().total_cmp(&a.spent.total_ms()));
        let mut rest = Spent::default();
        rows.iter().skip(ROWS).for_each(|row| rest.add(&row.spent));
        let (rows, rows_left_out) = super::cut(rows, ROWS);
        let executions = (0..self.projects.len()).filter(|at| wanted(*at)).map(|at| self.executions[at]).sum();
        Week { seen: self.seen, executions, spent: sum, rows, rows_left_out, rest }
    }
}

/// Returns the seven days up to now, or up to the last execution where none began in those.
fn span(history: &History, now: Timestamp) -> Option<Seen> {
    let last = *history.executions.started_ms.last()?;
    let now = now.as_millisecond();
    let to = if last > now || last <= now - WEEK_MS { last } else { now };
    let at = |ms: i64| Timestamp::from_millisecond(ms).ok();
    Some(Seen { first_at: at(to - WEEK_MS)?, last_at: at(to)? })
}
