//! Chooses the thresholds: `hold_at` by share or budget, `reject_at` by a certified promise.

use std::collections::BTreeMap;

use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::Certifying;
use super::near_duplicates::Grouper;
use super::params::{Hold, TrainParams};
use crate::comment::{Example, Label, Origin};
use crate::eval::threshold::{certify_reject, hold_at_budget, hold_at_share, reject_candidates, support_needed};
use crate::model::{CertifiedPlace, InvalidParts, Parts, Promise, SpamModel, SpamProbability};

/// The reason why there is no promise, and so no reject band.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[error(
    "the data cannot carry the promise that at most {target} of readers are rejected, with confidence {confidence}: \
     {support} distinct readers' comments that training did not see were there to certify it, {needed} without a miss \
     are needed; the model holds and never rejects"
)]
pub struct NoPromise {
    /// The share that may be rejected.
    pub target: f64,
    /// The confidence that was asked for, in [0, 1].
    pub confidence: f64,
    /// Readers' comments that could certify: one of a group of near-duplicates, none that training saw.
    pub support: usize,
    /// The number that it takes, none of them rejected.
    pub needed: usize,
}

/// Marks the examples that are kept out of learning to certify: received ham that has no near-duplicate.
///
/// With a `certify_share` it is that share of each source. Else, if nothing `is_given` to certify on, it is as many as
/// certification takes, and only if there are more than twice as many.
pub(super) fn keep_for_certification(
    examples: &[&Example],
    groups: &[usize],
    given: &[Example],
    params: &TrainParams,
) -> Vec<bool> {
    let mut kept = vec![false; examples.len()];
    let mut size = vec![0_u32; examples.len()];
    for &group in groups {
        size[group] += 1;
    }
    // Of groups of one only: keeping one of many would leave its copies in training.
    let mut alone: Vec<usize> = (0..examples.len())
        .filter(|&i| examples[i].label == Label::Ham && examples[i].origin == Origin::Received && size[groups[i]] == 1)
        .collect();
    alone.sort_by_key(|i| xxh3_64_with_seed(&i.to_le_bytes(), params.seed));
    if params.certify_share > 0.0 {
        let mut by_source: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for &i in &alone {
            by_source.entry(&examples[i].source).or_default().push(i);
        }
        for own in by_source.into_values() {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                clippy::cast_precision_loss,
                reason = "a share of a count"
            )]
            let n = (own.len() as f64 * params.certify_share) as usize;
            own[..n].iter().for_each(|&i| kept[i] = true);
        }
        return kept;
    }
    if !given.is_empty() {
        return kept;
    }
    let needed = support_needed(0, params.reject_target, params.reject_confidence);
    let n = needed + needed / 50;
    if alone.len() > 2 * n {
        for &i in &alone[..n] {
            kept[i] = true;
        }
    }
    kept
}

/// The ham that certifies, by groups of near-duplicates.
pub(super) struct Readers<'a> {
    groups: Vec<Vec<&'a Example>>,
    n_seen: usize,
}

impl<'a> Readers<'a> {
    /// Comments that are known to be no near-duplicates of anything.
    pub(super) fn alone(examples: impl Iterator<Item = &'a Example>) -> Self {
        Self {
            groups: examples.map(|example| vec![example]).collect(),
            n_seen: 0,
        }
    }

    /// The ham of `certify` that is no near-duplicate of what the grouper holds, which is the training data.
    pub(super) fn unseen(certify: &'a [Example], training: &mut Grouper) -> Self {
        let n_training = training.groups().len();
        certify.iter().for_each(|example| training.add(example));
        let groups = training.groups();
        let mut by_group: BTreeMap<usize, Vec<&Example>> = BTreeMap::new();
        let mut n_seen = 0;
        for (example, &group) in certify.iter().zip(&groups[n_training..]) {
            if example.label != Label::Ham {
                continue;
            }
            // A group is named by its first comment.
            if group < n_training {
                n_seen += 1;
            } else {
                by_group.entry(group).or_default().push(example);
            }
        }
        Self {
            groups: by_group.into_values().collect(),
            n_seen,
        }
    }

    /// Adds comments that are known to be no near-duplicates of anything.
    pub(super) fn and(mut self, other: Self) -> Self {
        self.groups.extend(other.groups);
        self
    }

    /// The use of the comments.
    pub(super) fn certifying(&self) -> Certifying {
        Certifying {
            n_used: self.groups.len(),
            n_copies: self.groups.iter().map(|group| group.len() - 1).sum(),
            n_seen: self.n_seen,
        }
    }

    /// One probability a group, the highest: what is promised must hold for the unluckiest of the copies. What evidence
    /// is too thin to reject on is not rejected at any threshold.
    fn probabilities(&self, model: &SpamModel) -> Vec<f64> {
        let probability = |example: &&'a Example| {
            let assessment = model.assess_example(example);
            if assessment.thin {
                0.0
            } else {
                assessment.probability.get()
            }
        };
        let highest = |group: &Vec<&'a Example>| group.iter().map(probability).fold(0.0, f64::max);
        self.groups.iter().map(highest).collect()
    }
}

impl Readers<'_> {
    /// The certifying groups by their first comment's source, and those of them that `threshold` rejects.
    fn places(&self, probabilities: &[f64], threshold: f64) -> Vec<CertifiedPlace> {
        let mut places: BTreeMap<&str, CertifiedPlace> = BTreeMap::new();
        for (group, &probability) in self.groups.iter().zip(probabilities) {
            let source = group.first().map_or("", |example| example.source.as_str());
            let place = places.entry(source).or_insert_with(|| CertifiedPlace {
                source: source.to_owned(),
                support: 0,
                missed: 0,
            });
            place.support += 1;
            place.missed += u64::from(probability >= threshold);
        }
        places.into_values().collect()
    }
}

/// Chooses the thresholds and writes them, with the promise, into the card.
pub(super) fn choose(
    parts: &mut Parts,
    examples: &[&Example],
    out_of_fold: &[f64],
    certify: &Readers<'_>,
    params: &TrainParams,
) -> Result<Option<NoPromise>, InvalidParts> {
    let of = |label: Label| -> Vec<f64> {
        let own = examples
            .iter()
            .zip(out_of_fold)
            .filter(|(example, _)| example.label == label && example.origin == Origin::Received);
        own.map(|(_, &z)| SpamProbability::from_log_odds(z).get()).collect()
    };
    let (ham, spam) = (of(Label::Ham), of(Label::Spam));
    let model = SpamModel::new(parts.clone(), String::new())?;
    let readers = certify.probabilities(&model);
    let (target, confidence) = (params.reject_target, params.reject_confidence);
    // Candidates stop at the floor, which no data decides, so that the sequence stays fixed.
    let candidates: Vec<f64> = reject_candidates()
        .into_iter()
        .filter(|&p| p >= params.reject_floor)
        .collect();
    let certified = certify_reject(&readers, target, confidence, &candidates);
    let hold_at = match params.hold {
        Hold::Share(share) => hold_at_share(&ham, share),
        Hold::Budget(budget) => hold_at_budget(&ham, &spam, certified.map(|certified| certified.threshold), &budget),
    };
    let thresholds = &mut parts.card.thresholds;
    thresholds.reject_at = certified.map(|certified| certified.threshold);
    thresholds.hold_at = thresholds.reject_at.map_or(hold_at, |reject_at| hold_at.min(reject_at));
    parts.card.promise = certified.map(|certified| Promise {
        target,
        confidence,
        support: certified.support as u64,
        missed: certified.misses as u64,
        upper_bound: certified.upper_bound,
        method: "exact binomial (Clopper and Pearson 1934) over a fixed sequence of thresholds, strictest first"
            .to_owned(),
        places: certify.places(&readers, certified.threshold),
        holds_for: params.holds_for.clone().unwrap_or_else(|| describe(certify)),
    });
    let no_promise = NoPromise {
        target,
        confidence,
        support: readers.len(),
        needed: support_needed(0, target, confidence),
    };
    Ok(certified.is_none().then_some(no_promise))
}

/// The certifying comments' sources.
fn describe(certify: &Readers<'_>) -> String {
    let mut sources: Vec<&str> = certify
        .groups
        .iter()
        .flatten()
        .map(|example| example.source.as_str())
        .collect();
    sources.sort_unstable();
    sources.dedup();
    let more = if sources.len() > 8 { ", …" } else { "" };
    sources.truncate(8);
    format!("readers' comments like those of {}{more}", sources.join(", "))
}
