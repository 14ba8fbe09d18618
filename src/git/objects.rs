//! Blobs, trees and commits, read from the object database and never from the work tree.

use gix::bstr::ByteSlice;
use gix::objs::tree::EntryKind;

use super::{Oid, Repository, trouble};
use crate::error::{Error, Result};

/// Deeper paths are not followed: a tree cannot hold itself, but a hostile one can be deep.
const LONGEST_PATH: usize = 1_024;
/// What holds more folders is not read: a few hostile trees that name each other often enough stand for any number.
const MOST_FOLDERS: usize = 10_000;
/// What holds more files likewise.
const MOST_FILES: usize = 1_000_000;

/// One folder or file of a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// Its tree or blob.
    pub id: Oid,
    /// Whether it is a folder.
    pub folder: bool,
}

/// What a commit says, as far as meow wants to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitFacts {
    /// Its tree.
    pub tree: Oid,
    /// Its parents, the first one first.
    pub parents: Vec<Oid>,
    /// When it was committed, in seconds since 1970.
    pub time: i64,
}

/// A file as one commit left it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// The commit that changed it.
    pub commit: Oid,
    /// When that was committed, in seconds since 1970.
    pub time: i64,
    /// What it holds since.
    pub blob: Oid,
}

impl Repository {
    /// Returns a blob's bytes.
    ///
    /// # Errors
    /// It is absent (a partial clone), damaged, or no blob.
    pub fn blob(&self, id: Oid) -> Result<Vec<u8>> {
        let mut blob = self.inner.find_blob(id.0).map_err(trouble(format!("blob {id} cannot be read")))?;
        Ok(std::mem::take(&mut blob.data))
    }

    /// Returns a blob's bytes, or `None` where it holds more than so many, as no blob of meow's does.
    ///
    /// # Errors
    /// It is absent (a partial clone), damaged, or no blob.
    pub fn blob_within(&self, id: Oid, most: usize) -> Result<Option<Vec<u8>>> {
        if self.blob_size(id)? > most as u64 { Ok(None) } else { self.blob(id).map(Some) }
    }

    /// Returns as many handles on this repository as there are processors to read with, each for one thread. What they map
    /// of packs goes with them.
    pub fn readers(&self) -> Vec<Self> {
        let again = Self::open(self.work_dir().unwrap_or(self.git_dir()));
        vec![again.unwrap_or_else(|_| self.clone()); rayon::current_num_threads()]
    }

    /// Returns the size of a blob in bytes without reading it in full.
    ///
    /// # Errors
    /// It is absent or damaged.
    pub fn blob_size(&self, id: Oid) -> Result<u64> {
        let header = self.inner.find_header(id.0).map_err(trouble(format!("blob {id} cannot be read")))?;
        Ok(header.size())
    }

    /// Returns the tree at `folder` of a commit, or `None` where there is no such folder.
    ///
    /// # Errors
    /// The commit or one of the trees is absent or damaged.
    pub fn tree_at(&self, commit: Oid, folder: &str) -> Result<Option<Oid>> {
        let wrong = || format!("{folder} of commit {commit} cannot be read");
        let tree = self.inner.find_commit(commit.0).and_then(|commit| commit.tree()).map_err(trouble(wrong()))?;
        let entry = tree.lookup_entry_by_path(folder).map_err(trouble(wrong()))?;
        Ok(entry.filter(|entry| entry.mode().is_tree()).map(|entry| Oid(entry.object_id())))
    }

    /// Returns the folders and files of a tree; links and submodules are left out.
    ///
    /// # Errors
    /// The tree is absent or damaged.
    pub fn entries(&self, tree: Oid) -> Result<Vec<Entry>> {
        let wrong = || format!("tree {tree} cannot be read");
        let tree = self.inner.find_tree(tree.0).map_err(trouble(wrong()))?;
        let mut found = Vec::new();
        for entry in tree.iter() {
            let entry = entry.map_err(trouble(wrong()))?;
            let folder = match entry.kind() {
                EntryKind::Tree => true,
                EntryKind::Blob | EntryKind::BlobExecutable => false,
                EntryKind::Link | EntryKind::Commit => continue,
            };
            found.push(Entry {
                name: entry.filename().to_str_lossy().into_owned(),
                id: Oid(entry.object_id()),
                folder,
            });
        }
        Ok(found)
    }

    /// Returns the files below `folder` in a commit, with their paths from the top, sorted by path.
    ///
    /// # Errors
    /// The commit or one of the trees is absent or damaged, or there are more than 10,000 folders or a million files.
    pub fn blobs_under(&self, commit: Oid, folder: &str) -> Result<Vec<(String, Oid)>> {
        let mut found = Vec::new();
        let mut open: Vec<(String, Oid)> =
            self.tree_at(commit, folder)?.map(|tree| (folder.to_owned(), tree)).into_iter().collect();
        let (mut folders, mut files) = (0, 0);
        while let Some((at, tree)) = open.pop() {
            let entries = self.entries(tree)?;
            folders += 1;
            files += entries.len();
            if folders > MOST_FOLDERS || files > MOST_FILES {
                return Err(Error::git(format!("{folder} of commit {commit} holds too many folders or files")));
            }
            for entry in entries {
                let path = format!("{at}/{}", entry.name);
                if !entry.folder {
                    found.push((path, entry.id));
                } else if path.len() < LONGEST_PATH {
                    open.push((path, entry.id));
                }
            }
        }
        found.sort();
        Ok(found)
    }

    /// Returns the text of the file at `path` in a commit, or `None` where there is no such file.
    ///
    /// # Errors
    /// An object is absent or damaged, or the file is not UTF-8.
    pub fn text_at(&self, commit: Oid, path: &str) -> Result<Option<String>> {
        let wrong = || format!("{path} of commit {commit} cannot be read");
        let tree = self.inner.find_commit(commit.0).and_then(|commit| commit.tree()).map_err(trouble(wrong()))?;
        let entry = tree.lookup_entry_by_path(path).map_err(trouble(wrong()))?;
        let Some(entry) = entry.filter(|entry| entry.mode().is_blob()) else { return Ok(None) };
        let bytes = self.blob(Oid(entry.object_id()))?;
        String::from_utf8(bytes).map(Some).map_err(trouble(wrong()))
    }

    /// Returns whether the tree of `commit` holds a file at `path`.
    ///
    /// # Errors
    /// The commit or a tree is absent or damaged.
    pub fn has_file(&self, commit: Oid, path: &str) -> Result<bool> {
        let wrong = || format!("commit {commit} cannot be read");
        let tree = self.inner.find_commit(commit.0).and_then(|commit| commit.tree()).map_err(trouble(wrong()))?;
        let entry = tree.lookup_entry_by_path(path).map_err(trouble(wrong()))?;
        Ok(entry.is_some_and(|entry| entry.mode().is_blob()))
    }

    /// Returns the only object here whose id begins with these bytes; `None` where there is none, or several.
    ///
    /// # Errors
    /// The object database cannot be read.
    pub fn object_at(&self, start: &[u8; 12]) -> Result<Option<Oid>> {
        Ok(self.look_up(start)?.and_then(std::result::Result::ok).map(Oid))
    }

    /// Returns whether an object is here whose id begins with these bytes.
    ///
    /// # Errors
    /// The object database cannot be read.
    pub fn has_object(&self, start: &[u8; 12]) -> Result<bool> {
        // Several with the same 12 bytes would be here too.
        Ok(self.look_up(start)?.is_some())
    }

    fn look_up(&self, start: &[u8; 12]) -> Result<Option<gix::odb::store::prefix::lookup::Outcome>> {
        let mut id = gix::ObjectId::null(self.inner.object_hash());
        id.as_mut_slice()[..start.len()].copy_from_slice(start);
        let wrong = || format!("the objects of {} cannot be read", self.common_dir().display());
        let prefix = gix::hash::Prefix::new(&id, 2 * start.len()).map_err(trouble(wrong()))?;
        self.inner.objects.lookup_prefix(prefix, None).map_err(trouble(wrong()))
    }

    /// Returns what a commit says.
    ///
    /// # Errors
    /// It is absent, damaged, or no commit.
    pub fn commit_facts(&self, commit: Oid) -> Result<CommitFacts> {
        let wrong = || format!("commit {commit} cannot be read");
        let found = self.inner.find_commit(commit.0).map_err(trouble(wrong()))?;
        Ok(CommitFacts {
            tree: Oid(found.tree_id().map_err(trouble(wrong()))?.detach()),
            parents: found.parent_ids().map(|id| Oid(id.detach())).collect(),
            time: found.time().map_err(trouble(wrong()))?.seconds,
        })
    }

    /// Returns the commit that a person means by `name`: a branch, a tag, an id or an expression such as `HEAD~3`.
    ///
    /// # Errors
    /// There is no such commit, or references cannot be read.
    pub fn resolve(&self, name: &str) -> Result<Oid> {
        self.readable_references()?;
        let unknown = || {
            Error::request(format!("`{}` names no commit here", name.escape_debug()))
                .hint("`git branch --all` lists the branches")
        };
        let id = self.inner.rev_parse_single(name).map_err(|_| unknown())?;
        let commit = id.object().and_then(gix::Object::peel_to_commit).map_err(|error| unknown().cause(error))?;
        Ok(Oid(commit.id))
    }

    /// Returns the commits that `tip` reaches and `base` does not, the newest first, at most `limit` of them.
    ///
    /// # Errors
    /// A commit is absent or damaged.
    pub fn commits_between(&self, base: Option<Oid>, tip: Oid, limit: usize) -> Result<Vec<Oid>> {
        let wrong = || format!("the history of commit {tip} cannot be read");
        let walk = self.inner.rev_walk([tip.0]).with_hidden(base.map(|base| base.0)).all().map_err(trouble(wrong()))?;
        walk.take(limit).map(|info| info.map(|info| Oid(info.id)).map_err(trouble(wrong()))).collect()
    }

    /// Returns the versions of the file at `path` along the first parents of `tip`, the oldest first: one for each
    /// commit that changed it. Where a shallow clone ends, the oldest one known stands for what came before.
    ///
    /// # Errors
    /// A commit or a tree is absent or damaged.
    pub fn versions(&self, tip: Oid, path: &str) -> Result<Vec<Version>> {
        let wrong = || format!("the history of {path} cannot be read");
        let walk = self.inner.rev_walk([tip.0]).first_parent_only().all().map_err(trouble(wrong()))?;
        let mut versions: Vec<Version> = Vec::new();
        for info in walk {
            let id = info.map_err(trouble(wrong()))?.id;
            let commit = self.inner.find_commit(id).map_err(trouble(wrong()))?;
            let tree = commit.tree().map_err(trouble(wrong()))?;
            let entry = tree.lookup_entry_by_path(path).map_err(trouble(wrong()))?;
            let Some(entry) = entry.filter(|entry| entry.mode().is_blob()) else { continue };
            let (blob, time) = (Oid(entry.object_id()), commit.time().map_err(trouble(wrong()))?.seconds);
            let version = Version { commit: Oid(id), time, blob };
            match versions.last_mut() {
                Some(newer) if newer.blob == version.blob => *newer = version,
                _ => versions.push(version),
            }
        }
        versions.reverse();
        Ok(versions)
    }

    /// Returns the best common ancestor of two commits, or `None` where they share none.
    ///
    /// # Errors
    /// A commit is absent or damaged.
    pub fn merge_base(&self, one: Oid, other: Oid) -> Result<Option<Oid>> {
        let base = self.inner.merge_base(one.0, other.0);
        Ok(base
            .map_err(trouble(format!("the merge base of {one} and {other} cannot be found")))?
            .map(|id| Oid(id.detach())))
    }
}
