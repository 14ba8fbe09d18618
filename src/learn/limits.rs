//! The back-test of learnt time limits: what they would have stopped, had they held over the whole history.

use std::collections::HashMap;

use serde::Serialize;

use super::hints::{speaks, time_limit_ms};
use super::patterns::of_durations;
use super::replay::{Known, Moment, Trace};
use super::state::Series;
use crate::record::{ExecutionId, Outcome};
use crate::scan::Name;

/// What learnt time limits would have done to attempts of known duration.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct LimitScores {
    /// Passed attempts whose step had a learnt limit when they started.
    pub passed: usize,
    /// How many of them ran longer than that: healthy runs that it would have stopped.
    pub healthy_stopped: usize,
    /// The largest share of its limit that a passed attempt took; above 1 it would have been stopped.
    pub closest: f64,
    /// Failed and cancelled attempts whose step had a learnt limit when they started.
    pub not_passed: usize,
    /// How many of them ran longer than that.
    pub hung: usize,
    /// How long these went on beyond their limits, in milliseconds.
    pub saved_ms: f64,
}

/// The durations of a step on one machine class, or on all.
type Steps = HashMap<(u32, Name, Name, Option<Name>), Series>;

/// Returns what learnt limits would have stopped of a trace's attempts; `None` where none had a limit.
///
/// Each attempt meets the limit that a plan made at its start would have given it, by [`time_limit_ms`], from attempts
/// that had finished by then. All attempts count, not only the later half.
pub fn limits(trace: &Trace) -> Option<LimitScores> {
    let mut steps = Steps::new();
    let mut scores = LimitScores::default();
    for moment in trace.moments() {
        let (Moment::Start(place) | Moment::Finish(place)) = moment;
        let (known, came) = &trace.attempts[place];
        let passed = came.outcome == Outcome::Passed;
        if moment == Moment::Finish(place) && passed {
            see(&mut steps, known, came.duration_ms);
        } else if moment == Moment::Start(place)
            && came.duration_ms.is_finite()
            && let Some(limit_ms) = limit_ms(&steps, known)
        {
            scores.meet(passed, came.duration_ms, limit_ms);
        }
    }
    (scores.passed + scores.not_passed > 0).then_some(scores)
}

impl LimitScores {
    fn meet(&mut self, passed: bool, duration_ms: f64, limit_ms: f64) {
        let beyond = duration_ms > limit_ms;
        if passed {
            self.passed += 1;
            self.healthy_stopped += usize::from(beyond);
            self.closest = self.closest.max(duration_ms / limit_ms);
        } else {
            self.not_passed += 1;
            self.hung += usize::from(beyond);
            self.saved_ms += (duration_ms - limit_ms).max(0.0);
        }
    }
}

/// Returns the limit that a plan would have given an attempt: its machine class's once that speaks, else that over all.
fn limit_ms(steps: &Steps, known: &Known) -> Option<f64> {
    let of = |machine| steps.get(&(known.repository, known.workflow, known.step, machine)).map(of_durations);
    let class = known.machine.and_then(|machine| of(Some(machine))).filter(speaks);
    time_limit_ms(&class.or_else(|| of(None))?)
}

fn see(steps: &mut Steps, known: &Known, duration_ms: f64) {
    let mut id = [0; 12];
    id[..4].copy_from_slice(&known.execution.to_be_bytes());
    let moment = (known.started_us.div_euclid(1000), ExecutionId::from_bytes(id), known.attempt);
    for machine in [None].into_iter().chain(known.machine.map(Some)) {
        let series = steps.entry((known.repository, known.workflow, known.step, machine)).or_default();
        series.see_passed(moment, duration_ms);
        series.duration.trim();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::learn::replay::Came;

    /// Returns what limits do to attempts an hour apart with these durations in minutes and outcomes.
    fn met(rows: &[(f64, Outcome)]) -> Option<LimitScores> {
        let mut trace = Trace::default();
        let (workflow, step) = (trace.names.intern("w"), trace.names.intern("s"));
        for (execution, (minutes, outcome)) in (0..).zip(rows) {
            let known = Known {
                execution,
                repository: 0,
                workflow,
                step,
                attempt: 1,
                started_us: i64::from(execution) * 3_600_000_000,
                commit: None,
                branch: None,
                machine: None,
                inputs_bytes: f64::NAN,
                metrics: Box::default(),
            };
            trace.attempts.push((known, Came { duration_ms: 60_000.0 * minutes, outcome: *outcome }));
        }
        limits(&trace)
    }

    #[test]
    fn a_hang_is_counted_and_nothing_later_raises_its_limit() {
        let mut rows = vec![(2.0, Outcome::Passed); 20];
        assert_eq!(met(&rows), None);
        rows.push((30.0, Outcome::Failed));
        let hung = met(&rows).expect("a limit");
        assert_eq!((hung.passed, hung.not_passed, hung.hung), (0, 1, 1));
        assert!((20.0..28.0).contains(&(hung.saved_ms / 60_000.0)), "{hung:?}");
        rows.push((40.0, Outcome::Passed));
        rows.push((40.0, Outcome::Passed));
        let after = met(&rows).expect("a limit");
        assert_eq!((after.passed, after.healthy_stopped, after.hung), (2, 1, 1));
        assert!((after.saved_ms - hung.saved_ms).abs() < 1e-9, "{after:?}");
    }
}
