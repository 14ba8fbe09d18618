//! The steps that fail by chance, with how sure that is.

use super::{At, escape, left_out, number};
use crate::learn::Verdict;
use crate::plan::Odds;
use crate::report::html::svg::short;
use crate::report::review::{FlakyStep, Review};

/// Returns the section.
pub(super) fn section(page: &Review, several: bool) -> String {
    if page.flaky.is_empty() {
        return "<p>No step is known to fail by chance: none passed and failed on the same inputs.</p>\n".to_owned();
    }
    let at = At::default();
    let most = page.flaky.iter().filter_map(|step| step.failure).map(|odds| odds.high).fold(0.0, f64::max).max(0.05);
    let rows: String = page
        .flaky
        .iter()
        .enumerate()
        .map(|(place, step)| row(step, &at.key("flaky").item(place), several, most))
        .collect();
    let left = left_out(&at.key("left_out").key("flaky"), page.left_out.flaky, "more steps");
    format!(
        "<div class=\"scroll\" role=\"region\" aria-label=\"Flakiest steps\" tabindex=\"0\">\n<table>\n<thead><tr><th scope=\"col\">step</th><th scope=\"col\">of</th><th scope=\"col\">shown</th>\
         <th scope=\"col\" class=\"n\">attempts</th><th scope=\"col\" class=\"n\">fails<span class=\"range brief\">90 %</span></th><th scope=\"col\" class=\"odds\">odds</th></tr></thead>\n<tbody>\n{rows}</tbody>\n</table>\n</div>\n{left}\
         <p class=\"note\">Flaky: it passed and failed on the same inputs. Suspect: it failed between passes on other inputs; reruns would tell.</p>\n"
    )
}

fn row(step: &FlakyStep, at: &At, several: bool, most: f64) -> String {
    let of = if several {
        format!("{} in {}", escape::name(&step.workflow), escape::name(&step.repository))
    } else {
        escape::name(&step.workflow)
    };
    let shown = match step.verdict {
        Verdict::Flaky => {
            let noun = if step.contradicted == 1 { "input" } else { "inputs" };
            format!("<strong>flaky</strong> on {} {noun}", number::count(&at.key("contradicted"), step.contradicted))
        }
        Verdict::Suspect => format!(
            "suspect; {} failed reruns would show it broken",
            number::count(&at.key("reruns"), step.reruns.into())
        ),
    };
    format!(
        "<tr><th scope=\"row\">{}</th><td class=\"t\">{of}</td><td class=\"t\">{shown}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"odds\">{}</td></tr>\n",
        escape::name(&step.step),
        number::count(&at.key("attempts"), step.attempts),
        number::odds(&at.key("failure"), step.failure.as_ref()),
        step.failure.as_ref().map_or_else(String::new, |odds| whisker(odds, &at.key("failure"), most)),
    )
}

/// Returns odds as a dot on the line of their interval.
fn whisker(odds: &Odds, at: &At, most: f64) -> String {
    let x = |share: f64| short((share / most * 100.0).clamp(0.0, 100.0));
    format!(
        "<svg aria-hidden=\"true\" focusable=\"false\" height=\"16\"><line class=\"grid\" x1=\"0\" x2=\"100%\" y1=\"8\" y2=\"8\"/><line class=\"reach\" x1=\"{}%\" x2=\"{}%\" y1=\"8\" y2=\"8\"/><circle class=\"failed\" cx=\"{}%\" cy=\"8\" r=\"3.5\" {}/></svg>",
        x(odds.low),
        x(odds.high),
        x(odds.mean),
        at.key("mean").attribute(),
    )
}
