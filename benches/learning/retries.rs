//! What learnt retries would have done with failures that were in fact tried again, on real histories.

use std::fs::File;
use std::path::Path;

use meow::import::jsonl;
use meow::learn::replay::Trace;
use meow::learn::transient::{RetryScores, retries};

/// All sets with failures that another attempt of the same execution followed, or could have.
const SETS: [&str; 4] = ["iofrol_tests", "bitcoin_jobs", "retrofit_tests", "sizey"];

/// Prints a row a set.
#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
pub fn table() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    let mut first = true;
    for set in SETS {
        let Ok(file) = File::open(data.join(format!("{set}.jsonl.gz"))) else { continue };
        let rows = jsonl::rows(file, set).expect("interchange rows");
        if std::mem::take(&mut first) {
            println!(
                "\n| set | failures tried again | passed then | learnt policy tries again | passed then | left alone | would have passed |"
            );
            println!("|---|---|---|---|---|---|---|");
        }
        let scores = retries(&Trace::from_rows(&rows, &[])).unwrap_or_default();
        let RetryScores { followed, passed, retried, retried_passed } = scores;
        let share = |part: usize, whole: usize| {
            let share = if whole > 0 { format!("{:.1} %", 100.0 * part as f64 / whole as f64) } else { "-".into() };
            format!("{part} ({share})")
        };
        println!(
            "| {set} | {followed} | {} | {} | {} | {} | {} |",
            share(passed, followed),
            share(retried, followed),
            share(retried_passed, retried),
            followed - retried,
            share(passed - retried_passed, followed - retried),
        );
    }
}
