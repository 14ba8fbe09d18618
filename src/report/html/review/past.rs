//! How long executions took so far: a dot each, the band in which each was to be expected, and marks where steps changed.

use std::collections::BTreeMap;

use super::{At, escape, left_out, number};
use crate::record::Outcome;
use crate::report::format;
use crate::report::html::svg::{Scale, label, short, ticks};
use crate::report::review::{Past, Point};

/// Height of the plot in pixels, and of the space above it where marks are named.
const HEIGHT: f64 = 190.0;
const ABOVE: f64 = 22.0;

/// Returns the drawing with its words, and the latest executions as a table.
pub(super) fn figure(past: &Past, at: &At) -> String {
    let elsewhere = left_out(&at.key("elsewhere"), past.elsewhere, "executions on other machine classes");
    let (Some(first), Some(last)) = (past.points.first(), past.points.last()) else {
        return format!("<p class=\"note\">No execution with a known end.</p>\n{elsewhere}");
    };
    let scale = vertical(past);
    let beyond = past.points.iter().filter(|point| point.duration_ms > scale.to).count();
    let points = at.key("points");
    let [from, to] =
        number::ends(&points.item(0).key("at"), first.at, &points.item(past.points.len() - 1).key("at"), last.at);
    let older = left_out(&at.key("older"), past.older, "older executions");
    let beyond = if beyond == 0 {
        String::new()
    } else {
        " Triangles at the top took longer than the scale reaches.".to_owned()
    };
    let machine = past.machine.as_ref().map_or_else(String::new, |machine| format!(" on {}", escape::name(machine)));
    let band = if past.points.iter().any(|point| point.expected_ms.is_some()) {
        super::week::key("band", "p10 – p90 of up to twenty passed executions before")
            + &super::week::key("middle", "their median")
    } else {
        String::new()
    };
    let marks = if past.changes.iter().any(|mark| mark.point.is_some()) {
        super::week::key("change", "a step changed")
    } else {
        String::new()
    };
    let failed = if past.points.iter().any(|point| point.outcome != Outcome::Passed) {
        super::week::key("failed", "failed or stopped")
    } else {
        String::new()
    };
    format!(
        "<figure>\n<svg class=\"past\" role=\"img\" aria-label=\"Wall time of each execution, oldest first; the table below holds the latest in numbers.\" height=\"{}\">{}{}{}{}{}</svg>\n\
         <p class=\"ends\"><span>{from}</span><span>{to}</span></p>\n\
         <figcaption>{}{failed}{band}{marks}<br>Executions in their order{machine}.{beyond}</figcaption>\n</figure>\n{older}{elsewhere}{}",
        short(ABOVE + HEIGHT + 4.0),
        grid(scale),
        expected(past, scale),
        changes(past),
        dots(past, &points, scale),
        labels(scale),
        super::week::key("passed", "an execution that passed"),
        table(past, &points),
    )
}

/// Returns the scale of durations: all that is usual fits, one that hung does not squeeze the rest.
fn vertical(past: &Past) -> Scale {
    let mut took: Vec<f64> = past.points.iter().map(|point| point.duration_ms).collect();
    took.sort_by(f64::total_cmp);
    let usual = took[(took.len() - 1) * 95 / 100];
    let expected = past.points.iter().filter_map(|point| point.expected_ms).map(|known| known.p90).fold(0.0, f64::max);
    let most = took[took.len() - 1];
    let reach = usual.max(expected) * 1.25;
    Scale::up_to(if most <= reach * 1.6 { most.max(reach / 1.25) * 1.08 } else { reach })
}

fn x(place: usize, count: usize) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "at most a few hundred points")]
    let (place, count) = (place as f64, count as f64);
    (place + 0.5) / count * 100.0
}

fn y(scale: Scale, ms: f64) -> f64 {
    ABOVE + HEIGHT - scale.percent(ms) / 100.0 * HEIGHT
}

fn grid(scale: Scale) -> String {
    let line =
        |tick| format!("<line class=\"grid\" x1=\"0\" x2=\"100%\" y1=\"{0}\" y2=\"{0}\"/>", short(y(scale, tick)));
    ticks(scale.to, 4.0).into_iter().map(line).collect()
}

/// Returns what the lines of the grid stand for, to be drawn over all else.
fn labels(scale: Scale) -> String {
    let text = |tick| {
        let y = short(y(scale, tick) - 4.0);
        format!("<text class=\"tick\" x=\"0\" y=\"{y}\" data-value=\"{tick}\">{}</text>", label(tick))
    };
    ticks(scale.to, 4.0).into_iter().filter(|tick| *tick != 0.0).map(text).collect()
}

/// Returns the band and the median that were to be expected.
///
/// A path knows no per cent, so it is drawn in a box of its own that is stretched.
fn expected(past: &Past, scale: Scale) -> String {
    let count = past.points.len();
    let known: Vec<(f64, [f64; 3])> = past
        .points
        .iter()
        .enumerate()
        .filter_map(|(place, point)| {
            let known = point.expected_ms?;
            Some((x(place, count), [known.p10, known.p50, known.p90].map(|ms| y(scale, ms) - ABOVE)))
        })
        .collect();
    let Some(((first, _), (last, _))) = known.first().zip(known.last()) else { return String::new() };
    let half = 50.0 / x(count - 1, count).max(1.0);
    let ends = |from: f64, to: f64| ((from - half).max(0.0), (to + half).min(100.0));
    let (left, right) = ends(*first, *last);
    let row = |which: usize| -> Vec<(f64, f64)> {
        let inner = known.iter().map(|(x, levels)| (*x, levels[which]));
        let start = (left, known[0].1[which]);
        let end = (right, known[known.len() - 1].1[which]);
        std::iter::once(start).chain(inner).chain(std::iter::once(end)).collect()
    };
    let line = |points: Vec<(f64, f64)>| {
        points.iter().map(|(x, y)| format!("{} {}", short(*x), short(*y))).collect::<Vec<_>>().join("L")
    };
    let mut back = row(0);
    back.reverse();
    format!(
        "<svg class=\"stretched\" y=\"{}\" width=\"100%\" height=\"{}\" viewBox=\"0 0 100 {}\" preserveAspectRatio=\"none\">\
         <path class=\"band\" d=\"M{}L{}Z\"/><path class=\"middle\" d=\"M{}\" vector-effect=\"non-scaling-stroke\"/></svg>",
        short(ABOVE),
        short(HEIGHT),
        short(HEIGHT),
        line(row(2)),
        line(back),
        line(row(1)),
    )
}

/// Returns a mark between the executions where steps changed, with the first one's name.
fn changes(past: &Past) -> String {
    let mut by_point: BTreeMap<usize, Vec<&str>> = BTreeMap::new();
    for mark in &past.changes {
        by_point.extend(mark.point.filter(|at| !by_point.contains_key(at)).map(|at| (at, Vec::new())));
        if let Some(steps) = mark.point.and_then(|at| by_point.get_mut(&at)) {
            steps.push(&mark.trend.step);
        }
    }
    let count = past.points.len();
    let mut free = 0.0;
    let mut shown = String::new();
    for (point, steps) in by_point {
        let at = f64::midpoint(x(point - 1, count), x(point, count));
        shown.push_str(&format!(
            "<line class=\"change\" x1=\"{0}%\" x2=\"{0}%\" y1=\"{1}\" y2=\"{2}\"/>",
            short(at),
            short(ABOVE - 6.0),
            short(ABOVE + HEIGHT)
        ));
        let anchor = if at > 70.0 { "end" } else { "start" };
        // Names that would run into each other are left to the table.
        if at < free {
            continue;
        }
        free = at + 30.0;
        let name: String = steps[0].chars().take(18).collect();
        let more = if steps.len() > 1 || name.len() < steps[0].len() { " …" } else { "" };
        let dx = if anchor == "end" { "-4" } else { "4" };
        shown.push_str(&format!(
            "<text class=\"label\" x=\"{}%\" dx=\"{dx}\" y=\"{}\" text-anchor=\"{anchor}\">{}{more}</text>",
            short(at),
            short(ABOVE - 8.0),
            escape::text(&name)
        ));
    }
    shown
}

fn dots(past: &Past, at: &At, scale: Scale) -> String {
    let count = past.points.len();
    let dot = |(place, point): (usize, &Point)| {
        let class = if point.outcome == Outcome::Passed { "passed" } else { "failed" };
        let told = format!(
            "<title>{}: {} in {}</title>",
            point.at.strftime("%Y-%m-%d %H:%M UTC"),
            point.outcome.word(),
            format::duration(point.duration_ms)
        );
        let at = at.item(place).key("duration_ms");
        if point.duration_ms > scale.to {
            return format!(
                "<svg x=\"{}%\" y=\"{}\" width=\"1\" height=\"1\"><path class=\"{class}\" d=\"M-4 4L0 -4L4 4Z\" {}>{told}</path></svg>",
                short(x(place, count)),
                short(ABOVE + 2.0),
                at.attribute()
            );
        }
        format!(
            "<circle class=\"{class}\" cx=\"{}%\" cy=\"{}\" r=\"2.75\" {}>{told}</circle>",
            short(x(place, count)),
            short(y(scale, point.duration_ms)),
            at.attribute()
        )
    };
    past.points.iter().enumerate().map(dot).collect()
}

/// Returns the latest executions in numbers, folded.
fn table(past: &Past, at: &At) -> String {
    let rows: String = past
        .points
        .iter()
        .enumerate()
        .rev()
        .take(20)
        .map(|(place, point)| {
            let at = at.item(place);
            let expected = point.expected_ms.as_ref().map_or_else(|| "–".to_owned(), |known| {
                let at = at.key("expected_ms");
                format!("{} {}", number::duration(&at.key("p50"), Some(known.p50)), number::span(&at, known))
            });
            let short: String = point.id.chars().take(8).collect();
            let class = if point.outcome == Outcome::Failed { " class=\"bad\"" } else { "" };
            format!(
                "<tr><th scope=\"row\">{}</th><td{class}>{}</td><td class=\"n\">{}</td><td class=\"n\">{expected}</td><td>{}</td></tr>\n",
                number::moment(&at.key("at"), point.at),
                point.outcome.word(),
                number::duration(&at.key("duration_ms"), Some(point.duration_ms)),
                escape::name(&short),
            )
        })
        .collect::<Vec<_>>()
        .concat();
    format!(
        "<details>\n<summary>The latest as a table</summary>\n<div class=\"scroll\" role=\"region\" aria-label=\"The latest executions\" tabindex=\"0\">\n<table>\n<thead><tr>\
         <th scope=\"col\">when</th><th scope=\"col\">outcome</th><th scope=\"col\" class=\"n\">took</th><th scope=\"col\" class=\"n\">expected<span class=\"range\">p10 – p90</span></th><th scope=\"col\">id</th></tr></thead>\n\
         <tbody>\n{rows}</tbody>\n</table>\n</div>\n</details>\n"
    )
}
