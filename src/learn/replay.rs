//! A history lived through again: each attempt is predicted at its start from attempts that had finished by then.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::touch::{Touch, Touches};
use crate::import::jsonl;
use crate::plan::Interval;
use crate::record::Outcome;
use crate::scan::{History, Name, Names};

/// What is known of an attempt at its start.
#[derive(Debug, Clone, PartialEq)]
pub struct Known {
    /// The execution, as a number of its own; [`Trace::executions`] names it.
    pub execution: u32,
    /// The repository it belongs to.
    pub repository: u32,
    /// The workflow's name.
    pub workflow: Name,
    /// The step's id.
    pub step: Name,
    /// 1 for the first try.
    pub attempt: u32,
    /// When it started, microseconds since 1970.
    pub started_us: i64,
    /// The commit it ran on.
    pub commit: Option<Name>,
    /// The branch it ran on.
    pub branch: Option<Name>,
    /// The machine or machine class it ran on.
    pub machine: Option<Name>,
    /// Bytes of its inputs; NaN where unknown.
    pub inputs_bytes: f64,
    /// Metrics known at the start, sorted by name.
    pub metrics: Box<[(Name, f64)]>,
    /// What its execution changes; absent where that is unknown.
    pub touch: Option<Arc<Touch>>,
}

/// What came out of an attempt.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Came {
    /// How long it ran, in milliseconds; NaN where unknown.
    pub duration_ms: f64,
    /// How it ended.
    pub outcome: Outcome,
}

/// What is said of an attempt at its start.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Predicted {
    /// How long it runs where it passes; `None` without history.
    pub duration_ms: Option<Interval>,
    /// The probability that it fails, 0 to 1; `None` where nothing is said.
    pub failure: Option<f64>,
}

/// Something that predicts attempts and learns from what came out, in order of time.
pub trait Predictor {
    /// Returns what is likely to come out.
    fn predict(&mut self, known: &Known) -> Predicted;

    /// Learns what came out of an attempt for which `said` had been predicted at its start.
    fn observe(&mut self, known: &Known, came: &Came, said: &Predicted);
}

/// Attempts in order of their start.
#[derive(Debug, Clone, Default)]
pub struct Trace {
    /// The text behind every [`Name`] in it.
    pub names: Names,
    /// Ids of the executions, by their numbers.
    pub executions: Vec<String>,
    /// What was known and what came out.
    pub attempts: Vec<(Known, Came)>,
}

impl Trace {
    /// Returns a history's attempts; of their metrics only those in `known` count as known at the start. What executions
    /// change is known as far as the history's `changes` tell.
    pub fn of(history: &History, known: &[String]) -> Self {
        let names = history.names.clone();
        let (executions, attempts) = (&history.executions, &history.attempts);
        let known: Vec<Name> = known.iter().filter_map(|metric| names.find(metric)).collect();
        let ids = executions.id.iter().map(ToString::to_string).collect();
        let mut trace = Self { executions: ids, names, attempts: Vec::with_capacity(attempts.len()) };
        let touches = Touches::of(history, &mut trace.names).by_execution;
        for row in 0..attempts.len() {
            let place = attempts.execution[row] as usize;
            let metrics = attempts.metrics[row].iter().copied().filter(|(metric, _)| known.contains(metric));
            let commit = executions.commit[place].map(|commit| trace.names.intern(&commit.to_string()));
            let at_start = Known {
                execution: attempts.execution[row],
                repository: executions.repository[place],
                workflow: executions.workflow[place],
                step: attempts.step[row],
                attempt: attempts.attempt[row],
                started_us: executions.started_ms[place]
                    .saturating_mul(1000)
                    .saturating_add(micros(attempts.started_ms[row])),
                commit,
                branch: executions.branch[place],
                machine: executions.machine[place],
                inputs_bytes: attempts.inputs_bytes[row],
                metrics: metrics.collect(),
                touch: touches.get(place).cloned().flatten(),
            };
            let came = Came { duration_ms: attempts.duration_ms[row], outcome: attempts.outcome[row] };
            trace.attempts.push((at_start, came));
        }
        trace.sorted()
    }

    /// Returns the attempts of interchange rows; of their metrics only those in `known` count as known at the start.
    ///
    /// # Panics
    /// Past 2³² executions.
    pub fn from_rows(rows: &[jsonl::Row], known: &[String]) -> Self {
        let mut trace = Self::default();
        let mut numbers: HashMap<(&str, &str), u32> = HashMap::new();
        for row in rows {
            let next = u32::try_from(trace.executions.len()).expect("fewer than 2^32 executions");
            let execution = *numbers.entry((&row.execution, &row.workflow)).or_insert_with(|| {
                trace.executions.push(row.execution.clone());
                next
            });
            let names = &mut trace.names;
            let mut name = |text: &Option<String>| text.as_deref().map(|text| names.intern(text));
            let (commit, branch, machine) = (name(&row.commit), name(&row.branch), name(&row.machine));
            let metrics = row.metrics.iter().filter(|(metric, _)| known.contains(metric));
            #[expect(clippy::cast_precision_loss, reason = "bytes stay far below 2^53")]
            let inputs_bytes = row.inputs_bytes.map_or(f64::NAN, |bytes| bytes as f64);
            let at_start = Known {
                execution,
                repository: 0,
                workflow: names.intern(&row.workflow),
                step: names.intern(&row.step),
                attempt: row.attempt,
                started_us: since_1970(row.started_at),
                commit,
                branch,
                machine,
                inputs_bytes,
                metrics: metrics.map(|(metric, value)| (names.intern(metric), *value)).collect(),
                touch: None,
            };
            let came = Came { duration_ms: row.duration_ms.unwrap_or(f64::NAN), outcome: row.outcome };
            trace.attempts.push((at_start, came));
        }
        trace.sorted()
    }

    fn sorted(mut self) -> Self {
        self.attempts.sort_by_key(|(known, _)| known.started_us);
        self
    }

    /// Returns what `predictor` says of each attempt at its start, having learnt from attempts finished by then.
    ///
    /// An attempt that took no time, or whose duration is unknown, is finished a microsecond after its start, so that
    /// none knows itself.
    pub fn replay(&self, predictor: &mut dyn Predictor) -> Vec<Predicted> {
        let mut said: Vec<Predicted> = Vec::with_capacity(self.attempts.len());
        for moment in self.moments() {
            match moment {
                Moment::Start(place) => said.push(predictor.predict(&self.attempts[place].0)),
                Moment::Finish(place) => {
                    let (known, came) = &self.attempts[place];
                    predictor.observe(known, came, &said[place]);
                }
            }
        }
        said
    }

    /// Returns the same, and lets `predictor` learn also from attempts that finished after the last start.
    pub(crate) fn replay_to_end(&self, predictor: &mut dyn Predictor) -> Vec<Predicted> {
        let said = self.replay(predictor);
        let last = self.attempts.last().map_or(i64::MAX, |(known, _)| known.started_us);
        let ends = self.attempts.iter().map(finish_us).zip(0..);
        let mut late: Vec<(i64, usize)> =
            ends.filter(|(end, _)| (last.saturating_add(1)..i64::MAX).contains(end)).collect();
        late.sort_unstable();
        for (_, place) in late {
            let (known, came) = &self.attempts[place];
            predictor.observe(known, came, &said[place]);
        }
        said
    }

    /// Returns starts in order, each after the finishes up to its time. What ends past all time never does.
    pub(crate) fn moments(&self) -> impl Iterator<Item = Moment> {
        let mut ends: Vec<(i64, usize)> = self.attempts.iter().map(finish_us).zip(0..).collect();
        ends.sort_unstable();
        let mut ended = 0;
        (0..self.attempts.len()).flat_map(move |place| {
            let start = self.attempts[place].0.started_us;
            let before = ended;
            ended += ends[ended..].partition_point(|(end, _)| *end <= start && *end < i64::MAX);
            let finished: Vec<Moment> = ends[before..ended].iter().map(|(_, place)| Moment::Finish(*place)).collect();
            finished.into_iter().chain([Moment::Start(place)])
        })
    }
}

/// What happens to the attempt at a place of a [`Trace`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    Start(usize),
    Finish(usize),
}

/// Returns when an attempt had finished, microseconds since 1970.
pub(crate) fn finish_us((known, came): &(Known, Came)) -> i64 {
    known.started_us.saturating_add(micros(came.duration_ms).max(1))
}

/// Returns whole microseconds of milliseconds; 0 for NaN.
#[expect(clippy::cast_possible_truncation, reason = "a cast of a float saturates")]
fn micros(milliseconds: f64) -> i64 {
    (milliseconds * 1000.0).round_ties_even() as i64
}

fn since_1970(time: Timestamp) -> i64 {
    time.as_microsecond()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Says how many attempts it has seen finish.
    struct Counter(u64);

    impl Predictor for Counter {
        fn predict(&mut self, _: &Known) -> Predicted {
            let seen = Interval { p10: 0.0, p50: 0.0, p90: 0.0, n: self.0 };
            Predicted { duration_ms: Some(seen), failure: None }
        }

        fn observe(&mut self, _: &Known, _: &Came, _: &Predicted) {
            self.0 += 1;
        }
    }

    #[test]
    fn an_attempt_knows_what_finished_by_its_start() {
        // Start and duration in milliseconds, in the file's order; how many had finished by each start, in its order.
        let rows = [(0, Some(5.0)), (4, Some(1.0)), (5, None), (5, Some(100.0)), (6, Some(0.0)), (200, Some(1.0))];
        let seen = [0, 0, 2, 2, 3, 5];
        let row = |(place, (start, duration_ms)): (usize, &(i64, Option<f64>))| jsonl::Row {
            execution: place.to_string(),
            workflow: "ci".into(),
            step: "test".into(),
            attempt: 1,
            started_at: Timestamp::from_millisecond(*start).expect("a time"),
            duration_ms: *duration_ms,
            outcome: Outcome::Passed,
            commit: None,
            branch: None,
            machine: None,
            inputs_bytes: None,
            metrics: [("known".to_owned(), 1.0), ("later".to_owned(), 2.0)].into(),
        };
        let rows: Vec<jsonl::Row> = rows.iter().enumerate().map(row).rev().collect();
        let trace = Trace::from_rows(&rows, &["known".to_owned()]);
        let said = trace.replay(&mut Counter(0));
        let found: Vec<u64> = said.iter().map(|said| said.duration_ms.expect("said").n).collect();
        assert_eq!(found, seen);
        assert!(trace.attempts.iter().all(|(known, _)| known.metrics.len() == 1), "only what is known at the start");
    }
}
