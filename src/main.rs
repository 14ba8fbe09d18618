//! The program `meow`.

use std::process::ExitCode;

fn main() -> ExitCode {
    meow::cli::main()
}
