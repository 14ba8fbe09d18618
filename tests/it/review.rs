//! The whole page: every number on it stands in its JSON, every drawing is to scale, and strangers' names stay names.

use meow::learn::{State, learn, trends};
use meow::recommend::recommend;
use meow::record::{Outcome, Record};
use meow::report::html::svg;
use meow::report::review::Source;
use meow::report::{self, Accepted, Names, Review, Side, changes, compare, format, review};
use meow::scan::{Collector, History};
use serde_json::Value;

use crate::learn::{chain, remembers};
use crate::markup::{Node, parse};
use crate::null::{Draw, history};
use crate::pages::HOSTILE;

/// Returns the page about a history; the executions from place `from` on are compared with those before.
pub fn page(history: &History, from: Option<usize>) -> Review {
    let (_, knowledge) = learn(State::default(), history);
    let (advice, trends) = (recommend(&knowledge, history), trends(history));
    let now = jiff::Timestamp::from_millisecond(history.executions.started_ms.last().copied().unwrap_or(0) + 60_000);
    // Hostile times may stand at the end of all times.
    let now = now.unwrap_or(jiff::Timestamp::MAX);
    let source = Source { history, knowledge: &knowledge, trends: &trends, advice: &advice, now };
    let comparison = from.map(|from| {
        let sides: Vec<Option<Side>> = (0..history.executions.len())
            .map(|place| Some(if place < from { Side::Base } else { Side::Head }))
            .collect();
        let names = Names { base: "release-1.2".into(), head: "this branch".into() };
        compare(history, &sides, names, &knowledge, &advice, &Accepted::new())
    });
    review(&source, comparison)
}

/// Returns a project's records: flaky, sometimes hanging, with `test` taking twice as long from execution 60 on.
fn eventful(seed: u64, flaky: f64) -> Vec<Record> {
    let mut shape = chain(100, 0.15, 0.05, flaky);
    shape.steps.push(crate::null::Made { id: "lint".into(), needs: vec![], ..shape.steps[0].clone() });
    shape.steps[2].hangs = 0.02;
    let mut records = history(&shape, &mut Draw::new(seed));
    let mut starts: Vec<_> = records.iter().map(|record| record.execution.started_at).collect();
    starts.sort();
    starts.dedup();
    for record in &mut records {
        if record.execution.started_at >= starts[60] && record.attempt.step == "test" {
            record.attempt.duration_ms = record.attempt.duration_ms.map(|ms| ms * 2.0);
        }
    }
    records
}

fn one() -> Review {
    page(&History::from_records("project", &eventful(3, 0.3)), Some(80))
}

fn several() -> Review {
    let mut collector = Collector::default();
    for (seed, name, flaky) in [(7, "app", 0.0), (8, "library", 0.1), (9, "site", 0.2)] {
        let repository = collector.repository(name);
        collector.facts(repository).warnings.push(format!("segment {seed} is damaged"));
        for record in eventful(seed, flaky) {
            collector.add(repository, &record);
        }
    }
    page(&collector.finish(), None)
}

/// Returns the page as its JSON and its HTML, read.
fn both(page: &Review) -> (Value, Node) {
    (serde_json::from_str(&report::json(page)).expect("JSON"), parse(&report::html::review(page)))
}

/// Returns every way in which a number of the JSON may be shown.
fn ways(value: f64) -> Vec<String> {
    let mut ways = vec![
        format::duration(value),
        format::duration(value * 60_000.0),
        format::percent(value),
        format::change(value),
        format::bytes(value),
        changes::number(value),
        changes::p_value(value),
        format!("{value:.0}"),
    ];
    if value == 0.0 {
        ways.push("0 s".into());
    }
    if value > 1e12 {
        let at = jiff::Timestamp::from_millisecond(format!("{value}").parse().expect("whole")).expect("in range");
        ways.push(at.strftime("%Y-%m-%d").to_string());
    }
    ways
}

#[test]
fn every_number_on_the_page_is_the_json_s() {
    for page in [one(), several()] {
        let (json, html) = both(&page);
        let at =
            |node: &Node| json.pointer(node.get("data-at")).unwrap_or_else(|| panic!("no {}", node.get("data-at")));
        let numbers = html.all("data");
        assert!(numbers.len() > 150, "{}", numbers.len());
        for node in numbers {
            let value = at(node).as_f64().unwrap_or_else(|| panic!("{} is no number", node.get("data-at")));
            assert_eq!(node.number("value").to_bits(), value.to_bits(), "{}", node.get("data-at"));
            let shown = node.words().replace('\u{202f}', "");
            assert!(ways(value).contains(&shown), "{value} is shown as {shown}");
        }
        for node in html.all("time") {
            assert_eq!(at(node).as_str(), Some(node.get("datetime")));
            let time: jiff::Timestamp = node.get("datetime").parse().expect("a time");
            let forms = ["%Y-%m-%d", "%H:%M UTC", "%Y-%m-%d %H:%M UTC"].map(|form| time.strftime(form).to_string());
            assert!(forms.contains(&node.words()), "{}", node.words());
        }
        for node in html.all("th").into_iter().filter(|node| !node.get("data-at").is_empty()) {
            assert_eq!(at(node).as_str().map(|title| title.replace('`', "")), Some(node.words()));
        }
        for node in html.all("circle").into_iter().filter(|node| !node.all("title").is_empty()) {
            let took = at(node).as_f64().expect("a duration");
            assert!(node.words().ends_with(&format!(" in {}", format::duration(took))), "{}", node.words());
        }
        for tick in html.all("text").into_iter().filter(|node| node.get("class") == "tick") {
            assert_eq!(tick.words(), svg::label(tick.number("data-value")));
        }
        let mut stray = Vec::new();
        loose(&html, &mut stray);
        assert_eq!(stray, Vec::<String>::new(), "numbers outside of `data`");
    }
}

/// Finds texts with digits that are neither numbers with a place in the JSON, nor names, nor words of our own.
fn loose(node: &Node, found: &mut Vec<String>) {
    if matches!(node.tag.as_str(), "data" | "time" | "bdi" | "head" | "title" | "text") || node.get("class") == "said" {
        return;
    }
    let own = ["p10 – p90", "its p90", "90 % interval", "95 % interval", "90 %"];
    let rest = own.iter().fold(node.text.clone(), |text, own| text.replace(own, ""));
    if rest.contains(|letter: char| letter.is_ascii_digit()) {
        found.push(node.text.clone());
    }
    node.children.iter().for_each(|child| loose(child, found));
}

#[test]
fn drawings_are_to_scale() {
    let near = |left: f64, right: f64, what: &str| assert!((left - right).abs() < 0.3, "{what}: {left} and {right}");
    for page in [one(), several()] {
        let (json, html) = both(&page);
        let mut bars = 0;
        for rect in html.all("rect").into_iter().filter(|rect| rect.get("data-at").contains("/last/attempts/")) {
            let place = rect.get("data-at");
            let (last, _) = place.split_once("/attempts/").expect("below an execution");
            let end = json.pointer(last).expect("an execution")["end_ms"].as_f64().expect("known");
            let attempt = json.pointer(place).expect("an attempt");
            let number = |key: &str| attempt[key].as_f64().expect("known") / end * 100.0;
            near(rect.number("x"), number("started_ms"), place);
            near(rect.number("width"), number("duration_ms"), place);
            assert_eq!(rect.get("class") == "critical", attempt["critical"] == true && attempt["outcome"] == "passed");
            bars += 1;
        }
        assert!(bars >= 3, "{bars}");
        for drawing in html.all("svg").into_iter().filter(|svg| svg.get("class") == "past") {
            let ticks: Vec<(f64, f64)> = drawing
                .all("text")
                .iter()
                .filter(|node| node.get("class") == "tick")
                .map(|tick| (tick.number("data-value"), tick.number("y") + 4.0))
                .collect();
            let bottom = drawing.all("line").iter().map(|line| line.number("y2")).fold(0.0, f64::max);
            let (value, height) = (ticks[0].0, bottom - ticks[0].1);
            for circle in drawing.all("circle") {
                let took = json.pointer(circle.get("data-at")).and_then(Value::as_f64).expect("a duration");
                near(bottom - circle.number("cy"), took / value * height, circle.get("data-at"));
            }
            assert!(!drawing.all("path").is_empty(), "the band of what was expected");
        }
        let mut scale: Option<f64> = None;
        for rect in html.all("rect").into_iter().filter(|rect| rect.get("data-at").starts_with("/week/rows/")) {
            let ms = json.pointer(rect.get("data-at")).and_then(Value::as_f64).expect("a duration");
            let width = rect.number("width");
            near(width, ms * *scale.get_or_insert(width / ms), rect.get("data-at"));
        }
        assert!(scale.is_some());
    }
}

#[test]
fn the_page_shows_what_happened() {
    let page = one();
    let (_, html) = both(&page);
    let flow = &page.repositories[0].workflows[0];
    assert!(flow.past.changes.iter().any(|mark| mark.trend.step == "test" && mark.point.is_some()), "{:?}", flow.past);
    assert!(html.all("line").iter().any(|line| line.get("class") == "change"), "a mark where `test` changed");
    assert!(page.flaky.iter().any(|step| step.step == "test"));
    assert!(!page.recommendations.is_empty());
    assert!(flow.last.attempts.iter().any(|bar| bar.critical) && flow.last.attempts.iter().any(|bar| !bar.critical));
    let week = page.week.as_ref().expect("a week");
    let sum: f64 = week.rows.iter().map(|row| row.spent.total_ms()).sum::<f64>() + week.rest.total_ms();
    assert!((sum - week.spent.total_ms()).abs() < 1e-3 && sum > 0.0);
    let titles: Vec<String> = html.all("h2").iter().map(|title| title.words()).collect();
    for title in
        ["What the branch changes", "Workflows", "Where the week’s time went", "Flakiest steps", "Open recommendations"]
    {
        assert!(titles.iter().any(|shown| shown == title), "{titles:?}");
    }
    let (_, html) = both(&several());
    assert_eq!(html.all("details").iter().filter(|one| !one.all("h3").is_empty()).count(), 3, "one a repository");
}

#[test]
fn every_drawing_has_words_and_every_region_a_name() {
    let (_, html) = both(&one());
    for drawing in html.all("svg").into_iter().filter(|svg| svg.get("class") != "stretched") {
        let inner = !drawing.get("x").is_empty() && drawing.get("role").is_empty();
        let has_words = drawing.get("aria-hidden") == "true" || !drawing.get("aria-label").is_empty();
        assert!(has_words || inner, "{drawing:?}");
    }
    for region in html.all("div").into_iter().filter(|node| node.get("role") == "region") {
        assert!(!region.get("aria-label").is_empty() && region.get("tabindex") == "0");
    }
    for table in html.all("table") {
        assert!(table.all("th").iter().all(|head| matches!(head.get("scope"), "col" | "row")));
        let columns = table.all("thead")[0].all("th").len();
        for row in table.all("tbody")[0].all("tr") {
            assert_eq!(row.children.len(), columns, "{}", row.words());
        }
    }
    for landmark in ["main", "header", "nav", "footer", "h1"] {
        assert_eq!(html.all(landmark).len(), 1, "{landmark}");
    }
    let ids: Vec<&str> = html.all("section").iter().map(|section| section.get("id")).collect();
    for link in html.all("a") {
        let target = link.get("href").trim_start_matches('#').to_owned();
        assert!(target == "content" || ids.contains(&target.as_str()), "{target}");
    }
}

#[test]
fn strangers_names_stay_names_on_the_whole_page() {
    let mut collector = Collector::default();
    for (place, hostile) in HOSTILE.iter().enumerate() {
        let repository = collector.repository(hostile);
        collector.facts(repository).warnings.push((*hostile).to_owned());
        for mut record in eventful(place as u64, 0.3) {
            let execution = std::sync::Arc::make_mut(&mut record.execution);
            execution.workflow = (*hostile).to_owned();
            execution.machine = Some((*hostile).to_owned());
            execution.trigger = (*hostile).to_owned();
            record.attempt.step = format!("{hostile}{}", record.attempt.step);
            record.attempt.needs.iter_mut().for_each(|need| *need = format!("{hostile}{need}"));
            collector.add(repository, &record);
        }
    }
    let history = collector.finish();
    let page = page(&history, Some(300));
    assert!(!page.flaky.is_empty() && !page.recommendations.is_empty());
    let (_, html) = both(&page);
    assert!(html.all("script").is_empty());
    let text = report::html::review(&page);
    assert!(text.contains("default-src 'none'; style-src 'unsafe-inline'"));
}

#[test]
fn a_huge_history_makes_a_bounded_page() {
    let mut collector = Collector::default();
    for place in 0..250_u64 {
        let repository = collector.repository(&format!("repository-{place}"));
        let mut shape = chain(if place == 0 { 1_000 } else { 6 }, 0.2, 0.0, 0.05);
        shape.every_minutes = 10.0;
        let steps = if place == 0 { 35 } else { 2 };
        for more in 2..steps {
            shape.steps.push(crate::null::Made {
                id: format!("step-{more}"),
                needs: vec![1],
                median_ms: 900.0,
                ..shape.steps[0].clone()
            });
        }
        for record in history(&shape, &mut Draw::new(place)) {
            collector.add(repository, &record);
        }
    }
    let history = collector.finish();
    let (_, knowledge) = learn(State::default(), &history);
    let now = jiff::Timestamp::from_second(1_763_000_000).expect("in range");
    let page = review(&Source { history: &history, knowledge: &knowledge, trends: &[], advice: &[], now }, None);
    let text = report::html::review(&page);
    println!("{} executions: {} KiB", page.total.executions, text.len() / 1024);
    assert!(text.len() < 2 << 20, "{} bytes", text.len());
    assert!(page.left_out.repositories > 0 && page.repositories.iter().any(|one| one.workflows[0].past.older > 0));
    for said in ["older executions", "more repositories", "shorter attempts", "shorter steps"] {
        assert!(text.contains(said), "{said}");
    }
    let failed = history.executions.outcome.iter().filter(|outcome| **outcome == Outcome::Failed).count();
    assert_eq!(page.total.failed, failed as u64);
    parse(&text);
}

#[test]
fn an_empty_history_has_a_page_too() {
    let (json, html) = both(&page(&History::default(), None));
    assert_eq!(json["total"]["executions"], 0);
    assert!(html.words().contains("Nothing is recorded"));
}

#[test]
fn the_command_writes_the_page_and_its_json() {
    let space = remembers("one", &eventful(3, 0.3));
    let said = space.meow(&["report", "--format", "html", "-o", "page.html"]);
    assert_eq!((said.code, said.out.as_str()), (0, ""), "{}", said.err);
    let html = parse(&space.read("page.html"));
    let json: Value = serde_json::from_str(&space.meow_ok(&["report", "--full", "--json"])).expect("JSON");
    for node in html.all("data") {
        assert_eq!(
            json.pointer(node.get("data-at")).and_then(Value::as_f64),
            Some(node.number("value")),
            "{}",
            node.get("data-at")
        );
    }
    assert!(space.meow_ok(&["report", ".", "--format", "html"]).starts_with("<!DOCTYPE html>"));
    let refused = space.meow(&["report", "--full"]);
    assert_eq!(refused.code, 2, "{}", refused.err);
    let refused = space.meow(&["report", "--format", "html", "-o", "no/such/folder.html"]);
    assert_eq!(refused.code, 3, "{}", refused.err);
}
