//! Where a week's time went: a bar a step, work that passed first, then what was for nothing.

use super::{At, escape, number};
use crate::report::html::svg::{Scale, short};
use crate::report::review::{Spending, Spent, Week};

/// The parts of a bar: class, words, key in the JSON.
const PARTS: [(&str, &str, &str); 7] = [
    ("work", "passed", "passed_ms"),
    ("fail", "failed for good", "failed_ms"),
    ("limit", "timed out", "timed_out_ms"),
    ("idle", "cancelled", "cancelled_ms"),
    ("retry", "failed before a retry", "retried_ms"),
    ("wait", "waited for a retry", "waiting_ms"),
    ("queue", "queued", "queued_ms"),
];

/// Returns the time of a part, in the order of [`PARTS`].
fn parts(spent: &Spent) -> [f64; 7] {
    let [failed, timed_out, cancelled, retried, waiting, queued] = spent.lost.parts();
    [spent.passed_ms, failed, timed_out, cancelled, retried, waiting, queued]
}

/// Returns the section of one week.
pub(super) fn section(week: &Week, at: &At) -> String {
    let (first, last) =
        (number::day(&at.key("first_at"), week.seen.first_at), number::day(&at.key("last_at"), week.seen.last_at));
    let noun = if week.executions == 1 { "execution" } else { "executions" };
    let lead = format!(
        "<p class=\"when\">{first} to {last}: {} {noun}.</p>\n",
        number::count(&at.key("executions"), week.executions)
    );
    if week.rows.is_empty() {
        return lead;
    }
    let most = week.rows.iter().map(|row| row.spent.total_ms()).fold(0.0, f64::max);
    let scale = Scale::up_to(most.max(week.rest.total_ms()));
    let occurs: Vec<bool> = parts(&week.spent).iter().map(|ms| *ms >= 1.0).collect();
    let keys: String = PARTS
        .iter()
        .zip(&occurs)
        .filter(|(_, occurs)| **occurs)
        .map(|((class, words, _), _)| key(class, words))
        .collect();
    let by_step = week.rows.iter().any(|row| row.step.is_some());
    let several_flows = week.rows.iter().any(|row| row.workflow != week.rows[0].workflow);
    let mut rows = String::new();
    for (place, row) in week.rows.iter().enumerate() {
        let at = at.key("rows").item(place);
        rows.push_str(&self::row(&title(row, several_flows), &row.spent, &at.key("spent"), scale, &occurs));
    }
    if week.rows_left_out > 0 {
        let title = format!("{} more", number::count(&at.key("rows_left_out"), week.rows_left_out));
        rows.push_str(&row(&title, &week.rest, &at.key("rest"), scale, &occurs));
    }
    let heads: String = heads(&occurs)
        .map(|(_, words, _)| format!("<th scope=\"col\" class=\"n\">{words}</th>"))
        .collect::<Vec<_>>()
        .concat();
    format!(
        "{lead}<div class=\"scroll\" role=\"region\" aria-label=\"The week’s time\" tabindex=\"0\">\n<table class=\"bars\">\n<caption>{keys}</caption>\n<thead><tr><th scope=\"col\">{}</th><th scope=\"col\" class=\"wide\">time</th>{heads}</tr></thead>\n<tbody>\n{rows}</tbody>\n</table>\n</div>\n",
        if by_step { "step" } else { "repository" },
    )
}

fn heads(occurs: &[bool]) -> impl Iterator<Item = &'static (&'static str, &'static str, &'static str)> {
    PARTS.iter().zip(occurs).filter(|(_, occurs)| **occurs).map(|(part, _)| part)
}

fn title(row: &Spending, several_flows: bool) -> String {
    match (&row.step, &row.workflow) {
        (Some(step), Some(workflow)) if several_flows => {
            format!("{} <small>of {}</small>", escape::name(step), escape::name(workflow))
        }
        (Some(step), _) => escape::name(step),
        (None, _) => escape::name(&row.repository),
    }
}

fn row(title: &str, spent: &Spent, at: &At, scale: Scale, occurs: &[bool]) -> String {
    let shown = PARTS.iter().zip(parts(spent)).zip(occurs).filter(|(_, occurs)| **occurs);
    let mut cells = String::new();
    let mut bars = String::new();
    let mut x = 0.0;
    for (((class, _, key), ms), _) in shown {
        let at = at.key(key);
        let cell = if ms < 1.0 { "–".to_owned() } else { number::duration(&at, Some(ms)) };
        cells.push_str(&format!("<td class=\"n\">{cell}</td>"));
        let width = scale.percent(ms);
        if width > 0.0 {
            bars.push_str(&format!(
                "<rect class=\"{class}\" x=\"{}%\" y=\"2\" width=\"{}%\" height=\"12\" {}/>",
                short(x),
                short(width),
                at.attribute()
            ));
        }
        x += width;
    }
    format!(
        "<tr><th scope=\"row\">{title}</th><td class=\"wide\"><svg aria-hidden=\"true\" focusable=\"false\" height=\"16\">{bars}</svg></td>{cells}</tr>\n"
    )
}

/// Returns a colour, in the shape in which it is drawn, and what it means.
pub(super) fn key(class: &str, words: &str) -> String {
    let shape = match class {
        "passed" | "failed" => format!("<circle class=\"{class}\" cx=\"50%\" cy=\"6\" r=\"2.75\"/>"),
        "middle" => "<line class=\"middle\" x1=\"0\" x2=\"100%\" y1=\"6\" y2=\"6\"/>".to_owned(),
        "change" => "<line class=\"change\" x1=\"50%\" x2=\"50%\" y1=\"-2\" y2=\"12\"/>".to_owned(),
        _ => format!("<rect class=\"{class}\" y=\"1\" width=\"100%\" height=\"10\"/>"),
    };
    format!("<span class=\"key\"><svg aria-hidden=\"true\" focusable=\"false\">{shape}</svg>{words}</span>")
}
