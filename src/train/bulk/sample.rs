//! A sample of the comments that fits into memory, drawn while they stream by.
//!
//! A text's place in the draw is a hash of its skeleton under the seed, and those with the lowest are kept (bottom-k
//! sampling), so that which texts are drawn depends neither on their order nor on how often they come, and exact copies
//! are drawn together.

use std::collections::BTreeMap;

use crate::comment::Example;

/// Copies of one text that are kept at most.
const COPIES_MAX: usize = 20;

/// The texts drawn so far, by their places, with their copies.
#[derive(Debug)]
pub(super) struct Draw {
    kept: BTreeMap<u64, Vec<Example>>,
    n_max: usize,
    /// Was a text refused or let go?
    is_full: bool,
}

impl Draw {
    /// Draws this many texts.
    pub(super) const fn new(n_max: usize) -> Self {
        Self {
            kept: BTreeMap::new(),
            n_max,
            is_full: false,
        }
    }

    /// Texts were not offered, as their places are beyond the limit.
    pub(super) const fn pass_over(&mut self) {
        self.is_full = true;
    }

    /// Texts with a place beyond this need not be offered.
    pub(super) fn limit(&self) -> u64 {
        match self.kept.last_key_value() {
            Some((&last, _)) if self.kept.len() >= self.n_max => last,
            _ => u64::MAX,
        }
    }

    /// Offers a comment.
    pub(super) fn offer(&mut self, place: u64, example: Example) {
        if place > self.limit() {
            self.is_full = true;
            return;
        }
        let copies = self.kept.entry(place).or_default();
        if copies.len() < COPIES_MAX {
            copies.push(example);
        }
        if self.kept.len() > self.n_max {
            self.kept.pop_last();
            self.is_full = true;
        }
    }

    /// How many distinct texts there are in all: exact if all were drawn, else to within some 2 %.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "an estimate"
    )]
    pub(super) fn n_distinct(&self) -> u64 {
        match self.kept.last_key_value() {
            Some((&last, _)) if self.is_full => ((self.kept.len() - 1) as f64 / (last as f64 / u64::MAX as f64)) as u64,
            _ => self.kept.len() as u64,
        }
    }

    /// What was drawn, in the order of the places.
    pub(super) fn into_texts(self) -> Vec<(u64, Vec<Example>)> {
        self.kept.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::comment::Label;
    use crate::train::testing::example;

    #[test]
    fn what_is_drawn_does_not_depend_on_the_order() {
        let place = |i: u64| i.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let drawn = |order: &mut dyn Iterator<Item = u64>| {
            let mut draw = Draw::new(50);
            for i in order {
                draw.offer(place(i % 1_000), example(Label::Ham, &(i % 1_000).to_string()));
            }
            let estimate = draw.n_distinct() as f64;
            assert!((estimate / 1_000.0 - 1.0).abs() < 0.5, "{estimate}");
            let texts = draw.into_texts();
            assert_eq!(texts.len(), 50);
            texts.into_iter().map(|(place, _)| place).collect::<Vec<_>>()
        };
        let first = drawn(&mut (0..1_000));
        assert_eq!(first, drawn(&mut (0..3_000).rev()));
        let mut places: Vec<u64> = (0..1_000).map(place).collect();
        places.sort_unstable();
        assert_eq!(first, places[..50]);
    }

    #[test]
    fn copies_are_drawn_together_but_not_without_end() {
        let mut draw = Draw::new(2);
        for i in 0..100 {
            draw.offer(i % 2, example(Label::Spam, "buy"));
        }
        assert_eq!(draw.n_distinct(), 1 + 1);
        assert!(draw.into_texts().iter().all(|(_, copies)| copies.len() == COPIES_MAX));
    }
}
