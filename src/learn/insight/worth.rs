//! What an insight is worth: the time that it costs a week, by how sure it is. The list is in this order.

use super::view::View;
use super::{Certainty, Finding, Insight, Measure};

const WEEK_MS: f64 = 7.0 * 24.0 * 3_600_000.0;

impl Insight {
    /// Returns the time a week that it is about, in milliseconds, times its confidence; 0 where no time can be said.
    pub fn worth(&self) -> f64 {
        self.weekly_ms.map_or(0.0, f64::abs) * self.certainty.confidence()
    }
}

impl Certainty {
    /// Returns the probability that there is something at all.
    pub const fn confidence(&self) -> f64 {
        match self.measure {
            Measure::Posterior => self.value,
            Measure::PValue => 1.0 - self.value,
            // Of a rate that was proven otherwise.
            Measure::LowerBound => 1.0,
        }
    }
}

/// Returns the weeks from the first to the last of some executions, in order; at least one.
pub(super) fn weeks(view: &View, executions: &[usize]) -> f64 {
    let started = |at: &usize| view.history.executions.started_ms[*at];
    let span = executions.last().map_or(0, started) - executions.first().map_or(0, started);
    #[expect(clippy::cast_precision_loss, reason = "milliseconds stay far below 2^53")]
    let weeks = span as f64 / WEEK_MS;
    weeks.max(1.0)
}

/// Returns the time a week that a finding costs, in milliseconds; `None` where it costs none that can be said. `proof` are
/// all executions that prove it, in order.
pub(super) fn weekly_ms(view: &View, step: Option<&str>, finding: &Finding, proof: &[usize]) -> Option<f64> {
    let weeks = weeks(view, &view.executions);
    let spent = |passed: bool| {
        let rows = step.and_then(|step| view.steps.get(step)).into_iter().flatten().copied();
        rows.filter(|row| view.passed(*row) == passed && proof.binary_search(&view.execution(*row)).is_ok())
            .map(|row| view.spent(row))
            .sum::<f64>()
    };
    #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
    let (count, whole) = (|number: u64| number as f64, view.whole().count() as f64);
    match finding {
        Finding::RetryStorm { lost_ms, .. } | Finding::VainRetries { lost_ms, .. } => Some(lost_ms / weeks),
        Finding::AlwaysRed { .. } => Some(spent(false) / self::weeks(view, proof)),
        Finding::MemoryCollision { .. } | Finding::Flaky { .. } => Some(spent(false) / weeks),
        Finding::FailsLate { failed, before_ms, .. } => Some(count(*failed) * before_ms / weeks),
        Finding::TimeoutNearMedian { stopped, limit_ms, .. } => Some(count(*stopped) * limit_ms / weeks),
        Finding::SerialChain { saved_ms, .. } => Some(saved_ms * whole / weeks),
        Finding::ColdCacheMornings { ratio, .. } => Some(spent(true) * (1.0 - 1.0 / ratio) / weeks),
        Finding::Queueing { capacity, .. } => Some(capacity.as_ref()?.saved_ms * whole / weeks),
        Finding::IdleSlots { held_ms, .. } => Some(held_ms * whole / weeks),
        _ => None,
    }
    .filter(|ms| *ms > 0.0)
}
