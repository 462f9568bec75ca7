//! Which kind a comment is of, of those that were found in the sample: the one whose words and pairs it most likely has.

use super::super::features::{Distinct, Features, Index};
use super::super::kinds::Kinds;
use super::super::views::{Counts, Weights};
use crate::comment::Label;
use crate::text::View;

/// Sorts comments into kinds.
pub(super) struct Sorter {
    vocabulary: Vec<u32>,
    index: Index,
    weights: Weights,
    /// Logarithms of how many comments of the sample are of each kind.
    priors: Vec<f32>,
    pub(super) is_spam: Vec<bool>,
}

impl Sorter {
    /// Learns from the sample.
    pub(super) fn new(features: &Features, kinds: &Kinds, alpha: f64) -> Self {
        let counts = Counts::of(features, kinds, 0..features.n_rows());
        let mut priors = vec![0.0_f32; kinds.is_spam.len()];
        kinds.of.iter().for_each(|&kind| priors[usize::from(kind)] += 1.0);
        priors.iter_mut().for_each(|n| *n = n.max(1.0).ln());
        Self {
            vocabulary: features.vocabulary.clone(),
            index: Index::new(&features.vocabulary),
            weights: Weights::closed_form(features, &counts, None, alpha),
            priors,
            is_spam: kinds.is_spam.clone(),
        }
    }

    /// The kind of a comment.
    #[expect(clippy::cast_possible_truncation, reason = "at most 32 kinds")]
    pub(super) fn kind(&self, label: Label, comment: &Distinct) -> u8 {
        let spam = label == Label::Spam;
        let n_kinds = self.is_spam.len();
        let own: Vec<usize> = (0..n_kinds).filter(|&kind| self.is_spam[kind] == spam).collect();
        let [first, _, ..] = own[..] else {
            return own.first().map_or(0, |&kind| kind as u8);
        };
        let mut sums = self.priors.clone();
        for (&hash, &view) in comment.hashes.iter().zip(&comment.views) {
            if view <= View::Pairs as u8
                && let Some(term) = self.index.find(&self.vocabulary, hash)
            {
                let weights = &self.weights.cells[term as usize * n_kinds..(term as usize + 1) * n_kinds];
                sums.iter_mut().zip(weights).for_each(|(sum, weight)| *sum += weight);
            }
        }
        let best = own
            .iter()
            .fold(first, |best, &kind| if sums[kind] > sums[best] { kind } else { best });
        best as u8
    }
}
