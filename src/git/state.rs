//! The state of the sources at one moment: what an execution's record keeps of them.

use super::snapshot::Snapshot;
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
    /// The patch-id of the commit; absent for merges and for commits without changes.
    pub patch: Option<[u8; 12]>,
    /// The patch-id of everything since the merge base with the default branch; absent on that branch itself.
    pub range_patch: Option<[u8; 12]>,
    /// Whether that tree differs from the commit's.
    pub dirty: bool,
    /// The branch that is checked out.
    pub branch: Option<String>,
    /// The default branch.
    pub default_branch: Option<String>,
}

impl Repository {
    /// Returns the state of the sources. Nothing is run and nothing is written.
    ///
    /// # Errors
    /// References, the index, the work tree or an object that this needs cannot be read. What only the patch-ids need
    /// may be absent, as in shallow and partial clones: they are absent then.
    pub fn state(&self) -> Result<State> {
        let commit = self.head()?;
        let committed = commit.map(|commit| self.cleaned_tree(commit)).transpose()?;
        let (tree, dirty) = if self.work_dir().is_some() {
            match self.snapshot()? {
                Snapshot::Tree(tree) => {
                    let clean = committed.unwrap_or_else(|| Oid(gix::ObjectId::empty_tree(self.inner.object_hash())));
                    (Some(tree), tree != clean)
                }
                Snapshot::TooMuch => (None, true),
            }
        } else {
            (committed, false)
        };
        let (patch, range_patch) =
            commit.map_or((None, None), |commit| (self.patch_of(commit), self.patch_since(commit)));
        Ok(State {
            commit,
            tree,
            patch,
            range_patch,
            dirty,
            branch: self.branch()?,
            default_branch: self.default_branch()?,
        })
    }

    /// Returns the patch-id of a commit with at most one parent, where it can be known.
    fn patch_of(&self, commit: Oid) -> Option<[u8; 12]> {
        let facts = self.commit_facts(commit).ok()?;
        if facts.parents.len() > 1 { None } else { self.patch_id(facts.parents.first().copied(), commit).ok()? }
    }

    /// Returns the patch-id of the way from the merge base with the default branch, where there is a way.
    fn patch_since(&self, commit: Oid) -> Option<[u8; 12]> {
        let base = self.merge_base(commit, self.default_tip().ok()??).ok()??;
        if base == commit { None } else { self.patch_id(Some(base), commit).ok()? }
    }
}
