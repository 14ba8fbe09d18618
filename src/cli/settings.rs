//! What was typed and what the environment says, resolved once into plain values; the only reader of the environment.

use std::env;
use std::ffi::OsString;
use std::io::IsTerminal;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use jiff::Timestamp;

use crate::clock::Clock;
use crate::error::{Error, Kind, Result};

/// Flags that every command takes.
#[derive(Debug, Args)]
pub struct Flags {
    /// Work as if started in this folder
    #[arg(short = 'C', global = true, value_name = "DIR", help_heading = "Global options")]
    directory: Option<PathBuf>,
    /// Print results only, no talk
    #[arg(short, long, global = true, help_heading = "Global options")]
    quiet: bool,
    /// Say more about what is done
    #[arg(short, long, global = true, help_heading = "Global options")]
    verbose: bool,
    /// When to use colour
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto, help_heading = "Global options")]
    color: Color,
}

/// When to use colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless `NO_COLOR` is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// Everything that does not change while the program runs.
#[derive(Debug)]
pub struct Settings {
    /// The folder to work in.
    pub directory: PathBuf,
    /// Print results only.
    pub quiet: bool,
    /// Say more.
    pub verbose: bool,
    /// Use colour on stdout.
    pub color_out: bool,
    /// Use colour on stderr.
    pub color_err: bool,
    /// Whether a person watches: stderr is a terminal, and this is not CI.
    pub watched: bool,
    /// Whether a person can be asked: both ends of the talk are a terminal.
    pub asks: bool,
    /// Whether hooks record; `MEOW=0` switches them off.
    pub enabled: bool,
    /// The user's own folder for state such as keys.
    pub state: Option<PathBuf>,
    /// The user's home folder.
    pub home: Option<PathBuf>,
    /// The key of hashed names, from `MEOW_KEY`.
    pub key: Option<String>,
    /// The index a running git hook works on, from `GIT_INDEX_FILE`.
    pub git_index: Option<PathBuf>,
    /// The git directory a running git hook works for, from `GIT_DIR`.
    pub git_dir: Option<PathBuf>,
    /// Slots, from `MEOW_SLOTS`.
    pub slots: Option<u32>,
    /// The clock.
    pub clock: Clock,
    /// This program's own file.
    pub program: PathBuf,
    /// Where programs are looked for.
    search_path: OsString,
}

impl Settings {
    /// Returns the settings behind the flags and the environment.
    ///
    /// # Errors
    /// The folder does not exist, or a variable holds no sense.
    pub fn resolve(flags: &Flags) -> Result<Self> {
        let here = env::current_dir().map_err(|error| {
            Error::request("the current folder cannot be read").cause(error).hint("change to a folder that exists")
        })?;
        let directory = flags.directory.as_ref().map_or_else(|| here.clone(), |directory| here.join(directory));
        if !directory.is_dir() {
            return Err(Error::request(format!("-C {} is not a folder", directory.display())));
        }
        let wants = |terminal: bool| match flags.color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => {
                set("CLICOLOR_FORCE") || (terminal && !set("NO_COLOR") && text("TERM").as_deref() != Some("dumb"))
            }
        };
        let home = path("HOME");
        Ok(Self {
            directory,
            quiet: flags.quiet,
            verbose: flags.verbose,
            color_out: wants(std::io::stdout().is_terminal()),
            color_err: wants(std::io::stderr().is_terminal()),
            watched: std::io::stderr().is_terminal() && !set("CI") && text("TERM").as_deref() != Some("dumb"),
            asks: std::io::stderr().is_terminal() && std::io::stdin().is_terminal(),
            enabled: text("MEOW").as_deref() != Some("0"),
            state: path("XDG_STATE_HOME")
                .or_else(|| home.as_ref().map(|home| home.join(".local/state")))
                .map(|state| state.join("meow")),
            home,
            key: text("MEOW_KEY"),
            // Relative ones count from the folder in which git started the hook.
            git_index: text("GIT_INDEX_FILE").map(|index| here.join(index)),
            git_dir: text("GIT_DIR").map(|folder| here.join(folder)),
            slots: slots(text("MEOW_SLOTS"))?,
            clock: clock(text("MEOW_CLOCK"))?,
            program: env::current_exe()
                .map_err(|error| Error::new(Kind::Bug, "this program does not find itself").cause(error))?,
            search_path: env::var_os("PATH").unwrap_or_default(),
        })
    }

    /// Returns whether `program` can be found and is a file.
    pub fn finds_program(&self, program: &str) -> bool {
        env::split_paths(&self.search_path).any(|folder| folder.join(program).is_file())
    }

    /// Returns the search path with this program's folder in front, so that hooks find this very program.
    pub fn path_with_program(&self) -> OsString {
        let own = self.program.parent().map(PathBuf::from);
        env::join_paths(own.into_iter().chain(env::split_paths(&self.search_path)))
            .unwrap_or_else(|_| self.search_path.clone())
    }
}

fn slots(value: Option<String>) -> Result<Option<u32>> {
    value.map_or(Ok(None), |value| match value.parse() {
        Ok(slots) if slots > 0 => Ok(Some(slots)),
        _ => Err(Error::request(format!("MEOW_SLOTS=`{}` is not a positive number", value.escape_debug()))),
    })
}

/// Reads `MEOW_CLOCK`: a time and a seed, `2026-11-22T10:15:00Z#7`, for repeatable runs.
fn clock(value: Option<String>) -> Result<Clock> {
    let Some(value) = value else { return Ok(Clock::system()) };
    let wrong = || Error::request(format!("MEOW_CLOCK=`{}` is not TIME#SEED", value.escape_debug()));
    let (time, seed) = value.split_once('#').ok_or_else(wrong)?;
    let time: Timestamp = time.parse().map_err(|error| wrong().cause(error))?;
    Ok(Clock::frozen(time, seed.parse().map_err(|error| wrong().cause(error))?))
}

fn text(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

fn set(name: &str) -> bool {
    text(name).is_some_and(|value| value != "0" && value != "false")
}

fn path(name: &str) -> Option<PathBuf> {
    env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from).filter(|path| path.is_absolute())
}
