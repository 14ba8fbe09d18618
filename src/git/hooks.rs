//! The pre-commit hook: put in beside what is there already, and taken out byte for byte.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::{Repository, trouble};
use crate::error::{Error, Result};

/// The hook that seals records into the commit being made.
const NAME: &str = "pre-commit";
/// Where the hook that was there before waits, called first.
const BEFORE: &str = "pre-commit.before-meow";
/// The whole hook. It may stop a commit only by the exit code of the hook that was there before.
const SCRIPT: &str = r#"#!/bin/sh
# Put here by `meow hooks install`; `meow hooks uninstall` restores what was here before.
before="$(dirname "$0")/pre-commit.before-meow"
if [ -x "$before" ]; then
    "$before" "$@" || exit $?
fi
if [ "$MEOW" != 0 ] && command -v meow >/dev/null 2>&1; then
    meow hook pre-commit </dev/null || :
fi
exit 0
"#;

/// What stands in a repository's folder of hooks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HookState {
    /// The hook's path.
    pub path: PathBuf,
    /// Whether meow's hook stands there.
    pub installed: bool,
    /// Whether another hook is there: instead of meow's, or called by it.
    pub other: bool,
    /// Whether the folder lies outside the repository's git directory, since `core.hooksPath` names it.
    pub elsewhere: bool,
}

impl Repository {
    /// Returns what stands in the folder of hooks.
    ///
    /// # Errors
    /// The folder cannot be found or read.
    pub fn hook_state(&self) -> Result<HookState> {
        let folder = self.hooks_folder()?;
        let path = folder.join(NAME);
        let installed = is_ours(&path)?;
        let other = if installed { present(&folder.join(BEFORE)) } else { present(&path) };
        let elsewhere = folder != self.common_dir().join("hooks");
        Ok(HookState { path, installed, other, elsewhere })
    }

    /// Puts in the hook; a hook that was there before is called first and keeps its say.
    ///
    /// Doing it twice changes nothing.
    ///
    /// # Errors
    /// The hook that is there cannot be called from another place, or the folder cannot be written.
    pub fn install_hook(&self) -> Result<HookState> {
        let folder = self.hooks_folder()?;
        let (path, before) = (folder.join(NAME), folder.join(BEFORE));
        if !is_ours(&path)? {
            let wrong = || format!("the hook {} cannot be written", path.display());
            fs::create_dir_all(&folder).map_err(trouble(wrong()))?;
            let mut script = tempfile::NamedTempFile::new_in(&folder).map_err(trouble(wrong()))?;
            script.write_all(SCRIPT.as_bytes()).map_err(trouble(wrong()))?;
            fs::set_permissions(script.path(), fs::Permissions::from_mode(0o755)).map_err(trouble(wrong()))?;
            let moved = present(&path);
            if moved {
                can_move(&path, &before)?;
                fs::rename(&path, &before).map_err(trouble(wrong()))?;
            }
            if let Err(error) = script.persist_noclobber(&path) {
                if moved {
                    fs::rename(&before, &path).map_err(trouble(wrong()))?;
                }
                return Err(trouble(wrong())(error.error));
            }
        }
        self.hook_state()
    }

    /// Takes out the hook and puts back the one that was there before; returns whether there was anything to take out.
    ///
    /// # Errors
    /// The hook was edited since, or the folder cannot be written.
    pub fn uninstall_hook(&self) -> Result<bool> {
        let folder = self.hooks_folder()?;
        let (path, before) = (folder.join(NAME), folder.join(BEFORE));
        if !is_ours(&path)? {
            return Ok(false);
        }
        let wrong = || format!("the hook {} cannot be taken out", path.display());
        if fs::read(&path).map_err(trouble(wrong()))? != SCRIPT.as_bytes() {
            return Err(Error::git(format!("the hook {} was edited since it was put in", path.display()))
                .hint("take out the lines that call meow by hand"));
        }
        if present(&before) {
            fs::rename(&before, &path).map_err(trouble(wrong()))?;
        } else {
            fs::remove_file(&path).map_err(trouble(wrong()))?;
        }
        Ok(true)
    }

    /// Returns the folder in which the person's git looks for hooks: `core.hooksPath`, or `hooks` in the git directory.
    fn hooks_folder(&self) -> Result<PathBuf> {
        let person = self.as_person()?;
        let configured = person
            .config_snapshot()
            .trusted_path("core.hooksPath")
            .map_err(trouble("core.hooksPath is no path that can be followed"))?;
        let Some(folder) = configured else { return Ok(self.common_dir().join("hooks")) };
        if folder == Path::new("/dev/null") {
            return Err(Error::git("core.hooksPath is /dev/null: hooks are switched off")
                .hint("`meow commit` records without a hook"));
        }
        // A relative path counts from where hooks run: the work tree's top, or the bare repository.
        Ok(self.work_dir().unwrap_or_else(|| self.git_dir()).join(folder))
    }
}

/// Returns whether something stands at `path`, be it a link to nothing.
fn present(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

/// Returns whether the file at `path` was put there by meow.
fn is_ours(path: &Path) -> Result<bool> {
    let mark = SCRIPT.lines().nth(1).expect("the script's second line");
    match fs::read(path) {
        Ok(bytes) => Ok(bytes.windows(mark.len()).any(|window| window == mark.as_bytes())),
        Err(_) if !path.is_file() => Ok(false),
        Err(error) => Err(trouble(format!("the hook {} cannot be read", path.display()))(error)),
    }
}

/// Checks that the hook that is there will work under another name.
fn can_move(path: &Path, before: &Path) -> Result<()> {
    let refuse = |why: &str| {
        Err(Error::git(format!("the hook {} {why}", path.display()))
            .hint("add the line `meow hook pre-commit` to that hook yourself"))
    };
    if present(before) {
        return refuse(&format!("cannot make room: {} exists", before.display()));
    }
    let text = fs::read(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    if text.contains("basename") && text.contains("$0") || text.contains("${0##*/}") {
        return refuse("asks for its own name, which chaining would change");
    }
    if path.parent().is_some_and(|folder| folder.join("husky.sh").exists() || folder.join("h").exists()) {
        return refuse("is written by husky, which would overwrite meow's");
    }
    Ok(())
}
