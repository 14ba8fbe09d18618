//! Decisions about recommendations: apply, dismiss, undo, and accept a new level.
//!
//! A file is changed in three moves: its new text is written beside it, the decision is written, the new text takes the
//! file's place. Trouble before the last move takes everything back. A program that dies between the last two leaves a
//! decision whose file is still as before: `undo` knows that state and closes it.

use std::io::Write;
use std::path::{Path, PathBuf};

use super::Found;
use crate::cli::project::Project;
use crate::cli::{Context, decisions, output, stamp, workflows};
use crate::error::{Error, Result};
use crate::recommend::{Action, ActionKind, Advice, Decisions, Edit, Life, proven_command};
use crate::record::Digest;
use crate::redact::inert;
use crate::report::diff::diff;
use crate::workflow::edit::{self, Splice, StepKey};
use crate::workflow::{Dialect, Source};

/// Carries a recommendation out.
pub fn apply(found: &Found, advice: &Advice, yes: bool, context: &Context) -> Result<u8> {
    let project = &found.project;
    undecided(&found.decisions, advice)?;
    let (file, source, wanted) = target(project, advice)?;
    if let (Some(proven), Some(now)) = (proven_command(advice, &found.history), edit::template(&source, wanted.step))
        && proven != Digest::of(now.as_bytes())
    {
        let what = format!(
            "{}: the command of step `{}` has changed since the executions that prove this recommendation",
            source.file, wanted.step
        );
        return Err(Error::request(what).hint("execute it as it is now, and see what `meow recommendations` says then"));
    }
    let after = edit::add(&source, &wanted)?;
    let before = String::from_utf8_lossy(&source.bytes).into_owned();
    context.terminal.result(&shown(&source.file, &before, &after))?;
    if !yes && !agreed("apply this change?", context)? {
        context.terminal.say("nothing was changed");
        return Ok(1);
    }
    let now = stamp::now(project.repository.as_ref(), &context.settings)?;
    let action = Action::about(ActionKind::Applied, advice, now);
    let edited = edited(&source.file, &wanted, before, after, action);
    let id = change(project, &file, &edited.before, &edited.after, &edited.action, context)?;
    context.terminal.result(&format!("applied {} as {id}", &advice.id[..8]))?;
    context.terminal.say(&format!("`meow recommendations undo {id}` takes it back"));
    Ok(0)
}

/// A change of a file with the decision that goes with it.
pub struct Edited {
    before: String,
    after: String,
    action: Action,
}

/// Returns the change that gives a file its new text, with the decision completed by it.
pub fn edited(file: &str, wanted: &StepKey, before: String, after: String, mut action: Action) -> Edited {
    let splice = Splice::between(&before, &after);
    action.edit = Some(Edit {
        file: file.to_owned(),
        key: wanted.to_string(),
        value: wanted.value.to_owned(),
        before: Digest::of(before.as_bytes()),
        after: Digest::of(after.as_bytes()),
        place: splice.at,
        old: splice.old,
        new: splice.new,
    });
    Edited { before, after, action }
}

/// Writes changes of one file, each made on the one before, each with its decision. Returns the decisions' ids.
///
/// # Errors
/// The file lies outside the project, cannot be written, or is not as the change found it.
pub fn write(project: &Project, path: &Path, changes: &[Edited], context: &Context) -> Result<Vec<String>> {
    let path = editable(project, path)?;
    changes.iter().map(|one| change(project, &path, &one.before, &one.after, &one.action, context)).collect()
}

/// Turns a recommendation down.
pub fn dismiss(found: &Found, advice: &Advice, reason: Option<&str>, context: &Context) -> Result<u8> {
    undecided(&found.decisions, advice)?;
    let now = stamp::now(found.project.repository.as_ref(), &context.settings)?;
    let mut action = Action::about(ActionKind::Dismissed, advice, now);
    action.reason = reason.map(str::to_owned);
    let id = decisions::write(&found.project, &action, context)?;
    context.terminal.result(&format!("dismissed {} as {id}", &advice.id[..8]))?;
    context.terminal.say(&format!("`meow recommendations undo {id}` opens it again"));
    Ok(0)
}

/// Accepts the level that a step's durations have from now on.
pub fn accept(
    project: &Project,
    workflow: &str,
    step: Option<&str>,
    reason: Option<&str>,
    context: &Context,
) -> Result<u8> {
    let action = Action {
        kind: ActionKind::Accepted,
        at: stamp::now(project.repository.as_ref(), &context.settings)?,
        workflow: workflow.to_owned(),
        step: step.map(str::to_owned),
        metric: Some(super::DURATION.to_owned()),
        reason: reason.map(str::to_owned),
        ..Action::default()
    };
    let id = decisions::write(project, &action, context)?;
    let place = step.map_or_else(|| format!("`{workflow}`"), |step| format!("`{step}` of `{workflow}`"));
    context.terminal.result(&format!("accepted how long {} takes from now on as {id}", inert::terminal(&place)))?;
    context.terminal.say(
        "`meow report` compares it with executions from now on only, and predictions learn from its last change on",
    );
    Ok(0)
}

/// Takes an action back; what it changed in a file is restored where the file is as it left it.
pub fn undo(project: &Project, known: &Decisions, id: &str, context: &Context) -> Result<u8> {
    let (id, action) = standing(known, id)?;
    let undone = Action {
        kind: ActionKind::Undone,
        at: stamp::now(project.repository.as_ref(), &context.settings)?,
        undoes: Some(id.clone()),
        workflow: action.workflow.clone(),
        step: action.step.clone(),
        recommendation: action.recommendation.clone(),
        ..Action::default()
    };
    let own = match &action.edit {
        None => decisions::write(project, &undone, context)?,
        Some(edit) => restore(project, id, edit, &undone, context)?,
    };
    context.terminal.result(&format!("took {id} back as {own}"))?;
    Ok(0)
}

fn restore(project: &Project, id: &str, edit: &Edit, undone: &Action, context: &Context) -> Result<String> {
    let path = editable(project, &project.root.join(&edit.file))?;
    let now = read(&path)?;
    if Digest::of(now.as_bytes()) == edit.before {
        context.terminal.say(&format!("{} is already as it was before", edit.file));
        return decisions::write(project, undone, context);
    }
    let splice = Splice { at: edit.place, old: edit.old.clone(), new: edit.new.clone() };
    let before = (Digest::of(now.as_bytes()) == edit.after).then(|| splice.taken_back(&now)).flatten();
    let before = before.filter(|before| Digest::of(before.as_bytes()) == edit.before).ok_or_else(|| {
        Error::request(format!("{} has changed since {id}", edit.file))
            .hint(format!("take `{}` out by hand, and dismiss what it was for", edit.key))
    })?;
    context.terminal.result(&shown(&edit.file, &now, &before))?;
    change(project, &path, &now, &before, undone, context)
}

/// Refuses what is decided already.
fn undecided(decisions: &Decisions, advice: &Advice) -> Result<()> {
    let life = decisions.life(&advice.id);
    if matches!(life, Life::Applied | Life::Dismissed) {
        return Err(Error::request(format!("recommendation {} is {} already", &advice.id[..8], life.word()))
            .hint(format!("`meow recommendations undo {}` takes that back", &advice.id[..8])));
    }
    Ok(())
}

/// Returns the file, its content and the key that an advice wants there.
fn target<'a>(project: &Project, advice: &'a Advice) -> Result<(PathBuf, Source, StepKey<'a>)> {
    let by_hand = |hint: &str| {
        Error::request(format!("recommendation {} is for a person to carry out", &advice.id[..8])).hint(hint)
    };
    let change = advice
        .change
        .as_ref()
        .ok_or_else(|| by_hand("`meow recommendations show` says why; `dismiss` says that it is settled"))?;
    let key = advice.step.as_deref().and_then(|step| {
        let key = change.key.strip_prefix("steps.")?.strip_prefix(step)?.strip_prefix('.')?;
        Some(StepKey { step, key, value: &change.value })
    });
    let wanted =
        key.ok_or_else(|| by_hand(&format!("it is no key of the workflow: {} {}", change.key, change.value)))?;
    let found = workflows::recorded_as(project, &advice.workflow)?.ok_or_else(|| {
        Error::request(format!("no workflow file here is `{}`", advice.workflow.escape_debug()))
            .hint("it may have been recorded from elsewhere; `meow list` shows the workflows that are here")
    })?;
    let source = workflows::read(&found)?;
    if found.dialect == Dialect::Own {
        editable(project, &found.path)?;
    }
    Ok((found.path.canonicalize().unwrap_or(found.path), source, wanted))
}

/// Returns the real path of a file that lies in the project and may be written.
fn editable(project: &Project, path: &Path) -> Result<PathBuf> {
    let wrong = |error: std::io::Error| Error::request(format!("{} cannot be read", path.display())).cause(error);
    let real = path.canonicalize().map_err(wrong)?;
    if !real.starts_with(project.root.canonicalize().map_err(wrong)?) {
        return Err(Error::request(format!("{} leads out of the project", path.display())).hint("edit it by hand"));
    }
    let facts = std::fs::metadata(&real).map_err(wrong)?;
    if !facts.is_file() || facts.permissions().readonly() {
        return Err(Error::store(format!("{} cannot be written", path.display())).hint("make it writable"));
    }
    Ok(real)
}

/// Gives a file its new text and writes the decision; both or neither. Returns the decision's id.
fn change(
    project: &Project,
    path: &Path,
    before: &str,
    after: &str,
    action: &Action,
    context: &Context,
) -> Result<String> {
    let wrong = |error: std::io::Error| Error::store(format!("{} cannot be written", path.display())).cause(error);
    output::place(path, &context.settings)?;
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut staged = tempfile::Builder::new().prefix(".meow-").tempfile_in(folder).map_err(wrong)?;
    staged.write_all(after.as_bytes()).map_err(wrong)?;
    staged.as_file().set_permissions(std::fs::metadata(path).map_err(wrong)?.permissions()).map_err(wrong)?;
    staged.as_file().sync_all().map_err(wrong)?;
    let id = decisions::write(project, action, context)?;
    let unchanged = read(path).and_then(|now| {
        if now == before {
            return Ok(());
        }
        Err(Error::request(format!("{} was changed by somebody else meanwhile", path.display())).hint("try again"))
    });
    let moved = unchanged.and_then(|()| staged.persist(path).map_err(|error| wrong(error.error)));
    match moved {
        Ok(file) => {
            // The decision stands; a file that a power cut takes back is told from one that was applied by its hash.
            let _ = file.sync_all();
            Ok(id)
        }
        Err(error) => {
            decisions::withdraw(project, &id);
            Err(error)
        }
    }
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path)
        .map_err(|error| Error::request(format!("{} cannot be read", path.display())).cause(error))
}

/// Returns the action that stands and that `id` means: the start of its id, of its random end, or of its recommendation.
fn standing<'a>(known: &'a Decisions, id: &str) -> Result<&'a (String, Action)> {
    let shown = inert::terminal(id);
    let means = |(own, action): &&(String, Action)| {
        let ends = own.rsplit('-').next().is_some_and(|end| end.starts_with(id));
        let about = action.recommendation.as_deref().is_some_and(|about| about.starts_with(id));
        !id.is_empty() && (own.starts_with(id) || ends || about)
    };
    let mut found = known.standing().filter(means);
    match (found.next(), found.next()) {
        (Some(one), None) => Ok(one),
        (Some(_), Some(_)) => {
            Err(Error::request(format!("`{shown}` means several actions")).hint("type more of the action's id"))
        }
        (None, _) if known.undone.iter().any(|undone| !id.is_empty() && undone.starts_with(id)) => {
            Err(Error::request(format!("action `{shown}` was taken back already")))
        }
        (None, _) => Err(Error::request(format!("no action `{shown}`"))
            .hint("`meow recommendations list --all` shows what was decided")),
    }
}

/// Returns the change for people: no text of the file is obeyed by the terminal.
fn shown(file: &str, before: &str, after: &str) -> String {
    inert::lines(&diff(file, before, after))
}

fn agreed(question: &str, context: &Context) -> Result<bool> {
    if !context.settings.asks {
        return Err(Error::request("nobody is there to agree").hint("--yes applies it without asking"));
    }
    context.terminal.ask(question)
}
