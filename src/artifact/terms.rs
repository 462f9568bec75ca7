//! A model's terms as an artifact holds them: read one by one, without a list of a million of them in between.

use std::borrow::Cow;

use crate::model::Weight;

/// The hashes of a model's terms, ascending, in halves.
pub(super) struct Hashes<'a> {
    /// The upper halves that there are: for each, the difference to the one before, and how many terms have it.
    pub(super) upper: Cow<'a, [u8]>,
    /// The lower halves, two bytes each.
    pub(super) lower: Cow<'a, [u8]>,
}

impl Hashes<'_> {
    /// Encodes hashes in ascending order.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "fewer than 2^32 hashes; and their lower halves"
    )]
    pub(super) fn of(hashes: impl Iterator<Item = u32>) -> Self {
        let mut upper: Vec<(u32, u32)> = Vec::new();
        let mut lower = Vec::with_capacity(2 * hashes.size_hint().0);
        for hash in hashes {
            lower.extend_from_slice(&(hash as u16).to_le_bytes());
            match upper.last_mut() {
                Some((last, n)) if *last == hash >> 16 => *n += 1,
                _ => upper.push((hash >> 16, 1)),
            }
        }
        let mut bytes = Vec::with_capacity(2 * upper.len());
        let mut last = 0;
        for (half, n) in upper {
            put_varint(&mut bytes, half.wrapping_sub(last));
            put_varint(&mut bytes, n);
            last = half;
        }
        Self {
            upper: bytes.into(),
            lower: lower.into(),
        }
    }

    /// Those that formats before the third listed: the difference of each to the one before. The error is how many
    /// there are, if they are not as many as they should be.
    pub(super) fn from_differences(differences: &[u8], n_terms: usize) -> Result<Self, usize> {
        let (mut at, mut last) = (0, 0_u32);
        let mut hashes = Vec::new();
        while at < differences.len() && hashes.len() <= n_terms {
            let difference = get_varint(differences, &mut at).ok_or(hashes.len())?;
            last = last.checked_add(difference).ok_or(hashes.len())?;
            hashes.push(last);
        }
        if hashes.len() == n_terms {
            Ok(Self::of(hashes.into_iter()))
        } else {
            Err(hashes.len())
        }
    }

    /// The number of terms the upper halves count; nothing if that is no list of upper halves.
    pub(super) fn count(&self) -> Option<usize> {
        let (mut at, mut half, mut n) = (0, 0_u32, 0_usize);
        while at < self.upper.len() {
            half = half.checked_add(get_varint(&self.upper, &mut at)?)?;
            n = n.checked_add(get_varint(&self.upper, &mut at)? as usize)?;
        }
        (half >> 16 == 0).then_some(n)
    }
}

/// The terms with their worth, in the order of their hashes.
#[derive(Debug, Clone)]
pub(super) struct Terms<'a> {
    upper: &'a [u8],
    /// The place of the next upper half, and the one that it is at.
    at: usize,
    half: u32,
    /// Terms that are left of this upper half, and of all.
    left: u32,
    n_left: usize,
    lower: std::slice::ChunksExact<'a, u8>,
    weights: std::slice::ChunksExact<'a, u8>,
    marks: &'a [u8],
    next: usize,
}

impl<'a> Terms<'a> {
    /// Iterates over hashes that [`Hashes::count`] counted, and as many weights and marks.
    pub(super) fn new(hashes: &'a Hashes<'_>, weights: &'a [u8], marks: &'a [u8]) -> Self {
        Self {
            upper: &hashes.upper,
            at: 0,
            half: 0,
            left: 0,
            n_left: weights.len() / 2,
            lower: hashes.lower.chunks_exact(2),
            weights: weights.chunks_exact(2),
            marks,
            next: 0,
        }
    }
}

impl Iterator for Terms<'_> {
    type Item = (u32, Weight);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        while self.left == 0 {
            self.half = self.half.wrapping_add(get_varint(self.upper, &mut self.at)?);
            self.left = get_varint(self.upper, &mut self.at)?;
        }
        let (lower, weight) = (self.lower.next()?, self.weights.next()?);
        let worth = Weight {
            steps: i16::from_le_bytes([weight[0], weight[1]]),
            in_ham: self.marks.get(self.next / 8)? >> (self.next % 8) & 1 == 1,
        };
        self.left -= 1;
        self.n_left -= 1;
        self.next += 1;
        Some((
            self.half << 16 | u32::from(u16::from_le_bytes([lower[0], lower[1]])),
            worth,
        ))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.n_left, Some(self.n_left))
    }
}

/// The length is the one that [`Hashes::count`] counted.
impl ExactSizeIterator for Terms<'_> {}

/// A number, 7 bits a byte, low bits first.
fn put_varint(out: &mut Vec<u8>, mut value: u32) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    #[expect(clippy::cast_possible_truncation, reason = "below 128")]
    out.push(value as u8);
}

#[inline]
fn get_varint(bytes: &[u8], at: &mut usize) -> Option<u32> {
    let mut value = 0_u64;
    for shift in (0..35).step_by(7) {
        let byte = *bytes.get(*at)?;
        *at += 1;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return u32::try_from(value).ok();
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn halves_and_differences_give_the_same_hashes_back(
            hashes in prop::collection::btree_set(prop_oneof![any::<u32>(), 0..9_u32, 65_530..65_545_u32], 0..60),
        ) {
            let mut differences = Vec::new();
            let mut last = 0;
            for &hash in &hashes {
                put_varint(&mut differences, hash - last);
                last = hash;
            }
            let weights: Vec<u8> = (-7_i16..).take(hashes.len()).flat_map(i16::to_le_bytes).collect();
            let marks = vec![0b0101_0101; hashes.len().div_ceil(8)];
            for read in [
                Hashes::of(hashes.iter().copied()),
                Hashes::from_differences(&differences, hashes.len()).unwrap(),
            ] {
                prop_assert_eq!(read.count(), Some(hashes.len()));
                let terms: Vec<_> = Terms::new(&read, &weights, &marks).collect();
                let expected = hashes.iter().zip(-7_i16..).map(|(&hash, steps)| {
                    (hash, Weight { steps, in_ham: steps % 2 != 0 })
                });
                prop_assert_eq!(terms, expected.collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn as_many_as_stated_or_an_error() {
        let listed = |differences: &[u8]| Hashes::from_differences(differences, 2).map(|_| ());
        assert_eq!(listed(&[1, 1]), Ok(()));
        assert_eq!(listed(&[1, 1, 1]), Err(3));
        assert_eq!(listed(&[1]), Err(1));
        assert_eq!(listed(&[1, 0x80]), Err(1));
        // 2^32 - 1, and one more.
        assert_eq!(listed(&[0xff, 0xff, 0xff, 0xff, 0x0f, 1]), Err(1));
        let counted = |bytes: &[u8]| {
            let (upper, lower) = (bytes.into(), [].as_slice().into());
            Hashes { upper, lower }.count()
        };
        assert_eq!(counted(&[0, 1, 7, 2]), Some(3));
        assert_eq!(counted(&[0, 1, 7]), None);
        // The highest upper half that there is, and one more.
        assert_eq!(counted(&[0xff, 0xff, 3, 1]), Some(1));
        assert_eq!(counted(&[0x80, 0x80, 4, 1]), None);
    }
}
