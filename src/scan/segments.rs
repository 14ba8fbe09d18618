//! Segments out of the object database: read by several threads, few of them in memory besides what was made of them.

use std::sync::{Mutex, PoisonError};

use rayon::prelude::*;

use super::collect;
use crate::error::{Error, Result};
use crate::git::{Oid, Repository};
use crate::record::Columns;
use crate::store::segment;

/// So many bytes of segments are opened together.
const TOGETHER: usize = 256 << 10;
/// So many a thread takes at once, where they are not more than so many segments.
const PART: usize = 2 * TOGETHER;
const MOST: usize = 64;
/// So few are read by the thread that asks: several repositories are read at once then.
const FEW: usize = 32;
/// After so many bytes the packs are mapped anew: what was read of them counts as memory of this process until then.
const MAPPED: usize = 32 << 20;
/// Parts a thread that are read while those before them are taken in.
const PARTS: usize = 2;

/// A segment's path and blob.
pub(super) type Segment<'a> = (&'a String, Oid);

/// A segment's path, blob and bytes.
pub(super) type Fetched<'a> = (&'a str, Oid, Vec<u8>);

/// What was made of one segment, or of some that follow each other.
pub(super) type Opened<T> = (Vec<Oid>, Result<T>);

/// Hands what `open` makes of the segments to `take`, in their order.
pub(super) fn read<T: Send>(
    repository: &Repository,
    segments: &[Segment],
    open: &(impl Fn(&[Fetched]) -> Vec<Opened<T>> + Sync),
    damaged: &mut Vec<Error>,
    take: &mut (impl FnMut(&[Oid], T) + Send),
) {
    let mut give = |opened: Vec<Opened<T>>| {
        for (blobs, opened) in opened {
            match opened {
                Ok(opened) => take(&blobs, opened),
                Err(error) => damaged.push(error),
            }
        }
    };
    if segments.len() <= FEW {
        return give(part(repository, segments, open).0);
    }
    let readers = Mutex::new(repository.readers());
    let lock = || readers.lock().unwrap_or_else(PoisonError::into_inner);
    let one = |segments: &[Segment]| {
        let reader = lock().pop().expect("as many readers as threads");
        let read = part(&reader, segments, open);
        lock().push(reader);
        read
    };
    let (mut rest, mut each, mut mapped, mut waiting) = (segments, 1, 0, Vec::new());
    while !rest.is_empty() {
        let (window, after) = rest.split_at(rest.len().min(each * PARTS * rayon::current_num_threads()));
        rest = after;
        let opened = || window.par_chunks(each).map(one).collect::<Vec<_>>();
        let ((), opened) = rayon::join(|| give(std::mem::take(&mut waiting)), opened);
        let bytes: usize = opened.iter().map(|(_, bytes)| bytes).sum();
        mapped += bytes;
        if mapped > MAPPED {
            mapped = 0;
            *lock() = repository.readers();
        }
        each = (PART * window.len() / bytes.max(1)).clamp(1, MOST);
        waiting = opened.into_iter().flat_map(|(opened, _)| opened).collect();
    }
    give(waiting);
}

/// Opens segments one after the other; returns the bytes that were read with what they became.
fn part<T>(
    repository: &Repository,
    segments: &[Segment],
    open: &impl Fn(&[Fetched]) -> Vec<Opened<T>>,
) -> (Vec<Opened<T>>, usize) {
    let (mut opened, mut group, mut held, mut all) = (Vec::new(), Vec::new(), 0, 0);
    for (path, blob) in segments {
        match bytes(repository, path, *blob) {
            Ok(bytes) => {
                held += bytes.len();
                group.push((path.as_str(), *blob, bytes));
            }
            Err(error) => opened.push((vec![*blob], Err(error))),
        }
        if held >= TOGETHER {
            opened.extend(open(&group));
            all += std::mem::take(&mut held);
            group.clear();
        }
    }
    opened.extend(open(&group));
    (opened, all + held)
}

fn bytes(repository: &Repository, path: &str, blob: Oid) -> Result<Vec<u8>> {
    let wrong = || Error::store(format!("segment {path} cannot be read"));
    let read = repository.blob_within(blob, segment::MAX_BYTES).map_err(|error| wrong().cause(error))?;
    read.ok_or_else(|| wrong().cause("it is too large"))
}

/// Opens each segment by itself.
pub(super) fn each<T>(open: fn(&str, &[u8]) -> Result<T>) -> impl Fn(&[Fetched]) -> Vec<Opened<T>> {
    move |segments| segments.iter().map(|(path, blob, bytes)| (vec![*blob], open(path, bytes))).collect()
}

/// Opens segments as sorted columns, all together where what comes of it is `whole`.
pub(super) fn columns(whole: impl Fn(&Columns) -> bool) -> impl Fn(&[Fetched]) -> Vec<Opened<Columns>> {
    let one = |path: &str, bytes: &[u8]| segment::columns(path, bytes);
    move |segments| {
        let named: Vec<(&str, &[u8])> = segments.iter().map(|(path, _, bytes)| (*path, bytes.as_slice())).collect();
        let together = if named.len() > 1 { segment::columns_of_all(&named).filter(&whole) } else { None };
        let mut opened = match together {
            Some(columns) => vec![(segments.iter().map(|(_, blob, _)| *blob).collect(), Ok(columns))],
            None => segments.iter().map(|(path, blob, bytes)| (vec![*blob], one(path, bytes))).collect(),
        };
        for (_, opened) in &mut opened {
            if let Ok(columns) = opened {
                collect::sort(columns);
            }
        }
        opened
    }
}
