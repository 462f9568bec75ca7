//! What may name a person is learnt only if three groups of near-duplicates hold it: kept track of in bounded memory.
//!
//! Groups of all comments are not known while they stream by. So comments that hold such a term are compared by a sketch
//! of their texts, and two that are much alike count as one group. Whatever memory runs out for is never learnt.

use std::collections::HashMap;

use foldhash::fast::FixedState;

use super::super::group::Sketch;

/// Terms that are kept track of at most.
const N_MAX: usize = 400_000;
/// Sketches that agree in this many places are of one group. Lower than where texts are one, as sketches are short.
const SAME_FROM: usize = 18;

/// The sketches of the groups that hold a term.
#[derive(Debug)]
enum Groups {
    One(Sketch),
    Two(Box<[Sketch; 2]>),
    Enough,
}

/// Terms that may name a person.
#[derive(Debug, Default)]
pub(super) struct Naming {
    known: HashMap<u32, Groups, FixedState>,
}

impl Naming {
    /// A comment with this sketch holds the term.
    pub(super) fn add(&mut self, hash: u32, sketch: &Sketch) {
        let Some(groups) = self.known.get_mut(&hash) else {
            if self.known.len() >= N_MAX {
                self.make_room();
            }
            self.known.insert(hash, Groups::One(*sketch));
            return;
        };
        match groups {
            Groups::One(one) if !alike(one, sketch) => *groups = Groups::Two(Box::new([*one, *sketch])),
            Groups::Two(two) if !two.iter().any(|known| alike(known, sketch)) => *groups = Groups::Enough,
            _ => {}
        }
    }

    /// Do three groups hold it?
    pub(super) fn is_enough(&self, hash: u32) -> bool {
        matches!(self.known.get(&hash), Some(Groups::Enough))
    }

    #[cold]
    fn make_room(&mut self) {
        self.known.retain(|_, groups| !matches!(groups, Groups::One(_)));
        if 2 * self.known.len() > N_MAX {
            self.known.retain(|_, groups| matches!(groups, Groups::Enough));
        }
    }
}

fn alike(a: &Sketch, b: &Sketch) -> bool {
    a.iter().zip(b).filter(|(a, b)| a == b).count() >= SAME_FROM
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::comment::Label;
    use crate::train::group::Print;
    use crate::train::testing::example;

    fn sketch(text: &str) -> Sketch {
        Print::of(&example(Label::Ham, text), &mut String::new()).sketch()
    }

    #[test]
    fn three_groups_are_enough_and_copies_are_none() {
        let texts = [
            "I read the whole article about the bridge, and nobody in our town knew of the plan",
            "My sister teaches at that school; she says the roof has leaked for more than ten years",
            "What would you have done in the place of the mayor, with an empty purse and no time?",
        ];
        let mut naming = Naming::default();
        for i in 0..20 {
            naming.add(1, &sketch(&format!("{} {i}", texts[0])));
            naming.add(1, &sketch(&format!("{} says Ann{i}", texts[1])));
        }
        assert!(!naming.is_enough(1) && !naming.is_enough(2));
        naming.add(1, &sketch(texts[2]));
        assert!(naming.is_enough(1));
    }

    #[test]
    fn memory_is_bounded() {
        let mut naming = Naming::default();
        let own = sketch("a text");
        for hash in 0..1_000_000 {
            naming.add(hash, &own);
        }
        assert!(naming.known.len() <= N_MAX);
    }
}
