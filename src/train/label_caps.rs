//! Caps on the labels of one person and of one text, so that a flood does not turn a model.

use std::collections::HashMap;

use super::decay;
use crate::comment::{Example, Label};

/// Near-duplicates with one label that count, at most.
pub(super) const COPIES_MAX: usize = 20;

/// Chooses the comments that count: of each reviewer at most `reviewer_cap` of each label, of each group of
/// near-duplicates at most [`COPIES_MAX`] of each label. The newest labels come first; of the same day those that come
/// later.
pub(super) fn keep(examples: &[Example], groups: &[usize], reviewer_cap: usize) -> Vec<bool> {
    let mut order: Vec<usize> = (0..examples.len()).collect();
    let day = |i: usize| examples[i].labeled_at.as_deref().and_then(decay::day);
    order.sort_by_key(|&i| std::cmp::Reverse((day(i), i)));
    let mut by_reviewer: HashMap<(&str, Label), usize> = HashMap::new();
    let mut by_group: HashMap<(usize, Label), usize> = HashMap::new();
    let mut kept = vec![false; examples.len()];
    for i in order {
        let example = &examples[i];
        let copies = by_group.entry((groups[i], example.label)).or_default();
        if *copies >= COPIES_MAX {
            continue;
        }
        if let Some(reviewer) = &example.reviewer {
            let own = by_reviewer.entry((reviewer, example.label)).or_default();
            if *own >= reviewer_cap {
                continue;
            }
            *own += 1;
        }
        *copies += 1;
        kept[i] = true;
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::testing::example;

    fn labeled(label: Label, reviewer: Option<&str>, day: usize) -> Example {
        Example {
            reviewer: reviewer.map(str::to_owned),
            labeled_at: Some(format!("2026-01-{day:02}")),
            ..example(label, "a comment")
        }
    }

    #[test]
    fn one_reviewer_says_only_so_much_and_the_newest_first() {
        let mut examples: Vec<Example> = (1..=10).map(|day| labeled(Label::Spam, Some("r"), day)).collect();
        examples.push(labeled(Label::Ham, Some("r"), 1));
        examples.push(labeled(Label::Spam, Some("other"), 1));
        examples.push(labeled(Label::Spam, None, 1));
        let groups: Vec<usize> = (0..examples.len()).collect();
        let kept = keep(&examples, &groups, 3);
        let expected: Vec<bool> = (0..13).map(|i| i >= 7).collect();
        assert_eq!(kept, expected);
    }

    #[test]
    fn one_text_says_only_so_much() {
        let examples: Vec<Example> = (0..50).map(|_| labeled(Label::Spam, None, 1)).collect();
        let kept = keep(&examples, &[0; 50], 100);
        assert_eq!(kept.iter().filter(|&&kept| kept).count(), COPIES_MAX);
    }
}
