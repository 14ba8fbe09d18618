//! The page of a comparison in words.

use crate::report::compare::{
    Change, Comparison, DurationVerdict, FailureVerdict, SideFacts, StepChange, WorkflowChange,
};
use crate::report::document::{Block, Document, Line, Piece, Table, name, strong, words};
use crate::report::format;

/// Sentences above the tables before the rest is only counted.
const LEAD: usize = 5;

impl Comparison {
    /// Returns the page in words.
    pub fn document(&self) -> Document {
        let title = format!("meow: {} against {}", self.names.head, self.names.base);
        let mut page = Document::default().with(Block::Title(vec![words(title)])).with(Block::Lead(self.lead()));
        if !self.workflows.is_empty() {
            page = page.with(Block::Table(self.overview()));
        }
        for flow in self.workflows.iter().filter(|flow| !flow.steps.is_empty()) {
            let summary = vec![words("Steps of "), name(&flow.workflow), words(format!(" ({})", flow.steps.len()))];
            page = page.with(Block::Details(summary, vec![Block::Table(self.steps(flow))]));
        }
        if let Some(block) = super::recommendations(&self.recommendations) {
            page = page.with(block);
        }
        if self.comparisons == 0 && self.workflows.is_empty() {
            return page;
        }
        page.with(Block::Note(vec![words(self.note())]))
    }

    /// Returns the place and the claim of everything that is claimed, the first five.
    pub(in crate::report) fn claimed(&self) -> Vec<Line> {
        let claims = self.changes().filter(|(_, change)| change.claims());
        let line = |(mut place, change): (Line, &Change)| {
            place.extend([words(": "), verdict(change)]);
            place
        };
        claims.take(LEAD).map(line).collect()
    }

    /// Returns a sentence for everything that is claimed.
    pub(in crate::report) fn claims_in_words(&self) -> Vec<(Line, &Change)> {
        let claims = self.changes().filter(|(_, change)| change.claims());
        claims
            .flat_map(|(place, change)| self.sentences(&place, change).into_iter().map(move |line| (line, change)))
            .collect()
    }

    fn lead(&self) -> Vec<Line> {
        if self.head_executions == 0 || self.base_executions == 0 {
            let side = if self.head_executions == 0 { &self.names.head } else { &self.names.base };
            let what = strong(format!("Nothing to compare: no execution of {side} is recorded."));
            return vec![vec![what, words(" "), name("meow execute"), words(" records one.")]];
        }
        let mut lines: Vec<Line> = self.changes().flat_map(|(place, change)| self.sentences(&place, change)).collect();
        let more = lines.len().saturating_sub(LEAD);
        lines.truncate(LEAD);
        if more > 0 {
            lines.push(vec![words(format!("… and {more} more below."))]);
        }
        if !self.claims() {
            lines.insert(0, vec![strong("No change that the executions can show.")]);
        }
        lines
    }

    /// Returns every change with its place in words, claims of steps before those of whole workflows.
    fn changes(&self) -> impl Iterator<Item = (Line, &Change)> {
        let several = self.workflows.len() > 1;
        let place = move |flow: &WorkflowChange, step: &StepChange| {
            let mut place = vec![name(&step.step)];
            if several {
                place.extend([words(" of "), name(&flow.workflow)]);
            }
            place
        };
        let steps = self
            .workflows
            .iter()
            .flat_map(move |flow| flow.steps.iter().map(move |step| (place(flow, step), &step.change)));
        let whole = self.workflows.iter().map(|flow| (vec![words("All of "), name(&flow.workflow)], &flow.whole));
        let mut all: Vec<(Line, &Change)> = steps.chain(whole).collect();
        all.sort_by_key(|(_, change)| !change.claims());
        all.into_iter()
    }

    /// Returns what there is to say of one change; nothing where nothing is known to have changed.
    fn sentences(&self, place: &Line, change: &Change) -> Vec<Line> {
        let whole = matches!(place.first(), Some(Piece::Text(_)));
        let failure = match change.failure {
            FailureVerdict::NewFailure => Some(strong("fails now")),
            FailureVerdict::MoreFailures => Some(strong("fails more often")),
            FailureVerdict::Failed if !whole => Some(words("failed")),
            FailureVerdict::Failed | FailureVerdict::None => None,
        };
        let failed = failure.map(|what| vec![words(" "), what, words(format!(": {}.", self.failures(change)))]);
        let lasts = bold(change.duration).map(|what| {
            let known = |side: &SideFacts| side.duration_ms.map_or(f64::NAN, |known| known.p50);
            let (before, after) = (format::duration(known(&change.base)), format::duration(known(&change.head)));
            let proof = match change.ratio {
                Some(ratio) => format!(" ({})", format::change(ratio.median)),
                None => format!(", n {}", change.head.duration_ms.map_or(0, |known| known.n)),
            };
            vec![words(" is "), strong(what), words(format!(": {before} → {after}{proof}."))]
        });
        failed.into_iter().chain(lasts).map(|rest| place.iter().cloned().chain(rest).collect()).collect()
    }

    fn failures(&self, change: &Change) -> String {
        let (head, base) = (&change.head, &change.base);
        let on = |side: &SideFacts, name: &str| format!("{} of {} on {name}", side.failed, side.runs);
        format!("{}, {}", on(head, &self.names.head), on(base, &self.names.base))
    }

    fn overview(&self) -> Table {
        let (base, head) = (format!(">{}", self.names.base), format!(">{}", self.names.head));
        let mut table = Table::new(&["workflow", &base, &head, ">change", ">failed", "shown", ">next"]);
        for flow in &self.workflows {
            let [before, after, ratio, failed, verdict] = cells(&flow.whole);
            let next = words(format::interval(flow.predicted_ms.as_ref()));
            table.row([name(&flow.workflow), before, after, ratio, failed, verdict, next]);
        }
        table
    }

    fn steps(&self, flow: &WorkflowChange) -> Table {
        let (base, head) = (format!(">{}", self.names.base), format!(">{}", self.names.head));
        let mut table = Table::new(&["step", &base, &head, ">change", ">failed", "shown"]);
        for step in &flow.steps {
            let [before, after, ratio, failed, verdict] = cells(&step.change);
            table.row([name(&step.step), before, after, ratio, failed, verdict]);
        }
        table
    }

    fn note(&self) -> String {
        let left = if self.left_out > 0 {
            format!(" {} of neither side left out.", format::count(self.left_out, "execution"))
        } else {
            String::new()
        };
        let moved = self.found.filter(|found| found.tree + found.patch + found.range_patch + found.branch > 0);
        let moved = moved.map_or_else(String::new, |found| {
            format!(
                " Recognised on another commit: {} by tree, {} by patch, {} by the patch of a branch, {} as what a squash \
                 swallowed.",
                found.tree, found.patch, found.range_patch, found.branch
            )
        });
        format!(
            "{} against {}. Durations are medians of what passed (p10 – p90, n executions), compared within a machine class; \
             \"slower\" and \"faster\" hold with {} confidence for all {} together. \"failed\" counts {} / {}.{left}{moved}",
            format::count(self.head_executions, "execution"),
            self.base_executions,
            format::percent(self.confidence),
            format::count(self.comparisons, "comparison"),
            self.names.head,
            self.names.base,
        )
    }
}

/// Returns base, head, change, failures and verdict of one comparison.
fn cells(change: &Change) -> [Piece; 5] {
    let ratio = change.ratio.map_or_else(
        || "–".to_owned(),
        |ratio| {
            let (low, high) = (format::change(ratio.low), format::change(ratio.high));
            format!("{} ({low} – {high})", format::change(ratio.median))
        },
    );
    let (head, base) = (&change.head, &change.base);
    [
        words(format::interval(base.duration_ms.as_ref())),
        words(format::interval(head.duration_ms.as_ref())),
        words(ratio),
        words(format!("{} of {} / {} of {}", head.failed, head.runs, base.failed, base.runs)),
        verdict(change),
    ]
}

/// Returns what is shown of a change.
pub(in crate::report) fn verdict(change: &Change) -> Piece {
    let head = &change.head;
    let failing = match change.failure {
        FailureVerdict::NewFailure => Some("fails now"),
        FailureVerdict::MoreFailures => Some("fails more often"),
        FailureVerdict::Failed | FailureVerdict::None => None,
    };
    match (failing, bold(change.duration)) {
        (Some(failing), Some(duration)) => strong(format!("{failing}, {duration}")),
        (Some(claim), None) | (None, Some(claim)) => strong(claim),
        (None, None) => words(match change.duration {
            DurationVerdict::FewRuns if head.failed > 0 && head.duration_ms.is_none() => "none passed",
            DurationVerdict::FewRuns => "too few executions",
            DurationVerdict::OtherMachine => "other machine class",
            DurationVerdict::New => "new",
            DurationVerdict::Absent => "did not run",
            _ => "no change",
        }),
    }
}

/// Returns the word of a claim.
fn bold(verdict: DurationVerdict) -> Option<&'static str> {
    match verdict {
        DurationVerdict::Slower => Some("slower"),
        DurationVerdict::Faster => Some("faster"),
        DurationVerdict::UnusuallyLong => Some("unusually long"),
        DurationVerdict::UnusuallyShort => Some("unusually short"),
        _ => None,
    }
}
