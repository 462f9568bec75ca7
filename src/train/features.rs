//! The comments as sets of term numbers: what fitting works on.
//!
//! The domains of e-mail addresses, and the hosts and domains of links, may name a person. They are left out of the
//! vocabulary, as if nobody had ever seen them, unless [`GROUPS_MIN`] groups of near-duplicates hold them.

use std::collections::HashMap;

use foldhash::fast::FixedState;

use crate::comment::Example;
use crate::model::{Reading, ReadingScratch};
use crate::text::{self, N_VIEWS, Sink, Sort, VIEWS, View, may_name_a_person};

/// The least number of groups of near-duplicates that must hold a term that may name a person.
pub(super) const GROUPS_MIN: usize = 3;

/// Every comment's distinct terms, as numbers into one sorted vocabulary.
#[derive(Debug, Default)]
pub(super) struct Features {
    /// The hashes of the terms, ascending; a term's number is its place.
    pub(super) vocabulary: Vec<u32>,
    /// The view of each term.
    pub(super) view_of: Vec<u8>,
    /// The start of each comment's terms in `terms`, and the end.
    pub(super) offsets: Vec<usize>,
    /// Term numbers, comment after comment.
    pub(super) terms: Vec<u32>,
    /// The number of distinct terms of each comment in each view, known or not.
    pub(super) n_distinct: Vec<[u32; N_VIEWS]>,
}

impl Features {
    pub(super) fn n_rows(&self) -> usize {
        self.n_distinct.len()
    }

    /// The terms that stand in a comment of the given label.
    pub(super) fn seen_in(&self, labels: &[bool], label: bool) -> Vec<bool> {
        let mut seen = vec![false; self.vocabulary.len()];
        for i in (0..labels.len()).filter(|&i| labels[i] == label) {
            for &term in self.row(i) {
                seen[term as usize] = true;
            }
        }
        seen
    }

    /// The same comments over another vocabulary; terms that are not in it are gone.
    pub(super) fn over(&self, vocabulary: Vec<u32>, view_of: Vec<u8>) -> Self {
        let index = Index::new(&vocabulary);
        let number: Vec<Option<u32>> = self
            .vocabulary
            .iter()
            .map(|&hash| index.find(&vocabulary, hash))
            .collect();
        let mut out = Self {
            vocabulary,
            view_of,
            offsets: vec![0],
            terms: Vec::new(),
            n_distinct: self.n_distinct.clone(),
        };
        for i in 0..self.n_rows() {
            out.terms
                .extend(self.row(i).iter().filter_map(|&term| number[term as usize]));
            out.offsets.push(out.terms.len());
        }
        out
    }

    /// Turns the hashes in `terms` into numbers, and leaves out those that are not in the vocabulary.
    fn number(&mut self) {
        let index = Index::new(&self.vocabulary);
        let hashes = std::mem::take(&mut self.terms);
        self.terms.reserve_exact(hashes.len());
        let mut start = 0;
        for end in &mut self.offsets[1..] {
            let row = &hashes[start..*end];
            start = *end;
            self.terms
                .extend(row.iter().filter_map(|&hash| index.find(&self.vocabulary, hash)));
            *end = self.terms.len();
        }
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
    /// Terms that may name a person; may hold one twice.
    pub(super) naming: Vec<u32>,
    slots: Vec<u32>,
    n: usize,
    pub(super) n_distinct: [u32; N_VIEWS],
}

impl Distinct {
    pub(super) fn clear(&mut self) {
        self.hashes.clear();
        self.views.clear();
        self.naming.clear();
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

impl Distinct {
    /// The terms of a comment, read from its text, or as they were kept.
    pub(super) fn read(&mut self, example: &Example, scratch: &mut ReadingScratch) {
        self.clear();
        let Some(bytes) = &example.features else {
            let reading = Reading::from(example);
            reading.emit(reading.content, scratch, self);
            return;
        };
        // The corpus has checked them.
        let kept = text::Features::from_bytes(bytes.expose()).unwrap_or_default();
        for view in VIEWS {
            for &hash in &kept.terms[view as usize] {
                self.add(view, hash);
            }
        }
        self.naming.extend_from_slice(&kept.naming);
    }
}

impl Sink for Distinct {
    fn piece(&mut self, view: View, hash: u32, _start: u32, _end: u32) {
        self.add(view, hash);
    }

    fn fact(&mut self, view: View, hash: u32, _place: Option<(usize, usize)>, name: impl FnOnce() -> String) {
        self.add(view, hash);
        if view == View::Links && may_name_a_person(&name()) {
            self.naming.push(hash);
        }
    }

    fn field(&mut self, view: View, hash: u32, sort: Sort, _name: impl FnOnce() -> String) {
        self.add(view, hash);
        if sort == Sort::Personal {
            self.naming.push(hash);
        }
    }

    fn spoken(&mut self, _hash: u32) {}

    fn linked(&mut self) {}

    fn anchored(&mut self) {}
}

/// The groups that hold a term, up to [`GROUPS_MIN`] of them.
#[derive(Default)]
struct Groups {
    known: [usize; GROUPS_MIN],
    n: usize,
}

impl Groups {
    fn add(&mut self, group: usize) {
        if self.n < GROUPS_MIN && !self.known[..self.n].contains(&group) {
            self.known[self.n] = group;
            self.n += 1;
        }
    }
}

/// Reads the comments; `groups` are their groups of near-duplicates.
pub(super) fn read(examples: &[&Example], groups: &[usize]) -> Features {
    read_naming(examples, groups, GROUPS_MIN)
}

/// The same, with what may name a person if so many groups hold it, at most [`GROUPS_MIN`]: not for a vocabulary that
/// is kept.
#[expect(
    clippy::cast_possible_truncation,
    reason = "a corpus that fits into memory has fewer than 2^32 terms"
)]
pub(super) fn read_naming(examples: &[&Example], groups: &[usize], n_groups_min: usize) -> Features {
    let mut scratch = ReadingScratch::default();
    let mut distinct = Distinct::default();
    let mut out = Features::default();
    let mut known: Vec<u64> = Vec::new();
    let mut naming: HashMap<u32, Groups, FixedState> = HashMap::default();
    out.offsets.push(0);
    for (example, &group) in examples.iter().zip(groups) {
        distinct.read(example, &mut scratch);
        for &hash in &distinct.naming {
            naming.entry(hash).or_default().add(group);
        }
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
    known.retain(|entry| {
        naming
            .get(&((entry >> 8) as u32))
            .is_none_or(|groups| groups.n >= n_groups_min)
    });
    out.vocabulary = known.iter().map(|entry| (entry >> 8) as u32).collect();
    out.view_of = known.iter().map(|&entry| entry as u8).collect();
    drop(known);
    out.number();
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::comment::Label;
    use crate::train::testing::example;

    /// Returns true if the vocabulary holds what stands only in comments with this, if they are of these groups.
    fn is_learned(what: &str, groups: &[usize]) -> bool {
        let links = |content: &str| -> Vec<u32> {
            let mut distinct = Distinct::default();
            distinct.clear();
            crate::text::emit(content, &[], &mut crate::text::Scratch::default(), &mut distinct);
            distinct.naming
        };
        let examples: Vec<Example> = groups
            .iter()
            .map(|group| example(Label::Ham, &format!("comment {group}: {what}")))
            .collect();
        let features = read(&examples.iter().collect::<Vec<_>>(), groups);
        assert_eq!(features.terms.len(), features.offsets[features.n_rows()]);
        let naming = links(what);
        assert!(!naming.is_empty(), "{what}");
        let learned = naming
            .iter()
            .filter(|hash| features.vocabulary.binary_search(hash).is_ok())
            .count();
        assert!(learned == 0 || learned == naming.len());
        learned > 0
    }

    #[test]
    fn what_may_name_a_person_enters_by_three_groups_only() {
        for what in ["jane@doe-family.example", "see http://jane.doe-family.example/me"] {
            assert!(!is_learned(what, &[0, 1]), "{what}");
            assert!(!is_learned(what, &[0, 1, 0, 1, 1]), "{what}");
            assert!(is_learned(what, &[0, 1, 2]), "{what}");
        }
    }
}
