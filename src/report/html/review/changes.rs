//! What changed in a workflow's steps, by how much, and between which commits.

use super::{At, escape, left_out, number};
use crate::learn::{Edge, Trend};
use crate::report::review::Past;
use crate::report::{changes, format};

/// Returns the changes as a table, nothing where none is known.
pub(super) fn table(past: &Past, at: &At) -> String {
    if past.changes.is_empty() {
        return String::new();
    }
    let rows: String =
        past.changes.iter().enumerate().map(|(place, mark)| row(&mark.trend, &at.key("changes").item(place))).collect();
    let left = left_out(&at.key("changes_left_out"), past.changes_left_out, "older changes");
    format!(
        "<div class=\"scroll\" role=\"region\" aria-label=\"Changes\" tabindex=\"0\">\n<table>\n<caption>Changes of its steps, latest first</caption>\n<thead><tr><th scope=\"col\">step</th><th scope=\"col\">measure</th>\
         <th scope=\"col\" class=\"n\">before</th><th scope=\"col\" class=\"n\">after</th><th scope=\"col\" class=\"n\">change<span class=\"range\">95 % interval</span></th><th scope=\"col\" class=\"n\">p-value</th>\
         <th scope=\"col\">since</th><th scope=\"col\">between</th></tr></thead>\n<tbody>\n{rows}</tbody>\n</table>\n</div>\n{left}"
    )
}

fn row(trend: &Trend, at: &At) -> String {
    let ratio = trend.ratio.map(|ratio| [("mid", ratio.mid), ("low", ratio.low), ("high", ratio.high)]);
    let ratio = number::ratio(&at.key("ratio"), ratio);
    let level = |key: &str, value: f64| number::number(&at.key(key), value, &level(trend, value));
    let since = jiff::Timestamp::from_millisecond(trend.first_after.started_ms).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    #[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970 stay below 2^53")]
    let since = number::number(
        &at.key("first_after").key("started_ms"),
        trend.first_after.started_ms as f64,
        &since.strftime("%Y-%m-%d").to_string(),
    );
    let measure = match trend.measure.as_str() {
        "duration_ms" => "duration".to_owned(),
        "peak_memory_bytes" => "peak memory".to_owned(),
        "failed" => "share that fails".to_owned(),
        other => escape::name(other),
    };
    format!(
        "<tr><th scope=\"row\">{}</th><td>{measure}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{ratio}</td><td class=\"n\">{}</td><td class=\"n\">{since}</td><td>{} {}</td></tr>\n",
        escape::name(&trend.step),
        level("before", trend.before),
        level("after", trend.after),
        number::number(&at.key("p_value"), trend.p_value, &changes::p_value(trend.p_value)),
        edge(&trend.last_before),
        edge(&trend.first_after),
    )
}

fn level(trend: &Trend, value: f64) -> String {
    match trend.measure.as_str() {
        "duration_ms" => format::duration(value),
        "peak_memory_bytes" => format::bytes(value),
        "failed" => format::percent(value),
        _ => changes::number(value),
    }
}

fn edge(edge: &Edge) -> String {
    let text: String = edge.commit.as_ref().unwrap_or(&edge.execution).chars().take(8).collect();
    escape::name(&text)
}
