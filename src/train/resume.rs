//! Goes on from a model: what it was learned from counts on, less as it ages, and new comments are counted with it.
//!
//! The clusters and the fusion stay as they were: new labels are few, and what a desk labels is no fair sample of what
//! it receives. New comments are sorted into the clusters that are there. `hold_at` stays too, unless it is asked for
//! anew; `reject_at` must be certified again, for the promise was the old model's.

use super::features::{self, Features, Index};
use super::fusion::{self, Folded};
use super::near_duplicates::Grouper;
use super::thresholds::{self, Readers};
use super::views::{Counts, Weights};
use super::{
    Learned, Progress, TERMS_MAX, TrainError, TrainParams, TrainReport, Trained, card, decay, fit, label_caps, measure,
    split, views,
};
use crate::comment::{Example, Label};
use crate::model::{Evidence, Parts, Predecessor, Round};
use crate::text::View;

/// The model that training goes on from, and the way to do it.
#[derive(Debug, Clone, Copy)]
pub struct Resume<'a> {
    /// The model, with its evidence.
    pub parts: &'a Parts,
    /// Its version.
    pub version: &'a str,
    /// After so many days evidence is worth half; `None`: it never ages.
    pub half_life_days: Option<f64>,
    /// Labels of one cluster that count from one reviewer, at most.
    pub reviewer_cap: usize,
    /// True if `hold_at` is to be chosen anew, by the new comments.
    pub choose_hold: bool,
}

/// The result of going on from a model.
#[derive(Debug, Clone)]
pub struct Resumed {
    /// The new model.
    pub trained: Trained,
    /// The comments that counted, by their places in what was given.
    pub used: Vec<usize>,
    /// Log-odds of each of them, by a model that has seen neither it nor a near-duplicate among the new ones.
    pub out_of_fold: Vec<f64>,
    /// The factor that is left of the old evidence, in [0, 1].
    pub decay: f64,
}

/// Counts below this are nothing.
const COUNT_MIN: f32 = 0.125;

/// Goes on from a model.
///
/// # Errors
/// [`TrainError`]: a parameter out of range, a model without evidence, or no comments at all.
pub fn train_from(
    resume: Resume<'_>,
    examples: &[Example],
    certify: &[Example],
    params: &TrainParams,
    progress: &mut dyn FnMut(Progress),
) -> Result<Resumed, TrainError> {
    params.check()?;
    let old = resume.parts.evidence.as_ref().ok_or(TrainError::NoEvidence)?;
    if let Some(days) = resume.half_life_days.filter(|days| !(days.is_finite() && *days > 0.0)) {
        return Err(super::InvalidParam {
            name: "half-life",
            value: days,
            range: "above 0",
        }
        .into());
    }
    progress(Progress::Grouping);
    let mut grouper = Grouper::default();
    examples.iter().for_each(|example| grouper.add(example));
    let all_groups = grouper.groups();
    let kept = label_caps::keep(examples, &all_groups, resume.reviewer_cap);
    let used: Vec<usize> = (0..examples.len()).filter(|&i| kept[i]).collect();
    if used.is_empty() {
        return Err(TrainError::Nothing);
    }
    let rows: Vec<&Example> = used.iter().map(|&i| &examples[i]).collect();
    let groups: Vec<usize> = used.iter().map(|&i| all_groups[i]).collect();
    let readers = Readers::unseen(certify, &mut grouper);
    drop(grouper);

    let newest = newest(&rows);
    let as_of = newest.max(old.as_of);
    let worth = |then: Option<i32>| match (then, as_of, resume.half_life_days) {
        (Some(then), Some(now), Some(days)) => decay::worth(then, now, days),
        _ => 1.0,
    };
    let decay = worth(old.as_of);
    #[expect(clippy::cast_possible_truncation, reason = "in [0, 1]")]
    let row_worths: Vec<f32> = rows.iter().map(|example| worth(labeled_on(example)) as f32).collect();

    progress(Progress::Reading);
    let features = union(resume.parts, old, &rows, &groups);
    let old_number = positions(resume.parts, &features);
    let corrections = corrections(resume.parts, old, &features, &old_number, params.smoothing_alpha);
    let mut folded = Folded {
        base_log_odds: 0.0,
        worths: vec![0.0; features.vocabulary.len()],
    };
    let mut out_of_fold = vec![0.0; rows.len()];
    let mut rounds = Vec::new();
    #[expect(clippy::cast_precision_loss, reason = "a handful")]
    let share = 1.0 / old.rounds.len().max(1) as f64;
    for (round, seed) in old.rounds.iter().zip(params.seed..) {
        let sheet = Sheet {
            features: &features,
            rows: &rows,
            row_worths: &row_worths,
            groups: &groups,
            params,
            seed,
            corrections: &corrections,
        };
        let next = sheet.go_on(round, &old_number, decay, progress)?;
        folded.base_log_odds += share * round.base_log_odds;
        for (sum, worth) in folded.worths.iter_mut().zip(&next.worths) {
            *sum += share * worth;
        }
        for (sum, z) in out_of_fold.iter_mut().zip(&next.out_of_fold) {
            *sum += share * z;
        }
        rounds.push(next.round);
    }

    let kept_terms = worth_keeping(&rounds, features.vocabulary.len());
    let pick = |list: &[u32]| kept_terms.iter().map(|&i| list[i]).collect::<Vec<u32>>();
    let in_ham = in_ham(&rounds, &kept_terms);
    let small = Features {
        vocabulary: pick(&features.vocabulary),
        view_of: kept_terms.iter().map(|&i| features.view_of[i]).collect(),
        ..Features::default()
    };
    folded.worths = kept_terms.iter().map(|&i| folded.worths[i]).collect();
    for round in &mut rounds {
        let n_clusters = round.is_spam.len();
        let cells = kept_terms
            .iter()
            .flat_map(|&i| &round.counts[i * n_clusters..(i + 1) * n_clusters]);
        round.counts = cells.copied().collect();
    }
    let all: Vec<usize> = (0..kept_terms.len()).collect();
    let (terms, weight_step) = folded.terms(&small, &in_ham, &all);
    let mut parts = Parts {
        card: next_card(&resume, &small, &rows, &groups, decay, params),
        base_log_odds: folded.base_log_odds,
        weight_step,
        terms,
        evidence: None,
    };
    progress(Progress::Thresholds);
    let no_promise = thresholds::choose(&mut parts, &rows, &out_of_fold, &readers, params)?;
    if !resume.choose_hold {
        let card = &mut parts.card.thresholds;
        let hold_at = resume.parts.card.thresholds.hold_at;
        card.hold_at = card.reject_at.map_or(hold_at, |reject_at| hold_at.min(reject_at));
    }
    parts.card.metrics = measure::metrics(&rows, &out_of_fold, &parts)?;
    parts.card.self_test = measure::self_tests(&parts)?;
    parts.evidence = Some(Evidence {
        as_of,
        view_of: small.view_of,
        rounds,
    });
    Ok(Resumed {
        trained: Trained {
            parts,
            report: TrainReport {
                no_promise,
                fusion_converged: true,
                n_kept_for_certification: 0,
                certifying: readers.certifying(),
            },
        },
        used,
        out_of_fold,
        decay,
    })
}

/// The day of the newest label.
pub(super) fn newest(rows: &[&Example]) -> Option<i32> {
    rows.iter().filter_map(|example| labeled_on(example)).max()
}

fn labeled_on(example: &Example) -> Option<i32> {
    example.labeled_at.as_deref().and_then(decay::day)
}

/// The model's terms and those of the new comments in one vocabulary. What may name a person enters as it always does,
/// by three groups, unless the model knows it.
fn union(parts: &Parts, old: &Evidence, rows: &[&Example], groups: &[usize]) -> Features {
    let new = features::read(rows, groups);
    let known = parts
        .terms
        .iter()
        .zip(&old.view_of)
        .map(|(term, &view)| (term.hash, view));
    let mut all: Vec<(u32, u8)> = known.chain(new.vocabulary.iter().copied().zip(new.view_of)).collect();
    // Stable: where both have a term, the model's view of it stays.
    all.sort_by_key(|&(hash, _)| hash);
    all.dedup_by_key(|&mut (hash, _)| hash);
    let (vocabulary, view_of) = all.into_iter().unzip();
    features::read_naming(rows, groups, 1).over(vocabulary, view_of)
}

/// The positions of the model's terms in the vocabulary.
fn positions(parts: &Parts, features: &Features) -> Vec<usize> {
    let index = Index::new(&features.vocabulary);
    let find = |hash| index.find(&features.vocabulary, hash);
    parts
        .terms
        .iter()
        .filter_map(|term| find(term.hash).map(|i| i as usize))
        .collect()
}

/// The factor by which refinement corrected each term when the model was first trained: its weight over what its counts
/// alone would give. It is 1 for terms that are new, and for weights of so few steps that rounding decides them.
fn corrections(parts: &Parts, old: &Evidence, features: &Features, old_number: &[usize], alpha: f64) -> Vec<f32> {
    let mut uncorrected = vec![0.0_f32; features.vocabulary.len()];
    #[expect(clippy::cast_precision_loss, reason = "a handful")]
    let share = 1.0 / old.rounds.len().max(1) as f32;
    for round in &old.rounds {
        let n_clusters = round.is_spam.len();
        let mut cells = vec![0.0; features.vocabulary.len() * n_clusters];
        for (own, &i) in round.counts.chunks_exact(n_clusters).zip(old_number) {
            cells[i * n_clusters..(i + 1) * n_clusters].copy_from_slice(own);
        }
        let weights = Weights::closed_form(features, &Counts { n_clusters, cells }, None, alpha);
        let worths = fusion::worths(features, &weights, &round.factors);
        uncorrected
            .iter_mut()
            .zip(worths)
            .for_each(|(sum, worth)| *sum += share * worth);
    }
    let mut corrections = vec![1.0; features.vocabulary.len()];
    for (term, &i) in parts.terms.iter().zip(old_number) {
        let is_sure = uncorrected[i].abs() >= STEPS_SURE * parts.weight_step
            && term.weight.abs() >= STEPS_SURE * parts.weight_step;
        if is_sure {
            corrections[i] = (term.weight / uncorrected[i]).clamp(-CORRECTION_MAX, CORRECTION_MAX);
        }
    }
    corrections
}

/// A weight of fewer steps is decided by rounding.
const STEPS_SURE: f32 = 8.0;
/// Corrections beyond this are the noise of a small weight.
const CORRECTION_MAX: f32 = 8.0;

/// The data of a round.
struct Sheet<'a> {
    features: &'a Features,
    rows: &'a [&'a Example],
    row_worths: &'a [f32],
    groups: &'a [usize],
    params: &'a TrainParams,
    seed: u64,
    /// The factor of each term.
    corrections: &'a [f32],
}

/// The result of a round.
struct Next {
    round: Round,
    worths: Vec<f64>,
    out_of_fold: Vec<f64>,
}

impl Sheet<'_> {
    fn go_on(
        &self,
        round: &Round,
        old_number: &[usize],
        decay: f64,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Next, TrainError> {
        let n_clusters = round.is_spam.len();
        let mut cells = vec![0.0; self.features.vocabulary.len() * n_clusters];
        for (own, &i) in round.counts.chunks_exact(n_clusters).zip(old_number) {
            for (cell, &n) in cells[i * n_clusters..(i + 1) * n_clusters].iter_mut().zip(own) {
                #[expect(clippy::cast_possible_truncation, reason = "counts")]
                let n = (f64::from(n) * decay) as f32;
                *cell = n;
            }
        }
        let mut counts = Counts { n_clusters, cells };
        let clusters = self.sort(&counts, &round.is_spam);
        let n_rows = self.rows.len();
        self.count(&mut counts, &clusters, 0..n_rows, 1.0);

        let strata: Vec<usize> = clusters.clone();
        let folds = split::deal(self.groups, &strata, self.params.n_folds, self.seed);
        let mut out_of_fold = vec![0.0; n_rows];
        for fold in 0..self.params.n_folds {
            let held: Vec<usize> = (0..n_rows).filter(|&i| folds[i] == fold).collect();
            if held.is_empty() {
                continue;
            }
            progress(Progress::Fold {
                number: fold + 1,
                of: self.params.n_folds,
            });
            let mut rest = counts.clone();
            self.count(&mut rest, &clusters, held.iter().copied(), -1.0);
            let weights = Weights::closed_form(self.features, &rest, None, self.params.smoothing_alpha);
            let worths = self.worths(&weights, round);
            for i in held {
                out_of_fold[i] = round.base_log_odds + self.sum(&worths, i);
            }
        }
        progress(Progress::Views);
        let weights = fit::weights(self.features, &counts, self.params.smoothing_alpha)?;
        let worths = self.worths(&weights, round).into_iter().map(f64::from).collect();
        Ok(Next {
            round: round.with_counts(counts.cells),
            worths,
            out_of_fold,
        })
    }

    /// The weight of each term, corrected as it was when the model was first trained.
    fn worths(&self, weights: &Weights, round: &Round) -> Vec<f32> {
        let mut worths = fusion::worths(self.features, weights, &round.factors);
        worths
            .iter_mut()
            .zip(self.corrections)
            .for_each(|(worth, factor)| *worth *= factor);
        worths
    }

    /// The sum of a comment's terms.
    fn sum(&self, worths: &[f32], i: usize) -> f64 {
        let damping = self.features.n_distinct[i].map(views::damping);
        let add = |&term: &u32| worths[term as usize] * damping[usize::from(self.features.view_of[term as usize])];
        self.features.row(i).iter().map(|term| f64::from(add(term))).sum()
    }

    /// Adds comments to the counts, or takes them out again.
    fn count(&self, counts: &mut Counts, clusters: &[usize], rows: impl Iterator<Item = usize>, sign: f32) {
        for i in rows {
            for &term in self.features.row(i) {
                let cell = &mut counts.cells[term as usize * counts.n_clusters + clusters[i]];
                *cell += sign * self.row_worths[i];
                // Nothing is left of a term but what rounding left.
                if *cell < COUNT_MIN / 4.0 {
                    *cell = 0.0;
                }
            }
        }
    }

    /// The cluster of every new comment: of its label, the one whose words and pairs it most likely has.
    fn sort(&self, counts: &Counts, is_spam: &[bool]) -> Vec<usize> {
        let n_clusters = counts.n_clusters;
        let weights = Weights::closed_form(self.features, counts, None, self.params.smoothing_alpha);
        let used = |term: usize| self.features.view_of[term] <= View::Pairs as u8;
        let mut mass = vec![0.0_f64; n_clusters];
        for (own, _) in counts
            .cells
            .chunks_exact(n_clusters)
            .zip(0..)
            .filter(|(_, term)| used(*term))
        {
            mass.iter_mut().zip(own).for_each(|(sum, &n)| *sum += f64::from(n));
        }
        let of_row = |(i, example): (usize, &&Example)| {
            let spam = example.label == Label::Spam;
            let mut sums: Vec<f64> = mass.iter().map(|mass| mass.max(1.0).ln()).collect();
            for &term in self.features.row(i).iter().filter(|&&term| used(term as usize)) {
                let own = &weights.cells[term as usize * n_clusters..(term as usize + 1) * n_clusters];
                sums.iter_mut()
                    .zip(own)
                    .for_each(|(sum, &weight)| *sum += f64::from(weight));
            }
            let own = (0..n_clusters).filter(|&cluster| is_spam[cluster] == spam);
            own.reduce(|best, cluster| if sums[cluster] > sums[best] { cluster } else { best })
                .unwrap_or(0)
        };
        self.rows.iter().enumerate().map(of_row).collect()
    }
}

/// Terms that are still counted somewhere; the most frequent, if there are too many.
fn worth_keeping(rounds: &[Round], n_terms: usize) -> Vec<usize> {
    let mut totals = vec![0.0_f32; n_terms];
    for round in rounds {
        for (total, own) in totals
            .iter_mut()
            .zip(round.counts.chunks_exact(round.is_spam.len().max(1)))
        {
            *total = total.max(own.iter().copied().fold(0.0, f32::max));
        }
    }
    let mut floor = COUNT_MIN;
    let mut sorted: Vec<f32> = totals.iter().copied().filter(|&n| n > floor).collect();
    if sorted.len() > TERMS_MAX {
        floor = floor.max(*sorted.select_nth_unstable_by(TERMS_MAX, |a, b| b.total_cmp(a)).1);
    }
    (0..n_terms).filter(|&i| totals[i] > floor).collect()
}

fn in_ham(rounds: &[Round], terms: &[usize]) -> Vec<bool> {
    let counted = |round: &Round, term: usize| {
        let n_clusters = round.is_spam.len();
        let own = &round.counts[term * n_clusters..(term + 1) * n_clusters];
        own.iter().zip(&round.is_spam).any(|(&n, &spam)| !spam && n > COUNT_MIN)
    };
    terms
        .iter()
        .map(|&term| rounds.iter().any(|round| counted(round, term)))
        .collect()
}

fn next_card(
    resume: &Resume<'_>,
    features: &Features,
    rows: &[&Example],
    groups: &[usize],
    decay: f64,
    params: &TrainParams,
) -> crate::model::Card {
    let before = &resume.parts.card.training;
    let labels: Vec<bool> = rows.iter().map(|example| example.label == Label::Spam).collect();
    let new = Learned::of(groups, &labels);
    let learned = Learned {
        n_examples: before.n_examples + new.n_examples,
        n_spam: before.n_spam + new.n_spam,
        n_groups: before.n_groups + new.n_groups,
    };
    let mut card = card(
        &features.view_of,
        (before.n_clusters_spam, before.n_clusters_ham),
        learned,
        params,
    );
    card.from = Some(Predecessor {
        version: resume.version.to_owned(),
        decay,
        n_new: new.n_examples,
        n_new_spam: new.n_spam,
        forced: None,
    });
    card
}

#[cfg(test)]
#[path = "resume_tests.rs"]
mod tests;
