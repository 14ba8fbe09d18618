//! What others' histories are worth to a repository that is new: its first executions, with and without.

use meow::learn::newcomers::{Cold, newcomers};
use meow::learn::predictor::Forecaster;

use crate::durations;

/// Prints a row a set of which each workflow is taken for a repository of its own.
pub fn table() {
    let mut begun = false;
    for (set, mut trace, since) in durations::sets() {
        if since.is_some() {
            continue;
        }
        for (known, _) in &mut trace.attempts {
            known.repository = known.workflow.0;
        }
        let said = trace.replay(&mut Forecaster::default());
        // Of attempts that all start before any has ended nothing can be foreseen.
        let found = newcomers(&trace, &said).filter(|found| found.with.mdape_percent.is_some());
        let Some(found) = found else { continue };
        if !begun {
            println!(
                "\n| set: every workflow a repository, its first 20 executions | foreseen: with the others / alone | median error | below p90 |"
            );
            println!("|---|---|---|---|");
            begun = true;
        }
        let share = |of: fn(&Cold) -> Option<f64>, digits: usize, unit: &str| {
            let told = |cold| of(cold).map_or("none".to_owned(), |value| format!("{value:.digits$}{unit}"));
            format!("{} / {}", told(&found.with), told(&found.without))
        };
        println!(
            "| {set} ({} repositories, {} attempts) | {} | {} | {} |",
            found.repositories,
            found.attempts,
            share(|cold| Some(100.0 * cold.predicted), 0, " %"),
            share(|cold| cold.mdape_percent, 1, " %"),
            share(|cold| cold.coverage_p90, 3, ""),
        );
    }
}
