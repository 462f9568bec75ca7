//! Finds clusters within each label. Spam is not one thing, and ham is not one thing.
//!
//! The comments' words and pairs, weighted by tf-idf, are projected on their leading directions (randomized subspace
//! iteration; Halko, Martinsson and Tropp 2011), and linfa's k-means finds the clusters there.

use linfa::DatasetBase;
use linfa::traits::{Fit, Predict};
use linfa_clustering::{KMeans, KMeansInit};
use ndarray::Array2;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::features::Features;
use crate::text::View;

/// Directions that are kept.
const N_DIRECTIONS: usize = 40;
/// Rounds of subspace iteration.
const N_ROUNDS: usize = 3;
/// Starts of k-means: with three, one seed in five found other clusters than the rest, and a model of another mind.
const N_STARTS: u64 = 10;
/// A cluster has this many comments on average, at least.
const ROWS_A_KIND: usize = 40;

/// The cluster of every comment, and the label of every cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Clusters {
    pub(super) of: Vec<u8>,
    pub(super) is_spam: Vec<bool>,
}

impl Clusters {
    /// The number of clusters of spam, and of ham.
    pub(super) fn count(&self) -> (u32, u32) {
        let n_spam = self.is_spam.iter().map(|&spam| u32::from(spam)).sum();
        (n_spam, self.is_spam.iter().map(|&spam| u32::from(!spam)).sum())
    }
}

/// Finds up to `n_spam` clusters of spam and `n_ham` clusters of ham.
#[expect(clippy::cast_possible_truncation, reason = "at most 32 clusters")]
pub(super) fn find(features: &Features, labels: &[bool], n_spam: usize, n_ham: usize, seed: u64) -> Clusters {
    let mut of = vec![0_u8; labels.len()];
    let mut is_spam = Vec::new();
    let coordinates = (n_spam > 1 || n_ham > 1).then(|| project(features, seed));
    for (label, n) in [(false, n_ham), (true, n_spam)] {
        let rows: Vec<usize> = (0..labels.len()).filter(|&i| labels[i] == label).collect();
        let n = n.min(rows.len() / ROWS_A_KIND).max(1);
        let first = is_spam.len();
        let clusters = match &coordinates {
            Some(coordinates) if n > 1 => cluster(coordinates, &rows, n, seed),
            _ => vec![0; rows.len()],
        };
        for (&i, cluster) in rows.iter().zip(clusters) {
            of[i] = (first + cluster) as u8;
        }
        is_spam.extend(std::iter::repeat_n(label, n));
    }
    Clusters { of, is_spam }
}

/// k-means from seeded starts; the best of them.
fn cluster(coordinates: &[f64], rows: &[usize], n: usize, seed: u64) -> Vec<usize> {
    let data: Vec<f64> = rows
        .iter()
        .flat_map(|&i| coordinates[i * N_DIRECTIONS..(i + 1) * N_DIRECTIONS].iter().copied())
        .collect();
    let Ok(records) = Array2::from_shape_vec((rows.len(), N_DIRECTIONS), data) else {
        return vec![0; rows.len()];
    };
    let dataset = DatasetBase::from(records);
    let mut best: Option<(f64, Vec<usize>)> = None;
    for round in 0..N_STARTS {
        let start = starts(dataset.records(), n, seed.wrapping_add(round));
        let fitted = KMeans::params(n)
            .init_method(KMeansInit::Precomputed(start))
            .n_runs(1)
            .max_n_iterations(60)
            .tolerance(1e-4)
            .fit(&dataset);
        let Ok(fitted) = fitted else { continue };
        if best.as_ref().is_none_or(|(inertia, _)| fitted.inertia() < *inertia) {
            best = Some((fitted.inertia(), fitted.predict(&dataset).to_vec()));
        }
    }
    best.map_or_else(|| vec![0; rows.len()], |(_, clusters)| clusters)
}

/// k-means++ (Arthur and Vassilvitskii 2007), drawn by the seed.
fn starts(records: &Array2<f64>, n: usize, seed: u64) -> Array2<f64> {
    let n_rows = records.nrows();
    let mut chosen = vec![uniform(seed, 0, n_rows)];
    let mut nearest = vec![f64::INFINITY; n_rows];
    while chosen.len() < n {
        let last = records.row(chosen[chosen.len() - 1]);
        for (i, distance) in nearest.iter_mut().enumerate() {
            let d: f64 = records.row(i).iter().zip(last).map(|(a, b)| (a - b) * (a - b)).sum();
            *distance = distance.min(d);
        }
        let total: f64 = nearest.iter().sum();
        let mut rest = total * unit(seed, chosen.len() as u64);
        let next = nearest.iter().position(|d| {
            rest -= d;
            rest < 0.0
        });
        chosen.push(next.unwrap_or(n_rows - 1));
    }
    records.select(ndarray::Axis(0), &chosen)
}

fn unit(seed: u64, i: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "53 bits")]
    let bits = (xxh3_64_with_seed(&i.to_le_bytes(), seed) >> 11) as f64;
    bits / 9_007_199_254_740_992.0
}

fn uniform(seed: u64, i: u64, n: usize) -> usize {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "below n"
    )]
    let at = (unit(seed, i) * n as f64) as usize;
    at.min(n.saturating_sub(1))
}

/// Every comment's coordinates, row after row.
fn project(features: &Features, seed: u64) -> Vec<f64> {
    let n_rows = features.n_rows();
    let is_used = |term: u32| features.view_of[term as usize] <= View::Pairs as u8;
    let mut df = vec![0_u32; features.vocabulary.len()];
    for i in 0..n_rows {
        for &term in features.row(i) {
            df[term as usize] += u32::from(is_used(term));
        }
    }
    // Number the terms that are in use, and weigh them.
    let mut number = vec![u32::MAX; df.len()];
    let mut idf = Vec::new();
    for (term, &n) in df.iter().enumerate() {
        if n > 1 {
            number[term] = u32::try_from(idf.len()).unwrap_or(u32::MAX);
            #[expect(clippy::cast_precision_loss, reason = "counts")]
            idf.push((n_rows as f64 / f64::from(n)).ln() + 1.0);
        }
    }
    let rows: Vec<Vec<(u32, f32)>> = (0..n_rows)
        .map(|i| {
            let used = features
                .row(i)
                .iter()
                .filter(|&&term| number[term as usize] != u32::MAX);
            let mut row: Vec<(u32, f64)> = used
                .map(|&term| (number[term as usize], idf[number[term as usize] as usize]))
                .collect();
            row.sort_unstable_by_key(|&(term, _)| term);
            let norm = row.iter().map(|(_, x)| x * x).sum::<f64>().sqrt().max(1e-12);
            #[expect(clippy::cast_possible_truncation, reason = "weights")]
            row.into_iter().map(|(term, x)| (term, (x / norm) as f32)).collect()
        })
        .collect();
    let mut directions: Vec<f32> = (0..idf.len() * N_DIRECTIONS)
        .map(|i| {
            if xxh3_64_with_seed(&i.to_le_bytes(), seed) & 1 == 0 {
                1.0
            } else {
                -1.0
            }
        })
        .collect();
    let mut coordinates = vec![0.0; n_rows * N_DIRECTIONS];
    for round in 0..=N_ROUNDS {
        for (row, out) in rows.iter().zip(coordinates.chunks_exact_mut(N_DIRECTIONS)) {
            let mut sum = [0.0_f32; N_DIRECTIONS];
            for &(term, x) in row {
                let direction = &directions[term as usize * N_DIRECTIONS..(term as usize + 1) * N_DIRECTIONS];
                for (s, d) in sum.iter_mut().zip(direction) {
                    *s += x * d;
                }
            }
            for (o, s) in out.iter_mut().zip(sum) {
                *o = f64::from(s);
            }
        }
        if round == N_ROUNDS {
            break;
        }
        orthonormalize(&mut coordinates);
        directions.fill(0.0);
        for (row, y) in rows.iter().zip(coordinates.chunks_exact(N_DIRECTIONS)) {
            for &(term, x) in row {
                let direction = &mut directions[term as usize * N_DIRECTIONS..(term as usize + 1) * N_DIRECTIONS];
                for (d, &y) in direction.iter_mut().zip(y) {
                    #[expect(clippy::cast_possible_truncation, reason = "coordinates")]
                    let y = y as f32;
                    *d += x * y;
                }
            }
        }
        if round + 1 == N_ROUNDS {
            // The last projection is on orthonormal directions.
            let mut wide: Vec<f64> = directions.iter().map(|&d| f64::from(d)).collect();
            orthonormalize(&mut wide);
            for (d, w) in directions.iter_mut().zip(wide) {
                #[expect(clippy::cast_possible_truncation, reason = "coordinates")]
                let w = w as f32;
                *d = w;
            }
        }
    }
    coordinates
}

/// Gram–Schmidt over the columns of a matrix of [`N_DIRECTIONS`] columns.
fn orthonormalize(matrix: &mut [f64]) {
    for column in 0..N_DIRECTIONS {
        let mut dots = [0.0_f64; N_DIRECTIONS];
        for row in matrix.chunks_exact(N_DIRECTIONS) {
            for (dot, value) in dots[..column].iter_mut().zip(row) {
                *dot += value * row[column];
            }
        }
        let mut norm = 0.0;
        for row in matrix.chunks_exact_mut(N_DIRECTIONS) {
            let minus: f64 = dots[..column]
                .iter()
                .zip(row.iter())
                .map(|(dot, value)| dot * value)
                .sum();
            row[column] -= minus;
            norm += row[column] * row[column];
        }
        let norm = norm.sqrt();
        let scale = if norm > 1e-9 { 1.0 / norm } else { 0.0 };
        for row in matrix.chunks_exact_mut(N_DIRECTIONS) {
            row[column] *= scale;
        }
    }
}
