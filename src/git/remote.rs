//! Push and fetch through the git binary, which knows every protocol; nothing that hooks name is run by it.

use std::process::{Command, Output, Stdio};

use super::commit::POINTERS;
use super::{Oid, Repository, trouble};
use crate::error::{Error, Result};

/// What became of one reference that was pushed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pushed {
    /// The remote has it now.
    Done,
    /// The remote did not take it; why, in git's words.
    Rejected(String),
}

/// What a remote's reference has to be for a push to replace it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lease {
    /// An ancestor of what is pushed, or absent.
    Ancestor,
    /// This commit exactly.
    Exactly(Oid),
}

impl Repository {
    /// Returns the remote that a person means by leaving it out: `origin`, or the only one.
    ///
    /// # Errors
    /// There is none, or there are several and none is called origin.
    pub fn default_remote(&self) -> Result<String> {
        let names: Vec<String> = self.inner.remote_names().iter().map(ToString::to_string).collect();
        match names.as_slice() {
            [only] => Ok(only.clone()),
            _ if names.iter().any(|name| name == "origin") => Ok("origin".to_owned()),
            [] => Err(Error::request(format!("{} has no remote", self.common_dir().display()))
                .hint("`git remote add origin URL` adds one")),
            _ => Err(Error::request("no remote is called origin").hint(format!("name one: {}", names.join(", ")))),
        }
    }

    /// Pushes `commit` (nothing, to delete it) to the reference `name` of `remote`; runs no pre-push hook.
    ///
    /// # Errors
    /// git is missing, or the remote cannot be reached.
    pub fn push(&self, remote: &str, commit: Option<Oid>, name: &str, lease: Lease, may_ask: bool) -> Result<Pushed> {
        let wrong = format!("{name} cannot be pushed to {}", remote.escape_debug());
        let mut command = self.speaks(may_ask);
        command.args(["push", "--porcelain", "--no-verify", "--no-signed", "--recurse-submodules=no"]);
        if let Lease::Exactly(seen) = lease {
            command.arg(format!("--force-with-lease={name}:{seen}"));
        }
        let from = commit.map_or_else(String::new, |commit| commit.to_string());
        let output =
            command.args(["--", remote, &format!("{from}:{name}")]).output().map_err(trouble(wrong.clone()))?;
        let said = String::from_utf8_lossy(&output.stdout);
        match said.lines().find_map(|line| report_of(line, name)) {
            Some(('!', reason)) => Ok(Pushed::Rejected(reason)),
            Some(_) if output.status.success() => Ok(Pushed::Done),
            _ => Err(unreachable(wrong, &output)),
        }
    }

    /// Fetches references from `remote` as the refspecs say, without tags; `prune` removes what the remote lacks.
    ///
    /// # Errors
    /// git is missing, or the remote cannot be reached.
    pub fn fetch(&self, remote: &str, refspecs: &[String], prune: bool, may_ask: bool) -> Result<()> {
        let wrong = format!("nothing can be fetched from {}", remote.escape_debug());
        let mut command = self.speaks(may_ask);
        command.args(["fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--recurse-submodules=no"]);
        command.args(["--no-auto-maintenance", if prune { "--prune" } else { "--no-prune" }]);
        let output = command.args(["--", remote]).args(refspecs).output().map_err(trouble(wrong.clone()))?;
        if output.status.success() { Ok(()) } else { Err(unreachable(wrong, &output)) }
    }

    /// Returns git about to speak with a remote; a person is asked for passwords only where one is there.
    fn speaks(&self, may_ask: bool) -> Command {
        let mut command = self.git();
        if !may_ask {
            command.env("GIT_TERMINAL_PROMPT", "0").stdin(Stdio::null());
        }
        command
    }

    /// Returns the git binary at work in this repository, whatever the environment points at; no hook and no
    /// file-system monitor is run by it.
    pub(super) fn git(&self) -> Command {
        let mut command = Command::new("git");
        for pointer in POINTERS {
            command.env_remove(pointer);
        }
        command.args(["-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null"]);
        command.current_dir(self.work_dir().unwrap_or_else(|| self.git_dir()));
        command
    }
}

/// Reads one line of `git push --porcelain`: `<flag> TAB <from>:<to> TAB <summary>`.
fn report_of(line: &str, name: &str) -> Option<(char, String)> {
    let mut parts = line.splitn(3, '\t');
    let flag = parts.next()?.chars().next()?;
    let (_, to) = parts.next()?.rsplit_once(':')?;
    (to == name).then(|| (flag, parts.next().unwrap_or_default().to_owned()))
}

fn unreachable(wrong: String, output: &Output) -> Error {
    let said = String::from_utf8_lossy(&output.stderr);
    let last: Vec<&str> = said.lines().filter(|line| !line.trim().is_empty()).take(3).collect();
    Error::git(wrong).cause(last.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_of_one_reference() {
        let name = "refs/meow/w/0123456789ab";
        for (line, expected) in [
            ("*\tabc:refs/meow/w/0123456789ab\t[new reference]", Some(('*', "[new reference]"))),
            ("!\tabc:refs/meow/w/0123456789ab\t[rejected] (fetch first)", Some(('!', "[rejected] (fetch first)"))),
            (" \tabc:refs/meow/w/0123456789ab\ta..b", Some((' ', "a..b"))),
            ("*\tabc:refs/heads/main\t[new branch]", None),
            ("To ../remote.git", None),
            ("Done", None),
        ] {
            let expected = expected.map(|(flag, text)| (flag, text.to_owned()));
            assert_eq!(report_of(line, name), expected, "{line}");
        }
    }
}
