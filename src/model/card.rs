//! The model's card: how the model was made, from what, what it measures, and what it promises.
//!
//! The card gives away no text. The model's terms, beside it in the artifact, are hashed without a key: whoever holds
//! an artifact can test whether a word, a phrase of three words or a link's host was in the training data. A model that
//! was trained on private comments must be kept as the comments are kept.

use serde::{Deserialize, Serialize};

/// The card of a model. It holds nothing of what people wrote; of the artifact around it that cannot be said as simply,
/// see above.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Card {
    /// The model's name, for people.
    pub name: String,
    /// The moment at which it was made, as the operator stated it; absent unless stated, so that the same data gives
    /// the same bytes.
    pub made_at: Option<String>,
    /// The version of the program that made it.
    pub made_by: String,
    /// The version of the reading of texts that it was trained with.
    pub reading: u32,
    /// The training's parameters.
    pub training: Training,
    /// The files that it was trained on.
    pub data: Vec<DataFile>,
    /// The files that certified its promise.
    pub certified_on: Vec<DataFile>,
    /// The measures on its own training data, each comment judged by a model that did not see it.
    pub metrics: Metrics,
    /// The thresholds of the verdicts.
    pub thresholds: CardThresholds,
    /// The promise about rejects; absent if the data could not carry one.
    pub promise: Option<Promise>,
    /// Texts and what the model says of them: a reader that reads them otherwise refuses the model.
    pub self_test: Vec<SelfTest>,
    /// The model that this one went on from; absent if it was learned anew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Predecessor>,
}

impl Card {
    /// The card as JSON, for people and programs.
    pub fn to_json(&self) -> String {
        // Text and finite numbers under text keys: there is nothing in it that JSON cannot say.
        serde_json::to_string_pretty(self).unwrap_or_default()
    }
}

/// The model that another went on from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Predecessor {
    /// Its version.
    pub version: String,
    /// The factor by which its evidence was decayed when training went on from it, in [0, 1].
    pub decay: f64,
    /// Comments that were learned in addition, by which the card's measures are taken.
    pub n_new: u64,
    /// The spam among them.
    pub n_new_spam: u64,
    /// The operator's reason for writing the model although it is worse than its predecessor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forced: Option<String>,
}

/// The parameters of a training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Training {
    /// Decides the folds and the starts of the clusters.
    pub seed: u64,
    /// Added to every count.
    pub smoothing_alpha: f64,
    /// The penalty on the fusion's weights.
    pub ridge: f64,
    /// Folds for the fusion's inputs.
    pub n_folds: u32,
    /// Clusters of spam.
    #[serde(rename = "n_kinds_spam")]
    pub n_clusters_spam: u32,
    /// Clusters of ham.
    #[serde(rename = "n_kinds_ham")]
    pub n_clusters_ham: u32,
    /// Comments that it learned from.
    pub n_examples: u64,
    /// The spam among them.
    pub n_spam: u64,
    /// Groups of near-duplicates.
    pub n_groups: u64,
    /// Terms of each view, in the order of the views' names.
    pub views: Vec<ViewTerms>,
}

/// The number of terms of a view.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ViewTerms {
    /// The view.
    pub view: String,
    /// Its terms.
    pub n_terms: u64,
}

/// A file of labeled comments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataFile {
    /// Its name, without its folder.
    pub name: String,
    /// SHA-256, in hexadecimal.
    pub sha256: String,
    /// Comments.
    pub n_examples: u64,
    /// The spam among them.
    pub n_spam: u64,
}

/// Measures over the training data. The probabilities are out of fold: each by a model that saw neither the comment nor
/// a near-duplicate of it. Two things are not: `hold_at` was chosen on these probabilities, and whether evidence is
/// thin is judged by the final model, which saw the comment's words.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Metrics {
    /// Matthews' correlation at a probability of one half, in [−1, 1].
    pub mcc: f64,
    /// Mean squared error of the probability, in [0, 1].
    pub brier: f64,
    /// Expected calibration error over 15 bins, in [0, 1].
    pub calibration_error: f64,
    /// Share of spam at or above `reject_at`, and not thin. Somewhat high: among comments that the model never saw more
    /// are thin, and held instead.
    pub spam_rejected: f64,
    /// Share of spam at or above `hold_at`.
    pub spam_rejected_or_held: f64,
    /// Share of ham at or above `hold_at` that is not rejected.
    pub ham_held: f64,
    /// Share of ham rejected: at or above `reject_at`, and not thin, as above.
    pub ham_rejected: f64,
}

/// The thresholds of the verdicts.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CardThresholds {
    /// At least this probability: hold.
    pub hold_at: f64,
    /// At least this probability: reject. Absent: the model may only hold.
    pub reject_at: Option<f64>,
    /// The share of a comment's words that training must have seen in ham for a reject on the whole of it.
    pub evidence_min: f64,
}

/// A bound on the share of real readers' comments that are rejected. It holds for comments like those it was certified
/// on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Promise {
    /// At most this share is rejected.
    pub target: f64,
    /// The confidence of the promise, in [0, 1].
    pub confidence: f64,
    /// Readers' comments that certified it, one of a group of near-duplicates; neither the views nor the fusion saw
    /// them or near-duplicates of them.
    pub support: u64,
    /// The rejected ones among them.
    pub missed: u64,
    /// The exact upper bound on the share, at that confidence.
    pub upper_bound: f64,
    /// The test, for those who want to check it.
    pub method: String,
    /// The certification place by place.
    #[serde(default)]
    pub places: Vec<CertifiedPlace>,
    /// The comments that the promise holds for.
    pub holds_for: String,
}

/// A place whose readers certified a promise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CertifiedPlace {
    /// The source of the comments.
    pub source: String,
    /// Readers' comments of it that certified.
    pub support: u64,
    /// The rejected ones among them.
    pub missed: u64,
}

/// A text and what the model says of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SelfTest {
    /// The text.
    pub content: String,
    /// Its log-odds.
    pub log_odds: f64,
}
