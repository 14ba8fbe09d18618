//! The last execution as a line of time: a row an attempt, the critical path in colour.

use super::{At, escape, number};
use crate::record::Outcome;
use crate::report::html::svg::{Scale, label, short, ticks};
use crate::report::review::{Bar, Last};

/// Height of a row's drawing in pixels.
const HEIGHT: u32 = 16;

/// Returns the execution as a table whose last column is drawn.
pub(super) fn figure(last: &Last, at: &At) -> String {
    let line = &last.line;
    let took = line.duration_ms.map_or_else(
        || "never came to its end".to_owned(),
        |ms| format!("{} in {}", line.outcome.word(), number::duration(&at.key("duration_ms"), Some(ms))),
    );
    let class = if line.outcome == Outcome::Failed { "bad" } else { "plain" };
    let machine = last.machine.as_ref().map_or_else(String::new, |machine| format!(" on {}", escape::name(machine)));
    let commit = line.commit.map_or_else(String::new, |commit| {
        let short: String = commit.to_string().chars().take(12).collect();
        let dirty = if line.dirty == Some(true) { " with uncommitted changes" } else { "" };
        format!(", commit {}{dirty}", escape::name(&short))
    });
    let began = number::moment(&at.key("started_at"), line.started_at);
    let lead = format!(
        "<p>{began}: <strong class=\"{class}\">{took}</strong>, started by {}{machine}{commit}.</p>\n",
        escape::name(&last.trigger)
    );
    if last.attempts.is_empty() {
        return lead;
    }
    let scale = Scale::up_to(last.end_ms);
    let marks = ticks(last.end_ms, 4.0);
    let rows: String = last
        .attempts
        .iter()
        .enumerate()
        .map(|(place, bar)| row(bar, &at.key("attempts").item(place), scale, &marks))
        .collect();
    let left =
        super::left_out(&at.key("attempts_left_out"), last.attempts_left_out, "shorter attempts off the critical path");
    format!(
        "{lead}<table class=\"timeline\">\n<caption>{}</caption>\n<thead><tr><th scope=\"col\">step</th>\
         <th scope=\"col\" class=\"n\">start</th><th scope=\"col\" class=\"n\">took</th><th scope=\"col\" class=\"n\">to spare</th>\
         <th scope=\"col\" class=\"wide\">{}</th></tr></thead>\n<tbody>\n{rows}</tbody>\n</table>\n{left}",
        keys(last),
        axis(scale, &marks),
    )
}

/// Returns what the colours mean, of those that occur.
fn keys(last: &Last) -> String {
    let any = |wanted: fn(&Bar) -> bool| last.attempts.iter().any(wanted);
    let all = [
        ("critical", "on the critical path", any(|bar| class(bar) == "critical")),
        ("work", "has time to spare", any(|bar| class(bar) == "work")),
        ("fail", "failed", any(|bar| class(bar) == "fail")),
        ("idle", "stopped", any(|bar| class(bar) == "idle")),
        ("queue", "ready, waiting", any(|bar| waited(bar).is_some())),
    ];
    let shown = all.iter().filter(|(.., occurs)| *occurs).map(|(class, words, _)| super::week::key(class, words));
    shown.collect::<Vec<_>>().concat()
}

fn class(bar: &Bar) -> &'static str {
    match bar.attempt.outcome {
        Outcome::Failed => "fail",
        Outcome::Cancelled => "idle",
        Outcome::Passed if bar.critical => "critical",
        Outcome::Passed => "work",
    }
}

/// Returns from when to when it waited, where that is long enough to be seen.
fn waited(bar: &Bar) -> Option<(f64, f64)> {
    let (ready, started) = (bar.ready_ms?, bar.attempt.started_ms?);
    (started - ready > 10.0 && bar.attempt.attempt == 1).then_some((ready, started))
}

fn row(bar: &Bar, at: &At, scale: Scale, marks: &[f64]) -> String {
    let attempt = &bar.attempt;
    let again = if attempt.attempt > 1 {
        format!(" <small>attempt {}</small>", number::count(&at.key("attempt"), attempt.attempt.into()))
    } else {
        String::new()
    };
    let ended = match attempt.outcome {
        Outcome::Passed => "",
        Outcome::Failed if attempt.timed_out => " <small class=\"bad\">failed at its time limit</small>",
        Outcome::Failed => " <small class=\"bad\">failed</small>",
        Outcome::Cancelled => " <small>stopped</small>",
    };
    let late = attempt
        .duration_ms
        .zip(attempt.predicted_p90_ms)
        .filter(|(took, p90)| took > p90 && attempt.outcome == Outcome::Passed);
    let late = late.map_or_else(String::new, |(_, p90)| {
        format!(
            " <small class=\"late\">above its p90, {}</small>",
            number::duration(&at.key("predicted_p90_ms"), Some(p90))
        )
    });
    let spare = if bar.critical {
        "<span class=\"path\">critical</span>".to_owned()
    } else {
        number::duration(&at.key("slack_ms"), bar.slack_ms)
    };
    format!(
        "<tr><th scope=\"row\">{}{again}{ended}{late}</th><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{spare}</td><td class=\"wide\">{}</td></tr>\n",
        escape::name(&attempt.step),
        number::duration(&at.key("started_ms"), attempt.started_ms),
        number::duration(&at.key("duration_ms"), attempt.duration_ms),
        drawing(bar, at, scale, marks),
    )
}

/// Returns a row's bar; the row says the same in words.
fn drawing(bar: &Bar, at: &At, scale: Scale, marks: &[f64]) -> String {
    let (Some(started), Some(took)) = (bar.attempt.started_ms, bar.attempt.duration_ms) else {
        return "–".to_owned();
    };
    let middle = HEIGHT / 2;
    let rect = |class: &str, from: f64, to: f64, inset: u32, more: &str| {
        let (x, end) = (scale.percent(from), scale.percent(to));
        // What is too short to be seen is drawn as a hair.
        let width = (end - x).max(0.25);
        format!(
            "<rect class=\"{class}\" x=\"{}%\" y=\"{inset}\" width=\"{}%\" height=\"{}\" {more}/>",
            short(x.min(100.0 - width)),
            short(width),
            HEIGHT - 2 * inset
        )
    };
    let lines: String = marks
        .iter()
        .map(|mark| {
            format!(
                "<line class=\"grid\" x1=\"{0}%\" x2=\"{0}%\" y1=\"-5\" y2=\"{1}\"/>",
                short(scale.percent(*mark)),
                HEIGHT + 5
            )
        })
        .collect::<Vec<_>>()
        .concat();
    let queue = waited(bar).map_or_else(String::new, |(from, to)| rect("queue", from, to, middle - 1, ""));
    format!(
        "<svg aria-hidden=\"true\" focusable=\"false\" height=\"{HEIGHT}\">{lines}{queue}{}</svg>",
        rect(class(bar), started, started + took, 2, &at.attribute()),
    )
}

fn axis(scale: Scale, marks: &[f64]) -> String {
    let labels: String = marks
        .iter()
        .map(|mark| {
            let place = scale.percent(*mark);
            let anchor = if place < 4.0 {
                "start"
            } else if place > 92.0 {
                "end"
            } else {
                "middle"
            };
            let shown = label(*mark);
            format!(
                "<text class=\"tick\" x=\"{}%\" y=\"11\" text-anchor=\"{anchor}\" data-value=\"{mark}\">{shown}</text>",
                short(place)
            )
        })
        .collect::<Vec<_>>()
        .concat();
    format!("<svg aria-hidden=\"true\" focusable=\"false\" height=\"14\">{labels}</svg>")
}
