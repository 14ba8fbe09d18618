//! A segment's pages, as meow writes them and no others: what could grow in memory past the file's own size is refused.

use std::sync::Arc;

use bytes::Bytes;
use parquet::arrow::arrow_reader::RowGroups;
use parquet::basic::{Encoding, Type};
use parquet::column::page::{Page, PageIterator, PageMetadata, PageReader};
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};
use parquet::schema::types::ColumnDescPtr;

use super::compact::{Compact, I32, STRUCT};
use super::footer::{Chunk, Footer};
use super::shape::Shape;

/// Values of one block of differences; Parquet's own writer takes 128 to 256.
const MAX_BLOCK: u64 = 1 << 16;
/// The fewest bytes that an entry of a list or a map takes in a file: the length of its text.
const ENTRY_BYTES: usize = 4;

/// The pages of a file's known columns.
pub(super) struct Pages {
    file: Bytes,
    footer: Footer,
    shape: Arc<Shape>,
}

impl Pages {
    pub fn new(file: Bytes, footer: Footer, shape: Arc<Shape>) -> Self {
        Self { file, footer, shape }
    }
}

impl RowGroups for Pages {
    fn num_rows(&self) -> usize {
        self.footer.rows
    }

    fn column_chunks(&self, column: usize) -> Result<Box<dyn PageIterator>> {
        let place = *self.shape.leaves.get(column).ok_or_else(|| wrong("a column is missing"))?;
        let leaf = self.shape.metadata.file_metadata().schema_descr().column(column);
        // A flat column has a value a row; lists and maps have more, and each takes bytes of its own.
        let more = if leaf.max_rep_level() > 0 { self.file.len() / ENTRY_BYTES } else { 0 };
        let chunks = |group: &super::footer::Group| (group.chunks[place], group.rows + more);
        let chunks = self.footer.groups.iter().map(chunks).collect::<Vec<_>>();
        let values = chunks.iter().try_fold(0_usize, |sum, (chunk, _)| sum.checked_add(chunk.values));
        if values.is_none_or(|values| values > self.footer.rows + more) {
            return Err(wrong("a column claims more values than it can have"));
        }
        Ok(Box::new(Chunks { file: self.file.clone(), leaf, rest: chunks.into_iter() }))
    }

    fn row_groups(&self) -> Box<dyn Iterator<Item = &RowGroupMetaData> + '_> {
        Box::new(self.shape.metadata.row_groups().iter())
    }

    fn metadata(&self) -> &ParquetMetaData {
        &self.shape.metadata
    }
}

/// One leaf's chunks, one a row group.
struct Chunks {
    file: Bytes,
    leaf: ColumnDescPtr,
    rest: std::vec::IntoIter<(Chunk, usize)>,
}

impl Iterator for Chunks {
    type Item = Result<Box<dyn PageReader>>;

    fn next(&mut self) -> Option<Self::Item> {
        let (chunk, most) = self.rest.next()?;
        let pages = self.file.slice(chunk.start..chunk.start + chunk.length);
        Some(Ok(Box::new(Reader { pages, leaf: Arc::clone(&self.leaf), left: chunk.values.min(most) })))
    }
}

impl PageIterator for Chunks {}

/// The pages of one chunk, read one after the other.
struct Reader {
    pages: Bytes,
    leaf: ColumnDescPtr,
    /// Values that are still to come.
    left: usize,
}

/// What is said before a page.
#[derive(Default)]
struct Header {
    kind: i64,
    plain_length: usize,
    length: usize,
    values: usize,
    encoding: i64,
    definition: i64,
    repetition: i64,
}

impl Header {
    fn read(thrift: &mut Compact) -> Option<Self> {
        let mut header = Self { kind: -1, ..Self::default() };
        thrift.fields(&mut |thrift, id, kind| {
            match (id, kind) {
                (1, I32) => header.kind = thrift.signed()?,
                (2, I32) => header.plain_length = thrift.count()?,
                (3, I32) => header.length = thrift.count()?,
                (5, STRUCT) => thrift.fields(&mut |thrift, id, kind| {
                    match (id, kind) {
                        (1, I32) => header.values = thrift.count()?,
                        (2, I32) => header.encoding = thrift.signed()?,
                        (3, I32) => header.definition = thrift.signed()?,
                        (4, I32) => header.repetition = thrift.signed()?,
                        _ => thrift.skip(kind)?,
                    }
                    Some(())
                })?,
                _ => thrift.skip(kind)?,
            }
            Some(())
        })?;
        Some(header)
    }
}

impl Reader {
    fn page(&mut self) -> Result<Page> {
        let mut thrift = Compact::new(&self.pages);
        let header = Header::read(&mut thrift).ok_or_else(|| wrong("the head of a page is damaged"))?;
        // The first version of data pages, levels in runs.
        let usual = header.kind == 0 && header.plain_length == header.length;
        if !usual || header.definition != 3 || header.repetition != 3 {
            return Err(wrong("a page is of a kind that meow does not write"));
        }
        let start = thrift.at();
        thrift.take(header.length).ok_or_else(|| wrong("a page ends behind its column"))?;
        self.left = self.left.checked_sub(header.values).ok_or_else(|| wrong("a page has too many values"))?;
        let values = u32::try_from(header.values).ok().filter(|values| *values > 0);
        let values = values.ok_or_else(|| wrong("a page has no values"))?;
        let buf = self.pages.slice(start..start + header.length);
        let encoding = self.encoding(&header, &buf).ok_or_else(|| wrong("a page is encoded as meow does not"))?;
        self.pages = self.pages.slice(start + header.length..);
        let (levels, statistics) = (Encoding::RLE, None);
        Ok(Page::DataPage {
            buf,
            num_values: values,
            encoding,
            def_level_encoding: levels,
            rep_level_encoding: levels,
            statistics,
        })
    }

    /// Returns how the values are encoded, after a look at the counts that Parquet's decoders would believe.
    fn encoding(&self, header: &Header, page: &Bytes) -> Option<Encoding> {
        let kind = self.leaf.physical_type();
        match (header.encoding, kind) {
            (0, _) => Some(Encoding::PLAIN),
            (5, Type::INT32 | Type::INT64) => {
                differences(self.values(page)?, header.values)?;
                Some(Encoding::DELTA_BINARY_PACKED)
            }
            (7, Type::FIXED_LEN_BYTE_ARRAY) => {
                let data = self.values(page)?;
                let shared = differences(data, header.values)?;
                differences(data.get(shared..)?, header.values)?;
                Some(Encoding::DELTA_BYTE_ARRAY)
            }
            (9, Type::DOUBLE) => Some(Encoding::BYTE_STREAM_SPLIT),
            _ => None,
        }
    }

    /// Returns what lies behind the levels of a page.
    fn values<'a>(&self, page: &'a [u8]) -> Option<&'a [u8]> {
        let mut rest = page;
        for level in [self.leaf.max_rep_level(), self.leaf.max_def_level()] {
            if level > 0 {
                let (length, after) = rest.split_first_chunk::<4>()?;
                rest = after.get(usize::try_from(u32::from_le_bytes(*length)).ok()?..)?;
            }
        }
        Some(rest)
    }
}

impl Iterator for Reader {
    type Item = Result<Page>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}

impl PageReader for Reader {
    fn get_next_page(&mut self) -> Result<Option<Page>> {
        if self.pages.is_empty() { Ok(None) } else { self.page().map(Some) }
    }

    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>> {
        let unknown = PageMetadata { num_rows: None, num_levels: None, is_dict: false };
        Ok((!self.pages.is_empty()).then_some(unknown))
    }

    fn skip_next_page(&mut self) -> Result<()> {
        self.page().map(drop)
    }
}

/// Returns how many bytes a run of packed differences takes (Parquet's `DELTA_BINARY_PACKED`), or `None` where it holds
/// more than `most` values or does not fit.
fn differences(data: &[u8], most: usize) -> Option<usize> {
    let mut head = Compact::new(data);
    let (block, minis) = (head.number()?, head.number()?);
    let total = usize::try_from(head.number()?).ok().filter(|total| *total <= most)?;
    head.number()?;
    let is_usual = (1..=MAX_BLOCK).contains(&block) && block % 128 == 0 && minis > 0 && block % minis == 0;
    let each = usize::try_from(block / minis.max(1)).ok().filter(|each| is_usual && each % 32 == 0)?;
    let mut left = total.saturating_sub(1);
    while left > 0 {
        head.number()?;
        for width in head.take(usize::try_from(minis).ok()?)? {
            if left > 0 {
                let width = usize::from(*width);
                head.take((width <= 64).then_some(width * each / 8)?)?;
                left = left.saturating_sub(each);
            }
        }
    }
    Some(head.at())
}

fn wrong(what: &str) -> ParquetError {
    ParquetError::General(what.to_owned())
}
