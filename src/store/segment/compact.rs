//! Thrift's compact protocol as far as Parquet needs it, with a bound on depth, on lengths and on work.
//!
//! Parquet's own reader of it takes room for as many things as a footer claims, and walks lists of nothing for hours.

/// The kinds of value that are read; whatever else a struct holds is skipped.
pub(super) const I32: u8 = 5;
pub(super) const I64: u8 = 6;
pub(super) const BINARY: u8 = 8;
pub(super) const LIST: u8 = 9;
pub(super) const STRUCT: u8 = 12;

/// Structs and lists within each other that are skipped.
const MAX_DEPTH: usize = 8;
/// Elements of one list.
const MAX_LIST: usize = 4_096;

/// A place in bytes from which values are read; `None` always means that they are not well formed.
#[derive(Debug, Clone)]
pub(super) struct Compact<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Compact<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Returns how many bytes were read.
    pub fn at(&self) -> usize {
        self.at
    }

    /// Hands the id and kind of every field of a struct to `each`, which reads or skips its value.
    pub fn fields(&mut self, each: &mut dyn FnMut(&mut Self, i16, u8) -> Option<()>) -> Option<()> {
        let mut id = 0_i16;
        loop {
            let head = self.byte()?;
            let kind = head & 0x0f;
            if kind == 0 {
                return Some(());
            }
            id = match head >> 4 {
                0 => i16::try_from(self.signed()?).ok()?,
                more => id.checked_add(i16::from(more))?,
            };
            each(self, id, kind)?;
        }
    }

    /// Hands every struct of a list to `each`, with how many there are; at most `most`.
    pub fn structs(&mut self, most: usize, each: &mut dyn FnMut(&mut Self) -> Option<()>) -> Option<()> {
        let (kind, count) = self.list()?;
        (count == 0 || (kind == STRUCT && count <= most)).then_some(())?;
        (0..count).try_for_each(|_| each(self))
    }

    /// Returns a whole number.
    pub fn signed(&mut self) -> Option<i64> {
        let number = self.number()?;
        Some((number >> 1).cast_signed() ^ -(number & 1).cast_signed())
    }

    /// Returns a whole number that counts something.
    pub fn count(&mut self) -> Option<usize> {
        usize::try_from(self.signed()?).ok()
    }

    /// Returns a number without sign.
    pub fn number(&mut self) -> Option<u64> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }

    /// Returns bytes with their length before them.
    pub fn binary(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.number()?).ok()?;
        self.take(length)
    }

    /// Returns the next bytes.
    pub fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let end = self.at.checked_add(length)?;
        let taken = self.bytes.get(self.at..end)?;
        self.at = end;
        Some(taken)
    }

    /// Passes over a value. Maps, sets and lists of switches stand in no footer and no page of meow's.
    pub fn skip(&mut self, kind: u8) -> Option<()> {
        self.skip_within(kind, MAX_DEPTH)
    }

    fn skip_within(&mut self, kind: u8, depth: usize) -> Option<()> {
        let depth = depth.checked_sub(1)?;
        match kind {
            1 | 2 => Some(()),
            3 => self.byte().map(drop),
            4..=I64 => self.number().map(drop),
            7 => self.take(8).map(drop),
            BINARY => self.binary().map(drop),
            LIST => {
                let (kind, count) = self.list()?;
                (kind > 2 || count == 0).then_some(())?;
                (0..count).try_for_each(|_| self.skip_within(kind, depth))
            }
            STRUCT => self.fields(&mut |this, _, kind| this.skip_within(kind, depth)),
            _ => None,
        }
    }

    /// Returns the kind of a list's elements and how many there are: each takes one byte at least.
    fn list(&mut self) -> Option<(u8, usize)> {
        let head = self.byte()?;
        let count = match head >> 4 {
            15 => usize::try_from(self.number()?).ok()?,
            few => usize::from(few),
        };
        (count <= MAX_LIST && count <= self.bytes.len() - self.at).then_some((head & 0x0f, count))
    }

    fn byte(&mut self) -> Option<u8> {
        let byte = self.bytes.get(self.at)?;
        self.at += 1;
        Some(*byte)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_structs_are_read() {
        assert_eq!(Compact::new(&[0x96, 0x01]).signed(), Some(75));
        assert_eq!(Compact::new(&[0x95, 0x01]).signed(), Some(-75));
        let mut seen = Vec::new();
        let bytes = [0x15, 0x04, 0x28, 0x02, b'h', b'i', 0x05, 0x0a, 0x02, 0x00];
        let read = Compact::new(&bytes).fields(&mut |thrift, id, kind| {
            seen.push((id, kind));
            thrift.skip(kind)
        });
        assert_eq!((read, seen), (Some(()), vec![(1, I32), (3, BINARY), (5, I32)]));
    }

    #[test]
    fn what_claims_more_than_there_is_is_refused() {
        for (kind, bytes) in [
            // A list of four thousand million structs, one of nothing, a text as long as the address space, no end.
            (LIST, vec![0xfc, 0xff, 0xff, 0xff, 0xff, 0x0f]),
            (LIST, vec![0xf1, 0xff, 0xff, 0xff, 0x07]),
            (BINARY, vec![0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]),
            (I64, vec![0xff; 11]),
            (STRUCT, vec![0x19; 200]),
            (STRUCT, vec![0x1c; 200]),
            (13, vec![0; 16]),
        ] {
            assert_eq!(Compact::new(&bytes).skip(kind), None, "{kind} {bytes:?}");
        }
    }
}
