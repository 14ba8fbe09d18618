//! References: the tips of branches and writers, the branch at hand, the default branch, the first commit.

use std::collections::{BTreeMap, HashSet};

use gix::refs::Category;

use super::{Oid, Repository, trouble};
use crate::error::Result;

/// The references under which writers keep records.
pub const WRITERS: &str = "refs/meow/w/";
/// Where a remote's writers are looked at before something is pushed over them or deleted.
pub const THEIRS: &str = "refs/meow/theirs/";
/// A remote's branch, likewise.
pub const BRANCH: &str = "refs/meow/branch";

/// A note: what was written about a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The commit it is about, which may be absent here.
    pub commit: Oid,
    /// Its text.
    pub blob: Oid,
}

/// A reference and the commit it leads to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tip {
    /// Its full name, `refs/heads/main`; `HEAD` stands for the current commit of this worktree.
    pub name: String,
    /// The commit.
    pub commit: Oid,
}

/// The first commit of a project.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Root {
    /// The commit from which it was found.
    pub tip: Oid,
    /// The first one.
    pub root: Oid,
    /// Commits that were walked.
    pub walked: usize,
}

impl Repository {
    /// Returns where history ends: HEAD of every worktree, all branches, remote-tracking branches, writers' refs.
    ///
    /// Sorted by name, HEAD first. References that lead to nothing or to no commit are left out.
    ///
    /// # Errors
    /// The references cannot be read.
    pub fn tips(&self) -> Result<Vec<Tip>> {
        self.readable_references()?;
        let wrong = || format!("the references of {} cannot be read", self.common_dir().display());
        let mut tips = BTreeMap::new();
        let references = self.inner.references().map_err(trouble(wrong()))?;
        for prefix in ["refs/heads/", "refs/remotes/", WRITERS] {
            for reference in references.prefixed(prefix).map_err(trouble(wrong()))? {
                let Ok(mut reference) = reference else { continue };
                let name = reference.name().as_bstr().to_string();
                if let Ok(commit) = reference.peel_to_commit() {
                    tips.insert(name, Oid(commit.id));
                }
            }
        }
        for worktree in self.worktrees()? {
            if let Ok(head) = worktree.inner.head_id() {
                tips.insert(format!("worktrees/{}/HEAD", worktree.worktree()), Oid(head.detach()));
            }
        }
        let head = self.head()?.map(|commit| Tip { name: "HEAD".to_owned(), commit });
        Ok(head.into_iter().chain(tips.into_iter().map(|(name, commit)| Tip { name, commit })).collect())
    }

    /// Returns the commits that keep what they hold for good: HEAD of every worktree, and the writers' refs.
    ///
    /// # Errors
    /// The references cannot be read.
    pub fn keepers(&self) -> Result<Vec<Oid>> {
        self.readable_references()?;
        let wrong = || format!("the references of {} cannot be read", self.common_dir().display());
        let mut heads: Vec<Oid> = self.head()?.into_iter().collect();
        heads.extend(self.worktrees()?.iter().filter_map(|tree| Some(Oid(tree.inner.head_id().ok()?.detach()))));
        let references = self.inner.references().map_err(trouble(wrong()))?;
        for reference in references.prefixed(WRITERS).map_err(trouble(wrong()))?.flatten() {
            let mut reference = reference;
            heads.extend(reference.peel_to_commit().ok().map(|commit| Oid(commit.id)));
        }
        heads.sort();
        heads.dedup();
        Ok(heads)
    }

    /// Returns the notes under references of these names; a name that ends in `-` stands for all that begin so.
    ///
    /// # Errors
    /// The references or a notes tree cannot be read.
    pub fn notes(&self, names: &[&str]) -> Result<Vec<Note>> {
        self.readable_references()?;
        let wrong = || format!("the notes of {} cannot be read", self.common_dir().display());
        let mut notes = Vec::new();
        for name in names {
            let references = self.inner.references().map_err(trouble(wrong()))?;
            for reference in references.prefixed(*name).map_err(trouble(wrong()))? {
                let Ok(mut reference) = reference else { continue };
                if !name.ends_with('-') && reference.name().as_bstr() != *name {
                    continue;
                }
                let commit = reference.peel_to_commit().map_err(trouble(wrong()))?;
                let tree = commit.tree_id().map_err(trouble(wrong()))?;
                self.notes_under(Oid(tree.detach()), "", &mut notes, &mut HashSet::new())?;
            }
        }
        Ok(notes)
    }

    /// Notes lie under the commit's id, which git cuts into folders of two digits where there are many.
    /// A tree that was seen holds no other commits' notes, whose ids would have to end alike: hostile trees name one often.
    fn notes_under(&self, tree: Oid, start: &str, notes: &mut Vec<Note>, seen: &mut HashSet<Oid>) -> Result<()> {
        if !seen.insert(tree) {
            return Ok(());
        }
        for entry in self.entries(tree)? {
            let id = format!("{start}{}", entry.name);
            if entry.folder && id.len() < 64 {
                self.notes_under(entry.id, &id, notes, seen)?;
            } else if let (false, Ok(commit)) = (entry.folder, gix::ObjectId::from_hex(id.as_bytes())) {
                notes.push(Note { commit: Oid(commit), blob: entry.id });
            }
        }
        Ok(())
    }

    /// Returns this repository once for every worktree that can be opened, the main one first.
    ///
    /// # Errors
    /// The list of worktrees cannot be read.
    pub fn worktrees(&self) -> Result<Vec<Self>> {
        // Nothing is opened twice where there is one only, as nearly always.
        if !self.common_dir().join("worktrees").exists() {
            return Ok(vec![self.clone()]);
        }
        let wrong = || format!("the worktrees of {} cannot be read", self.common_dir().display());
        let all = self.inner.worktrees_including_main().map_err(trouble(wrong()))?;
        Ok(all.flatten().map(|inner| Self { inner }).collect())
    }

    /// Returns the commit that is checked out, or `None` where the branch is not born yet.
    ///
    /// # Errors
    /// HEAD cannot be read.
    pub fn head(&self) -> Result<Option<Oid>> {
        self.readable_references()?;
        let wrong = || format!("HEAD of {} cannot be read", self.git_dir().display());
        let head = self.inner.head().map_err(trouble(wrong()))?;
        if head.is_unborn() {
            return Ok(None);
        }
        head.into_peeled_id().map(|id| Some(Oid(id.detach()))).map_err(trouble(wrong()))
    }

    /// Returns the short name of the branch that is checked out, born or not; a detached HEAD has none.
    ///
    /// # Errors
    /// HEAD cannot be read.
    pub fn branch(&self) -> Result<Option<String>> {
        self.readable_references()?;
        let wrong = || format!("HEAD of {} cannot be read", self.git_dir().display());
        let name = self.inner.head_name().map_err(trouble(wrong()))?;
        Ok(name.filter(|name| name.category() == Some(Category::LocalBranch)).map(|name| name.shorten().to_string()))
    }

    /// Returns the short name of the default branch: where `origin/HEAD` points, else the first there is of
    /// `init.defaultBranch`, `main`, `master` and `trunk`, else the only branch.
    ///
    /// # Errors
    /// The references cannot be read.
    pub fn default_branch(&self) -> Result<Option<String>> {
        self.readable_references()?;
        if let Ok(Some(reference)) = self.inner.try_find_reference("refs/remotes/origin/HEAD")
            && let gix::refs::TargetRef::Symbolic(target) = reference.target()
            && let Some(name) = target.as_bstr().strip_prefix(b"refs/remotes/origin/")
        {
            return Ok(Some(String::from_utf8_lossy(name).into_owned()));
        }
        let configured = self.inner.config_snapshot().string("init.defaultBranch").map(|name| name.to_string());
        let usual = ["main", "master", "trunk"].map(str::to_owned);
        let branches = self.branches()?;
        let known = configured.into_iter().chain(usual).find(|name| branches.contains_key(name));
        let only = || (branches.len() == 1).then(|| branches.keys().next().cloned()).flatten();
        Ok(known.or_else(only))
    }

    /// Returns the tip of the default branch: the remote's where it is tracked, else the local one's.
    ///
    /// # Errors
    /// The references cannot be read.
    pub fn default_tip(&self) -> Result<Option<Oid>> {
        let Some(name) = self.default_branch()? else { return Ok(None) };
        for full in [format!("refs/remotes/origin/{name}"), format!("refs/heads/{name}")] {
            if let Ok(Some(mut reference)) = self.inner.try_find_reference(full.as_str())
                && let Ok(commit) = reference.peel_to_commit()
            {
                return Ok(Some(Oid(commit.id)));
            }
        }
        Ok(None)
    }

    /// Returns the local branches by short name, with their tips.
    fn branches(&self) -> Result<BTreeMap<String, Oid>> {
        let wrong = || format!("the branches of {} cannot be read", self.common_dir().display());
        let references = self.inner.references().map_err(trouble(wrong()))?;
        let mut branches = BTreeMap::new();
        for reference in references.local_branches().map_err(trouble(wrong()))? {
            let Ok(mut reference) = reference else { continue };
            let name = reference.name().shorten().to_string();
            if let Ok(commit) = reference.peel_to_commit() {
                branches.insert(name, Oid(commit.id));
            }
        }
        Ok(branches)
    }

    /// Returns the first commit of the project: the end of the chain of first parents from the default branch or HEAD.
    /// A shallow clone does not know it, and an unborn branch has none.
    ///
    /// # Errors
    /// The references cannot be read, or a commit is damaged.
    pub fn root_commit(&self) -> Result<Option<Oid>> {
        Ok(self.root_since(None)?.map(|found| found.root))
    }

    /// Returns the same with the tip that it was found from. Where the chain meets the tip of what is `known`, the rest of
    /// it is not walked again.
    ///
    /// # Errors
    /// See [`Repository::root_commit`].
    pub fn root_since(&self, known: Option<(Oid, Oid)>) -> Result<Option<Root>> {
        if self.is_shallow() {
            return self.readable_references().map(|()| None);
        }
        let start = match self.default_tip()? {
            Some(tip) => Some(tip),
            None => self.head()?,
        };
        let Some(tip) = start else { return Ok(None) };
        let wrong = || format!("the first commit of {} cannot be found", self.common_dir().display());
        let walk = self.inner.rev_walk([tip.0]).first_parent_only().all().map_err(trouble(wrong()))?;
        let (mut root, mut walked) = (tip, 0);
        for commit in walk {
            root = Oid(commit.map_err(trouble(wrong()))?.id);
            if let Some((_, root)) = known.filter(|(tip, _)| *tip == root) {
                return Ok(Some(Root { tip, root, walked }));
            }
            walked += 1;
        }
        Ok(Some(Root { tip, root, walked }))
    }
}
