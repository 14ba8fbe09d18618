//! What a branch changes, against its base.

use super::{At, escape, left_out, number};
use crate::report::compare::{Change, Comparison, SideFacts};
use crate::report::html::blocks;
use crate::report::words;

/// Steps shown of each workflow; claims stand first.
const STEPS: usize = 30;

/// Returns the section, nothing where there is nothing to compare.
pub(super) fn section(page: &Comparison, at: &At) -> Option<String> {
    if page.head_executions == 0 || page.base_executions == 0 {
        return None;
    }
    let lead: String =
        page.claimed().iter().map(|line| format!("<li>{}</li>\n", blocks::line(line))).collect::<Vec<_>>().concat();
    let lead = if lead.is_empty() {
        "<p class=\"lead\">No change that the executions can show.</p>\n".to_owned()
    } else {
        format!("<ul class=\"lead claims\">\n{lead}</ul>\n")
    };
    let mut rows = String::new();
    let mut left = 0;
    for (place, flow) in page.workflows.iter().enumerate() {
        let at = at.key("workflows").item(place);
        rows.push_str(&row(&format!("all of {}", escape::name(&flow.workflow)), &flow.whole, &at.key("whole")));
        for (place, step) in flow.steps.iter().enumerate().take(STEPS) {
            rows.push_str(&row(&escape::name(&step.step), &step.change, &at.key("steps").item(place)));
        }
        left += flow.steps.len().saturating_sub(STEPS);
    }
    let (head, base) = (escape::text(&page.names.head), escape::text(&page.names.base));
    let left = if left == 0 {
        String::new()
    } else {
        "<p class=\"note\">More steps without a claim are left out.</p>\n".to_owned()
    };
    Some(format!(
        "<p class=\"when\"><bdi>{head}</bdi> ({} executions) against <bdi>{base}</bdi> ({}).</p>\n{lead}\
         <div class=\"scroll\" role=\"region\" aria-label=\"Comparison\" tabindex=\"0\">\n<table>\n<thead><tr><th scope=\"col\">step</th><th scope=\"col\" class=\"n\"><bdi>{base}</bdi><span class=\"range brief\">n</span></th>\
         <th scope=\"col\" class=\"n\"><bdi>{head}</bdi><span class=\"range brief\">n</span></th><th scope=\"col\" class=\"n\">change<span class=\"range\">interval</span></th><th scope=\"col\" class=\"n\">failed<span class=\"range brief\">of <bdi>{base}</bdi></span></th><th scope=\"col\">shown</th></tr></thead>\n<tbody>\n{rows}</tbody>\n</table>\n</div>\n{left}{}\
         <p class=\"note\">Compared within a machine class; “slower” and “faster” hold with {} confidence for all {} comparisons together.</p>\n",
        number::count(&at.key("head_executions"), page.head_executions),
        number::count(&at.key("base_executions"), page.base_executions),
        left_out(&at.key("left_out"), page.left_out, "executions of neither side"),
        number::percent(&at.key("confidence"), Some(page.confidence)),
        number::count(&at.key("comparisons"), page.comparisons),
    ))
}

fn row(title: &str, change: &Change, at: &At) -> String {
    let ratio = change.ratio.map(|ratio| [("median", ratio.median), ("low", ratio.low), ("high", ratio.high)]);
    let ratio = number::ratio(&at.key("ratio"), ratio);
    let side = |key: &str, facts: &SideFacts| {
        facts.duration_ms.as_ref().map_or_else(
            || "–".to_owned(),
            |known| {
                let at = at.key(key).key("duration_ms");
                format!(
                    "{} <span class=\"range brief\">{}</span>",
                    number::duration(&at.key("p50"), Some(known.p50)),
                    number::count(&at.key("n"), known.n)
                )
            },
        )
    };
    let failed = |key: &str, facts: &SideFacts| {
        let at = at.key(key);
        format!("{} of {}", number::count(&at.key("failed"), facts.failed), number::count(&at.key("runs"), facts.runs))
    };
    format!(
        "<tr><th scope=\"row\">{title}</th><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{ratio}</td><td class=\"n\">{} <span class=\"range brief\">{}</span></td><td class=\"shown\">{}</td></tr>\n",
        side("base", &change.base),
        side("head", &change.head),
        failed("head", &change.head),
        failed("base", &change.base),
        blocks::line(&vec![words::comparison::verdict(change)]),
    )
}
