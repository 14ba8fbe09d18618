//! `meow detect`: where a series of numbers changes.

use std::fs;
use std::io::Read;
use std::path::PathBuf;

use clap::ValueEnum;
use serde::Serialize;

use super::Context;
use crate::error::{Error, Result};
use crate::learn::change::{Change, changes};
use crate::report;

/// Show where a series of numbers, one a line, changes
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  meow detect < numbers.txt\n  meow detect --format text build-seconds.txt\n\n\
    A change is the 0-based place of the first number of a new segment; a segment is a level or a straight line. Its \
    interval is of 90 %, its p-value counts all places where it might have been.")]
pub struct Args {
    /// The file to read instead of stdin
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// The form of the result
    #[arg(long, value_enum, value_name = "FORM", default_value = "json")]
    format: Form,
}

/// The forms of the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    /// For programs
    Json,
    /// For a terminal
    Text,
}

/// What was found.
#[derive(Serialize)]
struct Detection {
    schema_version: u32,
    n: usize,
    change_points: Vec<usize>,
    changes: Vec<Change>,
}

/// Prints the changes.
///
/// # Errors
/// The numbers cannot be read, a line is no finite number, or there is none.
pub fn run(args: &Args, context: &Context) -> Result<u8> {
    let (origin, text) = read(args, context)?;
    let series = numbers(&text, &origin)?;
    let changes = changes(&series);
    if args.format == Form::Text {
        context.terminal.result(&report::text(&report::changes::document(series.len(), &changes)))?;
    } else {
        let change_points = changes.iter().map(|change| change.at).collect();
        let detection = Detection { schema_version: 1, n: series.len(), change_points, changes };
        context.terminal.result(&report::json(&detection))?;
    }
    Ok(0)
}

fn read(args: &Args, context: &Context) -> Result<(String, String)> {
    if let Some(file) = &args.file {
        let path = context.settings.directory.join(file);
        let text = fs::read_to_string(&path)
            .map_err(|error| Error::request(format!("{} cannot be read", path.display())).cause(error))?;
        return Ok((file.display().to_string(), text));
    }
    let mut text = String::new();
    std::io::stdin()
        .read_to_string(&mut text)
        .map_err(|error| Error::request("stdin cannot be read as text").cause(error))?;
    Ok(("stdin".to_owned(), text))
}

/// Returns the numbers of a text, one a line; empty lines are passed over.
fn numbers(text: &str, origin: &str) -> Result<Vec<f64>> {
    let lines = text.lines().enumerate().map(|(at, line)| (at + 1, line.trim())).filter(|(_, line)| !line.is_empty());
    let series = lines
        .map(|(at, line)| {
            let number = line.parse::<f64>().ok().filter(|number| number.is_finite());
            number.ok_or_else(|| {
                let shown: String = line.chars().take(40).collect();
                Error::request(format!("{origin}, line {at}: `{}` is no finite number", shown.escape_debug()))
                    .hint("give one number a line, such as 12.5; leave out what was not measured")
            })
        })
        .collect::<Result<Vec<f64>>>()?;
    if series.is_empty() {
        return Err(Error::request(format!("{origin} holds no number")).hint("give one number a line"));
    }
    Ok(series)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_numbers_or_said_to_be_none() {
        let check = |text: &str, expected: std::result::Result<Vec<f64>, &str>| {
            let found = numbers(text, "stdin").map_err(|error| error.to_string());
            assert_eq!(found, expected.map_err(str::to_owned), "{text:?}");
        };
        check("1\n 2.5 \r\n\n-3e2\n", Ok(vec![1.0, 2.5, -300.0]));
        check("", Err("stdin holds no number"));
        check("1\nNaN\n", Err("stdin, line 2: `NaN` is no finite number"));
        check("inf", Err("stdin, line 1: `inf` is no finite number"));
        check("1e999", Err("stdin, line 1: `1e999` is no finite number"));
        check("1\n\ntwo\n", Err("stdin, line 3: `two` is no finite number"));
        check("1,2", Err("stdin, line 1: `1,2` is no finite number"));
    }
}
