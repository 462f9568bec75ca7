//! The score of one comment: the sum of what its distinct terms are worth, view by view.
//!
//! Every view's sum is divided by the root of the number of distinct terms that the comment has in it, known or not: a
//! long comment repeats itself, and its words are not so many independent witnesses. The score is linear in the terms
//! once those numbers are known, and so its decomposition is exact: a term adds its worth over that root.
//!
//! Terms are written down row by row first and weighed together afterwards: short loops over plain numbers cost half of
//! what weighing each term as it comes did. Weights are summed in whole steps, so that no order of terms, and no way of
//! adding them up, gives another score.

use super::table::{Sum, Table};
use crate::text::{N_VIEWS, Sink, Sort, VIEWS, View};

/// A set of hashes that needs no clearing: a slot holds the upper bits of its hash and the number of the comment that
/// put it there. That two hashes are taken for one is as rare as that two terms have one hash.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    slots: Vec<u32>,
    generation: u32,
}

/// Slots for most comments.
const N_SLOTS: usize = 1 << 12;
/// The bits of a slot that say whose it is; the others are the hash's. As many bits of the hash choose the slot.
const GENERATION: u32 = (1 << 12) - 1;

impl Seen {
    /// Forgets everything, and makes room for so many hashes.
    pub(crate) fn prepare(&mut self, n: usize) {
        let n_slots = (2 * n).next_power_of_two().max(N_SLOTS);
        if self.slots.len() == n_slots && self.generation < GENERATION {
            self.generation += 1;
        } else {
            self.slots = vec![0; n_slots];
            self.generation = 1;
        }
    }

    /// Puts the hash in, and says whether it is new.
    pub(crate) fn insert(&mut self, hash: u32) -> bool {
        insert(&mut self.slots, self.generation, hash)
    }

    fn contains(&self, hash: u32) -> bool {
        let mine = hash & !GENERATION | self.generation;
        let Some(mask) = self.slots.len().checked_sub(1) else {
            return false;
        };
        let mut at = hash as usize;
        loop {
            let slot = self.slots[at & mask];
            if slot == mine || slot & GENERATION != self.generation {
                return slot == mine;
            }
            at += 1;
        }
    }

    /// Keeps of a row what was not there before.
    #[inline(never)]
    fn keep_new(&mut self, row: &mut Vec<u32>) {
        let (slots, generation) = (self.slots.as_mut_slice(), self.generation);
        let kept = row.as_mut_slice();
        let mut n = 0;
        for i in 0..kept.len() {
            let hash = kept[i];
            kept[n] = hash;
            n += usize::from(insert(slots, generation, hash));
        }
        row.truncate(n);
    }
}

/// As [`Seen::insert`].
#[inline]
fn insert(slots: &mut [u32], generation: u32, hash: u32) -> bool {
    let mine = hash & !GENERATION | generation;
    // There are always some, and a power of two of them: the compiler then sees that no index lies beyond the end.
    let Some(mask) = slots.len().checked_sub(1) else {
        return true;
    };
    let mut at = hash as usize;
    loop {
        let slot = &mut slots[at & mask];
        if *slot & GENERATION != generation {
            *slot = mine;
            return true;
        }
        if *slot == mine {
            return false;
        }
        at += 1;
    }
}

/// The terms of one text, as they come.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    /// The hashes, view by view.
    hashes: [Vec<u32>; N_VIEWS],
    /// The words with a letter in them.
    spoken: Vec<u32>,
    n_linked: u32,
    n_anchored: u32,
}

impl Rows {
    pub(crate) fn clear(&mut self) {
        self.hashes.iter_mut().for_each(Vec::clear);
        self.spoken.clear();
        self.n_linked = 0;
        self.n_anchored = 0;
    }

    fn len(&self) -> usize {
        self.hashes.iter().map(Vec::len).sum()
    }

    /// The terms as a set: of the parent that a comment replies to. What the parent looks like says nothing of what the
    /// reply looks like; its links are words of it.
    pub(crate) fn collect_into(&self, seen: &mut Seen) {
        seen.prepare(self.len());
        for view in VIEWS.into_iter().filter(|&view| view != View::Shape) {
            for &hash in &self.hashes[view as usize] {
                seen.insert(hash);
            }
        }
    }

    /// Adds up what the terms are worth. What the comment repeats of its parent is no evidence against its author.
    pub(crate) fn tally(&mut self, table: &Table, seen: &mut Seen, parent: Option<&Seen>) -> Tally {
        seen.prepare(self.len());
        let mut tally = Tally {
            n_spoken: count(self.spoken.len()),
            n_linked: self.n_linked,
            n_anchored: self.n_anchored,
            ..Tally::default()
        };
        for (v, row) in self.hashes.iter_mut().enumerate() {
            seen.keep_new(row);
            tally.n_distinct[v] = count(row.len());
            tally.sums[v] = match parent {
                None => table.sum(row),
                Some(_) => {
                    row.retain(|&hash| weight_of(table, hash, parent) != Some(0));
                    table.sum(row)
                }
            };
        }
        tally.n_known = count(table.n_in_ham(&self.spoken));
        tally
    }
}

/// The addition of a term before damping, in steps, or `None` if it is unknown. What speaks against the author and
/// stands in the parent adds nothing.
pub(crate) fn weight_of(table: &Table, hash: u32, parent: Option<&Seen>) -> Option<i16> {
    let steps = table.find(hash)?.steps;
    let is_repeated = steps > 0 && parent.is_some_and(|parent| parent.contains(hash));
    Some(if is_repeated { 0 } else { steps })
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

impl Sink for Rows {
    #[inline]
    fn piece(&mut self, view: View, hash: u32, _start: u32, _end: u32) {
        self.hashes[view as usize].push(hash);
    }

    #[inline]
    fn row(&mut self, view: View, hashes: &[u32], _places: impl Iterator<Item = (u32, u32)>) {
        self.hashes[view as usize].extend_from_slice(hashes);
    }

    #[inline]
    fn fact(&mut self, view: View, hash: u32, _place: Option<(usize, usize)>, _name: impl FnOnce() -> String) {
        self.hashes[view as usize].push(hash);
    }

    #[inline]
    fn field(&mut self, view: View, hash: u32, _sort: Sort, _name: impl FnOnce() -> String) {
        self.hashes[view as usize].push(hash);
    }

    #[inline]
    fn spoken(&mut self, hash: u32) {
        self.spoken.push(hash);
    }

    #[inline]
    fn linked(&mut self) {
        self.n_linked += 1;
    }

    #[inline]
    fn anchored(&mut self) {
        self.n_anchored += 1;
    }
}

/// The sums of one comment.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Tally {
    /// The weights of the known terms of each view together.
    pub(crate) sums: [Sum; N_VIEWS],
    /// Distinct terms of each view, known or not.
    pub(crate) n_distinct: [u32; N_VIEWS],
    /// Words with a letter in them, each time that they come.
    pub(crate) n_spoken: u32,
    /// The ones among them that training saw in ham.
    pub(crate) n_known: u32,
    /// Links and addresses that stand in the text.
    pub(crate) n_linked: u32,
    /// Links that are written as markup.
    pub(crate) n_anchored: u32,
    /// True if most letters are of a script other than Latin.
    pub(crate) is_foreign: bool,
}

impl Tally {
    /// The factor of a view's terms.
    pub(crate) fn damping(&self, view: View) -> f64 {
        1.0 / f64::from(self.n_distinct[view as usize].max(1)).sqrt()
    }

    /// The factor of terms that training saw in spam alone, in [0, 1].
    ///
    /// Of scripts other than Latin training may have read little but advertisements, and then all that is said in one
    /// looks like an advertisement. What spam alone was seen to say counts there only as far as readers were seen to
    /// say the rest; `enough` is the share of words from which on it counts in full. Links speak for themselves: hardly
    /// any spam in such scripts does without, and hardly any reader's comment has one.
    pub(crate) fn spam_only_discount(&self, enough: f64) -> f64 {
        if !self.is_foreign || self.n_linked + self.n_anchored > 0 {
            return 1.0;
        }
        let needed = enough * f64::from(self.n_spoken);
        if f64::from(self.n_known) >= needed {
            1.0
        } else {
            f64::from(self.n_known) / needed
        }
    }

    /// The sum over the views, in steps, if that is what terms seen in spam alone count for.
    pub(crate) fn sum(&self, spam_only_discount: f64) -> f64 {
        let all = self.over(&VIEWS, |sum| sum.steps);
        if spam_only_discount >= 1.0 {
            return all;
        }
        let in_ham = self.over(&VIEWS, |sum| sum.steps_in_ham);
        in_ham + spam_only_discount * (all - in_ham)
    }

    /// The sum of one view, in steps.
    pub(crate) fn of_view(&self, view: View) -> f64 {
        self.over(&[view], |sum| sum.steps)
    }

    /// The sum of words, links and shape that were seen in ham, in steps. Characters are left out: those of any
    /// language in Latin letters have been seen, and say nothing that was understood.
    pub(crate) fn sum_in_ham(&self) -> f64 {
        let understood = [View::Words, View::Pairs, View::Triples, View::Links, View::Shape];
        self.over(&understood, |sum| sum.steps_in_ham)
    }

    /// The sum of pairs and triples of words, in steps.
    pub(crate) fn sum_in_context(&self) -> f64 {
        self.over(&[View::Pairs, View::Triples], |sum| sum.steps)
    }

    /// The sum of a text's letters, whatever they link to, in steps.
    pub(crate) fn sum_of_letters(&self) -> f64 {
        self.over(&[View::Chars3, View::Letters], |sum| sum.steps)
    }

    /// Distinct triples of words that training saw, in spam or in ham.
    pub(crate) const fn n_recognized(&self) -> u32 {
        self.sums[View::Triples as usize].n_known
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "a comment's sum of 16-bit numbers is far below 2^53"
    )]
    fn over(&self, views: &[View], steps: impl Fn(&Sum) -> i64) -> f64 {
        views
            .iter()
            .map(|&view| steps(&self.sums[view as usize]) as f64 * self.damping(view))
            .sum()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn seen_is_a_set_also_when_used_again(
            rounds in prop::collection::vec(prop::collection::vec(0..400_u32, 0..300), 1..4),
        ) {
            // As far apart as hashes are: neighbors with the same upper bits may be taken for one.
            let rounds = rounds.into_iter().map(|round| round.into_iter().map(|i| i.wrapping_mul(0x9e37_79b1)));
            let mut seen = Seen::default();
            for round in rounds {
                seen.prepare(round.len());
                let mut expected = HashSet::new();
                for hash in round {
                    prop_assert_eq!(seen.contains(hash), expected.contains(&hash));
                    prop_assert_eq!(seen.insert(hash), expected.insert(hash));
                    prop_assert!(seen.contains(hash));
                }
            }
        }
    }

    #[test]
    fn what_spam_alone_said_in_a_foreign_script_counts_as_far_as_readers_are_known() {
        let mut tally = Tally {
            n_spoken: 10,
            is_foreign: true,
            ..Tally::default()
        };
        tally.n_distinct[View::Words as usize] = 4;
        tally.sums[View::Words as usize] = Sum {
            steps: 200,
            steps_in_ham: -20,
            n_known: 4,
        };
        let counts = |tally: &Tally, expected: f64| {
            let worth = tally.spam_only_discount(0.4);
            assert!((worth - expected).abs() < 1e-12, "{worth}");
            let sum = tally.sum(worth);
            assert!((sum - (-10.0 + 110.0 * expected)).abs() < 1e-9, "{sum}");
        };
        counts(&tally, 0.0);
        tally.n_known = 1;
        counts(&tally, 0.25);
        tally.n_known = 4;
        counts(&tally, 1.0);
        tally.n_known = 0;
        for of_a_link in [
            |tally: &mut Tally| tally.n_linked = 1,
            |tally: &mut Tally| tally.n_anchored = 1,
        ] {
            let mut linked = tally;
            of_a_link(&mut linked);
            counts(&linked, 1.0);
        }
        tally.is_foreign = false;
        counts(&tally, 1.0);
    }

    #[test]
    fn seen_forgets_in_every_generation() {
        let mut seen = Seen::default();
        for round in 0..2 * GENERATION {
            seen.prepare(if round % 1000 == 0 { 5000 } else { 3 });
            assert!(seen.insert(0) && seen.insert(7) && !seen.insert(0) && !seen.contains(4096));
        }
    }
}
