//! What confines an execution: the sandbox, and what of this project that guards; control groups for declared limits.

use std::sync::Arc;

use super::Context;
use super::project::Project;
use super::workflows;
use crate::error::{Error, Result};
use crate::execute::Groups;
use crate::execute::sandbox::{Ground, Sandbox, strictest};
use crate::plan::Plan;
use crate::redact::inert;
use crate::workflow::Sandbox as Mode;

/// Returns the least that holds for every step: what the person's settings say, else `auto` for what runs without being
/// asked for, and `off` for what was.
pub fn floor(context: &Context) -> Mode {
    let unsaid = if context.settings.unasked() { Mode::Auto } else { Mode::Off };
    context.settings.sandbox.unwrap_or(unsaid)
}

/// Returns the sandbox in which a plan's steps run, made once to see that it can be; `None` where none is wanted, or where
/// `auto` goes on without: then it is said.
///
/// # Errors
/// A step requires one, and none can be made here.
pub fn prepare(name: &str, project: &Project, plan: &Plan, context: &Context) -> Result<Option<Sandbox>> {
    let wanted = strictest(plan, floor(context));
    if wanted == Mode::Off {
        return Ok(None);
    }
    match ground(name, project, context).and_then(Sandbox::probe) {
        Ok(sandbox) => Ok(Some(sandbox)),
        Err(why) if wanted == Mode::Auto => {
            context.terminal.warn(&format!("no sandbox, steps run as you: {why}"));
            Ok(None)
        }
        Err(why) => Err(Error::request(format!("no sandbox can be made, and a step requires one: {why}"))
            .hint("install bubblewrap, and allow user namespaces; `sandbox = \"auto\"` runs without where it must")),
    }
}

/// Says after a failure what a sandbox keeps from steps: a tool that is not found only there looks like a fault of the step.
pub fn explain(context: &Context) {
    context.terminal.say(
        "steps ran in a sandbox: the home folder was empty but for the workflow's `reads` and `writes`, and there was no \
         network without `network = true`",
    );
}

/// Returns control groups for the steps of a plan that declare limits; `None` where none does or a watchdog has to do. Which
/// of them it is, only `--verbose` says.
pub fn groups(plan: &Plan, context: &Context) -> Option<Arc<Groups>> {
    match Groups::open(plan) {
        Ok(groups) => {
            let groups = groups?;
            context.terminal.detail(&format!("steps are limited by control groups ({})", groups.limits()));
            Some(Arc::new(groups))
        }
        Err(why) => {
            let why = inert::terminal(&why);
            context.terminal.detail(&format!("memory and processes of steps are watched, `cpu` is not limited: {why}"));
            None
        }
    }
}

fn ground(name: &str, project: &Project, context: &Context) -> std::result::Result<Ground, String> {
    let settings = &context.settings;
    let mut guarded = vec![project.root.join(".git"), project.meow()];
    guarded.extend(workflows::FOLDERS.map(|(folder, _)| project.root.join(folder)));
    if let Some(repository) = &project.repository {
        guarded.extend([repository.git_dir().to_path_buf(), repository.common_dir().to_path_buf()]);
    }
    // A file named by its path; others lie in the folders above.
    guarded.extend(workflows::find(project, name).map(|found| found.path));
    let closed: Vec<_> = settings.state.iter().chain(&settings.config).cloned().collect();
    Ground::new(&project.root, settings.home.as_deref(), &guarded, &closed, settings.search_path.clone())
}
