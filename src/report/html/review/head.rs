//! The top and the foot of the page, and repositories and workflows in a line.

use super::{At, escape, left_out, number};
use crate::report::format;
use crate::report::review::{Counts, Review, WorkflowReview};

/// Returns the title and the facts that stand first.
pub(super) fn head(page: &Review, several: bool) -> String {
    let at = At::default();
    let title = match page.repositories.first() {
        Some(only) if !several => escape::name(&only.repository),
        None => "Nothing is recorded".to_owned(),
        Some(_) => format!("{} repositories", number::count(&at.key("project_count"), page.project_count)),
    };
    let made = number::moment(&at.key("made_at"), page.made_at);
    let seen = page.seen.map_or_else(String::new, |seen| {
        let at = at.key("seen");
        let [first, last] = number::ends(&at.key("first_at"), seen.first_at, &at.key("last_at"), seen.last_at);
        format!("Executions from {first} to {last}. ")
    });
    if page.total.executions == 0 {
        return format!(
            "<h1>{title}</h1>\n<p class=\"when\">Made by meow on {made}. <bdi class=\"name\">meow execute</bdi> records an execution.</p>\n"
        );
    }
    let mut facts = vec![fact(
        "executions",
        &number::count(&at.key("total").key("executions"), page.total.executions),
        &outcomes(&page.total, &at.key("total")),
    )];
    if let Some(week) = &page.week {
        let at = at.key("week");
        let (lost, spent) = (&week.spent.lost, at.key("spent"));
        let passed = number::duration(&spent.key("passed_ms"), Some(week.spent.passed_ms));
        facts.push(fact(
            "in the week",
            &number::count(&at.key("executions"), week.executions),
            &format!("{passed} of work that passed"),
        ));
        if lost.failed_ms + lost.retried_ms > 0.0 {
            let retried = number::duration(&spent.key("retried_ms"), Some(lost.retried_ms));
            facts.push(fact(
                "failed in the week",
                &number::duration(&spent.key("failed_ms"), Some(lost.failed_ms)),
                &format!("and {retried} before retries"),
            ));
        }
    }
    if let Some(first) = page.recommendations.first() {
        let at = at.key("recommendations").item(0).key("gain_minutes").item(1);
        let gain = number::number(&at, first.gain_minutes[1], &format::duration(first.gain_minutes[1] * 60_000.0));
        facts.push(fact("a week to gain", &gain, "by the first recommendation"));
    }
    format!(
        "<h1>{title}</h1>\n<p class=\"when\">{seen}Made by meow on {made}.</p>\n<dl class=\"facts\">\n{}</dl>\n",
        facts.concat()
    )
}

fn fact(what: &str, value: &str, more: &str) -> String {
    format!("<div><dt>{what}</dt><dd>{value} <small>{more}</small></dd></div>\n")
}

/// Returns `12 passed, 3 failed`.
fn outcomes(counts: &Counts, at: &At) -> String {
    let all = [("passed", counts.passed), ("failed", counts.failed), ("cancelled", counts.cancelled)];
    let shown = all.iter().filter(|(word, count)| *count > 0 || *word == "failed");
    shown.map(|(word, count)| format!("{} {word}", number::count(&at.key(word), *count))).collect::<Vec<_>>().join(", ")
}

/// Returns `15 executions, 3 failed`.
pub(super) fn counted(counts: &Counts, at: &At) -> String {
    let noun = if counts.executions == 1 { "execution" } else { "executions" };
    format!(
        "{} {noun}, {} failed",
        number::count(&at.key("executions"), counts.executions),
        number::count(&at.key("failed"), counts.failed)
    )
}

/// Returns what is known of a workflow as a whole.
pub(super) fn workflow(flow: &WorkflowReview, at: &At) -> String {
    let usual = flow.duration_ms.as_ref().map_or_else(String::new, |known| {
        let at = at.key("duration_ms");
        format!(
            " Passed ones take {} ({}, n {}).",
            number::duration(&at.key("p50"), Some(known.p50)),
            number::span(&at, known),
            number::count(&at.key("n"), known.n)
        )
    });
    let fails = flow.failure.as_ref().map_or_else(String::new, |odds| {
        format!(" One fails with odds of {}.", number::odds(&at.key("failure"), Some(odds)))
    });
    format!("<p>{}.{usual}{fails}</p>\n", counted(&flow.total, &at.key("total")))
}

/// Returns the repositories that have a line only.
pub(super) fn lines(page: &Review) -> String {
    let at = At::default();
    let left = left_out(
        &at.key("left_out").key("repositories"),
        page.left_out.repositories,
        "more repositories with less work in the week",
    );
    if page.others.is_empty() {
        return left;
    }
    let mut rows = String::new();
    for (place, one) in page.others.iter().enumerate() {
        let at = at.key("others").item(place);
        rows.push_str(&format!(
            "<tr><th scope=\"row\">{}</th><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td></tr>\n",
            escape::name(&one.repository),
            number::count(&at.key("total").key("executions"), one.total.executions),
            number::count(&at.key("total").key("failed"), one.total.failed),
            number::day(&at.key("last_at"), one.last_at),
        ));
    }
    format!(
        "<details>\n<summary><h3>Other repositories</h3></summary>\n<div class=\"scroll\" role=\"region\" aria-label=\"Other repositories\" tabindex=\"0\">\n<table>\n<thead><tr><th scope=\"col\">repository</th><th scope=\"col\" class=\"n\">executions</th><th scope=\"col\" class=\"n\">failed</th><th scope=\"col\" class=\"n\">last</th></tr></thead>\n<tbody>\n{rows}</tbody>\n</table>\n</div>\n{left}</details>\n"
    )
}

/// Returns how the numbers come about.
pub(super) fn foot(page: &Review) -> String {
    if page.total.executions == 0 {
        return String::new();
    }
    "<footer>\n<h2>How to read it</h2>\n<p class=\"note\">Durations are medians of attempts or executions that passed; a range after one is p10 – p90. Odds are shown \
     with their 90 % interval. Time spent is summed over slots: it may exceed the time that passed. The critical path is the \
     chain of steps that decided when the execution ended. Everything here stands in the records of the repositories; \
     <bdi class=\"name\">meow report --full --json</bdi> prints the same numbers for programs.</p>\n</footer>"
        .to_owned()
}
