//! Corrects each term's weight by what all terms of a comment say together.
//!
//! A naive Bayes takes the terms of a view for independent witnesses, and they are not: a phrase that ten spam
//! templates share counts ten times. So every term gets a factor, 1 to begin with, and the factors are fitted by
//! logistic regression on the terms' own contributions to the log-odds (Wang and Manning 2012 scale a linear
//! classifier's inputs by naive Bayes' log-ratios in the same way). A term that says nothing is worth nothing whatever
//! its factor, and one that a comment's own fold has not seen is not corrected by that comment. The optimizer is
//! `AdaGrad` (Duchi, Hazan and Singer 2011).
//!
//! On places left out in turn, at the cut that stops 1 in 1,000 readers, it catches 22 % of the spam where the fusion
//! alone catches 12 %.

use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use super::features::Features;
use super::fusion;
use crate::text::View;

/// Passes over the comments.
const N_EPOCHS: u64 = 8;
/// The step of the optimizer, before it is divided by the root of the squared gradients so far.
const STEP: f32 = 0.3;
/// The pull of each factor back to 1, at each comment that holds its term.
const RIDGE: f32 = 1e-5;
/// A comment whose probability is off by less than this teaches nothing.
const ERROR_MIN: f32 = 1e-3;

/// The views of what a text says in the words of its language, as a bit each.
const WORDS_MASK: u16 = 1 << View::Words as u16
    | 1 << View::Pairs as u16
    | 1 << View::Triples as u16
    | 1 << View::Chars3 as u16
    | 1 << View::Letters as u16;
/// One comment in this many is read once more as if its language were unknown.
const UNKNOWN_LANGUAGE_ONE_IN: u64 = 3;

/// The views that a row's reading without its words does without, for the rows that have such a reading; for half of
/// them some of the optional views as well.
///
/// In training every language is known, and words say more than anything else: what holds in all languages (shape,
/// signs, the form) would be weighed as if words always spoke beside it. Of languages left out of training, at the cut
/// that stops one in 200 of all unseen readers, this finds 83 % of the advertisements instead of 74 %.
fn without_words(row: usize) -> Option<u16> {
    let draw = xxh3_64(&(!row).to_le_bytes());
    let without_fields = if draw >> 32 & 1 == 0 { fusion::left_out(row) } else { 0 };
    draw.is_multiple_of(UNKNOWN_LANGUAGE_ONE_IN)
        .then_some(WORDS_MASK | without_fields)
}

/// A comment, with the views that it is read without, as a bit each.
#[derive(Debug, Clone, Copy)]
struct Sample {
    row: usize,
    left_out: u16,
}

/// The data that the factors are fitted to.
pub(super) struct Refinement<'a> {
    features: &'a Features,
    /// The contribution of each term of each comment by a model that has not seen the comment, in the order of
    /// `features.terms`.
    contributions: &'a [f32],
    labels: &'a [bool],
    base_log_odds: f32,
}

/// Fitted factors.
pub(super) struct Factors {
    /// The factor of each term.
    pub(super) of_term: Vec<f32>,
    /// The log-odds before anything is read.
    pub(super) base_log_odds: f32,
}

impl<'a> Refinement<'a> {
    pub(super) fn new(
        features: &'a Features,
        contributions: &'a [f32],
        labels: &'a [bool],
        base_log_odds: f64,
    ) -> Self {
        #[expect(clippy::cast_possible_truncation, reason = "log-odds")]
        let base_log_odds = base_log_odds as f32;
        Self {
            features,
            contributions,
            labels,
            base_log_odds,
        }
    }

    /// Fits the factors to these comments, in an order that the seed decides.
    pub(super) fn fit(&self, rows: impl Iterator<Item = usize>, seed: u64) -> Factors {
        let mut samples = Vec::new();
        for row in rows {
            samples.push(Sample { row, left_out: 0 });
            let present = self.present(row);
            let left_out = fusion::left_out(row) & fusion::OPTIONAL_MASK;
            if present & fusion::OPTIONAL_MASK != 0 {
                samples.push(Sample { row, left_out });
            }
            if let Some(left_out) = without_words(row) {
                samples.push(Sample { row, left_out });
            }
        }
        let mut factors = Factors {
            of_term: vec![1.0; self.features.vocabulary.len()],
            base_log_odds: self.base_log_odds,
        };
        // Sums of squared gradients; 1 each to begin with, so that the first comments do not take leaps.
        let mut squares = vec![1.0_f32; factors.of_term.len()];
        let mut base_squares = 1.0_f32;
        for epoch in 0..N_EPOCHS {
            samples.sort_by_cached_key(|sample| {
                let place = (sample.row as u64) << 16 | u64::from(sample.left_out);
                xxh3_64_with_seed(&place.to_le_bytes(), seed.wrapping_mul(31).wrapping_add(epoch))
            });
            for &sample in &samples {
                let z = self.log_odds(&factors, sample);
                let truth = f32::from(u8::from(self.labels[sample.row]));
                let error = 1.0 / (1.0 + (-z).exp()) - truth;
                if error.abs() < ERROR_MIN {
                    continue;
                }
                base_squares += error * error;
                factors.base_log_odds -= STEP * error / base_squares.sqrt();
                for (term, contribution) in self.terms(sample) {
                    let factor = &mut factors.of_term[term];
                    let gradient = error * contribution + RIDGE * (*factor - 1.0);
                    squares[term] += gradient * gradient;
                    *factor -= STEP * gradient / squares[term].sqrt();
                }
            }
        }
        factors
    }

    /// The log-odds of a whole comment.
    pub(super) fn predict(&self, factors: &Factors, row: usize) -> f64 {
        f64::from(self.log_odds(factors, Sample { row, left_out: 0 }))
    }

    fn log_odds(&self, factors: &Factors, sample: Sample) -> f32 {
        let sum: f32 = self
            .terms(sample)
            .map(|(term, contribution)| contribution * factors.of_term[term])
            .sum();
        factors.base_log_odds + sum
    }

    /// The terms of a comment that are read, and what each adds.
    fn terms(&self, sample: Sample) -> impl Iterator<Item = (usize, f32)> {
        let Sample { row, left_out } = sample;
        let own = self.features.offsets[row]..self.features.offsets[row + 1];
        let terms = self.features.terms[own.clone()].iter().zip(&self.contributions[own]);
        terms
            .map(|(&term, &contribution)| (term as usize, contribution))
            .filter(move |&(term, _)| left_out == 0 || left_out >> self.features.view_of[term] & 1 == 0)
    }

    /// The views that a comment has terms of, as a bit each.
    fn present(&self, row: usize) -> u16 {
        self.features
            .row(row)
            .iter()
            .fold(0, |views, &term| views | 1 << self.features.view_of[term as usize])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::N_VIEWS;

    /// Comments of two terms each, the first of which says the same in both labels.
    fn features() -> Features {
        Features {
            vocabulary: vec![10, 20, 30],
            view_of: vec![0, 0, 0],
            offsets: vec![0, 2, 4, 6, 8],
            terms: vec![0, 1, 0, 2, 0, 1, 0, 2],
            n_distinct: vec![[0; N_VIEWS]; 4],
        }
    }

    #[test]
    fn what_does_not_tell_labels_apart_loses_weight_and_what_does_gains() {
        let features = features();
        let contributions = [1.0, 1.0, 1.0, -1.0, 1.0, 1.0, 1.0, -1.0];
        let labels = [true, false, true, false];
        let refinement = Refinement::new(&features, &contributions, &labels, 0.0);
        let factors = refinement.fit(0..4, 1);
        assert!(
            factors.of_term[1] > 1.1 && factors.of_term[2] > 1.1,
            "{:?}",
            factors.of_term
        );
        assert!(factors.of_term[0] + factors.base_log_odds < 1.0);
        let z = |row| refinement.predict(&factors, row);
        assert!(z(0) > 0.5 && z(1) < -0.5);
        assert_eq!(
            refinement.fit(0..4, 1).of_term,
            factors.of_term,
            "the same seed gives the same factors"
        );
    }
}
