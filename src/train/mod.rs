//! Learns a [`SpamModel`] from labelled comments.
//!
//! A pure function of the comments, the parameters and the seed: it reads no clock and draws no random number that the
//! seed does not decide. It must never let a comment be judged, in anything that is fitted or published, by a model
//! that has seen the comment or a near-duplicate of it. Start reading at [`train`].

pub mod corpus;
mod features;
mod fit;
mod fusion;
mod group;
mod kinds;
mod logistic;
mod measure;
mod params;
pub mod split;
mod thresholds;
mod views;

pub use fit::FitError;
pub use params::{Hold, InvalidParam, TrainParams};
pub use thresholds::NoPromise;

use crate::comment::{Example, Label};
use crate::model::{Card, CardThresholds, DataFile, InvalidParts, Parts, SpamModel, Training, ViewTerms};
use crate::text::{N_VIEWS, READING_VERSION, VIEWS};
use features::Features;
use fusion::Fusion;
use kinds::Kinds;
use views::{Counts, Weights};

/// Fewer of either label teach nothing.
pub const EXAMPLES_A_LABEL_MIN: usize = 20;

/// Why nothing was learnt.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// A parameter is out of its range.
    #[error(transparent)]
    Param(#[from] InvalidParam),
    /// Too few comments of one label.
    #[error(
        "train on {n} comments labelled {label}: at least {} of each label are needed, {} more",
        EXAMPLES_A_LABEL_MIN,
        EXAMPLES_A_LABEL_MIN - n
    )]
    TooFew {
        /// The label.
        label: Label,
        /// How many there are.
        n: usize,
    },
    /// linfa could not fit a view.
    #[error(transparent)]
    Fit(#[from] FitError),
    /// What was learnt is no model.
    #[error(transparent)]
    Parts(#[from] InvalidParts),
}

/// What training is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Near-duplicates are being grouped.
    Grouping,
    /// Comments are being read.
    Reading,
    /// Kinds are being found.
    Kinds,
    /// A fold is being fitted.
    Fold {
        /// Which, from 1.
        number: usize,
        /// Of how many.
        of: usize,
    },
    /// The fusion is being fitted.
    Fusing,
    /// The views are being fitted.
    Views,
    /// The thresholds are being chosen and certified.
    Thresholds,
}

/// What was learnt.
#[derive(Debug, Clone)]
pub struct Trained {
    /// The model's parts; an artefact gives them their version.
    pub parts: Parts,
    /// What else there is to say of the run.
    pub report: TrainReport,
}

impl Trained {
    /// The model, to be used without an artefact.
    ///
    /// # Errors
    /// Not for what [`train`] returned.
    pub fn model(&self) -> Result<SpamModel, InvalidParts> {
        SpamModel::new(self.parts.clone(), "unsaved".to_owned())
    }
}

/// What there is to say of a run beyond the card.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TrainReport {
    /// Why there is no promise and so no reject band, if there is none.
    pub no_promise: Option<NoPromise>,
    /// Did the fusion reach its optimum?
    pub fusion_converged: bool,
    /// Comments of the training data that were kept for certification.
    pub n_kept_for_certification: usize,
}

/// Learns a model.
///
/// `certify` are labelled comments that are kept out of everything but the certification of `reject_at`. If there are
/// none, some ham of the examples is kept for it, if that is enough to carry the promise.
///
/// # Errors
/// [`TrainError`]: parameters out of range, or too few comments of one label.
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
    let groups = group::groups(all.iter().map(|example| example.content.expose().as_str()));
    let kept = if certify.is_empty() {
        thresholds::keep_for_certification(&all, &groups, params)
    } else {
        vec![false; all.len()]
    };
    let (held, rows): (Vec<usize>, Vec<usize>) = (0..all.len()).partition(|&i| kept[i]);
    let certify: Vec<&Example> = if certify.is_empty() {
        held.iter().map(|&i| all[i]).collect()
    } else {
        certify.iter().collect()
    };
    let fit_on: Vec<&Example> = rows.iter().map(|&i| all[i]).collect();
    let groups: Vec<usize> = rows.iter().map(|&i| groups[i]).collect();
    let learnt = learn(&fit_on, &groups, params, progress)?;

    progress(Progress::Thresholds);
    let Learnt {
        mut parts,
        out_of_fold,
        converged,
    } = learnt;
    let chosen = thresholds::choose(&mut parts, &fit_on, &out_of_fold, &certify, params)?;
    parts.card.metrics = measure::metrics(&fit_on, &out_of_fold, &parts)?;
    parts.card.self_test = measure::self_tests(&parts)?;
    Ok(Trained {
        parts,
        report: TrainReport {
            no_promise: chosen,
            fusion_converged: converged,
            n_kept_for_certification: held.len(),
        },
    })
}

/// What learning leaves: the model before its thresholds, and every comment's log-odds by a model that did not see it.
struct Learnt {
    parts: Parts,
    out_of_fold: Vec<f64>,
    converged: bool,
}

fn learn(
    examples: &[&Example],
    groups: &[usize],
    params: &TrainParams,
    progress: &mut dyn FnMut(Progress),
) -> Result<Learnt, TrainError> {
    let labels: Vec<bool> = examples.iter().map(|example| example.label == Label::Spam).collect();
    progress(Progress::Reading);
    let features = features::read(examples);
    progress(Progress::Kinds);
    let kinds = kinds::find(&features, &labels, params.n_kinds_spam, params.n_kinds_ham, params.seed);
    let strata: Vec<usize> = kinds.of.iter().map(|&kind| usize::from(kind)).collect();
    let folds = split::deal(groups, &strata, params.n_folds, params.seed);
    let counts = Counts::of(&features, &kinds, 0..examples.len());
    let inputs = out_of_fold_inputs(&features, &kinds, &counts, &folds, params, progress);
    progress(Progress::Fusing);
    let fusion = Fusion::fit(&inputs, &labels, params);
    let out_of_fold = fusion::cross_fitted(&inputs, &labels, &folds, params);
    progress(Progress::Views);
    let weights = fit::weights(&features, &counts, params.smoothing_alpha)?;
    let (base_log_odds, terms, weight_step) = fusion.fold_in(&features, &kinds, &counts, &weights);
    let card = card(&features, &kinds, groups, &labels, params);
    Ok(Learnt {
        parts: Parts {
            card,
            base_log_odds,
            weight_step,
            terms,
        },
        out_of_fold,
        converged: fusion.converged(),
    })
}

/// The fusion's inputs for every comment, by views that saw nothing of its fold.
fn out_of_fold_inputs(
    features: &Features,
    kinds: &Kinds,
    counts: &Counts,
    folds: &[usize],
    params: &TrainParams,
    progress: &mut dyn FnMut(Progress),
) -> Vec<f32> {
    let width = N_VIEWS * kinds.is_spam.len();
    let mut inputs = vec![0.0; features.n_rows() * width];
    for fold in 0..params.n_folds {
        progress(Progress::Fold {
            number: fold + 1,
            of: params.n_folds,
        });
        let held: Vec<usize> = (0..features.n_rows()).filter(|&i| folds[i] == fold).collect();
        let own = Counts::of(features, kinds, held.iter().copied());
        let weights = Weights::closed_form(features, counts, Some(&own), params.smoothing_alpha);
        for i in held {
            weights.inputs(features, i, &mut inputs[i * width..(i + 1) * width]);
        }
    }
    inputs
}

#[expect(clippy::cast_possible_truncation, reason = "checked parameters")]
fn card(features: &Features, kinds: &Kinds, groups: &[usize], labels: &[bool], params: &TrainParams) -> Card {
    let n_kinds = |spam: bool| kinds.is_spam.iter().filter(|&&is| is == spam).count() as u32;
    let mut distinct: Vec<usize> = groups.to_vec();
    distinct.sort_unstable();
    distinct.dedup();
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
            n_kinds_spam: n_kinds(true),
            n_kinds_ham: n_kinds(false),
            n_examples: labels.len() as u64,
            n_spam: labels.iter().filter(|&&spam| spam).count() as u64,
            n_groups: distinct.len() as u64,
            views: VIEWS
                .iter()
                .filter(|view| params.views.contains(view))
                .map(|&view| ViewTerms {
                    view: view.name().to_owned(),
                    n_terms: features.view_of.iter().filter(|&&other| other == view as u8).count() as u64,
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
