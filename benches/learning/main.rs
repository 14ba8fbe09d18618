//! What learning is worth: tables of its errors beside those of the plain rules, and how fast it is.
//!
//! `cargo bench --bench learning`. Real histories are read from `../shared/data` where that is there; a small generated
//! one stands in where it is not.
#![expect(clippy::print_stdout, clippy::disallowed_methods, reason = "a bench reads files and prints")]

mod durations;

fn main() {
    durations::table();
    durations::speed();
}
