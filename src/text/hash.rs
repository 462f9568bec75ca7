//! The hashes of terms: a rolling hash over the codes of the stream, mixed with the view.

use super::view::View;

/// The longest stretch that is hashed by its prefix hashes.
const N_POWERS: usize = 48;
pub(super) const BASE: u64 = 0x9e37_79b9_7f4a_7c15;

pub(super) const POWERS: [u64; N_POWERS] = {
    let mut powers = [1_u64; N_POWERS];
    let mut i = 1;
    while i < N_POWERS {
        powers[i] = powers[i - 1].wrapping_mul(BASE);
        i += 1;
    }
    powers
};

/// The 32-bit hash of a term of a view.
#[inline]
pub(super) const fn mix(view: View, raw: u64) -> u32 {
    let x = (raw ^ (view as u64 + 1).wrapping_mul(0xd6e8_feb8_6659_fd93)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    ((x ^ (x >> 32)).wrapping_mul(0xc4ce_b9fe_1a85_ec53) >> 32) as u32
}

/// The hash of `prefix`'s stretch from `start` to `end`, at most [`N_POWERS`] long.
#[inline]
pub(super) fn stretch(prefix: &[u64], start: usize, end: usize) -> u64 {
    prefix[end].wrapping_sub(prefix[start].wrapping_mul(POWERS[(end - start) % N_POWERS]))
}

/// The hashes of all stretches of one length, from the prefix hashes before and behind them.
pub(super) fn stretches(before: &[u64], behind: &[u64], power: u64) -> impl Iterator<Item = u64> {
    before
        .iter()
        .zip(behind)
        .map(move |(before, behind)| behind.wrapping_sub(before.wrapping_mul(power)))
}

/// The hashes of what stands before each code, and of all: each is the one before it times [`BASE`] and the code plus
/// one.
///
/// Four at a time, from the hash before them: one after another, each multiplication would wait for the last one.
pub(super) fn fill_prefix(codes: &[u32], prefix: &mut Vec<u64>) {
    // What is left of an earlier text is overwritten.
    prefix.resize(codes.len() + 1, 0);
    prefix[0] = 0;
    let times = |hash: u64, n: usize| hash.wrapping_mul(POWERS[n]);
    let (fours, rest) = codes.as_chunks::<4>();
    let mut hash = 0_u64;
    let (places, _) = prefix[1..].as_chunks_mut::<4>();
    for (four, places) in fours.iter().zip(places) {
        let [a, b, c, d] = four.map(|code| u64::from(code) + 1);
        let ab = times(a, 1).wrapping_add(b);
        let abc = times(ab, 1).wrapping_add(c);
        let abcd = times(ab, 2).wrapping_add(times(c, 1)).wrapping_add(d);
        *places = [
            times(hash, 1).wrapping_add(a),
            times(hash, 2).wrapping_add(ab),
            times(hash, 3).wrapping_add(abc),
            times(hash, 4).wrapping_add(abcd),
        ];
        hash = places[3];
    }
    for (code, place) in rest.iter().zip(&mut prefix[1 + 4 * fours.len()..]) {
        hash = times(hash, 1).wrapping_add(u64::from(*code) + 1);
        *place = hash;
    }
}
