//! The account of what executions use on this machine, so that several together start no more than it can carry.
//!
//! A small file an execution, locked while it lives: the lock goes with the process however it dies, so that no number
//! outlives its execution. Nothing here waits for long, and trouble means going on alone.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

/// How often the others are looked at, at most.
const LOOK: Duration = Duration::from_millis(10);

/// When an execution that is held back looks again.
pub(super) const AGAIN: Duration = Duration::from_millis(50);

/// How often an account is opened anew that another execution takes for a dead one's, and how long that one is given.
const TRIES: usize = 20;
const MOMENT: Duration = Duration::from_micros(200);

/// Executions that are looked at.
const MOST: usize = 256;

/// Bytes of a file: slots in use, whether more are wanted, memory.
const BYTES: usize = 16;

/// The machine as its executions share it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shared {
    /// The user's folder for accounts of this machine, made where it is not there.
    pub folder: PathBuf,
    /// Slots that all executions together may use.
    pub slots: u32,
    /// Whether this execution keeps to it; otherwise it only says what it uses.
    pub keeps: bool,
    /// The execution that this one is a step of; its own slot does not count twice.
    pub parent: Option<String>,
}

/// What one execution uses.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Use {
    pub running: u32,
    pub memory_bytes: u64,
    /// Whether it would start more if it were allowed to.
    pub wants: bool,
}

/// What an execution may use now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Share {
    /// Attempts that may run at once, at least 1.
    pub running: u32,
    /// Memory that the others use, in bytes.
    pub others_memory_bytes: u64,
}

/// One execution's account, and what it last saw of the others'.
#[derive(Debug)]
pub(super) struct Ledger {
    machine: Shared,
    own: PathBuf,
    file: File,
    written: Use,
    seen: Option<(Duration, Share)>,
}

impl Ledger {
    /// Opens an account for an execution.
    pub fn open(machine: &Shared, execution: &str) -> io::Result<Self> {
        fs::create_dir_all(&machine.folder)?;
        let own = machine.folder.join(execution);
        // Another execution may take a file that is not locked yet for one whose holder died: it holds it for a moment, and
        // removes it.
        for _ in 0..TRIES {
            let file = OpenOptions::new().create(true).truncate(true).write(true).open(&own)?;
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Err(Errno::WOULDBLOCK) => {
                    std::thread::sleep(MOMENT);
                    continue;
                }
                locked => locked?,
            }
            if file.metadata()?.nlink() > 0 {
                file.write_all_at(&bytes(Use::default()), 0)?;
                return Ok(Self { machine: machine.clone(), own, file, written: Use::default(), seen: None });
            }
        }
        Err(io::Error::other("its account is taken away again and again"))
    }

    /// Writes down what this execution uses now, if that has changed.
    pub fn write(&mut self, now: Use) {
        if now != self.written && self.file.write_all_at(&bytes(now), 0).is_ok() {
            self.written = now;
        }
    }

    /// Returns what this execution may use at `now`; no limit where it does not keep to the account.
    pub fn share(&mut self, now: Duration) -> Share {
        if !self.machine.keeps {
            return Share { running: u32::MAX, others_memory_bytes: 0 };
        }
        match self.seen {
            Some((at, share)) if now.saturating_sub(at) < LOOK => share,
            _ => {
                let share = share(self.machine.slots, self.written.running, &self.others());
                self.seen = Some((now, share));
                share
            }
        }
    }

    fn others(&self) -> Vec<Use> {
        let Ok(files) = fs::read_dir(&self.machine.folder) else { return Vec::new() };
        let others = files.flatten().map(|file| file.path()).filter(|path| *path != self.own).take(MOST);
        others
            .filter_map(|path| {
                let mut used = look(&path)?;
                let is_parent = path
                    .file_name()
                    .is_some_and(|name| Some(name) == self.machine.parent.as_deref().map(AsRef::as_ref));
                used.running = used.running.saturating_sub(u32::from(is_parent));
                Some(used)
            })
            .collect()
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        // What stays is taken for a dead execution's and removed by the next one.
        let _ = fs::remove_file(&self.own);
    }
}

/// Returns what a living execution uses; removes the account of a dead one.
fn look(path: &Path) -> Option<Use> {
    let file = File::open(path).ok()?;
    if flock(&file, FlockOperation::NonBlockingLockShared).is_ok() {
        let _ = fs::remove_file(path);
        return None;
    }
    let mut text = [0; BYTES];
    file.read_exact_at(&mut text, 0).ok()?;
    let (running, rest) = text.split_first_chunk()?;
    let memory_bytes = rest.last_chunk()?;
    Some(Use {
        running: u32::from_le_bytes(*running),
        wants: rest[0] != 0,
        memory_bytes: u64::from_le_bytes(*memory_bytes),
    })
}

fn bytes(used: Use) -> [u8; BYTES] {
    let mut text = [0; BYTES];
    text[..4].copy_from_slice(&used.running.to_le_bytes());
    text[4] = u8::from(used.wants);
    text[8..].copy_from_slice(&used.memory_bytes.to_le_bytes());
    text
}

/// Returns what one of several executions may use: what the others leave, but where one of them waits for more no more
/// than an even part; always one attempt, so that every execution gets on.
fn share(slots: u32, running: u32, others: &[Use]) -> Share {
    let used: u32 = others.iter().fold(0, |sum, other| sum.saturating_add(other.running));
    let busy = others.iter().filter(|other| other.running > 0 || other.wants).count();
    let even = slots.div_ceil(u32::try_from(busy + 1).unwrap_or(u32::MAX));
    let left = slots.saturating_sub(used);
    let waited_for = others.iter().any(|other| other.wants && other.running < even);
    let allowed = if waited_for && running.max(left) > even { left.min(even) } else { left };
    Share {
        running: allowed.max(1),
        others_memory_bytes: others.iter().fold(0, |sum, other| sum.saturating_add(other.memory_bytes)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_shared_evenly_where_somebody_waits() {
        let other = |running, wants| Use { running, wants, memory_bytes: 10 };
        for (slots, running, others, expected) in [
            (4, 0, &[][..], 4),
            (4, 2, &[other(1, false)], 3),
            (4, 0, &[other(4, false)], 1),
            (4, 4, &[other(1, true)], 2),
            (4, 1, &[other(3, true)], 1),
            (4, 2, &[other(2, true)], 2),
            (2, 2, &[other(1, true), other(1, true)], 1),
            (8, 6, &[other(1, true), other(1, false)], 3),
            (1, 0, &[other(9, true)], 1),
        ] {
            let found = share(slots, running, others);
            assert_eq!(found.running, expected, "{slots} {running} {others:?}");
            assert_eq!(found.others_memory_bytes, 10 * others.len() as u64);
        }
    }

    #[test]
    fn who_looks_at_a_new_account_keeps_nobody_from_opening_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let shared = Shared { folder: folder.path().to_path_buf(), slots: 4, keeps: true, parent: None };
        let over = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !over.load(std::sync::atomic::Ordering::Relaxed) {
                    look(&folder.path().join("one"));
                }
            });
            let opened: Vec<_> = (0..2_000).map(|_| Ledger::open(&shared, "one").map(drop)).collect();
            over.store(true, std::sync::atomic::Ordering::Relaxed);
            let failed = opened.iter().filter_map(|one| one.as_ref().err()).count();
            assert_eq!(failed, 0);
        });
    }

    #[test]
    fn accounts_are_seen_while_their_holders_live() {
        let folder = tempfile::tempdir().expect("a folder");
        let shared = Shared { folder: folder.path().join("below"), slots: 4, keeps: true, parent: None };
        let open = |id: &str| Ledger::open(&shared, id).expect("opened");
        let (mut one, mut other) = (open("one"), open("other"));
        assert_eq!(one.share(Duration::ZERO).running, 4);
        other.write(Use { running: 3, memory_bytes: 1 << 40, wants: true });
        assert_eq!(one.share(Duration::from_millis(1)).running, 4, "it does not look all the time");
        assert_eq!(one.share(LOOK), Share { running: 1, others_memory_bytes: 1 << 40 });
        let within = Shared { parent: Some("other".to_owned()), ..shared.clone() };
        assert_eq!(Ledger::open(&within, "inner").expect("opened").share(LOOK).running, 2);
        drop(other);
        fs::write(shared.folder.join("dead"), [255; BYTES]).expect("written");
        assert_eq!(one.share(2 * LOOK).running, 4);
        assert!(!shared.folder.join("dead").exists(), "what a dead one left is removed");
        let free = Shared { keeps: false, ..shared };
        assert_eq!(Ledger::open(&free, "free").expect("opened").share(LOOK).running, u32::MAX);
    }
}
