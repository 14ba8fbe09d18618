//! What held up an execution: its realised critical path and everyone's slack, from needs and actual times.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::plan::{GRAIN_MS, WAIT_MS};
use crate::scan::{History, Name};

/// One execution's attempts with what each of them waited for.
///
/// An attempt waits for the attempt before it of its own step, for the last attempts of the steps it needs, and, where
/// it started clearly after it was ready, for the attempt whose end freed its slot or lock.
#[derive(Debug)]
pub(crate) struct Timeline {
    /// In order of their start.
    nodes: Vec<Node>,
    /// End of the last attempt, in milliseconds since the execution began.
    pub wall_ms: f64,
}

#[derive(Debug)]
struct Node {
    step: Name,
    start: f64,
    end: f64,
    /// When the last of those it waited for ended; 0 without any.
    release: f64,
    /// Attempts it waited for, by place.
    waits_for: Vec<usize>,
}

/// What one step meant for one execution.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Role {
    /// Whether it lies on the critical path.
    pub critical: bool,
    /// How much later its last attempt could have ended without moving the end, in milliseconds.
    pub slack_ms: f64,
    /// How long it held up the critical path, in milliseconds; 0 off the path.
    pub held_ms: f64,
}

/// Returns each execution's rows of the attempts; they lie together.
pub(crate) fn rows(history: &History) -> Vec<Range<usize>> {
    let mut rows = vec![0..0; history.executions.len()];
    for (row, execution) in history.attempts.execution.iter().enumerate() {
        let range = &mut rows[*execution as usize];
        *range = if range.end == 0 { row..row + 1 } else { range.start..row + 1 };
    }
    rows
}

impl Timeline {
    /// Returns the timeline of the execution with these rows; attempts without a duration are left out.
    pub fn of(history: &History, rows: Range<usize>) -> Self {
        let attempts = &history.attempts;
        let mut rows: Vec<usize> = rows.filter(|row| attempts.duration_ms[*row].is_finite()).collect();
        let end = |row: usize| attempts.started_ms[row] + attempts.duration_ms[row].max(0.0);
        rows.sort_by(|a, b| {
            attempts.started_ms[*a].total_cmp(&attempts.started_ms[*b]).then(end(*a).total_cmp(&end(*b)))
        });
        let mut ends: Vec<(f64, usize)> = rows.iter().enumerate().map(|(place, row)| (end(*row), place)).collect();
        ends.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut last: BTreeMap<Name, usize> = BTreeMap::new();
        let mut nodes: Vec<Node> = Vec::with_capacity(rows.len());
        for (place, row) in rows.iter().copied().enumerate() {
            let step = attempts.step[row];
            let start = attempts.started_ms[row];
            let mut waits_for: Vec<usize> = if let Some(earlier) = last.get(&step) {
                vec![*earlier]
            } else {
                let needs = &attempts.needs_lists[attempts.needs[row] as usize];
                needs.iter().filter_map(|need| last.get(need).copied()).collect()
            };
            let needed = waits_for.iter().map(|need| nodes[*need].end).fold(0.0, f64::max);
            let ready = if attempts.ready_ms[row].is_finite() { attempts.ready_ms[row].max(needed) } else { needed };
            let retried = last.contains_key(&step);
            if !retried && start - ready > WAIT_MS {
                let freed = ends.partition_point(|(end, _)| *end <= start + GRAIN_MS);
                let blocker = ends[..freed].iter().rev().map(|(_, place)| *place).find(|other| *other < place);
                waits_for.extend(blocker.filter(|blocker| nodes[*blocker].end > needed));
            }
            let release = waits_for.iter().map(|other| nodes[*other].end).fold(0.0, f64::max).min(start);
            nodes.push(Node { step, start, end: end(row), release, waits_for });
            last.insert(step, place);
        }
        let wall_ms = nodes.iter().map(|node| node.end).fold(0.0, f64::max);
        Self { nodes, wall_ms }
    }

    /// Returns the role of every step.
    pub fn roles(&self) -> BTreeMap<Name, Role> {
        let mut latest = vec![self.wall_ms; self.nodes.len()];
        for place in (0..self.nodes.len()).rev() {
            let node = &self.nodes[place];
            let latest_release = latest[place] - (node.end - node.release);
            for other in &node.waits_for {
                latest[*other] = latest[*other].min(latest_release);
            }
        }
        let mut roles = BTreeMap::new();
        for (place, node) in self.nodes.iter().enumerate() {
            let slack_ms = (latest[place] - node.end).max(0.0);
            let role = roles.entry(node.step).or_insert(Role { critical: false, slack_ms, held_ms: 0.0 });
            role.slack_ms = slack_ms;
        }
        let by_end = |a: &usize, b: &usize| self.nodes[*a].end.total_cmp(&self.nodes[*b].end);
        let mut at = (0..self.nodes.len()).max_by(by_end);
        while let Some(place) = at {
            let node = &self.nodes[place];
            if let Some(role) = roles.get_mut(&node.step) {
                role.critical = true;
                role.held_ms += node.end - node.release;
            }
            at = node.waits_for.iter().copied().max_by(by_end);
        }
        roles
    }

    /// Returns the wall time if attempts of `step` took `factor` of their time and everything else moved up.
    pub fn wall_if(&self, step: Name, factor: f64) -> f64 {
        let mut ends: Vec<f64> = Vec::with_capacity(self.nodes.len());
        for node in &self.nodes {
            let release = node.waits_for.iter().map(|other| ends[*other]).fold(0.0, f64::max);
            let factor = if node.step == step { factor } else { 1.0 };
            ends.push(release + (node.start - node.release) + (node.end - node.start) * factor);
        }
        ends.into_iter().fold(0.0, f64::max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Attempt, Execution, ExecutionId, Outcome, Record, Source};
    use std::sync::Arc;

    /// Each row: step, needs, ready, start, duration. Expected: step, critical, slack, held.
    fn check(rows: &[(&str, &[&str], u64, u64, f64)], expected: &[(&str, bool, f64, f64)]) {
        let execution = Arc::new(Execution {
            id: ExecutionId::from_bytes([1; 12]),
            workflow: "ci".into(),
            started_at: jiff::Timestamp::UNIX_EPOCH,
            duration_ms: None,
            outcome: Outcome::Passed,
            trigger: "person".into(),
            machine: None,
            slots: None,
            variables: BTreeMap::new(),
            source: Source::default(),
            resumes: None,
        });
        let records: Vec<Record> = rows
            .iter()
            .enumerate()
            .map(|(place, (step, needs, ready, start, duration))| {
                let before = rows[..place].iter().filter(|row| row.0 == *step).count();
                let attempt = Attempt {
                    ready_ms: Some(*ready),
                    started_ms: *start,
                    duration_ms: Some(*duration),
                    outcome: Outcome::Passed,
                    needs: needs.iter().map(|need| (*need).to_owned()).collect(),
                    ..Attempt::new(*step, u32::try_from(before).expect("few") + 1)
                };
                Record { execution: Arc::clone(&execution), attempt }
            })
            .collect();
        let history = History::from_records("project", &records);
        let roles = Timeline::of(&history, 0..rows.len()).roles();
        for (step, critical, slack_ms, held_ms) in expected.iter().copied() {
            let role = roles[&history.names.find(step).expect("known")];
            assert_eq!(role, Role { critical, slack_ms, held_ms }, "{step}");
        }
    }

    #[test]
    fn the_longer_branch_is_critical_and_the_other_has_slack() {
        check(
            &[
                ("build", &[], 0, 1, 99.0),
                ("lint", &[], 0, 1, 29.0),
                ("test", &["build"], 100, 102, 298.0),
                ("pack", &["test", "lint"], 400, 401, 49.0),
            ],
            &[
                ("build", true, 0.0, 100.0),
                ("lint", false, 370.0, 0.0),
                ("test", true, 0.0, 300.0),
                ("pack", true, 0.0, 50.0),
            ],
        );
    }

    #[test]
    fn a_wait_for_a_slot_makes_its_holder_critical() {
        check(
            &[("a", &[], 0, 0, 500.0), ("b", &[], 0, 0, 200.0), ("c", &[], 0, 201, 399.0)],
            &[("a", false, 100.0, 0.0), ("b", true, 0.0, 200.0), ("c", true, 0.0, 400.0)],
        );
    }

    #[test]
    fn a_retry_waits_for_the_attempt_before_it() {
        check(
            &[("a", &[], 0, 0, 100.0), ("a", &[], 0, 1100, 100.0), ("b", &["a"], 1200, 1200, 100.0)],
            &[("a", true, 0.0, 1200.0), ("b", true, 0.0, 100.0)],
        );
    }
}
