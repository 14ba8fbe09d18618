//! Rules about what a workflow's file declares beside what its steps do: time limits, processors and memory.

use super::Finding;
use super::view::{Candidate, View};
use crate::learn::beta::{above, student_tail};
use crate::learn::{median, statistics};

/// A healthy attempt should not reach its limit more often than this: the 99 % quantile of the normal law.
const SELDOM: f64 = 0.01;
const Z99: f64 = 2.326_348;

/// Beyond this many times the 90 % quantile, what a limit stops has hung.
const CLOSE: f64 = 2.0;

/// Attempts that say how long a step takes, at least.
const FEW: usize = 10;

/// A resource is oversized where this share of attempts uses at most half of it.
const SPARE: f64 = 0.9;

/// Memory is undersized where more than this share of attempts needs more.
const SHORT: f64 = 0.05;

pub(super) fn search(view: &View, candidates: &mut Vec<Candidate>) {
    for (step, rows) in &view.steps {
        candidates.extend(limit(view, step, rows));
        let Some(declared) = view.declared(step).map(|step| &step.resources) else { continue };
        let attempts = &view.history.attempts;
        if let Some(cpu) = declared.cpu.filter(|cpu| *cpu > 1.0) {
            let used = |row: usize| attempts.cpu_ms[row] / attempts.duration_ms[row].max(1.0);
            candidates.extend(oversized(view, step, rows, cpu, used, |declared, used| Finding::OversizedCpu {
                declared,
                used,
            }));
        }
        #[expect(clippy::cast_precision_loss, reason = "bytes stay far below 2^53")]
        if let Some(memory) = declared.memory_bytes.map(|bytes| bytes as f64) {
            let used = |row: usize| attempts.peak_memory_bytes[row];
            let finding = |declared, used| Finding::OversizedMemory { declared, used };
            candidates.extend(oversized(view, step, rows, memory, used, finding));
            let known: Vec<usize> = rows.iter().copied().filter(|row| used(*row).is_finite()).collect();
            let over: Vec<usize> = known.iter().copied().filter(|row| used(*row) > memory).collect();
            let (above_it, n) = (over.len() as u64, known.len() as u64);
            let finding = Finding::UndersizedMemory { declared: memory, above: above_it, attempts: n };
            let proof = over.iter().map(|row| view.execution(*row)).collect();
            candidates.push(Candidate::posterior(Some(step), above(SHORT, above_it, n), n, Some((finding, proof))));
        }
    }
}

/// Tests whether healthy attempts reach the time limit now and then.
///
/// Where attempts were stopped, and the limit lies close to those that passed, their share tells; where none was, whether
/// the limit lies below the 99 % quantile of a lognormal law of those that passed.
fn limit(view: &View, step: &str, rows: &[usize]) -> Option<Candidate> {
    let attempts = &view.history.attempts;
    let stopped: Vec<usize> = rows.iter().copied().filter(|row| attempts.timed_out[*row]).collect();
    let declared = view.declared(step).and_then(|step| step.timeout).map(|limit| limit.as_secs_f64() * 1000.0);
    let seen = || median(&stopped.iter().map(|row| attempts.duration_ms[*row]).collect::<Vec<_>>());
    let limit_ms = declared.or_else(seen)?;
    let durations = view.durations(&rows[rows.len().saturating_sub(200)..]);
    let known = statistics::interval(&durations).filter(|_| durations.len() >= FEW)?;
    let (k, n) = (stopped.len() as u64, rows.len() as u64);
    let finding = Finding::TimeoutNearMedian {
        limit_ms,
        median_ms: known.p50,
        stopped: k,
        attempts: n,
        declared: declared.is_some(),
    };
    let near = |row: &usize| attempts.timed_out[*row] || attempts.duration_ms[*row] >= 0.8 * limit_ms;
    let proof: Vec<usize> = rows.iter().filter(|row| near(row)).map(|row| view.execution(*row)).collect();
    if stopped.is_empty() {
        let doubt = beyond(&durations, limit_ms);
        return Some(Candidate::tested(Some(step), doubt, n, Some((finding, proof))));
    }
    let is_close = limit_ms <= CLOSE * known.p90;
    let probability = if is_close { above(SELDOM, k, n) } else { 0.0 };
    Some(Candidate::posterior(Some(step), probability, n, Some((finding, proof))))
}

/// Returns the probability of such durations were the limit their 99 % quantile, or above it.
fn beyond(durations: &[f64], limit_ms: f64) -> f64 {
    let logs: Vec<f64> = durations.iter().map(|duration| duration.ln()).collect();
    #[expect(clippy::cast_precision_loss, reason = "two hundred at most")]
    let n = logs.len() as f64;
    let mean = logs.iter().sum::<f64>() / n;
    let deviation = (logs.iter().map(|log| (log - mean).powi(2)).sum::<f64>() / (n - 1.0)).sqrt();
    // The standard error of mean + z · deviation.
    let error = (deviation * (1.0 / n + Z99 * Z99 / (2.0 * n)).sqrt()).max(1e-9);
    let beyond = (mean + Z99 * deviation - limit_ms.ln()) / error;
    if beyond > 0.0 { student_tail(beyond, n - 1.0) } else { 1.0 }
}

/// Tests whether nearly all attempts use at most half of what is declared.
fn oversized(
    view: &View,
    step: &str,
    rows: &[usize],
    declared: f64,
    used: impl Fn(usize) -> f64,
    finding: impl Fn(f64, f64) -> Finding,
) -> Option<Candidate> {
    let known: Vec<usize> = rows.iter().copied().filter(|row| view.passed(*row) && used(*row).is_finite()).collect();
    let half = known.iter().filter(|row| used(**row) <= declared / 2.0).count() as u64;
    let largest = known.iter().map(|row| used(*row)).reduce(f64::max)?;
    let proof = known.iter().map(|row| view.execution(*row)).collect();
    let n = known.len() as u64;
    Some(Candidate::posterior(Some(step), above(SPARE, half, n), n, Some((finding(declared, largest), proof))))
}
