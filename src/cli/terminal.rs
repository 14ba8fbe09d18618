//! The only place that prints: results to stdout, talk to stderr, a broken pipe is success.

use std::io::{self, Write};
use std::process::ExitCode;

use super::settings::Settings;
use crate::error::{Error, Kind, Result};
use crate::redact::inert;
use crate::report;

/// Prints results and talk.
#[derive(Debug)]
pub struct Terminal {
    quiet: bool,
    verbose: bool,
    /// Whether talk may be coloured.
    pub color_err: bool,
    /// Whether results may be coloured.
    pub color_out: bool,
    /// Whether a person watches stderr.
    pub watched: bool,
    /// How many characters wide the tables of results may be.
    pub width: usize,
}

impl Terminal {
    /// Returns the printer for these settings.
    pub fn new(settings: &Settings) -> Self {
        Self {
            quiet: settings.quiet,
            verbose: settings.verbose,
            color_err: settings.color_err,
            color_out: settings.color_out,
            watched: settings.watched,
            width: columns(),
        }
    }

    /// Returns a printer without colour, for what goes wrong before there are settings.
    pub fn plain() -> Self {
        Self { quiet: false, verbose: false, color_err: false, color_out: false, watched: false, width: report::PLAIN }
    }

    /// Writes a result to stdout, with a line end.
    ///
    /// # Errors
    /// [`Kind::Closed`] where the reader went away; otherwise what the system says.
    pub fn result(&self, text: &str) -> Result<()> {
        let mut out = io::stdout().lock();
        out.write_all(text.as_bytes())
            .and_then(|()| if text.ends_with('\n') { Ok(()) } else { out.write_all(b"\n") })
            .and_then(|()| out.flush())
            .map_err(|error| match error.kind() {
                io::ErrorKind::BrokenPipe => Error::new(Kind::Closed, "the reader of the output went away"),
                _ => Error::store("stdout cannot be written").cause(error),
            })
    }

    /// Returns whether progress is drawn: a person watches, and wants talk.
    pub fn draws(&self) -> bool {
        self.watched && !self.quiet
    }

    /// Whether talk is heard.
    pub fn talks(&self) -> bool {
        !self.quiet
    }

    /// Says a line of talk on stderr, unless quiet.
    pub fn say(&self, line: &str) {
        if !self.quiet {
            self.line(line);
        }
    }

    /// Says a line that only `--verbose` wants.
    pub fn detail(&self, line: &str) {
        if self.verbose {
            self.line(line);
        }
    }

    /// Warns, also when quiet.
    pub fn warn(&self, what: &str) {
        self.line(&format!("{}: {}", self.painted("33", "warning"), inert::lines(what)));
    }

    /// Asks a person a question, also when quiet; returns whether the answer was yes.
    ///
    /// # Errors
    /// The answer cannot be read.
    pub fn ask(&self, question: &str) -> Result<bool> {
        self.line(&format!("{question} [y/n]"));
        let mut answer = String::new();
        while io::stdin().read_line(&mut answer).map_err(|error| Error::store("no answer").cause(error))? > 0 {
            match answer.trim().to_ascii_lowercase().as_str() {
                "y" | "yes" => return Ok(true),
                "n" | "no" => return Ok(false),
                _ => self.line("please answer y or n"),
            }
            answer.clear();
        }
        Ok(false)
    }

    /// Says an error with its hint; returns its exit code.
    pub fn fail(&self, error: &Error) -> u8 {
        self.line(&format!("{}: {}", self.painted("31", "error"), inert::lines(&error.to_string())));
        if let Some(hint) = error.hint_text() {
            self.line(&format!("{}: {}", self.painted("36", "hint"), inert::lines(hint)));
        }
        error.exit_code()
    }

    /// Returns `text` for stderr in the colour of an ANSI code, where colour is wanted.
    pub fn painted(&self, code: &str, text: &str) -> String {
        if self.color_err { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    /// Writes one line to stderr; nobody is left to tell when that fails.
    #[expect(clippy::unused_self, reason = "printing goes through the printer")]
    fn line(&self, line: &str) {
        let _ = writeln!(io::stderr().lock(), "{line}");
    }
}

/// Returns the width of the terminal that results go to: one that is very wide is not filled, one that is not there is plain.
fn columns() -> usize {
    let size = rustix::termios::tcgetwinsize(io::stdout()).ok().filter(|size| size.ws_col > 0);
    size.map_or(report::PLAIN, |size| usize::from(size.ws_col).clamp(40, 160))
}

/// Prints the version as clap prints it.
pub(super) fn version() -> ExitCode {
    // A reader that went away is success.
    let _ = writeln!(io::stdout(), "meow {}", env!("CARGO_PKG_VERSION"));
    ExitCode::SUCCESS
}

/// Prints what clap has to say; help and version go to stdout and are no error.
pub(super) fn usage(usage: &clap::Error) -> ExitCode {
    let _ = usage.print();
    ExitCode::from(if usage.use_stderr() { 2 } else { 0 })
}
