//! The state of the sources at one moment: what an execution's record keeps of them.

use std::thread::ScopedJoinHandle;

use gix::bstr::ByteSlice;

use super::patch::is_data;
use super::snapshot::{Snapshot, Work};
use super::{Oid, Repository};
use crate::error::Result;

/// The state of a repository's sources; meow's own data below `.meow` never counts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct State {
    /// The commit that is checked out; absent on an unborn branch.
    pub commit: Option<Oid>,
    /// The tree that `git add --all && git commit` would give. A bare repository has its commit's tree. Absent where more
    /// than 512 MiB or 50,000 files would have to be hashed.
    pub tree: Option<Oid>,
    /// What git tracks with its changes, as a tree without `.meow`; absent where that is what the commit holds, or unknown
    /// where the tree is.
    pub tracked: Option<Oid>,
    /// The patch-id of the commit, or of the commit that a dirty work tree would become; absent for merges and for
    /// commits without changes.
    pub patch: Option<[u8; 12]>,
    /// The patch-id of everything since the merge base with the default branch, the work tree's changes included; absent
    /// where there is nothing since.
    pub range_patch: Option<[u8; 12]>,
    /// Whether that tree differs from the commit's.
    pub dirty: bool,
    /// The branch that is checked out.
    pub branch: Option<String>,
    /// The default branch.
    pub default_branch: Option<String>,
}

/// The patch-ids of a commit, which stay as they are as long as the tip of the default branch does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patches {
    /// The commit.
    pub commit: Oid,
    /// The tip of the default branch.
    pub default_tip: Option<Oid>,
    /// See [`State::patch`].
    pub patch: Option<[u8; 12]>,
    /// See [`State::range_patch`].
    pub range_patch: Option<[u8; 12]>,
}

impl Repository {
    /// Returns the state of the sources. Nothing is run and nothing is written.
    ///
    /// # Errors
    /// References, the index, the work tree or an object that this needs cannot be read. What only the patch-ids need
    /// may be absent, as in shallow and partial clones: they are absent then.
    pub fn state(&self) -> Result<State> {
        self.state_knowing(None).map(|(state, _)| state)
    }

    /// The same, where the patch-ids of a commit are known, and those of the commit that is checked out: to find them means
    /// to read every file that differs.
    ///
    /// # Errors
    /// See [`Repository::state`].
    pub fn state_knowing(&self, known: Option<Patches>) -> Result<(State, Option<Patches>)> {
        let commit = self.head()?;
        // What the commit says by itself is read while the files are looked at.
        let aside = self.clone();
        let (snapshot, (committed, patches)) = std::thread::scope(|scope| {
            let snapshot = aside.work_dir().is_some().then(|| scope.spawn(move || aside.snapshot()));
            let committed = commit.map(|commit| self.cleaned_tree(commit)).transpose();
            let patches = commit.map(|commit| self.patches(commit, known));
            (snapshot.map(ScopedJoinHandle::join), (committed, patches))
        });
        let committed = committed?;
        let (tree, dirty, work) = if let Some(snapshot) = snapshot {
            match snapshot.unwrap_or_else(|panic| std::panic::resume_unwind(panic))? {
                Snapshot::Tree(tree, work) => {
                    let clean = committed.unwrap_or_else(|| Oid(gix::ObjectId::empty_tree(self.inner.object_hash())));
                    (Some(tree), tree != clean, (tree != clean).then_some(work))
                }
                Snapshot::TooMuch => (None, true, None),
            }
        } else {
            (committed, false, None)
        };
        let tracked = work.as_ref().and_then(|work| work.tracked);
        let (patch, range_patch) = match (commit, work) {
            (commit, Some(work)) => (self.patch_id_with(commit, commit, &work)?, self.work_since(commit, &work)),
            // What was not looked at in full is like no commit.
            (Some(_), None) if dirty => (None, None),
            (_, None) => patches.map_or((None, None), |patches| (patches.patch, patches.range_patch)),
        };
        let state = State {
            commit,
            tree,
            tracked,
            patch,
            range_patch,
            dirty,
            branch: self.branch()?,
            default_branch: self.default_branch()?,
        };
        Ok((state, patches))
    }

    /// Returns the patch-ids of a commit, unless they are the ones that are known.
    fn patches(&self, commit: Oid, known: Option<Patches>) -> Patches {
        let default_tip = self.default_tip().ok().flatten();
        let same = |known: &Patches| (known.commit, known.default_tip) == (commit, default_tip);
        let found = || {
            let (patch, range_patch) = (self.patch_of(commit), self.patch_since(commit));
            Patches { commit, default_tip, patch, range_patch }
        };
        known.filter(same).unwrap_or_else(found)
    }

    /// Returns the paths at which the work tree differs from the commit checked out, sorted, without meow's own data: none of
    /// a clean or a bare one; `None` where more than 512 MiB or 50,000 files would have to be hashed.
    ///
    /// # Errors
    /// See [`Repository::state`].
    pub fn touched_paths(&self) -> Result<Option<Vec<String>>> {
        if self.work_dir().is_none() {
            return Ok(Some(Vec::new()));
        }
        let Snapshot::Tree(_, work) = self.snapshot()? else { return Ok(None) };
        let paths = work.edits.keys().filter(|path| !is_data(path));
        Ok(Some(paths.map(|path| path.to_str_lossy().into_owned()).collect()))
    }

    /// Returns the patch-id of a commit with at most one parent, where it can be known.
    pub fn patch_of(&self, commit: Oid) -> Option<[u8; 12]> {
        let facts = self.commit_facts(commit).ok()?;
        if facts.parents.len() > 1 { None } else { self.patch_id(facts.parents.first().copied(), commit).ok()? }
    }

    /// Returns the patch-id of the way from the merge base with the default branch, where there is a way.
    fn patch_since(&self, commit: Oid) -> Option<[u8; 12]> {
        let base = self.merge_base(commit, self.default_tip().ok()??).ok()??;
        if base == commit { None } else { self.patch_id(Some(base), commit).ok()? }
    }

    /// Returns the patch-id of the way from the merge base with the default branch to the work tree, off that branch.
    fn work_since(&self, commit: Option<Oid>, work: &Work) -> Option<[u8; 12]> {
        let base = self.merge_base(commit?, self.default_tip().ok()??).ok()??;
        if Some(base) == commit { None } else { self.patch_id_with(Some(base), commit, work).ok()? }
    }
}
