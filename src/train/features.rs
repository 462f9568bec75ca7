//! The comments as sets of term numbers: what fitting works on.

use crate::comment::Example;
use crate::text::{N_VIEWS, Scratch, Sink, View, emit};

/// Every comment's distinct terms, as numbers into one sorted vocabulary.
#[derive(Debug, Default)]
pub(super) struct Features {
    /// The hashes of the terms, ascending; a term's number is its place.
    pub(super) vocabulary: Vec<u32>,
    /// The view of each term.
    pub(super) view_of: Vec<u8>,
    /// Where each comment's terms begin in `terms`, and the end.
    pub(super) offsets: Vec<usize>,
    /// Term numbers, comment after comment.
    pub(super) terms: Vec<u32>,
    /// How many distinct terms each comment has in each view, known or not.
    pub(super) n_distinct: Vec<[u32; N_VIEWS]>,
}

impl Features {
    pub(super) fn n_rows(&self) -> usize {
        self.n_distinct.len()
    }

    /// Which terms stand in a comment of the given label.
    pub(super) fn seen_in(&self, labels: &[bool], label: bool) -> Vec<bool> {
        let mut seen = vec![false; self.vocabulary.len()];
        for i in (0..labels.len()).filter(|&i| labels[i] == label) {
            for &term in self.row(i) {
                seen[term as usize] = true;
            }
        }
        seen
    }

    /// The terms of one comment.
    pub(super) fn row(&self, i: usize) -> &[u32] {
        &self.terms[self.offsets[i]..self.offsets[i + 1]]
    }
}

/// The distinct terms of one comment as they come.
#[derive(Default)]
pub(super) struct Distinct {
    pub(super) hashes: Vec<u32>,
    pub(super) views: Vec<u8>,
    slots: Vec<u32>,
    n: usize,
    pub(super) n_distinct: [u32; N_VIEWS],
}

impl Distinct {
    pub(super) fn clear(&mut self) {
        self.hashes.clear();
        self.views.clear();
        self.n = 0;
        self.n_distinct = [0; N_VIEWS];
        self.slots.clear();
        self.slots.resize(1 << 12, 0);
    }

    fn add(&mut self, view: View, hash: u32) {
        if 2 * self.n >= self.slots.len() {
            let n = self.slots.len() * 4;
            self.slots.clear();
            self.slots.resize(n, 0);
            for &hash in &self.hashes {
                Self::insert(&mut self.slots, hash);
            }
        }
        if Self::insert(&mut self.slots, hash) {
            self.n += 1;
            self.hashes.push(hash);
            self.views.push(view as u8);
            self.n_distinct[view as usize] += 1;
        }
    }

    fn insert(slots: &mut [u32], hash: u32) -> bool {
        let key = hash.max(1);
        let mask = slots.len() - 1;
        let mut at = key as usize & mask;
        while slots[at] != 0 {
            if slots[at] == key {
                return false;
            }
            at = (at + 1) & mask;
        }
        slots[at] = key;
        true
    }
}

impl Sink for Distinct {
    fn piece(&mut self, view: View, hash: u32, _start: u32, _end: u32) {
        self.add(view, hash);
    }

    fn fact(&mut self, view: View, hash: u32, _place: Option<(usize, usize)>, _name: impl FnOnce() -> String) {
        self.add(view, hash);
    }
}

/// Reads the comments.
#[expect(
    clippy::cast_possible_truncation,
    reason = "a corpus that fits into memory has fewer than 2^32 terms"
)]
pub(super) fn read(examples: &[&Example]) -> Features {
    let mut scratch = Scratch::default();
    let mut distinct = Distinct::default();
    let mut out = Features::default();
    let mut known: Vec<u64> = Vec::new();
    out.offsets.push(0);
    for example in examples {
        distinct.clear();
        emit(example.content.expose(), &[], &mut scratch, &mut distinct);
        out.terms.extend_from_slice(&distinct.hashes);
        known.extend(
            distinct
                .hashes
                .iter()
                .zip(&distinct.views)
                .map(|(&hash, &view)| u64::from(hash) << 8 | u64::from(view)),
        );
        out.offsets.push(out.terms.len());
        out.n_distinct.push(distinct.n_distinct);
    }
    known.sort_unstable();
    // Two views' terms with one hash are one term, of the first view.
    known.dedup_by_key(|entry| *entry >> 8);
    out.vocabulary = known.iter().map(|entry| (entry >> 8) as u32).collect();
    out.view_of = known.iter().map(|&entry| entry as u8).collect();
    drop(known);
    let index = Index::new(&out.vocabulary);
    for term in &mut out.terms {
        *term = index.find(&out.vocabulary, *term).unwrap_or(0);
    }
    out
}

/// Finds a hash in a sorted list through a table over its upper bits.
pub(super) struct Index {
    starts: Vec<u32>,
    shift: u32,
}

impl Index {
    #[expect(clippy::cast_possible_truncation, reason = "fewer than 2^32 terms")]
    pub(super) fn new(sorted: &[u32]) -> Self {
        let bits = (usize::BITS - sorted.len().leading_zeros()).clamp(1, 24);
        let shift = 32 - bits;
        let mut starts = vec![0_u32; (1 << bits) + 1];
        for &hash in sorted {
            starts[(hash >> shift) as usize + 1] += 1;
        }
        for i in 1..starts.len() {
            starts[i] += starts[i - 1];
        }
        debug_assert_eq!(starts.last().copied(), Some(sorted.len() as u32));
        Self { starts, shift }
    }

    pub(super) fn find(&self, sorted: &[u32], hash: u32) -> Option<u32> {
        let bucket = (hash >> self.shift) as usize;
        let (start, end) = (self.starts[bucket], self.starts[bucket + 1]);
        (start..end).find(|&i| sorted[i as usize] == hash)
    }
}
