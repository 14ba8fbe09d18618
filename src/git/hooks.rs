//! The folder of hooks: meow's put in beside what is there already, and taken out byte for byte.

mod script;

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use gix::config::Source;

use super::moves::sweep;
use super::{Repository, trouble};
use crate::error::{Error, Result};
use script::Before;
pub use script::Wanted;

/// Variables by which git points the children of a hook at its repository (`git rev-parse --local-env-vars`): a program that
/// works elsewhere must not have them.
pub const LOCAL: [&str; 16] = [
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_CONFIG",
    "GIT_CONFIG_COUNT",
    "GIT_CONFIG_PARAMETERS",
    "GIT_DIR",
    "GIT_GRAFT_FILE",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_INTERNAL_SUPER_PREFIX",
    "GIT_NO_REPLACE_OBJECTS",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_REPLACE_REF_BASE",
    "GIT_SHALLOW_FILE",
    "GIT_WORK_TREE",
];

/// What the name of a hook begins with while it is being written.
const UNFINISHED: &str = ".meow-unfinished-";

/// Where other tools put the hook they find: pre-commit calls it from there, lefthook does not.
const ASIDE: [(&str, bool); 2] = [("legacy", true), ("old", false)];

/// What stands in a repository's folder of hooks for one event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HookState {
    /// The hook's path.
    pub path: PathBuf,
    /// Whether meow's hook is called at the event.
    pub installed: bool,
    /// Whether it runs a workflow.
    pub runs: bool,
    /// Whether another hook is there: instead of meow's, or called by it.
    pub other: bool,
    /// Where another tool moved meow's hook, and whether that tool calls it there.
    pub moved: Option<(PathBuf, bool)>,
    /// The tool that keeps the hook which meow's calls, where it writes hooks anew without a word.
    pub rewriter: Option<Rewriter>,
    /// Whether the folder lies outside the repository's git directory, since `core.hooksPath` names it.
    pub elsewhere: bool,
}

/// A tool that writes its hooks anew now and then, over whatever stands in their place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rewriter {
    /// What it runs stands in `lefthook.yml`.
    Lefthook,
    /// What it runs stands in `.husky/<event>`.
    Husky,
}

/// The paths of one event.
struct Places {
    folder: PathBuf,
    event: String,
}

impl Places {
    fn hook(&self) -> PathBuf {
        self.folder.join(&self.event)
    }

    /// Where the hook that was there before waits, called first.
    fn before(&self) -> PathBuf {
        self.folder.join(format!("{}.before-meow", self.event))
    }

    /// Returns where another tool moved meow's hook, and whether that tool calls it there.
    fn moved(&self) -> Option<(PathBuf, bool)> {
        let aside = ASIDE.map(|(ending, called)| (self.folder.join(format!("{}.{ending}", self.event)), called));
        aside.into_iter().find(|(path, _)| ours(path).is_some())
    }
}

impl Repository {
    /// Returns what stands in the folder of hooks for an event.
    ///
    /// # Errors
    /// The folder cannot be found.
    pub fn hook_state(&self, event: &str) -> Result<HookState> {
        let places = Places { folder: self.hooks_folder()?.0, event: event.to_owned() };
        let (path, before) = (places.hook(), places.before());
        let moved = places.moved();
        let direct = ours(&path);
        let aside = moved.as_ref().filter(|(_, called)| *called).and_then(|(path, _)| ours(path));
        let other = if direct.is_some() { &before } else { &path };
        let (other, rewriter) = (present(other), rewriter(other));
        Ok(HookState {
            rewriter,
            installed: direct.is_some() || aside.is_some(),
            runs: direct.or(aside).is_some_and(|text| script::runs(&text)),
            other,
            elsewhere: places.folder != self.common_dir().join("hooks"),
            path,
            moved,
        })
    }

    /// Returns the events at which a hook of meow's stands in the folder, called or not.
    ///
    /// # Errors
    /// The folder cannot be found.
    pub fn hooked_events(&self) -> Result<Vec<String>> {
        let folder = self.hooks_folder()?.0;
        let mut events: Vec<String> = fs::read_dir(folder)
            .into_iter()
            .flatten()
            .flatten()
            .filter(|entry| ours(&entry.path()).is_some())
            .filter_map(|entry| entry.file_name().to_str()?.split('.').next().map(str::to_owned))
            .collect();
        events.sort();
        events.dedup();
        Ok(events)
    }

    /// Puts in the hook; one that was there before is called first and keeps its say. Doing it twice changes nothing.
    ///
    /// # Errors
    /// The hook that is there cannot be called from another place, the repository leads its hooks outside itself, or the
    /// folder cannot be written.
    pub fn install_hook(&self, event: &'static str, runs: bool) -> Result<HookState> {
        let (folder, leads_out) = self.hooks_folder()?;
        if leads_out {
            return Err(Error::git(format!(
                "core.hooksPath of this repository leads outside of it, to {}",
                folder.display()
            ))
            .hint("`git config --global core.hooksPath` is the place for a folder that repositories share"));
        }
        let places = Places { folder, event: event.to_owned() };
        let (path, before) = (places.hook(), places.before());
        let wrong = || format!("the hook {} cannot be written", path.display());
        let aside = match places.moved() {
            Some((aside, true)) => Some(aside),
            Some((_, false)) => {
                take_out(&places)?;
                None
            }
            None => None,
        };
        let place = aside.unwrap_or_else(|| path.clone());
        let held = ours(&place);
        if held.as_deref().is_some_and(|text| !script::is_unedited(text)) {
            return self.hook_state(event);
        }
        // A tool that wrote its hook anew left a copy of it in the place beside.
        if held.is_none() && present(&before) && alike(&before, &path) {
            fs::remove_file(&before).map_err(trouble(wrong()))?;
        }
        let other = if held.is_some() { &before } else { &path };
        let how = if present(other) { script::before(other) } else { Ok(Before::Program) };
        let refuse = |why: &str| {
            Error::git(format!("the hook {} {why}", path.display()))
                .hint(format!("add the line `meow hook {event}` to that hook yourself"))
        };
        let how = how.map_err(refuse)?;
        let made_folder = match &held {
            Some(text) => script::made_folder(text),
            None => !places.folder.exists() || all_ours(&places.folder),
        };
        let text = script::script(Wanted { event, runs, made_folder }, how);
        if held.as_ref() == Some(&text) {
            return self.hook_state(event);
        }
        fs::create_dir_all(&places.folder).map_err(trouble(wrong()))?;
        let begun = tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(&places.folder);
        let mut unfinished = begun.map_err(trouble(wrong()))?;
        unfinished.write_all(text.as_bytes()).map_err(trouble(wrong()))?;
        fs::set_permissions(unfinished.path(), fs::Permissions::from_mode(0o755)).map_err(trouble(wrong()))?;
        if held.is_some() {
            unfinished.persist(&place).map_err(|error| trouble(wrong())(error.error))?;
            return self.hook_state(event);
        }
        let moves = present(&path);
        if moves {
            if present(&before) {
                return Err(refuse(&format!("cannot make room: {} exists", before.display())));
            }
            fs::rename(&path, &before).map_err(trouble(wrong()))?;
        }
        if let Err(error) = unfinished.persist_noclobber(&path) {
            if moves {
                fs::rename(&before, &path).map_err(trouble(wrong()))?;
            }
            return Err(trouble(wrong())(error.error));
        }
        self.hook_state(event)
    }

    /// Removes hooks that killed processes were about to write.
    pub fn sweep_hooks(&self) {
        if let Ok((folder, _)) = self.hooks_folder() {
            sweep(&folder, UNFINISHED);
        }
    }

    /// Takes out the hook and puts back the one that was there before; returns whether there was anything to take out.
    ///
    /// # Errors
    /// The hook was edited since, or the folder cannot be written.
    pub fn uninstall_hook(&self, event: &str) -> Result<bool> {
        take_out(&Places { folder: self.hooks_folder()?.0, event: event.to_owned() })
    }

    /// Returns the folder in which the person's git looks for hooks (`core.hooksPath`, or `hooks` in the git directory), and
    /// whether the repository's own configuration leads it outside of the repository.
    fn hooks_folder(&self) -> Result<(PathBuf, bool)> {
        let person = self.as_person()?;
        let config = person.config_snapshot();
        let configured =
            config.trusted_path("core.hooksPath").map_err(trouble("core.hooksPath is no path that can be followed"))?;
        let Some(folder) = configured else { return Ok((self.common_dir().join("hooks"), false)) };
        if folder == Path::new("/dev/null") {
            return Err(Error::git("core.hooksPath is /dev/null: hooks are switched off")
                .hint("`meow commit` records without a hook"));
        }
        // A relative path counts from where hooks run: the work tree's top, or the bare repository.
        let top = self.work_dir().unwrap_or_else(|| self.git_dir());
        let folder = top.join(folder);
        let sections = config.plumbing().sections_by_name("core").into_iter().flatten();
        let last = sections.filter(|section| section.value("hooksPath").is_some()).last();
        let own = last.is_some_and(|section| matches!(section.meta().source, Source::Local | Source::Worktree));
        let inside = |above: &Path| {
            let above = above.canonicalize().unwrap_or_else(|_| above.to_path_buf());
            followed(&folder).starts_with(above)
        };
        let leads_out = own && !inside(top) && !inside(self.common_dir());
        Ok((folder, leads_out))
    }
}

/// Returns where a path leads, its missing end taken as it is written.
fn followed(path: &Path) -> PathBuf {
    let mut missing = Vec::new();
    let mut at = path;
    loop {
        if let Ok(found) = at.canonicalize() {
            return missing.iter().rev().fold(found, |path, part| match part {
                std::path::Component::ParentDir => path.parent().map(PathBuf::from).unwrap_or(path),
                part => path.join(part),
            });
        }
        let (Some(last), Some(above)) = (at.components().next_back(), at.parent()) else { return path.to_path_buf() };
        missing.push(last);
        at = above;
    }
}

/// Takes meow's hook out of wherever it stands for the event.
fn take_out(places: &Places) -> Result<bool> {
    let (path, before) = (places.hook(), places.before());
    let Some(place) = Some(path.clone()).filter(|path| ours(path).is_some()).or_else(|| places.moved().map(|it| it.0))
    else {
        return Ok(false);
    };
    let wrong = || format!("the hook {} cannot be taken out", place.display());
    let text = ours(&place).unwrap_or_default();
    if !script::is_unedited(&text) {
        return Err(Error::git(format!("the hook {} was edited since it was put in", place.display()))
            .hint("take out the lines that call meow by hand"));
    }
    if !present(&before) {
        fs::remove_file(&place).map_err(trouble(wrong()))?;
    } else if place != path && alike(&before, &path) {
        // The tool that moved meow's hook aside wrote its own anew: what waits is its former copy.
        fs::remove_file(&before).and_then(|()| fs::remove_file(&place)).map_err(trouble(wrong()))?;
    } else {
        fs::rename(&before, &place).map_err(trouble(wrong()))?;
    }
    if script::made_folder(&text) {
        // Only an empty folder goes.
        let _ = fs::remove_dir(&places.folder);
    }
    Ok(true)
}

/// Returns whether something stands at `path`, be it a link to nothing.
fn present(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

/// Returns the text of the hook at `path` where it is meow's.
fn ours(path: &Path) -> Option<String> {
    // A hook that cannot be read is somebody else's: meow's own can.
    let is_file = path.symlink_metadata().is_ok_and(|found| found.is_file());
    let bytes = is_file.then(|| fs::read(path).ok()).flatten()?;
    String::from_utf8(bytes).ok().filter(|text| script::is_ours(text))
}

/// Returns whether a folder holds nothing but hooks of meow's that it was made for.
fn all_ours(folder: &Path) -> bool {
    let mut entries = fs::read_dir(folder).into_iter().flatten().flatten().peekable();
    let made = |path: &Path| ours(path).is_some_and(|text| script::made_folder(&text));
    entries.peek().is_some() && entries.all(|entry| made(&entry.path()))
}

/// Returns whether two hooks are the same, or both lefthook's, whose text varies with its version.
fn alike(one: &Path, other: &Path) -> bool {
    match (fs::read(one), fs::read(other)) {
        (Ok(one), Ok(other)) => one == other || is_lefthooks(&one) && is_lefthooks(&other),
        _ => false,
    }
}

fn is_lefthooks(hook: &[u8]) -> bool {
    String::from_utf8_lossy(hook).contains("call_lefthook")
}

/// Returns the tool that wrote the hook at `path` and will do so again.
fn rewriter(path: &Path) -> Option<Rewriter> {
    let husky = path.parent().is_some_and(|folder| folder.join("h").exists() && folder.ends_with(".husky/_"));
    let lefthook = || fs::read(path).is_ok_and(|hook| is_lefthooks(&hook));
    if husky { Some(Rewriter::Husky) } else { lefthook().then_some(Rewriter::Lefthook) }
}
