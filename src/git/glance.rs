//! One look at every folder and file of a work tree, which tells what may differ from the index.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use gix::bstr::{BStr, BString, ByteSlice};
use gix::index::entry::{Flags, Mode, Stat, stat};
use gix::worktree::stack::state::ignore::Source;
use rustix::fs::{AtFlags, Dir, FileType, OFlags};

use super::snapshot::Touched;

/// With fewer files one thread is done before a second one has begun.
const FEW: usize = 500;
/// Threads that look, at most.
const MOST_THREADS: usize = 8;
/// Past this many files that have to be read in full, the full comparison is faster.
const MOST: usize = 256;
/// Past this many bytes of them likewise.
const MOST_BYTES: i64 = 8 << 20;

/// Returns what may differ from the index, files that it does not know included; `None` where only the full comparison
/// can tell, for something is not plain: submodules, conflicts, files that the index is told not to look at, file systems
/// that do not tell all, repositories within this one, much that is new or gone.
///
/// A file that was looked at no later than the index was written counts as one that may differ, as in git
/// (Documentation/technical/racy-git.txt), so that what is not named here does not differ.
pub(super) fn glance(repository: &gix::Repository, index: &gix::index::State, top: &Path) -> Option<Vec<Touched>> {
    let system = repository.filesystem_options().ok()?;
    if system.ignore_case || system.precompose_unicode || !system.executable_bit || !system.symlink {
        return None;
    }
    let folders = folders(index)?;
    let look =
        Look { index, top, options: repository.stat_options().ok()?, folders: &folders, next: AtomicUsize::new(0) };
    let mut found = look.all()?;
    if found.touched.len() > MOST || found.bytes > MOST_BYTES {
        return None;
    }
    let untracked = untracked(repository, index, top, found.unknown)?;
    found.touched.extend(untracked.into_iter().map(|path| Touched { path, removed: false, tracked: false }));
    Some(found.touched)
}

/// A folder as the index has it.
#[derive(Default)]
struct Folder<'a> {
    /// From the top, with a slash behind it; the top itself is empty.
    path: &'a [u8],
    /// Where its files stand in the index, by name.
    files: Vec<usize>,
    /// The names of its folders, sorted.
    folders: Vec<&'a [u8]>,
}

/// Returns the folders of an index; nothing of one that holds more than plain files, each once.
fn folders(index: &gix::index::State) -> Option<Vec<Folder<'_>>> {
    let odd = Flags::STAGE_MASK | Flags::ASSUME_VALID | Flags::SKIP_WORKTREE | Flags::INTENT_TO_ADD;
    let mut all = vec![Folder::default()];
    let (mut open, mut before): (Vec<usize>, &[u8]) = (vec![0], &[]);
    for (at, entry) in index.entries().iter().enumerate() {
        let path: &[u8] = entry.path(index);
        let plain = matches!(entry.mode, Mode::FILE | Mode::FILE_EXECUTABLE | Mode::SYMLINK);
        if entry.flags.intersects(odd) || !plain || path <= before {
            return None;
        }
        before = path;
        while open.last().is_some_and(|last| !path.starts_with(all[*last].path)) {
            open.pop();
        }
        let mut last = *open.last()?;
        while let Some(length) = path[all[last].path.len()..].find_byte(b'/') {
            let start = all[last].path.len();
            all[last].folders.push(&path[start..start + length]);
            all.push(Folder { path: &path[..=start + length], ..Folder::default() });
            last = all.len() - 1;
            open.push(last);
        }
        all[last].files.push(at);
    }
    // With the slash that the index sorts them by, their order is another one.
    for folder in &mut all {
        folder.folders.sort_unstable();
    }
    Some(all)
}

/// What is found.
#[derive(Default)]
struct Found {
    touched: Vec<Touched>,
    /// The size of files that may differ.
    bytes: i64,
    /// Paths that the index does not know, and whether each is a folder.
    unknown: Vec<(BString, bool)>,
}

/// What the threads that look share.
struct Look<'a> {
    index: &'a gix::index::State,
    top: &'a Path,
    options: stat::Options,
    folders: &'a [Folder<'a>],
    next: AtomicUsize,
}

impl Look<'_> {
    /// Looks at all folders, side by side.
    fn all(&self) -> Option<Found> {
        let few = self.index.entries().len() < FEW;
        let threads = thread::available_parallelism().map_or(1, usize::from).min(if few { 1 } else { MOST_THREADS });
        thread::scope(|scope| {
            // Where there is no thread to be had, the others do its part.
            let start = |_| thread::Builder::new().name("glance".to_owned()).spawn_scoped(scope, || self.work()).ok();
            let others: Vec<_> = (1..threads).filter_map(start).collect();
            let mut all = self.work();
            for other in others {
                let more = other.join().unwrap_or_default();
                all = all.zip(more).map(|(mut all, more)| {
                    all.touched.extend(more.touched);
                    all.unknown.extend(more.unknown);
                    Found { bytes: all.bytes.saturating_add(more.bytes), ..all }
                });
            }
            all
        })
    }

    /// Looks at one folder after the other until there is none left.
    fn work(&self) -> Option<Found> {
        let mut found = Found::default();
        while let Some(folder) = self.folders.get(self.next.fetch_add(1, Ordering::Relaxed)) {
            if self.folder(folder, &mut found).is_none() {
                // Nobody needs the rest.
                self.next.store(self.folders.len(), Ordering::Relaxed);
                return None;
            }
        }
        Some(found)
    }

    fn folder(&self, folder: &Folder, found: &mut Found) -> Option<()> {
        let mut listing = list(self.top, folder.path)?;
        let (mut seen, mut folders) = (vec![false; folder.files.len()], 0);
        while let Some(entry) = listing.read() {
            let entry = entry.ok()?;
            let name = entry.file_name().to_bytes();
            if matches!(name, b"." | b"..") || (name == b".git" && folder.path.is_empty()) {
                continue;
            }
            let is_folder = is_folder(name, entry.file_type())?;
            if is_folder && folder.folders.binary_search(&name).is_ok() {
                folders += 1;
                continue;
            }
            let of = |at: &usize| &self.index.entries()[*at].path(self.index)[folder.path.len()..];
            match folder.files.binary_search_by(|at| <[u8]>::cmp(of(at), name)) {
                Ok(at) if !is_folder => {
                    seen[at] = true;
                    let held = rustix::fs::statat(listing.fd().ok()?, entry.file_name(), AtFlags::SYMLINK_NOFOLLOW);
                    self.compare(folder.files[at], &held.ok()?, found);
                }
                _ => found.unknown.push(([folder.path, name].concat().into(), is_folder)),
            }
        }
        for (at, _) in folder.files.iter().zip(seen).filter(|(_, seen)| !seen) {
            let path = self.index.entries()[*at].path(self.index).to_owned();
            found.touched.push(Touched { path, removed: true, tracked: true });
        }
        (folders == folder.folders.len()).then_some(())
    }

    /// Notes a file whose content may be another one than the index says.
    fn compare(&self, at: usize, held: &rustix::fs::Stat, found: &mut Found) {
        let entry = &self.index.entries()[at];
        let kind = match FileType::from_raw_mode(held.st_mode) {
            FileType::Symlink => Mode::SYMLINK,
            _ if held.st_mode & 0o111 == 0 => Mode::FILE,
            _ => Mode::FILE_EXECUTABLE,
        };
        let same = told(held);
        // git marks so what it has once found to differ without any of the other numbers telling.
        let marked = entry.stat.size == 0 && !entry.id.is_empty_blob();
        let timestamp = self.index.timestamp();
        if kind != entry.mode
            || marked
            || !same.matches(&entry.stat, self.options)
            || same.is_racy(timestamp, self.options)
        {
            found.bytes = found.bytes.saturating_add(held.st_size);
            found.touched.push(Touched { path: entry.path(self.index).to_owned(), removed: false, tracked: true });
        }
    }
}

/// Returns what the index keeps of a file's numbers.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "git keeps the low 32 bits of each")]
fn told(held: &rustix::fs::Stat) -> Stat {
    let time = |secs, nsecs| stat::Time { secs, nsecs };
    Stat {
        mtime: time(held.st_mtime as u32, held.st_mtime_nsec as u32),
        ctime: time(held.st_ctime as u32, held.st_ctime_nsec as u32),
        dev: held.st_dev as u32,
        ino: held.st_ino as u32,
        uid: held.st_uid,
        gid: held.st_gid,
        size: held.st_size as u32,
    }
}

/// Returns the paths that nothing excludes, those below folders among them included.
fn untracked(
    repository: &gix::Repository,
    index: &gix::index::State,
    top: &Path,
    mut unknown: Vec<(BString, bool)>,
) -> Option<Vec<BString>> {
    let mut all = Vec::new();
    if unknown.is_empty() {
        return Some(all);
    }
    let mut excludes = repository.excludes(index, None, Source::WorktreeThenIdMappingIfNotSkipped).ok()?;
    while let Some((path, is_a_folder)) = unknown.pop() {
        let mode = if is_a_folder { Mode::DIR } else { Mode::FILE };
        let at: &BStr = path.as_ref();
        if excludes.at_entry(at, Some(mode)).ok()?.is_excluded() {
            continue;
        }
        if !is_a_folder {
            all.push(path);
            continue;
        }
        let mut listing = list(top, &path)?;
        while let Some(entry) = listing.read() {
            let entry = entry.ok()?;
            let name = entry.file_name().to_bytes();
            if !matches!(name, b"." | b"..") {
                unknown.push(([path.as_slice(), b"/", name].concat().into(), is_folder(name, entry.file_type())?));
            }
        }
    }
    Some(all)
}

/// Opens a folder to list what it holds.
fn list(top: &Path, folder: &[u8]) -> Option<Dir> {
    let path = top.join(gix::path::from_byte_slice(folder).ok()?);
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Dir::new(rustix::fs::open(path, flags, rustix::fs::Mode::empty()).ok()?).ok()
}

/// Returns whether something is a folder; nothing where it is neither that nor a file or a link, or would make a
/// repository of the folder that it lies in.
fn is_folder(name: &[u8], kind: FileType) -> Option<bool> {
    match kind {
        _ if name.eq_ignore_ascii_case(b".git") => None,
        FileType::Directory => Some(true),
        FileType::RegularFile | FileType::Symlink => Some(false),
        _ => None,
    }
}
