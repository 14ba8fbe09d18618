//! What an import finds, kept small: executions, their attempts, and what was left out and why.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use jiff::Timestamp;

use crate::record::{Attempt, Digest, Execution, ExecutionId, Outcome, Record, Source};

/// Stands for an absent number in a [`Row`].
const ABSENT: u32 = u32::MAX;

/// What is known of one try, as a reader of a format hands it over.
#[derive(Debug, Clone)]
pub(crate) struct Try<'a> {
    pub step: &'a str,
    pub attempt: u32,
    pub started_at: Timestamp,
    pub duration_ms: Option<f64>,
    pub outcome: Outcome,
    pub inputs_bytes: Option<u64>,
    pub metrics: &'a [(&'a str, f64)],
    pub detail: Detail,
    /// The line it stood on, for errors; 0 where there are no lines.
    pub line: u32,
}

/// What only some formats know of a try.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Detail {
    pub ready_at: Option<Timestamp>,
    pub exit_code: Option<i32>,
    pub timed_out: bool,
    pub peak_memory_bytes: Option<u64>,
    pub read_bytes: Option<u64>,
    pub written_bytes: Option<u64>,
}

impl<'a> Try<'a> {
    /// Returns a first try with nothing else known.
    pub fn new(step: &'a str, started_at: Timestamp, duration_ms: Option<f64>, outcome: Outcome) -> Self {
        let detail = Detail::default();
        Self { step, attempt: 1, started_at, duration_ms, outcome, inputs_bytes: None, metrics: &[], detail, line: 0 }
    }
}

/// What is known of an execution.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct About<'a> {
    pub workflow: &'a str,
    pub machine: Option<&'a str>,
    pub commit: Option<Digest>,
    pub branch: Option<&'a str>,
    /// Wall time where the source says it; else from the first start to the last end.
    pub duration_ms: Option<f64>,
}

/// An execution of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Place(u32);

/// One execution: 80 bytes, texts by number.
struct Run {
    id: ExecutionId,
    workflow: u32,
    machine: u32,
    branch: u32,
    commit: Option<Digest>,
    duration_ms: f64,
    first_ms: i64,
}

/// One try: 72 bytes, texts by number. A million [`Attempt`]s would be a thousand times a megabyte.
pub(super) struct Row {
    run: u32,
    pub(super) step: u32,
    attempt: u32,
    line: u32,
    started_ms: i64,
    duration_ms: f64,
    inputs_bytes: u64,
    pub(super) metrics: u32,
    pub(super) metric_count: u32,
    detail: Option<Box<Detail>>,
    outcome: Outcome,
}

/// What an import finds while it reads.
pub(crate) struct Batch<'a> {
    format: &'static str,
    branch: &'a dyn Fn(&str) -> Option<String>,
    branches: HashMap<String, u32>,
    texts: Texts,
    places: HashMap<ExecutionId, u32>,
    runs: Vec<Run>,
    rows: Vec<Row>,
    metrics: Vec<(u32, f64)>,
    skipped: BTreeMap<&'static str, u64>,
}

/// Texts that stand for a number each.
#[derive(Default)]
pub(super) struct Texts {
    pub(super) numbers: HashMap<Arc<str>, u32>,
    pub(super) texts: Vec<Arc<str>>,
}

impl Texts {
    fn number(&mut self, text: &str) -> u32 {
        if let Some(number) = self.numbers.get(text) {
            return *number;
        }
        let text: Arc<str> = Arc::from(text);
        let number = self.add(Arc::clone(&text));
        self.numbers.insert(text, number);
        number
    }

    /// Returns the number of a text that nobody looks up.
    pub(super) fn add(&mut self, text: Arc<str>) -> u32 {
        self.texts.push(text);
        u32::try_from(self.texts.len() - 1).expect("fewer than 2^32 texts fit into memory")
    }

    fn get(&self, number: u32) -> Option<String> {
        (number != ABSENT).then(|| self.texts[number as usize].to_string())
    }
}

impl<'a> Batch<'a> {
    /// Returns an empty batch; a branch is kept as what `branch` makes of it.
    pub fn new(format: &'static str, branch: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self {
            format,
            branch,
            branches: HashMap::new(),
            texts: Texts::default(),
            places: HashMap::new(),
            runs: Vec::new(),
            rows: Vec::new(),
            metrics: Vec::new(),
            skipped: BTreeMap::new(),
        }
    }

    /// Returns the execution that its source calls `key`. What is said of it in two ways is unknown.
    pub fn execution(&mut self, key: &str, about: About<'_>) -> Place {
        let id = ExecutionId::imported(self.format, key, about.workflow);
        let machine = about.machine.map_or(ABSENT, |machine| self.texts.number(machine));
        let branch = self.branch_number(about.branch);
        if let Some(place) = self.places.get(&id) {
            let run = &mut self.runs[*place as usize];
            if run.machine != machine {
                run.machine = ABSENT;
            }
            if run.branch != branch {
                run.branch = ABSENT;
            }
            run.commit = run.commit.filter(|known| Some(*known) == about.commit);
            return Place(*place);
        }
        let place = u32::try_from(self.runs.len()).expect("fewer than 2^32 executions fit into memory");
        self.runs.push(Run {
            id,
            workflow: self.texts.number(about.workflow),
            machine,
            branch,
            commit: about.commit,
            duration_ms: about.duration_ms.filter(|ms| ms.is_finite() && *ms >= 0.0).unwrap_or(f64::NAN),
            first_ms: i64::MAX,
        });
        self.places.insert(id, place);
        Place(place)
    }

    /// Hashing a branch reads a key from disk, so each is hashed once.
    fn branch_number(&mut self, branch: Option<&str>) -> u32 {
        let Some(branch) = branch else { return ABSENT };
        if let Some(number) = self.branches.get(branch) {
            return *number;
        }
        let number = (self.branch)(branch).map_or(ABSENT, |kept| self.texts.number(&kept));
        self.branches.insert(branch.to_owned(), number);
        number
    }

    /// Takes a try; one that runs backwards or has no name is counted as skipped.
    pub fn attempt(&mut self, place: Place, one: &Try<'_>) {
        if one.duration_ms.is_some_and(|duration| !duration.is_finite() || duration < 0.0) {
            return self.skip("ends before it starts");
        }
        if one.step.is_empty() {
            return self.skip("has no name");
        }
        let started_ms = one.started_at.as_millisecond();
        let ready_ms = one.detail.ready_at.map_or(i64::MAX, Timestamp::as_millisecond);
        let run = &mut self.runs[place.0 as usize];
        run.first_ms = run.first_ms.min(started_ms).min(ready_ms);
        let first_metric = self.metrics.len();
        for (name, value) in one.metrics.iter().filter(|(_, value)| value.is_finite()) {
            let name = self.texts.number(name);
            self.metrics.push((name, *value));
        }
        let number = |length: usize| u32::try_from(length).expect("fewer than 2^32 numbers fit into memory");
        self.rows.push(Row {
            run: place.0,
            step: self.texts.number(one.step),
            attempt: one.attempt,
            line: one.line,
            started_ms,
            duration_ms: one.duration_ms.unwrap_or(f64::NAN),
            inputs_bytes: one.inputs_bytes.unwrap_or(u64::MAX),
            metrics: number(first_metric),
            metric_count: number(self.metrics.len() - first_metric),
            detail: (one.detail != Detail::default()).then(|| Box::new(one.detail.clone())),
            outcome: one.outcome,
        });
    }

    /// Counts something that was left out, under why: "12 skipped: <why>".
    pub fn skip(&mut self, why: &'static str) {
        *self.skipped.entry(why).or_default() += 1;
    }

    /// Puts the rows of an execution beside each other; of a try that stands twice, keeps the first and gives the
    /// second's line and step.
    pub fn settle(&mut self) -> Option<(u32, String, u32)> {
        self.rows.sort_by_key(|row| (row.run, row.step, row.attempt, row.line));
        let mut twice = None;
        let mut dropped = 0;
        let texts = &self.texts;
        self.rows.dedup_by(|row, kept| {
            let same = (row.run, row.step, row.attempt) == (kept.run, kept.step, kept.attempt);
            if same {
                dropped += 1;
                twice.get_or_insert_with(|| (row.line, texts.get(row.step).unwrap_or_default(), row.attempt));
            }
            same
        });
        if dropped > 0 {
            *self.skipped.entry("stands twice in its execution").or_default() += dropped;
        }
        twice
    }

    /// Returns what was found.
    pub fn finish(mut self) -> Found {
        self.settle();
        let mut order: Vec<(i64, ExecutionId, u32, u32)> = Vec::new();
        let mut start = 0;
        for rows in self.rows.chunk_by(|one, other| one.run == other.run) {
            let run = &self.runs[rows[0].run as usize];
            let end = start + u32::try_from(rows.len()).expect("fewer than 2^32 rows");
            order.push((run.first_ms.div_euclid(1000), run.id, start, end));
            start = end;
        }
        order.sort_unstable();
        let Self { format, texts, runs, rows, metrics, skipped, .. } = self;
        let order = order.into_iter().map(|(_, _, start, end)| (start, end)).collect();
        Found { trigger: format!("import:{format}"), texts, runs, rows, metrics, order, skipped }
    }
}

/// What an import found.
pub struct Found {
    trigger: String,
    pub(super) texts: Texts,
    runs: Vec<Run>,
    pub(super) rows: Vec<Row>,
    pub(super) metrics: Vec<(u32, f64)>,
    pub(super) order: Vec<(u32, u32)>,
    skipped: BTreeMap<&'static str, u64>,
}

impl std::fmt::Debug for Found {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Found({} records of {} executions)", self.rows.len(), self.order.len())
    }
}

impl Found {
    /// Returns the number of records.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Returns whether there are no records.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Returns how much was left out, by why.
    pub fn skipped(&self) -> &BTreeMap<&'static str, u64> {
        &self.skipped
    }

    /// Returns the records, one execution after the other, the oldest first.
    pub fn executions(&self) -> impl ExactSizeIterator<Item = Vec<Record>> + '_ {
        self.order.iter().map(|(start, end)| self.records(&self.rows[*start as usize..*end as usize]))
    }

    fn records(&self, rows: &[Row]) -> Vec<Record> {
        let run = &self.runs[rows[0].run as usize];
        let began = run.first_ms.div_euclid(1000);
        let mut rows: Vec<&Row> = rows.iter().collect();
        rows.sort_by_key(|row| (row.line, row.started_ms));
        let attempts: Vec<Attempt> = rows.iter().map(|row| self.attempt(row, began * 1000)).collect();
        let said = (!run.duration_ms.is_nan()).then_some(run.duration_ms);
        let execution = Arc::new(Execution {
            id: run.id,
            workflow: self.texts.get(run.workflow).unwrap_or_default(),
            started_at: Timestamp::from_second(began).unwrap_or(Timestamp::UNIX_EPOCH),
            duration_ms: said.or_else(|| attempts.iter().filter_map(end).max_by(f64::total_cmp)),
            outcome: outcome(&attempts),
            trigger: self.trigger.clone(),
            machine: self.texts.get(run.machine),
            slots: None,
            variables: BTreeMap::new(),
            source: Source { commit: run.commit, branch: self.texts.get(run.branch), ..Source::default() },
            resumes: None,
        });
        attempts.into_iter().map(|attempt| Record { execution: Arc::clone(&execution), attempt }).collect()
    }

    fn attempt(&self, row: &Row, began_ms: i64) -> Attempt {
        let since = |at_ms: i64| u64::try_from(at_ms - began_ms).unwrap_or(0);
        let metrics = &self.metrics[row.metrics as usize..(row.metrics + row.metric_count) as usize];
        let detail = row.detail.as_deref().cloned().unwrap_or_default();
        Attempt {
            ready_ms: detail.ready_at.map(|at| since(at.as_millisecond())),
            started_ms: since(row.started_ms),
            duration_ms: (!row.duration_ms.is_nan()).then_some(row.duration_ms),
            outcome: row.outcome,
            exit_code: detail.exit_code,
            timed_out: detail.timed_out,
            peak_memory_bytes: detail.peak_memory_bytes,
            read_bytes: detail.read_bytes,
            written_bytes: detail.written_bytes,
            inputs_bytes: (row.inputs_bytes != u64::MAX).then_some(row.inputs_bytes),
            metrics: metrics.iter().filter_map(|(name, value)| Some((self.texts.get(*name)?, *value))).collect(),
            ..Attempt::new(self.texts.get(row.step).unwrap_or_default(), row.attempt)
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds stay far below 2^53")]
fn end(attempt: &Attempt) -> Option<f64> {
    attempt.duration_ms.map(|duration| attempt.started_ms as f64 + duration)
}

/// Failed where the last attempt at a step failed, else cancelled where one was, else passed.
fn outcome(attempts: &[Attempt]) -> Outcome {
    let mut last = BTreeMap::<&str, (u32, Outcome)>::new();
    for attempt in attempts {
        let known = last.entry(&attempt.step).or_insert((attempt.attempt, attempt.outcome));
        if attempt.attempt > known.0 {
            *known = (attempt.attempt, attempt.outcome);
        }
    }
    let any = |outcome| last.values().any(|(_, last)| *last == outcome);
    [Outcome::Failed, Outcome::Cancelled].into_iter().find(|outcome| any(*outcome)).unwrap_or(Outcome::Passed)
}
