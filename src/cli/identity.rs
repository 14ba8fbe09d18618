//! What a record says of its sources, with branch names hashed under a key that stays outside the repository.

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::Path;
use std::sync::Arc;

use super::Context;
use super::project::Project;
use super::settings::Settings;
use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::execute::Inputs;
use crate::git::{Repository, State};
use crate::record::{Digest, Source, recorder::has_values};
use crate::scan;
use crate::workflow::Step;

/// Sets these hashes apart from any other use of the same key.
const PURPOSE: &str = "meow 2026-11 names hashed outside the repository";

/// Sets the hashes of commands apart likewise.
const FILLED: &str = "meow 2026-11 commands with values hashed outside the repository";

/// Sets the hashes of files likewise.
const INPUTS: &str = "meow 2026-11 contents of declared inputs hashed outside the repository";

/// Returns what an execution's record keeps of the sources in `repository`. What cannot be known is absent, with a warning.
pub fn source(repository: &Repository, context: &Context) -> Source {
    described(repository, repository.state(), context)
}

/// The same, where the state was looked at already.
pub fn described(repository: &Repository, state: Result<State>, context: &Context) -> Source {
    let (state, known) = match state {
        Ok(state) => (state, true),
        Err(error) => {
            context.terminal.warn(&format!("the state of the work tree is not recorded: {error}"));
            (without_work_tree(repository), false)
        }
    };
    let branch = branch(&state, &context.settings).unwrap_or_else(|error| {
        context.terminal.warn(&format!("the branch is not recorded: {error}"));
        None
    });
    Source {
        commit: state.commit.and_then(|commit| Digest::truncated(commit.bytes())),
        tree: state.tree.and_then(|tree| Digest::truncated(tree.bytes())),
        patch: state.patch.map(Digest::from_bytes),
        range_patch: state.range_patch.map(Digest::from_bytes),
        tracked: state.tracked.and_then(|tree| Digest::truncated(tree.bytes())),
        dirty: known.then_some(state.dirty),
        branch,
    }
}

/// Returns the commit and the branch as records name them, without looking at the work tree; what cannot be known is absent.
pub fn place(repository: &Repository, settings: &Settings) -> (Option<Digest>, Option<String>) {
    let state = without_work_tree(repository);
    let commit = state.commit.and_then(|commit| Digest::truncated(commit.bytes()));
    (commit, branch(&state, settings).ok().flatten())
}

/// Returns what can be said without looking at the work tree.
fn without_work_tree(repository: &Repository) -> State {
    State {
        commit: repository.head().ok().flatten(),
        branch: repository.branch().ok().flatten(),
        default_branch: repository.default_branch().ok().flatten(),
        ..State::default()
    }
}

/// Returns the default branch by name, any other as 24 hex digits of a keyed BLAKE3 hash; nothing on a detached HEAD.
///
/// The key is `MEOW_KEY`, or a random one in the user's folder for state: hashes join within one key.
///
/// # Errors
/// The key cannot be read or made.
pub fn branch(state: &State, settings: &Settings) -> Result<Option<String>> {
    let Some(branch) = &state.branch else { return Ok(None) };
    if state.default_branch.as_ref() == Some(branch) {
        return Ok(Some(branch.clone()));
    }
    Ok(key(settings)?.map(|key| hashed(&key, branch)))
}

/// Returns what gives the keyed hash of a step's command and environment with the values of variables filled in. It gives
/// nothing where that adds nothing to the command's own hash, or where there is no key.
pub fn filled(context: &Context) -> impl Fn(&Step) -> Option<Digest> {
    let key = key(&context.settings).ok().flatten().map(|key| blake3::derive_key(FILLED, key.as_bytes()));
    move |step| {
        if !has_values(step) {
            return None;
        }
        let mut hasher = blake3::Hasher::new_keyed(key.as_ref()?);
        for text in step.run.iter().chain(step.env.iter().flat_map(|(name, value)| [name, value])) {
            hasher.update(&(text.len() as u64).to_le_bytes()).update(text.as_bytes());
        }
        Digest::truncated(hasher.finalize().as_bytes())
    }
}

/// Returns what gives the keyed hash of what a step's declared inputs name: git may not track them, and what it does not
/// track may be secret. There is none without a key, and no hash of what cannot be read or is too much.
pub fn inputs(project: &Project, context: &Context) -> Option<Inputs> {
    let key = blake3::derive_key(INPUTS, key(&context.settings).ok().flatten()?.as_bytes());
    let root = project.root.clone();
    Some(Arc::new(move |step| {
        let hash = scan::inputs::hash(&root, &step.inputs, &key).ok().flatten()?;
        hash.first_chunk().copied()
    }))
}

fn hashed(key: &str, name: &str) -> String {
    let key = blake3::derive_key(PURPOSE, key.as_bytes());
    let hash = blake3::keyed_hash(&key, name.as_bytes());
    Digest::truncated(hash.as_bytes()).map_or_else(String::new, |digest| digest.to_string())
}

/// Returns the key; a user without a home has none.
fn key(settings: &Settings) -> Result<Option<String>> {
    match (&settings.key, &settings.state) {
        (Some(key), _) => Ok(Some(key.clone())),
        (None, Some(folder)) => kept(folder, &settings.clock).map(Some),
        (None, None) => Ok(None),
    }
}

/// Returns the key that is kept in a folder, made at the first call.
fn kept(folder: &Path, clock: &Clock) -> Result<String> {
    let file = folder.join("key");
    match read(&file)? {
        Some(key) => Ok(key),
        None => make(folder, &file, clock),
    }
}

fn read(file: &Path) -> Result<Option<String>> {
    match fs::read_to_string(file) {
        Ok(key) if !key.trim().is_empty() => Ok(Some(key.trim().to_owned())),
        Ok(_) => Err(Error::store(format!("the key {} is empty", file.display())).hint("remove it, or set MEOW_KEY")),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::store(format!("the key {} cannot be read", file.display())).cause(error)),
    }
}

/// Makes a random key that only this user can read. Where two make one at once, the first one stays.
fn make(folder: &Path, file: &Path, clock: &Clock) -> Result<String> {
    let wrong = || format!("the key {} cannot be made", file.display());
    let mut key = String::new();
    for _ in 0..3 {
        key += &Digest::from_bytes(clock.random()?).to_string();
    }
    fs::create_dir_all(folder).map_err(|error| Error::store(wrong()).cause(error))?;
    // Temporary files are made with mode 0600.
    let mut unfinished = tempfile::NamedTempFile::new_in(folder).map_err(|error| Error::store(wrong()).cause(error))?;
    unfinished.write_all(key.as_bytes()).map_err(|error| Error::store(wrong()).cause(error))?;
    match unfinished.persist_noclobber(file) {
        Ok(_) => Ok(key),
        Err(error) => read(file)?.ok_or_else(|| Error::store(wrong()).cause(error.error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_join_within_a_key_only() {
        let hash = hashed("one key", "topic");
        assert_eq!(hash.len(), 24);
        assert_eq!(hash, hashed("one key", "topic"));
        assert_ne!(hash, hashed("one key", "topic2"));
        assert_ne!(hash, hashed("another key", "topic"));
        assert!(hash.parse::<Digest>().is_ok());
    }

    #[test]
    fn the_key_is_made_once_and_for_this_user_only() {
        use std::os::unix::fs::PermissionsExt;
        let home = tempfile::tempdir().expect("a folder");
        let folder = home.path().join("state/meow");
        let key = kept(&folder, &Clock::system()).expect("made");
        assert_eq!(key.len(), 72);
        assert_eq!(kept(&folder, &Clock::system()).expect("read"), key);
        let mode = fs::metadata(folder.join("key")).expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        fs::write(folder.join("key"), " \n").expect("written");
        assert!(kept(&folder, &Clock::system()).is_err(), "an empty key is no key");
    }
}
