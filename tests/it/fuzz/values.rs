//! A segment whose bytes are in order and whose values are not: whatever it says, learning and every page survive it.

use std::collections::BTreeMap;
use std::sync::Arc;

use fastrand::Rng;
use jiff::Timestamp;
use meow::learn::{State, health, insights, learn, trends};
use meow::record::{Execution, Outcome, Predicted, Record};
use meow::report;
use meow::scan::History;
use meow::store::segment;

use crate::null::{Draw, history};

const REALS: [f64; 12] = [
    0.0,
    -0.0,
    -1.0,
    1e-320,
    1e308,
    -1e308,
    f64::MAX,
    f64::MIN_POSITIVE,
    f64::NAN,
    f64::INFINITY,
    f64::NEG_INFINITY,
    9.007_199_254_740_993e15,
];
const WHOLES: [u64; 6] = [0, 1, 1 << 31, 1 << 53, (1 << 63) - 1, 86_400_000];
const TEXTS: [&str; 8] = ["", " ", "\0", "step", "build", "\u{202e}\u{1b}]0;x\u{7}", "../../x", "👩‍👩‍👧"];

/// Returns the bytes of a segment with a project's records, some of them hostile.
pub fn segment_of(seed: u64) -> Vec<u8> {
    let mut random = Rng::with_seed(seed);
    let mut records = history(&crate::learn::chain(random.usize(1..40), 0.2, 0.05, 0.3), &mut Draw::new(seed));
    let share = *random.choice(&[1, 10, 100]).expect("some");
    for record in &mut records {
        if random.u8(0..100) < share {
            spoil(record, &mut random);
        }
    }
    segment::encode(&records).expect("encoded")
}

fn spoil(record: &mut Record, random: &mut Rng) {
    let real = |random: &mut Rng| *random.choice(&REALS).expect("some");
    let whole = |random: &mut Rng| *random.choice(&WHOLES).expect("some");
    let text = |random: &mut Rng| (*random.choice(&TEXTS).expect("some")).to_owned();
    let execution: &mut Execution = Arc::make_mut(&mut record.execution);
    let attempt = &mut record.attempt;
    match random.u8(0..16) {
        0 => attempt.duration_ms = Some(real(random)),
        1 => execution.duration_ms = Some(real(random)),
        2 => attempt.started_ms = whole(random),
        3 => attempt.ready_ms = Some(whole(random)),
        4 => attempt.attempt = random.u32(..),
        5 => attempt.slot = Some(random.u32(..)),
        6 => execution.slots = Some(*random.choice(&[0, 1, u32::MAX]).expect("some")),
        7 => attempt.step = text(random),
        8 => execution.workflow = text(random),
        9 => attempt.needs = vec![attempt.step.clone(), text(random), text(random)],
        10 => {
            attempt.predicted = Some(Predicted {
                p10_ms: real(random),
                p50_ms: real(random),
                p90_ms: real(random),
                failure: real(random),
            });
        }
        11 => attempt.metrics = [(text(random), real(random)), ("tokens".to_owned(), real(random))].into(),
        12 => {
            attempt.peak_memory_bytes = Some(whole(random));
            attempt.inputs_bytes = Some(whole(random));
            attempt.user_ms = Some(whole(random));
        }
        13 => {
            let far = random.choice(&[Timestamp::MIN, Timestamp::MAX, Timestamp::UNIX_EPOCH]).expect("some");
            execution.started_at = *far;
        }
        14 => execution.machine = Some(text(random)),
        _ => {
            attempt.outcome = random.choice([Outcome::Passed, Outcome::Failed, Outcome::Cancelled]).expect("some");
            attempt.exit_code = Some(random.i32(..));
            attempt.signal = Some(random.i32(..));
        }
    }
}

/// Reads such a segment, learns from it, and writes every page about it.
pub fn survive(bytes: &[u8]) -> bool {
    let Ok(records) = segment::decode(bytes) else { return false };
    let history = History::from_records("project", &records);
    let (_, knowledge) = learn(State::default(), &history);
    let changes = trends(&history);
    let _ = (health(&history, &knowledge), insights(&history, &changes, &BTreeMap::new()));
    let page = crate::review::page(&history, Some(history.executions.len() / 2));
    let compared = page.comparison.as_ref().map(report::Comparison::document);
    if let Some(document) = &compared {
        let _ = (report::text(document, report::PLAIN), report::markdown(document), report::html(document));
    }
    let _ = (report::json(&page), report::html::review(&page));
    for place in 0..history.executions.len().min(3) {
        let _ = (report::json(&report::trace(&history, place)), report::single(&history, place, None).document());
    }
    let document = report::log(&history, 1_000, None).document();
    !report::text(&document, report::PLAIN).is_empty() && !report::markdown(&document).is_empty()
}
