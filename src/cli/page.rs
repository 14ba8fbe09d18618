//! How commands show pages: the forms to choose from, and from when on records count.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::ValueEnum;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::Serialize;

use super::{Context, output};
use crate::error::{Error, Result};
use crate::report::{self, Document};
use crate::scan::History;

/// The forms of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For a terminal
    Text,
    /// For a code review comment
    Markdown,
    /// For a browser: one file that asks the network for nothing
    Html,
    /// For programs
    Json,
}

/// The flags of a command whose page comes in any form, printed or written to a file.
#[derive(Debug, clap::Args)]
pub struct Delivery {
    /// The form of the page
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// The same as --format json
    #[arg(long)]
    json: bool,
    /// Write the page to this file instead of printing it
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

impl Delivery {
    /// Prints or writes a page as the flags say.
    ///
    /// # Errors
    /// The file or the output cannot be written.
    pub fn put(&self, page: &impl Serialize, document: &Document, context: &Context) -> Result<()> {
        let format = if self.json { Format::Json } else { self.format };
        deliver(&form(page, document, format, context), self.output.as_deref(), context)
    }
}

/// Prints a page in the form that was asked for.
///
/// # Errors
/// The output cannot be written.
pub fn show(page: &impl Serialize, document: &Document, format: Format, context: &Context) -> Result<()> {
    deliver(&form(page, document, format, context), None, context)
}

/// Prints a page for programs or for a terminal.
///
/// # Errors
/// The output cannot be written.
pub fn print(page: &impl Serialize, document: &Document, json: bool, context: &Context) -> Result<()> {
    show(page, document, if json { Format::Json } else { Format::Text }, context)
}

/// Returns a page in the form that was asked for.
pub fn form(page: &impl Serialize, document: &Document, format: Format, context: &Context) -> String {
    match format {
        Format::Text => report::text(document, context.terminal.width),
        Format::Markdown => report::markdown(document),
        Format::Html => report::html(document),
        Format::Json => report::json(page),
    }
}

/// Writes a finished page to the file that a person named, or prints it.
///
/// # Errors
/// The file or the output cannot be written.
pub fn deliver(page: &str, file: Option<&Path>, context: &Context) -> Result<()> {
    let Some(file) = file else { return context.terminal.result(page) };
    let place = output::place(file, &context.settings)?;
    std::fs::write(&place, page)
        .map_err(|error| Error::store(format!("{} cannot be written", place.display())).cause(error))
}

/// From when on records count: `30d`, `12h`, `2w` back from now, or a date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Since {
    /// So many hours back from now.
    Hours(i64),
    /// The start of a day, in universal time.
    Day(Date),
}

impl Since {
    /// Returns the history from then on.
    pub fn cut(self, history: History, context: &Context) -> History {
        history.since(self.start_ms(context))
    }

    /// Returns the moment, in milliseconds since 1970.
    pub fn start_ms(self, context: &Context) -> i64 {
        let now = context.settings.clock.now().as_millisecond();
        match self {
            Self::Hours(hours) => now.saturating_sub(hours.saturating_mul(3_600_000)),
            Self::Day(day) => {
                day.to_zoned(TimeZone::UTC).map_or(i64::MIN, |start| Timestamp::from(start).as_millisecond())
            }
        }
    }
}

impl FromStr for Since {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let wrong = || Error::request(format!("`{}` is not 30d, 12h, 2w or 2026-11-22", text.escape_debug()));
        if let Ok(day) = text.parse::<Date>() {
            return Ok(Self::Day(day));
        }
        let (number, hours) = [('h', 1), ('d', 24), ('w', 168)]
            .into_iter()
            .find_map(|(unit, hours)| Some((text.strip_suffix(unit)?, hours)))
            .ok_or_else(wrong)?;
        let number: u32 = number.parse().map_err(|_| wrong())?;
        Ok(Self::Hours(i64::from(number) * hours))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_and_days() {
        for (text, meant) in [
            ("12h", Some(Since::Hours(12))),
            ("30d", Some(Since::Hours(720))),
            ("2w", Some(Since::Hours(336))),
            ("2026-11-22", Some(Since::Day(Date::constant(2026, 11, 22)))),
            ("", None),
            ("d", None),
            ("-1d", None),
            ("30 days", None),
            ("99999999999d", None),
        ] {
            assert_eq!(text.parse::<Since>().ok(), meant, "{text}");
        }
    }
}
