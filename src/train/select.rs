//! The choice of the terms that a model keeps: those that tell most, as many as it may hold.

use super::features::Features;
use super::fusion::Folded;
use crate::model::Round;
use crate::text::{N_VIEWS, View};

/// The numbers of at most `n_max` terms of the used views, ascending: the heaviest.
///
/// A term's rank is how often it stands somewhere times how much it pulls there. Words that readers write count for
/// that alone as well: the evidence for a reject is made of them.
pub(super) fn heaviest(
    features: &Features,
    folded: &Folded,
    rounds: &[Round],
    is_used: [bool; N_VIEWS],
    n_max: usize,
) -> Vec<usize> {
    let rank = |term: usize| -> f32 {
        let Some(round) = rounds.first() else { return 0.0 };
        let cells = &round.counts[term * round.is_spam.len()..][..round.is_spam.len()];
        let n: f32 = cells.iter().sum();
        let n_ham: f32 = cells
            .iter()
            .zip(&round.is_spam)
            .filter(|(_, spam)| !**spam)
            .map(|(n, _)| n)
            .sum();
        let is_word = features.view_of[term] == View::Words as u8;
        #[expect(clippy::cast_possible_truncation, reason = "a rank")]
        let pull = folded.worths[term].abs() as f32;
        n * pull + if is_word { n_ham } else { 0.0 }
    };
    let used: Vec<(usize, f32)> = (0..features.vocabulary.len())
        .filter(|&term| is_used[usize::from(features.view_of[term])])
        .map(|term| (term, rank(term)))
        .collect();
    if used.len() <= n_max {
        return used.into_iter().map(|(term, _)| term).collect();
    }
    let mut ranks: Vec<f32> = used.iter().map(|(_, rank)| *rank).collect();
    // Kept is what tells more than the first that is not: ties at the cut go together.
    let cut = *ranks.select_nth_unstable_by(n_max, |a, b| b.total_cmp(a)).1;
    used.into_iter()
        .filter(|(_, rank)| *rank > cut)
        .map(|(term, _)| term)
        .collect()
}

/// The rows of a table of `width` columns with these numbers.
pub(super) fn rows(table: &[f32], width: usize, numbers: &[usize]) -> Vec<f32> {
    numbers
        .iter()
        .flat_map(|&n| &table[n * width..(n + 1) * width])
        .copied()
        .collect()
}
