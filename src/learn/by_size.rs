//! What attempts take by the size of what they read: a plain description in thirds, from the smallest inputs to the largest.

use std::collections::BTreeMap;

use serde::Serialize;

use super::statistics::interval;
use crate::plan::Interval;
use crate::record::Outcome;
use crate::scan::{History, Name};

/// The latest attempts of a step that count.
const LATEST: usize = 300;

/// Attempts in a third, at least.
const FEW: usize = 7;

/// The middle sizes of the outer thirds differ by this factor, or the size tells nothing.
const VARIES: f64 = 1.5;

/// What the attempts of a step took, by the size of their inputs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BySize {
    /// The workflow.
    pub workflow: String,
    /// The step.
    pub step: String,
    /// Thirds of its latest 300 passed attempts with known inputs, the smallest inputs first.
    pub thirds: [Third; 3],
}

/// Quantiles of a third of the attempts.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Third {
    /// Size of the inputs, in bytes.
    pub inputs_bytes: Option<Interval>,
    /// Duration, in milliseconds.
    pub duration_ms: Option<Interval>,
    /// Processor time, in milliseconds.
    pub cpu_ms: Option<Interval>,
    /// Peak memory, in bytes.
    pub peak_memory_bytes: Option<Interval>,
}

/// Returns the steps whose inputs are known in 21 passed attempts or more and differ in size, by workflow and step.
pub fn by_size(history: &History) -> Vec<BySize> {
    let (attempts, executions) = (&history.attempts, &history.executions);
    let mut series: BTreeMap<(Name, Name), Vec<usize>> = BTreeMap::new();
    for row in 0..attempts.len() {
        let size = attempts.inputs_bytes[row];
        if attempts.outcome[row] == Outcome::Passed && size.is_finite() && size > 0.0 {
            let workflow = executions.workflow[attempts.execution[row] as usize];
            series.entry((workflow, attempts.step[row])).or_default().push(row);
        }
    }
    let mut found: Vec<BySize> = series
        .into_iter()
        .filter_map(|((workflow, step), rows)| {
            let text = |name| history.names.text(name).to_owned();
            Some(BySize { workflow: text(workflow), step: text(step), thirds: thirds(history, rows)? })
        })
        .collect();
    found.sort_by(|a, b| (&a.workflow, &a.step).cmp(&(&b.workflow, &b.step)));
    found
}

/// Returns what these rows took in thirds; `None` where they are few or of one size.
fn thirds(history: &History, mut rows: Vec<usize>) -> Option<[Third; 3]> {
    let attempts = &history.attempts;
    rows.drain(..rows.len().saturating_sub(LATEST));
    rows.sort_by(|a, b| attempts.inputs_bytes[*a].total_cmp(&attempts.inputs_bytes[*b]));
    let third = |place: usize| {
        let rows = &rows[place * rows.len() / 3..(place + 1) * rows.len() / 3];
        let of = |column: &[f64]| {
            interval(&rows.iter().map(|row| column[*row]).filter(|value| value.is_finite()).collect::<Vec<_>>())
        };
        Third {
            inputs_bytes: of(&attempts.inputs_bytes),
            duration_ms: of(&attempts.duration_ms),
            cpu_ms: of(&attempts.cpu_ms),
            peak_memory_bytes: of(&attempts.peak_memory_bytes),
        }
    };
    let thirds = [third(0), third(1), third(2)];
    let middle = |third: &Third| third.inputs_bytes.map(|size| size.p50);
    let varies = middle(&thirds[2])? >= VARIES * middle(&thirds[0])?;
    (rows.len() >= 3 * FEW && varies).then_some(thirds)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Attempt, Execution, ExecutionId, Record, Source};
    use std::sync::Arc;

    fn history(sizes: &[u64]) -> History {
        let records: Vec<Record> = sizes
            .iter()
            .zip(1_u8..)
            .map(|(size, id)| {
                let execution = Execution {
                    id: ExecutionId::from_bytes([id; 12]),
                    workflow: "ci".into(),
                    started_at: jiff::Timestamp::from_second(1_700_000_000 + i64::from(id)).expect("a time"),
                    duration_ms: None,
                    outcome: Outcome::Passed,
                    trigger: "person".into(),
                    machine: None,
                    slots: None,
                    variables: BTreeMap::new(),
                    source: Source::default(),
                    resumes: None,
                };
                let attempt = Attempt {
                    duration_ms: Some(10.0 * f64::from(u32::try_from(*size).expect("small"))),
                    outcome: Outcome::Passed,
                    inputs_bytes: Some(*size),
                    peak_memory_bytes: Some(3 * *size),
                    ..Attempt::new("pack", 1)
                };
                Record { execution: Arc::new(execution), attempt }
            })
            .collect();
        History::from_records("project", &records)
    }

    #[test]
    fn thirds_follow_the_size_of_inputs() {
        let sizes: Vec<u64> = (0..30).map(|place| 100 + place * 7 % 30).map(|size| (size - 99) * 100).collect();
        let found = by_size(&history(&sizes));
        assert_eq!((found.len(), found[0].workflow.as_str(), found[0].step.as_str()), (1, "ci", "pack"));
        for (third, median) in found[0].thirds.iter().zip([550.0, 1_550.0, 2_550.0]) {
            let of = |known: Option<Interval>| known.expect("known").p50;
            assert!((of(third.inputs_bytes) - median).abs() < 1e-9, "{third:?}");
            assert!((of(third.duration_ms) - 10.0 * median).abs() < 1e-9, "{third:?}");
            assert!((of(third.peak_memory_bytes) - 3.0 * median).abs() < 1e-9, "{third:?}");
            assert_eq!((third.inputs_bytes.expect("known").n, third.cpu_ms), (10, None));
        }
    }

    #[test]
    fn few_attempts_and_inputs_of_one_size_tell_nothing() {
        assert_eq!(by_size(&history(&(1..=20).map(|size| size * 100).collect::<Vec<_>>())), []);
        assert_eq!(by_size(&history(&[500; 40])), []);
        assert_eq!(by_size(&history(&[0; 40])), []);
    }
}
