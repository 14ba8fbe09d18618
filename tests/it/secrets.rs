//! The seeded corpus in its short form: what is taken out of lines with a secret, and what lines without one lose.

#[path = "../../benches/secrets/corpus/mod.rs"]
mod corpus;
#[path = "../../benches/secrets/score.rs"]
mod score;

use corpus::Kind;

/// Two rounds bring every shape to some places; `cargo bench --bench secrets` goes through all of them.
const ROUNDS: usize = 2;

#[test]
fn secrets_go_and_everything_else_stays() {
    let cases: Vec<_> = corpus::corpus(42, ROUNDS).into_iter().map(|case| (score::cleaned(&case), case)).collect();
    let judged: Vec<_> = cases.into_iter().map(|(cleaned, case)| (case, cleaned)).collect();
    for (kind, least, of) in [
        (Kind::Provider, 0.99, 250),
        (Kind::CommandLine, 0.95, 150),
        (Kind::Known, 0.99, 140),
        (Kind::Benign, 0.99, 190),
    ] {
        // Misses among held-out shapes are not shown: whoever looks at them can no longer judge by them.
        let seen =
            judged.iter().filter(|(case, cleaned)| case.kind == kind && !case.held_out && !score::well(case, cleaned));
        let missed: Vec<String> = seen.map(|(case, _)| format!("{} in {}", case.shape, case.place)).collect();
        let share = score::share(judged.iter().filter(|(case, _)| case.kind == kind));
        assert!(share.of >= of, "{kind:?}: {share:?}");
        assert!(share.value() >= least, "{kind:?}: {share:?}, among them {missed:?}");
    }
}
