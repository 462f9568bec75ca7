//! Learns a [`SpamModel`] from labeled comments.
//!
//! A pure function of the comments, the parameters and the seed: it reads no clock and draws no random number that the
//! seed does not decide. It must never let a comment be judged, in anything that is fitted or published, by a model
//! that has seen the comment or a near-duplicate of it. Start reading at [`train`].

mod clusters;
pub mod corpus;
mod decay;
mod features;
mod fit;
mod fusion;
mod label_caps;
mod logistic;
mod measure;
mod near_duplicates;
mod params;
mod refine;
mod resume;
mod select;
pub mod split;
#[cfg(test)]
pub(crate) mod testing;
mod thresholds;
mod views;

pub use fit::FitError;
pub use params::{HOLD_SHARE, Hold, InvalidParam, TrainParams};
pub use resume::{Resume, Resumed, train_from};
pub use thresholds::NoPromise;

use std::panic::resume_unwind;
use std::thread;

use crate::comment::{Example, Label};
use crate::model::{
    Card, CardThresholds, DataFile, Evidence, InvalidParts, Parts, Round, SpamModel, Training, ViewTerms,
};
use crate::text::{N_VIEWS, READING_VERSION, VIEWS};
use clusters::Clusters;
use features::Features;
use fusion::{Folded, Fusion};
use near_duplicates::Grouper;
use refine::Refinement;
use thresholds::Readers;
use views::{Counts, Weights};

/// The most terms a model keeps. Each costs 9 bytes of the artifact on average and 4 to 8 of the table that scoring
/// looks terms up in.
const TERMS_MAX: usize = 1_000_000;

/// Fewer of either label teach nothing.
pub const EXAMPLES_A_LABEL_MIN: usize = 20;

/// The reason why nothing was learned.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// A parameter is out of its range.
    #[error(transparent)]
    Param(#[from] InvalidParam),
    /// Too few comments of one label.
    #[error(
        "train on {n} comments labeled {label}: at least {} of each label are needed, {} more",
        EXAMPLES_A_LABEL_MIN,
        EXAMPLES_A_LABEL_MIN - n
    )]
    TooFew {
        /// The label.
        label: Label,
        /// The number of them.
        n: usize,
    },
    /// The comments of a label are copies of one.
    #[error(
        "train on {n} comments labeled {label} that are all near-duplicates of one: comments that differ are needed, \
         at least 2 groups of near-duplicates of each label"
    )]
    TooFewGroups {
        /// The label.
        label: Label,
        /// The number of comments.
        n: usize,
    },
    /// No view sees anything that differs.
    #[error(
        "train on {n} comments in which the used views find nothing that differs from one comment to another: \
         nothing tells the labels apart; comments that differ in words, links or shape are needed"
    )]
    Indistinct {
        /// The number of comments.
        n: usize,
    },
    /// The model keeps no counts.
    #[error(
        "go on from a model that keeps no counts: it was made by an older version of this program, train it again first"
    )]
    NoEvidence,
    /// There is nothing new.
    #[error("go on from a model with no comments labeled spam or ham: there is nothing to learn")]
    Nothing,
    /// linfa could not fit a view.
    #[error(transparent)]
    Fit(#[from] FitError),
    /// The result is no model.
    #[error(transparent)]
    Parts(#[from] InvalidParts),
}

/// The progress of a training.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Near-duplicates are being grouped.
    Grouping,
    /// Comments are being read.
    Reading,
    /// Clusters are being found.
    Clusters,
    /// A fold is being fitted.
    Fold {
        /// The number of the fold, from 1.
        number: usize,
        /// The number of folds.
        of: usize,
    },
    /// The fusion is being fitted.
    Fusing,
    /// The terms' factors are being fitted.
    Refining,
    /// The views are being fitted.
    Views,
    /// The thresholds are being chosen and certified.
    Thresholds,
}

/// The result of a training.
#[derive(Debug, Clone)]
pub struct Trained {
    /// The model's parts; an artifact gives them their version.
    pub parts: Parts,
    /// The report of the run.
    pub report: TrainReport,
}

impl Trained {
    /// The model, to be used without an artifact.
    ///
    /// # Errors
    /// Not for what [`train`] returned.
    pub fn model(&self) -> Result<SpamModel, InvalidParts> {
        SpamModel::new(self.parts.clone(), "unsaved".to_owned())
    }
}

/// The report of a run beyond the card.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TrainReport {
    /// The reason why there is no promise and so no reject band, if there is none.
    pub no_promise: Option<NoPromise>,
    /// True if the fusion reached its optimum.
    pub fusion_converged: bool,
    /// Comments of the training data that were kept for certification.
    pub n_kept_for_certification: usize,
    /// The use of the ham that was there to certify.
    pub certifying: Certifying,
}

/// The use of the ham that was there to certify. Copies are no evidence: an exact binomial bound wants independent
/// comments, and ones that training did not see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Certifying {
    /// Groups of near-duplicates that certified, each by the one of its comments that is most probably spam.
    pub n_used: usize,
    /// Comments left out as near-duplicates of another that certified.
    pub n_copies: usize,
    /// Comments left out as near-duplicates of training data.
    pub n_seen: usize,
}

/// Learns a model.
///
/// `certify` are labeled comments that are kept out of everything but the certification of `reject_at`. If there are
/// none, some ham of the examples is kept for it, if that is enough to carry the promise. Near-duplicates of each other
/// count once, and near-duplicates of training data not at all.
///
/// # Errors
/// [`TrainError`]: parameters out of range, or too few comments of one label, or nothing that tells the labels apart.
pub fn train(
    examples: &[Example],
    certify: &[Example],
    params: &TrainParams,
    progress: &mut dyn FnMut(Progress),
) -> Result<Trained, TrainError> {
    params.check()?;
    for label in [Label::Ham, Label::Spam] {
        let n = examples.iter().filter(|example| example.label == label).count();
        if n < EXAMPLES_A_LABEL_MIN {
            return Err(TrainError::TooFew { label, n });
        }
    }
    progress(Progress::Grouping);
    let all: Vec<&Example> = examples.iter().collect();
    let mut grouper = Grouper::default();
    all.iter().for_each(|example| grouper.add(example));
    // Before the certifying comments come, which have no say in training.
    let groups = grouper.groups();
    for label in [Label::Ham, Label::Spam] {
        let mut own = (0..all.len()).filter(|&i| all[i].label == label).map(|i| groups[i]);
        let first = own.next();
        if own.all(|group| Some(group) == first) {
            let n = all.iter().filter(|example| example.label == label).count();
            return Err(TrainError::TooFewGroups { label, n });
        }
    }
    let kept = thresholds::keep_for_certification(&all, &groups, certify, params);
    let (held, rows): (Vec<usize>, Vec<usize>) = (0..all.len()).partition(|&i| kept[i]);
    let readers = Readers::unseen(certify, &mut grouper).and(Readers::alone(held.iter().map(|&i| all[i])));
    drop(grouper);
    let fit_on: Vec<&Example> = rows.iter().map(|&i| all[i]).collect();
    let groups: Vec<usize> = rows.iter().map(|&i| groups[i]).collect();
    let learned = learn(&fit_on, &groups, params, progress)?;

    progress(Progress::Thresholds);
    let Learning {
        mut parts,
        evidence,
        out_of_fold,
        converged,
    } = learned;
    let chosen = thresholds::choose(&mut parts, &fit_on, &out_of_fold, &readers, params)?;
    parts.card.metrics = measure::metrics(&fit_on, &out_of_fold, &parts)?;
    parts.card.self_test = measure::self_tests(&parts)?;
    // Last, so that nothing above copies it.
    parts.evidence = Some(evidence);
    Ok(Trained {
        parts,
        report: TrainReport {
            no_promise: chosen,
            fusion_converged: converged,
            n_kept_for_certification: held.len(),
            certifying: readers.certifying(),
        },
    })
}

/// The result of learning: the model before its thresholds, and every comment's log-odds by a model that did not see
/// it.
struct Learning {
    parts: Parts,
    evidence: Evidence,
    out_of_fold: Vec<f64>,
    converged: bool,
}

fn learn(
    examples: &[&Example],
    groups: &[usize],
    params: &TrainParams,
    progress: &mut dyn FnMut(Progress),
) -> Result<Learning, TrainError> {
    let labels: Vec<bool> = examples.iter().map(|example| example.label == Label::Spam).collect();
    progress(Progress::Reading);
    let features = features::read(examples, groups);
    let n_rounds = n_rounds(examples.len());
    #[expect(clippy::cast_precision_loss, reason = "at most N_ROUNDS_MAX")]
    let share = 1.0 / n_rounds as f64;
    let mut folded = Folded {
        base_log_odds: 0.0,
        worths: vec![0.0; features.vocabulary.len()],
    };
    let mut out_of_fold = vec![0.0; examples.len()];
    let mut converged = true;
    let mut n_clusters = (0, 0);
    let mut rounds = Vec::new();
    for round in 0..n_rounds {
        let seed = params.seed.wrapping_mul(1_000).wrapping_add(round as u64);
        progress(Progress::Clusters);
        let clusters = clusters::find(&features, &labels, params.n_clusters_spam, params.n_clusters_ham, seed);
        n_clusters = clusters.count();
        let strata: Vec<usize> = clusters.of.iter().map(|&cluster| usize::from(cluster)).collect();
        let folds = split::deal(groups, &strata, params.n_folds, seed);
        let counts = Counts::of(&features, &clusters, 0..examples.len());
        let inputs = out_of_fold_inputs(&features, &clusters, &counts, &folds, params, progress);
        progress(Progress::Fusing);
        let fusion = Fusion::fit(&inputs, &labels, params).ok_or(TrainError::Indistinct { n: labels.len() })?;
        converged &= fusion.converged();
        drop(inputs);
        let (base_log_odds, factors) = fusion.factors();
        let contributions = out_of_fold_contributions(&features, &clusters, &counts, &folds, &factors, params);
        progress(Progress::Refining);
        let refinement = Refinement::new(&features, &contributions, &labels, base_log_odds);
        let (refined, log_odds) = refine(&refinement, &folds, seed);
        for (sum, z) in out_of_fold.iter_mut().zip(log_odds) {
            *sum += share * z;
        }
        progress(Progress::Views);
        let weights = fit::weights(&features, &counts, params.smoothing_alpha)?;
        folded.base_log_odds += share * f64::from(refined.base_log_odds);
        let worths = fusion::worths(&features, &weights, &factors);
        for ((sum, worth), factor) in folded.worths.iter_mut().zip(worths).zip(&refined.of_term) {
            *sum += share * f64::from(worth * factor);
        }
        rounds.push(Round {
            is_spam: clusters.is_spam,
            base_log_odds: f64::from(refined.base_log_odds),
            factors,
            counts: counts.cells,
        });
    }
    let is_used = VIEWS.map(|view| params.views.contains(&view));
    let kept = select::heaviest(&features, &folded, &rounds, is_used, TERMS_MAX);
    let (terms, weight_step) = folded.terms(&features, &features.seen_in(&labels, false), &kept);
    let view_of: Vec<u8> = kept.iter().map(|&term| features.view_of[term]).collect();
    for round in &mut rounds {
        round.counts = select::rows(&round.counts, round.is_spam.len(), &kept);
    }
    Ok(Learning {
        parts: Parts {
            card: card(&view_of, n_clusters, Learned::of(groups, &labels), params),
            base_log_odds: folded.base_log_odds,
            weight_step,
            terms,
            evidence: None,
        },
        evidence: Evidence {
            as_of: resume::newest(examples),
            view_of,
            rounds,
        },
        out_of_fold,
        converged,
    })
}

/// Rounds over few comments, at most.
const N_ROUNDS_MAX: usize = 5;
/// So many comments take one round.
const ROWS_A_ROUND: usize = 10_000;

/// The number of models that are averaged. Folds and clusters of few comments are a matter of chance, and rounds over
/// them are cheap; the models are linear in the terms, so their mean is one of them.
fn n_rounds(n_examples: usize) -> usize {
    (ROWS_A_ROUND / n_examples.max(1)).clamp(1, N_ROUNDS_MAX)
}

/// The fusion's inputs for every comment, by views that saw nothing of its fold.
fn out_of_fold_inputs(
    features: &Features,
    clusters: &Clusters,
    counts: &Counts,
    folds: &[usize],
    params: &TrainParams,
    progress: &mut dyn FnMut(Progress),
) -> Vec<f32> {
    let width = N_VIEWS * clusters.is_spam.len();
    let mut inputs = vec![0.0; features.n_rows() * width];
    for fold in 0..params.n_folds {
        progress(Progress::Fold {
            number: fold + 1,
            of: params.n_folds,
        });
        let held: Vec<usize> = (0..features.n_rows()).filter(|&i| folds[i] == fold).collect();
        let own = Counts::of(features, clusters, held.iter().copied());
        let weights = Weights::closed_form(features, counts, Some(&own), params.smoothing_alpha);
        for i in held {
            weights.inputs(features, i, &mut inputs[i * width..(i + 1) * width]);
        }
    }
    inputs
}

/// The contribution of each term of each comment to the log-odds, by views that saw nothing of the comment's fold.
fn out_of_fold_contributions(
    features: &Features,
    clusters: &Clusters,
    counts: &Counts,
    folds: &[usize],
    factors: &[f64],
    params: &TrainParams,
) -> Vec<f32> {
    let mut contributions = vec![0.0; features.terms.len()];
    for fold in 0..params.n_folds {
        let held: Vec<usize> = (0..features.n_rows()).filter(|&i| folds[i] == fold).collect();
        let own = Counts::of(features, clusters, held.iter().copied());
        let weights = Weights::closed_form(features, counts, Some(&own), params.smoothing_alpha);
        let worths = fusion::worths(features, &weights, factors);
        for i in held {
            let damping = features.n_distinct[i].map(views::damping);
            let row = features.offsets[i]..features.offsets[i + 1];
            for (into, &term) in contributions[row.clone()].iter_mut().zip(&features.terms[row]) {
                *into = worths[term as usize] * damping[usize::from(features.view_of[term as usize])];
            }
        }
    }
    contributions
}

/// Halves for the log-odds that thresholds are chosen by: each by factors that saw nothing of it.
const N_PARTS: usize = 2;

/// Factors fitted to all comments, and every comment's log-odds by factors that saw nothing of its half. The fits go
/// side by side: each takes seconds.
fn refine(refinement: &Refinement<'_>, folds: &[usize], seed: u64) -> (refine::Factors, Vec<f64>) {
    let part_of = |i: usize| folds[i] % N_PARTS;
    let all = 0..folds.len();
    thread::scope(|scope| {
        let fit_without = |part: usize| {
            let rows = all.clone().filter(move |&i| part_of(i) != part);
            scope.spawn(move || refinement.fit(rows, seed))
        };
        let halves: Vec<_> = (0..N_PARTS).map(fit_without).collect();
        let refined = refinement.fit(all.clone(), seed);
        let halves: Vec<refine::Factors> = halves
            .into_iter()
            .map(|half| half.join().unwrap_or_else(|panic| resume_unwind(panic)))
            .collect();
        let log_odds = all
            .clone()
            .map(|i| refinement.predict(&halves[part_of(i)], i))
            .collect();
        (refined, log_odds)
    })
}

/// The number of comments that were learned from.
#[derive(Debug, Clone, Copy)]
struct Learned {
    n_examples: u64,
    n_spam: u64,
    n_groups: u64,
}

impl Learned {
    fn of(groups: &[usize], labels: &[bool]) -> Self {
        let mut distinct: Vec<usize> = groups.to_vec();
        distinct.sort_unstable();
        distinct.dedup();
        Self {
            n_examples: labels.len() as u64,
            n_spam: labels.iter().filter(|&&spam| spam).count() as u64,
            n_groups: distinct.len() as u64,
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "checked parameters")]
fn card(view_of: &[u8], n_clusters: (u32, u32), learned: Learned, params: &TrainParams) -> Card {
    Card {
        name: params.name.clone(),
        made_at: params.made_at.clone(),
        made_by: format!("moderato {}", env!("CARGO_PKG_VERSION")),
        reading: READING_VERSION,
        training: Training {
            seed: params.seed,
            smoothing_alpha: params.smoothing_alpha,
            ridge: params.ridge,
            n_folds: params.n_folds as u32,
            n_clusters_spam: n_clusters.0,
            n_clusters_ham: n_clusters.1,
            n_examples: learned.n_examples,
            n_spam: learned.n_spam,
            n_groups: learned.n_groups,
            views: VIEWS
                .iter()
                .filter(|view| params.views.contains(view))
                .map(|&view| ViewTerms {
                    view: view.name().to_owned(),
                    n_terms: view_of.iter().filter(|&&other| other == view as u8).count() as u64,
                })
                .collect(),
        },
        data: Vec::new(),
        certified_on: Vec::new(),
        metrics: crate::model::Metrics::default(),
        thresholds: CardThresholds {
            hold_at: 0.5,
            reject_at: None,
            evidence_min: params.evidence_min,
        },
        promise: None,
        self_test: Vec::new(),
        from: None,
    }
}

impl From<&corpus::FileSummary> for DataFile {
    fn from(file: &corpus::FileSummary) -> Self {
        Self {
            name: file.name.clone(),
            sha256: file.sha256.clone(),
            n_examples: file.n_examples,
            n_spam: file.n_spam,
        }
    }
}

#[cfg(test)]
mod tests;
