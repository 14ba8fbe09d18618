//! `meow hooks`: meow's hooks put in beside what is there, taken out, shown.

use std::collections::{BTreeMap, BTreeSet};

use clap::Subcommand;

use super::Context;
use super::settings::hooks::{self, EVENTS};
use crate::error::{Error, Result};
use crate::git::{HookState, Repository, Rewriter};

/// Seals records into commits; its hook is always put in.
const SEALS: &str = "pre-commit";

/// What was typed behind `meow hooks`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  meow hooks install             # each commit carries its records from now on
  meow hooks install post-merge  # the hook that is there is timed as well
  meow hooks status
  meow hooks uninstall

A workflow runs at a git event where .meow/config.toml names one and `meow trust` trusts it; when it fails, git stops as it \
does for any hook:

  [hooks]
  pre-push = \"check\"

`git push --no-verify` or MEOW=0 goes on without it. A hook that is there already, of husky, lefthook or pre-commit for \
instance, is called first, timed, and recorded as hook/EVENT.")]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Put in the hooks for commits, for the events that .meow/config.toml names, and for these
    Install {
        /// More events of git whose hooks are to be timed
        #[arg(value_name = "EVENT", value_parser = event)]
        events: Vec<&'static str>,
    },
    /// Take out the hooks, and put back what was there before
    Uninstall,
    /// Say which hooks are in, and where
    Status,
}

fn event(text: &str) -> Result<&'static str, String> {
    hooks::known(text).map_err(|error| format!("{error}; known are {}", EVENTS.join(", ")))
}

/// Does what was asked with the hooks.
///
/// # Errors
/// There is no repository, or its folder of hooks cannot be read or written.
pub fn run(args: &Args, context: &Context) -> Result<u8> {
    let repository = repository(context)?;
    match &args.action {
        Action::Install { events } => install(&repository, events, context)?,
        Action::Uninstall => {
            let path = repository.hook_state(SEALS)?.path;
            let taken = uninstall(&repository)?;
            for path in &taken {
                context.terminal.result(&format!("{path}: taken out; the folder is as it was before"))?;
            }
            if taken.is_empty() {
                context.terminal.result(&format!("{}: there was no hook of meow's", path.display()))?;
            }
        }
        Action::Status => {
            let mut events: BTreeSet<String> = repository.hooked_events()?.into_iter().collect();
            events.extend(context.settings.hooks.keys().map(|event| (*event).to_owned()));
            events.insert(SEALS.to_owned());
            for event in events {
                let state = repository.hook_state(&event)?;
                context.terminal.result(&sentence(&state, named(&event, context)))?;
            }
        }
    }
    Ok(0)
}

/// Puts in the hooks and says so.
///
/// # Errors
/// The folder of hooks cannot be written, or a hook that is there cannot be chained.
pub fn install(repository: &Repository, more: &[&'static str], context: &Context) -> Result<()> {
    let mut events: BTreeMap<&'static str, bool> = more.iter().map(|event| (*event, false)).collect();
    events.insert(SEALS, false);
    events.extend(context.settings.hooks.keys().map(|event| (*event, true)));
    for (event, runs) in events {
        let state = repository.install_hook(event, runs)?;
        if state.elsewhere && event == SEALS {
            context.terminal.say("core.hooksPath names this folder; other repositories that share it get the hook too");
        }
        context.terminal.result(&sentence(&state, named(event, context)))?;
        if let Some(rewriter) = state.rewriter {
            context.terminal.say(&lasting(rewriter, event, runs));
        }
    }
    Ok(())
}

/// Returns how meow is called by a tool that takes its own hooks for the only ones; where meow is absent, nothing is.
fn lasting(rewriter: Rewriter, event: &str, runs: bool) -> String {
    let workflow = if runs { " --workflow" } else { "" };
    let line = format!("! command -v meow >/dev/null || meow hook {event}{workflow}");
    match rewriter {
        Rewriter::Husky => format!(
            "husky writes its folder anew when it is installed, without meow's hook; this line in .husky/{event} stays:\n  {line}"
        ),
        Rewriter::Lefthook => format!(
            "`lefthook install` writes its hooks anew, without meow's; this in lefthook.yml stays:\n  \
             {event}:\n    commands:\n      meow:\n        run: \"{line}\""
        ),
    }
}

/// Takes out every hook of meow's; returns where they stood.
///
/// # Errors
/// One was edited since, or the folder cannot be written.
pub fn uninstall(repository: &Repository) -> Result<Vec<String>> {
    let mut taken = Vec::new();
    for event in repository.hooked_events()? {
        let path = repository.hook_state(&event)?.path;
        if repository.uninstall_hook(&event)? {
            taken.push(path.display().to_string());
        }
    }
    Ok(taken)
}

fn named<'a>(event: &str, context: &'a Context) -> Option<&'a str> {
    context.settings.hooks.get(event).map(|(workflow, _)| workflow.as_str())
}

fn repository(context: &Context) -> Result<Repository> {
    context.project()?.repository.ok_or_else(|| {
        Error::request(format!("{} is in no git repository", context.settings.directory.display()))
            .hint("`git init` makes one")
    })
}

fn sentence(state: &HookState, workflow: Option<&str>) -> String {
    let mut words = match (state.installed, state.other) {
        (true, true) if state.moved.is_some() => "installed; called by the hook that stands there".to_owned(),
        (true, true) => "installed; calls the hook that was there before".to_owned(),
        (true, false) => "installed".to_owned(),
        (false, true) => "not installed; another hook is there, which meow would call first".to_owned(),
        (false, false) => "not installed".to_owned(),
    };
    if let (false, Some((path, _))) = (state.installed, &state.moved) {
        words =
            format!("not called any more: another tool moved it to {}; `meow hooks install` mends it", path.display());
    }
    match (workflow, state.installed && state.runs) {
        (Some(workflow), true) => words.push_str(&format!("; runs `{workflow}` where `meow trust` trusts it")),
        (Some(workflow), false) => {
            words.push_str(&format!("; `{workflow}` does not run at it until `meow hooks install` is typed"));
        }
        (None, _) => {}
    }
    format!("{}: {words}", state.path.display())
}
