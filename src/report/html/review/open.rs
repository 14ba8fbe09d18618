//! Recommendations that nobody has decided yet.

use super::{At, escape, left_out, number};
use crate::report::html::{blocks, number::number};
use crate::report::losses::Open;
use crate::report::review::Review;
use crate::report::{format, words};

/// Returns the section.
pub(super) fn section(page: &Review) -> String {
    if page.recommendations.is_empty() {
        return "<p>None: no change is shown to gain time by what is recorded, or all are decided.</p>\n".to_owned();
    }
    let at = At::default();
    let rows: String = page
        .recommendations
        .iter()
        .enumerate()
        .map(|(place, one)| row(one, &at.key("recommendations").item(place)))
        .collect();
    let left =
        left_out(&at.key("left_out").key("recommendations"), page.left_out.recommendations, "more recommendations");
    format!(
        "<div class=\"scroll\" role=\"region\" aria-label=\"Open recommendations\" tabindex=\"0\">\n<table>\n<caption>Sure: the probability that it gains</caption>\n<thead><tr><th scope=\"col\">what</th><th scope=\"col\">workflow</th>\
         <th scope=\"col\" class=\"n\">gain a week<span class=\"range\">90 % interval</span></th><th scope=\"col\" class=\"n\">sure</th><th scope=\"col\" class=\"n\">n</th><th scope=\"col\">id</th></tr></thead>\n<tbody>\n{rows}</tbody>\n</table>\n</div>\n{left}\
         <p class=\"note\"><bdi class=\"name\">meow recommendations show ID</bdi> says why, <bdi class=\"name\">apply ID</bdi> makes the change.</p>\n"
    )
}

fn row(one: &Open, at: &At) -> String {
    let gain = |place: usize| {
        number(
            &at.key("gain_minutes").item(place),
            one.gain_minutes[place],
            &format::duration(one.gain_minutes[place] * 60_000.0),
        )
    };
    let short: String = one.id.chars().take(8).collect();
    format!(
        "<tr><th scope=\"row\" class=\"said\" {}>{}</th><td class=\"t\">{}</td><td class=\"n\">{} <span class=\"range\">{} – {}</span></td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"shown\">{}</td></tr>\n",
        at.key("title").attribute(),
        blocks::line(&words::quoting(&one.title)),
        escape::name(&one.workflow),
        gain(1),
        gain(0),
        gain(2),
        number::percent(&at.key("confidence"), Some(one.confidence)),
        number::count(&at.key("n"), one.n),
        escape::name(&short),
    )
}
