//! A model's terms as an artefact holds them: read one by one, without a list of a million of them in between.

use crate::model::Term;

/// The terms, in the order of their hashes.
#[derive(Debug, Clone)]
pub(super) struct Terms<'a> {
    pub(super) hashes: &'a [u8],
    pub(super) weights: &'a [u8],
    pub(super) marks: &'a [u8],
    pub(super) weight_step: f32,
    /// The next one's place in the list, and its hash's in the bytes.
    pub(super) next: usize,
    pub(super) at: usize,
    pub(super) last: u32,
}

impl Terms<'_> {
    /// How many of them are there? Fewer than stated if the bytes end before, more if some are left over.
    pub(super) fn found(&self) -> usize {
        let mut rest = self.clone();
        let n = rest.by_ref().count();
        n + usize::from(rest.at < rest.hashes.len())
    }

    pub(super) const fn stated(&self) -> usize {
        self.weights.len() / 2
    }
}

impl Iterator for Terms<'_> {
    type Item = Term;

    fn next(&mut self) -> Option<Term> {
        let weight = self.weights.get(2 * self.next..2 * self.next + 2)?;
        self.last = self.last.wrapping_add(get_varint(self.hashes, &mut self.at)?);
        let term = Term {
            hash: self.last,
            weight: f32::from(i16::from_le_bytes([weight[0], weight[1]])) * self.weight_step,
            in_ham: self.marks[self.next / 8] >> (self.next % 8) & 1 == 1,
        };
        self.next += 1;
        Some(term)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let n = self.stated() - self.next;
        (n, Some(n))
    }
}

/// Of those that [`Terms::found`] found whole.
impl ExactSizeIterator for Terms<'_> {}

/// A number, 7 bits a byte, low bits first.
pub(super) fn put_varint(out: &mut Vec<u8>, mut value: u32) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    #[expect(clippy::cast_possible_truncation, reason = "below 128")]
    out.push(value as u8);
}

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
