//! Counts of terms, kind by kind, in memory that does not grow with the corpus.
//!
//! The table is cut into parts by the upper bits of the hash, each small enough for a core's cache, so that a batch of
//! rows is counted part by part, and parts by several threads. A part that is full drops its rarest terms and goes on:
//! lossy counting (Manku and Motwani 2002). What is dropped depends on the rows and their order alone.

use crate::text::View;

/// Parts of the table: one for each value of the hash's upper eight bits.
pub(super) const N_PARTS: usize = 256;
/// Memory for all parts together, in bytes.
const TABLE_BYTES: usize = 360 << 20;

/// A term of a comment, as one number: its hash in the upper half, so that the upper bits say its part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry(u64);

impl Entry {
    const NAMING: u64 = 1 << 4;
    const OWN: u64 = 1 << 5;

    pub(super) const fn new(hash: u32, kind: u8, view: u8) -> Self {
        Self((hash as u64) << 32 | (kind as u64) << 8 | view as u64)
    }

    /// The same term, which may name a person.
    pub(super) const fn naming(self) -> Self {
        Self(self.0 | Self::NAMING)
    }

    /// The same term, of a comment that belongs to the sample or is a near-duplicate of one that does.
    pub(super) const fn own(self) -> Self {
        Self(self.0 | Self::OWN)
    }

    pub(super) const fn hash(self) -> u32 {
        (self.0 >> 32) as u32
    }

    pub(super) const fn part(self) -> usize {
        (self.0 >> 56) as usize
    }

    const fn kind(self) -> usize {
        (self.0 >> 8) as usize & 0xff
    }

    /// The view, and whether it names.
    const fn mark(self) -> u8 {
        (self.0 & 0x1f) as u8
    }
}

/// A counted term.
#[derive(Debug, Clone, Copy)]
pub(super) struct Counted<'a> {
    pub(super) hash: u32,
    pub(super) view: u8,
    pub(super) is_naming: bool,
    /// How many comments of each kind hold it.
    pub(super) cells: &'a [u32],
}

/// The terms whose hashes begin with the same eight bits.
#[derive(Debug)]
pub(super) struct Part {
    n_kinds: usize,
    keys: Vec<u32>,
    marks: Vec<u8>,
    cells: Vec<u32>,
    n: usize,
    n_slots_max: usize,
    /// Terms of at most this many comments have been dropped, once at least.
    pub(super) floor: u32,
    /// The sample's terms, ascending, and how many comments of the sample and their near-duplicates hold each.
    own: Vec<u32>,
    own_cells: Vec<u32>,
}

impl Part {
    /// An empty part. `own` are the sample's terms in it, ascending.
    pub(super) fn new(n_kinds: usize, own: &[u32]) -> Self {
        let slots = TABLE_BYTES / N_PARTS / (5 + 4 * n_kinds);
        Self::with_slots(n_kinds, own, (slots + 1).next_power_of_two() / 2)
    }

    fn with_slots(n_kinds: usize, own: &[u32], n_slots_max: usize) -> Self {
        let mut part = Self {
            n_kinds,
            keys: Vec::new(),
            marks: Vec::new(),
            cells: Vec::new(),
            n: 0,
            n_slots_max,
            floor: 0,
            own_cells: vec![0; own.len() * n_kinds],
            own: own.to_vec(),
        };
        part.rebuild(n_slots_max.min(256), 0);
        part
    }

    /// Counts a term of a comment.
    pub(super) fn add(&mut self, entry: Entry) {
        let key = entry.hash().max(1);
        let mut at = self.slot(key);
        if self.keys[at] == 0 {
            if 4 * (self.n + 1) > 3 * self.keys.len() {
                self.make_room();
                at = self.slot(key);
            }
            self.keys[at] = key;
            self.marks[at] = entry.mark();
            self.n += 1;
        } else if self.marks[at] != entry.mark() {
            // Two views' terms with one hash are one term, of the first view; if either names, so does it.
            let view = (self.marks[at] & 0xf).min(entry.mark() & 0xf);
            self.marks[at] = view | ((self.marks[at] | entry.mark()) & 0x10);
        }
        self.cells[at * self.n_kinds + entry.kind()] += 1;
        if entry.0 & Entry::OWN != 0
            && let Ok(own) = self.own.binary_search(&entry.hash())
        {
            self.own_cells[own * self.n_kinds + entry.kind()] += 1;
        }
    }

    /// The terms, in no order that means anything.
    pub(super) fn terms(&self) -> impl Iterator<Item = Counted<'_>> {
        let rows = self
            .keys
            .iter()
            .zip(&self.marks)
            .zip(self.cells.chunks_exact(self.n_kinds));
        rows.filter(|((key, _), _)| **key != 0)
            .map(|((&hash, &mark), cells)| Counted {
                hash,
                view: mark & 0xf,
                is_naming: mark & 0x10 != 0,
                cells,
            })
    }

    /// How many comments of the sample and their near-duplicates hold a term, kind by kind.
    pub(super) fn own(&self, hash: u32) -> Option<&[u32]> {
        let at = self.own.binary_search(&hash).ok()?;
        self.own_cells.get(at * self.n_kinds..(at + 1) * self.n_kinds)
    }

    fn slot(&self, key: u32) -> usize {
        let mask = self.keys.len() - 1;
        let mut at = key as usize & mask;
        while self.keys[at] != 0 && self.keys[at] != key {
            at = (at + 1) & mask;
        }
        at
    }

    #[cold]
    fn make_room(&mut self) {
        if self.keys.len() < self.n_slots_max {
            self.rebuild(2 * self.keys.len(), 0);
            return;
        }
        while 2 * self.n > self.keys.len() {
            self.floor += 1;
            self.rebuild(self.keys.len(), self.floor);
        }
    }

    /// Moves everything above the floor into so many slots.
    fn rebuild(&mut self, n_slots: usize, floor: u32) {
        let keys = std::mem::replace(&mut self.keys, vec![0; n_slots]);
        let marks = std::mem::replace(&mut self.marks, vec![0; n_slots]);
        let cells = std::mem::replace(&mut self.cells, vec![0; n_slots * self.n_kinds]);
        self.n = 0;
        for ((key, mark), own) in keys.into_iter().zip(marks).zip(cells.chunks_exact(self.n_kinds)) {
            if key != 0 && own.iter().sum::<u32>() > floor {
                let at = self.slot(key);
                self.keys[at] = key;
                self.marks[at] = mark;
                self.cells[at * self.n_kinds..(at + 1) * self.n_kinds].copy_from_slice(own);
                self.n += 1;
            }
        }
    }
}

/// Sorts entries by their parts, keeping their order within each, and says where each part begins.
pub(super) fn by_part(entries: &[Entry], into: &mut Vec<Entry>) -> [usize; N_PARTS + 1] {
    let mut starts = [0; N_PARTS + 1];
    for entry in entries {
        starts[entry.part() + 1] += 1;
    }
    for part in 0..N_PARTS {
        starts[part + 1] += starts[part];
    }
    into.clear();
    into.resize(entries.len(), Entry::new(0, 0, View::Words as u8));
    let mut next = starts;
    for &entry in entries {
        let at = &mut next[entry.part()];
        into[*at] = entry;
        *at += 1;
    }
    starts
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn counts(part: &Part) -> BTreeMap<u32, Vec<u32>> {
        part.terms().map(|term| (term.hash, term.cells.to_vec())).collect()
    }

    proptest! {
        #[test]
        fn counts_what_came(rows in proptest::collection::vec((1_u32..500, 0_u8..3), 0..3_000)) {
            let mut part = Part::with_slots(3, &[7, 9], 1 << 11);
            let mut expected: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
            for &(hash, kind) in &rows {
                part.add(Entry::new(hash, kind, 2).own());
                expected.entry(hash).or_insert_with(|| vec![0; 3])[usize::from(kind)] += 1;
            }
            let sevens = expected.get(&7).cloned().unwrap_or_else(|| vec![0; 3]);
            prop_assert_eq!(part.own(7).unwrap(), sevens);
            prop_assert_eq!(counts(&part), expected);
            prop_assert_eq!(part.floor, 0);
        }
    }

    #[test]
    fn what_is_frequent_survives_a_flood_of_what_is_rare() {
        let mut part = Part::with_slots(1, &[], 1 << 10);
        for i in 0..100_000_u32 {
            part.add(Entry::new(1_000 + i.wrapping_mul(2_654_435_761) % 1_000_000_000, 0, 0));
            part.add(Entry::new(i % 100 + 1, 0, 0));
        }
        let counts = counts(&part);
        assert!(part.floor > 0 && counts.len() <= 768);
        assert!((1..=100).all(|hash| counts[&hash] == [1_000]));
    }

    #[test]
    fn entries_come_by_part_and_in_order() {
        let entries: Vec<Entry> = (0..1_000_u32)
            .map(|i| Entry::new(i.wrapping_mul(0x9e37_79b9), 1, 2))
            .collect();
        let mut sorted = Vec::new();
        let starts = by_part(&entries, &mut sorted);
        for part in 0..N_PARTS {
            let own: Vec<Entry> = entries.iter().copied().filter(|entry| entry.part() == part).collect();
            assert_eq!(sorted[starts[part]..starts[part + 1]], own);
        }
    }
}
