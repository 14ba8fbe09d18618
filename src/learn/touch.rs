//! What an execution changes: the commits since the last execution on its line of history, as far as they are known.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use crate::record::Digest;
use crate::scan::touched::BETWEEN;
use crate::scan::{Change, History, Name, Names};

/// How deep folders are told apart.
const DEEPEST: usize = 4;

/// Marks of one execution that are kept, folders near the top first.
const MARKS: usize = 100;

/// What an execution changes since the last one on its line of history.
#[derive(Debug, Clone, PartialEq)]
pub struct Touch {
    /// Files touched.
    pub files: f64,
    /// Folders that hold them.
    pub folders: f64,
    /// Files, their endings (`*.md`) and the folders above them (`src/`), at most 100; empty where too much is touched.
    pub marks: Box<[Name]>,
}

/// The known changes of a history.
#[derive(Debug)]
pub(crate) struct Touches<'a> {
    /// What each execution changes, by its place; empty where no change is known at all.
    pub by_execution: Vec<Option<Arc<Touch>>>,
    by_commit: HashMap<Digest, &'a Change>,
    /// Commits that executions ran on.
    ran: HashSet<Digest>,
}

impl<'a> Touches<'a> {
    /// Returns what each execution changes.
    ///
    /// A clean execution changes what its commit does, and what the commits before it do back to the last one that an
    /// earlier execution ran on, along first parents; where that is more than 20 commits away, its commit alone. Of a dirty
    /// work tree it is unknown: a commit that was made of it later would tell, but who commits what passes would then know
    /// beforehand that it did.
    pub fn of(history: &'a History, names: &mut Names) -> Self {
        let by_commit: HashMap<Digest, &Change> =
            history.changes.iter().map(|change| (change.commit, change)).collect();
        let mut touches = Self { by_execution: Vec::new(), by_commit, ran: HashSet::new() };
        if history.changes.is_empty() {
            return touches;
        }
        let executions = &history.executions;
        for place in 0..executions.len() {
            let commit = executions.commit[place].filter(|_| executions.dirty[place] != Some(true));
            let change = commit.and_then(|commit| touches.by_commit.get(&commit).copied());
            let touch = change.map(|change| touches.touch(change.parents.first(), &change.paths, change.files, names));
            touches.by_execution.push(touch);
            touches.ran.extend(commit);
        }
        touches
    }

    /// Returns what a coming execution changes: the paths at which its work tree differs from the commit, and what came
    /// before that as in [`Touches::of`].
    pub fn coming(&self, commit: Option<Digest>, paths: Option<&[String]>, names: &mut Names) -> Option<Arc<Touch>> {
        let (commit, paths) = (commit?, paths?);
        if paths.is_empty() {
            let change = self.by_commit.get(&commit)?;
            return Some(self.touch(change.parents.first(), &change.paths, change.files, names));
        }
        if self.by_commit.is_empty() {
            return None;
        }
        Some(self.touch(Some(&commit), paths, u32::try_from(paths.len()).unwrap_or(u32::MAX), names))
    }

    /// Returns these paths with those of the commits from `before` back to the last one that was run on.
    fn touch(&self, before: Option<&Digest>, paths: &[String], files: u32, names: &mut Names) -> Arc<Touch> {
        let mut all: BTreeSet<&str> = paths.iter().map(String::as_str).collect();
        let (mut more, mut next) = (BTreeSet::new(), before);
        for _ in 0..BETWEEN {
            let Some(commit) = next.filter(|commit| !self.ran.contains(commit)) else {
                all.append(&mut more);
                break;
            };
            let Some(change) = self.by_commit.get(commit) else { break };
            more.extend(change.paths.iter().map(String::as_str));
            next = change.parents.first();
        }
        let folders: BTreeSet<&str> =
            all.iter().map(|path| path.rsplit_once('/').map_or("", |(above, _)| above)).collect();
        let mut marks: BTreeSet<(usize, String)> = BTreeSet::new();
        for path in &all {
            let ends: Vec<usize> = path.match_indices('/').map(|(at, _)| at + 1).take(DEEPEST).collect();
            marks.extend(ends.iter().enumerate().map(|(depth, end)| (depth, path[..*end].to_owned())));
            let name = path.rsplit('/').next().unwrap_or(path);
            marks.extend(name.rsplit_once('.').map(|(_, ending)| (0, format!("*.{ending}"))));
            marks.insert((DEEPEST, (*path).to_owned()));
        }
        Arc::new(Touch {
            files: f64::from(files.max(u32::try_from(all.len()).unwrap_or(u32::MAX))),
            folders: f64::from(u32::try_from(folders.len()).unwrap_or(u32::MAX)),
            marks: marks.iter().take(MARKS).map(|(_, mark)| names.intern(mark)).collect(),
        })
    }
}
