//! What was read of a repository's segments, as one file of columns in its git directory: derived, and never needed.
//!
//! A file that is absent, damaged, of another version or not to be written costs time and nothing else.

use std::io;
use std::path::{Path, PathBuf};

use super::{cache, files, segment};
use crate::error::Result;
use crate::record::columns::{EachColumn, Executions, Name, place};
use crate::record::value::Value;
use crate::record::{Columns, Digest};

/// The version of this file; the segments' own is part of it, and so is meow's, since what is taken from a segment changes.
///
/// 2: the hash stands at the end, so that columns are written one by one. 3: what attempts were given.
/// 4: durations that no clock measured are unknown.
const VERSION: u32 = 4;
/// So many bytes are gathered before they are written.
const PIECE: usize = 1 << 20;
/// A larger file is neither read nor written, in bytes.
const MAX_BYTES: usize = 4 << 30;

/// An id of git, in bytes.
type Id = Box<[u8]>;

/// Of what the records are that were read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cached {
    /// The blobs of the segments whose records these are, sorted.
    pub blobs: Vec<Id>,
    /// The hash of the removals, none of which is about these records.
    pub removals: Option<Digest>,
    /// A commit and the first one behind it.
    pub root: Option<(Id, Id)>,
}

/// Returns what was read of the repository with this private folder before: its records, each once.
pub fn load(private: &Path) -> Option<(Cached, Columns)> {
    let bytes = files::read_capped(&file(private), MAX_BYTES).ok()?;
    let body = bytes.strip_prefix(head().as_slice())?;
    let (mut body, hash) = body.split_last_chunk::<32>()?;
    (blake3::hash(body).as_bytes() == hash).then_some(())?;
    let most = body.len();
    let read = read(&mut body, most)?;
    body.is_empty().then_some(read)
}

/// Keeps what was read for the next time. The last of several processes wins; none sees a part of a file.
///
/// # Errors
/// It cannot be written.
pub fn save(private: &Path, read: &Cached, columns: &mut Columns) -> Result<()> {
    let path = file(private);
    let made = cache::write_by(&path, |put| {
        put(&head())?;
        let mut pieces = Pieces { put, gathered: Vec::new(), hasher: blake3::Hasher::new(), trouble: Ok(()) };
        write(read, columns, &mut pieces)?;
        let hash = *pieces.hasher.finalize().as_bytes();
        (pieces.put)(&hash)
    });
    cache::written(&path, made)
}

fn file(private: &Path) -> PathBuf {
    private.join(cache::FOLDER).join("history")
}

fn head() -> Vec<u8> {
    format!("meow history {VERSION} {} {}\n", segment::FORMAT, env!("CARGO_PKG_VERSION")).into_bytes()
}

/// Bytes on their way into the file: few of them are in memory.
struct Pieces<'a> {
    put: &'a mut dyn FnMut(&[u8]) -> io::Result<()>,
    gathered: Vec<u8>,
    hasher: blake3::Hasher,
    trouble: io::Result<()>,
}

impl Pieces<'_> {
    fn take(&mut self, bytes: &[u8]) {
        self.gathered.extend_from_slice(bytes);
        if self.gathered.len() >= PIECE {
            self.hand_on();
        }
    }

    fn hand_on(&mut self) {
        self.hasher.update(&self.gathered);
        if self.trouble.is_ok() {
            self.trouble = (self.put)(&self.gathered);
        }
        self.gathered.clear();
    }
}

impl EachColumn for Pieces<'_> {
    fn column<T: Value>(&mut self, column: &mut Vec<T>) -> Option<()> {
        T::put(column, &mut |bytes| self.take(bytes));
        self.trouble.is_ok().then_some(())
    }
}

fn write(read: &Cached, columns: &mut Columns, pieces: &mut Pieces) -> io::Result<()> {
    let to = &mut pieces.gathered;
    number(columns.executions.len(), to);
    number(columns.attempts.len(), to);
    number(read.blobs.len(), to);
    read.blobs.iter().for_each(|blob| text(blob, to));
    text(read.removals.as_ref().map_or(&[][..], |digest| digest.bytes()), to);
    let (tip, root) = read.root.clone().unwrap_or_default();
    text(&tip, to);
    text(&root, to);
    number(columns.names.len(), to);
    columns.names.texts().for_each(|name| text(name.as_bytes(), to));
    number(columns.attempts.needs_lists.len(), to);
    for list in &columns.attempts.needs_lists {
        number(list.len(), to);
        for name in list {
            number(name.0 as usize, to);
        }
    }
    let all = columns.executions.each(pieces).and_then(|()| columns.attempts.each(pieces));
    pieces.hand_on();
    std::mem::replace(&mut pieces.trouble, Ok(()))?;
    all.ok_or_else(|| io::Error::other("a column was left out"))
}

struct Read<'a, 'b> {
    from: &'a mut &'b [u8],
    rows: usize,
    names: usize,
}

impl EachColumn for Read<'_, '_> {
    fn column<T: Value>(&mut self, column: &mut Vec<T>) -> Option<()> {
        *column = T::take(self.from, self.rows)?;
        column.iter().all(|value| value.is_known(self.names)).then_some(())
    }
}

/// Reads what [`write`] wrote; nothing in it is believed that could lead out of the columns.
fn read(from: &mut &[u8], most: usize) -> Option<(Cached, Columns)> {
    let (mut cached, mut columns) = (Cached::default(), Columns::default());
    let (executions, attempts) = (take_number(from)?, take_number(from)?);
    (executions <= most && attempts <= most).then_some(())?;
    for _ in 0..take_number(from)? {
        cached.blobs.push(take_text(from)?.into());
    }
    cached.removals = Digest::truncated(take_text(from)?);
    let (tip, root) = (take_text(from)?, take_text(from)?);
    cached.root = (!tip.is_empty()).then(|| (tip.into(), root.into()));
    let names = &mut columns.names;
    for number in 0..take_number(from)? {
        // A text that stands twice would shift those behind it.
        (names.intern(std::str::from_utf8(take_text(from)?).ok()?) == Name(place(number))).then_some(())?;
    }
    let names = names.len();
    let lists = &mut columns.attempts.needs_lists;
    for _ in 0..take_number(from)? {
        let mut list = Vec::new();
        for _ in 0..take_number(from)? {
            list.push(Name(u32::try_from(take_number(from)?).ok().filter(|name| (*name as usize) < names)?));
        }
        lists.push(list);
    }
    let lists = lists.len();
    columns.executions.each(&mut Read { from, rows: executions, names })?;
    columns.attempts.each(&mut Read { from, rows: attempts, names })?;
    let is_among = |places: &[u32], count: usize| places.iter().all(|place| (*place as usize) < count);
    let Executions { repository, .. } = &columns.executions;
    let (execution, needs) = (&columns.attempts.execution, &columns.attempts.needs);
    (is_among(repository, 1) && is_among(execution, executions) && is_among(needs, lists)).then_some((cached, columns))
}

fn number(value: usize, to: &mut Vec<u8>) {
    to.extend_from_slice(&place(value).to_le_bytes());
}

fn take_number(from: &mut &[u8]) -> Option<usize> {
    usize::try_from(u32::from_le_bytes(from.split_off(..4)?.try_into().ok()?)).ok()
}

fn text(value: &[u8], to: &mut Vec<u8>) {
    number(value.len(), to);
    to.extend_from_slice(value);
}

fn take_text<'a>(from: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = take_number(from)?;
    from.split_off(..length)
}
