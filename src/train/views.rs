//! Counts and weights of the views' naive Bayes, for all views in one table: a term's number says its view.

use super::clusters::Clusters;
use super::features::Features;
use crate::text::N_VIEWS;

/// The factor of a view's terms in a comment that has `n` distinct ones: a long comment's words are not so many
/// independent witnesses.
#[expect(clippy::cast_possible_truncation, reason = "a factor in [0, 1]")]
pub(super) fn damping(n: u32) -> f32 {
    (1.0 / f64::from(n.max(1)).sqrt()) as f32
}

/// The counts of each term in the comments of each cluster.
#[derive(Debug, Clone)]
pub(super) struct Counts {
    pub(super) n_clusters: usize,
    /// Term after term, cluster after cluster.
    pub(super) cells: Vec<f32>,
}

impl Counts {
    /// Counts the given comments.
    pub(super) fn of(features: &Features, clusters: &Clusters, rows: impl Iterator<Item = usize>) -> Self {
        let n_clusters = clusters.is_spam.len();
        let mut cells = vec![0.0; features.vocabulary.len() * n_clusters];
        for i in rows {
            let cluster = usize::from(clusters.of[i]);
            for &term in features.row(i) {
                cells[term as usize * n_clusters + cluster] += 1.0;
            }
        }
        Self { n_clusters, cells }
    }
}

/// Every term's weight for every cluster: `ln P(term | cluster) − ln P(term)`, and 0 for a term that was never seen.
#[derive(Debug, Clone)]
pub(super) struct Weights {
    pub(super) n_clusters: usize,
    pub(super) cells: Vec<f32>,
}

impl Weights {
    /// The closed form of what linfa's multinomial naive Bayes fits (`fit::tests` holds one against the other), over
    /// the counts less those of a fold.
    #[expect(clippy::cast_possible_truncation, reason = "weights")]
    pub(super) fn closed_form(features: &Features, all: &Counts, fold: Option<&Counts>, alpha: f64) -> Self {
        let n_clusters = all.n_clusters;
        let count = |cell: usize| all.cells[cell] - fold.map_or(0.0, |fold| fold.cells[cell]);
        let mut totals = vec![0.0_f64; N_VIEWS * n_clusters];
        let mut seen = [0.0_f64; N_VIEWS];
        for (term, &view) in features.view_of.iter().enumerate() {
            let mut any = 0.0;
            for cluster in 0..n_clusters {
                let n = count(term * n_clusters + cluster);
                totals[usize::from(view) * n_clusters + cluster] += f64::from(n);
                any += n;
            }
            seen[usize::from(view)] += f64::from(u8::from(any > 0.0));
        }
        let norm: Vec<f64> = (0..N_VIEWS * n_clusters)
            .map(|i| (totals[i] + alpha * seen[i / n_clusters]).ln())
            .collect();
        let norm_all: Vec<f64> = (0..N_VIEWS)
            .map(|view| {
                (totals[view * n_clusters..(view + 1) * n_clusters].iter().sum::<f64>() + alpha * seen[view]).ln()
            })
            .collect();
        // Most counts are small whole numbers: their logarithms come from a table.
        let logs: Vec<f64> = (0..4096).map(|n| (f64::from(n) + alpha).ln()).collect();
        #[expect(clippy::cast_sign_loss, reason = "counts are not negative")]
        let log = |n: f32| {
            logs.get(n as usize)
                .copied()
                .filter(|_| n.fract() == 0.0)
                .unwrap_or_else(|| (f64::from(n) + alpha).ln())
        };
        let mut cells = vec![0.0_f32; all.cells.len()];
        for (term, &view) in features.view_of.iter().enumerate() {
            let view = usize::from(view);
            let own = term * n_clusters..(term + 1) * n_clusters;
            let sum: f32 = own.clone().map(count).sum();
            if sum > 0.0 {
                let background = log(sum) - norm_all[view];
                for cell in own {
                    let cluster = cell % n_clusters;
                    cells[cell] = (log(count(cell)) - norm[view * n_clusters + cluster] - background) as f32;
                }
            }
        }
        Self { n_clusters, cells }
    }

    /// The fusion's inputs for one comment: for each view, each cluster's log-likelihood against the background,
    /// divided by the root of the number of distinct terms.
    pub(super) fn inputs(&self, features: &Features, i: usize, into: &mut [f32]) {
        into.fill(0.0);
        for &term in features.row(i) {
            let at = usize::from(features.view_of[term as usize]) * self.n_clusters;
            let weights = &self.cells[term as usize * self.n_clusters..(term as usize + 1) * self.n_clusters];
            for (sum, weight) in into[at..at + self.n_clusters].iter_mut().zip(weights) {
                *sum += weight;
            }
        }
        for (sums, &n) in into.chunks_exact_mut(self.n_clusters).zip(&features.n_distinct[i]) {
            let factor = damping(n);
            for sum in sums {
                *sum *= factor;
            }
        }
    }
}
