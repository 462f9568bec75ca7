//! The parameters of a training run, checked.

use crate::eval::threshold::HoldBudget;
use crate::text::{VIEWS, View};

/// The parameters of a training run. The defaults are those of the shipped model.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainParams {
    /// Decides folds, clusters, and which comments certify.
    pub seed: u64,
    /// Added to every count; above 0.
    pub smoothing_alpha: f64,
    /// The penalty on the fusion's weights; above 0.
    pub ridge: f64,
    /// Folds for the fusion's inputs; 2 to 50.
    pub n_folds: usize,
    /// Clusters of spam; 1 to 16.
    pub n_clusters_spam: usize,
    /// Clusters of ham; 1 to 16.
    pub n_clusters_ham: usize,
    /// The views that are used.
    pub views: Vec<View>,
    /// The share of readers that may be rejected; in (0, 1).
    pub reject_target: f64,
    /// The confidence that the promise must have; in (0, 1).
    pub reject_confidence: f64,
    /// Nothing less probable than this is rejected, whatever the data would carry; in [0, 1].
    pub reject_floor: f64,
    /// The share of each source's readers that is kept out of learning to certify `reject_at`; in [0, 1). At 0 some are
    /// kept only if no comments to certify on are given.
    pub certify_share: f64,
    /// The share or the number of comments that may be held.
    pub hold: Hold,
    /// The share of a comment's words that must be known for a reject on the whole of it; in [0, 1].
    pub evidence_min: f64,
    /// The model's name, for people.
    pub name: String,
    /// The moment at which it is made, if the operator says so.
    pub made_at: Option<String>,
    /// The comments that the promise holds for, in the operator's words.
    pub holds_for: Option<String>,
}

/// The share or the number of comments that may be held.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Hold {
    /// This share of readers' comments, of those that are like the training data's; in (0, 1).
    Share(f64),
    /// As much as a desk can read.
    Budget(HoldBudget),
}

/// The share of readers that is held unless an operator says otherwise. One in two hundred should be held at most, and
/// readers of places that training never saw are held several times as often as those of the training data (figures in
/// models/README.md).
pub const HOLD_SHARE: f64 = 0.0018;

impl Default for TrainParams {
    fn default() -> Self {
        Self {
            seed: 1,
            smoothing_alpha: 1.0,
            ridge: 3.0,
            n_folds: 10,
            n_clusters_spam: 2,
            n_clusters_ham: 2,
            views: VIEWS.to_vec(),
            reject_target: 0.001,
            reject_confidence: 0.95,
            reject_floor: 0.995,
            certify_share: 0.0,
            hold: Hold::Share(HOLD_SHARE),
            evidence_min: 0.4,
            name: "default".to_owned(),
            made_at: None,
            holds_for: None,
        }
    }
}

/// A parameter that is out of its range.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{name} is {value}: it must be {range}")]
pub struct InvalidParam {
    /// Its name.
    pub name: &'static str,
    /// The value.
    pub value: f64,
    /// The range that it must lie in.
    pub range: &'static str,
}

impl TrainParams {
    /// Checks that all parameters lie in their ranges.
    ///
    /// # Errors
    /// [`InvalidParam`], the first that is not.
    #[expect(clippy::cast_precision_loss, reason = "for a message")]
    pub fn check(&self) -> Result<(), InvalidParam> {
        let share = |x: f64| x > 0.0 && x < 1.0;
        let rules = [
            (
                "smoothing_alpha",
                self.smoothing_alpha,
                self.smoothing_alpha > 0.0 && self.smoothing_alpha.is_finite(),
                "above 0",
            ),
            (
                "ridge",
                self.ridge,
                self.ridge > 0.0 && self.ridge.is_finite(),
                "above 0",
            ),
            (
                "n_folds",
                self.n_folds as f64,
                (2..=50).contains(&self.n_folds),
                "from 2 to 50",
            ),
            (
                "n_clusters_spam",
                self.n_clusters_spam as f64,
                (1..=16).contains(&self.n_clusters_spam),
                "from 1 to 16",
            ),
            (
                "n_clusters_ham",
                self.n_clusters_ham as f64,
                (1..=16).contains(&self.n_clusters_ham),
                "from 1 to 16",
            ),
            (
                "reject_target",
                self.reject_target,
                share(self.reject_target),
                "between 0 and 1",
            ),
            (
                "reject_confidence",
                self.reject_confidence,
                share(self.reject_confidence),
                "between 0 and 1",
            ),
            (
                "reject_floor",
                self.reject_floor,
                (0.0..=1.0).contains(&self.reject_floor),
                "from 0 to 1",
            ),
            (
                "evidence_min",
                self.evidence_min,
                (0.0..=1.0).contains(&self.evidence_min),
                "from 0 to 1",
            ),
            (
                "certify_share",
                self.certify_share,
                (0.0..1.0).contains(&self.certify_share),
                "from 0 to below 1",
            ),
            ("views", self.views.len() as f64, !self.views.is_empty(), "at least one"),
        ];
        let hold = match self.hold {
            Hold::Share(x) => ("hold share", x, share(x), "between 0 and 1"),
            Hold::Budget(b) => ("hold budget a day", b.holds_per_day, b.holds_per_day > 0.0, "above 0"),
        };
        for (name, value, ok, range) in rules.into_iter().chain([hold]) {
            if !ok {
                return Err(InvalidParam { name, value, range });
            }
        }
        Ok(())
    }
}
