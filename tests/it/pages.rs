//! Pages as they are read: golden text, Markdown and JSON, strangers' names, and the size a forge takes.

use std::collections::BTreeMap;
use std::sync::Arc;

use meow::learn::Knowledge;
use meow::recommend::{Advice, Gain, Risk};
use meow::record::{Attempt, Digest, Execution, ExecutionId, Outcome, Record, Source};
use meow::report::compare::DurationVerdict;
use meow::report::{self, Accepted, Comparison, LIMIT, Landmarks, MARKER, Names, Side, Sources, compare};
use meow::scan::{Collector, History};

use crate::golden::golden;
use crate::markup;

/// One execution of `workflow`, number `at` in time, with attempts of (step, attempt, outcome, milliseconds).
fn execution(workflow: &str, at: u64, attempts: &[(&str, u32, Outcome, f64)]) -> Vec<Record> {
    let id = |salt: &str| Digest::of(format!("{workflow} {at} {salt}").as_bytes());
    let failed = attempts.iter().enumerate().any(|(place, (step, .., outcome, _))| {
        *outcome == Outcome::Failed && !attempts[place + 1..].iter().any(|(later, ..)| later == step)
    });
    let execution = Arc::new(Execution {
        id: ExecutionId::from_bytes(*id("id").bytes()),
        workflow: workflow.to_owned(),
        started_at: jiff::Timestamp::from_second(1_763_000_000 + 20_000 * i64::try_from(at).expect("few"))
            .expect("time"),
        duration_ms: Some(attempts.iter().map(|(.., ms)| ms + 100.0).sum()),
        outcome: if failed { Outcome::Failed } else { Outcome::Passed },
        trigger: "person".to_owned(),
        machine: Some("linux-x86_64-2c-16g".to_owned()),
        slots: Some(2),
        variables: BTreeMap::new(),
        source: Source { commit: Some(id("commit")), tree: Some(id("tree")), dirty: Some(false), ..Source::default() },
        resumes: None,
    });
    let mut clock_ms = 0;
    let record = |(step, attempt, outcome, ms): &(&str, u32, Outcome, f64)| {
        let ready_ms = clock_ms;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small and positive")]
        let length = *ms as u64;
        clock_ms += 100 + length;
        Record {
            execution: Arc::clone(&execution),
            attempt: Attempt {
                ready_ms: Some(ready_ms),
                started_ms: ready_ms + 100,
                duration_ms: Some(*ms),
                outcome: *outcome,
                user_ms: Some(length / 2),
                system_ms: Some(7),
                peak_memory_bytes: Some(64 << 20),
                slot: Some(0),
                ..Attempt::new(*step, *attempt)
            },
        }
    };
    attempts.iter().map(record).collect()
}

/// A number that wanders without chance, within 5 % around `around`.
fn about(around: f64, at: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "below 11")]
    let step = (at * 37 % 11) as f64;
    (around * (0.95 + 0.01 * step)).round()
}

/// Forty executions on the base, then `runs` on the head, where `test` takes half as long again and `lint` fails.
fn branch(runs: u64, slower: f64) -> (History, Vec<Option<Side>>) {
    use Outcome::{Failed, Passed};
    let mut records = Vec::new();
    for at in 0..40 + runs {
        let factor = if at < 40 { 1.0 } else { slower };
        let lint = if at < 40 { Passed } else { Failed };
        records.extend(execution(
            "ci",
            at,
            &[
                ("build", 1, Passed, about(30_000.0, at)),
                ("test", 1, Passed, about(12_000.0, at + 3) * factor),
                ("lint", 1, lint, about(2_000.0, at + 5)),
            ],
        ));
        if at % 4 == 0 {
            records.extend(execution("docs", at, &[("book", 1, Passed, about(5_000.0, at))]));
        }
    }
    let history = History::from_records("project", &records);
    let executions = &history.executions;
    let side = |place: usize| {
        let head = executions.started_ms[place] >= (1_763_000_000 + 20_000 * 40) * 1_000;
        Some(if head { Side::Head } else { Side::Base })
    };
    let sides = (0..executions.len()).map(side).collect();
    (history, sides)
}

fn page(runs: u64, slower: f64, advice: &[Advice]) -> Comparison {
    let (history, sides) = branch(runs, slower);
    let names = Names { base: "main".into(), head: "this branch".into() };
    compare(&history, &sides, names, &Knowledge::default(), advice, &Accepted::new())
}

fn advice(title: &str, workflow: &str) -> Advice {
    Advice {
        id: "8f3a5c7e9b1d".to_owned(),
        rule: "timeout".to_owned(),
        workflow: workflow.to_owned(),
        step: Some("test".to_owned()),
        title: title.to_owned(),
        rationale: "40 runs passed within 13 s".to_owned(),
        evidence: Vec::new(),
        n: 40,
        gain: Gain { low: 1.0, median: 4.5, high: 9.0 },
        confidence: 0.97,
        effort_minutes: 2.0,
        risk: Risk::Low,
        priority: 0.5,
        change: None,
    }
}

#[test]
fn pages_read_well() {
    let changed = page(10, 1.5, &[advice("Stop `test` after 2 min", "ci")]);
    golden("tests/pages/branch.md", &report::markdown(&changed.document()));
    golden("tests/pages/branch.txt", &report::text(&changed.document(), report::PLAIN));
    golden("tests/pages/branch.json", &report::json(&changed));
    let few = page(2, 1.5, &[]);
    golden("tests/pages/few-runs.md", &report::markdown(&few.document()));
    let (history, _) = branch(4, 1.0);
    golden("tests/pages/log.txt", &report::text(&report::log(&history, 6, None).document(), report::PLAIN));
    let newest = history.executions.len() - 1;
    golden(
        "tests/pages/execution.txt",
        &report::text(&report::single(&history, newest, None).document(), report::PLAIN),
    );
}

#[test]
fn losses_are_ranked_over_repositories() {
    use Outcome::{Failed, Passed};
    let mut collector = Collector::default();
    let first = collector.repository("app");
    let second = collector.repository("library");
    collector.facts(second).warnings.push("segment a.parquet is damaged".to_owned());
    for at in 0..20 {
        let flaky = if at % 5 == 0 { Failed } else { Passed };
        let attempts = [("build", 1, Passed, 30_000.0), ("test", 1, flaky, 60_000.0), ("test", 2, Passed, 61_000.0)];
        let retried = &attempts[..if flaky == Failed { 3 } else { 2 }];
        for record in execution("ci", at, retried) {
            collector.add(first, &record);
        }
        for record in execution("nightly", at, &[("fuzz", 1, if at < 2 { Failed } else { Passed }, 900_000.0)]) {
            collector.add(second, &record);
        }
    }
    let history = collector.finish();
    let page = report::losses(&history, &[]);
    assert_eq!(page.steps[0].step, "fuzz");
    let test = page.steps.iter().find(|step| step.step == "test").expect("test loses time");
    assert!((test.lost.retried_ms * page.weeks - 4.0 * 60_000.0).abs() < 1e-6, "{test:?}");
    assert!((test.lost.waiting_ms * page.weeks - 4.0 * 100.0).abs() < 1e-6, "{test:?}");
    golden("tests/pages/losses.md", &report::markdown(&page.document()));
    golden("tests/pages/losses.txt", &report::text(&page.document(), report::PLAIN));
}

#[test]
fn below_five_runs_nothing_is_called_slower() {
    for (runs, verdict) in [
        (1, DurationVerdict::UnusuallyLong),
        (4, DurationVerdict::UnusuallyLong),
        (5, DurationVerdict::Slower),
        (10, DurationVerdict::Slower),
    ] {
        let page = page(runs, 1.5, &[]);
        let test = page.workflows[0].steps.iter().find(|step| step.step == "test").expect("a step");
        assert_eq!(test.change.duration, verdict, "{runs} runs: {test:?}");
        let shown = report::markdown(&page.document());
        assert_eq!(shown.contains("**slower**"), runs >= 5, "{shown}");
    }
    assert!(page(4, 1.0, &[]).workflows[0].steps.iter().all(|step| step.change.duration == DurationVerdict::FewRuns));
}

#[test]
fn a_dirty_execution_belongs_to_the_commit_with_its_tree() {
    let digest = |text: &str| Digest::of(text.as_bytes());
    let on = |at: u64, commit: &str, tree: &str, dirty: bool| {
        let mut records = execution("ci", at, &[("build", 1, Outcome::Passed, 1_000.0)]);
        let mut facts = (*records[0].execution).clone();
        let (commit, tree, dirty) = (Some(digest(commit)), Some(digest(tree)), Some(dirty));
        facts.source = Source { commit, tree, dirty, ..Source::default() };
        records[0].execution = Arc::new(facts);
        records
    };
    let records = [
        on(0, "old", "old tree", false),
        on(1, "new", "new tree", false),
        on(2, "old", "new tree", true),
        on(3, "old", "thrown away", true),
        on(4, "rebased away", "old tree", false),
    ]
    .concat();
    let set = |text: &str| std::iter::once(digest(text)).collect();
    let side = |commit: &str, tree: &str| Landmarks { commits: set(commit), trees: set(tree), ..Landmarks::default() };
    let sources = Sources { base: side("old", "old tree"), head: side("new", "new tree") };
    let (sides, found) = report::by_source(&History::from_records("project", &records), &sources);
    assert_eq!((found.commit, found.tree, found.patch, found.range_patch), (2, 2, 0, 0));
    assert_eq!(sides, [Some(Side::Base), Some(Side::Head), Some(Side::Head), None, Some(Side::Base)]);
}

#[test]
fn what_a_squash_swallowed_goes_with_its_branch_alone() {
    let digest = |text: &str| Digest::of(text.as_bytes());
    let on = |at: u64, branch: &str, commit: &str, tree: &str, dirty: bool| {
        let mut records = execution("ci", at, &[("build", 1, Outcome::Passed, 1_000.0)]);
        let mut facts = (*records[0].execution).clone();
        let (commit, tree, dirty) = (Some(digest(commit)), Some(digest(tree)), Some(dirty));
        facts.source = Source { commit, tree, dirty, branch: Some(branch.to_owned()), ..Source::default() };
        records[0].execution = Arc::new(facts);
        records
    };
    let records = [
        on(0, "topic", "none yet", "first", true),
        on(1, "topic", "swallowed", "first", false),
        on(2, "topic", "swallowed", "a try", true),
        on(3, "given up", "elsewhere", "elsewhere", false),
        on(4, "topic", "last", "landed", false),
        on(5, "topic", "begun anew", "after it", false),
    ]
    .concat();
    let set = |text: &str| std::iter::once(digest(text)).collect();
    let base = Landmarks { commits: set("squashed"), trees: set("landed"), ..Landmarks::default() };
    let sources = Sources { base, head: Landmarks::default() };
    let (sides, found) = report::by_source(&History::from_records("project", &records), &sources);
    assert_eq!((found.tree, found.branch), (1, 2));
    assert_eq!(sides, [Some(Side::Base), Some(Side::Base), None, None, Some(Side::Base), None]);
}

/// Names that try to be more than names.
pub const HOSTILE: [&str; 9] = [
    "a|b `c` ``d",
    "<script>alert(1)</script>",
    "@octo/team fixes #1 GH-2",
    "[x](http://evil.example) ![y](http://evil.example/z.png)",
    "\u{1b}[31mred\u{1b}]0;title\u{7}",
    "abc\u{202e}dcb\u{200b}\u{e0041}",
    "line\n\n# heading\n| a | b |",
    "</details><!-- other:marker -->",
    "www.evil.example *bold* _it_ ~~no~~ $x$ \\",
];

#[test]
fn strangers_names_stay_names() {
    let mut records = Vec::new();
    for (place, hostile) in HOSTILE.iter().enumerate() {
        for at in 0..16 {
            let outcome = if at > 9 { Outcome::Failed } else { Outcome::Passed };
            let steps = [(*hostile, 1, outcome, about(9_000.0, at)), ("build", 1, Outcome::Passed, about(900.0, at))];
            records.extend(execution(hostile, 100 * place as u64 + at, &steps));
        }
    }
    let history = History::from_records(HOSTILE[0], &records);
    let sides: Vec<_> =
        (0..history.executions.len()).map(|place| Some(if place % 16 > 9 { Side::Head } else { Side::Base })).collect();
    let advice: Vec<Advice> = HOSTILE.iter().map(|name| advice(&format!("Mend {name} soon"), name)).collect();
    let names = Names { base: HOSTILE[2].into(), head: HOSTILE[1].into() };
    let mut collector = Collector::default();
    for name in HOSTILE {
        let repository = collector.repository(name);
        collector.facts(repository).warnings.push(name.to_owned());
        for record in &records {
            collector.add(repository, record);
        }
    }
    let scanned = collector.finish();
    let documents = [
        compare(&history, &sides, names, &Knowledge::default(), &advice, &Accepted::new()).document(),
        report::losses(&scanned, &advice).document(),
        report::log(&history, 1_000, None).document(),
        report::single(&history, 0, Some(HOSTILE[4].to_owned())).document(),
    ];
    for document in &documents {
        let text = report::text(document, report::PLAIN);
        assert!(!text.chars().any(|letter| letter.is_control() && letter != '\n'), "{text:?}");
        assert!(!text.contains(['\u{202e}', '\u{200b}', '\u{e0041}']), "{text:?}");
        assert!(!text.lines().any(|line| line.starts_with("# heading")), "{text}");
        let page = report::markdown(document);
        assert!(page.starts_with(MARKER));
        page.lines().skip(1).for_each(assert_inert);
        let page = markup::parse(&report::html(document));
        assert!(page.all("script").is_empty() && page.all("a").len() == 1, "only the skip link");
    }
}

/// Asserts that outside code spans a line holds only our own Markdown.
fn assert_inert(line: &str) {
    let parts: Vec<&str> = line.split('`').collect();
    assert_eq!(parts.len() % 2, 1, "a code span is open: {line}");
    let mut outside: String = parts.iter().step_by(2).copied().collect::<Vec<_>>().join("x");
    for own in ["<details>", "</details>", "<summary>", "</summary>", "<code>", "</code>", "<sub>", "</sub>", "**"] {
        outside = outside.replace(own, "");
    }
    // Numeric entities are the escaped form of everything else.
    while let Some(from) = outside.find("&#") {
        let to = outside[from..].find(';').expect("an entity ends") + from;
        outside.replace_range(from..=to, "");
    }
    let raw = ['<', '>', '[', ']', '@', '*', '_', '~', '\\', '$', '!', '\u{1b}', '\u{202e}', '\u{200b}', '\u{e0041}'];
    assert!(!outside.contains(raw), "{line}\n{outside}");
    assert!(!outside.trim_start_matches("### ").contains('#'), "{line}");
    assert!(!outside.contains("://") && !outside.contains("www."), "{line}");
    if outside.starts_with('|') {
        let inside: String = parts.iter().skip(1).step_by(2).copied().collect();
        assert!(!inside.contains('|'), "a name ends its cell: {line}");
    }
}

#[test]
fn five_thousand_steps_fit_into_a_comment() {
    let steps: Vec<String> = (0..5_000).map(|place| format!("step-with-a-rather-long-name-{place}")).collect();
    let mut records = Vec::new();
    for at in 0..12 {
        let attempts: Vec<_> =
            steps.iter().map(|step| (step.as_str(), 1, Outcome::Passed, about(1_000.0, at))).collect();
        records.extend(execution("huge", at, &attempts));
    }
    let history = History::from_records("project", &records);
    let sides: Vec<_> = (0..12).map(|place| Some(if place < 6 { Side::Base } else { Side::Head })).collect();
    let names = Names { base: "main".into(), head: "this branch".into() };
    let page =
        report::markdown(&compare(&history, &sides, names, &Knowledge::default(), &[], &Accepted::new()).document());
    assert!(page.chars().count() <= LIMIT, "{}", page.chars().count());
    assert!(page.contains("more rows"), "the page says that it is cut");
    assert!(page.ends_with("</sub>\n"), "the end stays");
}
