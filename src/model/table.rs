//! What every term is worth: one open-addressed table for all views.

/// A term's worth.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Worth {
    /// What it adds to the log-odds, before its view is damped.
    pub(crate) weight: f32,
    /// Was it seen in ham?
    pub(crate) in_ham: bool,
}

/// A slot: the term's hash (0 is an empty slot), and its weight with the ham mark in the lowest bit, so that one cache
/// line answers for eight slots.
#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    key: u32,
    bits: u32,
}

/// Hash to worth.
#[derive(Debug, Clone)]
pub(crate) struct Table {
    slots: Vec<Slot>,
    shift: u32,
    n_terms: usize,
}

/// An empty slot's key cannot be a term's.
#[inline]
pub(crate) const fn key_of(hash: u32) -> u32 {
    if hash == 0 { 1 } else { hash }
}

impl Table {
    /// A table of distinct keys.
    pub(crate) fn new(n_terms: usize, terms: impl Iterator<Item = (u32, Worth)>) -> Self {
        let bits = (n_terms + n_terms / 2 + 16)
            .next_power_of_two()
            .trailing_zeros()
            .min(31);
        let mut table = Self {
            slots: vec![Slot::default(); 1 << bits],
            shift: 32 - bits,
            n_terms,
        };
        let mask = table.slots.len() - 1;
        for (hash, worth) in terms {
            let key = key_of(hash);
            let mut at = (key >> table.shift) as usize;
            while table.slots[at].key != 0 && table.slots[at].key != key {
                at = (at + 1) & mask;
            }
            table.slots[at] = Slot {
                key,
                bits: worth.weight.to_bits() & !1 | u32::from(worth.in_ham),
            };
        }
        table
    }

    /// How many terms it knows.
    pub(crate) const fn n_terms(&self) -> usize {
        self.n_terms
    }

    /// What the term is worth, if it is known.
    #[inline]
    pub(crate) fn find(&self, hash: u32) -> Option<Worth> {
        let key = key_of(hash);
        let mask = self.slots.len() - 1;
        let mut at = (key >> self.shift) as usize & mask;
        loop {
            let slot = self.slots[at];
            if slot.key == key {
                return Some(Worth {
                    weight: f32::from_bits(slot.bits & !1),
                    in_ham: slot.bits & 1 == 1,
                });
            }
            if slot.key == 0 {
                return None;
            }
            at = (at + 1) & mask;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_was_put_and_nothing_else() {
        let worth = |i: u32| Worth {
            weight: f32::from_bits(f32::to_bits(i as f32 / 7.0) & !1),
            in_ham: i.is_multiple_of(2),
        };
        let hash = |i: u32| i.wrapping_mul(0x9e37_79b9);
        let table = Table::new(1000, (0..1000).map(|i| (hash(i), worth(i))));
        for i in 0..1000 {
            assert_eq!(table.find(hash(i)), Some(worth(i)));
        }
        assert!((1000..2000).all(|i| table.find(hash(i)).is_none()));
        assert!(Table::new(0, std::iter::empty()).find(7).is_none());
    }
}
