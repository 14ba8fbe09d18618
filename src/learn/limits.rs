//! The back-test of learnt time limits: what they would have stopped, had they held over the whole history.

use std::collections::HashMap;

use serde::Serialize;

use super::hints::{LIMIT, LimitRule, slow_ms, speaks, time_limit_ms};
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
    /// Passed attempts of steps of which it was known what takes far too long.
    pub watched: usize,
    /// How many of them took longer and were named for it: false alarms, which stop nothing.
    pub healthy_named: usize,
    /// The largest share of its limit that a passed attempt took; above 1 it would have been stopped.
    pub closest: f64,
    /// Failed and cancelled attempts whose step had a learnt limit when they started.
    pub not_passed: usize,
    /// How many of them ran longer than that.
    pub hung: usize,
    /// How long these went on beyond their limits, in milliseconds.
    pub saved_ms: f64,
    /// The median over attempts with a limit of when they would have been stopped had they hung, in milliseconds.
    pub stops_after_ms: f64,
    /// The share of these that would have been stopped within six hours, after which hosted CI gives up by itself.
    pub within_six_hours: f64,
}

/// When the largest hosted CI gives up a job that says nothing else (GitHub Actions, `timeout-minutes`: 360).
const SIX_HOURS_MS: f64 = 6.0 * 3.6e6;

/// The durations of a step on one machine class, or on all.
type Steps = HashMap<(u32, Name, Name, Option<Name>), Series>;

/// Returns what learnt limits would have stopped of a trace's attempts; `None` where none had a limit.
///
/// Each attempt meets the limit that a plan made at its start would have given it, by [`slow_ms`] and [`time_limit_ms`], from attempts
/// that had finished by then. All attempts count, not only the later half.
pub fn limits(trace: &Trace) -> Option<LimitScores> {
    let [tried] = limits_by(trace, &[LIMIT]).try_into().ok()?;
    (tried.scores.watched + tried.scores.passed + tried.scores.not_passed > 0).then_some(tried.scores)
}

/// What one rule would have done.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Tried {
    /// To attempts of known duration.
    pub scores: LimitScores,
    /// How many of these there are, with a limit or without.
    pub attempts: usize,
    /// How long all of them would have gone on had they hung, in milliseconds: six hours without a limit.
    pub hangs_ms: f64,
    met: Vec<f64>,
}

/// Returns the same for each of several rules, lived through once.
pub fn limits_by(trace: &Trace, rules: &[LimitRule]) -> Vec<Tried> {
    let mut steps = Steps::new();
    let mut tried = vec![Tried::default(); rules.len()];
    for moment in trace.moments() {
        let (Moment::Start(place) | Moment::Finish(place)) = moment;
        let (known, came) = &trace.attempts[place];
        let passed = came.outcome == Outcome::Passed;
        if moment == Moment::Finish(place) && passed {
            see(&mut steps, known, came.duration_ms);
        } else if moment == Moment::Start(place) && came.duration_ms.is_finite() {
            let (slow, limits) = said(&steps, known, rules);
            for (tried, limit) in tried.iter_mut().zip(limits) {
                tried.see(passed, came.duration_ms, slow, limit);
            }
        }
    }
    tried.iter_mut().for_each(Tried::end);
    tried
}

impl Tried {
    fn see(&mut self, passed: bool, duration_ms: f64, slow: Option<f64>, limit: Option<f64>) {
        self.attempts += 1;
        self.hangs_ms += limit.map_or(SIX_HOURS_MS, |limit| limit.min(SIX_HOURS_MS));
        if let Some(slow_ms) = slow.filter(|_| passed) {
            self.scores.watched += 1;
            self.scores.healthy_named += usize::from(duration_ms > slow_ms);
        }
        if let Some(limit_ms) = limit {
            self.scores.meet(passed, duration_ms, limit_ms);
            self.met.push(limit_ms);
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
    fn end(&mut self) {
        let mut met = std::mem::take(&mut self.met);
        met.sort_by(f64::total_cmp);
        self.scores.stops_after_ms = met.get(met.len() / 2).copied().unwrap_or_default();
        if !met.is_empty() {
            let within = met.partition_point(|limit| *limit <= SIX_HOURS_MS);
            self.scores.within_six_hours = within as f64 / met.len() as f64;
        }
    }
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

/// Returns from when on a plan would have called an attempt slow (by its machine class once that speaks, else over all), and
/// when it would have stopped it by each rule. Where a history names no machines, all is one.
fn said(steps: &Steps, known: &Known, rules: &[LimitRule]) -> (Option<f64>, Vec<Option<f64>>) {
    let of = |machine| steps.get(&(known.repository, known.workflow, known.step, machine)).map(of_durations);
    let Some(all) = of(None) else { return (None, vec![None; rules.len()]) };
    let own = known.machine.map_or_else(|| Some(all.clone()), |machine| of(Some(machine)));
    let slow = slow_ms(own.as_ref().filter(|own| speaks(own)).unwrap_or(&all));
    (slow, rules.iter().map(|rule| time_limit_ms(own.as_ref()?, &all, rule)).collect())
}

fn see(steps: &mut Steps, known: &Known, duration_ms: f64) {
    let mut id = [0; 12];
    id[..4].copy_from_slice(&known.execution.to_be_bytes());
    let moment = (known.started_us.div_euclid(1000), ExecutionId::from_bytes(id), known.attempt);
    for machine in [None].into_iter().chain(known.machine.map(Some)) {
        let series = steps.entry((known.repository, known.workflow, known.step, machine)).or_default();
        series.see_passed(moment, duration_ms);
        series.passed += 1;
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
                touch: None,
            };
            trace.attempts.push((known, Came { duration_ms: 60_000.0 * minutes, outcome: *outcome }));
        }
        limits(&trace)
    }

    #[test]
    fn a_hang_is_counted_and_nothing_later_raises_its_limit() {
        let mut rows = vec![(2.0, Outcome::Passed); 20];
        assert_eq!(met(&rows), None);
        rows.resize(100, (2.0, Outcome::Passed));
        rows.push((30.0, Outcome::Failed));
        let hung = met(&rows).expect("a limit");
        assert_eq!((hung.passed, hung.not_passed, hung.hung, hung.watched), (0, 1, 1, 80));
        assert!((9.0..11.0).contains(&(hung.saved_ms / 60_000.0)), "{hung:?}");
        assert!((19.0..21.0).contains(&(hung.stops_after_ms / 60_000.0)) && hung.within_six_hours > 0.99, "{hung:?}");
        rows.push((40.0, Outcome::Passed));
        rows.push((40.0, Outcome::Passed));
        let after = met(&rows).expect("a limit");
        assert_eq!((after.passed, after.healthy_stopped, after.healthy_named, after.hung), (2, 1, 1, 1));
        assert!((after.saved_ms - hung.saved_ms).abs() < 1e-9, "{after:?}");
    }
}
