//! Fits a view's naive Bayes through linfa, and reads back what it learned. The only file that knows linfa-bayes.
//!
//! A multinomial naive Bayes needs only the sums of the counts of each class, so linfa is given one row a class:
//! smoothing, logarithms and normalization are its own. What it learned is private, but serializable, and is read
//! through a JSON formatter that keeps the numbers and writes nothing.
//!
//! Fold fits take [`Weights::closed_form`], which a test pins to this.

use std::collections::HashMap;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use foldhash::fast::FixedState;
use linfa::DatasetBase;
use linfa::traits::Fit;
use linfa_bayes::{MultinomialNb, MultinomialNbParams};
use ndarray::{Array1, Array2};
use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};
use xxhash_rust::xxh3::xxh3_64;

use super::features::Features;
use super::views::{Counts, Weights};
use crate::text::N_VIEWS;

/// The reason why linfa could not fit.
#[derive(Debug, thiserror::Error)]
pub enum FitError {
    /// linfa refused.
    #[error("fit the naive Bayes of a view: {0}")]
    Linfa(#[from] linfa_bayes::NaiveBayesError),
    /// The fitted model has another form than in linfa 0.8.1.
    #[error("read what linfa learned: expected {expected} classes of {n_terms} terms; is it still version 0.8.1?")]
    Form {
        /// Classes that were fitted.
        expected: usize,
        /// Terms that were fitted.
        n_terms: usize,
    },
}

/// Every term's weight for every cluster, by one fit a view: a row for each cluster, and one for the background.
///
/// What a term's probability is depends on its counts alone, and most of a million terms share theirs with others. So
/// linfa is given one column for each distinct column of counts, and one with the mass of all that are not there, which
/// leaves every sum, and so every probability, as it was. A test holds this against the fit of all columns.
///
/// # Errors
/// [`FitError`] if linfa refuses or has changed.
pub(super) fn weights(features: &Features, counts: &Counts, alpha: f64) -> Result<Weights, FitError> {
    let n_clusters = counts.n_clusters;
    let mut cells = vec![0.0; counts.cells.len()];
    for view in 0..N_VIEWS {
        let seen = |term: usize| {
            counts.cells[term * n_clusters..(term + 1) * n_clusters]
                .iter()
                .any(|&n| n > 0.0)
        };
        let own = |&term: &usize| usize::from(features.view_of[term]) == view && seen(term);
        let terms = (0..features.view_of.len()).filter(own);
        let columns = Distinct::of(terms, counts);
        if columns.n_terms == 0 {
            continue;
        }
        let learned = log_probabilities(columns.matrix(n_clusters, alpha), alpha)?;
        for (term, column) in columns.column_of {
            for cluster in 0..n_clusters {
                #[expect(clippy::cast_possible_truncation, reason = "weights")]
                let weight = (learned[cluster][column] - learned[n_clusters][column]) as f32;
                cells[term * n_clusters + cluster] = weight;
            }
        }
    }
    Ok(Weights { n_clusters, cells })
}

/// The distinct columns of counts of a view.
struct Distinct<'a> {
    n_terms: usize,
    columns: Vec<&'a [f32]>,
    column_of: Vec<(usize, usize)>,
    /// Sums over all terms, cluster by cluster.
    totals: Vec<f64>,
}

impl<'a> Distinct<'a> {
    fn of(terms: impl Iterator<Item = usize>, counts: &'a Counts) -> Self {
        let n_clusters = counts.n_clusters;
        let mut known: HashMap<u64, usize, FixedState> = HashMap::default();
        let mut distinct = Self {
            n_terms: 0,
            columns: Vec::new(),
            column_of: Vec::new(),
            totals: vec![0.0; n_clusters],
        };
        let mut bytes = Vec::new();
        for term in terms {
            let column = &counts.cells[term * n_clusters..(term + 1) * n_clusters];
            bytes.clear();
            column.iter().for_each(|n| bytes.extend_from_slice(&n.to_le_bytes()));
            let number = *known.entry(xxh3_64(&bytes)).or_insert_with(|| {
                distinct.columns.push(column);
                distinct.columns.len() - 1
            });
            distinct.n_terms += 1;
            distinct.column_of.push((term, number));
            for (total, &n) in distinct.totals.iter_mut().zip(column) {
                *total += f64::from(n);
            }
        }
        distinct
    }

    /// A row for each cluster and one for all of them; the last column is the mass of the terms that are not there.
    #[expect(clippy::cast_precision_loss, reason = "term counts")]
    fn matrix(&self, n_clusters: usize, alpha: f64) -> Array2<f64> {
        let n_columns = self.columns.len();
        let n_absent = self.n_terms - n_columns;
        let mut rows = Array2::zeros((n_clusters + 1, n_columns + usize::from(n_absent > 0)));
        for (column, counts) in self.columns.iter().enumerate() {
            for (cluster, &n) in counts.iter().enumerate() {
                rows[[cluster, column]] = f64::from(n);
                rows[[n_clusters, column]] += f64::from(n);
            }
        }
        if n_absent > 0 {
            // Smoothing adds alpha to this column too, once.
            let smoothing = alpha * (n_absent as f64 - 1.0);
            let of_all = self.totals.iter().sum();
            for (cluster, &total) in self.totals.iter().chain([&of_all]).enumerate() {
                let present: f64 = rows.row(cluster).sum();
                rows[[cluster, n_columns]] = total - present + smoothing;
            }
        }
        rows
    }
}

/// `ln P(term | class)` for every class (row) and term (column), from how often each term stands in each class.
///
/// # Errors
/// [`FitError`] if linfa refuses or has changed.
pub(super) fn log_probabilities(counts: Array2<f64>, alpha: f64) -> Result<Vec<Vec<f64>>, FitError> {
    let (n_classes, n_terms) = counts.dim();
    let model = fit(counts, alpha)?;
    let mut reader = Reader::default();
    let read = model.serialize(&mut Serializer::with_formatter(io::sink(), &mut reader));
    let mut classes = reader.classes;
    classes.sort_by_key(|(class, _)| *class);
    let whole = classes
        .iter()
        .enumerate()
        .all(|(i, (class, row))| *class == i as u64 && row.len() == n_terms);
    if read.is_err() || classes.len() != n_classes || !whole {
        return Err(FitError::Form {
            expected: n_classes,
            n_terms,
        });
    }
    Ok(classes.into_iter().map(|(_, row)| row).collect())
}

fn fit(counts: Array2<f64>, alpha: f64) -> Result<MultinomialNb<f64, usize>, FitError> {
    let classes = Array1::from_iter(0..counts.nrows());
    let dataset = DatasetBase::new(counts, classes);
    let _quiet = Quiet::begin();
    Ok(MultinomialNbParams::new().alpha(alpha).fit(&dataset)?)
}

/// linfa-bayes 0.8.1 prints the model to standard error whenever it fits, by a `dbg!` that was left behind. Standard
/// error leads nowhere while this lives: some milliseconds for the nine fits of a training run. What other threads say
/// in that time is lost, which is why only `train` does this and never the service. One at a time: of two that overlap,
/// the later one would take the earlier one's nowhere for standard error, and restore that.
struct Quiet {
    #[cfg(unix)]
    saved: Option<std::os::fd::OwnedFd>,
    _one_at_a_time: MutexGuard<'static, ()>,
}

/// Held while standard error leads nowhere.
static REDIRECTING: Mutex<()> = Mutex::new(());

impl Quiet {
    #[cfg(unix)]
    fn begin() -> Self {
        let one_at_a_time = turn();
        let null = std::fs::OpenOptions::new().write(true).open("/dev/null");
        let saved = null.ok().and_then(|null| {
            let saved = rustix::io::dup(rustix::stdio::stderr()).ok()?;
            rustix::stdio::dup2_stderr(null).ok()?;
            Some(saved)
        });
        Self {
            saved,
            _one_at_a_time: one_at_a_time,
        }
    }

    #[cfg(not(unix))]
    fn begin() -> Self {
        Self { _one_at_a_time: turn() }
    }
}

/// Waits for standard error to be where it belongs.
fn turn() -> MutexGuard<'static, ()> {
    // A fit that panicked restored it all the same.
    REDIRECTING.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Drop for Quiet {
    fn drop(&mut self) {
        #[cfg(unix)]
        if let Some(saved) = self.saved.take() {
            // Standard error that cannot be restored cannot be complained about either.
            let _ = rustix::stdio::dup2_stderr(saved);
        }
    }
}

/// Takes the numbers of `class_info → class → feature_log_prob` out of a serialization, and writes nothing.
#[derive(Default)]
struct Reader {
    classes: Vec<(u64, Vec<f64>)>,
    in_key: bool,
    in_log_prob: bool,
}

impl Formatter for &mut Reader {
    fn begin_object_key<W: ?Sized + io::Write>(&mut self, _: &mut W, _: bool) -> io::Result<()> {
        self.in_key = true;
        Ok(())
    }

    fn end_object_key<W: ?Sized + io::Write>(&mut self, _: &mut W) -> io::Result<()> {
        self.in_key = false;
        Ok(())
    }

    fn write_string_fragment<W: ?Sized + io::Write>(&mut self, _: &mut W, text: &str) -> io::Result<()> {
        match text {
            "feature_log_prob" => self.in_log_prob = true,
            "class_count" | "prior" | "feature_count" => self.in_log_prob = false,
            _ => {}
        }
        Ok(())
    }

    fn write_u64<W: ?Sized + io::Write>(&mut self, _: &mut W, value: u64) -> io::Result<()> {
        if self.in_key {
            self.classes.push((value, Vec::new()));
        }
        Ok(())
    }

    fn write_f64<W: ?Sized + io::Write>(&mut self, _: &mut W, value: f64) -> io::Result<()> {
        if self.in_log_prob
            && let Some((_, row)) = self.classes.last_mut()
        {
            row.push(value);
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "fit_tests.rs"]
mod tests;
