//! Fuses the views' log-likelihoods to one probability, and folds the result back into each term's weight.
//!
//! The fusion is linear in every view's and cluster's log-likelihood, and those are linear in the terms, so the whole
//! folds into one weight a term: `Σ over clusters of fusion weight × (ln P(term | cluster) − ln P(term))`. Serving
//! needs no clusters, and an explanation needs no approximation. (Adding each view's log-sum-exp over its clusters,
//! which is not linear, gained nothing: see the ablation in the model's notes.)

use xxhash_rust::xxh3::xxh3_64;

use super::features::Features;
use super::logistic::{self, Logistic};
use super::params::TrainParams;
use super::views::Weights;
use crate::model::Term;
use crate::text::{N_VIEWS, View};

/// A fitted fusion over standardized inputs.
pub(super) struct Fusion {
    columns: Columns,
    logistic: Logistic,
}

/// The inputs that are used, with their mean and spread.
struct Columns {
    width: usize,
    used: Vec<usize>,
    mean: Vec<f64>,
    spread: Vec<f64>,
}

impl Columns {
    fn new(inputs: &[f32], n_rows: usize, params: &TrainParams) -> Self {
        let width = inputs.len() / n_rows;
        let n_clusters = width / N_VIEWS;
        #[expect(clippy::cast_precision_loss, reason = "row counts")]
        let n = n_rows as f64;
        let mut columns = Self {
            width,
            used: Vec::new(),
            mean: Vec::new(),
            spread: Vec::new(),
        };
        for column in 0..width {
            let values = || inputs.iter().skip(column).step_by(width).map(|&x| f64::from(x));
            let mean = values().sum::<f64>() / n;
            let spread = (values().map(|x| (x - mean) * (x - mean)).sum::<f64>() / n).sqrt();
            // What was not sent, or not kept, adds exactly nothing, so its zero is not moved.
            let mean = if may_be_unknown(column / n_clusters) { 0.0 } else { mean };
            let is_used = params.views.iter().any(|&view| view as usize == column / n_clusters);
            // What never varies says nothing, and dividing by its spread would make a lot of nothing.
            if is_used && spread > 1e-6 {
                columns.used.push(column);
                columns.mean.push(mean);
                columns.spread.push(spread);
            }
        }
        columns
    }

    #[expect(clippy::cast_possible_truncation, reason = "standardized")]
    fn standardize(&self, row: &[f32], into: &mut Vec<f32>) {
        for ((&column, mean), spread) in self.used.iter().zip(&self.mean).zip(&self.spread) {
            into.push(((f64::from(row[column]) - mean) / spread) as f32);
        }
    }

    /// Fits to these rows, and to each that has optional views again without some of them: a caller may send any subset
    /// of the fields, and the probability must keep its word for each.
    fn fit(&self, inputs: &[f32], labels: &[bool], rows: impl Iterator<Item = usize>, ridge: f64) -> Logistic {
        let mut standardized = Vec::new();
        let mut own_labels = Vec::new();
        for i in rows {
            let row = &inputs[i * self.width..(i + 1) * self.width];
            self.standardize(row, &mut standardized);
            own_labels.push(labels[i]);
            if let Some(masked) = masked(row, self.width / N_VIEWS, i) {
                self.standardize(&masked, &mut standardized);
                own_labels.push(labels[i]);
            }
        }
        logistic::fit(&standardized, self.used.len(), &own_labels, ridge)
    }
}

/// Views of what a caller may leave out: of each field of the form, and of the article.
const OPTIONAL: [View; 5] = [View::Name, View::Website, View::Email, View::Offer, View::Article];

/// True for the views of what a caller may leave out, and for the one that features of older versions do not hold.
fn may_be_unknown(view: usize) -> bool {
    OPTIONAL
        .iter()
        .chain([&View::Signs])
        .any(|&unknown| unknown as usize == view)
}

/// [`OPTIONAL`] as a bit each.
pub(super) const OPTIONAL_MASK: u16 = {
    let (mut mask, mut i) = (0, 0);
    while i < OPTIONAL.len() {
        mask |= 1 << OPTIONAL[i] as u16;
        i += 1;
    }
    mask
};

/// The optional views that the second reading of row `i` does without, as a bit each: all of them for every other row,
/// because the text alone is what many callers send. Words of name and website together go with either: of one alone
/// they would be others.
pub(super) fn left_out(i: usize) -> u16 {
    let draw = xxh3_64(&i.to_le_bytes());
    let mut views = 0;
    for (bit, view) in (1..).zip(OPTIONAL) {
        if draw & 1 == 0 || draw >> bit & 1 == 0 {
            views |= 1 << view as u16;
        }
    }
    if views & (1 << View::Name as u16 | 1 << View::Website as u16) != 0 {
        views |= 1 << View::Offer as u16;
    }
    views
}

/// A row without the optional views that [`left_out`] names, if it has any of them.
fn masked(row: &[f32], n_clusters: usize, i: usize) -> Option<Vec<f32>> {
    let columns = |view: View| view as usize * n_clusters..(view as usize + 1) * n_clusters;
    let has = |view: View| row[columns(view)].iter().any(|&x| x != 0.0);
    if !OPTIONAL.into_iter().any(has) {
        return None;
    }
    let mut masked = row.to_vec();
    for view in OPTIONAL.into_iter().filter(|&view| left_out(i) >> view as u16 & 1 == 1) {
        masked[columns(view)].fill(0.0);
    }
    Some(masked)
}

impl Fusion {
    /// `None` if no input of the used views varies: then there is nothing to fit.
    pub(super) fn fit(inputs: &[f32], labels: &[bool], params: &TrainParams) -> Option<Self> {
        let columns = Columns::new(inputs, labels.len(), params);
        if columns.used.is_empty() {
            return None;
        }
        let logistic = columns.fit(inputs, labels, 0..labels.len(), params.ridge);
        Some(Self { columns, logistic })
    }

    pub(super) const fn converged(&self) -> bool {
        self.logistic.converged
    }

    /// The base log-odds, and what each view's and cluster's log-likelihood is multiplied by.
    pub(super) fn factors(&self) -> (f64, Vec<f64>) {
        let mut base = self.logistic.intercept;
        let mut factors = vec![0.0; self.columns.width];
        for (i, &column) in self.columns.used.iter().enumerate() {
            factors[column] = self.logistic.weights[i] / self.columns.spread[i];
            base -= factors[column] * self.columns.mean[i];
        }
        (base, factors)
    }
}

/// The weight of each term: its clusters' log-likelihoods by the fusion's factors.
#[expect(clippy::cast_possible_truncation, reason = "weights")]
pub(super) fn worths(features: &Features, weights: &Weights, factors: &[f64]) -> Vec<f32> {
    let n_clusters = weights.n_clusters;
    let of_term = |(term, own): (usize, &[f32])| {
        let factors = &factors[usize::from(features.view_of[term]) * n_clusters..][..n_clusters];
        factors
            .iter()
            .zip(own)
            .map(|(factor, &weight)| factor * f64::from(weight))
            .sum::<f64>() as f32
    };
    weights
        .cells
        .chunks_exact(n_clusters)
        .enumerate()
        .map(of_term)
        .collect()
}

/// A linear model: what is left of views, clusters and fusion once they are folded together.
#[derive(Debug, Clone)]
pub(super) struct Folded {
    pub(super) base_log_odds: f64,
    pub(super) worths: Vec<f64>,
}

impl Folded {
    /// The terms with these numbers, and the step that all weights are multiples of.
    pub(super) fn terms(&self, features: &Features, in_ham: &[bool], kept: &[usize]) -> (Vec<Term>, f32) {
        let step = step(kept.iter().fold(0.0, |max, &term| self.worths[term].abs().max(max)));
        let terms = kept
            .iter()
            .map(|&term| {
                #[expect(
                    clippy::cast_possible_truncation,
                    reason = "a few digits are enough, and few are kept"
                )]
                let weight = ((self.worths[term] / f64::from(step)).round() * f64::from(step)) as f32;
                Term {
                    hash: features.vocabulary[term],
                    weight,
                    in_ham: in_ham[term],
                }
            })
            .collect();
        (terms, step)
    }
}

/// The smallest power of two that weights up to `max` are fewer than 32,767 steps of.
fn step(max: f64) -> f32 {
    let mut step = 2.0_f32.powi(-20);
    while max > 32_000.0 * f64::from(step) {
        step *= 2.0;
    }
    step
}
