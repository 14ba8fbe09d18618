//! `meow push`: the spool into this writer's own ref, and that ref to a remote; two writers never collide.

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use super::{Context, purge, seal, stamp};
use crate::error::{Error, Result};
use crate::git::refs::{THEIRS, WRITERS};
use crate::git::writers::reference_of;
use crate::git::{DATA_FOLDERS, FileChange, Lease, Oid, Pushed, Repository};
use crate::report::format::count;
use crate::scan;
use crate::store::removal::Left;
use crate::store::segment;
use crate::store::spool::Spool;

/// Pushes that are tried before the rest waits for the next call.
const ATTEMPTS: u32 = 6;
/// Times that the ref is written before another process that writes it too is an error.
const TURNS: u32 = 3;
/// The first wait between two of them; each next one is twice as long, and each is shortened at random by up to half.
const FIRST_WAIT: Duration = Duration::from_millis(100);
/// No wait is longer.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// Send what was recorded to a remote, as a ref of this clone's own
///
/// For clones that may not push to the branch: CI, protected branches, forks. Every clone has a ref of its own
/// (refs/meow/w/WRITER), so that two never collide; `meow fold` brings such refs into the branch. What cannot be pushed
/// waits in this clone for the next call.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  meow execute ci; meow push origin")]
pub struct Args {
    /// The remote, by name or address [default: origin, or the only one]
    #[arg(value_name = "REMOTE")]
    remote: Option<String>,
}

/// Pushes what waits.
///
/// # Errors
/// There is no repository or no remote, git cannot be written, or the remote does not take the ref.
pub fn run(args: &Args, context: &Context) -> Result<u8> {
    let repository = repository(context)?;
    let remote = args.remote.clone().map_or_else(|| repository.default_remote(), Ok)?;
    repository.sweep_remotes();
    let spool = Spool::new(&repository.private_dir());
    if spool.list()?.is_empty() && repository.writers()?.is_empty() {
        context.terminal.say("nothing to push: no execution waits");
        return Ok(0);
    }
    let name = reference_of(&spool.writer(&context.settings.clock)?)?;
    let mut fold = Fold { repository: &repository, spool: &spool, remote: &remote, name: &name, context };
    let executions = fold.in_turns()?;
    let Some(tip) = repository.reference(&name)? else {
        context.terminal.say("nothing to push: no execution waits");
        return Ok(0);
    };
    let pushes = fold.send(tip)?;
    // The ref holds them now.
    seal::settle(&repository, &spool)?;
    let said = format!("{name} is on {remote}: {} new, {}", count(executions as u64, "execution"), words(pushes));
    context.terminal.result(&said)?;
    Ok(0)
}

/// Returns the repository around the current folder.
///
/// # Errors
/// There is none.
pub(super) fn repository(context: &Context) -> Result<Repository> {
    context.project()?.repository.ok_or_else(|| {
        Error::request(format!("{} is in no git repository", context.settings.directory.display()))
            .hint("`git init` makes one")
    })
}

fn words(pushes: u32) -> String {
    if pushes == 1 { "1 push".to_owned() } else { format!("{pushes} pushes") }
}

/// One push on its way.
struct Fold<'a> {
    repository: &'a Repository,
    spool: &'a Spool,
    remote: &'a str,
    name: &'a str,
    context: &'a Context,
}

impl Fold<'_> {
    /// Commits what waits to this writer's ref; where another process did so at the same moment, once more.
    fn in_turns(&mut self) -> Result<usize> {
        let mut turn = 0;
        loop {
            turn += 1;
            match self.fold() {
                Err(_) if turn < TURNS => self.wait(turn)?,
                done => return done,
            }
        }
    }

    /// Commits what waits to this writer's ref; returns how many executions are new in it.
    fn fold(&self) -> Result<usize> {
        let heads = seal::settle(self.repository, self.spool)?;
        let mut waiting = self.sealed(&heads)?;
        let settings = &self.context.settings;
        let (now, writer) = (stamp::now(Some(self.repository), settings)?, self.spool.writer(&settings.clock)?);
        let mut committed = false;
        let sealed = self.spool.seal_with(&writer, now, &|_| true, &mut |place, bytes| {
            waiting.push((format!(".meow/{place}"), Some(self.repository.write_blob(bytes)?)));
            committed = true;
            self.commit(&std::mem::take(&mut waiting))
        })?;
        if !committed && !waiting.is_empty() {
            self.commit(&waiting)?;
        }
        for trouble in &sealed.troubles {
            self.context.terminal.warn(&format!("a journal stays in the spool: {trouble}"));
        }
        Ok(sealed.executions)
    }

    /// Returns the segments that lie in a work tree and in no commit.
    fn sealed(&self, heads: &[Oid]) -> Result<Vec<FileChange>> {
        let mut waiting = Vec::new();
        let tops: Vec<_> =
            self.repository.worktrees()?.iter().filter_map(|tree| Some(tree.work_dir()?.join(".meow"))).collect();
        for place in self.spool.sealed()? {
            if heads.iter().any(|head| seal::holds(self.repository, *head, &place)) {
                continue;
            }
            // One that cannot be read is sealed anew from its journals once it is gone.
            if let Some(bytes) = tops.iter().find_map(|top| fs::read(top.join(&place)).ok()) {
                waiting.push((format!(".meow/{place}"), Some(self.repository.write_blob(&bytes)?)));
            }
        }
        Ok(waiting)
    }

    /// Commits to this writer's ref. Where the remote branch holds all that the ref holds, it starts anew.
    fn commit(&self, files: &[FileChange]) -> Result<()> {
        let held = self.repository.reference(self.name)?;
        let branch = remote_tip(self.repository, self.remote)?;
        let parent = match (held, branch) {
            (Some(held), Some(branch)) if landed(self.repository, held, branch)? => None,
            _ => held,
        };
        let seconds = stamp::now(Some(self.repository), &self.context.settings)?.as_second();
        self.repository.commit_to(self.name, (held, parent), "Records\n", files, seconds).map(drop)
    }

    /// Pushes until the remote has it; returns the number of pushes.
    fn send(&mut self, mut tip: Oid) -> Result<u32> {
        let mut lease = Lease::Ancestor;
        let mut push = 1;
        loop {
            let may_ask = self.context.settings.watched;
            let reason = match self.repository.push(self.remote, Some(tip), self.name, lease, may_ask)? {
                Pushed::Done => return Ok(push),
                Pushed::Rejected(reason) => reason,
            };
            if push == ATTEMPTS {
                return Err(Error::git(format!("{} did not take {} in {push} pushes", self.remote, self.name))
                    .cause(reason)
                    .hint("the records wait in this clone; `meow push` tries again"));
            }
            self.context.terminal.detail(&format!("{} was rejected: {reason}", self.name));
            self.wait(push)?;
            (tip, lease) = self.unite()?;
            push += 1;
        }
    }

    /// Takes over what the remote's ref holds and this one does not, as where a clone was copied with its writer id;
    /// returns what to push over what.
    fn unite(&self) -> Result<(Oid, Lease)> {
        let theirs = self.name.replacen(WRITERS, THEIRS, 1);
        // A pattern, since a name that the remote lacks would be an error.
        let refspec = format!("+{}*:{theirs}*", self.name);
        self.repository.fetch(self.remote, &[refspec], true, self.context.settings.watched)?;
        let ours = self.repository.reference(self.name)?.ok_or_else(|| Error::git(format!("{} is gone", self.name)))?;
        let Some(theirs) = self.repository.reference(&theirs)? else { return Ok((ours, Lease::Ancestor)) };
        let held: BTreeSet<String> = paths(self.repository, ours)?;
        let removals = scan::removals(self.repository, remote_tip(self.repository, self.remote)?);
        let mut missing = Vec::new();
        for (path, blob) in self.repository.blobs_under(theirs, DATA_FOLDERS[0])? {
            let place = place(&path);
            if held.contains(&path) {
                continue;
            }
            let Some(bytes) = self.repository.blob_within(blob, segment::MAX_BYTES)? else {
                self.context.terminal.warn(&format!("left behind: {} is too large", path.escape_debug()));
                continue;
            };
            match removals.leave(place, &bytes) {
                Ok(Left::Whole) => missing.push((path, Some(blob))),
                Ok(Left::Part(place, bytes)) => {
                    missing.push((format!(".meow/{place}"), Some(self.repository.write_blob(&bytes)?)));
                }
                Ok(Left::Nothing) => {}
                Ok(Left::Newer) => self.context.terminal.warn(&format!("left behind: {}", purge::newer(&path))),
                Err(error) => self.context.terminal.warn(&format!("left behind: {error}")),
            }
        }
        missing.retain(|(path, _)| !held.contains(path));
        if missing.is_empty() {
            return Ok((ours, Lease::Exactly(theirs)));
        }
        let seconds = stamp::now(Some(self.repository), &self.context.settings)?.as_second();
        let united = self.repository.commit_to(self.name, (Some(ours), Some(ours)), "Records\n", &missing, seconds)?;
        Ok((united, Lease::Exactly(theirs)))
    }

    /// Waits before another try: exponential, with jitter, so that many do not come back at the same moment.
    fn wait(&self, failed: u32) -> Result<()> {
        let longest = FIRST_WAIT.saturating_mul(1 << failed.min(16)).min(LONGEST_WAIT);
        let draw = self.context.settings.clock.random()?;
        std::thread::sleep(longest.mul_f64(0.5 + f64::from(draw[0]) / 512.0));
        Ok(())
    }
}

/// Returns a path from the top as one below `.meow`.
pub(super) fn place(path: &str) -> &str {
    path.strip_prefix(".meow/").unwrap_or(path)
}

/// Returns the paths of the segments that a commit holds.
pub(super) fn paths(repository: &Repository, commit: Oid) -> Result<BTreeSet<String>> {
    Ok(repository.blobs_under(commit, DATA_FOLDERS[0])?.into_iter().map(|(path, _)| path).collect())
}

/// Returns the tip of the remote's default branch, as it was last fetched.
pub(super) fn remote_tip(repository: &Repository, remote: &str) -> Result<Option<Oid>> {
    let Some(branch) = repository.default_branch()? else { return Ok(None) };
    // An address has no remote-tracking branches, and is no part of a reference's name.
    repository.reference(&format!("refs/remotes/{remote}/{branch}")).or(Ok(None))
}

/// Returns whether the commit `branch` holds every record that the writer's commit `held` holds, apart from what it says was
/// taken out on purpose: what any other branch says, merged or not, is no reason to delete.
pub(super) fn landed(repository: &Repository, held: Oid, branch: Oid) -> Result<bool> {
    let there = paths(repository, branch)?;
    let removals = scan::removals_of(repository, branch);
    for (path, blob) in repository.blobs_under(held, DATA_FOLDERS[0])? {
        let place = place(&path);
        let is_there = there.contains(&path)
            || !removals.is_empty()
                && match removals.leave(place, &repository.blob_within(blob, segment::MAX_BYTES)?.unwrap_or_default()) {
                    Ok(Left::Part(place, _)) => there.contains(&format!(".meow/{place}")),
                    Ok(Left::Nothing) => true,
                    Ok(Left::Whole | Left::Newer) | Err(_) => false,
                };
        if !is_there {
            return Ok(false);
        }
    }
    Ok(true)
}
