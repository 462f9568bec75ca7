//! From the views' log-likelihoods to one probability, and from there back to what each term is worth.
//!
//! The fusion is linear in every view's and kind's log-likelihood, and those are linear in the terms, so the whole folds
//! into one weight a term: `Σ over kinds of fusion weight × (ln P(term | kind) − ln P(term))`. Serving needs no kinds,
//! and an explanation needs no approximation. (Adding each view's log-sum-exp over its kinds, which is not linear,
//! gained nothing: see the ablation in the model's notes.)

use super::features::Features;
use super::logistic::{self, Logistic};
use super::params::TrainParams;
use super::views::Weights;
use crate::model::Term;
use crate::text::{N_VIEWS, VIEWS};

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
        let n_kinds = width / N_VIEWS;
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
            let is_used = params.views.iter().any(|&view| view as usize == column / n_kinds);
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

    fn fit(&self, inputs: &[f32], labels: &[bool], rows: impl Iterator<Item = usize>, ridge: f64) -> Logistic {
        let mut standardized = Vec::new();
        let mut own_labels = Vec::new();
        for i in rows {
            self.standardize(&inputs[i * self.width..(i + 1) * self.width], &mut standardized);
            own_labels.push(labels[i]);
        }
        logistic::fit(&standardized, self.used.len(), &own_labels, ridge)
    }
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

    /// Every comment's log-odds by a fusion that saw nothing of its fold, over inputs by views that did not either.
    pub(super) fn cross_fitted(
        &self,
        inputs: &[f32],
        labels: &[bool],
        folds: &[usize],
        params: &TrainParams,
    ) -> Vec<f64> {
        let columns = &self.columns;
        let mut log_odds = vec![0.0; labels.len()];
        // Few inputs over many comments: halves are as good as folds, and cost less.
        let n_parts = params.n_folds.min(5);
        for part in 0..n_parts {
            let fitted = columns.fit(
                inputs,
                labels,
                (0..labels.len()).filter(|&i| folds[i] % n_parts != part),
                params.ridge,
            );
            let mut row = Vec::new();
            for i in (0..labels.len()).filter(|&i| folds[i] % n_parts == part) {
                row.clear();
                columns.standardize(&inputs[i * columns.width..(i + 1) * columns.width], &mut row);
                log_odds[i] = fitted.intercept
                    + row
                        .iter()
                        .zip(&fitted.weights)
                        .map(|(&x, w)| f64::from(x) * w)
                        .sum::<f64>();
            }
        }
        log_odds
    }

    /// The base log-odds, and what each view's and kind's log-likelihood is multiplied by.
    pub(super) fn factors(&self) -> (f64, Vec<f64>) {
        let mut base = self.logistic.intercept;
        let mut factors = vec![0.0; self.columns.width];
        for (i, &column) in self.columns.used.iter().enumerate() {
            factors[column] = self.logistic.weights[i] / self.columns.spread[i];
            base -= factors[column] * self.columns.mean[i];
        }
        (base, factors)
    }

    /// Folds the fusion into the terms: adds its base log-odds and what each term is worth to what is there, by `share`.
    pub(super) fn fold_in(&self, features: &Features, weights: &Weights, share: f64, into: &mut Folded) {
        let n_kinds = weights.n_kinds;
        let mut factors = vec![0.0; self.columns.width];
        into.base_log_odds += share * self.logistic.intercept;
        for (i, &column) in self.columns.used.iter().enumerate() {
            factors[column] = share * self.logistic.weights[i] / self.columns.spread[i];
            into.base_log_odds -= factors[column] * self.columns.mean[i];
        }
        for (term, worth) in into.worths.iter_mut().enumerate() {
            let factors = &factors[usize::from(features.view_of[term]) * n_kinds..][..n_kinds];
            let weights = &weights.cells[term * n_kinds..(term + 1) * n_kinds];
            *worth += factors
                .iter()
                .zip(weights)
                .map(|(factor, &weight)| factor * f64::from(weight))
                .sum::<f64>();
        }
    }
}

/// A linear model: what is left of views, kinds and fusion once they are folded together.
#[derive(Debug, Clone)]
pub(super) struct Folded {
    pub(super) base_log_odds: f64,
    pub(super) worths: Vec<f64>,
}

impl Folded {
    /// The terms of the used views, and the step that all weights are multiples of.
    pub(super) fn terms(&self, features: &Features, in_ham: &[bool], params: &TrainParams) -> (Vec<Term>, f32) {
        let step = step(self.worths.iter().fold(0.0, |max, worth| worth.abs().max(max)));
        let is_used = |view: u8| params.views.iter().any(|&other| other as u8 == view);
        let used: Vec<bool> = VIEWS.iter().map(|&view| is_used(view as u8)).collect();
        let terms = (0..features.vocabulary.len())
            .filter(|&term| used[usize::from(features.view_of[term])])
            .map(|term| {
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
