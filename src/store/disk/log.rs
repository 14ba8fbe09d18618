//! What the calls of one thread did, and what a crash may leave of it (tests only).
//!
//! The model is the one of Pillai et al., "All File Systems Are Not Created Equal" (OSDI 2014), at its weakest: of the
//! writes to a file since it was last synced any may be missing, torn or there without the ones before; of the names
//! changed in a folder since that was last synced any may be as before. Only one rename is all or nothing.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use fastrand::Rng;

/// One call that changed something or made it last.
#[derive(Clone)]
pub enum Call {
    Make(PathBuf),
    Create(u64, PathBuf),
    Write(u64, Vec<u8>),
    Sync(u64),
    Rename(PathBuf, PathBuf),
    Remove(PathBuf),
    SyncFolder(PathBuf),
    /// The program said that what was done so far is kept.
    Acknowledged(String),
}

impl fmt::Debug for Call {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Make(path) => write!(formatter, "make {}", path.display()),
            Self::Create(number, path) => write!(formatter, "create {number} {}", path.display()),
            Self::Write(number, bytes) => write!(formatter, "write {number}, {} bytes", bytes.len()),
            Self::Sync(number) => write!(formatter, "sync {number}"),
            Self::Rename(from, to) => write!(formatter, "rename {} to {}", from.display(), to.display()),
            Self::Remove(path) => write!(formatter, "remove {}", path.display()),
            Self::SyncFolder(path) => write!(formatter, "sync folder {}", path.display()),
            Self::Acknowledged(name) => write!(formatter, "acknowledged {name}"),
        }
    }
}

thread_local! {
    static LOG: RefCell<Option<Vec<Call>>> = const { RefCell::new(None) };
}

/// Notes a call where this thread's are wanted.
pub fn log(call: impl FnOnce() -> Call) {
    LOG.with_borrow_mut(|log| {
        if let Some(log) = log {
            log.push(call());
        }
    });
}

pub fn number(file: &File) -> u64 {
    file.metadata().map(|metadata| metadata.ino()).unwrap_or_default()
}

/// Returns the calls that `work` made.
pub fn calls_of(work: impl FnOnce()) -> Vec<Call> {
    LOG.set(Some(Vec::new()));
    work();
    LOG.take().unwrap_or_default()
}

/// A file's content: what is on the disk for sure, and what was written since.
#[derive(Debug, Clone, Default)]
struct Content {
    synced: Vec<u8>,
    since: Vec<Vec<u8>>,
}

/// A change of the names in one folder.
#[derive(Debug, Clone)]
enum Naming {
    Name(PathBuf, usize),
    Folder(PathBuf),
    Move(PathBuf, PathBuf),
    Remove(PathBuf),
}

/// Writes to `to` what a crash after `calls` may leave of the folder `from`; both begin empty.
pub fn crash(calls: &[Call], from: &Path, to: &Path, random: &mut Rng) {
    let mut contents: Vec<Content> = Vec::new();
    let mut open: HashMap<u64, usize> = HashMap::new();
    let mut namings: Vec<(Naming, bool)> = Vec::new();
    for call in calls {
        match call {
            Call::Make(path) => namings.push((Naming::Folder(path.clone()), false)),
            Call::Create(number, path) => {
                open.insert(*number, contents.len());
                namings.push((Naming::Name(path.clone(), contents.len()), false));
                contents.push(Content::default());
            }
            Call::Write(number, bytes) => contents[open[number]].since.push(bytes.clone()),
            Call::Sync(number) => {
                let content = &mut contents[open[number]];
                let since = std::mem::take(&mut content.since);
                content.synced.extend(since.into_iter().flatten());
            }
            Call::Rename(from, to) => namings.push((Naming::Move(from.clone(), to.clone()), false)),
            Call::Remove(path) => namings.push((Naming::Remove(path.clone()), false)),
            Call::SyncFolder(folder) => {
                for (naming, lasts) in &mut namings {
                    let (Naming::Name(path, _) | Naming::Folder(path) | Naming::Move(_, path) | Naming::Remove(path)) =
                        &*naming;
                    *lasts |= path.parent() == Some(folder);
                }
            }
            Call::Acknowledged(_) => {}
        }
    }
    let mut names: BTreeMap<PathBuf, usize> = BTreeMap::new();
    let mut folders: Vec<PathBuf> = vec![from.to_path_buf()];
    // A file that was renamed is found under its new name also where its first name never reached the disk.
    let mut all: BTreeMap<PathBuf, usize> = BTreeMap::new();
    for (naming, lasts) in namings {
        let kept = lasts || random.bool();
        match naming {
            Naming::Folder(path) if kept => folders.push(path),
            Naming::Folder(_) => {}
            Naming::Name(path, content) => {
                all.insert(path.clone(), content);
                if kept {
                    names.insert(path, content);
                }
            }
            Naming::Move(from, to) => {
                if let Some(content) = all.remove(&from) {
                    all.insert(to.clone(), content);
                    if kept {
                        names.remove(&from);
                        names.insert(to, content);
                    }
                }
            }
            Naming::Remove(path) => {
                all.remove(&path);
                if kept {
                    names.remove(&path);
                }
            }
        }
    }
    let there = |path: &Path| folders.iter().any(|folder| folder == path);
    for folder in &folders {
        if folder.ancestors().take_while(|above| above.starts_with(from)).all(there) {
            fs::create_dir_all(to.join(folder.strip_prefix(from).expect("inside"))).expect("folder");
        }
    }
    for (path, content) in names {
        let target = to.join(path.strip_prefix(from).expect("inside"));
        if target.parent().is_some_and(Path::exists) {
            fs::write(target, left_of(&contents[content], random)).expect("written");
        }
    }
}

/// Returns a file's bytes after a crash: what was synced, and of the rest whatever the disk happened to take.
fn left_of(content: &Content, random: &mut Rng) -> Vec<u8> {
    let mut bytes = content.synced.clone();
    let mut end = bytes.len();
    for write in &content.since {
        let taken = match random.u8(0..3) {
            0 => 0,
            1 => random.usize(0..=write.len()),
            _ => write.len(),
        };
        if taken > 0 {
            // What came before and is missing reads as zeros.
            bytes.resize(end, 0);
            bytes.extend_from_slice(&write[..taken]);
        }
        end += write.len();
    }
    bytes
}
