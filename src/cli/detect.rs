//! `meow detect`: where a series of numbers changes.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use serde::Serialize;

use super::Context;
use crate::error::{Error, Result};
use crate::learn::change::watch::Watch;
use crate::learn::change::{Change, changes};
use crate::report;

/// Show where a series of numbers, one a line, changes
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  meow detect < numbers.txt\n  tail -f numbers.txt | meow detect --online\n  meow detect --format text build-seconds.txt\n\n\
    A change is the 0-based place of the first number of a new segment; a segment is a level or a straight line. The \
    interval is of the difference of the two levels, at 90 %; the p-value is of any change there, of level or of slope, and \
    counts all places where it might have been."
)]
pub struct Args {
    /// The file to read instead of stdin
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// Take numbers as they come, and print each change of level once it is sure: one JSON object, or one line, each
    #[arg(long)]
    online: bool,
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
    if args.online {
        return online(args, context);
    }
    let (origin, text) = read(args, context)?;
    let series = numbers(&text, &origin)?;
    let changes = changes(&series);
    if args.format == Form::Text {
        context
            .terminal
            .result(&report::text(&report::changes::document(series.len(), &changes), context.terminal.width))?;
    } else {
        let change_points = changes.iter().map(|change| change.at).collect();
        let detection = Detection { schema_version: 1, n: series.len(), change_points, changes };
        context.terminal.result(&report::json(&detection))?;
    }
    Ok(0)
}

/// Watches numbers as they come; memory and time a number stay the same however many there were.
fn online(args: &Args, context: &Context) -> Result<u8> {
    let (origin, input): (String, Box<dyn BufRead>) = match &args.file {
        Some(file) => {
            let opened =
                fs::File::open(context.settings.directory.join(file)).map_err(|error| unreadable(file, error))?;
            (file.display().to_string(), Box::new(BufReader::new(opened)))
        }
        None => ("stdin".to_owned(), Box::new(std::io::stdin().lock())),
    };
    let mut watch = Watch::default();
    let mut seen = 0;
    for (at, line) in input.lines().enumerate() {
        let line = line.map_err(|error| Error::request(format!("{origin} cannot be read as text")).cause(error))?;
        let Some(value) = number(line.trim(), at + 1, &origin)? else { continue };
        seen += 1;
        if let Some(at) = watch.push(value) {
            let told = if args.format == Form::Text {
                format!("a change at {at}, sure after {seen} numbers")
            } else {
                serde_json::json!({ "schema_version": 1, "at": at, "seen": seen }).to_string()
            };
            context.terminal.result(&told)?;
        }
    }
    Ok(0)
}

fn unreadable(file: &Path, error: std::io::Error) -> Error {
    Error::request(format!("{} cannot be read", file.display())).cause(error)
}

fn read(args: &Args, context: &Context) -> Result<(String, String)> {
    if let Some(file) = &args.file {
        let path = context.settings.directory.join(file);
        let text = fs::read_to_string(&path).map_err(|error| unreadable(&path, error))?;
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
    let lines = text.lines().enumerate();
    let series =
        lines.filter_map(|(at, line)| number(line.trim(), at + 1, origin).transpose()).collect::<Result<Vec<f64>>>()?;
    if series.is_empty() {
        return Err(Error::request(format!("{origin} holds no number")).hint("give one number a line"));
    }
    Ok(series)
}

/// Returns the number of a line; `None` where the line is empty.
fn number(line: &str, at: usize, origin: &str) -> Result<Option<f64>> {
    if line.is_empty() {
        return Ok(None);
    }
    let number = line.parse::<f64>().ok().filter(|number| number.is_finite());
    number.map(Some).ok_or_else(|| {
        let shown: String = line.chars().take(40).collect();
        Error::request(format!("{origin}, line {at}: `{}` is no finite number", shown.escape_debug()))
            .hint("give one number a line, such as 12.5; leave out what was not measured")
    })
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
