//! Near-duplicates of a few texts, found among any number that stream by.

use std::collections::HashMap;

use foldhash::fast::FixedState;

use super::super::group::{Print, SAME_FROM, jaccard};

/// Texts, to be found again in their near-duplicates. Memory goes with their number, not with what is compared with them.
#[derive(Default)]
pub(super) struct Known {
    by_whole: HashMap<u64, usize, FixedState>,
    by_band: HashMap<u64, usize, FixedState>,
    sets: Vec<Vec<u32>>,
}

impl Known {
    /// Takes a text in, and returns its number.
    pub(super) fn add(&mut self, print: Print) -> usize {
        let i = self.sets.len();
        self.by_whole.entry(print.whole).or_insert(i);
        for band in print.bands() {
            self.by_band.entry(band).or_insert(i);
        }
        self.sets.push(print.set);
        i
    }

    /// The number of a text that this one is a near-duplicate of.
    pub(super) fn find(&self, print: &Print) -> Option<usize> {
        if let Some(&i) = self.by_whole.get(&print.whole) {
            return Some(i);
        }
        let mut refused = usize::MAX;
        for band in print.bands() {
            if let Some(&i) = self.by_band.get(&band)
                && i != refused
            {
                if jaccard(&self.sets[i], &print.set) >= SAME_FROM {
                    return Some(i);
                }
                refused = i;
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::comment::Label;
    use crate::train::testing::example;

    fn print(text: &str) -> Print {
        Print::of(&example(Label::Ham, text), &mut String::new())
    }

    #[test]
    fn finds_near_duplicates_and_nothing_else() {
        let text = |name: &str| {
            format!(
                "Hello {name}, I was looking at your site and wondered whether you would like to have more visitors \
                 from search engines, because our team can bring thousands of them to you every single day"
            )
        };
        let mut known = Known::default();
        known.add(print("something else entirely"));
        known.add(print(&text("Ann")));
        assert_eq!(known.find(&print(&text("Ann"))), Some(1));
        assert_eq!(known.find(&print(&text("Robert"))), Some(1));
        assert_eq!(known.find(&print("Something ELSE, entirely!")), Some(0));
        assert_eq!(known.find(&print("we wondered whether anybody would answer")), None);
    }
}
