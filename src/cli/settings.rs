//! What was typed and what the environment says, resolved once into plain values; the only reader of the environment.

pub mod files;
pub mod hooks;
pub mod keys;

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsString;
use std::io::IsTerminal;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use jiff::Timestamp;

use super::report::github::Job;
use crate::clock::Clock;
use crate::error::{Error, Kind, Result};
use crate::workflow::Sandbox;
use files::{Layer, Origin};
use keys::KEYS;

/// The trigger of what a person asks for.
const PERSON: &str = "person";

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
    /// When to use colour [default: auto]
    #[arg(long, global = true, value_enum, help_heading = "Global options")]
    color: Option<Color>,
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

/// One setting as it holds, and who said so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// Its value; absent where nobody set it.
    pub value: Option<String>,
    /// Who set it.
    pub origin: Origin,
    /// The flag, the variable, or file and line.
    pub place: Option<String>,
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
    /// The user's own folder for settings.
    pub config: Option<PathBuf>,
    /// The user's own folder for what lasts as long as the machine runs: which executions use it.
    pub runtime: Option<PathBuf>,
    /// The execution that this program is a step of, from `MEOW_EXECUTION`.
    pub parent: Option<String>,
    /// The user's home folder.
    pub home: Option<PathBuf>,
    /// The key of hashed names.
    pub key: Option<String>,
    /// The index a running git hook works on, from `GIT_INDEX_FILE`.
    pub git_index: Option<PathBuf>,
    /// The git directory a running git hook works for, from `GIT_DIR`.
    pub git_dir: Option<PathBuf>,
    /// The project's first commit, where a shallow clone may not know it.
    pub project: Option<String>,
    /// Slots.
    pub slots: Option<u32>,
    /// Whether steps run in a sandbox, where the person said so.
    pub sandbox: Option<Sandbox>,
    /// Whether errors that went away by themselves before are tried again.
    pub learned_retries: bool,
    /// How much output of steps is kept.
    pub logs_kept: Kept,
    /// Whether times are kept by the day only.
    pub by_day: bool,
    /// Whether executions are remembered.
    pub record: bool,
    /// The workflow that is executed where none is named.
    pub workflow: String,
    /// Who starts what is executed: `person`, or whoever does it unasked, as `MEOW_TRIGGER` says.
    pub trigger: String,
    /// Which workflow the repository names for which git event, with file and line.
    pub hooks: BTreeMap<&'static str, (String, String)>,
    /// Every setting that files may hold, by name, with its origin.
    pub resolved: BTreeMap<&'static str, Resolved>,
    /// What is wrong in the files of settings.
    pub wrong: Vec<String>,
    /// The clock.
    pub clock: Clock,
    /// The environment, as the programs that meow starts get it.
    pub environment: Vec<(OsString, OsString)>,
    /// What GitHub Actions says of the job, where this runs in one.
    pub github: Job,
    /// This program's own file.
    pub program: PathBuf,
    /// Where programs are looked for.
    pub search_path: OsString,
}

/// How much output of steps is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kept {
    /// For how many days.
    pub days: u32,
    /// How much of it, in bytes.
    pub bytes: u64,
}

impl Kept {
    fn of(value: &dyn Fn(&str) -> Option<String>) -> Self {
        let number = |name: &str| value(name).and_then(|text| text.parse::<u32>().ok());
        let bytes = u64::from(number("logs.mebibytes").unwrap_or(1024)) << 20;
        Self { days: number("logs.days").unwrap_or(30), bytes }
    }
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
        let home = path("HOME");
        let user = path("XDG_CONFIG_HOME").or_else(|| home.as_ref().map(|home| home.join(".config")));
        let repository = files::read(&files::of_repository(&directory), ".meow/config.toml", Origin::Repo);
        let hooks = repository.hooks.clone();
        let (resolved, wrong) = layers(flags, repository, user.as_ref().map(|user| user.join("meow/config.toml")))?;
        let value = |name: &str| resolved[name].value.clone();
        let wants = |terminal: bool| match value("color").as_deref() {
            Some("always") => true,
            Some("never") => false,
            _ => set("CLICOLOR_FORCE") || (terminal && !set("NO_COLOR") && text("TERM").as_deref() != Some("dumb")),
        };
        Ok(Self {
            directory,
            quiet: flags.quiet,
            verbose: flags.verbose,
            color_out: wants(std::io::stdout().is_terminal()),
            color_err: wants(std::io::stderr().is_terminal()),
            watched: std::io::stderr().is_terminal() && !set("CI") && text("TERM").as_deref() != Some("dumb"),
            asks: std::io::stderr().is_terminal() && std::io::stdin().is_terminal(),
            enabled: text("MEOW").as_deref() != Some("0"),
            config: user.map(|user| user.join("meow")),
            state: path("XDG_STATE_HOME")
                .or_else(|| home.as_ref().map(|home| home.join(".local/state")))
                .map(|state| state.join("meow")),
            runtime: path("XDG_RUNTIME_DIR").map(|runtime| runtime.join("meow")),
            parent: text("MEOW_EXECUTION"),
            home,
            key: value("key"),
            // Relative ones count from the folder in which git started the hook.
            git_index: text("GIT_INDEX_FILE").map(|index| here.join(index)),
            git_dir: text("GIT_DIR").map(|folder| here.join(folder)),
            project: value("project"),
            slots: value("slots").and_then(|slots| slots.parse().ok()),
            sandbox: value("sandbox").as_deref().and_then(Sandbox::from_word),
            learned_retries: value("retry").as_deref() == Some("learned"),
            logs_kept: Kept::of(&value),
            by_day: value("privacy.clock").as_deref() == Some("day"),
            record: value("record").as_deref() != Some("false"),
            workflow: value("workflow").unwrap_or_else(|| "ci".to_owned()),
            trigger: trigger(text("MEOW_TRIGGER"))?,
            hooks,
            resolved,
            wrong,
            clock: clock(text("MEOW_CLOCK"))?,
            environment: env::vars_os().collect(),
            github: Job {
                summary: path("GITHUB_STEP_SUMMARY"),
                repository: text("GITHUB_REPOSITORY"),
                reference: text("GITHUB_REF"),
                event: path("GITHUB_EVENT_PATH"),
            },
            program: env::current_exe()
                .map_err(|error| Error::new(Kind::Bug, "this program does not find itself").cause(error))?,
            search_path: env::var_os("PATH").unwrap_or_default(),
        })
    }

    /// Returns whether nobody asked for what is done now: a hook, a schedule or an agent started it.
    pub fn unasked(&self) -> bool {
        self.trigger != PERSON
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

/// Returns whether a hook of git's calls this program, as `meow hook EVENT`.
pub fn for_hook() -> bool {
    env::args_os().nth(1).is_some_and(|first| first == "hook")
}

/// Returns whether the version is all that is asked for: then nothing else need be made ready.
pub fn asks_for_version() -> bool {
    let mut args = env::args_os().skip(1);
    args.next().is_some_and(|first| first == "--version" || first == "-V") && args.next().is_none()
}

/// Returns every setting from the first that says something: flag, variable, repository, user.
fn layers(
    flags: &Flags,
    repository: Layer,
    user: Option<PathBuf>,
) -> Result<(BTreeMap<&'static str, Resolved>, Vec<String>)> {
    let user = user.map_or_else(Layer::default, |path| files::read(&path, &path.display().to_string(), Origin::User));
    let mut resolved = BTreeMap::new();
    for key in KEYS {
        let flag = flags.color.filter(|_| key.name == "color").and_then(|color| color.to_possible_value());
        let by = |value: String, origin: Origin, place: &str| Resolved {
            value: Some(value),
            origin,
            place: Some(place.to_owned()),
        };
        let held =
            |layer: &Layer, origin| layer.values.get(key.name).map(|(value, place)| by(value.clone(), origin, place));
        let variable = text(key.variable);
        if let Some(value) = variable.as_ref().filter(|value| !key.holds.allows(value)) {
            let what = format!("{}=`{}` has to be {}", key.variable, value.escape_debug(), key.holds.words());
            return Err(Error::request(what));
        }
        let value = flag
            .map(|value| by(value.get_name().to_owned(), Origin::Flag, "--color"))
            .or_else(|| variable.map(|value| by(value, Origin::Env, key.variable)))
            .or_else(|| held(&repository, Origin::Repo).filter(|held| !widens(key.name, held)))
            .or_else(|| held(&user, Origin::User))
            .unwrap_or(Resolved { value: None, origin: Origin::Default, place: None });
        resolved.insert(key.name, value);
    }
    Ok((resolved, repository.wrong.into_iter().chain(user.wrong).collect()))
}

/// Returns whether a repository would show more of a user than the user may want: what a repository says narrows only.
fn widens(name: &str, held: &Resolved) -> bool {
    name == "privacy.clock" && held.value.as_deref() == Some("second")
}

/// Reads `MEOW_TRIGGER`: who starts an execution that no person asks for.
fn trigger(value: Option<String>) -> Result<String> {
    let Some(value) = value else { return Ok(PERSON.to_owned()) };
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || ":-_.".contains(c);
    if value.len() <= 64 && value.chars().all(plain) {
        return Ok(value);
    }
    Err(Error::request(format!("MEOW_TRIGGER=`{}` is no name such as `agent` or `schedule`", value.escape_debug())))
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
