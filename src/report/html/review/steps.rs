//! The steps of a workflow with how they went of late.

use super::{At, escape, left_out, number};
use crate::report::html::svg::{Scale, short};
use crate::report::review::{StepReview, WorkflowReview};

/// Returns the table of steps.
pub(super) fn table(flow: &WorkflowReview, at: &At) -> String {
    if flow.steps.is_empty() {
        return "<p class=\"note\">Nothing is learnt of its steps yet.</p>\n".to_owned();
    }
    let rows: String =
        flow.steps.iter().enumerate().map(|(place, step)| row(step, &at.key("steps").item(place))).collect();
    let left = left_out(&at.key("steps_left_out"), flow.steps_left_out, "shorter steps");
    format!(
        "<div class=\"scroll\" role=\"region\" aria-label=\"Steps\" tabindex=\"0\">\n<table>\n<thead><tr><th scope=\"col\">step</th><th scope=\"col\" class=\"n\">takes<span class=\"range\">p10 – p90</span></th>\
         <th scope=\"col\" class=\"n\">n</th><th scope=\"col\" class=\"n\">fails<span class=\"range brief\">90 %</span></th><th scope=\"col\" class=\"n\">critical</th><th scope=\"col\" class=\"spark\">of late</th></tr></thead>\n\
         <tbody>\n{rows}</tbody>\n</table>\n</div>\n{left}"
    )
}

fn row(step: &StepReview, at: &At) -> String {
    let takes = step.duration_ms.as_ref().map_or_else(
        || "–".to_owned(),
        |known| {
            let at = at.key("duration_ms");
            format!("{} {}", number::duration(&at.key("p50"), Some(known.p50)), number::span(&at, known))
        },
    );
    format!(
        "<tr><th scope=\"row\">{}</th><td class=\"n\">{takes}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"spark\">{}</td></tr>\n",
        escape::name(&step.step),
        number::count(&at.key("attempts"), step.attempts),
        number::odds(&at.key("failure"), step.failure.as_ref()),
        number::percent(&at.key("critical_share"), step.critical_share),
        spark(&step.latest_ms, &at.key("latest_ms")),
    )
}

/// Returns the latest durations as a line from zero, as tall as a line of text.
fn spark(values: &[f64], at: &At) -> String {
    if values.len() < 3 {
        return String::new();
    }
    let scale = Scale::up_to(values.iter().copied().fold(0.0, f64::max));
    let count = values.len();
    #[expect(clippy::cast_precision_loss, reason = "at most forty values")]
    let x = |place: usize| place as f64 / (count - 1) as f64 * 100.0;
    let y = |value: f64| 20.0 - scale.percent(value) / 100.0 * 18.0;
    let points: Vec<String> =
        values.iter().enumerate().map(|(place, value)| format!("{},{}", short(x(place)), short(y(*value)))).collect();
    format!(
        "<svg aria-hidden=\"true\" focusable=\"false\" height=\"20\" viewBox=\"0 0 100 20\" preserveAspectRatio=\"none\"><polyline class=\"middle\" points=\"{}\" vector-effect=\"non-scaling-stroke\" {}/></svg>",
        points.join(" "),
        at.attribute(),
    )
}
