//! Learns from files that are too large for memory, by reading them twice.
//!
//! The first reading draws a sample. Whatever needs a comment as a whole is learnt from the sample: the kinds, the
//! fusion, the thresholds. The second reading counts the terms of every comment, and finds the sample's near-duplicates,
//! so that the fusion and the thresholds see views that have seen neither the sample's comments nor their copies: the
//! sample is the one fold that is left out. Memory depends on the sample and the table of terms, not on the files.
//!
//! Nothing is written anywhere. Start reading at [`train_files`].

mod count;
mod kind;
mod known;
mod learn;
mod naming;
mod passes;
mod sample;
mod select;

use std::path::{Path, PathBuf};

use super::corpus::{CorpusError, FileSummary, Source};
use super::{EXAMPLES_A_LABEL_MIN, Progress, TrainError, TrainParams, Trained, corpus};
use crate::comment::{Example, Label};

/// Why nothing was learnt from files.
#[derive(Debug, thiserror::Error)]
pub enum BulkError {
    /// A file cannot be read, or a line of it is bad.
    #[error(transparent)]
    Corpus(#[from] CorpusError),
    /// What was read teaches nothing.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// A file is not what it was when it was read first.
    #[error("read {path} again: it has changed since it was read first; train from a copy that does not change")]
    Changed {
        /// The file.
        path: PathBuf,
    },
}

/// What is learnt from, and how.
#[derive(Debug, Clone, Copy)]
pub struct Files<'a> {
    /// Labelled comments, JSON Lines.
    pub sources: &'a [Source],
    /// Are bad lines counted, or errors?
    pub skip_bad: bool,
    /// Labelled comments that only certify, as for [`super::train`].
    pub certify: &'a [Example],
    /// Threads; what is learnt does not depend on it.
    pub n_threads: usize,
}

/// Learns a model from files, in memory that does not grow with them.
///
/// # Errors
/// [`BulkError`].
pub fn train_files(
    files: Files<'_>,
    params: &TrainParams,
    progress: &mut dyn FnMut(Progress),
) -> Result<(Trained, Vec<FileSummary>), BulkError> {
    params.check().map_err(TrainError::from)?;
    let (drawn, summaries) = passes::draw(files, params, progress)?;
    let n_of = |label| {
        let n_spam: u64 = summaries.iter().map(|file| file.n_spam).sum();
        let n: u64 = summaries.iter().map(|file| file.n_examples).sum();
        usize::try_from(if label == Label::Spam { n_spam } else { n - n_spam }).unwrap_or(usize::MAX)
    };
    for label in [Label::Ham, Label::Spam] {
        let n = n_of(label);
        if n < EXAMPLES_A_LABEL_MIN {
            return Err(TrainError::TooFew { label, n }.into());
        }
    }
    progress(Progress::Kinds);
    let sample = learn::Sample::new(drawn, files.certify, n_of(Label::Ham), params)?;
    let counted = passes::count(files, &sample, &summaries, params, progress)?;
    Ok((learn::learn(sample, counted, params, progress)?, summaries))
}

/// Reads all files, as [`corpus::read_batches`] reads one; `check` may refuse a file once it has been read.
fn read_all<W: Send>(
    files: Files<'_>,
    workers: &mut [W],
    work: impl Fn(&mut W, Example) + Sync,
    end: impl Fn(&mut W) + Sync,
    mut after: impl FnMut(&mut [W]),
    mut check: impl FnMut(&Path, &FileSummary) -> Result<(), BulkError>,
) -> Result<Vec<FileSummary>, BulkError> {
    let mut summaries = Vec::new();
    for source in files.sources {
        let summary = corpus::read_batches(source, files.skip_bad, workers, &work, &end, &mut after)?;
        check(source.path(), &summary)?;
        summaries.push(summary);
    }
    Ok(summaries)
}

#[cfg(test)]
mod tests;
