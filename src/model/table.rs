//! The weights of all terms: one table for all views, in the order of the terms' hashes.
//!
//! A hash's first bits name its home. Terms stand at home or as near behind it as the order allows, and a slot holds
//! the rest of its hash with how far from home it stands, so that its 32 bits say exactly whose they are. The table is
//! filled in one pass, and hardly a look-up has a branch that the processor would have to guess.

use super::slots::Slots;

/// A term's worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Weight {
    /// The addition to the log-odds, before its view is damped, in the model's steps.
    pub(crate) steps: i16,
    /// True if it was seen in ham.
    pub(crate) in_ham: bool,
}

/// The sum of terms' weights, in the model's steps.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Sum {
    /// All of them.
    pub(crate) steps: i64,
    /// Those seen in ham.
    pub(crate) steps_in_ham: i64,
    /// The number of known terms.
    pub(crate) n_known: u32,
}

/// Hash to worth.
#[derive(Debug, Clone)]
pub(crate) struct Table {
    /// The slots. From a slot's highest bit: the rest of the hash, one more than the distance from home
    /// ([`N_CHECK_BITS`] together, and 0 for an empty slot), the ham mark, the steps.
    slots: Slots,
    home_bits: u32,
    /// The bits of a slot that say the distance.
    distance_mask: u32,
    n_terms: usize,
}

/// The reason why terms make no table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unfit {
    /// They crowd so much that no table of a size that they justify holds them.
    Crowded,
    /// Their hashes are not in ascending order.
    Unsorted,
}

const N_CHECK_BITS: u32 = 15;
/// One slot away from home.
const DISTANCE: u32 = 1 << (32 - N_CHECK_BITS);
/// The ham mark and the steps.
const KNOWN_MAX: u32 = DISTANCE - 1;
const HAM: u32 = 1 << 16;
/// With fewer, the rest of a hash and its distance would not fit into the check.
const HOME_BITS_MIN: u32 = 21;
/// With more, a table would be larger than 512 MiB.
const HOME_BITS_MAX: u32 = 27;

impl Table {
    /// A table of distinct hashes in ascending order.
    pub(crate) fn new(terms: &(impl ExactSizeIterator<Item = (u32, Weight)> + Clone)) -> Result<Self, Unfit> {
        let n_terms = terms.len();
        // Half full at most: hardly a term stands further than two slots from home.
        let fits = (2 * n_terms).next_power_of_two().trailing_zeros();
        let least = fits.max(HOME_BITS_MIN);
        let mut made = Err(Unfit::Crowded);
        for home_bits in least..=HOME_BITS_MAX.min(least + 1) {
            made = Self::fill(home_bits, terms.clone());
            if made.as_ref().err() != Some(&Unfit::Crowded) {
                break;
            }
        }
        made
    }

    fn fill(home_bits: u32, terms: impl ExactSizeIterator<Item = (u32, Weight)>) -> Result<Self, Unfit> {
        let n_terms = terms.len();
        let distance_max = (1_usize << distance_bits(home_bits)) - 2;
        let slots = Slots::filled((1 << home_bits) + distance_max + 1, |slots| {
            let mut free = 0;
            let mut least = 0;
            for (hash, worth) in terms {
                if u64::from(hash) < least {
                    return Err(Unfit::Unsorted);
                }
                least = u64::from(hash) + 1;
                let (home, check) = place(home_bits, hash);
                let at = free.max(home);
                let distance = u32::try_from(at - home)
                    .ok()
                    .filter(|_| at - home <= distance_max)
                    .ok_or(Unfit::Crowded)?;
                #[expect(clippy::cast_sign_loss, reason = "the sixteen bits are read back as they are")]
                let steps = u32::from(worth.steps as u16);
                slots[at] = (check + distance * DISTANCE) | (u32::from(worth.in_ham) * HAM) | steps;
                free = at + 1;
            }
            Ok(())
        })?;
        Ok(Self {
            slots,
            home_bits,
            distance_mask: ((1 << distance_bits(home_bits)) - 1) * DISTANCE,
            n_terms,
        })
    }

    /// The number of terms that it knows.
    pub(crate) const fn n_terms(&self) -> usize {
        self.n_terms
    }

    /// The first slots that a term may stand in: its home, and the next ones.
    #[inline]
    fn near(&self, slots: &[u32], hash: u32) -> [u32; NEAR] {
        let (home, _) = place(self.home_bits, hash);
        let near = slots.get(home..home + NEAR).and_then(|near| near.try_into().ok());
        near.unwrap_or_default()
    }

    /// The ham mark and the steps of a term that has these slots, and whether it may stand behind them. Of one that was
    /// not found, more than [`KNOWN_MAX`]. Without a branch that the processor would have to guess.
    #[inline]
    fn look_near(&self, hash: u32, [first, second, third]: [u32; NEAR]) -> (u32, bool) {
        let (_, check) = place(self.home_bits, hash);
        // What is left of a slot when the check that it should have is taken out; of at most one of them little.
        let left = [
            first ^ check,
            second ^ (check + DISTANCE),
            third ^ (check + 2 * DISTANCE),
        ];
        let known = left.map(|left| if left / DISTANCE == 0 { u32::MAX } else { 0 });
        let is_known = known[0] | known[1] | known[2];
        let found = (left[0] & known[0]) | (left[1] & known[1]) | (left[2] & known[2]) | !is_known;
        // If the third stands further from its home than from this one, more of this home's may stand behind it.
        let goes_on = third & self.distance_mask > 2 * DISTANCE;
        (found, goes_on & (is_known == 0))
    }

    /// As [`Table::look_near`], to the end.
    #[inline]
    fn look_up(&self, slots: &[u32], hash: u32) -> u32 {
        match self.look_near(hash, self.near(slots, hash)) {
            (found, false) => found,
            (_, true) => self.look_further(slots, hash),
        }
    }

    /// Looks behind what [`Table::look_near`] has seen: one term of a thousand stands there.
    #[cold]
    fn look_further(&self, slots: &[u32], hash: u32) -> u32 {
        let (home, check) = place(self.home_bits, hash);
        let mut check = check + 2 * DISTANCE;
        for slot in slots.iter().skip(home + NEAR) {
            check += DISTANCE;
            if slot & self.distance_mask < check & self.distance_mask {
                break;
            }
            if slot ^ check <= KNOWN_MAX {
                return slot ^ check;
            }
        }
        u32::MAX
    }

    /// The weight of the term, if it is known.
    #[inline]
    pub(crate) fn find(&self, hash: u32) -> Option<Weight> {
        let found = self.look_up(self.slots.get(), hash);
        (found <= KNOWN_MAX).then(|| Weight {
            steps: steps(found),
            in_ham: found & HAM != 0,
        })
    }

    /// The sum of the terms' weights: those that are not known add nothing.
    #[inline(never)]
    pub(crate) fn sum(&self, hashes: &[u32]) -> Sum {
        let mut sum = Sum::default();
        self.look_up_all(hashes, |found| add(found, &mut sum));
        sum
    }

    /// The number of the terms that were seen in ham.
    #[inline(never)]
    pub(crate) fn n_in_ham(&self, hashes: &[u32]) -> usize {
        let mut n = 0;
        let is_in_ham = |found: &&u32| **found <= KNOWN_MAX && **found & HAM != 0;
        self.look_up_all(hashes, |found| n += found.iter().filter(is_in_ham).count());
        n
    }

    /// Hands out what [`Table::look_up`] finds, for at most [`TOGETHER`] at once, in three short loops. The first goes
    /// to the terms' homes: nearly each lies in memory that no cache has, and the processor asks for the next ones
    /// while it waits for the first. The second looks at what was there, and `each` at what that is: both are over
    /// plain numbers, four or more at a time.
    #[inline]
    fn look_up_all(&self, hashes: &[u32], mut each: impl FnMut(&[u32])) {
        let slots = self.slots.get();
        let mut near = [[0; TOGETHER]; NEAR];
        let mut found = [0; TOGETHER];
        for hashes in hashes.chunks(TOGETHER) {
            let found = &mut found[..hashes.len()];
            let [first, second, third] = &mut near;
            let places = first.iter_mut().zip(second.iter_mut()).zip(third.iter_mut());
            for (&hash, ((first, second), third)) in hashes.iter().zip(places) {
                [*first, *second, *third] = self.near(slots, hash);
            }
            let near = first.iter().zip(second.iter()).zip(third.iter());
            let mut go_on = false;
            for ((&hash, found), ((&first, &second), &third)) in hashes.iter().zip(found.iter_mut()).zip(near) {
                let goes_on;
                (*found, goes_on) = self.look_near(hash, [first, second, third]);
                go_on |= goes_on;
            }
            if go_on {
                for (&hash, found) in hashes.iter().zip(found.iter_mut()) {
                    *found = self.look_up(slots, hash);
                }
            }
            each(found);
        }
    }
}

/// Slots that are looked at in any case.
const NEAR: usize = 3;

/// Terms that are looked up together.
const TOGETHER: usize = 64;

/// Adds up what was found of at most [`TOGETHER`] terms.
fn add(found: &[u32], sum: &mut Sum) {
    let (mut all, mut in_ham, mut n_known) = (0_i32, 0_i32, 0);
    for &found in found {
        let is_known = u32::from(found <= KNOWN_MAX);
        n_known += is_known;
        let steps = i32::from(steps(found)) * i32::from(is_known == 1);
        all += steps;
        in_ham += if found & HAM == 0 { 0 } else { steps };
    }
    sum.steps += i64::from(all);
    sum.steps_in_ham += i64::from(in_ham);
    sum.n_known += n_known;
}

/// The number of bits of the check that hold the distance from home.
const fn distance_bits(home_bits: u32) -> u32 {
    N_CHECK_BITS + home_bits - 32
}

/// A hash's home, and its check there.
#[inline]
const fn place(home_bits: u32, hash: u32) -> (usize, u32) {
    ((hash >> (32 - home_bits)) as usize, hash << home_bits | DISTANCE)
}

#[inline]
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    reason = "the lower sixteen bits are meant, and as they were put"
)]
const fn steps(slot: u32) -> i16 {
    slot as u16 as i16
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn worth(hash: u32) -> Weight {
        Weight {
            steps: (hash % 65_535) as u16 as i16,
            in_ham: hash.is_multiple_of(3),
        }
    }

    fn table(hashes: &[u32]) -> Result<Table, Unfit> {
        let terms: BTreeMap<u32, Weight> = hashes.iter().map(|&hash| (hash, worth(hash))).collect();
        Table::new(&terms.into_iter().collect::<Vec<_>>().into_iter())
    }

    proptest! {
        /// True if they crowd behind one another's homes.
        #[test]
        fn finds_what_was_put_and_nothing_else(
            hashes in prop::collection::vec(prop_oneof![any::<u32>(), 0..14_u32, 2048..2052_u32, u32::MAX - 13..], 0..40),
            others in prop::collection::vec(prop_oneof![any::<u32>(), 0..20_u32, 2040..4100_u32, u32::MAX - 30..], 0..40),
        ) {
            let table = table(&hashes).unwrap();
            for hash in hashes.iter().chain(&others) {
                prop_assert_eq!(table.find(*hash), hashes.contains(hash).then(|| worth(*hash)).filter(|_| true));
            }
            let known = hashes.iter().map(|&hash| i64::from(worth(hash).steps)).sum::<i64>();
            let sum = table.sum(&hashes);
            prop_assert_eq!(sum.steps, known);
            prop_assert_eq!(sum.n_known as usize, hashes.len());
            let in_ham = hashes.iter().filter(|&&hash| worth(hash).in_ham);
            prop_assert_eq!(sum.steps_in_ham, in_ham.map(|&hash| i64::from(worth(hash).steps)).sum::<i64>());
        }
    }

    #[test]
    fn a_table_grows_for_terms_that_crowd_and_gives_up_in_the_end() {
        assert!(table(&[]).unwrap().find(0).is_none());
        // A home of 21 bits keeps fourteen others at bay, one of 22 bits thirty.
        let crowd: Vec<u32> = (0..20).collect();
        let table_of = table(&crowd).unwrap();
        assert!(crowd.iter().all(|&hash| table_of.find(hash) == Some(worth(hash))));
        assert!(table_of.find(20).is_none());
        assert_eq!(
            Table::new(&[(7, worth(7)), (7, worth(7))].into_iter()).unwrap_err(),
            Unfit::Unsorted
        );
        assert_eq!(table(&(0..100).collect::<Vec<_>>()).unwrap_err(), Unfit::Crowded);
    }
}
