//! What is learnt from the sample, and from the counts.

use std::collections::HashSet;

use foldhash::fast::FixedState;

use super::super::features::{self, Features};
use super::super::fusion::{Folded, Fusion};
use super::super::group::{Grouper, Print};
use super::super::kinds::{self, Kinds};
use super::super::thresholds::{self, Readers};
use super::super::views::{Counts, Weights};
use super::super::{
    Learned, Progress, TERMS_MAX, TrainError, TrainParams, TrainReport, Trained, card, fit, measure, split,
};
use super::kind::Sorter;
use super::known::Known;
use super::passes::Counted;
use super::sample::Draw;
use super::select::{self, Selected};
use crate::comment::{Example, Label};
use crate::eval::threshold::support_needed;
use crate::model::{Evidence, Parts, Round};
use crate::text::{N_VIEWS, VIEWS};

/// Texts of the sample: some twenty inputs would do with fewer, the tail that `hold_at` lies in would not.
const TEXTS_MAX: usize = 20_000;
/// Of few texts the sample is one in so many.
const TEXTS_SHARE: usize = 5;
/// Texts that are drawn to certify, at most.
const CERTIFYING_MAX: usize = 60_000;

/// How many comments certify if no others do: what it takes, and some to spare for those that have near-duplicates.
fn n_certifying(params: &TrainParams) -> usize {
    let needed = support_needed(0, params.reject_target, params.reject_confidence);
    needed + needed / 2
}

/// How many texts are drawn.
pub(super) fn n_drawn(params: &TrainParams) -> usize {
    TEXTS_MAX + (2 * n_certifying(params)).min(CERTIFYING_MAX)
}

/// The sample, and what was learnt from it alone.
pub(super) struct Sample {
    examples: Vec<Example>,
    groups: Vec<usize>,
    kinds: Kinds,
    n_texts: u64,
    /// The sample's terms, also those that may name a person: not for a vocabulary.
    pub(super) features: Features,
    pub(super) sorter: Sorter,
    /// Finds the sample's near-duplicates.
    pub(super) known: Known,
    /// Finds near-duplicates of what certifies.
    pub(super) certifying: Known,
    /// What certifies, by groups, in the order of their numbers in `certifying`.
    certify: Vec<Vec<Example>>,
    n_kept: usize,
    /// Near-duplicates of the sample among what would certify.
    n_seen: usize,
    /// Places of texts that must not be counted.
    pub(super) left_out: HashSet<u64, FixedState>,
}

impl Sample {
    pub(super) fn new(draw: Draw, certify: &[Example], n_ham: usize, params: &TrainParams) -> Result<Self, TrainError> {
        let n_texts = draw.n_distinct();
        let mut texts = draw.into_texts();
        let all_drawn = texts.len() as u64 == n_texts;
        let kept = if certify.is_empty() {
            keep_for_certification(&mut texts, n_ham, params)
        } else {
            Vec::new()
        };
        let n_wanted = if all_drawn {
            texts.len() / TEXTS_SHARE
        } else {
            texts.len()
        };
        texts.truncate(n_wanted.clamp(1, TEXTS_MAX));
        let examples: Vec<Example> = texts.into_iter().flat_map(|(_, copies)| copies).collect();

        let mut text = String::new();
        let (mut known, mut certifying) = (Known::default(), Known::default());
        let mut grouper = Grouper::default();
        for example in &examples {
            grouper.add(example);
            let print = Print::of(example, &mut text);
            if known.find(&print).is_none() {
                known.add(print);
            }
        }
        let groups = grouper.groups();
        let (mut n_kept, mut n_seen, mut left_out) = (0, 0, HashSet::default());
        let mut by_group: Vec<Vec<Example>> = Vec::new();
        let own = kept.into_iter().map(|(place, example)| (Some(place), example));
        let given = certify.iter().filter(|example| example.label == Label::Ham);
        for (place, example) in own.chain(given.map(|example| (None, example.clone()))) {
            n_kept += usize::from(place.is_some());
            left_out.extend(place);
            let print = Print::of(&example, &mut text);
            if known.find(&print).is_some() {
                n_seen += 1;
            } else if let Some(group) = certifying.find(&print) {
                by_group[group].push(example);
            } else {
                certifying.add(print);
                by_group.push(vec![example]);
            }
        }

        let rows: Vec<&Example> = examples.iter().collect();
        let labels: Vec<bool> = examples.iter().map(|example| example.label == Label::Spam).collect();
        for label in [Label::Ham, Label::Spam] {
            let mut own = (0..rows.len()).filter(|&i| rows[i].label == label).map(|i| groups[i]);
            let first = own.next();
            if own.all(|group| Some(group) == first) {
                let n = rows.iter().filter(|example| example.label == label).count();
                return Err(TrainError::TooFewGroups { label, n });
            }
        }
        let features = features::read_naming(&rows, &groups, 1);
        let kinds = kinds::find(&features, &labels, params.n_kinds_spam, params.n_kinds_ham, params.seed);
        let sorter = Sorter::new(&features, &kinds, params.smoothing_alpha);
        Ok(Self {
            examples,
            groups,
            kinds,
            n_texts,
            features,
            sorter,
            known,
            certifying,
            certify: by_group,
            n_kept,
            n_seen,
            left_out,
        })
    }
}

/// Takes some ham that came once out of the draw, to certify, if there is more than twice as much ham as that takes. The
/// texts that it was chosen from go too: those that are left are a fair sample.
fn keep_for_certification(
    texts: &mut Vec<(u64, Vec<Example>)>,
    n_ham: usize,
    params: &TrainParams,
) -> Vec<(u64, Example)> {
    let n = n_certifying(params);
    let alone = |copies: &[Example]| copies.len() == 1 && copies[0].label == Label::Ham;
    let ham = texts.iter().enumerate().filter(|(_, (_, copies))| alone(copies));
    let Some((last, _)) = ham.take(n).last().filter(|_| n_ham > 2 * n) else {
        return Vec::new();
    };
    let chosen_from = texts.iter().take(last + 1);
    if last >= texts.len() / 2 || chosen_from.filter(|(_, copies)| alone(copies)).count() < n {
        return Vec::new();
    }
    let chosen = texts.drain(..=last).filter(|(_, copies)| alone(copies));
    chosen
        .filter_map(|(place, mut copies)| Some((place, copies.pop()?)))
        .collect()
}

/// Learns the model from the counts.
pub(super) fn learn(
    sample: Sample,
    counted: Counted,
    params: &TrainParams,
    progress: &mut dyn FnMut(Progress),
) -> Result<Trained, TrainError> {
    progress(Progress::Fusing);
    let Sample {
        examples,
        groups,
        kinds,
        n_texts,
        features: sampled,
        sorter,
        certify,
        n_kept,
        n_seen,
        ..
    } = sample;
    let is_spam = sorter.is_spam;
    let used = VIEWS.map(|view| params.views.contains(&view));
    let Counted {
        parts,
        naming,
        seen,
        n,
        n_spam,
        as_of,
    } = counted;
    let selected = select::select(parts, &naming, &is_spam, used, TERMS_MAX);
    drop(naming);
    let n_kinds = is_spam.len();
    let Selected {
        vocabulary,
        view_of,
        all,
        rest,
    } = selected;
    let features = sampled.over(vocabulary, view_of);
    let labels: Vec<bool> = examples.iter().map(|example| example.label == Label::Spam).collect();
    let strata: Vec<usize> = kinds.of.iter().map(|&kind| usize::from(kind)).collect();
    let folds = split::deal(&groups, &strata, params.n_folds, params.seed);

    let width = N_VIEWS * n_kinds;
    let mut inputs = vec![0.0; labels.len() * width];
    let rest = Counts { n_kinds, cells: rest };
    let weights = Weights::closed_form(&features, &rest, None, params.smoothing_alpha);
    drop(rest);
    for (i, row) in inputs.chunks_exact_mut(width).enumerate() {
        weights.inputs(&features, i, row);
    }
    drop(weights);
    let fusion = Fusion::fit(&inputs, &labels, params).ok_or(TrainError::Indistinct { n: labels.len() })?;
    let out_of_fold = fusion.cross_fitted(&inputs, &labels, &folds, params);
    drop(inputs);

    progress(Progress::Views);
    let counts = Counts { n_kinds, cells: all };
    let weights = fit::weights(&features, &counts, params.smoothing_alpha)?;
    let mut folded = Folded {
        base_log_odds: 0.0,
        worths: vec![0.0; features.vocabulary.len()],
    };
    fusion.fold_in(&features, &weights, 1.0, &mut folded);
    drop(weights);
    let in_ham: Vec<bool> = counts
        .cells
        .chunks_exact(n_kinds)
        .map(|cells| cells.iter().zip(&is_spam).any(|(&n, &spam)| !spam && n > 0.0))
        .collect();
    let (terms, weight_step) = folded.terms(&features, &in_ham, params);
    let learned = Learned {
        n_examples: n,
        n_spam,
        n_groups: n_texts,
    };
    let mut parts = Parts {
        card: card(&features.view_of, kinds.count(), learned, params),
        base_log_odds: folded.base_log_odds,
        weight_step,
        terms,
        evidence: None,
    };
    drop(folded);

    progress(Progress::Thresholds);
    let rows: Vec<&Example> = examples.iter().collect();
    let unseen = certify.iter().enumerate().filter(|(group, _)| !seen.contains(group));
    let readers: Vec<Vec<&Example>> = unseen.map(|(_, group)| group.iter().collect()).collect();
    let n_seen_in_files: usize = seen.iter().map(|&group| certify[group].len()).sum();
    let readers = Readers::of_groups(readers, n_seen + n_seen_in_files);
    let no_promise = thresholds::choose(&mut parts, &rows, &out_of_fold, &readers, params)?;
    parts.card.metrics = measure::metrics(&rows, &out_of_fold, &parts)?;
    parts.card.self_test = measure::self_tests(&parts)?;
    let (base_log_odds, factors) = fusion.factors();
    parts.evidence = Some(Evidence {
        as_of,
        view_of: features.view_of,
        rounds: vec![Round {
            is_spam,
            base_log_odds,
            factors,
            counts: counts.cells,
        }],
    });
    Ok(Trained {
        parts,
        report: TrainReport {
            no_promise,
            fusion_converged: fusion.converged(),
            n_kept_for_certification: n_kept,
            certifying: readers.certifying(),
        },
    })
}
