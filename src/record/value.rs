//! What one value of a column can be, and its bytes in a file that only this machine reads.

use super::columns::Name;
use super::{Digest, ExecutionId, Outcome};

/// The column is one value over and over.
const ONE: u8 = 0;
/// The values follow each other.
const ALL: u8 = 1;
/// The same at half the width, which holds these doubles exactly.
const HALF: u8 = 2;

/// Values whose bytes are handed on at once.
const PIECE: usize = 8_192;

/// A value of a column.
pub trait Value: Clone {
    /// Returns the same value where names have these numbers.
    #[must_use]
    fn renamed(&self, _names: &[Name]) -> Self {
        self.clone()
    }

    /// Returns whether its names are among so many.
    fn is_known(&self, _names: usize) -> bool {
        true
    }

    /// Hands the bytes of a column on, some thousand values at a time.
    fn put(column: &[Self], to: &mut dyn FnMut(&[u8]));

    /// Takes a column of so many values; `None` where the bytes are none.
    fn take(from: &mut &[u8], count: usize) -> Option<Vec<Self>>;
}

/// A value of always the same width.
trait Fixed: Copy {
    const WIDTH: usize;
    fn write(self, to: &mut Vec<u8>);
    fn read(from: &[u8]) -> Option<Self>;
}

macro_rules! plain {
    ($($type:ty),*) => {$(
        impl Fixed for $type {
            const WIDTH: usize = size_of::<$type>();
            fn write(self, to: &mut Vec<u8>) {
                to.extend_from_slice(&self.to_le_bytes());
            }
            fn read(from: &[u8]) -> Option<Self> {
                from.try_into().ok().map(Self::from_le_bytes)
            }
        }
    )*};
}

plain!(u32, i64, f32, f64);

impl Fixed for bool {
    const WIDTH: usize = 1;
    fn write(self, to: &mut Vec<u8>) {
        to.push(u8::from(self));
    }
    fn read(from: &[u8]) -> Option<Self> {
        from.first().filter(|byte| **byte < 2).map(|byte| *byte == 1)
    }
}

impl Fixed for Outcome {
    const WIDTH: usize = 1;
    fn write(self, to: &mut Vec<u8>) {
        to.push(self as u8);
    }
    fn read(from: &[u8]) -> Option<Self> {
        let byte = *from.first()?;
        Self::WORDS.iter().map(|(outcome, _)| *outcome).find(|outcome| *outcome as u8 == byte)
    }
}

impl Fixed for Name {
    const WIDTH: usize = 4;
    fn write(self, to: &mut Vec<u8>) {
        self.0.write(to);
    }
    fn read(from: &[u8]) -> Option<Self> {
        u32::read(from).map(Self)
    }
}

impl Fixed for ExecutionId {
    const WIDTH: usize = 12;
    fn write(self, to: &mut Vec<u8>) {
        to.extend_from_slice(self.bytes());
    }
    fn read(from: &[u8]) -> Option<Self> {
        from.try_into().ok().map(Self::from_bytes)
    }
}

impl Fixed for Digest {
    const WIDTH: usize = 12;
    fn write(self, to: &mut Vec<u8>) {
        to.extend_from_slice(self.bytes());
    }
    fn read(from: &[u8]) -> Option<Self> {
        from.try_into().ok().map(Self::from_bytes)
    }
}

impl<T: Fixed> Fixed for Option<T> {
    const WIDTH: usize = 1 + T::WIDTH;
    fn write(self, to: &mut Vec<u8>) {
        to.push(u8::from(self.is_some()));
        match self {
            Some(value) => value.write(to),
            None => to.resize(to.len() + T::WIDTH, 0),
        }
    }
    fn read(from: &[u8]) -> Option<Self> {
        let (is_some, value) = from.split_first()?;
        if *is_some == 0 { Some(None) } else { T::read(value).map(Some) }
    }
}

fn put_fixed<T: Fixed>(mut values: impl Iterator<Item = T> + Clone, kind: u8, to: &mut dyn FnMut(&[u8])) {
    let (mut first, mut other, mut rest) = (Vec::new(), Vec::new(), values.clone());
    if let Some(value) = rest.next() {
        value.write(&mut first);
        let is_first = |value: T| {
            other.clear();
            value.write(&mut other);
            other == first
        };
        if rest.clone().next().is_some() && rest.all(is_first) {
            to(&[ONE | (kind << 4)]);
            return to(&first);
        }
    }
    to(&[kind]);
    let mut piece = Vec::with_capacity(PIECE * T::WIDTH);
    loop {
        piece.clear();
        values.by_ref().take(PIECE).for_each(|value| value.write(&mut piece));
        if piece.is_empty() {
            return;
        }
        to(&piece);
    }
}

fn take_fixed<T: Fixed>(kind: u8, from: &mut &[u8], count: usize) -> Option<Vec<T>> {
    if kind & 0x0f == ONE {
        let value = T::read(from.split_off(..T::WIDTH)?)?;
        return Some(vec![value; count]);
    }
    let bytes = from.split_off(..count.checked_mul(T::WIDTH)?)?;
    bytes.chunks_exact(T::WIDTH).map(T::read).collect()
}

fn kind_of(from: &mut &[u8]) -> Option<u8> {
    from.split_off_first().copied()
}

macro_rules! fixed {
    ($($type:ty $(, $rename:expr, $known:expr)?;)*) => {$(
        impl Value for $type {
            $(fn renamed(&self, names: &[Name]) -> Self {
                $rename(self, names)
            }
            fn is_known(&self, names: usize) -> bool {
                $known(self, names)
            })?
            fn put(column: &[Self], to: &mut dyn FnMut(&[u8])) {
                put_fixed(column.iter().copied(), ALL, to);
            }
            fn take(from: &mut &[u8], count: usize) -> Option<Vec<Self>> {
                let kind = kind_of(from)?;
                take_fixed(kind, from, count)
            }
        }
    )*};
}

fixed! {
    u32;
    i64;
    bool;
    Outcome;
    ExecutionId;
    Name, |name: &Self, names: &[Name]| names[name.0 as usize], |name: &Self, names| (name.0 as usize) < names;
    Option<Name>, |name: &Self, names: &[Name]| name.map(|name| names[name.0 as usize]),
        |name: &Self, names| name.is_none_or(|name| (name.0 as usize) < names);
    Option<Digest>;
    Option<bool>;
    Option<u32>;
}

impl Value for f64 {
    #[expect(clippy::cast_possible_truncation, reason = "only where nothing is lost")]
    fn put(column: &[Self], to: &mut dyn FnMut(&[u8])) {
        let is_half = |value: &Self| Self::from(*value as f32).to_bits() == value.to_bits();
        if column.iter().all(is_half) {
            put_fixed(column.iter().map(|value| *value as f32), HALF, to);
        } else {
            put_fixed(column.iter().copied(), ALL, to);
        }
    }

    fn take(from: &mut &[u8], count: usize) -> Option<Vec<Self>> {
        let kind = kind_of(from)?;
        if kind & 0x0f == HALF || kind >> 4 == HALF {
            let halves: Vec<f32> = take_fixed(kind, from, count)?;
            return Some(halves.into_iter().map(Self::from).collect());
        }
        take_fixed(kind, from, count)
    }
}

/// Metrics: most attempts have none.
impl Value for Box<[(Name, f64)]> {
    fn renamed(&self, names: &[Name]) -> Self {
        self.iter().map(|(name, value)| (names[name.0 as usize], *value)).collect()
    }

    fn is_known(&self, names: usize) -> bool {
        self.iter().all(|(name, _)| (name.0 as usize) < names)
    }

    fn put(column: &[Self], to: &mut dyn FnMut(&[u8])) {
        put_fixed(column.iter().map(|own| super::columns::place(own.len())), ALL, to);
        let mut piece = Vec::new();
        for own in column.chunks(PIECE) {
            piece.clear();
            for (name, value) in own.iter().flatten() {
                name.write(&mut piece);
                value.write(&mut piece);
            }
            to(&piece);
        }
    }

    fn take(from: &mut &[u8], count: usize) -> Option<Vec<Self>> {
        let kind = kind_of(from)?;
        let lengths: Vec<u32> = take_fixed(kind, from, count)?;
        let mut pair = || Some((Name::read(from.split_off(..4)?)?, f64::read(from.split_off(..8)?)?));
        lengths.into_iter().map(|length| (0..length).map(|_| pair()).collect()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check<T: Value + std::fmt::Debug>(column: &[T], bytes: usize) {
        let mut written = Vec::new();
        T::put(column, &mut |bytes| written.extend(bytes));
        assert_eq!(written.len(), bytes, "{column:?}");
        let mut rest = written.as_slice();
        let read = T::take(&mut rest, column.len()).expect("own bytes");
        assert_eq!(format!("{read:?}"), format!("{column:?}"));
        assert!(rest.is_empty(), "{column:?}");
        for cut in 0..written.len() {
            assert!(T::take(&mut &written[..cut], column.len()).is_none(), "{column:?} cut at {cut}");
        }
    }

    #[test]
    fn columns_and_back() {
        check(&[1_u32, 2, 3], 13);
        check(&[7_u32, 7, 7, 7], 5);
        check(&[1.5, f64::NAN, 4096.0], 13);
        check(&[0.1, 2.0], 17);
        check(&[f64::NAN; 9], 5);
        check(&[0.1; 9], 9);
        check(&[Some(Digest::of(b"a")), None], 27);
        check(&[Outcome::Passed, Outcome::Failed, Outcome::Cancelled], 4);
        check(&[Some(true), None, Some(false)], 7);
        check(&[vec![(Name(1), 2.0)].into_boxed_slice(), Box::default()], 21);
        check(&[i64::MIN, 0], 17);
    }
}
