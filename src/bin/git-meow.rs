//! The program `git-meow`, so that `git meow` works.

use std::process::ExitCode;

fn main() -> ExitCode {
    meow::cli::main()
}
