//! The command line: one file a command, settings resolved once, and the only room that prints.
#![expect(clippy::disallowed_methods, reason = "this room wires the others to the process it runs in")]

pub mod analyze;
mod bounded;
pub mod commit;
pub mod completions;
pub mod config;
pub mod decisions;
pub mod demo;
pub mod detect;
pub mod execute;
pub mod export;
pub mod fetch;
pub mod fold;
pub mod foresight;
pub mod heap;
pub mod history;
pub mod hook;
pub mod hooks;
pub mod identity;
pub mod import;
pub mod init;
pub mod insights;
mod kept;
pub mod learn;
pub mod learning_report;
mod learnt;
pub mod list;
pub mod log;
pub mod machine;
pub mod man;
pub mod optimize;
pub mod output;
pub mod page;
pub mod project;
pub mod purge;
pub mod push;
pub mod recommendations;
pub mod record;
pub mod redaction;
pub mod report;
pub mod sandbox;
pub mod score;
pub mod seal;
pub mod settings;
pub mod simulate;
pub mod sources;
mod stamp;
pub mod status;
pub mod store;
pub mod terminal;
pub mod trust;
pub mod workflows;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use crate::error::{Kind, Result};
use project::Project;
use settings::Settings;
use terminal::Terminal;

/// What was typed.
#[derive(Debug, Parser)]
#[command(
    name = "meow",
    version,
    about = "Runs a project's workflows, remembers every execution in git, and plans the next one with what it learnt.",
    propagate_version = true,
    after_help = "\
Examples:
  meow init --hooks
  meow execute ci
  meow report --base main

Commands by use:
  every day:   init, execute, status, list, log, report, recommendations
  learning:    learn, analyze, insights, learning-report, score, optimize,
               simulate, detect
  records:     commit, record, import, export, push, fetch, fold, store, purge
  setting up:  hooks, trust, config, completions, man, demo",
    max_term_width = 100
)]
pub struct Line {
    #[command(flatten)]
    global: settings::Flags,
    #[command(subcommand)]
    command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
enum Command {
    Analyze(analyze::Args),
    /// Commit records and what was learnt from them, and nothing else
    Commit(commit::Args),
    Completions(completions::Args),
    Config(config::Args),
    Demo(demo::Args),
    Detect(detect::Args),
    Execute(execute::Args),
    /// Write what is recorded in the formats of other tools
    Export(export::Args),
    Fetch(fetch::Args),
    Fold(fold::Args),
    /// What the installed hooks call
    #[command(hide = true)]
    Hook(hook::Args),
    /// Put in, take out or show the hook that seals records into commits
    Hooks(hooks::Args),
    /// Take what other tools recorded into this repository
    Import(import::Args),
    Init(init::Args),
    Insights(insights::Args),
    Learn(learn::Args),
    LearningReport(learning_report::Args),
    List(list::Args),
    Log(log::Args),
    Man(man::Args),
    Optimize(optimize::Args),
    Purge(purge::Args),
    Push(push::Args),
    Recommendations(recommendations::Args),
    /// Record one command, or what something else measured
    Record(record::Args),
    Report(report::Args),
    Score(score::Args),
    Simulate(simulate::Args),
    Status(status::Args),
    Store(store::Args),
    Trust(trust::Args),
}

/// The same where a hook of git's calls: the other commands need not be declared for that.
#[derive(Debug, Parser)]
struct HookLine {
    #[command(flatten)]
    global: settings::Flags,
    #[command(subcommand)]
    command: HookCommand,
}

#[derive(Debug, Subcommand)]
enum HookCommand {
    Hook(hook::Args),
}

impl From<HookLine> for Line {
    fn from(HookLine { global, command: HookCommand::Hook(args) }: HookLine) -> Self {
        Self { global, command: Command::Hook(args) }
    }
}

/// What every command is handed.
#[derive(Debug)]
pub struct Context {
    /// Settings, resolved once.
    pub settings: Settings,
    /// The only way to print.
    pub terminal: Terminal,
}

impl Context {
    /// Returns the project around the current folder.
    ///
    /// # Errors
    /// The repository cannot be opened.
    pub fn project(&self) -> Result<Project> {
        Project::find(&self.settings)
    }
}

/// Runs the program and returns its exit code.
pub fn main() -> ExitCode {
    if settings::asks_for_version() {
        return terminal::version();
    }
    let line = if settings::for_hook() { HookLine::try_parse().map(Line::from) } else { Line::try_parse() };
    let line = match line {
        Ok(line) => line,
        // A hook that another version of meow wrote stops nothing.
        Err(_) if settings::for_hook() => return ExitCode::from(hook::NOT_STARTED),
        Err(usage) => return terminal::usage(&usage),
    };
    // A hook is over before that matters.
    if !settings::for_hook() {
        heap::give_back();
    }
    let settings = match Settings::resolve(&line.global) {
        Ok(settings) => settings,
        Err(error) => {
            let code = Terminal::plain().fail(&error);
            return ExitCode::from(if settings::for_hook() { hook::NOT_STARTED } else { code });
        }
    };
    let terminal = Terminal::new(&settings);
    let context = Context { settings, terminal };
    // `config` shows what is wrong as its result; a hook keeps to its own business.
    if !matches!(line.command, Command::Config(_) | Command::Hook(_)) {
        for wrong in &context.settings.wrong {
            context.terminal.warn(wrong);
        }
    }
    ExitCode::from(match dispatch(&line.command, &context) {
        Ok(code) => code,
        Err(error) if error.kind() == Kind::Closed => 0,
        Err(error) => context.terminal.fail(&error),
    })
}

/// Returns the command line as it is declared: help, manual pages and completions come from it.
pub fn command() -> clap::Command {
    Line::command()
}

fn dispatch(command: &Command, context: &Context) -> Result<u8> {
    match command {
        Command::Analyze(args) => analyze::run(args, context),
        Command::Commit(args) => commit::run(args, context),
        Command::Completions(args) => completions::run(args, context),
        Command::Config(args) => config::run(args, context),
        Command::Demo(args) => demo::run(args, context),
        Command::Detect(args) => detect::run(args, context),
        Command::Execute(args) => execute::run(args, context),
        Command::Export(args) => export::run(args, context),
        Command::Fetch(args) => fetch::run(args, context),
        Command::Fold(args) => fold::run(args, context),
        Command::Hook(args) => hook::run(args, context),
        Command::Hooks(args) => hooks::run(args, context),
        Command::Import(args) => import::run(args, context),
        Command::Init(args) => init::run(args, context),
        Command::Insights(args) => insights::run(args, context),
        Command::Learn(args) => learn::run(args, context),
        Command::LearningReport(args) => learning_report::run(args, context),
        Command::List(args) => list::run(args, context),
        Command::Log(args) => log::run(args, context),
        Command::Man(args) => man::run(args, context),
        Command::Optimize(args) => optimize::run(args, context),
        Command::Purge(args) => purge::run(args, context),
        Command::Push(args) => push::run(args, context),
        Command::Recommendations(args) => recommendations::run(args, context),
        Command::Report(args) => report::run(args, context),
        Command::Score(args) => score::run(args, context),
        Command::Simulate(args) => simulate::run(args, context),
        Command::Status(args) => status::run(args, context),
        Command::Store(args) => store::run(args, context),
        Command::Trust(args) => trust::run(args, context),
        Command::Record(args) => record::run(args, context),
    }
}
