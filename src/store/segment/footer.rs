//! A segment's footer: what it says of columns and pages, read by own means, since Parquet's reader believes it.
//!
//! Field numbers are those of `parquet.thrift` (Apache Parquet Format 2.12).

use super::compact::{BINARY, Compact, I32, I64, LIST, STRUCT};
use super::{MAX_COLUMNS, MAX_ROW_GROUPS};

/// A larger footer is refused; one of meow's has some four KiB.
const MAX_FOOTER: usize = 256 << 10;
/// Columns within columns: a map's values lie three deep.
const MAX_DEPTH: usize = 6;
const MAGIC: &[u8] = b"PAR1";

/// What a footer says.
#[derive(Debug, Default)]
pub(super) struct Footer {
    /// The value of each key.
    pub pairs: Vec<(String, String)>,
    /// The program that wrote it, shortened.
    pub created_by: String,
    pub rows: usize,
    /// The schema, outer ones before inner ones; the root is left out.
    pub elements: Vec<Element>,
    pub groups: Vec<Group>,
}

/// A column, or a part of one.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Element {
    pub name: String,
    /// The physical type; a group has none.
    pub kind: Option<i64>,
    pub length: Option<i64>,
    /// 0 always there, 1 maybe absent, 2 repeated.
    pub repetition: i64,
    /// The older form of the logical type.
    pub converted: Option<i64>,
    /// Elements right below it.
    pub children: usize,
}

/// Rows with a chunk for each leaf of the schema, in its order.
#[derive(Debug, Default)]
pub(super) struct Group {
    pub rows: usize,
    pub chunks: Vec<Chunk>,
}

/// The pages of one leaf.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Chunk {
    pub values: usize,
    /// Where its pages lie, in bytes.
    pub start: usize,
    pub length: usize,
}

impl Footer {
    /// Returns what the footer of a file says, or `None` where that cannot be: pages out of the file or more bytes of them
    /// than there are, compression, dictionaries, a schema that is no tree.
    pub fn read(file: &[u8]) -> Option<Self> {
        let body = file.strip_prefix(MAGIC)?.strip_suffix(MAGIC)?;
        let (body, length) = body.split_last_chunk::<4>()?;
        let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
        let end = body.len().checked_sub(length).filter(|_| length <= MAX_FOOTER)?;
        let mut footer = Self::default();
        let mut thrift = Compact::new(&body[end..]);
        thrift.fields(&mut |thrift, id, kind| match (id, kind) {
            (2, LIST) => {
                footer.elements = tree(thrift)?;
                Some(())
            }
            (3, I64) => {
                footer.rows = thrift.count()?;
                Some(())
            }
            (4, LIST) => thrift.structs(MAX_ROW_GROUPS, &mut |thrift| {
                footer.groups.push(group(thrift)?);
                Some(())
            }),
            (5, LIST) => thrift.structs(64, &mut |thrift| {
                footer.pairs.push(pair(thrift)?);
                Some(())
            }),
            (6, BINARY) => {
                footer.created_by = text(thrift)?.chars().take(40).collect();
                Some(())
            }
            _ => thrift.skip(kind),
        })?;
        footer.makes_sense(end + MAGIC.len()).then_some(footer)
    }

    /// Returns the leaves of the schema in their order: those that have pages.
    pub fn leaves(&self) -> impl Iterator<Item = &Element> {
        self.elements.iter().filter(|element| element.kind.is_some())
    }

    fn makes_sense(&self, end: usize) -> bool {
        let leaves = self.leaves().count();
        let chunks = || self.groups.iter().flat_map(|group| &group.chunks);
        let within = |chunk: &Chunk| {
            chunk.start >= MAGIC.len() && chunk.start.checked_add(chunk.length).is_some_and(|last| last <= end)
        };
        let rows = self.groups.iter().try_fold(0_usize, |sum, group| sum.checked_add(group.rows));
        let bytes = chunks().try_fold(0_usize, |sum, chunk| sum.checked_add(chunk.length));
        rows == Some(self.rows)
            && leaves <= MAX_COLUMNS
            && self.groups.iter().all(|group| group.chunks.len() == leaves)
            && chunks().all(within)
            && bytes.is_some_and(|bytes| bytes <= end)
    }
}

/// Reads the list of the schema's elements, which is a tree told from its root on.
fn tree(thrift: &mut Compact) -> Option<Vec<Element>> {
    let mut elements = Vec::new();
    // How many elements are still to come below each open one.
    let mut open: Vec<usize> = vec![1];
    thrift.structs(4 * MAX_COLUMNS, &mut |thrift| {
        let element = element(thrift)?;
        while open.last() == Some(&0) {
            open.pop();
        }
        *open.last_mut()? -= 1;
        if element.children > 0 {
            open.push(element.children);
        }
        (open.len() <= MAX_DEPTH && (element.kind.is_none() || element.children == 0)).then_some(())?;
        elements.push(element);
        Some(())
    })?;
    (open.iter().all(|left| *left == 0) && !elements.is_empty()).then(|| elements.split_off(1))
}

fn element(thrift: &mut Compact) -> Option<Element> {
    let mut element = Element::default();
    thrift.fields(&mut |thrift, id, kind| {
        match (id, kind) {
            (1, I32) => element.kind = Some(thrift.signed()?),
            (2, I32) => element.length = Some(thrift.signed()?),
            (3, I32) => element.repetition = thrift.signed()?,
            (4, BINARY) => element.name = text(thrift)?,
            (5, I32) => element.children = thrift.count()?,
            (6, I32) => element.converted = Some(thrift.signed()?),
            _ => thrift.skip(kind)?,
        }
        Some(())
    })?;
    Some(element)
}

fn group(thrift: &mut Compact) -> Option<Group> {
    let mut group = Group::default();
    thrift.fields(&mut |thrift, id, kind| match (id, kind) {
        (1, LIST) => thrift.structs(MAX_COLUMNS, &mut |thrift| {
            let mut found = None;
            thrift.fields(&mut |thrift, id, kind| match (id, kind) {
                (3, STRUCT) => {
                    found = Some(chunk(thrift)?);
                    Some(())
                }
                _ => thrift.skip(kind),
            })?;
            group.chunks.push(found?);
            Some(())
        }),
        (3, I64) => {
            group.rows = thrift.count()?;
            Some(())
        }
        _ => thrift.skip(kind),
    })?;
    Some(group)
}

/// Reads what is said of a column's pages; compressed ones and those with a dictionary are none of meow's.
fn chunk(thrift: &mut Compact) -> Option<Chunk> {
    let (mut chunk, mut plain) = (Chunk::default(), true);
    thrift.fields(&mut |thrift, id, kind| {
        match (id, kind) {
            (4, I32) => plain &= thrift.signed()? == 0,
            (5, I64) => chunk.values = thrift.count()?,
            (7, I64) => chunk.length = thrift.count()?,
            (9, I64) => chunk.start = thrift.count()?,
            (11, _) => plain = false,
            _ => thrift.skip(kind)?,
        }
        Some(())
    })?;
    plain.then_some(chunk)
}

fn pair(thrift: &mut Compact) -> Option<(String, String)> {
    let (mut key, mut value) = (String::new(), String::new());
    thrift.fields(&mut |thrift, id, kind| {
        match (id, kind) {
            (1, BINARY) => key = text(thrift)?,
            (2, BINARY) => value = text(thrift)?,
            _ => thrift.skip(kind)?,
        }
        Some(())
    })?;
    Some((key, value))
}

fn text(thrift: &mut Compact) -> Option<String> {
    std::str::from_utf8(thrift.binary()?).ok().map(str::to_owned)
}
