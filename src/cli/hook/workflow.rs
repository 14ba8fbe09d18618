//! The workflow of a git event: run by another meow that knows nothing of the hook, and only where it is trusted.

use super::here;
use crate::cli::Context;
use crate::cli::trust::gate;
use crate::error::Result;
use crate::execute::{Around, Ending, foreground};
use crate::git::hooks::LOCAL;

/// Runs the workflow that the repository names for the event; returns 1 where it failed. What is not trusted does not run
/// and stops nothing: one line says why.
pub(super) fn run(event: &'static str, context: &Context) -> u8 {
    let settings = &context.settings;
    let Some((workflow, _)) = settings.hooks.get(event) else { return 0 };
    // A step of such a workflow may use git itself, whose hooks would start it again.
    if settings.trigger.starts_with("hook:") {
        return 0;
    }
    let not_run = |why: &str| context.terminal.warn(&format!("{event}: `{workflow}` is not run: {why}"));
    match trusted(context) {
        Ok(true) => {}
        Ok(false) => {
            not_run("this hook belongs to another repository");
            return 0;
        }
        Err(why) => {
            let hint = why.hint_text().map_or_else(String::new, |hint| format!("; {hint}"));
            not_run(&format!("{why}{hint}"));
            return 0;
        }
    }
    let command = [settings.program.clone().into_os_string(), "execute".into(), workflow.into()];
    let trigger = format!("hook:{event}");
    let around = Around { without: &LOCAL, with: &[("MEOW_TRIGGER", &trigger)], aside: true };
    match foreground(&command, &settings.directory, around) {
        Ok((Ending::Exited { code: 0 }, _)) => 0,
        Ok(_) => {
            context
                .terminal
                .say(&format!("{event}: stopped by `{workflow}`; --no-verify or MEOW=0 goes on without it"));
            1
        }
        Err(error) => {
            not_run(&error.to_string());
            0
        }
    }
}

/// Returns whether the project here is the hook's, once the gate is passed.
fn trusted(context: &Context) -> Result<bool> {
    if here(context)?.is_none() {
        return Ok(false);
    }
    gate(&context.project()?, &context.settings).map(|_| true)
}
