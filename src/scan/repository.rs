//! One repository's records: the union of what its branches, writers' refs, work trees and spool hold, each record once.

use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;

use super::find::{self, Found};
use super::known::Known;
use super::listed::listed;
use super::look::Mark;
use super::{Collector, History, segments};
use crate::error::{Error, Result};
use crate::git::{Oid, Repository, Tip};
use crate::record::{Columns, Digest, Record};
use crate::store::removal::{self, Removals};
use crate::store::spool::Spool;
use crate::store::{self, segment};

/// The folder of decisions, some of which are tombstones.
const ACTIONS: &str = ".meow/actions";
/// So many damaged segments are named; the rest are counted.
const NAMED: usize = 3;

/// What one repository gave.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    name: String,
    root: Option<Digest>,
    warnings: Vec<String>,
    columns: Columns,
}

/// One repository with the list of what it holds, of which nothing is read yet.
#[derive(Debug)]
pub(super) struct Listing {
    name: String,
    repository: Option<Repository>,
    warnings: Vec<String>,
    tips: Vec<Tip>,
    segments: BTreeMap<String, Oid>,
    removals: Removals,
}

/// Returns the history of one repository.
pub fn repository(repository: &Repository) -> History {
    let mut collector = Collector::default();
    Listing::of(repository.clone()).gather().add_to(&mut collector);
    collector.finish()
}

/// Returns every record of one repository, each once, and what was skipped in words.
pub fn records(repository: &Repository) -> (Vec<Record>, Vec<String>) {
    let Listing { mut warnings, segments: listed, removals, .. } = Listing::of(repository.clone());
    let (mut damaged, mut records) = (Vec::new(), Vec::new());
    let mut take = |one: Vec<Record>| records.extend(one);
    let all: Vec<(&String, Oid)> = listed.iter().map(|(path, blob)| (path, *blob)).collect();
    segments::read(repository, &all, &segments::each(segment::open), &mut damaged, &mut |_, one| take(one));
    read_work_trees(repository, &listed, segment::open, &mut damaged, &mut take);
    warnings.extend(skipped("segment", &damaged));
    read_spool(repository, &mut warnings, &mut take);
    let mut seen = HashSet::new();
    records.retain(|record| seen.insert(record.id()) && !removals.purged(record));
    (records, warnings)
}

/// Returns how many segments the branches of a repository hold, and how many journals its spool; nothing in them is read.
///
/// # Errors
/// Its references or its spool cannot be read.
pub fn sources(repository: &Repository) -> Result<usize> {
    let segments = listed(repository, &repository.tips()?, &mut Vec::new());
    Ok(segments.len() + Spool::new(&repository.private_dir()).list()?.len())
}

impl Gathered {
    /// Adds what was gathered to a history.
    pub fn add_to(self, collector: &mut Collector) {
        let place = collector.repository(&self.name);
        let facts = collector.facts(place);
        facts.root = self.root;
        facts.warnings = self.warnings;
        collector.add_all(place, self.columns);
    }
}

fn named_after(repository: &Repository) -> &std::path::Path {
    let common = repository.common_dir();
    // A submodule's git directory lies in the parent project's; its own folder has the name that people know.
    if common.file_name().is_some_and(|name| name == ".git") { common } else { repository.work_dir().unwrap_or(common) }
}

impl Listing {
    /// Lists what a repository holds.
    pub fn of(repository: Repository) -> Self {
        let name = find::name(named_after(&repository));
        Self::named(name, repository)
    }

    /// Lists what a repository holds that was found; trouble is a warning in it.
    pub fn found(found: Found) -> Self {
        match found.repository {
            Ok(repository) => Self::named(found.name, repository),
            Err(error) => Self {
                name: found.name,
                repository: None,
                warnings: vec![format!("skipped: {error}")],
                tips: Vec::new(),
                segments: BTreeMap::new(),
                removals: Removals::default(),
            },
        }
    }

    fn named(name: String, repository: Repository) -> Self {
        let mut warnings: Vec<String> = repository.limits().into_iter().map(str::to_owned).collect();
        let tips = repository.tips().unwrap_or_else(|error| {
            warnings.push(format!("its branches were skipped: {error}"));
            Vec::new()
        });
        let segments = listed(&repository, &tips, &mut warnings);
        let removals = removals_at(&repository, &tips);
        Self { name, repository: Some(repository), warnings, tips, segments, removals }
    }

    /// Returns a hash of everything that the records and the facts of this repository depend on; `None` where something
    /// is skipped, which may have come back the next time.
    pub fn mark(&self) -> Option<Digest> {
        let repository = self.repository.as_ref().filter(|_| self.warnings.is_empty())?;
        let mut mark = Mark::default();
        mark.part(self.name.as_bytes()).part(repository.common_dir().as_os_str().as_encoded_bytes());
        mark.part(self.removals.purges().bytes());
        for tip in &self.tips {
            mark.part(tip.name.as_bytes()).part(tip.commit.bytes());
        }
        for (path, blob) in &self.segments {
            mark.part(path.as_bytes()).part(blob.bytes());
        }
        for folder in work_trees(repository) {
            // Their names hold the hashes of what is in them.
            for segment in store::segments(&folder).ok()? {
                if !self.segments.contains_key(&format!(".meow/{}", segment.place)) {
                    mark.part(segment.place.as_bytes());
                }
            }
        }
        mark.part(Spool::new(&repository.private_dir()).fingerprint().ok()?.bytes());
        Some(mark.digest())
    }

    /// Reads what was listed.
    pub fn gather(self) -> Gathered {
        let Self { name, repository, warnings, segments, removals, .. } = self;
        let mut gathered = Gathered { name, warnings, ..Gathered::default() };
        if let Some(repository) = repository {
            gathered.read(&repository, &segments, &removals);
        }
        gathered
    }
}

impl Gathered {
    fn read(&mut self, repository: &Repository, listed: &BTreeMap<String, Oid>, removals: &Removals) {
        let (mut collector, mut damaged) = (Collector::default(), Vec::new());
        let mut known = Known::of(repository, listed, removals, &mut collector);
        match known.root(repository) {
            Ok(root) => self.root = root.and_then(|root| Digest::truncated(root.bytes())),
            Err(error) => self.warnings.push(format!("its first commit is unknown: {error}")),
        }
        let missing: Vec<(&String, Oid)> =
            listed.iter().filter(|(_, blob)| !known.holds(**blob)).map(|(path, blob)| (path, *blob)).collect();
        let mut cut = Vec::new();
        let open = segments::columns(|columns| !removals.touch(columns));
        let all = missing.len();
        segments::read(repository, &missing, &open, &mut damaged, &mut |blobs, mut columns| {
            collector.expect(blobs.len(), all);
            // What was purged is not kept; a segment that still has some is read, and cut, each time.
            if removals.cut(&mut columns) {
                cut.push(columns);
            } else {
                collector.add_all(0, columns);
                known.extend(blobs);
            }
        });
        known.save(repository, &mut collector);
        let mut take = |mut columns: Columns| {
            removals.cut(&mut columns);
            collector.add_all(0, columns);
        };
        cut.into_iter().for_each(&mut take);
        read_work_trees(repository, listed, segment::columns, &mut damaged, &mut take);
        self.warnings.extend(skipped("segment", &damaged));
        read_spool(repository, &mut self.warnings, &mut |records| take(Columns::of(&records)));
        self.columns = collector.into_columns();
    }
}

/// Returns meow's folders in the work trees; none that is a link.
fn work_trees(repository: &Repository) -> Vec<PathBuf> {
    let worktrees = repository.worktrees().unwrap_or_default();
    let folders = worktrees.iter().filter_map(|worktree| Some(worktree.work_dir()?.join(".meow")));
    folders.filter(|folder| !folder.is_symlink()).collect()
}

/// Opens segments that lie in a work tree and in no commit yet.
fn read_work_trees<T>(
    repository: &Repository,
    known: &BTreeMap<String, Oid>,
    open: fn(&str, &[u8]) -> Result<T>,
    damaged: &mut Vec<Error>,
    take: &mut dyn FnMut(T),
) {
    for folder in work_trees(repository) {
        match store::segments(&folder) {
            Ok(segments) => {
                let new = segments.iter().filter(|segment| !known.contains_key(&format!(".meow/{}", segment.place)));
                for segment in new {
                    match segment.read(open) {
                        Ok(opened) => take(opened),
                        Err(error) => damaged.push(error),
                    }
                }
            }
            Err(error) => damaged.push(error),
        }
    }
}

/// Reads the journals of executions that no segment holds yet.
fn read_spool(repository: &Repository, warnings: &mut Vec<String>, take: &mut dyn FnMut(Vec<Record>)) {
    // One at a time: of many long executions only one is held besides the columns.
    match Spool::new(&repository.private_dir()).each(take) {
        Ok(troubles) => warnings.extend(skipped("journal", &troubles)),
        Err(error) => warnings.push(format!("its spool was skipped: {error}")),
    }
}

/// Returns what was taken out on purpose: what is purged as any tip or work tree says, what is pruned as `branch` says,
/// since that was decided for a branch.
pub fn removals(repository: &Repository, branch: Option<Oid>) -> Removals {
    let own = branch.map(|branch| removals_of(repository, branch)).unwrap_or_default();
    removals_at(repository, &repository.tips().unwrap_or_default()).pruned_as(&own)
}

/// Returns what was taken out on purpose as one commit says.
pub fn removals_of(repository: &Repository, commit: Oid) -> Removals {
    let mut removals = Removals::default();
    read_removals(repository, &[commit], &mut removals);
    removals
}

fn removals_at(repository: &Repository, tips: &[Tip]) -> Removals {
    let mut removals = Removals::default();
    read_removals(repository, &tips.iter().map(|tip| tip.commit).collect::<Vec<_>>(), &mut removals);
    for text in work_trees(repository).iter().flat_map(|meow| store::texts(meow, removal::ACTIONS)) {
        removals.add(text.as_bytes());
    }
    removals
}

fn read_removals(repository: &Repository, commits: &[Oid], removals: &mut Removals) {
    let (mut seen_trees, mut seen_blobs) = (HashSet::new(), HashSet::new());
    for commit in commits {
        let tree = repository.tree_at(*commit, ACTIONS).ok().flatten().filter(|tree| seen_trees.insert(*tree));
        let entries = tree.and_then(|tree| repository.entries(tree).ok()).unwrap_or_default();
        for entry in entries.into_iter().filter(|entry| !entry.folder && seen_blobs.insert(entry.id)) {
            let small = repository.blob_size(entry.id).is_ok_and(|size| size <= store::toml::MAX_BYTES as u64);
            if let Some(bytes) = small.then(|| repository.blob(entry.id).ok()).flatten() {
                removals.add(&bytes);
            }
        }
    }
}

/// Returns one warning about things that were skipped: how many, and the first few with their causes.
fn skipped(what: &str, errors: &[Error]) -> Option<String> {
    let first: Vec<String> = errors.iter().take(NAMED).map(ToString::to_string).collect();
    let count = match errors.len() {
        0 => return None,
        1 => format!("1 {what} was skipped"),
        many => format!("{many} {what}s were skipped"),
    };
    let rest = errors.len().saturating_sub(NAMED);
    let rest = if rest == 0 { String::new() } else { format!("; and {rest} more") };
    Some(format!("{count}: {}{rest}", first.join("; ")))
}
