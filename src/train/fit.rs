//! Fits a view's naive Bayes through linfa, and reads back what it learnt. The only file that knows linfa-bayes.
//!
//! A multinomial naive Bayes needs only the sums of the counts of each class, so linfa is given one row a class:
//! smoothing, logarithms and normalization are its own. What it learnt is private, but serializable, and is read through
//! a JSON formatter that keeps the numbers and writes nothing.

use std::io;

use linfa::DatasetBase;
use linfa::traits::Fit;
use linfa_bayes::{MultinomialNb, MultinomialNbParams};
use ndarray::{Array1, Array2};
use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};

use super::features::Features;
use super::views::{Counts, Weights};
use crate::text::N_VIEWS;

/// Why linfa could not fit.
#[derive(Debug, thiserror::Error)]
pub enum FitError {
    /// linfa refused.
    #[error("fit the naive Bayes of a view: {0}")]
    Linfa(#[from] linfa_bayes::NaiveBayesError),
    /// What linfa learnt has another form than it has in version 0.8.1.
    #[error("read what linfa learnt: expected {expected} classes of {n_terms} terms; is it still version 0.8.1?")]
    Form {
        /// Classes that were fitted.
        expected: usize,
        /// Terms that were fitted.
        n_terms: usize,
    },
}

/// Every term's weight for every kind, by one fit a view: a row for each kind, and one for the background.
///
/// # Errors
/// [`FitError`] if linfa refuses or has changed.
pub(super) fn weights(features: &Features, counts: &Counts, alpha: f64) -> Result<Weights, FitError> {
    let n_kinds = counts.n_kinds;
    let mut cells = vec![0.0; counts.cells.len()];
    for view in 0..N_VIEWS {
        let terms: Vec<usize> = (0..features.view_of.len())
            .filter(|&term| usize::from(features.view_of[term]) == view)
            .collect();
        if terms.is_empty() {
            continue;
        }
        let mut rows = Array2::zeros((n_kinds + 1, terms.len()));
        for (column, &term) in terms.iter().enumerate() {
            for kind in 0..n_kinds {
                let n = f64::from(counts.cells[term * n_kinds + kind]);
                rows[[kind, column]] = n;
                rows[[n_kinds, column]] += n;
            }
        }
        let learnt = log_probabilities(rows, alpha)?;
        for (column, &term) in terms.iter().enumerate() {
            for kind in 0..n_kinds {
                #[expect(clippy::cast_possible_truncation, reason = "weights")]
                let weight = (learnt[kind][column] - learnt[n_kinds][column]) as f32;
                cells[term * n_kinds + kind] = weight;
            }
        }
    }
    Ok(Weights { n_kinds, cells })
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
/// error leads nowhere while this lives: some milliseconds for the nine fits of a training run. What other threads say in
/// that time is lost, which is why only `train` does this and never the service.
struct Quiet(#[cfg(unix)] Option<std::os::fd::OwnedFd>);

impl Quiet {
    #[cfg(unix)]
    fn begin() -> Self {
        let null = std::fs::OpenOptions::new().write(true).open("/dev/null");
        let saved = null.ok().and_then(|null| {
            let saved = rustix::io::dup(rustix::stdio::stderr()).ok()?;
            rustix::stdio::dup2_stderr(null).ok()?;
            Some(saved)
        });
        Self(saved)
    }

    #[cfg(not(unix))]
    fn begin() -> Self {
        Self()
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        #[cfg(unix)]
        if let Some(saved) = self.0.take() {
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
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn what_is_read_back_is_the_textbook_s_formula() {
        let rows = log_probabilities(array![[3.0, 0.0, 1.0], [0.0, 5.0, 2.0]], 1.0).unwrap();
        assert!((rows[0][0] - (4.0_f64 / 7.0).ln()).abs() < 1e-12);
        assert!((rows[1][0] - (1.0_f64 / 10.0).ln()).abs() < 1e-12);
    }
}
