//! Where the time of slots goes: worked, idle with nothing ready, or idle though a step was ready, and why it was not started.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::view::{View, views};
use crate::learn::again::{cores, memory_bytes};
use crate::learn::timeline;
use crate::plan::WAIT_MS;
use crate::record::Outcome;
use crate::scan::History;
use crate::workflow::Workflow;

/// Latest executions of a workflow that are looked at.
const LATEST: usize = 100;

/// A machine is full where the usual peaks of what runs at once take more than this share of its memory.
pub(super) const FULL: f64 = 0.9;

/// Where the time of a workflow's slots went; all but the last two add up to `slot_ms`. Times in milliseconds.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct SlotUse {
    /// The repository's name.
    pub repository: String,
    /// The workflow.
    pub workflow: String,
    /// The latest executions of the whole workflow whose slots are recorded, at most 100.
    pub executions: u64,
    /// Their wall times, each times its slots.
    pub slot_ms: f64,
    /// Worked.
    pub worked_ms: f64,
    /// Idle while no further step was ready: the graph has no more to do at once.
    pub unready_ms: f64,
    /// Idle while a failed step waited for its next attempt.
    pub backoff_ms: f64,
    /// Idle while a ready step waited for a lock that another held, by what the workflow's file declares now.
    pub locks_ms: f64,
    /// Idle while a ready step would not have fitted into the machine's memory, by the usual peaks.
    pub memory_ms: f64,
    /// Idle while a ready step would not have fitted onto the machine's processors, by what the file declares.
    pub processors_ms: f64,
    /// Idle while a step was ready, for a reason that no record tells, such as another execution on the machine.
    pub other_ms: f64,
    /// Time that steps were ready while all slots worked.
    pub queued_ms: f64,
    /// Time of attempts that failed and were tried again.
    pub retried_ms: f64,
}

impl SlotUse {
    /// Returns the time that slots were idle though a step was ready.
    pub fn held_ms(&self) -> f64 {
        self.locks_ms + self.memory_ms + self.processors_ms + self.other_ms
    }

    fn add(&mut self, other: &Self) {
        self.slot_ms += other.slot_ms;
        self.worked_ms += other.worked_ms;
        self.unready_ms += other.unready_ms;
        self.backoff_ms += other.backoff_ms;
        self.locks_ms += other.locks_ms;
        self.memory_ms += other.memory_ms;
        self.processors_ms += other.processors_ms;
        self.other_ms += other.other_ms;
        self.queued_ms += other.queued_ms;
        self.retried_ms += other.retried_ms;
        self.executions += other.executions;
    }
}

/// Returns where the time of slots went, by repository and workflow; `workflows` are what workflow files declare, by name.
pub fn slot_uses(history: &History, workflows: &BTreeMap<String, Workflow>) -> Vec<SlotUse> {
    let rows = timeline::rows(history);
    let of = |view: &View| {
        let mut sum = SlotUse {
            repository: view.repository.to_owned(),
            workflow: view.workflow.to_owned(),
            ..SlotUse::default()
        };
        let usual = view.usual_peaks();
        let ended = |at: &usize| history.executions.outcome[*at] != Outcome::Cancelled && !history.is_partial(*at);
        let latest = view.executions.iter().copied().rev().filter(ended);
        latest.filter_map(|at| slot_use(view, at, &usual)).take(LATEST).for_each(|one| sum.add(&one));
        sum
    };
    views(history, &rows, workflows).iter().map(of).filter(|one| one.executions > 0).collect()
}

/// One attempt on the line of time.
struct Span<'a> {
    step: &'a str,
    /// When it could have started: as its step was ready, or as the attempt before it failed.
    ready: f64,
    start: f64,
    end: f64,
    again: bool,
}

/// Returns where the time of one execution's slots went; `None` where its slots or times are not recorded.
pub(super) fn slot_use(view: &View, at: usize, usual: &BTreeMap<&str, f64>) -> Option<SlotUse> {
    let slots = view.history.executions.slots[at] as usize;
    let spans = spans(view, at);
    let wall = spans.iter().map(|span| span.end).fold(0.0, f64::max);
    if slots == 0 || wall <= 0.0 {
        return None;
    }
    let room = Room::of(view, at, usual);
    let mut moments: Vec<f64> = spans.iter().flat_map(|span| [span.ready, span.start, span.end]).collect();
    moments.push(0.0);
    moments.sort_by(f64::total_cmp);
    moments.dedup();
    let mut used = SlotUse { executions: 1, ..SlotUse::default() };
    let (mut running, mut waiting) = (BTreeSet::new(), BTreeSet::new());
    let by = |key: fn(&Span) -> f64| {
        let mut order: Vec<usize> = (0..spans.len()).collect();
        order.sort_by(|a, b| key(&spans[*a]).total_cmp(&key(&spans[*b])));
        order
    };
    let (ready, start, end) = (by(|span| span.ready), by(|span| span.start), by(|span| span.end));
    let (mut ready, mut start, mut end) =
        (ready.into_iter().peekable(), start.into_iter().peekable(), end.into_iter().peekable());
    for pair in moments.windows(2) {
        let (now, span_ms) = (pair[0], pair[1] - pair[0]);
        while let Some(next) = ready.next_if(|next| spans[*next].ready <= now) {
            waiting.insert(next);
        }
        while let Some(next) = start.next_if(|next| spans[*next].start <= now) {
            waiting.remove(&next);
            running.insert(next);
        }
        while let Some(next) = end.next_if(|next| spans[*next].end <= now) {
            running.remove(&next);
        }
        #[expect(clippy::cast_precision_loss, reason = "slots and steps stay far below 2^53")]
        let times = |count: usize| count as f64 * span_ms;
        let worked = running.len().min(slots);
        let mut free = slots - worked;
        used.worked_ms += times(worked);
        let (again, first): (Vec<usize>, Vec<usize>) = waiting.iter().copied().partition(|place| spans[*place].again);
        if free == 0 {
            used.queued_ms += times(first.len());
        }
        for place in first.into_iter().take(free) {
            free -= 1;
            *room.reason(&spans, place, &running, &mut used) += span_ms;
        }
        let backoff = again.len().min(free);
        used.backoff_ms += times(backoff);
        used.unready_ms += times(free - backoff);
    }
    #[expect(clippy::cast_precision_loss, reason = "slots stay far below 2^53")]
    let slots = slots as f64;
    used.slot_ms = slots * wall;
    used.retried_ms = retried_ms(view, at);
    Some(used)
}

/// Returns the attempts of an execution on the line of time, those of an unknown duration left out. Waits of a few
/// milliseconds are the start of a process and no waits.
fn spans<'a>(view: &View<'a>, at: usize) -> Vec<Span<'a>> {
    let attempts = &view.history.attempts;
    let mut ended: BTreeMap<&str, f64> = BTreeMap::new();
    let known = |row: &usize| attempts.duration_ms[*row].is_finite() && attempts.started_ms[*row].is_finite();
    view.rows(at)
        .filter(known)
        .map(|row| {
            let step = view.history.names.text(attempts.step[row]);
            let start = attempts.started_ms[row].max(0.0);
            let end = start + attempts.duration_ms[row].max(0.0);
            let before = ended.insert(step, end);
            let ready = before.unwrap_or(attempts.ready_ms[row]).clamp(0.0, start);
            let ready = if ready.is_finite() && start - ready > WAIT_MS { ready } else { start };
            Span { step, ready, start, end, again: before.is_some() }
        })
        .collect()
}

/// Returns the time of attempts that failed and were tried again in the same execution.
fn retried_ms(view: &View, at: usize) -> f64 {
    let attempts = &view.history.attempts;
    let mut last: BTreeMap<u32, usize> = BTreeMap::new();
    let again = view.rows(at).filter_map(|row| last.insert(attempts.step[row].0, row));
    again.filter(|row| attempts.outcome[*row] == Outcome::Failed).map(|row| view.spent(row)).sum()
}

/// What a machine and a workflow's file leave room for.
struct Room<'a> {
    view: &'a View<'a>,
    usual: &'a BTreeMap<&'a str, f64>,
    memory: f64,
    processors: f64,
}

impl<'a> Room<'a> {
    fn of(view: &'a View<'a>, at: usize, usual: &'a BTreeMap<&'a str, f64>) -> Self {
        let machine = view.history.executions.machine[at].map(|machine| view.history.names.text(machine));
        let memory = machine.and_then(memory_bytes).map_or(f64::INFINITY, |bytes| FULL * bytes);
        let processors = machine.and_then(cores).map_or(f64::INFINITY, f64::from);
        Self { view, usual, memory, processors }
    }

    /// Returns where the time belongs for which a ready attempt was not started.
    fn reason<'b>(
        &self,
        spans: &[Span],
        place: usize,
        running: &BTreeSet<usize>,
        used: &'b mut SlotUse,
    ) -> &'b mut f64 {
        let own = spans[place].step;
        let others = || running.iter().map(|other| spans[*other].step);
        let locks = |step: &str| self.view.declared(step).map_or(&[][..], |step| step.locks.as_slice());
        let all = |of: &dyn Fn(&str) -> f64| of(own) + others().map(of).sum::<f64>();
        let peak = |step: &str| self.usual.get(step).copied().unwrap_or(0.0);
        let wanted = |step: &str| self.view.declared(step).and_then(|step| step.resources.cpu).unwrap_or(0.0);
        if others().any(|other| locks(other).iter().any(|lock| locks(own).contains(lock))) {
            &mut used.locks_ms
        } else if all(&peak) > self.memory {
            &mut used.memory_ms
        } else if wanted(own) > 0.0 && all(&wanted) > self.processors {
            &mut used.processors_ms
        } else {
            &mut used.other_ms
        }
    }
}
