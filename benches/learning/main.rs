//! What learning is worth: tables of its errors beside those of the plain rules, and how fast it is.
//!
//! `cargo bench --bench learning [-- durations chosen newcomers limits retries failures flaky changepoints nulls memory speed]`.
//! Real histories are read from `../shared/data` where that
//! is there; a small generated one stands in where it is not.
#![expect(clippy::print_stdout, clippy::disallowed_methods, reason = "a bench reads files and prints")]

mod changepoints;
mod chosen;
mod clock;
mod durations;
mod failures;
mod flaky;
mod limits;
#[path = "../../tests/it/null.rs"]
mod made;
mod memory;
mod newcomers;
mod nulls;
mod retries;

fn main() {
    let named: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let tables: [(&str, fn()); 11] = [
        ("durations", durations::table),
        ("chosen", chosen::table),
        ("newcomers", newcomers::table),
        ("limits", limits::table),
        ("retries", retries::table),
        ("failures", failures::table),
        ("flaky", flaky::table),
        ("changepoints", changepoints::table),
        ("nulls", nulls::table),
        ("memory", memory::table),
        ("speed", durations::speed),
    ];
    for (name, table) in tables {
        if named.is_empty() || named.iter().any(|wanted| wanted == name) {
            table();
        }
    }
}
