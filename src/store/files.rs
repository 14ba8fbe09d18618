//! Whole files, all or nothing: temporary file, fsync, rename, fsync of the folder; and the segments of a work tree.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use rustix::fs::{Mode, OFlags};

use super::{disk, segment};
use crate::error::{Error, Result};
use crate::record::Record;

/// The folder of segments below `.meow`.
pub(super) const RECORDS: &str = "records";

const UNFINISHED: &str = ".unfinished-";

/// So many bytes are read at a time where a file is read line by line.
const BLOCK: usize = 64 << 10;

/// No process writes a file for so long.
const LEFT_OVER: Duration = Duration::from_hours(1);

/// Writes `bytes` to `path` so that after a crash the file is there in full or not at all.
///
/// # Errors
/// The folder cannot be made or written; nothing is left behind.
pub(super) fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    let attempt = || -> io::Result<()> {
        disk::put(finished(path, bytes)?, path)?;
        disk::sync_folder(disk::parent(path))
    };
    attempt().map_err(|error| Error::store(format!("{} cannot be written", path.display())).cause(error))
}

/// Checks that no folder of a repository's `.meow` on the way to `path` is a link, which could lead anywhere.
///
/// # Errors
/// One is.
pub(super) fn no_link(meow: &Path, path: &Path) -> Result<()> {
    // A person's own folder for state may lie behind links of theirs.
    let own = meow.file_name().is_none_or(|name| name != ".meow");
    let within = path.ancestors().skip(1).take_while(|folder| folder.starts_with(meow));
    match within.into_iter().find(|folder| !own && folder.is_symlink()) {
        Some(link) => Err(Error::store(format!("{} is a link; nothing is written through it", link.display()))),
        None => Ok(()),
    }
}

/// Checks that a place below `.meow` is one of a segment: `records/month=2026-11/<name>.parquet`.
///
/// # Errors
/// It is not; such a name came from elsewhere and may lead anywhere.
fn is_place(place: &str) -> Result<()> {
    let plain = |part: &str| {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_=.".contains(c);
        !part.is_empty() && !part.starts_with('.') && part.chars().all(plain)
    };
    match place.split('/').collect::<Vec<_>>()[..] {
        [RECORDS, month, name]
            if plain(month) && plain(name) && month.starts_with("month=") && name.ends_with(".parquet") =>
        {
            Ok(())
        }
        _ => Err(Error::store(format!("`{}` is no place of a segment", place.escape_debug()))),
    }
}

/// Writes `bytes` to `path` unless there is a file already; returns whether it was written.
///
/// # Errors
/// The folder cannot be made or written.
pub(super) fn write_new(path: &Path, bytes: &[u8]) -> Result<bool> {
    let attempt = || -> io::Result<bool> {
        match disk::put_new(finished(path, bytes)?, path) {
            Ok(_) => disk::sync_folder(disk::parent(path)).map(|()| true),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(error),
        }
    };
    attempt().map_err(|error| Error::store(format!("{} cannot be written", path.display())).cause(error))
}

/// Returns a file beside `path` that holds `bytes` on the disk, and has no lasting name yet.
fn finished(path: &Path, bytes: &[u8]) -> io::Result<tempfile::NamedTempFile> {
    let folder = disk::parent(path);
    disk::make_folders(folder)?;
    let file = disk::begin(folder, UNFINISHED)?;
    disk::write(file.as_file(), bytes)?;
    disk::sync(file.as_file())?;
    Ok(file)
}

/// Removes a file; one that is gone already is fine.
///
/// # Errors
/// The folder cannot be written.
pub(super) fn remove(path: &Path) -> Result<()> {
    disk::remove(path).map_err(|error| Error::store(format!("{} cannot be removed", path.display())).cause(error))
}

/// Removes what a killed process left half-written in `folder`; only under the lock of those who write there.
pub(super) fn sweep(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(UNFINISHED) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Removes what killed processes left half-written in a folder of a work tree, an hour later: whoever is still at it takes
/// milliseconds.
pub fn sweep_old(folder: &Path) {
    let age = |metadata: fs::Metadata| metadata.modified()?.elapsed().map_err(io::Error::other);
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(UNFINISHED)
            && entry.metadata().and_then(age).is_ok_and(|age| age >= LEFT_OVER)
        {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Returns a file's bytes, or an error where it is larger than `most`.
///
/// # Errors
/// It cannot be read, is too large, or is no file: a pipe or a terminal, to which a link may lead too, would keep its
/// reader waiting.
pub(super) fn read_capped(path: &Path, most: usize) -> Result<Vec<u8>> {
    let unreadable = || Error::store(format!("{} cannot be read", path.display()));
    let file = open(path).map_err(|error| unreadable().cause(error))?;
    // One more than there is, so that one read finds the end.
    let size = file.metadata().map_or(0, |found| usize::try_from(found.len()).unwrap_or(0));
    let mut bytes = Vec::with_capacity(size.min(most) + 1);
    file.take(most as u64 + 1).read_to_end(&mut bytes).map_err(|error| unreadable().cause(error))?;
    if bytes.len() > most {
        return Err(unreadable().cause(format!("it is larger than {most} bytes")));
    }
    Ok(bytes)
}

/// Hands over the lines of a file without their ends, one after the other, empty ones too; never has more than one of them
/// in memory.
///
/// # Errors
/// Those of [`read_capped`]; a file that is larger than `most` is refused unread.
pub(super) fn each_line(path: &Path, most: usize, take: &mut dyn FnMut(&[u8])) -> Result<()> {
    let mut attempt = || -> io::Result<()> {
        let file = open(path)?;
        if file.metadata()?.len() > most as u64 {
            return Err(io::Error::other(format!("it is larger than {most} bytes")));
        }
        let (mut reader, mut line) = (BufReader::with_capacity(BLOCK, file.take(most as u64)), Vec::new());
        while reader.read_until(b'\n', &mut line)? > 0 {
            take(line.strip_suffix(b"\n").unwrap_or(&line));
            line.clear();
        }
        Ok(())
    };
    attempt().map_err(|error| Error::store(format!("{} cannot be read", path.display())).cause(error))
}

/// Returns the last bytes of a file, at most `most`.
///
/// # Errors
/// It cannot be read, or is no file.
pub(super) fn end(path: &Path, most: usize) -> Result<Vec<u8>> {
    let attempt = || -> io::Result<Vec<u8>> {
        let mut file = open(path)?;
        let before = file.metadata()?.len().saturating_sub(most as u64);
        file.seek(SeekFrom::Start(before))?;
        let mut bytes = Vec::new();
        file.take(most as u64).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    attempt().map_err(|error| Error::store(format!("{} cannot be read", path.display())).cause(error))
}

/// Opens a regular file; does not wait for whoever would write into a pipe.
fn open(path: &Path) -> io::Result<File> {
    let file = File::from(rustix::fs::open(path, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty())?);
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::other("it is no regular file")) }
}

/// One segment file of a work tree.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Segment {
    /// Its path below `.meow`, with `/`.
    pub place: String,
    /// Where it lies.
    pub path: PathBuf,
}

impl Segment {
    /// Returns its records, hash checked.
    ///
    /// # Errors
    /// It cannot be read or is damaged.
    pub fn records(&self) -> Result<Vec<Record>> {
        self.read(segment::open)
    }

    /// Returns what `open` makes of its name and bytes.
    ///
    /// # Errors
    /// It cannot be read, or `open` refuses it.
    pub fn read<T>(&self, open: fn(&str, &[u8]) -> Result<T>) -> Result<T> {
        open(&self.place, &read_capped(&self.path, segment::MAX_BYTES)?)
    }
}

/// Writes records as one segment below the folder `.meow`; returns its path there.
///
/// # Errors
/// They cannot be encoded or written.
pub fn add(meow: &Path, records: &[Record], writer: &str, now: Timestamp) -> Result<String> {
    let bytes = segment::encode(records)?;
    let place = segment::place(records, writer, now, &bytes);
    no_link(meow, &meow.join(&place))?;
    write_whole(&meow.join(&place), &bytes)?;
    Ok(place)
}

/// Writes the bytes of a segment to `place` below the folder `.meow`, all or nothing.
///
/// # Errors
/// The folder cannot be made or written.
pub fn write(meow: &Path, place: &str, bytes: &[u8]) -> Result<()> {
    write_whole(&checked(meow, place)?, bytes)
}

/// Writes it likewise, where a crash may take the file away again, in full: its mark is there before it, and without the
/// file it says that there is something to seal.
///
/// # Errors
/// Those of [`write`].
pub(super) fn write_marked(meow: &Path, place: &str, bytes: &[u8]) -> Result<()> {
    let path = checked(meow, place)?;
    let named = finished(&path, bytes).and_then(|file| disk::put(file, &path));
    named.map(drop).map_err(|error| Error::store(format!("{} cannot be written", path.display())).cause(error))
}

/// Returns the path of a segment that may be written, and clears up in its folder.
fn checked(meow: &Path, place: &str) -> Result<PathBuf> {
    let path = meow.join(place);
    is_place(place)?;
    no_link(meow, &path)?;
    path.parent().into_iter().for_each(sweep_old);
    Ok(path)
}

/// Returns the segments below the folder `.meow` of a work tree, in the order of their paths.
///
/// # Errors
/// A folder cannot be read; an absent one has no segments.
pub fn segments(meow: &Path) -> Result<Vec<Segment>> {
    let records = meow.join(RECORDS);
    let mut found = Vec::new();
    for month in entries(&records)? {
        let name = month.file_name().to_string_lossy().into_owned();
        if !name.starts_with("month=") || !month.file_type().is_ok_and(|kind| kind.is_dir()) {
            continue;
        }
        for file in entries(&month.path())? {
            let file_name = file.file_name().to_string_lossy().into_owned();
            if file_name.ends_with(".parquet") && !file_name.starts_with('.') {
                found.push(Segment { place: format!("{RECORDS}/{name}/{file_name}"), path: file.path() });
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Returns what a folder holds, sorted by name; nothing where it is absent.
pub(super) fn entries(folder: &Path) -> Result<Vec<fs::DirEntry>> {
    let listed = fs::read_dir(folder).and_then(Iterator::collect::<io::Result<Vec<_>>>);
    match listed {
        Ok(mut entries) => {
            entries.sort_by_key(fs::DirEntry::file_name);
            Ok(entries)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(Error::store(format!("{} cannot be read", folder.display())).cause(error)),
    }
}

/// Returns `id` as the name of one file: anything but letters, digits, `-`, `_` and inner dots as `%` and two hex digits.
pub(super) fn safe_name(id: &str) -> String {
    let mut name = String::with_capacity(id.len());
    for (at, byte) in id.bytes().enumerate() {
        let plain = byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_') || (byte == b'.' && at > 0);
        if plain {
            name.push(char::from(byte));
        } else {
            use std::fmt::Write as _;
            write!(name, "%{byte:02x}").expect("text grows");
        }
    }
    name
}

/// Returns the id whose [`safe_name`] this is, or `None` for a name that it never gives.
pub(super) fn id_of(name: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(name.len());
    let mut rest = name.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        if *byte == b'%' {
            let digits = std::str::from_utf8(rest.get(..2)?).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = &rest[2..];
        } else {
            bytes.push(*byte);
        }
    }
    String::from_utf8(bytes).ok().filter(|id| safe_name(id) == name)
}
