//! What a file looks like: for the error that says which format was probably meant, never for choosing one.

use super::Format;
use crate::redact::inert;

/// No more of a file is looked at.
const LOOKED_AT: usize = 1 << 16;

/// Words that all stand in the first part of a file of this format, the surest format first.
const MARKS: [(Format, &[&str]); 13] = [
    (Format::NinjaLog, &["# ninja log v"]),
    (Format::BenchmarkAction, &["window.BENCHMARK_DATA"]),
    (Format::Jsonl, &["\"execution\"", "\"workflow\"", "\"step\"", "\"started_at\""]),
    (Format::GithubJobs, &["\"run_id\"", "\"conclusion\""]),
    (Format::Hyperfine, &["\"results\"", "\"command\"", "\"times\""]),
    (Format::Junit, &["<testsuite"]),
    (Format::NextflowTrace, &["hash\t", "name\t", "status\t"]),
    (Format::ChromeTrace, &["\"ph\"", "\"ts\""]),
    (Format::Criterion, &["\"reason\"", "benchmark-complete"]),
    (Format::Criterion, &["\"point_estimate\"", "\"mean\""]),
    (Format::Beads, &["\"issue_id\"", "\"event_type\""]),
    (Format::Beads, &["\"issue_type\"", "\"status\"", "\"created_at\""]),
    (Format::TestDurations, &[".py::"]),
];

/// Returns the format that the text looks like.
pub(super) fn looks_like(text: &[u8]) -> Option<Format> {
    let text = String::from_utf8_lossy(&text[..text.len().min(LOOKED_AT)]);
    MARKS.iter().find(|(_, marks)| marks.iter().all(|mark| text.contains(mark))).map(|(format, _)| *format)
}

/// Returns how a file starts, as the end of a sentence that begins with "it".
pub(super) fn start(text: &str) -> String {
    let first = text.trim_start().lines().next().unwrap_or_default();
    if first.is_empty() {
        return "is empty".to_owned();
    }
    let cut: String = first.chars().take(40).collect();
    let more = if cut.len() < first.len() { "…" } else { "" };
    format!("starts with `{}{more}`", inert::terminal(&cut))
}
