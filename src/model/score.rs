//! The score of one comment: the sum of what its distinct terms are worth, view by view.
//!
//! Every view's sum is divided by the root of the number of distinct terms that the comment has in it, known or not: a
//! long comment repeats itself, and its words are not so many independent witnesses. The score is linear in the terms
//! once those numbers are known, and so its decomposition is exact: a term adds its worth over that root.

use super::table::{Table, key_of};
use crate::text::{N_VIEWS, Sink, View};

/// A set of hashes that is cheap to clear: most comments fit into a few cache lines of it.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    slots: Vec<u32>,
    n: usize,
}

/// Slots for most comments; longer ones grow it.
const N_SLOTS: usize = 1 << 12;

impl Seen {
    pub(crate) fn clear(&mut self) {
        if self.slots.len() == N_SLOTS {
            self.slots.fill(0);
        } else {
            self.slots = vec![0; N_SLOTS];
        }
        self.n = 0;
    }

    /// Puts the hash in, and says whether it is new.
    #[inline]
    pub(crate) fn insert(&mut self, hash: u32) -> bool {
        let key = key_of(hash);
        let mask = self.slots.len() - 1;
        let mut at = key as usize & mask;
        while self.slots[at] != 0 {
            if self.slots[at] == key {
                return false;
            }
            at = (at + 1) & mask;
        }
        self.slots[at] = key;
        self.n += 1;
        if 2 * self.n > self.slots.len() {
            self.grow();
        }
        true
    }

    pub(crate) fn contains(&self, hash: u32) -> bool {
        let key = key_of(hash);
        let mask = self.slots.len().wrapping_sub(1);
        let mut at = key as usize & mask;
        while self.slots.get(at).is_some_and(|&slot| slot != 0) {
            if self.slots[at] == key {
                return true;
            }
            at = (at + 1) & mask;
        }
        false
    }

    #[cold]
    fn grow(&mut self) {
        let larger = vec![0; self.slots.len() * 4];
        let old = std::mem::replace(&mut self.slots, larger);
        self.n = 0;
        for key in old.into_iter().filter(|&key| key != 0) {
            self.insert(key);
        }
    }
}

/// Collects the hashes of a text: of the parent that a comment replies to.
#[derive(Debug, Default)]
pub(crate) struct Collector {
    pub(crate) seen: Seen,
}

impl Sink for Collector {
    fn piece(&mut self, _view: View, hash: u32, _start: u32, _end: u32) {
        self.seen.insert(hash);
    }

    /// What the parent looks like says nothing of what the reply looks like; its links are words of it.
    fn fact(&mut self, view: View, hash: u32, _place: Option<(usize, usize)>, _name: impl FnOnce() -> String) {
        if view == View::Links {
            self.seen.insert(hash);
        }
    }
}

/// What one comment adds up to.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Tally {
    /// What the known terms of each view are worth together.
    pub(crate) worth: [f64; N_VIEWS],
    /// Of that, the part that terms seen in ham carry.
    pub(crate) worth_in_ham: [f64; N_VIEWS],
    /// Distinct terms of each view, known or not.
    pub(crate) n_distinct: [u32; N_VIEWS],
    /// Words with a letter in them, each time that they come.
    pub(crate) n_spoken: u32,
    /// Of them, those seen in ham.
    pub(crate) n_known: u32,
    /// Distinct triples that training saw, in spam or in ham.
    pub(crate) n_recognized: u32,
    /// Links and addresses.
    pub(crate) n_linked: u32,
    /// Are most letters of a script other than Latin?
    pub(crate) is_foreign: bool,
}

impl Tally {
    /// What a view's terms are multiplied by.
    pub(crate) fn damping(&self, view: View) -> f64 {
        1.0 / f64::from(self.n_distinct[view as usize].max(1)).sqrt()
    }

    /// The sum over the views.
    pub(crate) fn sum(&self) -> f64 {
        crate::text::VIEWS
            .iter()
            .map(|&view| self.worth[view as usize] * self.damping(view))
            .sum()
    }

    /// What words, links and shape seen in ham carry. Characters are left out: those of any language in Latin letters
    /// have been seen, and say nothing that was understood.
    pub(crate) fn sum_in_ham(&self) -> f64 {
        let understood = [View::Words, View::Pairs, View::Triples, View::Links, View::Shape];
        understood
            .iter()
            .map(|&view| self.worth_in_ham[view as usize] * self.damping(view))
            .sum()
    }
}

/// Adds up the terms of a comment as they come.
#[derive(Debug)]
pub(crate) struct Scorer<'a> {
    pub(crate) table: &'a Table,
    pub(crate) seen: &'a mut Seen,
    /// The parent's terms: what the comment repeats of them is no evidence against its author.
    pub(crate) parent: Option<&'a Seen>,
    pub(crate) tally: Tally,
}

impl Scorer<'_> {
    /// Weighs a term: what it adds before damping, or `None` if it came before or is unknown.
    #[inline]
    pub(crate) fn weigh(&mut self, view: View, hash: u32) -> Option<f64> {
        if !self.seen.insert(hash) {
            return None;
        }
        let v = view as usize;
        self.tally.n_distinct[v] += 1;
        let worth = self.table.find(hash)?;
        self.tally.n_recognized += u32::from(view == View::Triples);
        let mut weight = f64::from(worth.weight);
        if weight > 0.0 && self.parent.is_some_and(|parent| parent.contains(hash)) {
            weight = 0.0;
        }
        self.tally.worth[v] += weight;
        if worth.in_ham {
            self.tally.worth_in_ham[v] += weight;
        }
        Some(weight)
    }
}

impl Sink for Scorer<'_> {
    #[inline]
    fn piece(&mut self, view: View, hash: u32, _start: u32, _end: u32) {
        self.weigh(view, hash);
    }

    #[inline]
    fn fact(&mut self, view: View, hash: u32, _place: Option<(usize, usize)>, _name: impl FnOnce() -> String) {
        self.weigh(view, hash);
    }

    #[inline]
    fn spoken(&mut self, hash: u32) {
        self.tally.n_spoken += 1;
        self.tally.n_known += u32::from(self.table.find(hash).is_some_and(|worth| worth.in_ham));
    }

    #[inline]
    fn linked(&mut self) {
        self.tally.n_linked += 1;
    }
}
